//! The integers of an encoder and the formats that they are used in. Its [`network`](super::network) is made of them.

use hdl::diag::Diagnostic;
use hdl::num::{Format, Interval};
use serde::{Deserialize, Serialize};

use super::arithmetic::{Contract, LayerArithmetic};
use super::geometry::{FILTERS, HIDDEN, KERNEL, OUTPUTS};
use crate::model::block::normaliser;

/// Widest number that a model may name, in bits; keeps every product and sum within 64 bits.
const MAX_WIDTH: u32 = 24;

/// What enters the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Input {
    /// 48 calibrated charges of 22 bits; the block normalises them and gives the module sum.
    Calq,
    /// 48 normalised values; no normaliser, no module sum.
    Normalised,
}

/// One layer: integers and how they are used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// Formats and rounding.
    pub arithmetic: LayerArithmetic,
    /// One row for each output, with a weight for each input of that output: 8 filters × 9 taps (row, column), or
    /// 16 outputs × 128 inputs.
    pub weights: Vec<Vec<i64>>,
    /// One bias for each output, in the weights' format.
    pub bias: Vec<i64>,
}

/// A whole encoder as integers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderModel {
    /// Whose arithmetic it follows.
    pub contract: Contract,
    /// What enters.
    pub input: Input,
    /// Convolution 3×3, stride 2, 8 filters.
    pub conv: Layer,
    /// Dense 128 → 16.
    pub dense: Layer,
}

impl EncoderModel {
    /// An error unless shapes, widths and integers fit the network.
    pub fn validate(&self) -> Result<(), Diagnostic> {
        self.conv.validate("conv", FILTERS, KERNEL * KERNEL)?;
        self.dense.validate("dense", OUTPUTS, HIDDEN)?;
        let (hidden, input) = (self.conv.arithmetic.output, self.dense.arithmetic.input);
        if hidden != input {
            return Err(Diagnostic::error("model", format!("conv gives {hidden}, dense takes {input}")));
        }
        let first = self.conv.arithmetic.input;
        if self.input == Input::Calq && (first.range.signed() || first.frac != first.range.width() as i32 - 1) {
            let message = format!("the normaliser gives an unsigned number below 2, conv takes {first}");
            return Err(Diagnostic::error("model", message));
        }
        Ok(())
    }

    /// Format of each element at the block's input.
    pub fn input_format(&self) -> Format {
        match self.input {
            Input::Calq => Format::unsigned(normaliser::CALQ_BITS, 0).expect("few bits"),
            Input::Normalised => self.conv.arithmetic.input,
        }
    }
}

impl Layer {
    fn validate(&self, name: &str, outputs: usize, inputs: usize) -> Result<(), Diagnostic> {
        let wrong = |message: String| Err(Diagnostic::error("model", format!("layer `{name}`: {message}")));
        let arithmetic = &self.arithmetic;
        let accumulator = Format { frac: arithmetic.accumulator_frac(), range: Interval::BIT };
        for number in [arithmetic.input, arithmetic.weight, arithmetic.output, accumulator] {
            if !(1..=MAX_WIDTH).contains(&number.range.width()) || number.frac.unsigned_abs() > 2 * MAX_WIDTH {
                return wrong(format!(
                    "{number} is not supported: 1 to {MAX_WIDTH} bits, at most {} behind the point",
                    2 * MAX_WIDTH
                ));
            }
        }
        if arithmetic.output.range.signed() {
            return wrong("the output of a ReLU is unsigned".into());
        }
        if self.weights.len() != outputs || self.weights.iter().any(|row| row.len() != inputs) {
            return wrong(format!("expected {outputs} rows of {inputs} weights"));
        }
        if self.bias.len() != outputs {
            return wrong(format!("expected {outputs} biases, found {}", self.bias.len()));
        }
        let range = arithmetic.weight.range;
        match self.weights.iter().flatten().chain(&self.bias).find(|w| !range.contains(i128::from(**w))) {
            Some(weight) => {
                wrong(format!("weight {weight} does not fit {} ({}…{})", arithmetic.weight, range.lo(), range.hi()))
            }
            None => Ok(()),
        }
    }
}
