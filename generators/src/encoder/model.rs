//! The exact integer model of an encoder, and its evaluation in plain integers: the reference of the generator.

use hdl::diag::Diagnostic;
use serde::{Deserialize, Serialize};

use super::arithmetic::{Contract, LayerArithmetic, Number, Product};
use super::geometry::{CELLS, FILTERS, HIDDEN, KERNEL, OUTPUTS, positions, window};
use super::normaliser;

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

/// What one event gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The module sum as a 5E+4M float; `None` without normaliser.
    pub module_sum: Option<i64>,
    /// What the convolution sees, 48 values.
    pub normalised: Vec<i64>,
    /// The convolution's results, 128 values.
    pub hidden: Vec<i64>,
    /// The latent values, 16.
    pub encoded: Vec<i64>,
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
        if self.input == Input::Calq && (first.signed || first.frac != first.width as i32 - 1) {
            let message = format!("the normaliser gives an unsigned number below 2, conv takes {first}");
            return Err(Diagnostic::error("model", message));
        }
        Ok(())
    }

    /// Format of each element at the block's input.
    pub fn input_format(&self) -> Number {
        match self.input {
            Input::Calq => Number::unsigned(normaliser::CALQ_BITS, 0),
            Input::Normalised => self.conv.arithmetic.input,
        }
    }

    /// The result for 48 input integers.
    ///
    /// # Errors
    /// An input that its format cannot hold, or a wrong number of them.
    pub fn evaluate(&self, inputs: &[i64]) -> Result<Encoded, Diagnostic> {
        let format = self.input_format();
        let (lo, hi) = format.limits();
        if inputs.len() != CELLS {
            return Err(Diagnostic::error("input-count", format!("{} cells are given, {CELLS} wanted", inputs.len())));
        }
        if let Some((i, value)) = inputs.iter().enumerate().find(|(_, v)| !(lo..=hi).contains(*v)) {
            return Err(Diagnostic::error("input-range", format!("cell {i} is {value}, {format} holds {lo}…{hi}")));
        }
        let (module_sum, normalised) = match self.input {
            Input::Calq => {
                let (code, normalised) = normaliser::evaluate(inputs, self.conv.arithmetic.input.width);
                (Some(code), normalised)
            }
            Input::Normalised => (None, inputs.to_vec()),
        };
        let hidden: Vec<i64> = positions()
            .flat_map(|(row, column)| {
                let cells: Vec<(usize, usize)> = window(row, column).collect();
                let normalised = &normalised;
                (0..FILTERS).map(move |f| self.conv.neuron(f, cells.iter().map(|&(tap, cell)| (tap, normalised[cell]))))
            })
            .collect();
        let encoded = (0..OUTPUTS).map(|o| self.dense.neuron(o, hidden.iter().copied().enumerate())).collect();
        Ok(Encoded { module_sum, normalised, hidden, encoded })
    }
}

impl Layer {
    /// Output `k` for inputs given as (weight index, integer).
    fn neuron(&self, k: usize, inputs: impl Iterator<Item = (usize, i64)>) -> i64 {
        let arithmetic = &self.arithmetic;
        let product_frac = arithmetic.input.frac + arithmetic.weight.frac;
        let bias = self.bias_in_accumulator(k);
        let sum: i64 = inputs
            .map(|(i, x)| match arithmetic.product {
                Product::Exact => x * self.weights[k][i],
                Product::FloorTo(frac) => shifted(x * self.weights[k][i], frac - product_frac),
            })
            .sum();
        let value = i128::from(bias + sum);
        let result = arithmetic.quantiser().apply(value, arithmetic.accumulator_frac());
        i64::try_from(result).expect("an output has few bits")
    }

    /// Bias `k` in units of the accumulator's last place; bits below it are floored away.
    pub fn bias_in_accumulator(&self, k: usize) -> i64 {
        shifted(self.bias[k], self.arithmetic.accumulator_frac() - self.arithmetic.weight.frac)
    }

    fn validate(&self, name: &str, outputs: usize, inputs: usize) -> Result<(), Diagnostic> {
        let wrong = |message: String| Err(Diagnostic::error("model", format!("layer `{name}`: {message}")));
        let arithmetic = &self.arithmetic;
        let accumulator = Number { width: 1, frac: arithmetic.accumulator_frac(), signed: true };
        for number in [arithmetic.input, arithmetic.weight, arithmetic.output, accumulator] {
            if !(1..=MAX_WIDTH).contains(&number.width) || number.frac.unsigned_abs() > 2 * MAX_WIDTH {
                return wrong(format!(
                    "{number} is not supported: 1 to {MAX_WIDTH} bits, at most {} behind the point",
                    2 * MAX_WIDTH
                ));
            }
        }
        if arithmetic.output.signed {
            return wrong("the output of a ReLU is unsigned".into());
        }
        if self.weights.len() != outputs || self.weights.iter().any(|row| row.len() != inputs) {
            return wrong(format!("expected {outputs} rows of {inputs} weights"));
        }
        if self.bias.len() != outputs {
            return wrong(format!("expected {outputs} biases, found {}", self.bias.len()));
        }
        let (lo, hi) = arithmetic.weight.limits();
        match self.weights.iter().flatten().chain(&self.bias).find(|w| !(lo..=hi).contains(*w)) {
            Some(weight) => wrong(format!("weight {weight} does not fit {} ({lo}…{hi})", arithmetic.weight)),
            None => Ok(()),
        }
    }
}

/// `floor(value · 2^by)`.
fn shifted(value: i64, by: i32) -> i64 {
    if by >= 0 { value << by } else { value >> by.unsigned_abs().min(63) }
}
