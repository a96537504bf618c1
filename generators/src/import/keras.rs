//! Keras model files: the layers' configurations and tensors, QKeras and HGQ2 quantisers, and whole networks.
//!
//! Keras 2 writes HDF5 (`.h5`), Keras 3 an archive (`.keras`).

mod archive;
mod einsum;
mod hgq;
mod layers;
mod merge;
mod network;
mod quantiser;

use std::collections::BTreeMap;
use std::sync::Arc;

use hdf5_pure::{AttrValue, Error, File, FormatError};
use hdl::diag::Diagnostic;
use serde_json::Value as Json;

use crate::model::elements;

pub use network::network;
pub use quantiser::QKerasQuantiser;

/// The tensors of a layer that inference uses.
const TENSORS: [&str; 7] = ["kernel", "depthwise_kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance"];

/// A tensor in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Extent of each axis.
    pub shape: Vec<u64>,
    /// The numbers.
    pub data: Vec<f32>,
}

/// One use of a layer of a model.
#[derive(Debug, Clone)]
pub struct KerasLayer {
    /// Class, such as `QDense`.
    pub class: String,
    /// Name in the model.
    pub name: String,
    /// Its configuration.
    pub config: Arc<Json>,
    /// Its tensors by name, such as `kernel` and `bias`; all uses of a layer share them.
    pub tensors: Arc<BTreeMap<String, Tensor>>,
    /// Names of the layers whose results it takes; empty in a sequential model.
    pub inbound: Vec<String>,
}

fn error(message: impl Into<String>) -> Diagnostic {
    Diagnostic::error("keras", message)
}

/// The layers of a Keras 2 HDF5 file or a Keras 3 archive, in order.
///
/// # Errors
/// Neither of both, no model's configuration in it, or tensors that are too large or no numbers.
pub fn read(bytes: Vec<u8>) -> Result<Vec<KerasLayer>, Diagnostic> {
    if archive::is_archive(&bytes) {
        return archive::read(bytes);
    }
    let file = File::from_bytes(bytes).map_err(|e| error(format!("this is not a readable HDF5 file: {e}")))?;
    let attributes = file.root().attrs().map_err(|e| error(format!("the file's attributes are damaged: {e}")))?;
    let text = match attributes.get("model_config") {
        Some(AttrValue::VarLenString(text) | AttrValue::VarLenAsciiString(text) | AttrValue::String(text)) => text,
        _ => {
            return Err(
                error("there is no `model_config` in the file").help("save the whole model, not the weights only")
            );
        }
    };
    let config: Json = serde_json::from_str(text).map_err(|e| error(format!("`model_config` is not JSON: {e}")))?;
    let layers = config["config"]["layers"].as_array().ok_or_else(|| error("`model_config` lists no layers"))?;
    layers.iter().map(|layer| read_layer(&file, layer)).collect()
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
    for tensor in TENSORS {
        let damaged = |why: Diagnostic| error(format!("layer `{name}`, {tensor}: {}", why.message));
        let mut found = dataset(file, &format!("{folder}/{tensor}:0")).map_err(damaged)?;
        if let (None, Some(inner)) = (&found, &inner) {
            found = dataset(file, &format!("{folder}/{inner}/{tensor}:0")).map_err(damaged)?;
        }
        if let Some(found) = found {
            tensors.insert(tensor.to_owned(), found);
        }
    }
    Ok(KerasLayer {
        class,
        name,
        config: Arc::new(layer["config"].clone()),
        tensors: Arc::new(tensors),
        inbound: inbound(&layer["inbound_nodes"]),
    })
}

/// The numbers at `path`; `None` if there is nothing.
fn dataset(file: &File, path: &str) -> Result<Option<Tensor>, Diagnostic> {
    let damaged = |e: Error| error(e.to_string());
    let dataset = match file.dataset(path) {
        Ok(dataset) => dataset,
        Err(Error::Format(FormatError::PathNotFound(_))) => return Ok(None),
        Err(e) => return Err(damaged(e)),
    };
    let shape = dataset.shape().map_err(damaged)?;
    let extent = |e: &u64| usize::try_from(*e).unwrap_or(usize::MAX);
    elements(&shape.iter().map(extent).collect::<Vec<_>>()).map_err(error)?;
    let data = dataset.read_f32().map_err(damaged)?;
    Ok(Some(Tensor { shape, data }))
}

/// The names in `[[["name", 0, 0, {}], …]]`.
fn inbound(nodes: &Json) -> Vec<String> {
    let first = nodes.as_array().and_then(|nodes| nodes.first());
    let operands = first.and_then(Json::as_array).into_iter().flatten();
    operands.filter_map(|operand| operand[0].as_str().map(str::to_owned)).collect()
}

impl KerasLayer {
    /// A tensor of exactly this shape with finite numbers.
    pub fn tensor(&self, name: &str, shape: &[u64]) -> Result<&Tensor, Diagnostic> {
        let of = |what: String| error(format!("layer `{}`, {name}: {what}", self.name));
        let tensor = self.tensors.get(name).ok_or_else(|| of("missing".into()))?;
        if tensor.shape != shape {
            return Err(of(format!("expected shape {shape:?}, found {:?}", tensor.shape)));
        }
        match tensor.data.iter().position(|v| !v.is_finite()) {
            Some(i) => Err(of(format!("entry {i} is {}", tensor.data[i]))),
            None => Ok(tensor),
        }
    }

    /// The QKeras quantiser under `key` of the layer's configuration, one with all codes of its bits.
    pub fn quantiser(&self, key: &str) -> Result<QKerasQuantiser, Diagnostic> {
        let of = |why: String| error(format!("layer `{}`, {key}: {why}", self.name));
        match quantiser::qkeras(&self.config[key]).map_err(of)? {
            QKerasQuantiser::Bits { symmetric: true, .. } => {
                Err(of("symmetric quantisers are not supported here".into()))
            }
            all_codes => Ok(all_codes),
        }
    }
}
