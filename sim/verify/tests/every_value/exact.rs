//! What is said to be an exact sum is one, for every value: words of random sums whose operands are parts of others.

use fastrand::Rng;
use verify::exact::{Exact, Exactness};
use verify::frame::{Constants, Frame};
use verify::graph::{Graph, Lit, Word};

use crate::{SITUATIONS, every_value, known, range, words};

/// Some bits of a number, with copies of its top bit, or zeros, above them.
fn operand(numbers: &[Vec<Lit>], width: usize, random: &mut Rng) -> Vec<Lit> {
    let number = &numbers[random.usize(..numbers.len())];
    let low = if random.u8(..4) == 0 { random.usize(..number.len()) } else { 0 };
    let bits = &number[low..random.usize(low..number.len()) + 1];
    let top = if random.bool() { Lit::FALSE } else { bits[bits.len() - 1] };
    let shift = random.usize(..2);
    let all = std::iter::repeat_n(Lit::FALSE, shift).chain(bits.iter().copied());
    all.chain(std::iter::repeat(top)).take(width).collect()
}

#[test]
fn exact_sums_are_sums() {
    let mut random = Rng::with_seed(5);
    let (mut by_operands, mut by_form) = (0, 0);
    for round in 0..400 {
        let mut graph = Graph::new();
        let inputs = words(&mut graph);
        let mut numbers = inputs.clone();
        for _ in 0..6 {
            let width = random.usize(3..8);
            let terms = (0..2).map(|_| (operand(&numbers, width, &mut random), random.bool())).collect();
            let sum = graph.sum(terms);
            numbers.push(sum);
        }
        let mut constants = Constants::default();
        let words = known(&inputs, range(&mut random), &mut constants);
        let frame = Frame::new(&graph, words.iter().collect(), &constants).expect("words of their own");
        let mut exact = Exact::new(&frame);
        let lanes = every_value(&graph, &inputs);
        for (w, (word, first, width)) in graph.words.iter().enumerate() {
            let Word::Sum(terms) = word else { continue };
            let own: Vec<Lit> = (*first..first + *width as usize).map(|n| Lit::of(n, false)).collect();
            for signed in [false, true] {
                let Some(exactness) = exact.sum_of(w as u32, signed) else { continue };
                for lane in 0..SITUATIONS {
                    let got = lanes.value(&own, signed, lane);
                    let wanted = match &exactness {
                        Exactness::Operands(signs) => {
                            terms.iter().zip(signs).fold(0, |sum, ((bits, minus), signed)| {
                                let operand = lanes.value(bits, *signed, lane);
                                if *minus { sum - operand } else { sum + operand }
                            })
                        }
                        Exactness::Form(form) => {
                            // a factor that leaves no fraction
                            let mut sum = 0u64;
                            let constant = form.times(1 << 32, |l, weight| {
                                sum = sum.wrapping_add(weight * u64::from(lanes.bit(l, lane)));
                            });
                            sum.wrapping_add(constant.expect("no fraction is left")) as i64 >> 32
                        }
                    };
                    assert_eq!(got, wanted, "round {round}, word {w}, signed {signed}: {exactness:?}");
                }
                match exactness {
                    Exactness::Operands(_) => by_operands += 1,
                    Exactness::Form(_) => by_form += 1,
                }
            }
        }
    }
    assert!(by_operands > 100 && by_form > 100, "{by_operands} by their operands, {by_form} by forms");
}
