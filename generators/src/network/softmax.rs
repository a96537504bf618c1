//! Softmax in hardware: a tree of comparisons, a table, a sum, and for each element a division bit by bit.

use hdl::dfg::{ModuleBuilder, Value};

use crate::model::Softmax;

/// The shares of one vector.
pub(super) fn shares<'m>(m: &'m ModuleBuilder, x: &[Value<'m>], softmax: &Softmax) -> Vec<Value<'m>> {
    let greatest = Value::tree(x, |a, b| a.max(b)).unwrap_or_else(|| m.constant(0, 0));
    let last = softmax.exponentials.len() - 1;
    let table: Vec<i128> = softmax.exponentials.iter().map(|e| (*e).into()).collect();
    let exponentials: Vec<Value<'m>> = x
        .iter()
        .map(|x| {
            // no element is greater than the greatest, which intervals do not know
            let distance = (greatest - *x).max(m.constant(0, 0));
            distance.min(m.constant(last as i128, 0)).lookup(&table, 0)
        })
        .collect();
    let sum = Value::sum(&exponentials).unwrap_or_else(|| m.constant(0, 0));
    let share = |e: &Value<'m>| quotient(m, *e, sum, softmax.frac);
    exponentials.iter().map(share).collect()
}

/// `⌊2^frac · part / whole + 1/2⌋` for `0 ≤ part ≤ whole`, `whole > 0`.
fn quotient<'m>(m: &'m ModuleBuilder, part: Value<'m>, whole: Value<'m>, frac: u32) -> Value<'m> {
    let zero = m.constant(0, 0);
    let width = whole.range().width();
    let two = m.constant(2, 0);
    // the remainder is below `whole` from the first step on
    let step = |value: Value<'m>| {
        let rest = value - whole;
        let fits = rest.ge(zero);
        (fits, fits.mux(rest, value).wrap(width, false))
    };
    let (mut bits, mut rest) = step(part);
    for _ in 0..frac {
        let (bit, next) = step(rest * two);
        bits = bits.concat(bit, 1);
        rest = next;
    }
    let (up, _) = step(rest * two);
    bits + up
}

#[cfg(test)]
mod tests {
    use hdl::dfg::eval;
    use hdl::num::{Format, Interval};

    use super::*;

    #[test]
    fn division_is_rounded_to_the_nearest() {
        let m = ModuleBuilder::new("quotient");
        let format = Format::integer(Interval::new(0, 45).unwrap());
        let (part, whole) = (m.input("part", format), m.input("whole", format));
        m.output("share", quotient(&m, part, whole, 4));
        let module = m.finish().unwrap();
        for whole in 1..=45i128 {
            for part in 0..=whole {
                let wanted = (part * 32 + whole) / (2 * whole);
                let got = eval::evaluate(&module, &[part, whole]).unwrap();
                assert_eq!(got, [wanted], "{part} / {whole}");
            }
        }
    }
}
