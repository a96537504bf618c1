//! Files that were exported for a fixed number of samples: one sample is taken where all nodes keep samples apart.
//!
//! All inputs and outputs of such a file have the number of samples as their first extent. It is replaced by 1 there and in
//! the shapes that nodes are given, and each node that has a computed operand must be of a kind that leaves the first axis
//! alone; else the file is read as it stands, as one event of all samples.

use hdl::diag::Diagnostic;

use super::elementwise::shape;
use super::node::{Node, Tensor, Value};
use super::proto::{GraphProto, NodeProto, TensorProto, ValueInfoProto};
use super::tensor;
use crate::import::lift::{Constant, Lift};

/// Operators of windows, elements and channels: none of them sees two samples.
const APART: &[&str] = &[
    "Abs",
    "Add",
    "AveragePool",
    "BatchNormalization",
    "BipolarQuant",
    "Cast",
    "Celu",
    "Clip",
    "Conv",
    "ConvTranspose",
    "DequantizeLinear",
    "Div",
    "Dropout",
    "Elu",
    "Erf",
    "Exp",
    "FloatQuant",
    "Gelu",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "IntQuant",
    "LeakyRelu",
    "Log",
    "Max",
    "MaxPool",
    "Mean",
    "Min",
    "Mish",
    "Mul",
    "MultiThreshold",
    "Neg",
    "PRelu",
    "Pow",
    "Quant",
    "QuantizeLinear",
    "Reciprocal",
    "Relu",
    "Selu",
    "Sigmoid",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Sub",
    "Sum",
    "Swish",
    "Tanh",
    "ThresholdedRelu",
    "Trunc",
    "QLinearAdd",
    "QLinearAveragePool",
    "QLinearConv",
    "QLinearGlobalAveragePool",
    "QLinearLeakyRelu",
    "QLinearMul",
    "QLinearSigmoid",
    "ConvInteger",
];

/// Ends the names of shapes that were changed.
const MARK: &str = " for one sample";

fn extents(value: &ValueInfoProto) -> Option<Vec<i64>> {
    let shape = value.r#type.as_ref()?.tensor_type.as_ref()?.shape.as_ref()?;
    Some(shape.dim.iter().map(|d| d.dim_value.unwrap_or(0)).collect())
}

/// How many samples the file is for, if it is for more than one.
fn samples(graph: &GraphProto) -> Option<i64> {
    let constant = |name: &str| graph.initializer.iter().any(|t| t.name == name);
    let inputs = graph.input.iter().filter(|input| !constant(&input.name));
    let mut firsts = inputs.chain(&graph.output).map(|value| extents(value)?.first().copied());
    let first = firsts.next()??;
    (first > 1 && firsts.all(|other| other == Some(first))).then_some(first)
}

/// The file for one sample, if it is for more than one.
pub(super) fn one_sample(graph: &GraphProto) -> Option<GraphProto> {
    let samples = samples(graph)?;
    let mut one = graph.clone();
    for value in one.input.iter_mut().chain(&mut one.output) {
        let shape = value.r#type.as_mut().and_then(|t| t.tensor_type.as_mut()).and_then(|t| t.shape.as_mut());
        if let Some(first) = shape.and_then(|s| s.dim.first_mut()).filter(|d| d.dim_value == Some(samples)) {
            first.dim_value = Some(1);
        }
    }
    // targets get tensors of their own, for others may use the same numbers
    for k in 0..one.node.len() {
        if one.node[k].op_type != "Reshape" {
            continue;
        }
        let Some(target) = one.node[k].input.get(1).and_then(|name| target(graph, name)) else {
            continue;
        };
        // one row a sample
        if target.len() < 2 || ![samples, 0, -1].contains(&target[0]) {
            continue;
        }
        let name = format!("{}, {k}{MARK}", one.node[k].input[1]);
        let values: Vec<i64> = [&[1], &target[1..]].concat();
        let dims = vec![values.len() as i64];
        one.initializer.push(TensorProto {
            name: name.clone(),
            dims,
            data_type: 7,
            int64_data: values,
            ..TensorProto::default()
        });
        one.node[k].input[1] = name;
    }
    Some(one)
}

/// The numbers of a tensor of the file, or of a `Constant` node.
fn target(graph: &GraphProto, name: &str) -> Option<Vec<i64>> {
    let node = || graph.node.iter().find(|node| node.op_type == "Constant" && node.output.iter().any(|o| o == name));
    let tensor = graph.initializer.iter().find(|t| t.name == name);
    let tensor = tensor.or_else(|| node()?.attribute.iter().find_map(|a| a.t.as_ref()))?;
    match tensor::constant(tensor) {
        Ok((Constant::Integer(array), _)) => Some(array.values),
        _ => None,
    }
}

/// An error if the node may join samples, where the first axis of each computed tensor is that of the samples.
pub(super) fn keeps_samples_apart(lift: &Lift, node: &Node<'_>, proto: &NodeProto) -> Result<(), Diagnostic> {
    let operands: Vec<&Tensor> = (0..node.operands()).filter_map(|k| node.optional(k).ok().flatten()).collect();
    let computed = |tensor: &&&Tensor| matches!(tensor.value, Value::Real(_));
    let ranks: Vec<usize> = operands.iter().filter(computed).map(|tensor| shape(lift, tensor).len()).collect();
    let Some(&rank) = ranks.first() else {
        return Ok(());
    };
    let aligned = ranks.iter().all(|other| *other == rank) && operands.iter().all(|t| shape(lift, t).len() <= rank);
    let is_computed = |k: usize| operands.get(k).is_some_and(|t| computed(&t));
    let axis = |axis: i64| Ok::<bool, Diagnostic>(node.axis(axis, rank)? != 0);
    let apart = match node.operator.name {
        name if APART.contains(&name) => aligned,
        "Reshape" => proto.input.get(1).is_some_and(|name| name.ends_with(MARK)),
        "Flatten" => axis(node.int("axis", 1)?)?,
        "Transpose" => node.ints("perm")?.is_some_and(|perm| perm.first() == Some(&0)),
        "Concat" | "ArgMax" | "ArgMin" => axis(node.int("axis", 0)?)?,
        "Softmax" => axis(node.int("axis", 1)?)?,
        "MatMul" if is_computed(0) && !is_computed(1) => aligned && rank > 1,
        "MatMul" => aligned && rank > 2,
        "Gemm" => is_computed(0) && !is_computed(1) && !node.flag("transA", false)?,
        name if name.starts_with("Reduce") => match (node.ints("axes")?, node.optional_integers(1)?) {
            (Some(axes), None) => !node.distinct_axes(axes, rank)?.contains(&0),
            (None, Some(axes)) if !axes.is_empty() => !node.distinct_axes(&axes, rank)?.contains(&0),
            _ => false,
        },
        _ => false,
    };
    if apart { Ok(()) } else { Err(node.error("it may join the samples of the batch")) }
}
