//! The integer types that a lane can be.

use std::ops::{Add, BitAnd, BitOr, BitXor, Mul, Shl, Shr, Sub};

use hdl::num::Interval;

/// An integer that stands for one value of one sample: `i32`, `i64` or `i128`.
///
/// A lane type is only ever used for values that fit it, so the plain operators are exact.
pub trait Lane:
    Copy
    + Default
    + Ord
    + Send
    + Sync
    + std::fmt::Debug
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + BitAnd<Output = Self>
    + BitOr<Output = Self>
    + BitXor<Output = Self>
    + Shl<u32, Output = Self>
    + Shr<u32, Output = Self>
    + 'static
{
    /// Width of the type.
    const BITS: u32;

    /// The low bits of `value`.
    fn truncated(value: i128) -> Self;

    /// The same value.
    fn to_i128(self) -> i128;

    /// The value as an index; it must not be negative.
    fn index(self) -> usize;

    /// Whether every value of `range` is one of the type's.
    fn holds(range: Interval) -> bool {
        range.width() + u32::from(!range.signed()) <= Self::BITS
    }
}

macro_rules! lane {
    ($($t:ty)*) => {$(
        impl Lane for $t {
            const BITS: u32 = <$t>::BITS;

            #[inline(always)]
            fn truncated(value: i128) -> Self {
                value as $t
            }

            #[inline(always)]
            fn to_i128(self) -> i128 {
                self as i128
            }

            #[inline(always)]
            fn index(self) -> usize {
                self as usize
            }
        }
    )*};
}

lane!(i32 i64 i128);

/// The part of `range` that `S` has values for.
pub(super) fn limits<S: Lane>(range: Interval) -> (S, S) {
    let (least, most) = (i128::MIN >> (128 - S::BITS), i128::MAX >> (128 - S::BITS));
    (S::truncated(range.lo().clamp(least, most)), S::truncated(range.hi().clamp(least, most)))
}
