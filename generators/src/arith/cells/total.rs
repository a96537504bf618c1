//! The sum of computed values as one carry-save tree of cells.

use hdl::dfg::{ModuleBuilder, Value};
use hdl::num::Interval;

use crate::arith::cells::CellCosts;
use crate::arith::cells::compress::{CarrySave, FinalAdder, Summand, compress};
use crate::arith::cells::lower::{bits, word};
use crate::arith::graph::Term;

/// Neighbouring bits of a value that are no constants.
struct Run<'m> {
    /// The lowest one's place.
    shift: u8,
    bits: Vec<Value<'m>>,
    /// Whether the last one counts negative.
    signed: bool,
}

/// Values as runs of bits, and what their constant bits add up to.
struct Bits<'m> {
    runs: Vec<Run<'m>>,
    constant: i64,
}

/// Widest sums: the weights of their bits fit an `i64` with room to spare.
const WIDEST: u32 = 60;

/// `Σ values`, integers whose sum is known to lie in `range`; `None` if that or a value is wider than 60 bits.
pub fn total<'m>(m: &'m ModuleBuilder, values: &[Value<'m>], range: Interval, costs: &CellCosts) -> Option<Value<'m>> {
    let (tree, bits_of) = tree(values, range, costs)?;
    let source = |term: u32, bit: u8| bits_of.runs[term as usize].bits[usize::from(bit)];
    let sum = word(m, &bits(m, &tree, source), tree.lo < 0);
    // simulators add the values as they are
    let words = Value::sum(values)?.wrap(tree.rows.len() as u32, tree.lo < 0);
    Some(m.same(sum, words))
}

/// The tree, and what its summands are.
fn tree<'m>(values: &[Value<'m>], range: Interval, costs: &CellCosts) -> Option<(CarrySave, Bits<'m>)> {
    let mut widths = values.iter().map(|v| v.range().width());
    if range.width() > WIDEST || widths.any(|width| width > WIDEST) {
        return None;
    }
    let mut all = Bits { runs: Vec::new(), constant: 0 };
    values.iter().for_each(|value| all.split(*value));
    let summand = |(node, run): (u32, &Run<'m>)| {
        let reach = 1i64 << (run.bits.len() - usize::from(run.signed));
        Summand {
            term: Term { node, shift: run.shift, neg: false },
            lo: if run.signed { -reach } else { 0 },
            hi: reach - 1,
            arrivals: vec![0; run.bits.len()],
        }
    };
    let summands: Vec<Summand> = (0..).zip(&all.runs).map(summand).collect();
    let range = (range.lo() as i64, range.hi() as i64);
    let tree = compress(&summands, all.constant, range, FinalAdder::RIPPLE, costs);
    Some((tree, all))
}

impl<'m> Bits<'m> {
    /// Takes a value's bits in.
    fn split(&mut self, value: Value<'m>) {
        let (width, signed) = (value.range().width(), value.range().signed());
        let mut run: Option<Run<'m>> = None;
        for k in 0..width {
            let bit = value.bit(k);
            let is_sign = signed && k + 1 == width;
            let Some(constant) = bit.range().as_point() else {
                let run = run.get_or_insert_with(|| Run { shift: k as u8, bits: Vec::new(), signed: false });
                run.bits.push(bit);
                run.signed = is_sign;
                continue;
            };
            let weight = (constant as i64) << k;
            self.constant += if is_sign { -weight } else { weight };
            self.runs.extend(run.take());
        }
        self.runs.extend(run);
    }
}

#[cfg(test)]
mod tests {
    use hdl::dfg::eval;
    use hdl::num::Format;

    use super::*;
    use crate::arith::certify::trees::check;

    const COSTS: &str = "nangate45";

    /// A sum of words with constant bits in them, of both signs.
    fn summed<'m>(m: &'m ModuleBuilder, x: &[Value<'m>]) -> (Vec<Value<'m>>, Interval) {
        let one = m.constant(1, 0);
        let values = vec![
            x[0],
            (x[1] << 3).extended(0),
            x[2].concat(x[3].bit(0).concat(one, 1), 3),
            m.constant(-5, 0),
            x[3] ^ m.constant(-1, 0),
        ];
        let range = Value::sum(&values).unwrap().range();
        (values, range)
    }

    #[test]
    fn sums_are_exact_and_certified() {
        let target = constraints::Target::load(COSTS).unwrap();
        let costs = CellCosts::on(&target).unwrap();
        let m = ModuleBuilder::new("sum");
        let x = m.input_array("x", 4, Format::signed(5, 0).unwrap());
        let (values, range) = summed(&m, &x);
        let (tree, _) = tree(&values, range, &costs).unwrap();
        check(&tree).unwrap();
        let mut wrong = tree.clone();
        wrong.bias += 1;
        assert!(check(&wrong).is_err());
        m.output("y", total(&m, &values, range, &costs).unwrap());
        m.output("expected", Value::sum(&values).unwrap());
        let module = m.finish().unwrap();
        let mut random = fastrand::Rng::with_seed(11);
        for _ in 0..300 {
            let x: Vec<i128> = (0..4).map(|_| random.i128(-16..16)).collect();
            let found = eval::evaluate(&module, &x).unwrap();
            assert_eq!(found[0], found[1]);
        }
    }

    #[test]
    fn what_is_too_wide_is_left_to_others() {
        let target = constraints::Target::load(COSTS).unwrap();
        let costs = CellCosts::on(&target).unwrap();
        let m = ModuleBuilder::new("sum");
        let x = m.input("x", Format::signed(61, 0).unwrap());
        assert!(total(&m, &[x], x.range(), &costs).is_none());
    }
}
