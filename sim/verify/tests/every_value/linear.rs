//! What rewriting says that a number is, it is for every value: random adders of cells, right ones and such with a bit
//! exchanged, with carries left out, signs repeated and parts cut off.

use fastrand::Rng;
use verify::deadline::Deadline;
use verify::frame::{Constants, Frame};
use verify::graph::{Graph, Lit};
use verify::linear::{Rewriter, pairs};

use crate::{SITUATIONS, every_value, known, range, words};

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
        let inputs = words(&mut graph);
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
        let range = range(&mut random);
        let mut constants = Constants::default();
        let words = known(&inputs, range, &mut constants);
        let frame = Frame::new(&graph, words.iter().collect(), &constants).expect("words of their own");
        let pairs = pairs(&graph);
        let mut rewriter = Rewriter::new(&frame, &pairs, Deadline::NONE);
        let lanes = every_value(&graph, &inputs);
        for bits in &numbers[3..] {
            let Ok(form) = rewriter.form(bits) else {
                refused += 1;
                continue;
            };
            for lane in 0..SITUATIONS {
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
