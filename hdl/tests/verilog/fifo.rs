//! A first-in first-out buffer of five words with valid/ready handshakes on both sides.
//!
//! A word goes in at a clock edge when `in_valid` and `in_ready` are 1, and out when `out_valid` and `out_ready` are 1.

use std::collections::VecDeque;
use std::sync::Arc;

use hdl::dfg::{Module, ModuleBuilder, RegisterStyle, Reset, Value, eval};
use hdl::num::{Format, Interval};
use hdl::random::Numbers;

use crate::support::{self, Run};

const DEPTH: u32 = 5;

/// The place behind `pointer`, round the end.
fn following(pointer: Value<'_>) -> Value<'_> {
    let number = |n: u32| pointer.builder().constant(i128::from(n), 0);
    let last = number(DEPTH - 1);
    // never taken past the last word, which the exact range cannot know
    let next = (pointer + number(1)).min(last);
    pointer.equals(last).mux(number(0), next)
}

fn fifo() -> Arc<Module> {
    let m = ModuleBuilder::new("fifo");
    let (in_valid, out_ready) = (m.input("in_valid", Format::BIT), m.input("out_ready", Format::BIT));
    let word = Format::signed(9, 0).unwrap();
    let in_data = m.input("in_data", word);
    let up_to = |last: u32| Format::integer(Interval::new(0, i128::from(last)).unwrap());
    let style = RegisterStyle { reset: Reset::Asynchronous, ..RegisterStyle::default() };
    let head = m.state("head", up_to(DEPTH - 1), style);
    let tail = m.state("tail", up_to(DEPTH - 1), style);
    let count = m.state("count", up_to(DEPTH), style);
    let number = |n: u32| m.constant(i128::from(n), 0);

    let in_ready = count.value().differs(number(DEPTH)).named("not_full");
    let out_valid = count.value().differs(number(0)).named("not_empty");
    let (push, pop) = (in_valid & in_ready, out_valid & out_ready);
    let (push, pop) = (push.named("push"), pop.named("pop"));
    head.set_next_when(pop, following(head.value()));
    tail.set_next_when(push, following(tail.value()));
    let range = Interval::new(0, i128::from(DEPTH)).unwrap();
    count.set_next((count.value() + push - pop).saturate(range));

    let words = m.memory("words", DEPTH, word);
    words.write(push, tail.value(), in_data);
    m.output("in_ready", in_ready);
    m.output("out_valid", out_valid);
    m.output("out_data", words.read(head.value()));
    m.finish().unwrap()
}

#[test]
fn fifo_runs_in_icarus_as_evaluated() {
    let module = fifo();
    let mut numbers = Numbers::new(31);
    let stimulus = (0..400).map(|cycle| (numbers.inputs(&module), cycle % 150 == 0));
    let run = Run::new(Arc::clone(&module), stimulus.collect());
    support::assert_lint_clean(&run.design);
    support::simulate(&[run]);
}

#[test]
fn fifo_keeps_order() {
    let module = fifo();
    let mut stepper = eval::Stepper::new(&module).unwrap();
    let mut numbers = Numbers::new(32);
    let mut queue = VecDeque::new();
    let (mut fullest, mut emptied) = (0, 0);
    for cycle in 0..2000 {
        let inputs = numbers.inputs(&module);
        let [valid, ready, data] = inputs[..] else { panic!("three inputs") };
        let got = stepper.step(&inputs, cycle == 0);
        let room = queue.len() < DEPTH as usize;
        assert_eq!(got[..2], [i128::from(room), i128::from(!queue.is_empty())]);
        if let Some(&first) = queue.front() {
            assert_eq!(got[2], first);
            if ready == 1 {
                queue.pop_front();
            }
        } else {
            emptied += 1;
        }
        if valid == 1 && room && cycle > 0 {
            queue.push_back(data);
        }
        fullest = fullest.max(queue.len());
    }
    assert!(fullest == DEPTH as usize && emptied > 10);
}
