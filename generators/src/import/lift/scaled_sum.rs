//! Sums of two tensors of codes with a scale for each: multiples of the codes, rounded once.

use hdl::diag::Diagnostic;
use hdl::num::{Interval, Rounding};

use super::settle::Move;
use super::{Doubt, Lift, Meaning, Noise, Real, at};
use crate::model::{Array, Limit, Op, Requantise};

/// Fraction bits of the multipliers at most: beyond, no float tells sums of codes apart.
const MOST_BITS: i32 = 32;

/// Widest range of codes of an operand: all pairs are tried.
const MOST_CODES: i128 = 1 << 10;

/// `clamp(round_half_even(x · factors[0] + y · factors[1] + zero), low, high)`.
pub(crate) struct ScaledSum<'f> {
    /// What each operand is multiplied by.
    pub factors: [f32; 2],
    /// What stands for 0, added before the rounding.
    pub zero: i64,
    /// Least and greatest result.
    pub limits: (i64, i64),
    /// The sums of two codes in the floats of different processors, before they are rounded.
    pub floats: &'f dyn Fn(f32, f32) -> Vec<f32>,
}

impl ScaledSum<'_> {
    /// The exact sum; 64-bit floats hold it for codes.
    fn exact(&self, x: i64, y: i64) -> f64 {
        x as f64 * f64::from(self.factors[0]) + y as f64 * f64::from(self.factors[1]) + self.zero as f64
    }

    fn code(&self, sum: f64) -> i64 {
        (sum.round_ties_even() as i64).clamp(self.limits.0, self.limits.1)
    }

    /// Both factors and the zero point with `bits` fraction bits, and what rounds their sum.
    fn integers(&self, bits: i32) -> ([i64; 3], Requantise) {
        let scaled = |v: f64| (v * f64::from(bits).exp2()).round_ties_even() as i64;
        let [a, b] = self.factors.map(|f| scaled(f.into()));
        let limit = Limit::Saturate { lo: self.limits.0, hi: self.limits.1 };
        ([a, b, scaled(self.zero as f64)], Requantise { drop: bits, rounding: Rounding::HalfEven, limit })
    }

    /// The fewest fraction bits whose integers give the exact code of all pairs.
    fn bits(&self, x: Interval, y: Interval) -> Option<i32> {
        let exact: Vec<i64> = pairs(x, y).map(|(x, y)| self.code(self.exact(x, y))).collect();
        (0..=MOST_BITS).find(|bits| {
            let ([a, b, zero], requantise) = self.integers(*bits);
            let sum = |(x, y): (i64, i64)| requantise.apply((x * a + y * b + zero).into()) as i64;
            pairs(x, y).zip(&exact).all(|(pair, code)| sum(pair) == *code)
        })
    }

    /// How many pairs a processor's floats give another code, and how far they are from the exact sum of any pair.
    fn doubts(&self, x: Interval, y: Interval) -> (usize, f64) {
        let (mut doubtful, mut off) = (0, 0f64);
        for (x, y) in pairs(x, y) {
            let exact = self.exact(x, y);
            let mut differs = false;
            for sum in (self.floats)(x as f32, y as f32).into_iter().map(f64::from) {
                off = off.max((sum - exact).abs());
                differs |= self.code(sum) != self.code(exact);
            }
            doubtful += usize::from(differs);
        }
        (doubtful, off)
    }
}

fn pairs(x: Interval, y: Interval) -> impl Iterator<Item = (i64, i64)> {
    let (x, y) = ((x.lo() as i64, x.hi() as i64), (y.lo() as i64, y.hi() as i64));
    (x.0..=x.1).flat_map(move |a| (y.0..=y.1).map(move |b| (a, b)))
}

impl Lift {
    /// The codes of `sum` less its zero point, whose operands are integers.
    ///
    /// # Errors
    /// Operands that are no integers or have more than [`MOST_CODES`] codes, or factors that no integers of [`MOST_BITS`] bits stand for.
    pub(crate) fn scaled_sum(
        &mut self,
        name: &str,
        (x, y): (Real, Real),
        sum: &ScaledSum,
        meaning: Meaning,
    ) -> Result<Real, Diagnostic> {
        let (x, y) = (self.settle(name, x)?, self.settle(name, y)?);
        if x.unit.values.iter().chain(&y.unit.values).any(|unit| *unit != 1.0) {
            return Err(at(name, "its operands are not integers that a quantiser gave"));
        }
        let ranges = [self.range(x.tensor), self.range(y.tensor)];
        if ranges.iter().any(|r| r.hi() - r.lo() >= MOST_CODES) {
            return Err(at(name, format!("an operand has more than {MOST_CODES} codes")));
        }
        let bits = sum.bits(ranges[0], ranges[1]).ok_or_else(|| {
            at(name, "its scales are too far apart for integers").help("quantise both operands with like scales")
        })?;
        let (doubtful, off) = sum.doubts(ranges[0], ranges[1]);
        if doubtful > 0 {
            self.doubts.push(Doubt {
                layer: name.to_owned(),
                steps: doubtful,
                of: pairs(ranges[0], ranges[1]).count(),
                offsets: Array::scalar((off * f64::from(bits).exp2()).ceil() as i64),
            });
        }
        let ([a, b, zero], requantise) = sum.integers(bits);
        let fine = Array::scalar(f64::from(-bits).exp2());
        let x = self.perform(name, x.tensor, &[Move::Mul(Array::scalar(a))], &fine)?;
        let y = self.perform(name, y.tensor, &[Move::Mul(Array::scalar(b))], &fine)?;
        let added = self.push(name, Op::Add, vec![x, y], &fine)?;
        let shift = |by: i64| if by == 0 { Vec::new() } else { vec![Move::Add(Array::scalar(by))] };
        let added = self.perform(name, added, &shift(zero), &fine)?;
        let codes = self.push(name, Op::Requantise(requantise), vec![added], &meaning.unit)?;
        let tensor = self.perform(name, codes, &shift(-sum.zero), &meaning.unit)?;
        Ok(Real { steps: meaning.steps, ..Real::plain(tensor, meaning.unit, Noise::NONE) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::lift::{Imported, InputFormat};

    /// `x · 0.375 + y · 0.8125 + 3` of 5 bits each, with `off` in the runtime's floats.
    fn added(off: f32) -> Imported {
        let format = InputFormat::parse("s5.0").unwrap();
        let inputs = ["x", "y"].map(|name| (name.to_owned(), vec![1, 1])).into();
        let (mut lift, reals) = Lift::new("n", inputs, &[format]).unwrap();
        let floats = |x: f32, y: f32| vec![x * 0.375 + y * 0.8125 + 3.0 + off];
        let sum = ScaledSum { factors: [0.375, 0.8125], zero: 3, limits: (-8, 15), floats: &floats };
        let meaning = Meaning { unit: Array::scalar(1.0), steps: Vec::new() };
        let [x, y] = <[Real; 2]>::try_from(reals).unwrap();
        let y = lift.scaled_sum("a", (x, y), &sum, meaning).unwrap();
        lift.output("sum", &y).unwrap();
        lift.finish().unwrap()
    }

    #[test]
    fn every_pair_has_the_rounded_sum() {
        let imported = added(0.0);
        assert!(imported.require_exact().is_ok());
        for (x, y) in pairs(Interval::new(-16, 15).unwrap(), Interval::new(-16, 15).unwrap()) {
            let exact = x as f64 * 0.375 + y as f64 * 0.8125;
            let code = ((exact + 3.0).round_ties_even() as i64).clamp(-8, 15) - 3;
            assert_eq!(imported.graph.evaluate(&[vec![x], vec![y]]).unwrap().outputs()[0], [code], "{x}, {y}");
        }
    }

    #[test]
    fn floats_that_round_to_another_code_are_in_doubt() {
        let imported = added(0.004);
        let doubt = &imported.doubts[0];
        assert!(doubt.layer == "a" && (1..100).contains(&doubt.steps) && doubt.of == 1024, "{doubt:?}");
        assert_eq!(imported.bounds(), [Some(1.0)]);
    }
}
