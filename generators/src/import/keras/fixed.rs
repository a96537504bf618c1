//! HGQ2's formats: fixed point with a sign flag `k`, integer bits `i` and fraction bits `f` of its own for each element, and
//! floats for weights.
//!
//! The range is `-k · 2^i … 2^i - 2^-f` in steps of `2^-f`; without bits, `k + i + f ≤ 0`, the value is 0.

use hdl::num::Rounding;

use crate::model::{Array, Quantiser, round_float};

/// Most bits of a format; 32-bit floats hold no more.
const MAX_BITS: f32 = 24.0;

/// Most bits in front of the point or behind it.
const MAX_PLACES: f32 = 64.0;

/// What happens to a value out of range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overflow {
    /// The low bits.
    Wrap,
    /// The nearer end of the range.
    Saturate,
    /// Likewise, without the least value.
    Symmetric,
}

/// A quantiser of a tensor.
#[derive(Debug, Clone)]
pub(super) struct Fixed {
    /// Extent of each axis, 1 where all elements share a format.
    pub shape: Vec<usize>,
    /// One an element.
    pub formats: Vec<Format>,
    /// How values are rounded.
    pub rounding: Rounding,
    /// What happens to those out of range.
    pub overflow: Overflow,
    /// Whether weights are only rounded, because their range has been fitted to them.
    pub rounds_weights_only: bool,
}

/// A format; integers times `2^-frac`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Format {
    pub low: f32,
    pub high: f32,
    pub frac: i32,
}

impl Format {
    /// The format of `k`, `i` and `f`, which are integers; none if it has too many bits.
    pub(super) fn new(k: f32, i: f32, f: f32, overflow: Overflow) -> Option<Self> {
        let places = |v: f32| v.abs() <= MAX_PLACES && v.fract() == 0.0;
        if !(k == 0.0 || k == 1.0) || !places(i) || !places(f) {
            return None;
        }
        if k + i + f <= 0.0 {
            return Some(Self { low: 0.0, high: 0.0, frac: f as i32 });
        }
        let bits = i.max(-f) + f;
        let top = 2f32.powi(bits as i32);
        (bits + k <= MAX_BITS).then(|| Self {
            low: match overflow {
                Overflow::Symmetric => -k * (top - 1.0),
                _ => -k * top,
            },
            high: top - 1.0,
            frac: f as i32,
        })
    }

    /// Whether it holds more than 0.
    pub(super) fn has_bits(&self) -> bool {
        self.low != self.high
    }

    /// Value of one step.
    pub(super) fn scale(&self) -> f32 {
        2f32.powi(-self.frac)
    }
}

impl Fixed {
    /// A number of each format.
    pub(super) fn array<V>(&self, of: impl FnMut(&Format) -> V) -> Array<V> {
        Array { shape: self.shape.clone(), values: self.formats.iter().map(of).collect() }
    }

    /// The quantiser in steps of `scale`.
    pub(super) fn quantiser(&self, scale: impl Fn(&Format) -> f32) -> Quantiser {
        let (scale, low, high) = (self.array(scale), self.array(|f| f.low), self.array(|f| f.high));
        match self.overflow {
            Overflow::Wrap => Quantiser::Wrapping { scale, low, high, rounding: self.rounding },
            _ => Quantiser::Integer { scale, zero: Array::scalar(0.0), low, high, rounding: self.rounding },
        }
    }

    /// Weights through the quantiser; none if it does not fit them.
    pub(super) fn weights(&self, numbers: &Array<f32>) -> Option<Array<f32>> {
        let formats = self.array(|f| *f);
        let formats = formats.stretched(&numbers.shape).filter(|f| f.len() == numbers.values.len())?;
        let value = |(x, format): (&f32, &Format)| {
            let scale = format.scale();
            if self.rounds_weights_only {
                return round_float(x / scale, self.rounding) * scale;
            }
            let one = Self { shape: Vec::new(), formats: vec![*format], ..*self };
            let quantiser = one.quantiser(Format::scale).with(|p| p.values[0]);
            quantiser.code(*x) as f32 * scale
        };
        let values = numbers.values.iter().zip(&formats).map(value).collect();
        Some(Array { shape: numbers.shape.clone(), values })
    }
}

/// Floats with `mantissa` bits behind the leading one, `exponent` bits and an offset of the exponent, with gradual
/// underflow; a number an element. `None` where the framework's rounding of a logarithm decides.
pub(super) fn small_float(x: f32, mantissa: f32, exponent: f32, offset: f32) -> Option<f32> {
    let with = |logarithm: f32| {
        let highest = (exponent - 1.0).exp2().max(1.0);
        let (least, greatest) = (offset + 1.0 - highest, highest + offset - 1.0);
        let actual = logarithm.min(greatest).max(least);
        let scale = (actual - mantissa).exp2();
        let most = (mantissa + 1.0).exp2() - if greatest == actual { 1.0 } else { 0.0 };
        (x / scale).round_ties_even().clamp(-most, most) * scale
    };
    let logarithm = f64::from(x.abs() + 1e-7).log2();
    let [low, high] = [-1e-5, 1e-5].map(|off| with((logarithm + off).floor() as f32));
    (low == high && low.is_finite()).then_some(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_hgqs() {
        let format = |k, i, f, overflow| {
            let format = Format::new(k, i, f, overflow).unwrap();
            (format.low, format.high, format.frac)
        };
        assert_eq!(format(1.0, 2.0, 3.0, Overflow::Wrap), (-32.0, 31.0, 3));
        assert_eq!(format(1.0, 2.0, 3.0, Overflow::Symmetric), (-31.0, 31.0, 3));
        assert_eq!(format(0.0, -1.0, 3.0, Overflow::Saturate), (0.0, 3.0, 3));
        assert_eq!(format(1.0, -2.0, 1.0, Overflow::Wrap), (0.0, 0.0, 1));
        assert_eq!(format(1.0, 4.0, -4.0, Overflow::Wrap), (-1.0, 0.0, -4));
        assert!(Format::new(1.0, 21.0, 3.0, Overflow::Wrap).is_none());
        assert!(Format::new(2.0, 1.0, 3.0, Overflow::Wrap).is_none());
    }

    #[test]
    fn each_weight_has_its_own_format() {
        let formats = [(1.0, 0.0, 2.0), (0.0, 1.0, 0.0), (0.0, 0.0, 0.0)];
        let fixed = |overflow, rounds_weights_only| Fixed {
            shape: vec![3],
            formats: formats.map(|(k, i, f)| Format::new(k, i, f, overflow).unwrap()).to_vec(),
            rounding: Rounding::HalfUp,
            overflow,
            rounds_weights_only,
        };
        let numbers = Array { shape: vec![2, 3], values: vec![-0.375, 0.5, 9.0, -5.0, 7.0, -9.0] };
        let quantised = |fixed: Fixed| fixed.weights(&numbers).unwrap().values;
        assert_eq!(quantised(fixed(Overflow::Symmetric, false)), [-0.25, 1.0, 0.0, -0.75, 1.0, 0.0]);
        assert_eq!(quantised(fixed(Overflow::Wrap, false)), [-0.25, 1.0, 0.0, -1.0, 1.0, 0.0]);
        assert_eq!(quantised(fixed(Overflow::Wrap, true)), [-0.25, 1.0, 9.0, -5.0, 7.0, -9.0]);
        assert_eq!(fixed(Overflow::Wrap, true).weights(&Array::scalar(1.0)), None);
    }

    #[test]
    fn small_floats_underflow_gradually() {
        let of = |x| small_float(x, 2.0, 3.0, 0.0).unwrap();
        assert_eq!([0.3, -1.1, 0.0, 1e-3, 100.0, 0.02].map(of), [0.3125, -1.0, 0.0, 0.0, 14.0, 0.03125]);
        assert_eq!(small_float(1.0, 2.0, 3.0, 0.0), Some(1.0));
    }
}
