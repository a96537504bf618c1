//! From a quantised network to a data path: one node an operation, everything unrolled, no registers yet.
//!
//! [`build`] is [`Graph::evaluate`] in hardware; elements that only move cost nothing.

pub mod dense;
pub mod design;
mod floored;
pub mod folded;
mod linear;
mod neurons;
pub mod ports;
mod registers;
pub mod simulated;
pub mod size;
#[cfg(test)]
pub(crate) mod small;
mod softmax;
mod stages;
mod stored;
pub mod streamed;
mod threshold;

use std::rc::Rc;
use std::sync::Arc;

use hdl::dfg::{Module, ModuleBuilder, Stamp, Value};
use hdl::diag::{Diagnostic, Diagnostics};
use hdl::names::quoted;
use hdl::num::{Format, Interval};

use linear::Products;
use neurons::{Neuron, Weights};
use ports::{Ports, identifier};

use crate::arith::{self, Arithmetic, Effort};
use crate::model::block::Site;
use crate::model::{Array, Decode, Graph, Input, Layer, Op, PoolKind, RegisterArray, TensorInfo, WeightStore, moved};
use crate::progress;

/// Most products that are unrolled.
const MAX_PRODUCTS: u64 = 1 << 23;

/// The network as a combinational module: one input port an input, one output port an output, elements row-major with
/// the first at the least significant end.
///
/// Ports have the fraction bits of their scale where that is a power of two. Adders of constant products are shared as
/// far as one greedy pass finds.
///
/// # Errors
/// A name that is no Verilog identifier, a network too large to unroll, numbers beyond what a value can hold.
pub fn build(graph: &Graph, name: &str) -> Result<Arc<Module>, Diagnostics> {
    build_with(graph, name, Some(Effort::Fast), Arithmetic::default())
}

/// As [`build`], with what products are made of, and with an effort of the search for shared sums that holds for each
/// matrix; without one, it is normal for matrices of at most 4096 weights.
///
/// # Errors
/// As [`build`].
pub fn build_with(
    graph: &Graph,
    name: &str,
    effort: Option<Effort>,
    arithmetic: Arithmetic,
) -> Result<Arc<Module>, Diagnostics> {
    check_fixed(graph)?;
    let graph = &graph.simplified()?;
    let m = ModuleBuilder::new(name);
    let ports = Ports::of(graph, name);
    let tensors = tensors(&m, graph, &ports, effort, arithmetic)?;
    for (output, port) in graph.outputs().iter().zip(&ports.outputs) {
        let frac = output.decode.as_ref().map_or(0, fraction_bits);
        let values: Vec<Value<'_>> = tensors[output.tensor.index()].iter().map(|v| v.with_frac(frac)).collect();
        m.output_array(port, &values);
    }
    m.finish()
}

/// The values of all tensors of `graph` in module `m`, whose input ports are made here. What is written at run time comes
/// in by timeless ports behind them.
///
/// # Errors
/// As [`build`].
pub(crate) fn tensors<'m>(
    m: &'m ModuleBuilder,
    graph: &Graph,
    ports: &Ports,
    effort: Option<Effort>,
    arithmetic: Arithmetic,
) -> Result<Vec<Vec<Value<'m>>>, Diagnostics> {
    graph.check()?;
    check_size(graph)?;
    let products = Products::new(m, effort, arithmetic);
    let mut tensors: Vec<Vec<Value<'m>>> = Vec::with_capacity(graph.inputs().len() + graph.layers().len());
    for (input, port) in graph.inputs().iter().zip(&ports.inputs) {
        tensors.push(input_values(m, input, port));
    }
    let mut registers = register_values(m, graph);
    for (k, layer) in graph.layers().iter().enumerate() {
        progress::at(format_args!("layer {} of {}: {}", k + 1, graph.layers().len(), quoted(&layer.name)))?;
        let operands: Vec<&[Value<'_>]> = layer.inputs.iter().map(|t| tensors[t.index()].as_slice()).collect();
        let values = layer_values(m, &products, graph, k, &operands, &std::mem::take(&mut registers[k]))?;
        tensors.push(values);
    }
    Ok(tensors)
}

/// For each layer the values of its register arrays, out of a port for each name.
fn register_values<'m>(m: &'m ModuleBuilder, graph: &Graph) -> Vec<Vec<Vec<Value<'m>>>> {
    let arrays: Vec<Vec<RegisterArray>> = graph.layers().iter().map(|layer| layer.op.registers()).collect();
    let mut ports: Vec<(&str, Vec<Format>)> = Vec::new();
    for array in arrays.iter().flatten() {
        let formats = vec![Format::integer(array.range); array.values.len()];
        match ports.iter_mut().find(|(name, _)| *name == array.port) {
            Some((_, all)) => all.extend(formats),
            None => ports.push((array.port, formats)),
        }
    }
    let port =
        |(name, formats): (&'static str, Vec<Format>)| (name, m.input_port(name, formats, Stamp::TIMELESS).into_iter());
    let mut ports: Vec<_> = ports.into_iter().map(port).collect();
    let mut take = |array: &RegisterArray| {
        let (_, values) = ports.iter_mut().find(|(name, _)| *name == array.port).expect("there is a port for each");
        values.take(array.values.len()).collect()
    };
    arrays.iter().map(|of_layer| of_layer.iter().map(&mut take).collect()).collect()
}

/// An error if anything is written at run time, for which a network by itself has no port.
pub(crate) fn check_fixed(graph: &Graph) -> Result<(), Diagnostic> {
    match graph.layers().iter().find(|layer| !layer.op.registers().is_empty()) {
        Some(layer) => {
            let message = format!("layer {} has registers that are written at run time", quoted(&layer.name));
            Err(Diagnostic::error("network", message)
                .help("only the encoder has a port for them: let weights be fixed"))
        }
        None => Ok(()),
    }
}

/// The elements of an input out of a port, each as wide as its own range asks for; one that is a constant is that constant.
fn input_values<'m>(m: &'m ModuleBuilder, input: &Input, port: &str) -> Vec<Value<'m>> {
    let ranges = input.ranges().into_iter();
    let formats = ranges.map(|(lo, hi)| Format::integer(interval(lo, hi))).collect();
    let elements = m.input_port(port, formats, Stamp::at(0)).into_iter();
    let known = |x: Value<'m>| x.range().as_point().map_or(x, |value| m.constant(value, 0));
    elements.map(known).collect()
}

/// One format for all elements of an input.
fn input_format(input: &Input) -> Format {
    Format::integer(interval(input.range.0, input.range.1))
}

fn interval(lo: i64, hi: i64) -> Interval {
    Interval::new(lo.into(), hi.into()).expect("checked when the graph was built")
}

/// The result of layer `k` for these operands.
fn layer_values<'m>(
    m: &'m ModuleBuilder,
    products: &Products<'m>,
    graph: &Graph,
    k: usize,
    operands: &[&[Value<'m>]],
    registers: &[Vec<Value<'m>>],
) -> Result<Vec<Value<'m>>, Diagnostic> {
    let layer = &graph.layers()[k];
    let operands: Vec<Operand<'_, 'm>> =
        layer.inputs.iter().zip(operands).map(|(t, values)| Operand { values, info: graph.info(*t) }).collect();
    let result = graph.info(graph.result(k));
    m.scope(&identifier(&layer.name), || values(m, products, layer, &operands, registers, result))
}

/// A tensor of a layer's operands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operand<'a, 'm> {
    /// Its elements in row-major order.
    pub values: &'a [Value<'m>],
    /// Its shape and range.
    pub info: &'a TensorInfo,
}

/// The result, of the shape and range `result`, of a layer without registers for these operands, which need not be whole
/// tensors of its graph.
///
/// # Errors
/// Operands that do not fit.
pub(crate) fn layer_on<'m>(
    m: &'m ModuleBuilder,
    products: &Rc<arith::Products>,
    layer: &Layer,
    operands: &[Operand<'_, 'm>],
    result: &TensorInfo,
) -> Result<Vec<Value<'m>>, Diagnostic> {
    let products = Products::shared(m, Rc::clone(products));
    m.scope(&identifier(&layer.name), || values(m, &products, layer, operands, &[], result))
}

fn check_size(graph: &Graph) -> Result<(), Diagnostic> {
    let inspection = graph.inspect();
    for row in &inspection.layers {
        if row.additions + row.multiplies > MAX_PRODUCTS {
            return Err(Diagnostic::error(
                "network-size",
                format!("layer {} needs {} additions, more than can be unrolled", quoted(&row.name), row.additions),
            )
            .help("fold the network with a reuse factor, or make the layer smaller"));
        }
    }
    Ok(())
}

/// Fraction bits of a scale that is a power of two; 0 for any other.
fn fraction_bits(decode: &Decode) -> i32 {
    match decode.unit.as_scalar() {
        Some(unit) if decode.steps.is_empty() && *unit > 0.0 && unit.log2().fract() == 0.0 => -unit.log2() as i32,
        _ => 0,
    }
}

fn values<'m>(
    m: &'m ModuleBuilder,
    products: &Products<'m>,
    layer: &Layer,
    operands: &[Operand<'_, 'm>],
    registers: &[Vec<Value<'m>>],
    result: &TensorInfo,
) -> Result<Vec<Value<'m>>, Diagnostic> {
    let constant = |value: i64| m.constant(value.into(), 0);
    if let Op::Constant(array) = &layer.op {
        return Ok(array.values.iter().map(|v| constant(*v)).collect());
    }
    let Operand { values: x, info } = &operands[0];
    let misfit = |why: String| Diagnostic::bug("network", format!("layer {}: {why}", quoted(&layer.name)));
    if let Some(moved) = moved(&layer.op, &info.shape) {
        let fill = if let Op::Pad { value, .. } = layer.op { constant(value) } else { constant(0) };
        let sources = moved.map_err(misfit)?.sources;
        return Ok(sources.iter().map(|s| s.map_or(fill, |i| x[i as usize])).collect());
    }
    let each = |f: &dyn Fn(Value<'m>) -> Value<'m>| x.iter().map(|v| f(*v)).collect::<Vec<_>>();
    let both = |f: &dyn Fn(Value<'m>, Value<'m>) -> Value<'m>| {
        let y = &operands[1];
        let a = stretched(x, &info.shape, &result.shape);
        let b = stretched(y.values, &y.info.shape, &result.shape);
        a.into_iter().zip(b).map(|(a, b)| f(a, b)).collect::<Vec<_>>()
    };
    Ok(match &layer.op {
        Op::Dense { weights, bias, multiplication } => {
            let layer = Weights { weights, bias, multiplication: *multiplication };
            match multiplication.is_plain() {
                true => linear::dense(products, x, weights, bias),
                false => single_sums(m, products, layer, &neurons::of_dense(weights, x.len()), x, registers),
            }
        }
        Op::Convolution { weights, bias, window, groups, multiplication } => {
            let layer = Weights { weights, bias, multiplication: *multiplication };
            if multiplication.is_plain() {
                linear::convolution(products, x, &info.shape, weights, bias, window, *groups).map_err(misfit)?
            } else {
                let neurons = neurons::of_convolution(weights, &info.shape, window, *groups).map_err(misfit)?;
                single_sums(m, products, layer, &neurons, x, registers)
            }
        }
        Op::Block(block) => {
            let operands: Vec<&[Value<'m>]> = operands.iter().map(|operand| operand.values).collect();
            block.part().build(Site { m, operands: &operands, registers, products: products.all() })
        }
        Op::MatMul => {
            linear::matrix_product(products, x, &info.shape, operands[1].values, &operands[1].info.shape, &result.shape)
        }
        Op::Pool { kind, window } => {
            let positions = window.positions(&info.shape[2..]).map_err(misfit)?;
            let pixels = info.shape[2..].iter().product();
            let one = |plane: &[Value<'m>], taps: &[(u32, u32)]| {
                let seen: Vec<_> = taps.iter().map(|&(_, p)| plane[p as usize]).collect();
                combined(m, *kind, &seen)
            };
            x.chunks(pixels)
                .flat_map(|plane| positions.iter().map(|taps| one(plane, taps)).collect::<Vec<_>>())
                .collect()
        }
        Op::Reduce { kind, axes } => {
            groups(&info.shape, axes).iter().map(|group| combined(m, *kind, &picked(x, group))).collect()
        }
        Op::ArgMax { axis } => {
            groups(&info.shape, &[*axis]).iter().map(|group| first_greatest(m, &picked(x, group))).collect()
        }
        Op::Softmax(softmax) => {
            let mut shares = vec![constant(0); x.len()];
            for group in groups(&info.shape, &[softmax.axis]) {
                let values = softmax::shares(m, &picked(x, &group), softmax);
                group.iter().zip(values).for_each(|(&i, v)| shares[i] = v);
            }
            shares
        }
        Op::Add => both(&|a, b| a + b),
        Op::Sub => both(&|a, b| a - b),
        Op::Mul => both(&|a, b| products.product(a, b)),
        Op::Min => both(&|a, b| a.min(b)),
        Op::Max => both(&|a, b| a.max(b)),
        Op::And => both(&|a, b| a & b),
        Op::Or => both(&|a, b| a | b),
        Op::Xor => both(&|a, b| a ^ b),
        Op::Relu => each(&|v| v.relu()),
        Op::LeakyRelu { positive, negative } => each(&|v| {
            let negative_part = v * constant(*negative);
            v.lt(constant(0)).mux(negative_part, v * constant(*positive))
        }),
        Op::Clamp { lo, hi } => each(&|v| v.max(constant(*lo)).min(constant(*hi))),
        Op::Requantise(r) => each(&|v| r.build(m, v)),
        Op::RequantiseEach { formats } => {
            let rows = stretched_indices(formats, &info.shape);
            x.iter().zip(rows).map(|(v, k)| formats.values[k as usize].build(m, *v)).collect()
        }
        Op::Threshold { functions } => {
            let rows = stretched_indices(functions, &info.shape);
            x.iter().zip(rows).map(|(v, k)| threshold::step_function(m, *v, &functions.values[k as usize])).collect()
        }
        Op::Table { first, values } => {
            let entries: Vec<i128> = values.iter().map(|v| i128::from(*v)).collect();
            // a folded matrix gives sums of whole widths, of which the table has only those that can be
            let known = |v: Value<'m>| match info.range.covers(v.range()) {
                true => v,
                false => v.saturate(info.range),
            };
            each(&|v| (known(v) - constant(*first)).lookup(&entries, 0))
        }
        Op::Concat { axis } => concatenated(operands, *axis),
        Op::Constant(_)
        | Op::Reshape { .. }
        | Op::Transpose { .. }
        | Op::Slice { .. }
        | Op::Pad { .. }
        | Op::Gather { .. } => unreachable!("handled above"),
    })
}

/// Sums whose products are added one by one: they are cut before, or their weights are not known.
fn single_sums<'m>(
    m: &'m ModuleBuilder,
    products: &Products<'m>,
    layer: Weights<'_>,
    neurons: &[Neuron],
    x: &[Value<'m>],
    registers: &[Vec<Value<'m>>],
) -> Vec<Value<'m>> {
    let Arithmetic { constants, variables } = products.arithmetic();
    let sums = match layer.multiplication.store {
        WeightStore::Fixed => floored::sums(m, layer, neurons, x, constants),
        WeightStore::Registers { bias_shift, .. } => {
            stored::sums(m, layer, neurons, x, &registers[0], bias_shift, variables)
        }
    };
    neurons::in_place(neurons, sums)
}

/// Floored to `frac` fraction bits if it has more.
fn at_most(value: Value<'_>, frac: i32) -> Value<'_> {
    if value.frac() > frac { value.truncate(frac) } else { value }
}

fn stretched_indices<V: Clone>(array: &Array<V>, shape: &[usize]) -> Vec<u32> {
    array.indices(shape).expect("checked when the graph was built")
}

fn stretched<'m>(values: &[Value<'m>], from: &[usize], to: &[usize]) -> Vec<Value<'m>> {
    let array = Array { shape: from.to_vec(), values: values.to_vec() };
    array.stretched(to).expect("checked when the graph was built")
}

fn picked<'m>(x: &[Value<'m>], group: &[usize]) -> Vec<Value<'m>> {
    group.iter().map(|&i| x[i]).collect()
}

/// For each element of the shape without `axes` the elements that belong to it.
fn groups(shape: &[usize], axes: &[usize]) -> Vec<Vec<usize>> {
    let mut reduced = shape.to_vec();
    axes.iter().for_each(|&a| reduced[a] = 1);
    let count = reduced.iter().product::<usize>();
    let numbers = Array { shape: reduced, values: (0..count).collect() };
    let mut groups = vec![Vec::new(); count];
    let owners = numbers.stretched(shape).expect("extent 1 stretches");
    owners.into_iter().enumerate().for_each(|(i, group)| groups[group].push(i));
    groups
}

fn combined<'m>(m: &'m ModuleBuilder, kind: PoolKind, values: &[Value<'m>]) -> Value<'m> {
    let result = match kind {
        PoolKind::Sum => Value::sum(values),
        PoolKind::Max => Value::tree(values, |a, b| a.max(b)),
    };
    result.unwrap_or_else(|| m.constant(0, 0))
}

/// Position of the greatest value, the first of equals: a tree of comparisons that carries positions along.
fn first_greatest<'m>(m: &'m ModuleBuilder, values: &[Value<'m>]) -> Value<'m> {
    let mut level: Vec<(Value<'m>, Value<'m>)> =
        values.iter().enumerate().map(|(i, v)| (*v, m.constant(i as i128, 0))).collect();
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match *pair {
                [(a, i), (b, j)] => (a.max(b), a.lt(b).mux(j, i)),
                _ => pair[0],
            })
            .collect();
    }
    level[0].1
}

fn concatenated<'m>(operands: &[Operand<'_, 'm>], axis: usize) -> Vec<Value<'m>> {
    let outer: usize = operands[0].info.shape[..axis].iter().product();
    let mut values = Vec::new();
    for o in 0..outer {
        for operand in operands {
            let block: usize = operand.info.shape[axis..].iter().product();
            values.extend_from_slice(&operand.values[o * block..(o + 1) * block]);
        }
    }
    values
}
