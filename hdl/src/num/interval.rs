//! Closed intervals of integers: the one truth from which width and sign of a value are derived.

use std::fmt;

use thiserror::Error;

/// Widest two's-complement pattern that a value may need, in bits.
///
/// Every end of an [`Interval`] fits `MAX_BITS` signed bits, so sums and comparisons of ends never leave `i128`.
pub const MAX_BITS: u32 = 120;

/// The exact result of an operation would need more than [`MAX_BITS`] bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the exact result needs more than {MAX_BITS} bits")]
pub struct OutOfRange;

/// All integers from `lo` to `hi`, both included.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval {
    lo: i128,
    hi: i128,
}

// the operators can fail, so they are not those of std::ops
#[allow(clippy::should_implement_trait)]
impl Interval {
    /// The interval of a single bit.
    pub const BIT: Self = Self { lo: 0, hi: 1 };

    /// `[lo, hi]`; an error if it is empty or leaves [`MAX_BITS`] bits.
    pub fn new(lo: i128, hi: i128) -> Result<Self, OutOfRange> {
        let limit = 1i128 << (MAX_BITS - 1);
        if lo > hi || lo < -limit || hi >= limit {
            return Err(OutOfRange);
        }
        Ok(Self { lo, hi })
    }

    /// The interval that holds only `value`.
    pub fn point(value: i128) -> Result<Self, OutOfRange> {
        Self::new(value, value)
    }

    /// All values of a `width`-bit unsigned or two's-complement pattern. A width of 0 holds only zero.
    pub fn of_width(width: u32, signed: bool) -> Result<Self, OutOfRange> {
        match (width, signed) {
            (0, _) => Ok(Self { lo: 0, hi: 0 }),
            (w, _) if w > MAX_BITS - u32::from(!signed) => Err(OutOfRange),
            (w, true) => Self::new(-(1 << (w - 1)), (1 << (w - 1)) - 1),
            (w, false) => Self::new(0, (1 << w) - 1),
        }
    }

    /// Least value.
    pub fn lo(self) -> i128 {
        self.lo
    }

    /// Greatest value.
    pub fn hi(self) -> i128 {
        self.hi
    }

    /// Whether a two's-complement pattern is needed.
    pub fn signed(self) -> bool {
        self.lo < 0
    }

    /// Bits of the narrowest pattern that holds every value; 0 for the constant zero.
    pub fn width(self) -> u32 {
        let magnitude = |v: i128| 128 - (if v < 0 { !v } else { v }).leading_zeros();
        magnitude(self.lo).max(magnitude(self.hi)) + u32::from(self.signed())
    }

    /// The value, if there is only one.
    pub fn as_point(self) -> Option<i128> {
        (self.lo == self.hi).then_some(self.lo)
    }

    /// Whether `value` lies inside.
    pub fn contains(self, value: i128) -> bool {
        self.lo <= value && value <= self.hi
    }

    /// Whether all of `other` lies inside.
    pub fn covers(self, other: Self) -> bool {
        self.lo <= other.lo && other.hi <= self.hi
    }

    /// The least interval that holds both.
    pub fn union(self, other: Self) -> Self {
        Self { lo: self.lo.min(other.lo), hi: self.hi.max(other.hi) }
    }

    /// Range of `a + b`.
    pub fn add(self, other: Self) -> Result<Self, OutOfRange> {
        Self::new(self.lo + other.lo, self.hi + other.hi)
    }

    /// Range of `a - b`.
    pub fn sub(self, other: Self) -> Result<Self, OutOfRange> {
        Self::new(self.lo - other.hi, self.hi - other.lo)
    }

    /// Range of `a · b`.
    pub fn mul(self, other: Self) -> Result<Self, OutOfRange> {
        let product = |a: i128, b: i128| a.checked_mul(b).ok_or(OutOfRange);
        let corners = [
            product(self.lo, other.lo)?,
            product(self.lo, other.hi)?,
            product(self.hi, other.lo)?,
            product(self.hi, other.hi)?,
        ];
        let [first, rest @ ..] = corners;
        let (lo, hi) = rest.iter().fold((first, first), |(lo, hi), &c| (lo.min(c), hi.max(c)));
        Self::new(lo, hi)
    }

    /// Range of `a · 2^shift`.
    pub fn shl(self, shift: u32) -> Result<Self, OutOfRange> {
        match self.as_point() {
            Some(0) => Ok(self),
            _ if shift >= MAX_BITS => Err(OutOfRange),
            _ => {
                let scaled = |v: i128| v.checked_mul(1 << shift).ok_or(OutOfRange);
                Self::new(scaled(self.lo)?, scaled(self.hi)?)
            }
        }
    }

    /// Range of `floor(a / 2^shift)`.
    pub fn shr(self, shift: u32) -> Self {
        let shift = shift.min(127);
        Self { lo: self.lo >> shift, hi: self.hi >> shift }
    }

    /// Range of `a & b`: no more than either operand that is never negative.
    pub fn and(self, other: Self) -> Result<Self, OutOfRange> {
        match (self.signed(), other.signed()) {
            (false, false) => Self::new(0, self.hi.min(other.hi)),
            (false, true) => Self::new(0, self.hi),
            (true, false) => Self::new(0, other.hi),
            (true, true) => self.patterns(other, self.hi < 0 && other.hi < 0),
        }
    }

    /// Range of `a | b`.
    pub fn or(self, other: Self) -> Result<Self, OutOfRange> {
        self.patterns(other, self.hi < 0 || other.hi < 0)
    }

    /// Range of `a ^ b`.
    pub fn xor(self, other: Self) -> Result<Self, OutOfRange> {
        if self.hi < 0 && other.hi < 0 {
            let inverted = |x: Self| Self::new(!x.hi, !x.lo);
            return inverted(self)?.patterns(inverted(other)?, false);
        }
        let opposite = self.hi < 0 && other.lo >= 0 || self.lo >= 0 && other.hi < 0;
        self.patterns(other, opposite)
    }

    /// All patterns as wide as the wider of both, or those of them that have a sign.
    fn patterns(self, other: Self, negative: bool) -> Result<Self, OutOfRange> {
        let both = self.union(other);
        let all = Self::of_width(both.width(), both.signed())?;
        let hi = if negative { -1 } else { all.hi };
        Self::new(all.lo, hi)
    }

    /// Range of the element-wise least of both.
    pub fn min(self, other: Self) -> Self {
        Self { lo: self.lo.min(other.lo), hi: self.hi.min(other.hi) }
    }

    /// Range of the element-wise greatest of both.
    pub fn max(self, other: Self) -> Self {
        Self { lo: self.lo.max(other.lo), hi: self.hi.max(other.hi) }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {}]", self.lo, self.hi)
    }
}

impl fmt::Debug for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iv(lo: i128, hi: i128) -> Interval {
        Interval::new(lo, hi).unwrap()
    }

    #[test]
    fn width_is_the_narrowest_pattern() {
        for (lo, hi, width) in
            [(0, 0, 0), (0, 1, 1), (-1, 0, 1), (-1, 1, 2), (0, 255, 8), (-128, 127, 8), (-129, 0, 9), (5, 6, 3)]
        {
            assert_eq!(iv(lo, hi).width(), width, "[{lo}, {hi}]");
        }
    }

    #[test]
    fn operators_are_tight() {
        let (a, b) = (iv(-3, 2), iv(-1, 4));
        let all = |f: fn(i128, i128) -> i128| {
            let values: Vec<i128> = (-3..=2).flat_map(|x| (-1..=4).map(move |y| f(x, y))).collect();
            iv(*values.iter().min().unwrap(), *values.iter().max().unwrap())
        };
        assert_eq!(a.add(b).unwrap(), all(|x, y| x + y));
        assert_eq!(a.sub(b).unwrap(), all(|x, y| x - y));
        assert_eq!(a.mul(b).unwrap(), all(|x, y| x * y));
        assert_eq!(a.min(b), all(|x, y| x.min(y)));
        assert_eq!(a.max(b), all(|x, y| x.max(y)));
    }

    /// Bit for bit on endless two's complement; as narrow a pattern as holds every result where a sign is possible.
    #[test]
    fn bitwise_operators_cover_all_values() {
        let spans = [(-3, 2), (0, 5), (-6, -2), (1, 1), (3, 9), (-1, 0), (0, 0)];
        type Operator = (fn(Interval, Interval) -> Result<Interval, OutOfRange>, fn(i128, i128) -> i128);
        let operators: [Operator; 3] =
            [(Interval::and, |x, y| x & y), (Interval::or, |x, y| x | y), (Interval::xor, |x, y| x ^ y)];
        for (a, b) in spans.iter().flat_map(|a| spans.map(|b| (*a, b))) {
            for (range, value) in operators {
                let range = range(iv(a.0, a.1), iv(b.0, b.1)).unwrap();
                let mut pairs = (a.0..=a.1).flat_map(|x| (b.0..=b.1).map(move |y| (x, y)));
                assert!(pairs.all(|(x, y)| range.contains(value(x, y))), "{a:?} {b:?}");
            }
        }
        assert_eq!(iv(0, 5).and(iv(-8, 7)), Ok(iv(0, 5)));
        assert_eq!(iv(0, 5).or(iv(0, 2)), Ok(iv(0, 7)));
        assert_eq!(iv(-3, 0).xor(iv(0, 5)), Ok(iv(-8, 7)));
        assert_eq!(iv(-6, -2).and(iv(-3, -1)), Ok(iv(-8, -1)));
        assert_eq!(iv(-6, -2).or(iv(-3, 9)), Ok(iv(-16, -1)));
        assert_eq!(iv(-6, -2).xor(iv(-3, -1)), Ok(iv(0, 7)));
        assert_eq!(iv(-6, -2).xor(iv(3, 9)), Ok(iv(-16, -1)));
    }

    #[test]
    fn too_wide_is_an_error() {
        let wide = Interval::of_width(MAX_BITS, true).unwrap();
        assert_eq!(wide.add(wide), Err(OutOfRange));
        assert_eq!(wide.mul(wide), Err(OutOfRange));
        assert_eq!(iv(1, 1).shl(MAX_BITS), Err(OutOfRange));
        assert_eq!(iv(0, 0).shl(500), Ok(iv(0, 0)));
        assert_eq!(iv(-1, 0).shl(MAX_BITS - 1), Ok(iv(-1 << 119, 0)));
        assert_eq!(Interval::new(1, 0), Err(OutOfRange));
    }
}
