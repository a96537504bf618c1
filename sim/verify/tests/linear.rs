//! What rewriting says that a number is, it is for every value: random adders of cells, right ones and such with a bit
//! exchanged, with carries left out, signs repeated and parts cut off.

use fastrand::Rng;
use verify::frame::{Constants, Frame, Known};
use verify::graph::{Graph, Lit};
use verify::lanes::Lanes;
use verify::linear::{Rewriter, pairs};

/// Bits of each of the three words that all else is computed of.
const BITS: usize = 3;

/// The sum of two numbers by cells in a row; the last carry is left out.
fn added(graph: &mut Graph, a: &[Lit], b: &[Lit], random: &mut Rng) -> Vec<Lit> {
    let mut carry = if random.bool() { Lit::TRUE } else { Lit::FALSE };
    let mut sum = Vec::new();
    for (a, b) in a.iter().zip(b) {
        let own = if random.u8(..40) == 0 { Lit::FALSE } else { carry };
        let [parity, over] = graph.adder([*a, *b, own]);
        sum.push(parity);
        carry = over.xor(random.u8(..40) == 0);
    }
    sum
}

fn extended(number: &[Lit], width: usize, random: &mut Rng) -> Vec<Lit> {
    let complement = random.u8(..3) == 0;
    let top = if random.u8(..4) == 0 { Lit::FALSE } else { number[number.len() - 1] };
    let bits = number.iter().copied().chain(std::iter::repeat(top)).take(width);
    bits.map(|l| l.xor(complement)).collect()
}

#[test]
fn forms_are_what_they_are_said_to_be() {
    let mut random = Rng::with_seed(11);
    let (mut right, mut refused) = (0, 0);
    for round in 0..600 {
        let mut graph = Graph::new();
        let inputs: Vec<Vec<Lit>> = (0..3).map(|_| (0..BITS).map(|_| graph.leaf()).collect()).collect();
        let mut numbers = inputs.clone();
        for _ in 0..4 {
            let width = random.usize(3..8);
            let mut operand = || {
                let number = numbers[random.usize(..numbers.len())].clone();
                extended(&number, width, &mut random)
            };
            let (a, b) = (operand(), operand());
            numbers.push(added(&mut graph, &a, &b, &mut random));
        }
        let range = if random.bool() { (-4, 3) } else { (0, 7) };
        let mut constants = Constants::default();
        let known =
            |bits: &Vec<Lit>, constants: &mut Constants| Known::new(bits.iter().map(|l| vec![*l]), range, constants);
        let words: Vec<Known> = inputs.iter().map(|bits| known(bits, &mut constants)).collect();
        let frame = Frame::new(&graph, words.iter().collect(), &constants).expect("words of their own");
        let pairs = pairs(&graph);
        let mut rewriter = Rewriter::new(&frame, &pairs);
        let situations = 1usize << (3 * BITS);
        let mut lanes = Lanes::new(graph.len(), situations / 64);
        for (k, leaf) in inputs.iter().flatten().enumerate() {
            let bit = |word: usize, lane: usize| ((word * 64 + lane) as u64 >> k & 1) << lane;
            let row: Vec<u64> = (0..situations / 64).map(|word| (0..64).map(|lane| bit(word, lane)).sum()).collect();
            lanes.set(leaf.node(), &row);
        }
        lanes.evaluate_all(&graph, |_| false);
        for bits in &numbers[3..] {
            let Ok(form) = rewriter.form(bits) else {
                refused += 1;
                continue;
            };
            for lane in 0..situations {
                let place = |w: u32| (lanes.value(&inputs[w as usize], range.0 < 0, lane) - range.0) as usize;
                let of_words = form.tables.iter().map(|(w, table)| table[place(*w)]);
                let got = of_words.fold(form.constant, u64::wrapping_add);
                let wanted = lanes.value(bits, false, lane) as u64;
                assert_eq!((got ^ wanted) & ((1 << bits.len()) - 1), 0, "round {round}");
            }
            right += 1;
        }
    }
    assert!(right > 500 && refused > 100, "{right} forms, {refused} refused");
}
