//! The encoder as a data path: combinational, to be cut into pipeline stages afterwards.

use std::sync::Arc;

use hdl::dfg::{Module, ModuleBuilder, Stamp, Value};
use hdl::diag::Diagnostics;
use hdl::num::Format;

use super::arithmetic::Product;
use super::floored;
use super::front_end;
use super::geometry::{CELLS, FILTERS, HIDDEN, OUTPUTS, positions, window};
use super::model::{EncoderModel, Input, Layer};
use super::normaliser;
use super::registers::{WEIGHTS, index};
use crate::arith::multiply::DotProduct;
use crate::arith::{Arithmetic, Effort, Products};

/// Where the weights are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, clap::ValueEnum)]
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

/// One output of a layer: which inputs it sees through which of its weights.
#[derive(Debug)]
pub(super) struct Neuron {
    /// Scope of its own.
    pub scope: String,
    /// Row of the layer's weights, and entry of its biases.
    pub row: usize,
    /// (input, weight in the row).
    pub terms: Vec<(usize, usize)>,
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
///
/// Products are made as `arithmetic` says: those of fixed weights are constant ones, those of programmable weights and the
/// front end's calibration are not.
pub fn datapath(
    name: &str,
    model: &EncoderModel,
    parts: Parts,
    arithmetic: Arithmetic,
) -> Result<Arc<Module>, Diagnostics> {
    let m = ModuleBuilder::new(name);
    let cells = m.scope("input", || input(&m, model, parts, arithmetic.variables));
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
            let normalised = m.scope("normaliser", || normaliser::build(&m, &cells, model.conv.arithmetic.input.width));
            m.output("module_sum", normalised.code);
            normalised.cells
        }
    };
    let registers = |weight: Place, bias: fn(usize) -> usize| {
        let values = weights.as_deref()?;
        Some(Registers { values, weight, bias })
    };
    let conv_registers = registers(index::conv_weight, index::conv_bias);
    let dense_registers = registers(index::dense_weight, index::dense_bias);
    let (conv, neurons) = (&model.conv, convolution());
    let hidden = m.scope("conv", || outputs(&m, conv, &neurons, &normalised, conv_registers, arithmetic));
    let (last, neurons) = (&model.dense, dense());
    let encoded = m.scope("dense", || outputs(&m, last, &neurons, &hidden, dense_registers, arithmetic));
    m.output_port("encoded", &encoded, &[model.dense.arithmetic.output.format(); OUTPUTS]);
    m.finish()
}

fn input<'m>(m: &'m ModuleBuilder, model: &EncoderModel, parts: Parts, dot_product: DotProduct) -> Vec<Value<'m>> {
    let unsigned = |width| Format::unsigned(width, 0).expect("a few bits");
    match (model.input, parts.front_end) {
        (Input::Normalised, _) => m.input_array("normalised", CELLS, model.input_format().format()),
        (Input::Calq, false) => m.input_array("calq", CELLS, model.input_format().format()),
        (Input::Calq, true) => {
            let codes = m.input_array("link", CELLS, unsigned(front_end::CODE_BITS));
            let timeless = |name, count, width| m.input_port(name, vec![unsigned(width); count], Stamp::TIMELESS);
            let registers = front_end::Registers {
                select: timeless("select", CELLS, front_end::SELECT_BITS),
                calibration: timeless("calibration", CELLS, front_end::CALIBRATION_BITS),
                high_density: timeless("high_density", 1, 1)[0],
            };
            m.scope("front_end", || front_end::build(m, &codes, &registers, dot_product))
        }
    }
}

/// The 4×4×8 outputs of the convolution, position by position.
fn convolution() -> Vec<Neuron> {
    positions()
        .flat_map(|(row, column)| {
            (0..FILTERS).map(move |f| Neuron {
                scope: format!("row{row}_column{column}_filter{f}"),
                row: f,
                terms: window(row, column).map(|(tap, cell)| (cell, tap)).collect(),
            })
        })
        .collect()
}

fn dense() -> Vec<Neuron> {
    let neuron = |o| Neuron { scope: format!("output{o}"), row: o, terms: (0..HIDDEN).map(|i| (i, i)).collect() };
    (0..OUTPUTS).map(neuron).collect()
}

/// From a neuron's row and a weight's place in it to the register.
type Place = fn(usize, usize) -> usize;

/// The registers of a layer.
struct Registers<'r, 'm> {
    /// All weights.
    values: &'r [Value<'m>],
    /// Where the layer's weights are among them.
    weight: Place,
    /// Where its biases are.
    bias: fn(usize) -> usize,
}

/// `saturate(round(max(bias + Σ product(x·w), 0)))` for every neuron.
fn outputs<'m>(
    m: &'m ModuleBuilder,
    layer: &Layer,
    neurons: &[Neuron],
    inputs: &[Value<'m>],
    registers: Option<Registers<'_, 'm>>,
    arithmetic: Arithmetic,
) -> Vec<Value<'m>> {
    let sums = match (registers, layer.arithmetic.product) {
        (Some(registers), _) => registered_sums(m, layer, neurons, inputs, &registers, arithmetic.variables),
        (None, Product::Exact) => m.scope("products", || exact_sums(m, layer, neurons, inputs, arithmetic)),
        (None, Product::FloorTo(frac)) => floored::sums(m, layer, neurons, inputs, frac, arithmetic.constants),
    };
    let quantiser = layer.arithmetic.quantiser();
    let results = neurons.iter().zip(sums);
    results.map(|(neuron, sum)| m.scope(&neuron.scope, || sum.quantise(&quantiser))).collect()
}

/// Weights in registers: a multiplier for each product, recoded by its weight, which many products have in common.
fn registered_sums<'m>(
    m: &'m ModuleBuilder,
    layer: &Layer,
    neurons: &[Neuron],
    inputs: &[Value<'m>],
    registers: &Registers<'_, 'm>,
    dot_product: DotProduct,
) -> Vec<Value<'m>> {
    let arithmetic = &layer.arithmetic;
    let floor_to = match arithmetic.product {
        Product::Exact => None,
        Product::FloorTo(frac) => Some(frac),
    };
    let sum = |neuron: &Neuron| {
        m.scope(&neuron.scope, || {
            let bias = registers.values[(registers.bias)(neuron.row)];
            let bias = at_most(bias, arithmetic.accumulator_frac());
            let factors = |&(input, place): &(usize, usize)| {
                let weight = (registers.weight)(neuron.row, place);
                (inputs[input], registers.values[weight])
            };
            let products: Vec<_> = neuron.terms.iter().map(factors).collect();
            dot_product.sum(m, &products, &[bias], floor_to)
        })
    };
    neurons.iter().map(sum).collect()
}

/// Constant weights, exact sums: one matrix for the whole layer, its adders shared.
fn exact_sums<'m>(
    m: &'m ModuleBuilder,
    layer: &Layer,
    neurons: &[Neuron],
    inputs: &[Value<'m>],
    arithmetic: Arithmetic,
) -> Vec<Value<'m>> {
    let row = |neuron: &Neuron| {
        let mut row = vec![0; inputs.len()];
        neuron.terms.iter().for_each(|&(input, place)| row[input] = layer.weights[neuron.row][place]);
        row
    };
    let matrix: Vec<Vec<i64>> = neurons.iter().map(row).collect();
    let bias: Vec<i64> = neurons.iter().map(|neuron| layer.bias_in_accumulator(neuron.row)).collect();
    let products = Products::new(arithmetic, Some(Effort::Fast));
    products.linear(m, inputs, &matrix, &bias, layer.arithmetic.weight.frac)
}

/// Floored to `frac` fraction bits if it has more.
pub(super) fn at_most(value: Value<'_>, frac: i32) -> Value<'_> {
    if value.frac() > frac { value.truncate(frac) } else { value }
}
