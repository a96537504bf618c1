//! ONNX files: quantised networks in the QONNX dialect (`Quant`, `BipolarQuant`, `Trunc`, `MultiThreshold`) and with
//! `QuantizeLinear`/`DequantizeLinear` pairs.
//!
//! The reference is the execution by the `qonnx` package, which runs node by node in numpy and onnxruntime.

mod elementwise;
mod fold;
mod linear;
mod movement;
mod node;
mod pool;
pub mod proto;
mod quantisers;
mod tensor;

use std::collections::HashMap;

use hdl::diag::Diagnostic;
use hdl::names::quoted;
use prost::Message;

use super::lift::{Constant, Imported, InputFormat, Lift, Real};
use node::{Node, Value};
use proto::{GraphProto, ModelProto, ValueInfoProto};

/// Largest file that is read, in bytes.
const MAX_FILE: usize = 1 << 28;

/// Most nodes of a graph.
const MAX_NODES: usize = 100_000;

fn error(message: impl Into<String>) -> Diagnostic {
    Diagnostic::error("onnx", message)
}

/// What a node gives: one value for each output that is used.
type Results = Vec<Value>;

/// The network in the bytes of an ONNX file. `formats` are for inputs that the network does not quantise itself.
///
/// # Errors
/// Bytes that are no ONNX model, and nodes that are not supported: their name and what would make them work.
pub fn read(bytes: &[u8], formats: &[InputFormat]) -> Result<Imported, Diagnostic> {
    if bytes.len() > MAX_FILE {
        return Err(error(format!("the file has more than {MAX_FILE} bytes")));
    }
    let model = ModelProto::decode(bytes).map_err(|e| error(format!("this is not a readable ONNX file: {e}")))?;
    let graph = model.graph.as_ref().ok_or_else(|| error("there is no graph in the file"))?;
    if graph.node.len() > MAX_NODES {
        return Err(error(format!("the graph has more than {MAX_NODES} nodes")));
    }
    Reader::new(graph, formats)?.run(graph)
}

struct Reader {
    lift: Lift,
    values: HashMap<String, Value>,
    /// Data types of constants.
    types: HashMap<String, i32>,
}

impl Reader {
    fn new(graph: &GraphProto, formats: &[InputFormat]) -> Result<Self, Diagnostic> {
        let mut values = HashMap::new();
        let mut types = HashMap::new();
        for initializer in &graph.initializer {
            let constant = tensor::constant(initializer)
                .map_err(|why| error(format!("tensor {}: {why}", quoted(&initializer.name))))?;
            values.insert(initializer.name.clone(), Value::Constant(constant));
            types.insert(initializer.name.clone(), initializer.data_type);
        }
        let mut inputs = Vec::new();
        for input in graph.input.iter().filter(|i| !values.contains_key(&i.name)) {
            inputs.push((input.name.clone(), input_shape(input)?));
        }
        let name = if graph.name.is_empty() { "network" } else { &graph.name };
        let names: Vec<String> = inputs.iter().map(|(name, _)| name.clone()).collect();
        let (lift, reals) = Lift::new(name, inputs, formats)?;
        values.extend(names.into_iter().zip(reals.into_iter().map(Value::Real)));
        Ok(Self { lift, values, types })
    }

    fn run(mut self, graph: &GraphProto) -> Result<Imported, Diagnostic> {
        for (k, proto) in graph.node.iter().enumerate() {
            let output = proto.output.first().map_or("", String::as_str);
            let name = match proto.name.as_str() {
                "" if output.is_empty() => format!("{}_{k}", proto.op_type),
                "" => format!("{}_{output}", proto.op_type),
                name => name.to_owned(),
            };
            let node = Node { proto, name, values: &self.values, types: &self.types };
            let results = self.lift.node(&node)?;
            let data_type = node.tensor("value").map(|t| t.data_type);
            if let (Some(data_type), Some(name)) = (data_type, proto.output.first()) {
                self.types.insert(name.clone(), data_type);
            }
            for (name, value) in proto.output.iter().zip(results) {
                self.values.insert(name.clone(), value);
            }
        }
        for output in &graph.output {
            let name = &output.name;
            match self.values.get(name) {
                Some(Value::Real(real)) => {
                    let real = real.clone();
                    self.lift.output(name, &real)?;
                }
                Some(Value::Constant(_)) => {
                    return Err(error(format!("output {} does not depend on an input", quoted(name))));
                }
                None => return Err(error(format!("no node computes output {}", quoted(name)))),
            }
        }
        self.lift.finish()
    }
}

/// The shape of an input; a symbolic first axis is the batch, which is 1.
fn input_shape(input: &ValueInfoProto) -> Result<Vec<usize>, Diagnostic> {
    let of = |why: String| error(format!("input {}: {why}", quoted(&input.name)));
    let tensor_type = input.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
    let shape = tensor_type.and_then(|t| t.shape.as_ref()).ok_or_else(|| of("its shape is not given".into()))?;
    let mut dims: Vec<i64> = shape.dim.iter().map(|d| d.dim_value).collect();
    if let Some(batch @ 0) = dims.first_mut() {
        *batch = 1;
    }
    if let Some(axis) = dims.iter().position(|d| *d < 1) {
        return Err(of(format!("the extent of axis {axis} is not given")).help("export the model with fixed shapes"));
    }
    tensor::shape(&dims).map_err(of)
}

impl Lift {
    /// The results of one node.
    fn node(&mut self, node: &Node<'_>) -> Result<Results, Diagnostic> {
        let one = |real: Real| vec![Value::Real(real)];
        if let Some(constants) = fold::fold(node, self)? {
            return Ok(constants.into_iter().map(Value::Constant).collect());
        }
        Ok(match node.proto.op_type.as_str() {
            "Quant" | "IntQuant" => vec![self.quant(node)?],
            "BipolarQuant" => vec![self.bipolar_quant(node)?],
            "Trunc" => vec![self.trunc(node)?],
            "MultiThreshold" => one(self.multi_threshold(node)?),
            "QuantizeLinear" => one(self.quantize_linear(node)?),
            "DequantizeLinear" => vec![self.dequantize_linear(node)?],
            "MatMul" => one(self.onnx_mat_mul(node)?),
            "Gemm" => one(self.gemm(node)?),
            "Conv" => one(self.conv(node)?),
            "BatchNormalization" => one(self.batch_normalization(node)?),
            "Add" | "Sub" | "Mul" | "Div" | "Min" | "Max" => one(self.binary(node)?),
            "Relu" | "LeakyRelu" | "PRelu" | "Clip" | "Neg" | "Abs" | "Sigmoid" | "HardSigmoid" | "Tanh" | "Exp"
            | "Identity" | "Dropout" | "Cast" => one(self.unary(node)?),
            "MaxPool" | "AveragePool" | "GlobalAveragePool" | "GlobalMaxPool" | "ReduceMean" | "ReduceSum"
            | "ReduceMax" => one(self.onnx_pool(node)?),
            "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" | "Transpose" | "Slice" | "Gather" | "Pad"
            | "DepthToSpace" | "SpaceToDepth" => one(self.movement(node)?),
            "Concat" => one(self.onnx_concat(node)?),
            "Split" => self.split(node)?.into_iter().map(Value::Real).collect(),
            "ArgMax" => one(self.onnx_arg_max(node)?),
            "TopK" => self.top_1(node)?.into_iter().map(Value::Real).collect(),
            "Softmax" => one(self.onnx_softmax(node)?),
            "QLinearConv" | "QLinearMatMul" | "QGemm" | "MatMulInteger" | "ConvInteger" => {
                return Err(node
                    .error("operators on quantised integers are not supported")
                    .help("export in the QDQ format (QuantizeLinear/DequantizeLinear around float operators)"));
            }
            _ => return Err(node.error("this operator is not supported").help(SUPPORTED)),
        })
    }
}

/// What to use instead of an operator that is not there.
const SUPPORTED: &str = "supported are Quant, IntQuant, BipolarQuant, Trunc, MultiThreshold, QuantizeLinear, \
DequantizeLinear, MatMul, Gemm, Conv, BatchNormalization, Add, Sub, Mul, Div, Min, Max, Relu, LeakyRelu, PRelu, Clip, \
Neg, Abs, Sigmoid, HardSigmoid, Tanh, Exp, pooling, reductions, reshaping and slicing operators, Concat, Split, ArgMax, TopK and Softmax";

/// The float array of a value if it is a constant.
fn constant_of(value: &Value) -> Option<&Constant> {
    match value {
        Value::Constant(constant) => Some(constant),
        Value::Real(_) => None,
    }
}
