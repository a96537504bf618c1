//! Keras 2 model files (`.h5`): the layers' configurations and tensors, QKeras quantisers, and whole networks.

mod layers;
mod network;
mod quantiser;

use std::collections::BTreeMap;

use hdf5_pure::{AttrValue, Error, File, FormatError};
use hdl::diag::Diagnostic;
use serde_json::Value as Json;

pub use network::network;

/// The tensors of a layer that inference uses.
const TENSORS: [&str; 7] = [
    "kernel",
    "depthwise_kernel",
    "bias",
    "gamma",
    "beta",
    "moving_mean",
    "moving_variance",
];

/// Most numbers that one tensor of a model file may hold.
const MAX_TENSOR: u64 = 1 << 24;

/// A tensor in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Extent of each axis.
    pub shape: Vec<u64>,
    /// The numbers.
    pub data: Vec<f32>,
}

/// One layer of a model.
#[derive(Debug, Clone)]
pub struct KerasLayer {
    /// Class, such as `QDense`.
    pub class: String,
    /// Name in the model.
    pub name: String,
    /// Its configuration.
    pub config: Json,
    /// Its tensors by name, such as `kernel` and `bias`.
    pub tensors: BTreeMap<String, Tensor>,
    /// Names of the layers whose results it takes; empty in a sequential model.
    pub inbound: Vec<String>,
}

/// A quantiser of QKeras whose scale is fixed (`alpha` 1 or absent).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QKerasQuantiser {
    /// `quantized_bits(bits, integer, keep_negative)`.
    Bits {
        /// Bits, the sign included.
        bits: u32,
        /// Integer bits, without the sign.
        integer: i32,
        /// Whether there is a sign.
        keep_negative: bool,
    },
    /// `quantized_relu(bits, integer)`.
    Relu {
        /// Bits.
        bits: u32,
        /// Integer bits.
        integer: i32,
    },
}

fn error(message: impl Into<String>) -> Diagnostic {
    Diagnostic::error("keras", message)
}

/// The layers of a Keras 2 HDF5 file, in order.
///
/// # Errors
/// Not HDF5, no `model_config` in it, or tensors that are missing, too large or not 32-bit floats.
pub fn read(bytes: Vec<u8>) -> Result<Vec<KerasLayer>, Diagnostic> {
    let file = File::from_bytes(bytes)
        .map_err(|e| error(format!("this is not a readable HDF5 file: {e}")))?;
    let attributes = file
        .root()
        .attrs()
        .map_err(|e| error(format!("the file's attributes are damaged: {e}")))?;
    let text = match attributes.get("model_config") {
        Some(
            AttrValue::VarLenString(text)
            | AttrValue::VarLenAsciiString(text)
            | AttrValue::String(text),
        ) => text,
        _ => {
            return Err(error("there is no `model_config` in the file")
                .help("save the whole model, not the weights only"));
        }
    };
    let config: Json = serde_json::from_str(text)
        .map_err(|e| error(format!("`model_config` is not JSON: {e}")))?;
    let layers = config["config"]["layers"]
        .as_array()
        .ok_or_else(|| error("`model_config` lists no layers"))?;
    layers
        .iter()
        .map(|layer| read_layer(&file, layer))
        .collect()
}

fn read_layer(file: &File, layer: &Json) -> Result<KerasLayer, Diagnostic> {
    let text = |key: &str| layer[key].as_str().map(str::to_owned);
    let class = text("class_name").ok_or_else(|| error("a layer has no class"))?;
    let name = text("name").or_else(|| layer["config"]["name"].as_str().map(str::to_owned));
    let name = name.ok_or_else(|| error(format!("a layer of class `{class}` has no name")))?;
    let mut tensors = BTreeMap::new();
    let folder = format!("model_weights/{name}/{name}");
    // a folded batch normalisation keeps its tensors in a group of its own
    let inner = file.group(&folder).and_then(|g| g.groups());
    let inner = inner.ok().and_then(|groups| groups.first().cloned());
    let find = |path: &str| match file.dataset(path) {
        Ok(dataset) => Ok(Some(dataset)),
        Err(Error::Format(FormatError::PathNotFound(_))) => Ok(None),
        Err(e) => Err(e),
    };
    for tensor in TENSORS {
        let damaged = |e: Error| error(format!("layer `{name}`, {tensor}: {e}"));
        let mut dataset = find(&format!("{folder}/{tensor}:0")).map_err(damaged)?;
        if let (None, Some(inner)) = (&dataset, &inner) {
            dataset = find(&format!("{folder}/{inner}/{tensor}:0")).map_err(damaged)?;
        }
        if let Some(dataset) = dataset {
            let shape = dataset.shape().map_err(damaged)?;
            let size = shape
                .iter()
                .try_fold(1u64, |size, extent| size.checked_mul(*extent));
            if size.is_none_or(|size| size > MAX_TENSOR) {
                return Err(error(format!(
                    "layer `{name}`: its {tensor} of shape {shape:?} is too large"
                )));
            }
            let data = dataset.read_f32().map_err(damaged)?;
            tensors.insert(tensor.to_owned(), Tensor { shape, data });
        }
    }
    Ok(KerasLayer {
        class,
        name,
        config: layer["config"].clone(),
        tensors,
        inbound: inbound(&layer["inbound_nodes"]),
    })
}

/// The names in `[[["name", 0, 0, {}], …]]`.
fn inbound(nodes: &Json) -> Vec<String> {
    let first = nodes.as_array().and_then(|nodes| nodes.first());
    let operands = first.and_then(Json::as_array).into_iter().flatten();
    operands
        .filter_map(|operand| operand[0].as_str().map(str::to_owned))
        .collect()
}

impl KerasLayer {
    /// A tensor of exactly this shape with finite numbers.
    pub fn tensor(&self, name: &str, shape: &[u64]) -> Result<&Tensor, Diagnostic> {
        let of = |what: String| error(format!("layer `{}`, {name}: {what}", self.name));
        let tensor = self.tensors.get(name).ok_or_else(|| of("missing".into()))?;
        if tensor.shape != shape {
            return Err(of(format!(
                "expected shape {shape:?}, found {:?}",
                tensor.shape
            )));
        }
        match tensor.data.iter().position(|v| !v.is_finite()) {
            Some(i) => Err(of(format!("entry {i} is {}", tensor.data[i]))),
            None => Ok(tensor),
        }
    }

    /// The quantiser under `key` of the layer's configuration.
    pub fn quantiser(&self, key: &str) -> Result<QKerasQuantiser, Diagnostic> {
        let of = |what: &str| error(format!("layer `{}`, {key}: {what}", self.name));
        let quantiser = &self.config[key];
        let config = &quantiser["config"];
        let integer = |key: &str| config[key].as_i64().and_then(|v| i32::try_from(v).ok());
        let bits = integer("bits")
            .and_then(|b| u32::try_from(b).ok())
            .filter(|b| (1..=32).contains(b));
        let (Some(bits), Some(int)) = (bits, integer("integer").filter(|i| i.abs() <= 32)) else {
            return Err(of(
                "a QKeras quantiser with `bits` (1 to 32) and `integer` was expected",
            ));
        };
        if !(config["alpha"].is_null() || config["alpha"].as_f64() == Some(1.0)) {
            return Err(of(
                "only a fixed scale is exact in binary; train with alpha=1",
            ));
        }
        match quantiser["class_name"].as_str() {
            Some("quantized_bits") if config["symmetric"].as_i64().unwrap_or(0) == 0 => {
                Ok(QKerasQuantiser::Bits {
                    bits,
                    integer: int,
                    keep_negative: config["keep_negative"].as_i64().unwrap_or(1) != 0,
                })
            }
            Some("quantized_bits") => Err(of("symmetric quantisers are not supported here")),
            Some("quantized_relu") if config["negative_slope"].as_f64().unwrap_or(0.0) == 0.0 => {
                Ok(QKerasQuantiser::Relu { bits, integer: int })
            }
            Some(other) => Err(of(&format!("`{other}` is not supported here"))),
            None => Err(of("no quantiser")),
        }
    }
}
