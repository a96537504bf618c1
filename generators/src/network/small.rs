//! Small graphs for tests.

use hdl::num::Rounding;

use crate::model::{Array, Graph, Input, Layer, Limit, Op, Output, Requantise, TensorId, Window};

pub(crate) fn input(shape: &[usize]) -> Graph {
    let input = Input { name: "x".into(), shape: shape.to_vec(), range: (-8, 7), encode: None };
    Graph::new("small", vec![input]).unwrap()
}

pub(crate) fn push(graph: &mut Graph, name: &str, op: Op, inputs: &[TensorId]) -> TensorId {
    graph.push(Layer { name: name.into(), op, inputs: inputs.to_vec(), scale: None }).unwrap()
}

pub(crate) fn weights(shape: &[usize], seed: u64) -> Array<i64> {
    let mut random = fastrand::Rng::with_seed(seed);
    let values = (0..shape.iter().product()).map(|_| random.i64(-5..=5));
    Array { shape: shape.to_vec(), values: values.collect() }
}

pub(crate) fn requantise(drop: i32) -> Requantise {
    Requantise { drop, rounding: Rounding::HalfEven, limit: Limit::Saturate { lo: -8, hi: 7 } }
}

pub(crate) fn output(graph: &mut Graph, name: &str, tensor: TensorId) {
    graph.output(Output { name: name.into(), tensor, decode: None }).unwrap();
}

pub(crate) fn window(kernel: [usize; 2], strides: usize, dilations: usize, pads: [usize; 4]) -> Window {
    Window {
        kernel: kernel.to_vec(),
        strides: vec![strides; 2],
        dilations: vec![dilations, 1],
        pads_begin: pads[..2].to_vec(),
        pads_end: pads[2..].to_vec(),
    }
}

pub(crate) fn convolution(shape: &[usize], window: Window, groups: usize) -> Op {
    let bias = (0..shape[0] as i64).map(|f| 3 * f - 4).collect();
    Op::convolution(weights(shape, shape[0] as u64), bias, window, groups)
}

/// Stride, dilation, uneven padding and groups, a short way around a convolution, formats by channel: the first tensor of
/// the trunk, its last, and a convolution of that.
pub(crate) fn residual() -> (Graph, [TensorId; 3]) {
    let mut graph = input(&[1, 2, 5, 4]);
    let first = convolution(&[4, 1, 3, 2], window([3, 2], 1, 1, [1, 1, 1, 0]), 2);
    let first = push(&mut graph, "first", first, &[TensorId(0)]);
    let first = push(&mut graph, "quant", Op::Requantise(requantise(3)), &[first]);
    let second = convolution(&[4, 4, 3, 2], window([3, 2], 1, 2, [2, 0, 2, 1]), 1);
    let second = push(&mut graph, "second", second, &[first]);
    let second = push(&mut graph, "relu", Op::Relu, &[second]);
    let sum = push(&mut graph, "residual", Op::Add, &[second, first]);
    let formats = Array { shape: vec![4, 1, 1], values: (2..6).map(requantise).collect() };
    let sum = push(&mut graph, "each", Op::RequantiseEach { formats }, &[sum]);
    let third = convolution(&[2, 4, 3, 2], window([3, 2], 2, 1, [0; 4]), 1);
    let third = push(&mut graph, "third", third, &[sum]);
    (graph, [first, sum, third])
}
