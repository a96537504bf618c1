//! The network for the batch simulator: matrices are sums that it takes at once, everything else is the hardware's data path.

use hdl::dfg::{ModuleBuilder, Stamp, Value};
use hdl::diag::{Diagnostic, Diagnostics};
use hdl::num::{Format, Interval};
use sim::batch::{Linked, Sum};

use super::linear::Products;
use super::neurons::{self, Neuron, Weights};
use super::{check_size, input_values, layer_values};
use crate::arith::{Arithmetic, Effort};
use crate::model::{Graph, Multiplication, Op, WeightStore};

/// `graph` as a module whose matrices are left to the batch simulator. What the network holds in registers is what the graph
/// says that they hold. Ports are in the order of the graph's inputs and outputs, a port each.
///
/// # Errors
/// A network too large to unroll, numbers beyond what a value can hold.
pub fn linked(graph: &Graph) -> Result<Linked, Diagnostics> {
    let graph = &fixed(graph)?.simplified()?;
    check_size(graph)?;
    let m = ModuleBuilder::new("network");
    let mut sums = Sums { m: &m, sums: Vec::new(), exported: 0 };
    let mut tensors: Vec<Vec<Value<'_>>> = Vec::with_capacity(graph.inputs().len() + graph.layers().len());
    for (k, input) in graph.inputs().iter().enumerate() {
        tensors.push(input_values(&m, input, &format!("x{k}")));
    }
    let inputs = tensors.iter().map(Vec::len).sum();
    let products = Products::new(&m, Some(Effort::Fast), Arithmetic::default());
    for (k, layer) in graph.layers().iter().enumerate() {
        let operands: Vec<&[Value<'_>]> = layer.inputs.iter().map(|t| tensors[t.index()].as_slice()).collect();
        let values = match sums_of(graph, k)? {
            Some((neurons, weights)) => sums.of_layer(k, &neurons, weights, operands[0])?,
            None => {
                let held = |v: &i64| m.constant((*v).into(), 0);
                let registers = layer.op.registers();
                let registers: Vec<Vec<_>> = registers.iter().map(|r| r.values.iter().map(held).collect()).collect();
                layer_values(&m, &products, graph, k, &operands, &registers)?
            }
        };
        tensors.push(values);
    }
    let first = sums.exported;
    for (k, output) in graph.outputs().iter().enumerate() {
        m.output_array(&format!("y{k}"), &tensors[output.tensor.index()]);
    }
    let outputs: usize = graph.outputs().iter().map(|o| tensors[o.tensor.index()].len()).sum();
    let sums = sums.sums;
    Ok(Linked { module: m.finish()?, inputs, outputs: first..first + outputs, sums })
}

/// The same network with the weights that are in registers as constants.
fn fixed(graph: &Graph) -> Result<Graph, Diagnostic> {
    let mut fixed = Graph::new(&graph.name, graph.inputs().to_vec())?;
    for layer in graph.layers() {
        let mut layer = layer.clone();
        if let Op::Dense { bias, multiplication, .. } | Op::Convolution { bias, multiplication, .. } = &mut layer.op {
            bias.iter_mut().for_each(|b| *b = multiplication.added_bias(*b));
            *multiplication = Multiplication { store: WeightStore::Fixed, ..*multiplication };
        }
        fixed.push(layer)?;
    }
    graph.outputs().iter().try_for_each(|output| fixed.output(output.clone()))?;
    Ok(fixed)
}

/// The sums that layer `k` consists of, if it is a matrix.
fn sums_of(graph: &Graph, k: usize) -> Result<Option<(Vec<Neuron>, Weights<'_>)>, Diagnostic> {
    let layer = &graph.layers()[k];
    let shape = |t: usize| graph.info(layer.inputs[t]).shape.as_slice();
    Ok(match &layer.op {
        Op::Dense { weights, bias, multiplication } => {
            let neurons = neurons::of_dense(weights, shape(0).iter().product());
            Some((neurons, Weights { weights, bias, multiplication: *multiplication }))
        }
        Op::Convolution { weights, bias, window, groups, multiplication } => {
            let neurons = neurons::of_convolution(weights, shape(0), window, *groups);
            let neurons = neurons.map_err(|why| Diagnostic::bug("network", why))?;
            Some((neurons, Weights { weights, bias, multiplication: *multiplication }))
        }
        _ => None,
    })
}

/// The sums of a network, as they are met.
struct Sums<'m> {
    m: &'m ModuleBuilder,
    sums: Vec<Sum>,
    /// Output elements so far, all of them operands of sums.
    exported: usize,
}

impl<'m> Sums<'m> {
    /// The results of layer `k` on `operand`, in the order of their places.
    fn of_layer(
        &mut self,
        k: usize,
        neurons: &[Neuron],
        weights: Weights<'_>,
        operand: &[Value<'m>],
    ) -> Result<Vec<Value<'m>>, Diagnostic> {
        let first = self.exported as u32;
        self.m.output_array(&format!("operand{k}"), operand);
        self.exported += operand.len();
        let cut = weights.multiplication.cut();
        let mut formats = Vec::with_capacity(neurons.len());
        for neuron in neurons {
            let (row, bias) = (weights.row(neuron.row), weights.bias[neuron.row]);
            let (mut lo, mut hi) = (i128::from(bias), i128::from(bias));
            let mut terms = Vec::new();
            for &(element, tap) in neuron.terms.iter().filter(|(_, tap)| row[*tap] != 0) {
                let weight = i128::from(row[tap]);
                let range = operand[element].range();
                let ends = [range.lo(), range.hi()].map(|end| (end * weight) >> cut);
                lo += ends[0].min(ends[1]);
                hi += ends[0].max(ends[1]);
                terms.push((first + element as u32, row[tap]));
            }
            let range = Interval::new(lo, hi).map_err(|e| Diagnostic::error("network", e.to_string()))?;
            formats.push(Format::integer(range));
            self.sums.push(Sum { terms, bias, cut: cut as u8 });
        }
        let values = self.m.input_port(&format!("sums{k}"), formats, Stamp::at(0));
        let known = |v: Value<'m>| v.range().as_point().map_or(v, |value| self.m.constant(value, 0));
        Ok(neurons::in_place(neurons, values.into_iter().map(known).collect()))
    }
}
