//! ONNX files: quantised networks in the QONNX dialect (`Quant`, `BipolarQuant`, `Trunc`, `MultiThreshold`) and with
//! `QuantizeLinear`/`DequantizeLinear` pairs.
//!
//! The reference is the execution by the `qonnx` package, which runs node by node in numpy and onnxruntime. Whatever a
//! node holds is read, known to be harmless, or refused: the table of operators lists all of it ([`table`]), a node
//! counts what its reader takes ([`node`]), and the one place that calls readers refuses what is left.

mod activation;
mod batch;
mod document;
mod elementwise;
mod float_quant;
mod fold;
mod integer;
mod join;
mod linear;
mod model;
mod movement;
mod node;
mod operators;
mod pad;
mod pool;
pub mod proto;
mod qdq;
mod qlinear;
mod quantisers;
mod resize;
mod table;
mod tensor;
mod transposed;

use std::borrow::Cow;
use std::collections::HashMap;

use hdl::diag::Diagnostic;
use hdl::names::quoted;
use prost::Message;

pub use document::document;

use super::lift::{Imported, InputFormat, Lift};
use model::{OperatorSets, input_formats, inputs};
use node::{Node, Tensor, Value};
use operators::Domain;
use proto::{GraphProto, ModelProto, NodeProto};

/// Largest file that is read, in bytes.
const MAX_FILE: usize = 1 << 28;

/// Most nodes of a graph.
const MAX_NODES: usize = 100_000;

fn error(message: impl Into<String>) -> Diagnostic {
    Diagnostic::error("onnx", message)
}

/// The network in the bytes of an ONNX file. `formats` are for inputs that the network does not quantise itself.
///
/// # Errors
/// Bytes that are no ONNX model, and whatever in it is not supported: the node's name, what stands there, and what would
/// make it work.
pub fn read(bytes: &[u8], formats: &[InputFormat]) -> Result<Imported, Diagnostic> {
    if bytes.len() > MAX_FILE {
        return Err(error(format!("the file has more than {MAX_FILE} bytes")));
    }
    let model = ModelProto::decode(bytes).map_err(|e| error(format!("this is not a readable ONNX file: {e}")))?;
    let graph = model.graph.as_ref().ok_or_else(|| error("there is no graph in the file"))?;
    if graph.node.len() > MAX_NODES {
        return Err(error(format!("the graph has more than {MAX_NODES} nodes")));
    }
    if !graph.sparse_initializer.is_empty() {
        return Err(error("sparse tensors are not supported").help("save the weights as dense tensors"));
    }
    let Some(one) = batch::one_sample(graph) else {
        return Reader::new(&model, graph, formats, false)?.run(graph);
    };
    Reader::new(&model, &one, formats, true)?.run(&one).or_else(|joined| {
        let whole = Reader::new(&model, graph, formats, false)?.run(graph);
        whole.map_err(|why| {
            why.help(format!(
                "all samples of its batch are read as one event, because one sample by itself cannot be: {}; export it for a \
                 batch of 1",
                joined.message
            ))
        })
    })
}

struct Reader<'a> {
    model: &'a ModelProto,
    sets: OperatorSets,
    lift: Lift,
    tensors: HashMap<String, Tensor>,
    /// Whether the first axis is that of one of several samples, which no node may join.
    apart: bool,
}

impl<'a> Reader<'a> {
    fn new(
        model: &'a ModelProto,
        graph: &GraphProto,
        formats: &[InputFormat],
        apart: bool,
    ) -> Result<Self, Diagnostic> {
        let sets = OperatorSets::of(model)?;
        let mut tensors = HashMap::new();
        for initializer in &graph.initializer {
            let name = &initializer.name;
            let (constant, kind) =
                tensor::constant(initializer).map_err(|why| error(format!("tensor {}: {why}", quoted(name))))?;
            if tensors.insert(name.clone(), Tensor::constant(constant, kind)).is_some() {
                return Err(error(format!("there are two tensors {}", quoted(name))));
            }
        }
        let inputs = inputs(graph, &tensors)?;
        let formats = input_formats(&inputs, formats)?;
        let name = if graph.name.is_empty() { "network" } else { &graph.name };
        let shapes = inputs.iter().map(|i| (i.name.clone(), i.shape.clone())).collect();
        let (lift, reals) = Lift::new(name, shapes, &formats)?;
        for (input, real) in inputs.into_iter().zip(reals) {
            tensors.insert(input.name, Tensor { value: Value::Real(real), kind: input.kind });
        }
        Ok(Self { model, sets, lift, tensors, apart })
    }

    fn run(mut self, graph: &GraphProto) -> Result<Imported, Diagnostic> {
        let nodes = qdq::fused(graph);
        if matches!(nodes, Cow::Owned(_)) {
            self.sets.provide_microsoft();
        }
        for (k, proto) in nodes.iter().enumerate() {
            let output = proto.output.first().map_or("", String::as_str);
            let name = match proto.name.as_str() {
                "" if output.is_empty() => format!("{}_{k}", proto.op_type),
                "" => format!("{}_{output}", proto.op_type),
                name => name.to_owned(),
            };
            self.node(proto, name)?;
        }
        for output in &graph.output {
            let name = &output.name;
            match self.tensors.get(name).map(|t| (&t.value, t.kind)) {
                Some((Value::Real(real), kind)) => {
                    let real = real.clone();
                    model::check_output(output, kind, self.lift.shape(&real))?;
                    self.lift.output(name, &real)?;
                }
                Some((Value::Constant(_), _)) => {
                    return Err(error(format!("output {} does not depend on an input", quoted(name))));
                }
                None => return Err(error(format!("no node computes output {}", quoted(name)))),
            }
        }
        self.lift.finish()
    }

    /// Reads one node, and refuses it unless everything in it was taken.
    fn node(&mut self, proto: &NodeProto, name: String) -> Result<(), Diagnostic> {
        let what = format!("node {} ({})", quoted(&name), quoted(&proto.op_type));
        let is_function = |f: &proto::FunctionProto| f.name == proto.op_type && f.domain == proto.domain;
        if self.model.functions.iter().any(is_function) || !proto.overload.is_empty() {
            return Err(error(format!("{what}: functions of the model's own are not supported"))
                .help("inline them: onnx.inliner.inline_local_functions"));
        }
        let domain = Domain::of(&proto.domain).ok_or_else(|| {
            error(format!("{what}: its domain {} is not known", quoted(&proto.domain)))
                .help("known are ai.onnx, qonnx.custom_op.general, finn.custom_op.general, onnx.brevitas, qonnx.custom_op.channels_last and com.microsoft")
        })?;
        let operator = table::find(domain, &proto.op_type).ok_or_else(|| unknown(&what, domain, &proto.op_type))?;
        let version = self.sets.version(&what, operator, &proto.domain)?;
        if version < operator.since {
            let message = format!("{what}: version {version} of the operator set is not supported");
            return Err(error(message).help(format!("supported from version {}", operator.since)));
        }
        let node = Node::new(proto, name, operator, version, &self.tensors)?;
        if self.apart {
            batch::keeps_samples_apart(&self.lift, &node, proto)?;
        }
        let results = (operator.reader)(&mut self.lift, &node)?;
        let joined = |tensor: &Tensor| match &tensor.value {
            Value::Real(real) => self.lift.shape(real).first() != Some(&1),
            Value::Constant(_) => false,
        };
        if self.apart && results.iter().any(joined) {
            return Err(node.error("its result has not the samples of the batch as its first axis"));
        }
        node.finish()?;
        for (name, tensor) in proto.output.iter().zip(results).filter(|(name, _)| !name.is_empty()) {
            if self.tensors.insert(name.clone(), tensor).is_some() {
                return Err(error(format!("{what}: there is a tensor {} already", quoted(name))));
            }
        }
        Ok(())
    }
}

/// An error for an operator that is not in the table.
fn unknown(what: &str, domain: Domain, name: &str) -> Diagnostic {
    match name {
        "DynamicQuantizeLinear" | "DynamicQuantizeMatMul" | "DynamicQuantizeLSTM" | "MatMulIntegerToFloat" => error(
            format!("{what}: scales that are computed from each input are not supported"),
        )
        .help("quantise with fixed scales: onnxruntime.quantization.quantize_static instead of quantize_dynamic"),
        "If" | "Loop" | "Scan" => error(format!("{what}: subgraphs are not supported"))
            .help("export the model without control flow, with constants folded (onnxsim, onnxoptimizer)"),
        "QLinearSoftmax" => error(format!("{what}: a softmax on quantised integers is not supported"))
            .help("leave it in floats at the end of the network: op_types_to_quantize without Softmax"),
        _ => {
            let names: Vec<&str> = table::operators().filter(|o| o.domain == domain).map(|o| o.name).collect();
            error(format!("{what}: this operator is not supported")).help(format!(
                "supported in {} are {}",
                domain.name(),
                names.join(", ")
            ))
        }
    }
}
