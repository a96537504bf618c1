//! The logistic function as a table of integers with a stated error.

use hdl::diag::Diagnostic;
use hdl::num::{Overflow, Quantiser, Rounding};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Limit, Op, Requantise};

/// Widest index, in bits.
const MAX_INDEX: u32 = 12;

/// `σ(x) = 1 / (1 + e^-x)`: the operand is quantised to an index, and the table gives the result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sigmoid {
    /// Quantiser of the operand: to nearest and saturating.
    pub index: Quantiser,
    /// Format of the results.
    pub output: Quantiser,
    /// The result for every bit pattern of the index, pattern 0 first.
    pub table: Vec<i64>,
}

/// `1 / (1 + e^-x)`.
pub fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

impl Sigmoid {
    /// The table of results nearest to the function.
    ///
    /// # Errors
    /// Those of [`Sigmoid::validate`].
    pub fn new(index: Quantiser, output: Quantiser) -> Result<Self, Diagnostic> {
        let mut sigmoid = Self { index, output, table: Vec::new() };
        sigmoid.check_formats()?;
        let (lo, hi) = output.limits();
        let scale = f64::from(output.frac).exp2();
        let nearest = |x: f64| ((logistic(x) * scale).round_ties_even() as i64).clamp(lo, hi);
        sigmoid.table = sigmoid.operands().map(nearest).collect();
        Ok(sigmoid)
    }

    /// The operand of each entry.
    fn operands(&self) -> impl Iterator<Item = f64> + use<> {
        let (width, step) = (self.index.width, f64::from(-self.index.frac).exp2());
        let signed = self.index.signed;
        (0..1i64 << width).map(move |pattern| {
            let negative = signed && pattern >> (width - 1) == 1;
            (pattern - if negative { 1 << width } else { 0 }) as f64 * step
        })
    }

    /// The greatest `|table(x) − σ(x)|` over all real `x`, those beyond the index's range included.
    ///
    /// An entry stands for the operands within half a step of it, and the function is monotone.
    pub fn error_bound(&self) -> f64 {
        let (lo, hi) = self.index.limits();
        let step = f64::from(-self.index.frac).exp2();
        let scale = f64::from(self.output.frac).exp2();
        let error = |(x, entry): (f64, &i64)| {
            let below = if x <= lo as f64 * step { 0.0 } else { logistic(x - step / 2.0) };
            let above = if x >= hi as f64 * step { 1.0 } else { logistic(x + step / 2.0) };
            let result = *entry as f64 / scale;
            (result - below).abs().max((result - above).abs())
        };
        self.operands().zip(&self.table).map(error).fold(0.0, f64::max)
    }

    /// The function on integers of `frac` fraction bits: the index, its bit pattern, and the table.
    pub fn operators(&self, frac: i32) -> Vec<Op> {
        let limit = Limit::Wrap { width: self.index.width, signed: false };
        let pattern = Requantise { drop: 0, rounding: Rounding::Floor, limit };
        let index = Requantise::of(&self.index, frac);
        vec![Op::Requantise(index), Op::Requantise(pattern), Op::Table { first: 0, values: self.table.clone() }]
    }

    fn check_formats(&self) -> Result<(), Diagnostic> {
        let nearest = !matches!(
            self.index.rounding,
            Rounding::Floor | Rounding::Ceil | Rounding::TowardZero | Rounding::AwayFromZero
        );
        let saturates = self.index.overflow == Overflow::Saturate;
        if nearest && saturates && self.index.width <= MAX_INDEX {
            return Ok(());
        }
        let message = format!("the sigmoid's index {} does not suit a table", self.index);
        Err(Diagnostic::error("model", message).help(format!(
            "choose a format of at most {MAX_INDEX} bits that rounds to nearest and saturates, such as ap_fixed<10,4,RND,SAT>"
        )))
    }

    /// An error unless the table fits its formats.
    pub fn validate(&self) -> Result<(), Diagnostic> {
        self.check_formats()?;
        let (lo, hi) = self.output.limits();
        let entries = 1usize << self.index.width;
        if self.table.len() != entries {
            let found = self.table.len();
            return Err(Diagnostic::error(
                "model",
                format!("the sigmoid's table has {found} entries, expected {entries}"),
            ));
        }
        match self.table.iter().find(|v| !(lo..=hi).contains(*v)) {
            Some(bad) => {
                Err(Diagnostic::error("model", format!("the sigmoid's entry {bad} does not fit {}", self.output)))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sigmoid() -> Sigmoid {
        let format = |text: &str| text.parse().unwrap();
        Sigmoid::new(format("ap_fixed<10,4,RND,SAT>"), format("ap_ufixed<8,0,RND,SAT>")).unwrap()
    }

    #[test]
    fn the_error_is_as_stated() {
        let sigmoid = sigmoid();
        let bound = sigmoid.error_bound();
        assert!(bound < 0.005, "{bound}");
        let operators = sigmoid.operators(12);
        let [Op::Requantise(index), Op::Requantise(pattern), Op::Table { values, .. }] = &operators[..] else {
            unreachable!("{operators:?}")
        };
        let error = |i: i64| {
            let result = values[pattern.apply(index.apply(i.into())) as usize] as f64 / 256.0;
            (result - logistic(i as f64 / 4096.0)).abs()
        };
        let worst = (-40_000..40_000).map(error).fold(0.0, f64::max);
        assert!(worst <= bound && worst > 0.9 * bound, "{worst} {bound}");
    }

    #[test]
    fn a_damaged_table_is_refused() {
        let mut bad = sigmoid();
        assert!(bad.validate().is_ok());
        bad.table[3] = 256;
        assert!(bad.validate().is_err());
        bad.table.pop();
        assert!(bad.validate().is_err());
        let floor = "ap_fixed<10,4>".parse().unwrap();
        assert!(Sigmoid::new(floor, floor).is_err());
    }
}
