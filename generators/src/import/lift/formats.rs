//! Fixed-point formats that differ from element to element: each element is shifted, rounded and forced by itself.

use hdl::num::Rounding;

use super::array::{is_power_of_two, rank_aligned};
use super::settle::Move;
use super::{HALF_ULP, Lift, Noise, Real};
use crate::model::{Array, Limit, Op, Quantiser, Requantise, broadcast};

/// Quantisers of a tensor's elements in integers.
pub(super) struct Formats {
    /// What happens to the integers first.
    pub before: Vec<Move>,
    /// One format an element; stretches.
    pub formats: Array<Requantise>,
    /// Value of one step in front of the rounding.
    pub unit: Array<f64>,
    /// Steps whose position depends on the order of the framework's float sums; 0 if those are exact.
    pub doubtful: usize,
    /// How far those sums may be off.
    pub noise: Noise,
}

impl Formats {
    /// The layer.
    pub fn op(self) -> Op {
        match self.formats.as_scalar() {
            Some(one) => Op::Requantise(*one),
            None => Op::RequantiseEach { formats: self.formats },
        }
    }
}

impl Lift {
    /// The quantiser as integer formats, if all its steps are powers of two, it has no zero point, and the framework's
    /// floats are exact. What wraps has no other form in hardware, so it may be inexact; its steps are then doubtful.
    pub(super) fn formats(&self, real: &Real, quantiser: &Quantiser) -> Option<Formats> {
        let shape = self.shape(real).to_vec();
        let (scale, low, high, rounding, wraps) = match quantiser {
            Quantiser::Integer { scale, zero, low, high, rounding } if zero.values.iter().all(|z| *z == 0.0) => {
                (scale, low, high, *rounding, false)
            }
            Quantiser::Wrapping { scale, low, high, rounding } => (scale, low, high, *rounding, true),
            _ => return None,
        };
        let plan = self.plan(real).ok()?;
        let mut doubtful = 0;
        let unit = rank_aligned(&plan.unit, &shape)?;
        let parameters = [scale, low, high].map(|p| rank_aligned(p, &shape));
        let mut group = unit.shape.clone();
        for parameter in parameters.iter().flatten() {
            group = broadcast(&group, &parameter.shape)?;
        }
        let units = unit.stretched(&group)?;
        let [scale, low, high] = parameters.map(|p| p.and_then(|p| p.stretched(&group)));
        let (scale, low, high) = (scale?, low?, high?);
        let keeps_integers = plan.moves.iter().all(|m| *m == Move::Relu);
        let range = self.range(real.tensor);
        let greatest = range.hi().unsigned_abs().max(range.lo().unsigned_abs()) as f64;
        let format = |k: usize| {
            let (unit, scale) = (units[k], f64::from(scale[k]));
            let (low, high) = (low[k] as i64, high[k] as i64);
            if low == high {
                // a format without bits, whatever its step
                return Some(Requantise {
                    drop: 0,
                    rounding: Rounding::Floor,
                    limit: Limit::Saturate { lo: low, hi: high },
                });
            }
            let drop = (scale / unit).log2() as i32;
            let bound = if keeps_integers { greatest } else { plan.bound / unit };
            // the framework adds one half in floats, which must still be exact
            let exact = plan.noise.is_none() && bound + 2f64.powi(drop - 1) <= 1.0 / HALF_ULP;
            if !exact {
                doubtful += (high - low) as usize;
            }
            let dyadic = is_power_of_two(unit) && is_power_of_two(scale);
            let fits = dyadic && (-24..=40).contains(&drop) && (exact || wraps);
            fits.then(|| Requantise {
                drop,
                rounding: rounding,
                limit: if wraps {
                    Limit::Wrap { width: (high - low + 1).ilog2(), signed: low < 0 }
                } else {
                    Limit::Saturate { lo: low, hi: high }
                },
            })
        };
        let values: Option<Vec<Requantise>> = (0..units.len()).map(format).collect();
        let formats = Array { shape: group, values: values? };
        Some(Formats { before: plan.moves, formats: formats.compact(), unit: plan.unit, doubtful, noise: plan.noise })
    }
}
