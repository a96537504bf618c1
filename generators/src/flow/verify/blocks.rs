//! The encoder's hand-made parts as numbers that are scaled by the leading one of a sum.

use std::sync::Arc;

use verify::spec::{Id, Op as Rule, Source};

use super::spec::Builder;

/// Bits of a sum of charges, the leading one at any of them.
const SUM_BITS: usize = 28;
/// Bits of the mantissa of a module sum's code, and of its exponent.
const MANTISSA_BITS: usize = 4;
const EXPONENT_BITS: usize = 5;

fn sum(builder: &mut Builder<'_>, x: &[Id]) -> Id {
    let terms = x.iter().map(|x| (*x, 1)).collect();
    builder.push(Rule::Sum { bias: 0, terms, cut: 0 }, x.len(), (0, (1 << SUM_BITS) - 1))
}

/// `⌊x · 2^(bits - 1) / 2^e⌋`, `e` the place of the sum's leading one, 0 for the sum 0.
pub(super) fn normaliser(builder: &mut Builder<'_>, x: &[Id], bits: u32) -> Vec<Id> {
    let total = sum(builder, x);
    let case = |length: usize| -> Vec<Source> {
        let exponent = length.saturating_sub(1);
        let bit = |k: usize| match (k + exponent).checked_sub(bits as usize - 1) {
            Some(from) if from < length => Source::Operand(from as u32),
            _ => Source::Known(false),
        };
        (0..bits as usize).map(bit).collect()
    };
    let cases: Arc<Vec<_>> = Arc::new((0..=SUM_BITS).map(case).collect());
    let range = (0, (1 << bits) - 1);
    let number =
        |(k, x): (usize, &Id)| builder.push(Rule::Scaled { x: Some(*x), sum: total, cases: cases.clone() }, k, range);
    x.iter().enumerate().map(number).collect()
}

/// The sum itself below 16, else its bit length less four and the four bits below the leading one.
pub(super) fn module_sum(builder: &mut Builder<'_>, x: &[Id]) -> Vec<Id> {
    let total = sum(builder, x);
    let case = |length: usize| -> Vec<Source> {
        let bit = |k: usize| match length {
            _ if length <= MANTISSA_BITS => Source::Sum(k as u32),
            _ if k < MANTISSA_BITS => Source::Sum((length - 1 - MANTISSA_BITS + k) as u32),
            _ => Source::Known((length - MANTISSA_BITS) >> (k - MANTISSA_BITS) & 1 == 1),
        };
        (0..MANTISSA_BITS + EXPONENT_BITS).map(bit).collect()
    };
    let cases = Arc::new((0..=SUM_BITS).map(case).collect());
    let range = (0, (1 << (MANTISSA_BITS + EXPONENT_BITS)) - 1);
    vec![builder.push(Rule::Scaled { x: None, sum: total, cases }, 0, range)]
}
