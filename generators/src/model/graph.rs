//! The arena: inputs, layers, outputs, and what is known about each tensor.

use hdl::diag::Diagnostic;
use hdl::names::quoted;
use hdl::num::Interval;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::array::Array;
use super::op::Op;
use super::range::range_of;
use super::real::{Quantiser, Step};
use super::shape::shape_of;

/// Most elements that a tensor may have.
pub const MAX_ELEMENTS: usize = 1 << 24;

/// Most bits of a value, the sign included, so that plain 64-bit integers hold every intermediate result.
const MAX_BITS: u32 = 62;

/// A tensor: input `k`, or the result of layer `k - inputs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct TensorId(pub u32);

impl TensorId {
    /// Position in the arena.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// How the source framework's number becomes an input's integer; this happens outside the hardware.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Encode {
    /// Done first, in order.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// Done last.
    pub quantiser: Quantiser,
}

/// How an output's integer becomes the source framework's number: `softmax(steps(unit · n))`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Decode {
    /// Value of one step.
    pub unit: Array<f64>,
    /// Done last, in order.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// The axis of a softmax behind that, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub softmax: Option<usize>,
}

/// A tensor from outside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Name in the model.
    pub name: String,
    /// Extent of each axis.
    pub shape: Vec<usize>,
    /// Least and greatest integer of all elements; a quantiser may give fewer, see [`Input::ranges`].
    pub range: (i64, i64),
    /// Where the integers come from, if they are not given as integers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encode: Option<Encode>,
}

impl Input {
    /// Least and greatest integer of each element in row-major order: of those in the range what its quantiser gives.
    pub fn ranges(&self) -> Vec<(i64, i64)> {
        let (lo, hi) = self.range;
        let count = self.shape.iter().product();
        let Some(encode) = &self.encode else {
            return vec![self.range; count];
        };
        let full = |p: &Array<f32>| p.stretched(&self.shape).expect("checked when the graph was built");
        let quantiser = encode.quantiser.with(full);
        let element = |i: usize| {
            let (least, greatest) = quantiser.with(|p| p[i]).codes();
            let (least, greatest) = (least.max(lo), greatest.min(hi));
            if least <= greatest { (least, greatest) } else { self.range }
        };
        (0..count).map(element).collect()
    }
}

/// A function on tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// Name in the model.
    pub name: String,
    /// What it computes.
    pub op: Op,
    /// Its operands, all of them before this layer.
    pub inputs: Vec<TensorId>,
    /// What one step of its result is worth, where that is known and one number; for reports only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<f64>,
}

/// A tensor to the outside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Name in the model.
    pub name: String,
    /// What is given.
    pub tensor: TensorId,
    /// What its integers mean, if they are more than integers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decode: Option<Decode>,
}

/// What follows for a tensor from the layers in front of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Extent of each axis.
    pub shape: Vec<usize>,
    /// Which integers its elements can be.
    pub range: Interval,
}

/// A quantised network.
///
/// Layers stand in an order in which operands come first; every operator is exact on integers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct Graph {
    /// Name of the network.
    pub name: String,
    pub(super) inputs: Vec<Input>,
    pub(super) layers: Vec<Layer>,
    pub(super) outputs: Vec<Output>,
    #[serde(skip)]
    pub(super) info: Vec<TensorInfo>,
}

/// A quantised network as it stands in JSON, before it is known whether its layers fit together.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(title = "hwgen quantised network")]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    /// Name of the network.
    name: String,
    /// Tensors from outside; input `k` is tensor `k`.
    inputs: Vec<Input>,
    /// Functions, operands first; layer `k` gives tensor `inputs + k`.
    layers: Vec<Layer>,
    /// Tensors to the outside.
    outputs: Vec<Output>,
}

impl TryFrom<Written> for Graph {
    type Error = Diagnostic;

    fn try_from(written: Written) -> Result<Self, Diagnostic> {
        let mut graph = Self::new(&written.name, written.inputs)?;
        for layer in written.layers {
            graph.push(layer)?;
        }
        for output in written.outputs {
            graph.output(output)?;
        }
        graph.check()?;
        Ok(graph)
    }
}

fn error(message: impl Into<String>) -> Diagnostic {
    Diagnostic::error("model", message)
}

impl Graph {
    /// A network with these inputs and no layers yet.
    ///
    /// # Errors
    /// A shape with too many elements or an empty range.
    pub fn new(name: &str, inputs: Vec<Input>) -> Result<Self, Diagnostic> {
        let info = inputs.iter().map(input_info).collect::<Result<_, _>>()?;
        Ok(Self { name: name.to_owned(), inputs, layers: Vec::new(), outputs: Vec::new(), info })
    }

    /// Reads the JSON form and checks it.
    ///
    /// # Errors
    /// No JSON, or a layer that does not fit its operands.
    pub fn from_json(text: &str) -> Result<Self, Diagnostic> {
        let written: Written =
            serde_json::from_str(text).map_err(|e| error(format!("this is not a model in JSON: {e}")))?;
        written.try_into()
    }

    /// The JSON form.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a graph has no maps with odd keys")
    }

    /// Adds a layer behind all others.
    ///
    /// # Errors
    /// Operands that are not there or do not fit, or results beyond 62 bits.
    pub fn push(&mut self, layer: Layer) -> Result<TensorId, Diagnostic> {
        let info = self.infer(&layer)?;
        self.info.push(info);
        self.layers.push(layer);
        Ok(TensorId(self.info.len() as u32 - 1))
    }

    /// Names a tensor as an output.
    ///
    /// # Errors
    /// A tensor that is not there, or a decoding that does not fit its shape.
    pub fn output(&mut self, output: Output) -> Result<(), Diagnostic> {
        let name = quoted(&output.name);
        let info = self
            .info
            .get(output.tensor.index())
            .ok_or_else(|| error(format!("output {name}: there is no tensor {}", output.tensor.0)))?;
        if let Some(decode) = &output.decode {
            let fits = decode.unit.well_formed()
                && stretches(&decode.unit, &info.shape)
                && decode.steps.iter().flat_map(Step::parameters).all(|p| p.well_formed() && stretches(p, &info.shape))
                && decode.softmax.is_none_or(|axis| axis < info.shape.len());
            if !fits {
                return Err(error(format!("output {name}: its decoding does not fit shape {:?}", info.shape)));
            }
        }
        self.outputs.push(output);
        Ok(())
    }

    /// An error unless there is something to compute.
    pub fn check(&self) -> Result<(), Diagnostic> {
        if self.outputs.is_empty() {
            return Err(error("the model has no output"));
        }
        let mut names: Vec<&str> =
            self.inputs.iter().map(|i| &*i.name).chain(self.outputs.iter().map(|o| &*o.name)).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(error(format!("two ports are called {}", quoted(pair[0]))));
        }
        let inputs = self.inputs.iter().map(|input| (&input.name, &input.shape));
        let outputs = self.outputs.iter().map(|output| (&output.name, &self.info[output.tensor.index()].shape));
        match inputs.chain(outputs).find(|(_, shape)| shape.contains(&0)) {
            Some((name, shape)) => Err(error(format!("port {} has no elements: its shape is {shape:?}", quoted(name)))),
            None => Ok(()),
        }
    }

    /// Gives input `k` another range and meaning; what follows from it is worked out again.
    ///
    /// # Errors
    /// An empty range, or layers that no longer fit.
    pub fn set_input(&mut self, k: usize, range: (i64, i64), encode: Option<Encode>) -> Result<(), Diagnostic> {
        self.inputs[k].range = range;
        self.inputs[k].encode = encode;
        self.info[k] = input_info(&self.inputs[k])?;
        self.info.truncate(self.inputs.len());
        for layer in &self.layers {
            let info = self.infer(layer)?;
            self.info.push(info);
        }
        Ok(())
    }

    fn infer(&self, layer: &Layer) -> Result<TensorInfo, Diagnostic> {
        let of = |message: String| error(format!("layer {} ({}): {message}", quoted(&layer.name), layer.op.name()));
        let operands: Option<Vec<&TensorInfo>> = layer.inputs.iter().map(|t| self.info.get(t.index())).collect();
        let operands = operands.ok_or_else(|| of("an operand does not stand before it".into()))?;
        if layer.op.arity().map_or(operands.is_empty(), |n| n != operands.len()) {
            return Err(of(format!("{} operands are given", operands.len())));
        }
        let shape = shape_of(&layer.op, &operands).map_err(of)?;
        let range = range_of(&layer.op, &operands).map_err(of)?;
        if range.width() > MAX_BITS - u32::from(!range.signed()) {
            return Err(of(format!("its results need more than {MAX_BITS} bits: {range}")));
        }
        Ok(TensorInfo { shape, range })
    }

    /// The inputs; input `k` is tensor `k`.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// The layers; layer `k` gives tensor `inputs + k`.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The outputs.
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// The tensor that layer `k` gives.
    pub fn result(&self, k: usize) -> TensorId {
        TensorId((self.inputs.len() + k) as u32)
    }

    /// Shape and range of a tensor.
    pub fn info(&self, tensor: TensorId) -> &TensorInfo {
        &self.info[tensor.index()]
    }

    /// The same network without layers that no output needs. Inputs stay.
    #[must_use]
    pub fn pruned(&self) -> Self {
        let inputs = self.inputs.len();
        let mut needed = vec![false; self.info.len()];
        self.outputs.iter().for_each(|o| needed[o.tensor.index()] = true);
        for (k, layer) in self.layers.iter().enumerate().rev() {
            if needed[inputs + k] {
                layer.inputs.iter().for_each(|t| needed[t.index()] = true);
            }
        }
        let mut new: Vec<TensorId> = (0..inputs as u32).map(TensorId).collect();
        let mut kept = Self { layers: Vec::new(), info: self.info[..inputs].to_vec(), ..self.clone() };
        for (k, layer) in self.layers.iter().enumerate() {
            new.push(TensorId(kept.info.len() as u32));
            if needed[inputs + k] {
                let operands = layer.inputs.iter().map(|t| new[t.index()]).collect();
                kept.layers.push(Layer { inputs: operands, ..layer.clone() });
                kept.info.push(self.info[inputs + k].clone());
            }
        }
        for output in &mut kept.outputs {
            output.tensor = new[output.tensor.index()];
        }
        kept
    }
}

fn input_info(input: &Input) -> Result<TensorInfo, Diagnostic> {
    let of = |message: String| error(format!("input {}: {message}", quoted(&input.name)));
    super::movement::elements(&input.shape).map_err(of)?;
    let (lo, hi) = input.range;
    let range = Interval::new(lo.into(), hi.into())
        .ok()
        .filter(|r| r.width() < MAX_BITS)
        .ok_or_else(|| of(format!("[{lo}, {hi}] is no range of at most {MAX_BITS} bits")))?;
    if let Some(encode) = &input.encode {
        let steps = encode.steps.iter().flat_map(Step::parameters);
        let fits = steps.chain(encode.quantiser.parameters()).all(|p| p.well_formed() && stretches(p, &input.shape));
        if !fits || !encode.quantiser.has_a_code_a_level() {
            return Err(of(format!("its encoding does not fit shape {:?}", input.shape)));
        }
    }
    Ok(TensorInfo { shape: input.shape.clone(), range })
}

/// Whether `array` stretches to `shape`, without building anything.
pub(super) fn stretches<V>(array: &Array<V>, shape: &[usize]) -> bool {
    array.shape.len() <= shape.len() && array.shape.iter().rev().zip(shape.iter().rev()).all(|(a, b)| *a == 1 || a == b)
}

impl<V> Array<V> {
    /// Whether there are as many values as the shape says.
    pub(super) fn well_formed(&self) -> bool {
        self.shape.iter().try_fold(1usize, |n, e| n.checked_mul(*e)) == Some(self.values.len())
    }
}
