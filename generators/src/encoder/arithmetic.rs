//! How a layer computes, bit for bit: the formats of its operands, what happens to a product, and the quantiser at
//! its end. Both contracts of the encoder are settings of this one description.

use hdl::num::{Format, Overflow, Quantiser, Rounding};
use serde::{Deserialize, Serialize};

/// Whose arithmetic the encoder follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Contract {
    /// The ASIC's: every product is floored to the layer's fraction bits before it is summed.
    Silicon,
    /// QKeras' and hls4ml's: exact accumulation, rounding half to even at each quantiser.
    Qkeras,
}

/// What happens to each product before it is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Product {
    /// It is added as it is.
    Exact,
    /// It is floored to this many fraction bits.
    FloorTo(i32),
}

/// The arithmetic of one layer: `y = saturate(round(max(b + Σ product(x·w), 0)))`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerArithmetic {
    /// Format of the operands.
    pub input: Format,
    /// Format of weights and biases.
    pub weight: Format,
    /// Rule for products.
    pub product: Product,
    /// Rule for the result's dropped fraction bits.
    pub rounding: Rounding,
    /// Format of the results; unsigned, so that saturating to it is the ReLU as well.
    pub output: Format,
}

impl LayerArithmetic {
    /// Fraction bits of the accumulator.
    pub fn accumulator_frac(&self) -> i32 {
        match self.product {
            Product::Exact => self.input.frac + self.weight.frac,
            Product::FloorTo(frac) => frac,
        }
    }

    /// The quantiser at the end.
    pub fn quantiser(&self) -> Quantiser {
        Quantiser {
            width: self.output.range.width(),
            signed: false,
            frac: self.output.frac,
            rounding: self.rounding,
            overflow: Overflow::Saturate,
        }
    }
}

/// The widths that a user chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Widths {
    /// Normalised input and hidden activations.
    pub bits: u32,
    /// Weights and biases.
    pub weight_bits: u32,
    /// Outputs.
    pub output_bits: u32,
}

impl Widths {
    /// The chip's.
    pub const CHIP: Self = Self { bits: 8, weight_bits: 6, output_bits: 9 };
}

/// The arithmetic of the convolution and of the dense layer.
///
/// Under the silicon contract with the chip's widths these are the chip's formats: input and hidden `u8.7`, weights
/// `s6.5`, outputs `u9.8`. Under the QKeras contract they are `quantized_bits(B + 3, 3)` at the input,
/// `quantized_bits(W, 1)` for weights, `quantized_relu(B + 4, 3)` between and `quantized_relu(O, 1)` at the end;
/// the normaliser's `uB.(B-1)` passes that input quantiser unchanged.
///
/// # Panics
/// If a width is beyond what any format can hold.
pub fn layers(contract: Contract, widths: Widths) -> [LayerArithmetic; 2] {
    let Widths { bits, weight_bits, output_bits } = widths;
    let unsigned = |width, frac| Format::unsigned(width, frac).expect("few bits");
    let signed = |width, frac| Format::signed(width, frac).expect("few bits");
    let (b, w, o) = (bits as i32, weight_bits as i32, output_bits as i32);
    let input = unsigned(bits, b - 1);
    let output = unsigned(output_bits, o - 1);
    match contract {
        Contract::Silicon => {
            let (weight, rounding) = (signed(weight_bits, w - 1), Rounding::Floor);
            [
                LayerArithmetic { input, weight, product: Product::FloorTo(b - 1), rounding, output: input },
                LayerArithmetic { input, weight, product: Product::FloorTo(o - 1), rounding, output },
            ]
        }
        Contract::Qkeras => {
            let (weight, rounding) = (signed(weight_bits, w - 2), Rounding::HalfEven);
            let hidden = unsigned(bits + 4, b + 1);
            [
                LayerArithmetic { input, weight, product: Product::Exact, rounding, output: hidden },
                LayerArithmetic { input: hidden, weight, product: Product::Exact, rounding, output },
            ]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chip_widths_give_the_chip_formats() {
        let text = |n: Format| n.to_string();
        let [conv, dense] = layers(Contract::Silicon, Widths::CHIP);
        assert_eq!([conv.input, conv.weight, conv.output].map(text), ["u8.7", "s6.5", "u8.7"]);
        assert_eq!([dense.input, dense.weight, dense.output].map(text), ["u8.7", "s6.5", "u9.8"]);
        assert_eq!((conv.accumulator_frac(), dense.accumulator_frac()), (7, 8));
        let [conv, dense] = layers(Contract::Qkeras, Widths::CHIP);
        assert_eq!([conv.weight, conv.output, dense.output].map(text), ["s6.4", "u12.9", "u9.8"]);
    }
}
