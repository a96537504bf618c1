//! Sums of shifted values: what a tree of adders computes.

use super::error;
use hdl::diag::Diagnostic;

/// `constant + Σ factor · value`; all numbers are exact.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Form {
    /// Which value, and its factor; in order of the values.
    pub terms: Vec<(u32, f64)>,
    /// The rest.
    pub constant: f64,
}

impl Form {
    /// A value by itself.
    pub fn value(value: u32) -> Self {
        Self { terms: vec![(value, 1.0)], constant: 0.0 }
    }

    /// A constant.
    pub fn constant(constant: f64) -> Self {
        Self { terms: Vec::new(), constant }
    }

    /// The form times a power of two, or its negative.
    pub fn scaled(&self, factor: f64) -> Self {
        Self { terms: self.terms.iter().map(|(v, f)| (*v, f * factor)).collect(), constant: self.constant * factor }
    }

    /// `self + factor · other` for a factor as in [`Form::scaled`].
    ///
    /// # Errors
    /// A number that needs more than 53 bits.
    pub fn plus(&self, other: &Self, factor: f64) -> Result<Self, Diagnostic> {
        let mut terms = Vec::with_capacity(self.terms.len() + other.terms.len());
        let (mut a, mut b) = (self.terms.iter().peekable(), other.terms.iter().peekable());
        loop {
            let next = match (a.peek(), b.peek()) {
                (Some((v, f)), Some((w, g))) if v == w => {
                    let term = (*v, exact_sum(*f, g * factor)?);
                    a.next();
                    b.next();
                    term
                }
                (Some((v, _)), Some((w, _))) if v < w => *a.next().expect("peeked"),
                (Some(_), None) => *a.next().expect("peeked"),
                (_, Some(_)) => {
                    let (w, g) = b.next().expect("peeked");
                    (*w, g * factor)
                }
                (None, None) => break,
            };
            if next.1 != 0.0 {
                terms.push(next);
            }
        }
        Ok(Self { terms, constant: exact_sum(self.constant, other.constant * factor)? })
    }
}

/// The sum, if floating point holds it exactly; the rounding error is Knuth's two-sum.
fn exact_sum(a: f64, b: f64) -> Result<f64, Diagnostic> {
    let sum = a + b;
    let part = sum - a;
    let lost = (a - (sum - part)) + (b - part);
    if lost == 0.0 && sum.is_finite() { Ok(sum) } else { Err(error("a sum of constants needs more than 53 bits")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_forms() {
        let (x, y) = (Form::value(0), Form::value(3));
        let sum = x.plus(&y, -4.0).unwrap().plus(&Form::constant(1.5), 1.0).unwrap();
        assert_eq!(sum.terms, [(0, 1.0), (3, -4.0)]);
        assert_eq!(sum.constant, 1.5);
        let only_y = sum.plus(&x, -1.0).unwrap();
        assert_eq!(only_y.terms, [(3, -4.0)]);
        assert!(x.scaled(1e30).plus(&x, 1.0).is_err());
    }
}
