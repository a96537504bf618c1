//! What a file says beside its nodes: operator sets, inputs and the shapes of outputs.

use std::collections::HashMap;

use hdl::diag::Diagnostic;
use hdl::names::quoted;
use hdl::num::{Format, Interval};

use super::error;
use super::node::Tensor;
use super::operators::{Domain, Operator};
use super::proto::{GraphProto, ModelProto, ValueInfoProto};
use super::tensor::{self, Kind};
use crate::import::lift::InputFormat;

/// The operator sets that the file imports.
pub(super) struct OperatorSets {
    versions: HashMap<String, i64>,
    onnx: i64,
}

impl OperatorSets {
    /// # Errors
    /// No version of ONNX's own set, one that is not read, or two of one domain.
    pub fn of(model: &ModelProto) -> Result<Self, Diagnostic> {
        let mut versions = HashMap::new();
        for set in &model.opset_import {
            let domain = if set.domain == "ai.onnx" { "" } else { set.domain.as_str() };
            if versions.insert(domain.to_owned(), set.version).is_some_and(|other| other != set.version) {
                return Err(error(format!("two versions of the operator set {} are imported", quoted(domain))));
            }
            if let Some(known) = Domain::of(domain) {
                check(domain, known, set.version)?;
            }
        }
        let &onnx = versions.get("").ok_or_else(|| {
            error("the file does not say which version of ONNX's operators it means (opset_import)")
                .help("save the whole model; a file that was cut off looks like this")
        })?;
        Ok(Self { versions, onnx })
    }

    /// onnxruntime's own operators without an import in the file: it takes them into models itself.
    pub fn provide_microsoft(&mut self) {
        self.versions.entry("com.microsoft".into()).or_insert(1);
    }

    /// The version of the set in which a node's operator stands. Tools leave the import of QONNX operators out; those are
    /// then of version 1.
    pub fn version(&self, what: &str, operator: &Operator, domain: &str) -> Result<i64, Diagnostic> {
        let qonnx = |(name, version): (&String, &i64)| (Domain::of(name) == Some(Domain::Qonnx)).then_some(*version);
        match operator.domain {
            Domain::Onnx => Ok(self.onnx),
            Domain::Qonnx => {
                let own = self.versions.get(domain).copied().filter(|_| Domain::of(domain) == Some(Domain::Qonnx));
                Ok(own.or_else(|| self.versions.iter().find_map(qonnx)).unwrap_or(1))
            }
            // the operators are executed as those of ONNX's own set
            Domain::ChannelsLast => Ok(self.onnx),
            Domain::Microsoft => {
                self.versions.get(domain).copied().ok_or_else(|| {
                    error(format!("{what}: the file does not import the operator set {}", quoted(domain)))
                })
            }
        }
    }
}

fn check(name: &str, domain: Domain, version: i64) -> Result<(), Diagnostic> {
    // QONNX counts the versions of this set from 1 where a file has no use for ONNX's numbers
    let known = domain.versions();
    let from = if domain == Domain::ChannelsLast { 1 } else { known.from };
    if (from..=known.to).contains(&version) {
        return Ok(());
    }
    let name = if name.is_empty() { "ai.onnx" } else { name };
    Err(error(format!("version {version} of the operator set {} is not supported", quoted(name)))
        .help(format!("export the model for a version from {from} to {}", known.to)))
}

/// An input of the network.
pub(super) struct Input {
    pub name: String,
    pub shape: Vec<usize>,
    pub kind: Kind,
}

/// The inputs that are no tensors of the file: old files list those, too.
pub(super) fn inputs(graph: &GraphProto, tensors: &HashMap<String, Tensor>) -> Result<Vec<Input>, Diagnostic> {
    graph.input.iter().filter(|i| !tensors.contains_key(&i.name)).map(input).collect()
}

/// The first axis is the batch if its extent is symbolic; it is 1 then.
fn input(input: &ValueInfoProto) -> Result<Input, Diagnostic> {
    let of = |why: String| error(format!("input {}: {why}", quoted(&input.name)));
    let tensor_type = input.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
    let tensor_type = tensor_type.ok_or_else(|| of("it is no tensor".into()))?;
    let shape = tensor_type.shape.as_ref().ok_or_else(|| of("its shape is not given".into()))?;
    let kind = Kind::of(tensor_type.elem_type).map_err(of)?;
    let mut dims: Vec<Option<i64>> = shape.dim.iter().map(|d| d.dim_value).collect();
    if let Some(batch @ None) = dims.first_mut() {
        *batch = Some(1);
    }
    if let Some(axis) = dims.iter().position(|d| d.is_none_or(|d| d < 1)) {
        let why = dims[axis].map_or("not given".into(), |extent| extent.to_string());
        return Err(of(format!("the extent of axis {axis} is {why}")).help("export the model with fixed shapes"));
    }
    let dims: Vec<i64> = dims.into_iter().flatten().collect();
    let shape = tensor::shape(&dims).map_err(|why| of(why).help("export the model for one sample: a batch of 1"))?;
    Ok(Input { name: input.name.clone(), shape, kind })
}

/// The user's formats, and those that follow from integer data types.
pub(super) fn input_formats(inputs: &[Input], given: &[InputFormat]) -> Result<Vec<InputFormat>, Diagnostic> {
    let mut formats = Vec::new();
    for input in inputs.iter().filter(|i| i.kind != Kind::Float) {
        let name = quoted(&input.name);
        let refused = || {
            error(format!("input {name}: data type {} is not supported", input.kind.name()))
                .help("inputs are float, or integers of up to 32 bits")
        };
        let (lo, hi) = input
            .kind
            .limits()
            .filter(|(lo, hi)| hi - 1 <= u32::MAX.into() && *lo >= i32::MIN.into())
            .ok_or_else(refused)?;
        let named = given.iter().find(|f| f.name.as_ref() == Some(&input.name));
        let range = match named {
            None => Interval::new(lo.into(), hi.into()).map_err(|_| refused())?,
            Some(InputFormat { format: Format { range, frac: 0 }, .. })
                if range.lo() >= lo.into() && range.hi() <= hi.into() =>
            {
                *range
            }
            Some(_) => {
                return Err(error(format!(
                    "input {name}: the format is no part of its data type {}",
                    input.kind.name()
                ))
                .help("leave the format out"));
            }
        };
        formats.push(InputFormat { name: Some(input.name.clone()), format: Format::integer(range) });
    }
    let own = |f: &&InputFormat| !formats.iter().any(|g: &InputFormat| f.name.is_some() && g.name == f.name);
    let users: Vec<InputFormat> = given.iter().filter(own).cloned().collect();
    formats.extend(users);
    Ok(formats)
}

/// The shape that the file gives an output must be the one that was computed, where it gives numbers.
pub(super) fn check_output(output: &ValueInfoProto, kind: Kind, computed: &[usize]) -> Result<(), Diagnostic> {
    let tensor_type = output.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
    // 0: the file does not say
    let elements = tensor_type.map_or(0, |t| t.elem_type);
    if elements != 0 && Kind::of(elements) != Ok(kind) {
        let says = Kind::of(elements).map_or_else(|_| format!("number {elements}"), Kind::name);
        return Err(error(format!(
            "output {} has data type {says} in the file, but its nodes give {}",
            quoted(&output.name),
            kind.name()
        )));
    }
    let Some(shape) = tensor_type.and_then(|t| t.shape.as_ref()) else {
        return Ok(());
    };
    let says: Vec<i64> = shape.dim.iter().map(|d| d.dim_value.unwrap_or(0)).collect();
    let agrees = says.len() == computed.len() && says.iter().zip(computed).all(|(s, c)| *s == 0 || *s == *c as i64);
    if agrees || says.is_empty() {
        return Ok(());
    }
    Err(error(format!(
        "output {} has the shape {says:?} in the file, but its nodes give {computed:?}",
        quoted(&output.name)
    ))
    .help("correct the shape in the file: onnx.shape_inference.infer_shapes"))
}
