//! Where an encoder's integers come from: register values or float masters in JSON, or a trained QKeras network.

use std::path::Path;

use hdl::diag::Diagnostic;
use serde_json::{Value as Json, json};

use super::arithmetic::{Contract, LayerArithmetic, Widths, layers};
use super::geometry::{FILTERS, HIDDEN, KERNEL, OUTPUTS};
use super::model::{EncoderModel, Input, Layer};
use crate::failure::{Failure, Result};
use crate::import::bounded;

/// The float masters that ship with the program.
const SHIPPED: &str = include_str!("../../weights/encoder.json");

/// The four tensors of the network as real numbers, flattened in the order of the JSON keys.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensors {
    /// `[3][3][8]`: row, column, filter.
    pub conv_weight: Vec<f64>,
    /// `[8]`.
    pub conv_bias: Vec<f64>,
    /// `[16][128]`: output, input.
    pub dense_weight: Vec<f64>,
    /// `[16]`.
    pub dense_bias: Vec<f64>,
    /// Whether the numbers are register values already; else they are float masters, to be quantised.
    pub registers: bool,
}

/// The keys and shapes of the JSON form.
const KEYS: [(&str, &[usize]); 4] = [
    ("conv_weight", &[KERNEL, KERNEL, FILTERS]),
    ("conv_bias", &[FILTERS]),
    ("dense_weight", &[OUTPUTS, HIDDEN]),
    ("dense_bias", &[OUTPUTS]),
];

impl Tensors {
    /// The masters that ship with the program.
    pub fn shipped() -> Self {
        Self::parse(SHIPPED, "the shipped weights").expect("the shipped weights are checked by a test")
    }

    /// Reads JSON with the keys `conv_weight[3][3][8]`, `conv_bias[8]`, `dense_weight[16][128]`, `dense_bias[16]`;
    /// other keys are ignored. Integers throughout are register values, anything else float masters.
    pub fn parse(text: &str, file: &str) -> std::result::Result<Self, Diagnostic> {
        let error = |code, message: String| Diagnostic::error(code, message).at(file, "in this file");
        let json: Json = serde_json::from_str(text).map_err(|e| error("json", format!("this is not JSON: {e}")))?;
        let mut registers = true;
        let mut tensors = Vec::with_capacity(KEYS.len());
        for (key, shape) in KEYS {
            let value = json.get(key).ok_or_else(|| {
                error("weights", format!("key `{key}` is missing"))
                    .help("expected conv_weight[3][3][8], conv_bias[8], dense_weight[16][128], dense_bias[16]")
            })?;
            let mut numbers = Vec::new();
            collect(value, shape, key, &mut numbers).map_err(|message| error("weights", message))?;
            registers &= numbers.iter().all(|n| n.is_i64());
            tensors.push(numbers.iter().map(|n| n.as_f64().unwrap_or(f64::NAN)).collect());
        }
        let [conv_weight, conv_bias, dense_weight, dense_bias] = tensors.try_into().expect("one tensor a key");
        Ok(Self { conv_weight, conv_bias, dense_weight, dense_bias, registers })
    }

    /// The JSON form, for [`Tensors::parse`] to read.
    pub fn to_json(&self) -> Json {
        let number = |v: &f64| {
            if self.registers { json!(*v as i64) } else { json!(v) }
        };
        let row = |values: &[f64]| Json::Array(values.iter().map(number).collect());
        let rows = |values: &[f64], len| Json::Array(values.chunks(len).map(row).collect());
        let planes = self.conv_weight.chunks(KERNEL * FILTERS).map(|plane| rows(plane, FILTERS));
        json!({
            "conv_weight": Json::Array(planes.collect()),
            "conv_bias": row(&self.conv_bias),
            "dense_weight": rows(&self.dense_weight, HIDDEN),
            "dense_bias": row(&self.dense_bias),
        })
    }

    /// The integers under `contract` for the given layer arithmetic.
    ///
    /// Masters become registers as `floor(w · 2^f)` under the silicon contract and as `round_half_even(w · 2^f)` under
    /// QKeras', saturated to the weights' format. Register values that do not fit are an error.
    pub fn model(
        &self,
        contract: Contract,
        input: Input,
        [conv, dense]: [LayerArithmetic; 2],
    ) -> std::result::Result<EncoderModel, Diagnostic> {
        let registers = |values: &[f64], arithmetic: &LayerArithmetic| -> Vec<i64> {
            let range = arithmetic.weight.range;
            let scale = 2f64.powi(arithmetic.weight.frac);
            let round = |v: f64| match contract {
                Contract::Silicon => (v * scale).floor(),
                Contract::Qkeras => (v * scale).round_ties_even(),
            };
            let register = |v: &f64| {
                if self.registers { *v } else { round(*v).clamp(range.lo() as f64, range.hi() as f64) }
            };
            values.iter().map(|v| register(v) as i64).collect()
        };
        let taps = registers(&self.conv_weight, &conv);
        let filter = |f: usize| taps.iter().skip(f).step_by(FILTERS).copied().collect();
        let model = EncoderModel {
            contract,
            input,
            conv: Layer {
                weights: (0..FILTERS).map(filter).collect(),
                bias: registers(&self.conv_bias, &conv),
                arithmetic: conv,
            },
            dense: Layer {
                weights: registers(&self.dense_weight, &dense).chunks(HIDDEN).map(<[i64]>::to_vec).collect(),
                bias: registers(&self.dense_bias, &dense),
                arithmetic: dense,
            },
        };
        model.validate()?;
        Ok(model)
    }
}

/// The register values of a model, back in the order of the JSON keys.
pub fn registers_of(model: &EncoderModel) -> Tensors {
    let reals = |values: &[i64]| values.iter().map(|v| *v as f64).collect::<Vec<_>>();
    let rows = &model.conv.weights;
    Tensors {
        conv_weight: (0..KERNEL * KERNEL).flat_map(|tap| rows.iter().map(move |row| row[tap] as f64)).collect(),
        conv_bias: reals(&model.conv.bias),
        dense_weight: reals(&model.dense.weights.concat()),
        dense_bias: reals(&model.dense.bias),
        registers: true,
    }
}

/// Appends the numbers of a nested array of exactly this shape.
fn collect(
    value: &Json,
    shape: &[usize],
    path: &str,
    numbers: &mut Vec<serde_json::Number>,
) -> std::result::Result<(), String> {
    match (shape, value) {
        ([], Json::Number(number)) => {
            numbers.push(number.clone());
            Ok(())
        }
        ([len, inner @ ..], Json::Array(items)) if items.len() == *len => {
            items.iter().enumerate().try_for_each(|(i, item)| collect(item, inner, &format!("{path}[{i}]"), numbers))
        }
        ([], other) => Err(format!("`{path}`: expected a number, found {}", kind(other))),
        ([len, ..], Json::Array(items)) => Err(format!("`{path}`: expected {len} entries, found {}", items.len())),
        ([len, ..], other) => Err(format!("`{path}`: expected an array of {len}, found {}", kind(other))),
    }
}

fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "a truth value",
        Json::Number(_) => "a number",
        Json::String(_) => "text",
        Json::Array(_) => "an array",
        Json::Object(_) => "an object",
    }
}

/// What the user chose about the numbers of an encoder; `None` is the contract's default.
#[derive(Debug, Clone)]
pub struct Choice<'a> {
    /// Weights to use instead of the shipped ones.
    pub file: Option<&'a Path>,
    /// The arithmetic.
    pub contract: Contract,
    /// What enters the block.
    pub input: Input,
    /// Widths given on the command line.
    pub bits: Option<u32>,
    /// Weight width given on the command line.
    pub weight_bits: Option<u32>,
    /// Output width given on the command line.
    pub output_bits: Option<u32>,
}

impl Choice<'_> {
    /// The model: shipped masters, JSON weights or masters, or a trained network with its own formats.
    pub fn model(&self) -> Result<EncoderModel> {
        let Some(file) = self.file else {
            return Tensors::shipped().model(self.contract, self.input, self.layers()).map_err(Failure::user);
        };
        let name = file.display().to_string();
        let in_file = |d: Diagnostic| Failure::user(d.at(name.clone(), "in this file"));
        let bytes = bounded::read("read the model", file, bounded::TEXT)?;
        if bytes.starts_with(b"\x89HDF\r\n\x1a\n") {
            let network = super::keras::read(bytes).map_err(in_file)?;
            return network.model(self).map_err(in_file);
        }
        let text = String::from_utf8(bytes)
            .map_err(|_| in_file(Diagnostic::error("json", "this is neither JSON text nor an HDF5 file")))?;
        let tensors = Tensors::parse(&text, &name).map_err(Failure::user)?;
        tensors.model(self.contract, self.input, self.layers()).map_err(in_file)
    }

    /// The arithmetic of both layers with the contract's formats.
    pub fn layers(&self) -> [LayerArithmetic; 2] {
        let chip = Widths::CHIP;
        let widths = Widths {
            bits: self.bits.unwrap_or(chip.bits),
            weight_bits: self.weight_bits.unwrap_or(chip.weight_bits),
            output_bits: self.output_bits.unwrap_or(chip.output_bits),
        };
        layers(self.contract, widths)
    }
}
