//! The encoder as a data path: combinational, to be cut into pipeline stages afterwards.

use std::sync::Arc;

use hdl::dfg::{Module, ModuleBuilder, Stamp, Value};
use hdl::diag::Diagnostics;
use hdl::num::Format;

use super::arithmetic::Product;
use super::front_end;
use super::geometry::{CELLS, FILTERS, HIDDEN, OUTPUTS, positions, window};
use super::model::{EncoderModel, Input, Layer};
use super::normaliser;
use super::registers::{WEIGHTS, index};

/// Where the weights are.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Storage {
    /// Built into the adders.
    Fixed,
    /// In registers that are written at run time.
    Programmable,
}

/// Which parts the data path has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parts {
    /// Where the weights are.
    pub storage: Storage,
    /// Whether it begins at the link's floats instead of the charges.
    pub front_end: bool,
}

/// A weight on its way into a product.
#[derive(Debug, Clone, Copy)]
enum Weight<'m> {
    Constant(i64),
    Register(Value<'m>),
}

/// The data path of `model`.
///
/// | port | elements | there if |
/// |---|---|---|
/// | `calq` | 48 × u22.0 | the input is CALQ, without front end |
/// | `normalised` | 48 × the convolution's input format | the input is normalised |
/// | `link` | 48 × u7.0, four to a 28-bit word | with front end |
/// | `select`, `calibration`, `high_density` | 48 × u6.0, 48 × u12.0, u1.0, timeless | with front end |
/// | `weights` | 2144 × the weights' format, timeless, in register order | programmable |
/// | out `encoded` | 16 × the output format | always |
/// | out `module_sum` | u9.0, a 5E+4M float | unless the input is normalised |
pub fn datapath(
    name: &str,
    model: &EncoderModel,
    parts: Parts,
) -> Result<Arc<Module>, Diagnostics> {
    let m = ModuleBuilder::new(name);
    let cells = m.scope("input", || input(&m, model, parts));
    let weights = match parts.storage {
        Storage::Fixed => None,
        Storage::Programmable => {
            let format = model.conv.arithmetic.weight.format();
            Some(m.input_port("weights", vec![format; WEIGHTS], Stamp::TIMELESS))
        }
    };
    let normalised = match model.input {
        Input::Normalised => cells,
        Input::Calq => {
            let normalised = m.scope("normaliser", || {
                normaliser::build(&m, &cells, model.conv.arithmetic.input.width)
            });
            m.output("module_sum", normalised.code);
            normalised.cells
        }
    };
    let hidden = m.scope("conv", || {
        convolution(&m, &model.conv, &normalised, weights.as_deref())
    });
    let encoded = m.scope("dense", || {
        dense(&m, &model.dense, &hidden, weights.as_deref())
    });
    m.output_port(
        "encoded",
        &encoded,
        &[model.dense.arithmetic.output.format(); OUTPUTS],
    );
    m.finish()
}

fn input<'m>(m: &'m ModuleBuilder, model: &EncoderModel, parts: Parts) -> Vec<Value<'m>> {
    let unsigned = |width| Format::unsigned(width, 0).expect("a few bits");
    match (model.input, parts.front_end) {
        (Input::Normalised, _) => m.input_array("normalised", CELLS, model.input_format().format()),
        (Input::Calq, false) => m.input_array("calq", CELLS, model.input_format().format()),
        (Input::Calq, true) => {
            let codes = m.input_array("link", CELLS, unsigned(front_end::CODE_BITS));
            let timeless = |name, count, width| {
                m.input_port(name, vec![unsigned(width); count], Stamp::TIMELESS)
            };
            let registers = front_end::Registers {
                select: timeless("select", CELLS, front_end::SELECT_BITS),
                calibration: timeless("calibration", CELLS, front_end::CALIBRATION_BITS),
                high_density: timeless("high_density", 1, 1)[0],
            };
            m.scope("front_end", || front_end::build(m, &codes, &registers))
        }
    }
}

fn convolution<'m>(
    m: &'m ModuleBuilder,
    layer: &Layer,
    cells: &[Value<'m>],
    registers: Option<&[Value<'m>]>,
) -> Vec<Value<'m>> {
    let weight = |f: usize, tap: usize| match registers {
        Some(registers) => Weight::Register(registers[index::conv_weight(f, tap)]),
        None => Weight::Constant(layer.weights[f][tap]),
    };
    let mut hidden = Vec::with_capacity(HIDDEN);
    for (row, column) in positions() {
        let inputs: Vec<(usize, Value<'m>)> = window(row, column)
            .map(|(tap, cell)| (tap, cells[cell]))
            .collect();
        for f in 0..FILTERS {
            let name = format!("row{row}_column{column}_filter{f}");
            let terms: Vec<_> = inputs.iter().map(|&(tap, x)| (x, weight(f, tap))).collect();
            let bias = bias(layer, f, registers.map(|r| r[index::conv_bias(f)]));
            hidden.push(m.scope(&name, || neuron(m, layer, &terms, bias)));
        }
    }
    hidden
}

fn dense<'m>(
    m: &'m ModuleBuilder,
    layer: &Layer,
    hidden: &[Value<'m>],
    registers: Option<&[Value<'m>]>,
) -> Vec<Value<'m>> {
    let weight = |o: usize, i: usize| match registers {
        Some(registers) => Weight::Register(registers[index::dense_weight(o, i)]),
        None => Weight::Constant(layer.weights[o][i]),
    };
    (0..OUTPUTS)
        .map(|o| {
            let terms: Vec<_> = hidden
                .iter()
                .enumerate()
                .map(|(i, &x)| (x, weight(o, i)))
                .collect();
            let bias = bias(layer, o, registers.map(|r| r[index::dense_bias(o)]));
            m.scope(&format!("output{o}"), || neuron(m, layer, &terms, bias))
        })
        .collect()
}

fn bias<'m>(layer: &Layer, k: usize, register: Option<Value<'m>>) -> Weight<'m> {
    match register {
        Some(register) => Weight::Register(register),
        None => Weight::Constant(layer.bias_in_accumulator(k)),
    }
}

/// `saturate(round(max(bias + Σ product(x·w), 0)))`.
fn neuron<'m>(
    m: &'m ModuleBuilder,
    layer: &Layer,
    terms: &[(Value<'m>, Weight<'m>)],
    bias: Weight<'m>,
) -> Value<'m> {
    let arithmetic = &layer.arithmetic;
    let frac = arithmetic.accumulator_frac();
    let bias = match bias {
        Weight::Constant(value) => m.constant(i128::from(value), frac),
        Weight::Register(register) => at_most(register, frac),
    };
    let products = terms.iter().map(|&(x, weight)| {
        let weight = match weight {
            Weight::Constant(value) => m.constant(i128::from(value), arithmetic.weight.frac),
            Weight::Register(register) => register,
        };
        match arithmetic.product {
            Product::Exact => x * weight,
            Product::FloorTo(frac) => at_most(x * weight, frac),
        }
    });
    let addends: Vec<Value<'m>> = products.chain([bias]).collect();
    let sum = Value::sum(&addends).expect("there is a bias");
    sum.quantise(&arithmetic.quantiser())
}

/// Floored to `frac` fraction bits if it has more.
fn at_most(value: Value<'_>, frac: i32) -> Value<'_> {
    if value.frac() > frac {
        value.truncate(frac)
    } else {
        value
    }
}
