//! Rounding and overflow rules, bit for bit as `ap_fixed`, QKeras and QONNX define them.

use serde::{Deserialize, Serialize};

use super::{Format, Interval};

/// What happens to the fraction bits that a quantiser drops. `u` is the value in units of the new last place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// `floor(u)`: `TRN`, `FLOOR`.
    Floor,
    /// `ceil(u)`: `CEIL`.
    Ceil,
    /// Toward zero: `TRN_ZERO`, `DOWN`.
    TowardZero,
    /// Away from zero: `UP`.
    AwayFromZero,
    /// Nearest, ties to plus infinity, `floor(u + 1/2)`: `RND`.
    HalfUp,
    /// Nearest, ties to minus infinity, `ceil(u - 1/2)`: `RND_MIN_INF`.
    HalfDown,
    /// Nearest, ties to zero: `RND_ZERO`, QONNX `HALF_DOWN`.
    HalfTowardZero,
    /// Nearest, ties away from zero: `RND_INF`, QONNX `HALF_UP`.
    HalfAwayFromZero,
    /// Nearest, ties to even: `RND_CONV`, `ROUND`, `HALF_EVEN`, QKeras.
    HalfEven,
}

impl Rounding {
    /// Every mode.
    pub const ALL: [Self; 9] = [
        Self::Floor,
        Self::Ceil,
        Self::TowardZero,
        Self::AwayFromZero,
        Self::HalfUp,
        Self::HalfDown,
        Self::HalfTowardZero,
        Self::HalfAwayFromZero,
        Self::HalfEven,
    ];

    /// `value / 2^drop`, rounded. This is the meaning of the mode; hardware is checked against it.
    pub fn apply(self, value: i128, drop: u32) -> i128 {
        if drop == 0 {
            return value;
        }
        let floor = value >> drop;
        let rest = value - (floor << drop);
        let half = 1i128 << (drop - 1);
        let up = match self {
            Self::Floor => false,
            Self::Ceil => rest > 0,
            Self::TowardZero => rest > 0 && value < 0,
            Self::AwayFromZero => rest > 0 && value > 0,
            Self::HalfUp => rest >= half,
            Self::HalfDown => rest > half,
            Self::HalfTowardZero => rest > half || (rest == half && value < 0),
            Self::HalfAwayFromZero => rest > half || (rest == half && value > 0),
            Self::HalfEven => rest > half || (rest == half && floor & 1 == 1),
        };
        floor + i128::from(up)
    }
}

/// What happens to a value that the new format cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Overflow {
    /// Modulo `2^W`: `WRAP`.
    Wrap,
    /// The nearest end of the format: `SAT`.
    Saturate,
    /// Zero: `SAT_ZERO`.
    Zero,
    /// The nearest end of the format without its most negative value: `SAT_SYM`.
    Symmetric,
}

impl Overflow {
    /// Every mode.
    pub const ALL: [Self; 4] = [Self::Wrap, Self::Saturate, Self::Zero, Self::Symmetric];

    /// The range of results in a `width`-bit format.
    pub fn limits(self, width: u32, signed: bool) -> Interval {
        let full = Interval::of_width(width, signed).expect("the width of a format is within range");
        match self {
            Self::Symmetric if signed && width > 1 => {
                Interval::new(full.lo() + 1, full.hi()).expect("inside the full range")
            }
            _ => full,
        }
    }

    /// `value` forced into the format. This is the meaning of the mode; hardware is checked against it.
    pub fn apply(self, value: i128, width: u32, signed: bool) -> i128 {
        let limits = self.limits(width, signed);
        match self {
            Self::Wrap => wrap(value, width, signed),
            Self::Saturate | Self::Symmetric => value.clamp(limits.lo(), limits.hi()),
            Self::Zero if limits.contains(value) => value,
            Self::Zero => 0,
        }
    }
}

/// The low `width` bits of `value`, read as unsigned or two's complement.
pub(crate) fn wrap(value: i128, width: u32, signed: bool) -> i128 {
    if width == 0 {
        return 0;
    }
    let low = value & ((1i128 << width) - 1);
    if signed && low >> (width - 1) == 1 { low - (1i128 << width) } else { low }
}

/// A change of number format: first the binary point moves, then the range.
/// Its written form is `ap_fixed<W,I,Q,O>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct Quantiser {
    /// Bits of the result.
    pub width: u32,
    /// Whether the result is two's complement.
    pub signed: bool,
    /// Fraction bits of the result.
    pub frac: i32,
    /// Rule for dropped fraction bits.
    pub rounding: Rounding,
    /// Rule for values out of range.
    pub overflow: Overflow,
}

impl Quantiser {
    /// The format of every result.
    pub fn format(&self) -> Format {
        Format { range: self.overflow.limits(self.width, self.signed), frac: self.frac }
    }

    /// Least and greatest integer of its results, which have at most 64 bits.
    pub fn limits(&self) -> (i64, i64) {
        let range = self.format().range;
        (range.lo() as i64, range.hi() as i64)
    }

    /// The integer nearest to the real number `value`, ties to even; `None` if the format cannot hold it.
    pub fn nearest(&self, value: f64) -> Option<i64> {
        let scaled = (value * f64::from(self.frac).exp2()).round_ties_even();
        let (lo, hi) = self.limits();
        ((lo as f64)..=(hi as f64)).contains(&scaled).then_some(scaled as i64)
    }

    /// The integer that stands for `value · 2^-frac` after quantisation.
    ///
    /// Bits are appended when the result has more fraction bits than the operand. The caller keeps that shift
    /// below 64 and `value` within 60 bits, or the shift overflows.
    pub fn apply(&self, value: i128, frac: i32) -> i128 {
        let moved = match u32::try_from(frac - self.frac) {
            Ok(drop) => self.rounding.apply(value, drop.min(126)),
            Err(_) => value << (self.frac - frac),
        };
        self.overflow.apply(moved, self.width, self.signed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_follows_its_definition() {
        // quarters -7/4 … 7/4 as u = v / 4
        let table: [(Rounding, [i128; 15]); 9] = [
            (Rounding::Floor, [-2, -2, -2, -1, -1, -1, -1, 0, 0, 0, 0, 1, 1, 1, 1]),
            (Rounding::Ceil, [-1, -1, -1, -1, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2]),
            (Rounding::TowardZero, [-1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1]),
            (Rounding::AwayFromZero, [-2, -2, -2, -1, -1, -1, -1, 0, 1, 1, 1, 1, 2, 2, 2]),
            (Rounding::HalfUp, [-2, -1, -1, -1, -1, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2]),
            (Rounding::HalfDown, [-2, -2, -1, -1, -1, -1, 0, 0, 0, 0, 1, 1, 1, 1, 2]),
            (Rounding::HalfTowardZero, [-2, -1, -1, -1, -1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2]),
            (Rounding::HalfAwayFromZero, [-2, -2, -1, -1, -1, -1, 0, 0, 0, 1, 1, 1, 1, 2, 2]),
            (Rounding::HalfEven, [-2, -2, -1, -1, -1, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2]),
        ];
        for (mode, expected) in table {
            let got: Vec<i128> = (-7..=7).map(|v| mode.apply(v, 2)).collect();
            assert_eq!(got, expected, "{mode:?}");
        }
    }

    #[test]
    fn overflow_follows_its_definition() {
        let row = |mode: Overflow| -> Vec<i128> { [-9, -8, -7, 7, 8].map(|v| mode.apply(v, 4, true)).to_vec() };
        assert_eq!(row(Overflow::Wrap), [7, -8, -7, 7, -8]);
        assert_eq!(row(Overflow::Saturate), [-8, -8, -7, 7, 7]);
        assert_eq!(row(Overflow::Zero), [0, -8, -7, 7, 0]);
        assert_eq!(row(Overflow::Symmetric), [-7, -7, -7, 7, 7]);
    }
}
