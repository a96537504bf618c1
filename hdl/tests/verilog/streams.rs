//! The parts of the stream library under random stimulus: nothing lost, doubled or out of order, and nothing stuck.

use std::collections::VecDeque;
use std::sync::Arc;

use hdl::bench::{Bench, Replay};
use hdl::dfg::Module;
use hdl::random::Numbers;
use hdl::{ModuleBuilder, u};

use crate::support;

/// Runs `module` with random producers and consumers. Stream `inN` sends `16 * k + N` for k = 0, 1, …, wrapped to a byte;
/// what each stream `outN` gives is returned, after all are drained, with how many words each input sent.
fn exercise(module: &Arc<Module>, inputs: usize, outputs: usize, seed: u64) -> (Vec<i128>, Vec<VecDeque<i128>>) {
    let mut bench = Bench::new(module).unwrap();
    let mut numbers = Numbers::new(seed);
    bench.reset();
    let (mut sent, mut offered) = (vec![0; inputs], vec![false; inputs]);
    let mut received = vec![VecDeque::new(); outputs];
    for cycle in 0..500 {
        // phases in which one side, the other or neither is slow; at last nothing comes and all is taken
        let [sends, takes] = [[3, 3], [1, 3], [3, 1], [4, 4], [0, 4]][cycle / 100];
        for k in 0..inputs {
            offered[k] |= numbers.below(4) < sends && cycle < 400;
            bench.set(&format!("in{k}_valid"), i128::from(offered[k]));
            bench.set(&format!("in{k}_data"), (16 * sent[k] + k as i128) % 256);
        }
        for k in 0..outputs {
            bench.set(&format!("out{k}_ready"), i128::from(numbers.below(4) < takes));
        }
        for k in 0..inputs {
            if bench.fires(&format!("in{k}")) {
                sent[k] += 1;
                offered[k] = false;
            }
        }
        for (k, words) in received.iter_mut().enumerate() {
            if bench.fires(&format!("out{k}")) {
                words.push_back(bench.get(&format!("out{k}_data")));
            }
        }
        bench.step();
    }
    assert!(sent.iter().all(|sent| *sent > 15), "stuck: {sent:?}");
    assert!(bench.replay().unwrap() != Replay::Equal(0));
    (sent, received)
}

/// Exactly the words that input `k` sent, in order.
fn assert_all(words: impl IntoIterator<Item = i128>, sent: i128, k: i128) {
    let expected: Vec<i128> = (0..sent).map(|word| (16 * word + k) % 256).collect();
    assert_eq!(words.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn buffers_keep_every_word_in_order() {
    for depth in [0, 1, 2, 5] {
        let m = ModuleBuilder::new("buffer");
        let words = m.sink("in0", u(8));
        m.source("out0", if depth == 0 { words.skid("slice") } else { words.fifo("queue", depth) });
        let (sent, received) = exercise(&m.finish().unwrap(), 1, 1, u64::from(depth));
        assert_all(received[0].iter().copied(), sent[0], 0);
    }
}

#[test]
fn a_register_slice_lets_a_word_pass_in_every_cycle() {
    let m = ModuleBuilder::new("slice");
    m.source("out0", m.sink("in0", u(8)).skid("slice"));
    let mut bench = Bench::new(&m.finish().unwrap()).unwrap();
    bench.reset();
    bench.set("in0_valid", 1);
    bench.set("out0_ready", 1);
    bench.step();
    for _ in 0..10 {
        assert!(bench.fires("in0") && bench.fires("out0"));
        bench.step();
    }
}

#[test]
fn arbiters_keep_each_stream_in_order() {
    for fair in [false, true] {
        let m = ModuleBuilder::new("arbiter");
        let streams: Vec<_> = (0..3).map(|k| m.sink(&format!("in{k}"), u(8)).fifo(&format!("queue{k}"), 2)).collect();
        let merged = if fair { m.round_robin("turn", streams) } else { m.prioritised("first", streams) };
        m.source("out0", merged);
        let (sent, received) = exercise(&m.finish().unwrap(), 3, 1, 11);
        for (k, sent) in (0..).zip(sent) {
            assert_all(received[0].iter().copied().filter(|word| word % 16 == k), sent, k);
        }
        assert!(received[0].iter().all(|word| word % 16 < 3));
    }
}

#[test]
fn turns_are_fair() {
    let m = ModuleBuilder::new("turns");
    let streams: Vec<_> = (0..3).map(|k| m.sink(&format!("in{k}"), u(8))).collect();
    m.source("out0", m.round_robin("turn", streams));
    let mut bench = Bench::new(&m.finish().unwrap()).unwrap();
    bench.reset();
    bench.set("out0_ready", 1);
    (0..3).for_each(|k| bench.set(&format!("in{k}_valid"), 1));
    (0..3).for_each(|k| bench.set(&format!("in{k}_data"), k));
    let turns: Vec<i128> = (0..6)
        .map(|_| {
            let turn = bench.get("out0_data");
            bench.step();
            turn
        })
        .collect();
    assert_eq!(turns, [1, 2, 0, 1, 2, 0]);
}

#[test]
fn copies_are_complete_and_pairs_match() {
    let m = ModuleBuilder::new("copies");
    let copies = m.sink("in0", u(8)).broadcast("copy", 3);
    copies.into_iter().enumerate().for_each(|(k, copy)| m.source(&format!("out{k}"), copy));
    let module = m.finish().unwrap();
    support::assert_lint_clean(&support::run(Arc::clone(&module), Vec::new()));
    let (sent, received) = exercise(&module, 1, 3, 21);
    received.into_iter().for_each(|words| assert_all(words, sent[0], 0));

    let m = ModuleBuilder::new("pairs");
    let pair = m.sink("in0", u(8)).join("pair", m.sink("in1", u(8)));
    m.source("out0", pair.map(|(a, b)| (b - a).wrap(8, false)));
    let (sent, received) = exercise(&m.finish().unwrap(), 2, 1, 22);
    assert!(received[0].iter().all(|difference| *difference == 1));
    assert_eq!(received[0].len() as i128, *sent.iter().min().unwrap());
}

#[test]
fn what_is_gathered_is_scattered_again() {
    let m = ModuleBuilder::new("widths");
    m.source("out0", m.sink("in0", u(8)).gathered("wide", 3).scattered("narrow"));
    let (sent, received) = exercise(&m.finish().unwrap(), 1, 1, 31);
    assert_all(received[0].iter().copied(), sent[0] / 3 * 3, 0);
}

/// The check sees a queue that takes a word when it has no room.
#[test]
#[should_panic(expected = "left == right")]
fn a_queue_that_drops_words_is_seen() {
    let m = ModuleBuilder::new("careless");
    let words = m.sink("in0", u(8));
    let full = m.reg("full", 0..=1);
    let held = m.held("word", words.valid, &words.data);
    words.accept(1);
    let queue = m.stream("queue", held, full);
    m.when(words.valid, || full.set(1)).elif(queue.ready(), || full.set(0));
    m.source("out0", queue);
    let (sent, received) = exercise(&m.finish().unwrap(), 1, 1, 41);
    assert_all(received[0].iter().copied(), sent[0], 0);
}
