//! The meaning of a graph in plain integers, and of its ends in 32-bit floating point.

use hdl::diag::Diagnostic;
use hdl::names::quoted;

use super::array::Array;
use super::graph::{Graph, Layer, TensorId, TensorInfo};
use super::movement::moved;
use super::multiply::Multiplication;
use super::op::{Op, PoolKind};
use super::real::{Quantiser, Step, chain};
use super::shape::spatial;
use super::softmax;
use super::window::Window;

/// Every tensor of a graph for one set of inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    tensors: Vec<Vec<i64>>,
    outputs: Vec<TensorId>,
}

impl Evaluation {
    /// The elements of a tensor in row-major order.
    pub fn tensor(&self, tensor: TensorId) -> &[i64] {
        &self.tensors[tensor.index()]
    }

    /// The outputs in order.
    pub fn outputs(&self) -> Vec<&[i64]> {
        self.outputs.iter().map(|t| self.tensor(*t)).collect()
    }
}

/// How one input's integers come from the source framework's numbers.
#[derive(Debug, Clone)]
pub struct Encoder<'g> {
    name: &'g str,
    count: usize,
    /// For each element of an event; none where numbers are integers already.
    encode: Option<Vec<Element>>,
}

/// How one element becomes an integer.
#[derive(Debug, Clone)]
struct Element {
    steps: Vec<Step<f32>>,
    quantiser: Quantiser<f32>,
}

impl Encoder<'_> {
    /// The integers of one event.
    ///
    /// # Errors
    /// A wrong number of elements, one that is no finite number, a fraction where the input takes plain integers.
    pub fn event(&self, values: &[f32]) -> Result<Vec<i64>, Diagnostic> {
        let name = quoted(self.name);
        if values.len() != self.count {
            return Err(error(format!("input {name} has {} elements, {} are given", self.count, values.len())));
        }
        if let Some(i) = values.iter().position(|x| !x.is_finite()) {
            return Err(error(format!("element {i} of input {name} is {}, not a finite number", values[i])));
        }
        let Some(encode) = &self.encode else {
            let integer = |x: &f32| match x.fract() == 0.0 {
                true => Ok(*x as i64),
                false => Err(error(format!("input {name} takes integers, not {x}"))),
            };
            return values.iter().map(integer).collect();
        };
        let code = |(x, element): (&f32, &Element)| {
            element.quantiser.code(element.steps.iter().fold(*x, |x, step| step.apply(x)))
        };
        Ok(values.iter().zip(encode).map(code).collect())
    }
}

fn error(message: impl Into<String>) -> Diagnostic {
    Diagnostic::error("model-input", message)
}

/// The integers that a layer is to read instead of its first operand's, if others.
pub(super) type Moved<'a> = dyn FnMut(&Layer, &[i64]) -> Option<Vec<i64>> + 'a;

impl Graph {
    /// All tensors for the given integers, one list in row-major order an input.
    ///
    /// # Errors
    /// A wrong number of inputs or elements, or an integer outside its input's range.
    pub fn evaluate(&self, inputs: &[Vec<i64>]) -> Result<Evaluation, Diagnostic> {
        if inputs.len() != self.inputs.len() {
            return Err(error(format!("{} inputs are given, {} wanted", inputs.len(), self.inputs.len())));
        }
        for (input, values) in self.inputs.iter().zip(inputs) {
            let count: usize = input.shape.iter().product();
            if values.len() != count {
                return Err(error(format!(
                    "input {} has {count} elements, {} are given",
                    quoted(&input.name),
                    values.len()
                )));
            }
            let outside = |((_, v), (lo, hi)): &((usize, &i64), (i64, i64))| !(lo..=hi).contains(v);
            if let Some(((i, value), (lo, hi))) = values.iter().enumerate().zip(input.ranges()).find(outside) {
                return Err(error(format!(
                    "element {i} of input {} is {value}, its range is {lo}…{hi}",
                    quoted(&input.name)
                )));
            }
        }
        self.evaluate_moved(inputs, &mut |_, _| None)
    }

    /// As [`Graph::evaluate`], with other first operands of layers than the tensors that stand before them.
    pub(super) fn evaluate_moved(&self, inputs: &[Vec<i64>], moved: &mut Moved<'_>) -> Result<Evaluation, Diagnostic> {
        let mut tensors = inputs.to_vec();
        for layer in &self.layers {
            let first = layer.inputs.first().map(|t| t.index());
            let other = first.and_then(|t| Some((t, moved(layer, &tensors[t])?)));
            let own = other.map(|(t, values)| (t, std::mem::replace(&mut tensors[t], values)));
            let result = self.layer(layer, &tensors, self.info.get(tensors.len()));
            if let Some((t, values)) = own {
                tensors[t] = values;
            }
            tensors.push(result);
        }
        Ok(Evaluation { tensors, outputs: self.outputs.iter().map(|o| o.tensor).collect() })
    }

    /// The outputs in the source framework's numbers for inputs in the same.
    ///
    /// # Errors
    /// As [`Graph::evaluate`].
    pub fn predict(&self, inputs: &[Vec<f32>]) -> Result<Vec<Vec<f32>>, Diagnostic> {
        let evaluation = self.evaluate(&self.encode(inputs)?)?;
        Ok((0..self.outputs.len()).map(|k| self.decode(k, evaluation.tensor(self.outputs[k].tensor))).collect())
    }

    /// The integers of all inputs for the source framework's numbers.
    ///
    /// # Errors
    /// A wrong number of inputs or elements; a fraction where an input takes plain integers.
    pub fn encode(&self, inputs: &[Vec<f32>]) -> Result<Vec<Vec<i64>>, Diagnostic> {
        if inputs.len() != self.inputs.len() {
            return Err(error(format!("{} inputs are given, {} wanted", inputs.len(), self.inputs.len())));
        }
        (0..).zip(inputs).map(|(k, values)| self.encoder(k).event(values)).collect()
    }

    /// What makes input `k`'s integers of the source framework's numbers, for many events.
    pub fn encoder(&self, k: usize) -> Encoder<'_> {
        let input = &self.inputs[k];
        let count = input.shape.iter().product();
        let encode = input.encode.as_ref().map(|encode| {
            let full = encode.quantiser.with(|p| p.stretched(&input.shape).expect("checked when built"));
            let steps = stretched_steps(&encode.steps, &input.shape);
            let element = |i: usize| Element {
                steps: steps.iter().map(|step| step.with(|p| p[i])).collect(),
                quantiser: full.with(|p| p[i]),
            };
            (0..count).map(element).collect()
        });
        Encoder { name: &input.name, count, encode }
    }

    /// The source framework's numbers for the integers of output `k`.
    pub fn decode(&self, k: usize, values: &[i64]) -> Vec<f32> {
        let output = &self.outputs[k];
        let Some(decode) = &output.decode else {
            return values.iter().map(|v| *v as f32).collect();
        };
        let shape = &self.info(output.tensor).shape;
        let units = decode.unit.stretched(shape).expect("checked when built");
        let steps = stretched_steps(&decode.steps, shape);
        let reals: Vec<f32> = values
            .iter()
            .enumerate()
            .map(|(i, &n)| {
                let steps: Vec<Step<f32>> = steps.iter().map(|step| step.with(|p| p[i])).collect();
                chain(&steps, units[i], n)
            })
            .collect();
        match decode.softmax {
            Some(axis) => along(&reals, shape, axis, softmax::real),
            None => reals,
        }
    }

    pub(super) fn layer(&self, layer: &Layer, tensors: &[Vec<i64>], result: Option<&TensorInfo>) -> Vec<i64> {
        let operand = |k: usize| tensors[layer.inputs[k].index()].as_slice();
        let shape_of = |k: usize| self.info(layer.inputs[k]).shape.as_slice();
        let result = result.expect("every layer has been inferred");
        if let Op::Constant(array) = &layer.op {
            return array.values.clone();
        }
        let x = operand(0);
        if let Some(moved) = moved(&layer.op, shape_of(0)) {
            let fill = if let Op::Pad { value, .. } = layer.op { value } else { 0 };
            let sources = moved.expect("checked when built").sources;
            return sources.iter().map(|s| s.map_or(fill, |i| x[i as usize])).collect();
        }
        let each = |f: &dyn Fn(i64) -> i64| x.iter().map(|&v| f(v)).collect();
        let both = |f: fn(i64, i64) -> i64| {
            let (a, b) = (array_of(x, shape_of(0)), array_of(operand(1), shape_of(1)));
            a.zip(&b, |x, y| f(*x, *y)).expect("checked when built").values
        };
        match &layer.op {
            Op::Dense { weights, bias, multiplication } => dense(x, weights, bias, multiplication),
            Op::Convolution { weights, bias, window, groups, multiplication } => {
                convolution(x, shape_of(0), weights, bias, window, *groups, multiplication)
            }
            Op::MatMul => matrix_product(x, shape_of(0), operand(1), shape_of(1), &result.shape),
            Op::Pool { kind, window } => pool(x, shape_of(0), *kind, window),
            Op::Reduce { kind, axes } => reduce(x, shape_of(0), *kind, axes),
            Op::Add => both(|a, b| a + b),
            Op::Sub => both(|a, b| a - b),
            Op::Mul => both(|a, b| a * b),
            Op::Min => both(i64::min),
            Op::Max => both(i64::max),
            Op::And => both(|a, b| a & b),
            Op::Or => both(|a, b| a | b),
            Op::Xor => both(|a, b| a ^ b),
            Op::Relu => each(&|v| v.max(0)),
            Op::LeakyRelu { positive, negative } => each(&|v| if v >= 0 { v * positive } else { v * negative }),
            Op::Clamp { lo, hi } => each(&|v| v.clamp(*lo, *hi)),
            Op::Requantise(r) => each(&|v| r.apply(v.into()) as i64),
            Op::RequantiseEach { formats } => {
                let rows = formats.indices(shape_of(0)).expect("checked when built");
                x.iter().zip(rows).map(|(v, k)| formats.values[k as usize].apply((*v).into()) as i64).collect()
            }
            Op::Table { first, values } => each(&|v| values[(v - first) as usize]),
            Op::Threshold { functions } => {
                let rows = functions.indices(shape_of(0)).expect("checked when built");
                x.iter().zip(rows).map(|(v, k)| functions.values[k as usize].at(*v)).collect()
            }
            Op::Concat { axis } => {
                let parts: Vec<_> = (0..layer.inputs.len()).map(|k| (operand(k), shape_of(k))).collect();
                concatenated(&parts, *axis)
            }
            Op::ArgMax { axis } => arg_max(x, shape_of(0), *axis),
            Op::Softmax(softmax) => along(x, shape_of(0), softmax.axis, |x| softmax.apply(x)),
            Op::Block(block) => {
                let operands: Vec<&[i64]> = (0..layer.inputs.len()).map(operand).collect();
                block.part().evaluate(&operands)
            }
            Op::Constant(_)
            | Op::Reshape { .. }
            | Op::Transpose { .. }
            | Op::Slice { .. }
            | Op::Pad { .. }
            | Op::Gather { .. } => unreachable!("handled above"),
        }
    }
}

fn stretched_steps(steps: &[Step], shape: &[usize]) -> Vec<Step<Vec<f32>>> {
    let stretched = |step: &Step| step.with(|p| p.stretched(shape).expect("checked when built"));
    steps.iter().map(stretched).collect()
}

fn array_of(values: &[i64], shape: &[usize]) -> Array<i64> {
    Array { shape: shape.to_vec(), values: values.to_vec() }
}

/// `start + Σ ⌊a · b / 2^cut⌋`. The result fits 62 bits; what overflows on the way there cancels, as the sum is exact
/// modulo 2^64. With a cut products fit 62 bits too.
fn sum_of_products(start: i64, cut: u32, pairs: impl Iterator<Item = (i64, i64)>) -> i64 {
    pairs.fold(start, |sum, (a, b)| sum.wrapping_add(a.wrapping_mul(b) >> cut))
}

fn dense(x: &[i64], weights: &Array<i64>, bias: &[i64], multiplication: &Multiplication) -> Vec<i64> {
    let inputs = weights.shape[1];
    x.chunks(inputs)
        .flat_map(|x| {
            weights.values.chunks(inputs).zip(bias).map(|(row, bias)| {
                let pairs = row.iter().copied().zip(x.iter().copied());
                sum_of_products(multiplication.added_bias(*bias), multiplication.cut(), pairs)
            })
        })
        .collect()
}

fn convolution(
    x: &[i64],
    shape: &[usize],
    weights: &Array<i64>,
    bias: &[i64],
    window: &Window,
    groups: usize,
    multiplication: &Multiplication,
) -> Vec<i64> {
    let (outer, extents) = spatial(shape).expect("checked when built");
    let positions = window.positions(extents).expect("checked when built");
    let pixels: usize = extents.iter().product();
    let taps: usize = window.kernel.iter().product();
    let (filters, channels) = (weights.shape[0], weights.shape[1]);
    let mut result = Vec::with_capacity(outer[0] * filters * positions.len());
    for image in x.chunks(outer[1] * pixels) {
        for (filter, bias) in bias.iter().enumerate() {
            let first = filter / (filters / groups) * channels;
            for position in &positions {
                let mut sum = multiplication.added_bias(*bias);
                for channel in 0..channels {
                    let row = &weights.values[(filter * channels + channel) * taps..][..taps];
                    let plane = &image[(first + channel) * pixels..][..pixels];
                    let pairs = position.iter().map(|&(tap, pixel)| (row[tap as usize], plane[pixel as usize]));
                    sum = sum_of_products(sum, multiplication.cut(), pairs);
                }
                result.push(sum);
            }
        }
    }
    result
}

fn matrix_product(x: &[i64], a: &[usize], y: &[i64], b: &[usize], out: &[usize]) -> Vec<i64> {
    let (outer, [m, n]) = out.split_last_chunk::<2>().expect("a matrix has two axes");
    let k = a[a.len() - 1];
    let blocks = |shape: &[usize]| {
        let outer_shape = shape[..shape.len() - 2].to_vec();
        let count = outer_shape.iter().product::<usize>() as u32;
        let numbers = Array { shape: outer_shape, values: (0..count).collect() };
        numbers.stretched(outer).expect("checked when built")
    };
    let mut result = Vec::with_capacity(out.iter().product());
    for (i, j) in blocks(a).into_iter().zip(blocks(b)) {
        let (x, y) = (&x[i as usize * m * k..], &y[j as usize * k * n..]);
        for row in 0..*m {
            for column in 0..*n {
                let pairs = (0..k).map(|l| (x[row * k + l], y[l * n + column]));
                result.push(sum_of_products(0, 0, pairs));
            }
        }
    }
    result
}

fn combine(kind: PoolKind, values: impl Iterator<Item = i64>) -> i64 {
    match kind {
        PoolKind::Sum => values.sum(),
        PoolKind::Max => values.max().unwrap_or(0),
    }
}

fn pool(x: &[i64], shape: &[usize], kind: PoolKind, window: &Window) -> Vec<i64> {
    let (_, extents) = spatial(shape).expect("checked when built");
    let positions = window.positions(extents).expect("checked when built");
    x.chunks(extents.iter().product())
        .flat_map(|plane| {
            positions.iter().map(move |taps| combine(kind, taps.iter().map(|&(_, pixel)| plane[pixel as usize])))
        })
        .collect()
}

/// Elements along `axes` brought together: for each element of the reduced shape the elements that belong to it.
fn groups(shape: &[usize], axes: &[usize]) -> Vec<Vec<usize>> {
    let mut reduced = shape.to_vec();
    axes.iter().for_each(|&a| reduced[a] = 1);
    let count = reduced.iter().product::<usize>();
    let numbers = Array { shape: reduced, values: (0..count as u32).collect() };
    let mut groups = vec![Vec::new(); count];
    for (element, group) in numbers.stretched(shape).expect("extent 1 stretches").into_iter().enumerate() {
        groups[group as usize].push(element);
    }
    groups
}

fn reduce(x: &[i64], shape: &[usize], kind: PoolKind, axes: &[usize]) -> Vec<i64> {
    let combined = |group: &Vec<usize>| combine(kind, group.iter().map(|&i| x[i]));
    groups(shape, axes).iter().map(combined).collect()
}

fn arg_max(x: &[i64], shape: &[usize], axis: usize) -> Vec<i64> {
    let first_greatest = |group: &Vec<usize>| {
        let greatest = group.iter().map(|&i| x[i]).max();
        group.iter().position(|&i| Some(x[i]) == greatest).unwrap_or(0) as i64
    };
    groups(shape, &[axis]).iter().map(first_greatest).collect()
}

/// A function of each vector along an axis.
fn along<V: Copy + Default>(x: &[V], shape: &[usize], axis: usize, f: impl Fn(&[V]) -> Vec<V>) -> Vec<V> {
    let mut result = vec![V::default(); x.len()];
    for group in groups(shape, &[axis]) {
        let vector: Vec<V> = group.iter().map(|&i| x[i]).collect();
        for (&i, y) in group.iter().zip(f(&vector)) {
            result[i] = y;
        }
    }
    result
}

fn concatenated(parts: &[(&[i64], &[usize])], axis: usize) -> Vec<i64> {
    let outer: usize = parts[0].1[..axis].iter().product();
    let blocks = |(x, shape): &(&[i64], &[usize]), o: usize| {
        let block: usize = shape[axis..].iter().product();
        x[o * block..(o + 1) * block].to_vec()
    };
    (0..outer).flat_map(|o| parts.iter().flat_map(move |part| blocks(part, o))).collect()
}
