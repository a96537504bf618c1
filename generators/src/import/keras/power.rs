//! Quantisers to powers of two: the exponent is the rounded binary logarithm.
//!
//! QKeras takes logarithms in 32-bit floats, so that numbers close to `2^(k + 1/2)` may go to either side.

use super::quantiser::width;
use super::quantiser_call::Call;
use crate::model::{Array, Quantiser};

/// QKeras' least magnitude; all below it gets the least exponent.
const EPSILON: f32 = 1e-7;

/// The exponent of [`EPSILON`], rounded.
const LEAST: i32 = -23;

/// How close to `k + 1/2` a logarithm may be before its rounding is uncertain.
const UNCERTAINTY: f64 = 1e-5;

/// Most bits from the least to the greatest value.
const MAX_SPAN: i32 = 32;

/// `quantized_po2` or `quantized_relu_po2`.
#[derive(Debug, Clone, Copy)]
pub(super) struct PowerOfTwo {
    least: i32,
    greatest: i32,
    signed: bool,
}

impl PowerOfTwo {
    /// Reads bits and the greatest value.
    pub(super) fn of(call: &Call) -> Result<Self, String> {
        let signed = call.name == "quantized_po2";
        let max_value = match call.value("max_value").is_null() {
            true => None,
            false => Some(call.number("max_value", 0.0)?),
        };
        let limit = match max_value {
            Some(v) if v <= 0.0 => return Err(format!("`max_value` = {v} of {} is not positive", call.name)),
            Some(v) => Some(rounded_logarithm((v as f32).max(EPSILON)).ok_or_else(|| {
                format!("`max_value` = {v} of {} is where the framework's rounding is uncertain", call.name)
            })?),
            None => None,
        };
        let has_sign = max_value.is_none_or(|v| v > 1.0);
        let bits = width(call)? as i32 - i32::from(signed) - i32::from(has_sign);
        if !(0..=7).contains(&bits) {
            return Err(format!("{} with {} bits is not supported", call.name, width(call)?));
        }
        let (least, greatest) = (-(1 << bits), (1 << bits) - 1);
        Ok(Self { least, greatest: greatest.min(limit.unwrap_or(greatest).max(least)), signed })
    }

    /// The quantised value; `None` where the framework's rounding is uncertain.
    pub(super) fn value(&self, x: f32) -> Option<f32> {
        let magnitude = if self.signed { x.abs() } else { x.max(0.0) };
        let exponent = match magnitude < EPSILON {
            true => self.least,
            false => {
                let top = 2f32.powi(self.greatest + 1);
                rounded_logarithm(magnitude.min(top))?.clamp(self.least, self.greatest)
            }
        };
        let sign = if self.signed && x < 0.0 { -1.0 } else { 1.0 };
        Some(sign * 2f32.powi(exponent))
    }

    /// The quantiser of values and the value of one step.
    pub(super) fn levels(&self) -> Result<(Quantiser, f64), String> {
        if self.greatest - self.least > MAX_SPAN {
            return Err(format!("powers of two from 2^{} to 2^{} are too far apart", self.least, self.greatest));
        }
        let (mut places, mut codes) = (Vec::new(), vec![1i64]);
        for k in self.least.max(LEAST - 1)..self.greatest {
            let place = if k < LEAST { EPSILON } else { 2f64.powf(f64::from(k) + 0.5) as f32 };
            places.push(place);
            codes.push(1 << (k + 1 - self.least));
        }
        if self.signed {
            let below = places.iter().rev().map(|p| (-p).next_up());
            places = below.chain([0.0]).chain(places.iter().copied()).collect();
            codes = codes.iter().rev().map(|c| -c).chain(codes.iter().copied()).collect();
        }
        let thresholds = places.into_iter().map(Array::scalar).collect();
        let uncertainty = UNCERTAINTY as f32;
        Ok((Quantiser::Levels { thresholds, codes, uncertainty }, 2f64.powi(self.least)))
    }
}

/// The nearest integer to the binary logarithm; `None` if two are about as near.
pub(super) fn rounded_logarithm(x: f32) -> Option<i32> {
    let logarithm = f64::from(x).log2();
    let off = (logarithm - logarithm.floor() - 0.5).abs();
    (off > UNCERTAINTY).then(|| logarithm.round() as i32)
}
