//! A number format: an interval of integers and the place of the binary point.

use super::{Interval, OutOfRange};

/// Values `n · 2^-frac` for every integer `n` in `range`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Format {
    /// The integers that stand on the wires.
    pub range: Interval,
    /// Fraction bits; negative when the least significant bit is worth more than one.
    pub frac: i32,
}

impl Format {
    /// `width`-bit unsigned with `frac` fraction bits (`uW.F`).
    pub fn unsigned(width: u32, frac: i32) -> Result<Self, OutOfRange> {
        Ok(Self { range: Interval::of_width(width, false)?, frac })
    }

    /// `width`-bit two's complement with `frac` fraction bits (`sW.F`).
    pub fn signed(width: u32, frac: i32) -> Result<Self, OutOfRange> {
        Ok(Self { range: Interval::of_width(width, true)?, frac })
    }

    /// One bit.
    pub const BIT: Self = Self { range: Interval::BIT, frac: 0 };

    /// Integers in `range`.
    pub fn integer(range: Interval) -> Self {
        Self { range, frac: 0 }
    }
}
