//! The encoder as a data path: combinational, to be cut into pipeline stages afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hdl::dfg::{Module, ModuleBuilder, Stamp, Value};
use hdl::diag::{Diagnostic, Diagnostics};
use hdl::num::Format;

use super::arithmetic::Product;
use super::front_end;
use super::geometry::{CELLS, FILTERS, HIDDEN, OUTPUTS, positions, window};
use super::model::{EncoderModel, Input, Layer};
use super::normaliser;
use super::registers::{WEIGHTS, index};
use crate::arith::lower::{linear, multiples};
use crate::arith::multiply::DotProduct;
use crate::arith::{ArithError, Fabric};

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

/// One output of a layer: which inputs it sees through which of its weights.
#[derive(Debug)]
struct Neuron {
    /// Scope of its own.
    scope: String,
    /// Row of the layer's weights, and entry of its biases.
    row: usize,
    /// (input, weight in the row).
    terms: Vec<(usize, usize)>,
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
/// Programmable weights and the front end's calibration are multiplied as `dot_product` says.
pub fn datapath(
    name: &str,
    model: &EncoderModel,
    parts: Parts,
    dot_product: DotProduct,
) -> Result<Arc<Module>, Diagnostics> {
    let m = ModuleBuilder::new(name);
    let cells = m.scope("input", || input(&m, model, parts, dot_product));
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
    let registers = |weight: Place, bias: fn(usize) -> usize| {
        let values = weights.as_deref()?;
        Some(Registers {
            values,
            weight,
            bias,
            dot_product,
        })
    };
    let conv_registers = registers(index::conv_weight, index::conv_bias);
    let dense_registers = registers(index::dense_weight, index::dense_bias);
    let hidden = m.scope("conv", || {
        layer(&m, &model.conv, &convolution(), &normalised, conv_registers)
    })?;
    let encoded = m.scope("dense", || {
        layer(&m, &model.dense, &dense(), &hidden, dense_registers)
    })?;
    m.output_port(
        "encoded",
        &encoded,
        &[model.dense.arithmetic.output.format(); OUTPUTS],
    );
    m.finish()
}

fn input<'m>(
    m: &'m ModuleBuilder,
    model: &EncoderModel,
    parts: Parts,
    dot_product: DotProduct,
) -> Vec<Value<'m>> {
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
            m.scope("front_end", || {
                front_end::build(m, &codes, &registers, dot_product)
            })
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
    let neuron = |o| Neuron {
        scope: format!("output{o}"),
        row: o,
        terms: (0..HIDDEN).map(|i| (i, i)).collect(),
    };
    (0..OUTPUTS).map(neuron).collect()
}

/// From a neuron's row and a weight's place in it to the register.
type Place = fn(usize, usize) -> usize;

/// The registers of a layer, and what its products are made of.
struct Registers<'r, 'm> {
    /// All weights.
    values: &'r [Value<'m>],
    /// Where the layer's weights are among them.
    weight: Place,
    /// Where its biases are.
    bias: fn(usize) -> usize,
    dot_product: DotProduct,
}

/// `saturate(round(max(bias + Σ product(x·w), 0)))` for every neuron.
fn layer<'m>(
    m: &'m ModuleBuilder,
    layer: &Layer,
    neurons: &[Neuron],
    inputs: &[Value<'m>],
    registers: Option<Registers<'_, 'm>>,
) -> Result<Vec<Value<'m>>, Diagnostics> {
    let arithmetic = &layer.arithmetic;
    let sums = match (registers, arithmetic.product) {
        (Some(registers), _) => registered_sums(m, layer, neurons, inputs, &registers),
        (None, Product::Exact) => m.scope("products", || exact_sums(m, layer, neurons, inputs)),
        (None, Product::FloorTo(frac)) => floored_sums(m, layer, neurons, inputs, frac)?,
    };
    let quantiser = arithmetic.quantiser();
    let results = neurons.iter().zip(sums);
    Ok(results
        .map(|(neuron, sum)| m.scope(&neuron.scope, || sum.quantise(&quantiser)))
        .collect())
}

/// Weights in registers: a multiplier for each product, recoded by its weight, which many products have in common.
fn registered_sums<'m>(
    m: &'m ModuleBuilder,
    layer: &Layer,
    neurons: &[Neuron],
    inputs: &[Value<'m>],
    registers: &Registers<'_, 'm>,
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
            registers.dot_product.sum(m, &products, &[bias], floor_to)
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
) -> Vec<Value<'m>> {
    let row = |neuron: &Neuron| {
        let mut row = vec![0; inputs.len()];
        neuron
            .terms
            .iter()
            .for_each(|&(input, place)| row[input] = layer.weights[neuron.row][place]);
        row
    };
    let matrix: Vec<Vec<i64>> = neurons.iter().map(row).collect();
    let bias: Vec<i64> = neurons
        .iter()
        .map(|neuron| layer.bias_in_accumulator(neuron.row))
        .collect();
    linear(
        m,
        inputs,
        &matrix,
        &bias,
        layer.arithmetic.weight.frac,
        &Fabric::default(),
    )
}

/// Constant weights, each product floored to `frac` fraction bits: the multiples of each input share their adders.
fn floored_sums<'m>(
    m: &'m ModuleBuilder,
    layer: &Layer,
    neurons: &[Neuron],
    inputs: &[Value<'m>],
    frac: i32,
) -> Result<Vec<Value<'m>>, Diagnostics> {
    let mut wanted: Vec<BTreeSet<i64>> = vec![BTreeSet::new(); inputs.len()];
    for neuron in neurons {
        for &(input, place) in &neuron.terms {
            wanted[input].insert(layer.weights[neuron.row][place]);
        }
    }
    let product_frac = layer.arithmetic.input.frac + layer.arithmetic.weight.frac;
    let products = |(i, wanted): (usize, &BTreeSet<i64>)| {
        m.scope(&format!("multiples{i}"), || {
            let constants: Vec<i64> = wanted.iter().copied().collect();
            let multiples = multiples(m, inputs[i], &constants).map_err(too_wide)?;
            let floored = multiples
                .into_iter()
                .map(|v| at_most(v.with_frac(product_frac), frac));
            Ok(constants
                .iter()
                .copied()
                .zip(floored)
                .collect::<BTreeMap<i64, Value<'m>>>())
        })
    };
    let products: Vec<BTreeMap<i64, Value<'m>>> = wanted
        .iter()
        .enumerate()
        .map(products)
        .collect::<Result<_, Diagnostics>>()?;
    let sum = |neuron: &Neuron| {
        m.scope(&neuron.scope, || {
            let bias = m.constant(i128::from(layer.bias_in_accumulator(neuron.row)), frac);
            let row = &layer.weights[neuron.row];
            total(
                neuron
                    .terms
                    .iter()
                    .map(|&(input, place)| products[input][&row[place]])
                    .chain([bias]),
            )
        })
    };
    Ok(neurons.iter().map(sum).collect())
}

fn total<'m>(addends: impl Iterator<Item = Value<'m>>) -> Value<'m> {
    Value::sum(&addends.collect::<Vec<_>>()).expect("there is a bias")
}

fn too_wide(error: ArithError) -> Diagnostics {
    Diagnostic::error("too-wide", error.to_string()).into()
}

/// Floored to `frac` fraction bits if it has more.
fn at_most(value: Value<'_>, frac: i32) -> Value<'_> {
    if value.frac() > frac {
        value.truncate(frac)
    } else {
        value
    }
}
