use proptest::prelude::*;

use super::*;
use crate::arith::cells::Gate;
use crate::arith::certify::trees::{RefutedTree, check};

const COSTS: CellCosts = CellCosts {
    full_adder: Gate { area: 120.0, delay: 300 },
    carry: 210,
    xor: Gate { area: 56.0, delay: 190 },
    and: Gate { area: 32.0, delay: 110 },
    inverter: Gate { area: 16.0, delay: 50 },
    driver: Gate { area: 24.0, delay: 100 },
    load: 50,
};

fn adder() -> impl Strategy<Value = FinalAdder> {
    let shapes = [Shape::Ripple, Shape::BrentKung, Shape::Sklansky, Shape::KoggeStone, Shape::Earliest];
    (prop::sample::select(shapes.to_vec()), 0usize..12).prop_map(|(shape, from)| FinalAdder { shape, from })
}

fn summand() -> impl Strategy<Value = Summand> {
    (-200i64..200, 0i64..300, 0u8..6, any::<bool>(), 0u32..3).prop_map(|(lo, span, shift, neg, arrival)| Summand {
        term: Term { node: 0, shift, neg },
        lo,
        hi: lo + span,
        arrivals: vec![arrival; 3],
    })
}

fn range(summands: &[Summand], bias: i64) -> (i64, i64) {
    summands.iter().map(|s| s.term.range((s.lo, s.hi))).fold((bias, bias), |r, t| (r.0 + t.0, r.1 + t.1))
}

proptest! {
    #[test]
    fn trees_sum(
        (summands, picks) in prop::collection::vec(summand(), 0..20)
            .prop_flat_map(|s| { let n = s.len(); (Just(s), prop::collection::vec(0.0f64..=1.0, n)) }),
        bias in -1000i64..1000,
        adder in adder(),
    ) {
        let tree = compress(&summands, bias, range(&summands, bias), adder, &COSTS);
        check(&tree).unwrap();
        let all = |pick: &dyn Fn(usize, &Summand) -> i64| -> Vec<i64> {
            summands.iter().enumerate().map(|(i, s)| pick(i, s)).collect()
        };
        for values in [
            all(&|_, s| s.lo),
            all(&|_, s| s.hi),
            all(&|i, s| s.lo + ((s.hi - s.lo) as f64 * picks[i]).round() as i64),
        ] {
            let sum: i64 = values.iter().zip(&summands).map(|(v, s)| s.term.apply(*v)).sum();
            prop_assert_eq!(tree.eval(&values), sum + bias);
        }
    }
}

fn sample(adder: FinalAdder) -> CarrySave {
    let term = |shift, neg| Summand { term: Term { node: 0, shift, neg }, lo: -128, hi: 127, arrivals: vec![0] };
    let summands = [term(0, false), term(1, true), term(2, false), term(0, false)];
    compress(&summands, 77, range(&summands, 77), adder, &COSTS)
}

#[test]
fn a_changed_wire_is_refuted() {
    let tree = sample(FinalAdder::RIPPLE);
    for cell in 0..tree.cells.len() {
        let mut wrong = tree.clone();
        let input = &mut wrong.cells[cell].0[0];
        *input = if *input == 3 { 4 } else { 3 };
        assert!(check(&wrong).is_err(), "cell {cell}");
    }
    let mut wrong = tree.clone();
    wrong.rows.swap(2, 3);
    assert!(check(&wrong).is_err());
}

#[test]
fn a_changed_shift_sign_or_constant_is_refuted() {
    let tree = sample(FinalAdder::RIPPLE);
    for term in 0..tree.summands.len() {
        let mut wrong = tree.clone();
        wrong.summands[term].term.shift += 1;
        assert!(check(&wrong).is_err());
        wrong = tree.clone();
        wrong.summands[term].term.neg ^= true;
        assert!(check(&wrong).is_err());
    }
    let mut wrong = tree.clone();
    wrong.bias += 1;
    assert!(matches!(check(&wrong), Err(RefutedTree::Constant { .. })));
    wrong = tree.clone();
    let one = wrong.wires.iter().position(|w| *w == Wire::One).unwrap();
    wrong.wires[one] = Wire::Source { term: 0, bit: 0, inverted: false };
    assert!(check(&wrong).is_err());
}

#[test]
fn a_width_that_would_wrap_is_refuted() {
    let mut tree = sample(FinalAdder::RIPPLE);
    tree.hi *= 2;
    assert!(matches!(check(&tree), Err(RefutedTree::Width { .. })));
}

#[test]
fn a_final_adder_that_leaves_wires_or_lacks_carries_is_refuted() {
    let fast = FinalAdder { shape: Shape::KoggeStone, from: 2 };
    let tree = sample(fast);
    assert_eq!(check(&tree), Ok(()));
    let mut wrong = tree.clone();
    wrong.adder = None;
    assert!(matches!(check(&wrong), Err(RefutedTree::Unsummed { .. })));
    wrong = tree.clone();
    wrong.adder.as_mut().unwrap().carries.swap(1, 2);
    assert!(matches!(check(&wrong), Err(RefutedTree::Adder(_))));
}
