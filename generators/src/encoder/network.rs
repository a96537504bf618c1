//! The encoder as an integer graph, and its data path: combinational, to be cut into pipeline stages afterwards.

use std::sync::Arc;

use hdl::dfg::{Module, ModuleBuilder};
use hdl::diag::{Diagnostic, Diagnostics};
use hdl::num::Format;

use super::arithmetic::Product;
use super::geometry::{CELLS, FILTERS, HIDDEN, KERNEL, OUTPUTS, SIDE, STRIDE, cell_at};
use super::model::{EncoderModel, Input, Layer};
use crate::arith::{Arithmetic, Effort};
use crate::model::block::front_end::{self, FrontEndSettings};
use crate::model::block::normaliser::{ModuleSum, Normaliser};
use crate::model::{
    Array, Block, Graph, Layer as GraphLayer, Limit, Multiplication, Op, Output, ProductRule, Requantise, TensorId,
    WeightStore, Window,
};
use crate::network::{self, ports::Ports};

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

/// An encoder as an integer graph, with the tensors that matter outside.
#[derive(Debug, Clone)]
pub struct EncoderNetwork {
    /// The graph. Its outputs are the module sum, unless the input is normalised, and the latent values.
    pub graph: Graph,
    /// The module sum as a 5E+4M float; none without normaliser.
    pub module_sum: Option<TensorId>,
    /// What the convolution sees, 48 values.
    pub normalised: TensorId,
    /// The convolution's results, 128 values.
    pub hidden: TensorId,
    /// The latent values, 16.
    pub encoded: TensorId,
}

/// Name of the input port.
pub fn input_port(input: Input, front_end: bool) -> &'static str {
    match (input, front_end) {
        (Input::Normalised, _) => "normalised",
        (Input::Calq, false) => "calq",
        (Input::Calq, true) => "link",
    }
}

impl EncoderModel {
    /// The integer graph of the encoder with these parts, whose input is called as [`input_port`] says.
    ///
    /// # Errors
    /// Formats that do not fit together.
    pub fn network(&self, parts: Parts) -> Result<EncoderNetwork, Diagnostic> {
        self.validate()?;
        let front_end = parts.front_end && self.input == Input::Calq;
        let range = match front_end {
            true => (0, (1 << front_end::CODE_BITS) - 1),
            false => limits(self.input_format()),
        };
        let name = input_port(self.input, parts.front_end).to_owned();
        let input = crate::model::Input { name, shape: vec![CELLS], range, encode: None };
        let mut graph = Graph::new("encoder", vec![input])?;
        let mut cells = TensorId(0);
        if front_end {
            let block = Block::FrontEnd(FrontEndSettings::default());
            cells = push(&mut graph, "front_end", Op::Block(block), cells)?;
        }
        let mut module_sum = None;
        if self.input == Input::Calq {
            let block = Normaliser { bits: self.conv.arithmetic.input.range.width() };
            let charges = cells;
            cells = push(&mut graph, "normaliser", Op::Block(Block::Normaliser(block)), charges)?;
            module_sum = Some(push(&mut graph, "module_sum", Op::Block(Block::ModuleSum(ModuleSum {})), charges)?);
        }
        let image = image(&mut graph, cells)?;
        let conv = self.conv.convolution(parts.storage)?;
        let conv = push(&mut graph, "conv", conv, image)?;
        let conv = push(&mut graph, "conv_output", self.conv.requantise(), conv)?;
        // the dense layer sees row, column, filter
        let turned = push(&mut graph, "conv_turned", Op::Transpose { axes: vec![0, 2, 3, 1] }, conv)?;
        let hidden = push(&mut graph, "hidden", Op::Reshape { shape: vec![HIDDEN] }, turned)?;
        let dense = push(&mut graph, "dense", self.dense.dense(parts.storage)?, hidden)?;
        let encoded = push(&mut graph, "dense_output", self.dense.requantise(), dense)?;
        let ports = module_sum.map(|sum| ("module_sum", sum)).into_iter().chain([("encoded", encoded)]);
        for (name, tensor) in ports {
            graph.output(Output { name: name.into(), tensor, decode: None })?;
        }
        Ok(EncoderNetwork { graph, module_sum, normalised: cells, hidden, encoded })
    }
}

fn push(graph: &mut Graph, name: &str, op: Op, operand: TensorId) -> Result<TensorId, Diagnostic> {
    graph.push(GraphLayer { name: name.into(), op, inputs: vec![operand], scale: None })
}

/// The 8×8 image of the cells, one channel; what no cell fills is zero.
fn image(graph: &mut Graph, cells: TensorId) -> Result<TensorId, Diagnostic> {
    let padded = push(graph, "cells", Op::Pad { begin: vec![0], end: vec![1], value: 0 }, cells)?;
    let places = (0..SIDE * SIDE).map(|place| cell_at(place / SIDE, place % SIDE).unwrap_or(CELLS));
    let placed = push(graph, "places", Op::Gather { axis: 0, indices: places.collect() }, padded)?;
    push(graph, "image", Op::Reshape { shape: vec![1, 1, SIDE, SIDE] }, placed)
}

impl Layer {
    /// The convolution: 8 filters 3×3 with stride 2, padded at the bottom and right only.
    fn convolution(&self, storage: Storage) -> Result<Op, Diagnostic> {
        let window = Window {
            kernel: vec![KERNEL; 2],
            strides: vec![STRIDE; 2],
            dilations: vec![1; 2],
            pads_begin: vec![0; 2],
            pads_end: vec![1; 2],
        };
        let weights = Array { shape: vec![FILTERS, 1, KERNEL, KERNEL], values: self.weights.concat() };
        let (bias, multiplication) = self.multiplication(storage)?;
        Ok(Op::Convolution { weights, bias, window, groups: 1, multiplication })
    }

    fn dense(&self, storage: Storage) -> Result<Op, Diagnostic> {
        let weights = Array { shape: vec![OUTPUTS, HIDDEN], values: self.weights.concat() };
        let (bias, multiplication) = self.multiplication(storage)?;
        Ok(Op::Dense { weights, bias, multiplication })
    }

    /// How products are cut and where the weights are; biases in registers are as they are, others in units of the
    /// accumulator's last place, what they have below it floored away.
    fn multiplication(&self, storage: Storage) -> Result<(Vec<i64>, Multiplication), Diagnostic> {
        let arithmetic = &self.arithmetic;
        let product_frac = arithmetic.input.frac + arithmetic.weight.frac;
        let product = match arithmetic.product {
            Product::FloorTo(frac) if frac > product_frac && arithmetic.input.frac < 0 => {
                let message = format!("a product of {product_frac} fraction bits cannot be floored to {frac}");
                return Err(Diagnostic::error("model", message));
            }
            Product::FloorTo(frac) if frac < product_frac => ProductRule::Floored { bits: product_frac.abs_diff(frac) },
            Product::FloorTo(_) | Product::Exact => ProductRule::Exact,
        };
        let bias_shift = self.accumulator_frac() - arithmetic.weight.frac;
        Ok(match storage {
            Storage::Programmable => {
                let store = WeightStore::Registers { width: arithmetic.weight.range.width(), bias_shift };
                (self.bias.clone(), Multiplication { product, store })
            }
            Storage::Fixed => {
                let bias = self.bias.iter().map(|bias| shifted(*bias, bias_shift)).collect();
                (bias, Multiplication { product, store: WeightStore::Fixed })
            }
        })
    }

    /// Fraction bits of the sums.
    fn accumulator_frac(&self) -> i32 {
        let product_frac = self.arithmetic.input.frac + self.arithmetic.weight.frac;
        product_frac.min(self.arithmetic.accumulator_frac())
    }

    /// `saturate(round(max(sum, 0)))`: the format is unsigned, so that saturating to it is the ReLU as well.
    fn requantise(&self) -> Op {
        let quantiser = self.arithmetic.quantiser();
        let (lo, hi) = limits(self.arithmetic.output);
        Op::Requantise(Requantise {
            drop: self.accumulator_frac() - quantiser.frac,
            rounding: quantiser.rounding,
            limit: Limit::Saturate { lo, hi },
        })
    }
}

/// Least and greatest integer.
pub(super) fn limits(format: Format) -> (i64, i64) {
    (format.range.lo() as i64, format.range.hi() as i64)
}

/// `floor(value · 2^by)`.
fn shifted(value: i64, by: i32) -> i64 {
    if by >= 0 { value << by } else { value >> by.unsigned_abs().min(63) }
}

/// The data path of `model`.
///
/// | port | elements | there if |
/// |---|---|---|
/// | `calq` | 48 × u22.0 | the input is CALQ, without front end |
/// | `normalised` | 48 integers of the convolution's input format | the input is normalised |
/// | `link` | 48 × u7.0, four to a 28-bit word | with front end |
/// | `select`, `calibration`, `high_density` | 48 × u6.0, 48 × u12.0, u1.0, timeless | with front end |
/// | `weights` | 2144 integers of the weights' format, timeless, in register order | programmable |
/// | out `module_sum` | u9.0, a 5E+4M float | unless the input is normalised |
/// | out `encoded` | 16 × the output format | always |
///
/// Products are made as `arithmetic` says: those of fixed weights are constant ones, those of programmable weights and the
/// front end's calibration are not.
///
/// # Errors
/// Those of [`EncoderModel::network`] and of building the graph.
pub fn datapath(
    name: &str,
    model: &EncoderModel,
    parts: Parts,
    arithmetic: Arithmetic,
) -> Result<Arc<Module>, Diagnostics> {
    let network = model.network(parts)?;
    let m = ModuleBuilder::new(name);
    let ports = Ports::of(&network.graph, name);
    let tensors = network::tensors(&m, &network.graph, &ports, Some(Effort::Fast), arithmetic)?;
    if let Some(sum) = network.module_sum {
        m.output_array("module_sum", &tensors[sum.index()]);
    }
    let output = model.dense.arithmetic.output;
    let encoded: Vec<_> = tensors[network.encoded.index()].iter().map(|v| v.with_frac(output.frac)).collect();
    m.output_port("encoded", &encoded, &[output; OUTPUTS]);
    m.finish()
}
