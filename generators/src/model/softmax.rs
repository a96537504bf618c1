//! Softmax in integers: a table of exponentials, their sum, and a long division.

use hdl::num::Interval;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most fraction bits of the result.
const MAX_FRAC: u32 = 24;
/// Most entries of the table.
const MAX_ENTRIES: usize = 1 << 16;
/// Most bits of an exponential.
const MAX_BITS: u32 = 40;
/// Relative distance of neighbouring 32-bit floats.
const ULP: f64 = 1.0 / 8_388_608.0;

/// For each vector along an axis: `y_i = ⌊2^frac · e_i / Σ e + 1/2⌋` with `e_i = exponentials[max(x) - x_i]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Softmax {
    /// The axis.
    pub axis: usize,
    /// By the distance from the greatest element; the last one holds for all greater distances. None is negative, and
    /// the first is the greatest and not 0.
    pub exponentials: Vec<i64>,
    /// Fraction bits of the result, 1 to 24.
    pub frac: u32,
}

impl Softmax {
    /// The softmax of `count` integers in `range`, each worth `unit`, and the greatest distance from the true function.
    ///
    /// An exponential is off by at most `d = 2^-(bits + 1)`, the greatest one, 1, by nothing. So the quotient is off by at
    /// most `count · d`, and its rounding by half a last place. Frameworks compute in 32-bit floats, whose `count`
    /// roundings are added.
    ///
    /// # Errors
    /// A step so small that the table would be too long, too many fraction bits.
    pub fn of(axis: usize, count: usize, range: Interval, unit: f64, frac: u32) -> Result<(Self, f64), String> {
        if !(1..=MAX_FRAC).contains(&frac) {
            return Err(format!("a softmax has 1 to {MAX_FRAC} fraction bits"));
        }
        let bits = frac + usize::BITS - count.leading_zeros() + 1;
        if bits > MAX_BITS {
            return Err(format!("a softmax of {count} elements is too large"));
        }
        let one = 2f64.powi(bits as i32);
        let exponential = |d: usize| ((-unit * d as f64).exp() * one).round() as i64;
        let distances = usize::try_from(range.hi().abs_diff(range.lo())).unwrap_or(usize::MAX);
        let mut exponentials = Vec::new();
        for d in 0..=distances {
            exponentials.push(exponential(d));
            if exponentials.last() == Some(&0) {
                break;
            }
            if exponentials.len() > MAX_ENTRIES {
                return Err(format!(
                    "its operand's step of {unit:.3e} needs a table of more than {MAX_ENTRIES} exponentials"
                ));
            }
        }
        let softmax = Self { axis, exponentials, frac };
        let bound = count as f64 * (0.5 / one + ULP) + 0.5 * 2f64.powi(-(frac as i32));
        Ok((softmax, bound))
    }

    /// What is wrong with the parameters, if anything.
    pub(super) fn check(&self) -> Result<(), String> {
        if !(1..=MAX_FRAC).contains(&self.frac) {
            return Err(format!("a softmax has 1 to {MAX_FRAC} fraction bits"));
        }
        let greatest = self.exponentials.first().copied().unwrap_or(0);
        let fits = |e: &i64| (0..=greatest).contains(e);
        let short = self.exponentials.len() <= MAX_ENTRIES + 1;
        if !(1..1 << (MAX_BITS + 1)).contains(&greatest) || !short || !self.exponentials.iter().all(fits) {
            return Err(format!(
                "exponentials are at most {} integers from 0 to the first one, which is positive and below 2^{}",
                MAX_ENTRIES + 1,
                MAX_BITS + 1
            ));
        }
        Ok(())
    }

    /// The exponential at a distance from the greatest element.
    pub fn exponential(&self, distance: usize) -> i64 {
        self.exponentials[distance.min(self.exponentials.len() - 1)]
    }

    /// The results for one vector.
    pub(super) fn apply(&self, x: &[i64]) -> Vec<i64> {
        let greatest = x.iter().copied().max().unwrap_or(0);
        let of = |x: &i64| i128::from(self.exponential(greatest.abs_diff(*x) as usize));
        let exponentials: Vec<i128> = x.iter().map(of).collect();
        let sum: i128 = exponentials.iter().sum();
        let share = |e: &i128| (((e << (self.frac + 1)) + sum) / (2 * sum)) as i64;
        exponentials.iter().map(share).collect()
    }
}

/// The softmax of a vector of 32-bit floats, correct to about the last bit; frameworks approximate it.
pub(super) fn real(x: &[f32]) -> Vec<f32> {
    let greatest = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponentials: Vec<f64> = x.iter().map(|x| f64::from(x - greatest).exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials.iter().map(|e| (e / sum) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every vector of three elements.
    #[test]
    fn results_are_within_the_bound() {
        let range = Interval::new(-9, 10).unwrap();
        for (unit, frac) in [(0.37, 8), (2.0, 5), (0.01, 10), (1e-4, 3)] {
            let (softmax, bound) = Softmax::of(0, 3, range, unit, frac).unwrap();
            softmax.check().unwrap();
            let mut worst = 0f64;
            for k in 0..20i64.pow(3) {
                let x = [k % 20 - 9, k / 20 % 20 - 9, k / 400 - 9];
                let sum: f64 = x.iter().map(|x| (unit * *x as f64).exp()).sum();
                for (x, y) in x.iter().zip(softmax.apply(&x)) {
                    let true_share = (unit * *x as f64).exp() / sum;
                    let got = y as f64 / 2f64.powi(frac as i32);
                    worst = worst.max((got - true_share).abs());
                }
            }
            assert!(worst <= bound && worst > bound / 4.0, "{worst} {bound}");
        }
    }

    #[test]
    fn what_cannot_be_tabulated_is_refused() {
        let range = Interval::new(-(1 << 30), 1 << 30).unwrap();
        assert!(Softmax::of(0, 2, range, 1e-9, 8).is_err());
        assert!(Softmax::of(0, 2, range, 1.0, 25).is_err());
        for exponentials in [vec![], vec![0], vec![3, 4], vec![3, -1]] {
            let softmax = Softmax { axis: 0, exponentials, frac: 8 };
            assert!(softmax.check().is_err());
        }
    }
}
