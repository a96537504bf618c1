//! What a port, register or signal can hold: a format, or the range of its integers.

use std::ops::{Range, RangeInclusive};

use crate::num::{Format, Interval, OutOfRange};

/// Something that says which numbers a port, register or signal can hold.
///
/// | written | numbers |
/// |---|---|
/// | `u(8)` | integers of 8 bits |
/// | `s(8, 4)` | 8 bits in two's complement, 4 of them behind the binary point |
/// | `0..=9`, `0..10` | integers from 0 to 9; as wide as they must be |
/// | [`Format`] | its own |
pub trait Shape {
    /// The format; an error if it is empty or too wide, which the declaration reports.
    fn format(self) -> Result<Format, OutOfRange>;
}

/// Unsigned integers of `width` bits.
pub fn u(width: u32) -> Result<Format, OutOfRange> {
    Format::unsigned(width, 0)
}

/// Two's complement of `width` bits with `frac` fraction bits.
pub fn s(width: u32, frac: i32) -> Result<Format, OutOfRange> {
    Format::signed(width, frac)
}

impl Shape for Format {
    fn format(self) -> Result<Format, OutOfRange> {
        Ok(self)
    }
}

impl Shape for Result<Format, OutOfRange> {
    fn format(self) -> Self {
        self
    }
}

impl Shape for RangeInclusive<i128> {
    fn format(self) -> Result<Format, OutOfRange> {
        Interval::new(*self.start(), *self.end()).map(Format::integer)
    }
}

impl Shape for Range<i128> {
    fn format(self) -> Result<Format, OutOfRange> {
        let last = self.end.checked_sub(1).ok_or(OutOfRange)?;
        Interval::new(self.start, last).map(Format::integer)
    }
}
