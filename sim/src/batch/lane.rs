//! The integer types that a lane can be.

use std::fmt::Debug;
use std::ops::{BitAnd, BitOr, BitXor};

use hdl::num::Interval;

/// What a slot holds for one sample.
pub trait Cell: Copy + Default + Send + Sync + Debug + 'static {
    /// The low bits of `value`; for floats, which hold integers of at most 25 bits only, the value.
    fn truncated(value: i128) -> Self;

    /// The same value.
    fn to_i128(self) -> i128;
}

/// An integer that stands for one value of one sample: `i8`, `i16`, `i32`, `i64` or `i128`.
///
/// Arithmetic is modulo two to the power of the width: a sum or product whose value fits is exact, whatever its operands
/// were cut to.
pub trait Lane: Cell + Ord + BitAnd<Output = Self> + BitOr<Output = Self> + BitXor<Output = Self> {
    /// Width of the type.
    const BITS: u32;

    /// `self + other`.
    fn plus(self, other: Self) -> Self;

    /// `self - other`.
    fn minus(self, other: Self) -> Self;

    /// `self · other`.
    fn times(self, other: Self) -> Self;

    /// `self · 2^by`, `by` less than the width.
    fn left(self, by: u32) -> Self;

    /// `⌊self / 2^by⌋`, `by` less than the width.
    fn right(self, by: u32) -> Self;

    /// The value as an index; it must not be negative.
    fn index(self) -> usize;

    /// Whether every value of `range` is one of the type's.
    fn holds(range: Interval) -> bool {
        range.width() + u32::from(!range.signed()) <= Self::BITS
    }
}

macro_rules! lane {
    ($($t:ty)*) => {$(
        impl Cell for $t {
            #[inline(always)]
            fn truncated(value: i128) -> Self {
                value as $t
            }

            #[inline(always)]
            fn to_i128(self) -> i128 {
                self as i128
            }
        }

        impl Lane for $t {
            const BITS: u32 = <$t>::BITS;

            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }

            #[inline(always)]
            fn minus(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }

            #[inline(always)]
            fn times(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }

            #[inline(always)]
            fn left(self, by: u32) -> Self {
                self.wrapping_shl(by)
            }

            #[inline(always)]
            fn right(self, by: u32) -> Self {
                self.wrapping_shr(by)
            }

            #[inline(always)]
            fn index(self) -> usize {
                self as usize
            }
        }
    )*};
}

lane!(i8 i16 i32 i64 i128);

impl Cell for f32 {
    #[inline(always)]
    fn truncated(value: i128) -> Self {
        value as i32 as f32
    }

    #[inline(always)]
    fn to_i128(self) -> i128 {
        (self as i32).into()
    }
}

/// Bits of a 32-bit float's magnitude within which sums of integers are exact in any order.
pub(super) const FLOAT_BITS: u32 = 24;

/// The type of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Integers of 8 bits.
    I8,
    /// Integers of 16 bits.
    I16,
    /// Integers of 32 bits.
    I32,
    /// Integers of 64 bits.
    I64,
    /// Integers of 128 bits.
    I128,
    /// Sums of products within 24 bits only, which machines multiply fastest as floats.
    F32,
}

impl Kind {
    /// How many there are.
    pub const COUNT: usize = 6;

    /// The narrowest of integers of so many bits, the sign included.
    pub fn of_bits(bits: u32) -> Self {
        match bits {
            0..=8 => Self::I8,
            9..=16 => Self::I16,
            17..=32 => Self::I32,
            33..=64 => Self::I64,
            _ => Self::I128,
        }
    }

    /// Width of a lane.
    pub fn bits(self) -> u32 {
        match self {
            Self::I8 => 8,
            Self::I16 => 16,
            Self::I32 | Self::F32 => 32,
            Self::I64 => 64,
            Self::I128 => 128,
        }
    }
}

/// The part of `range` that `S` has values for.
pub(super) fn limits<S: Lane>(range: Interval) -> (S, S) {
    let (least, most) = (i128::MIN >> (128 - S::BITS), i128::MAX >> (128 - S::BITS));
    (S::truncated(range.lo().clamp(least, most)), S::truncated(range.hi().clamp(least, most)))
}
