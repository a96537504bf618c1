//! How far the framework's 32-bit floats may lie from exact sums.

use std::ops::{Add, AddAssign, Mul};

use super::HALF_ULP;

/// The distance of a framework's float from the exact number.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Noise {
    /// As it is with roundings that fall either way; it decides which steps are doubtful.
    pub typical: f64,
    /// No more than this, whatever the order of additions.
    pub worst: f64,
}

impl Noise {
    /// Floats that are exact.
    pub const NONE: Self = Self { typical: 0.0, worst: 0.0 };

    /// So much, and no more.
    pub(crate) fn of(distance: f64) -> Self {
        Self { typical: distance, worst: distance }
    }

    /// A float sum of `terms` products of at most `product`, of which no partial sum is beyond `result`.
    ///
    /// Each of `n` additions is off by half a last place of a partial sum, and each product by those of its factors and
    /// its own.
    pub(super) fn sum(terms: usize, product: f64, result: f64) -> Self {
        let root = (terms as f64).sqrt();
        Self {
            typical: 2.0 * root * HALF_ULP * result.min(4.0 * root * product),
            worst: 1.01 * (terms as f64 + 4.0) * HALF_ULP * result,
        }
    }

    /// Whether floats are exact.
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// The greater of both.
    #[must_use]
    pub(crate) fn max(self, other: Self) -> Self {
        Self { typical: self.typical.max(other.typical), worst: self.worst.max(other.worst) }
    }

    /// What becomes of it in a sum of `terms` products with factors of at most `factor`, which are `total` together.
    #[must_use]
    pub(super) fn summed(self, terms: f64, factor: f64, total: f64) -> Self {
        Self { typical: self.typical * factor * terms.sqrt(), worst: self.worst * total }
    }
}

impl Add for Noise {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { typical: self.typical + other.typical, worst: self.worst + other.worst }
    }
}

impl AddAssign for Noise {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Mul<f64> for Noise {
    type Output = Self;

    fn mul(self, factor: f64) -> Self {
        Self { typical: self.typical * factor, worst: self.worst * factor }
    }
}
