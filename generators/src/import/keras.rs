//! Keras model files: whole networks with QKeras and HGQ2 quantisers, and layers one by one.
//!
//! A file has a configuration in JSON and tensors in HDF5. [`model`] reads the graph of the configuration and hands each
//! layer its tensors ([`weights`]), [`network`] follows the graph, [`class`] lists the layers. Whatever the file says is
//! read, known to be without influence, or refused: see [`Settings`].

mod activation;
mod archive;
mod attention;
mod class;
mod convolution;
mod dense;
mod document;
mod einsum;
mod fixed;
mod function;
mod hgq;
mod hgq_layers;
mod layer_calls;
mod merge;
mod model;
mod network;
mod normalisation;
mod operation;
mod origin;
mod part;
mod pooling;
mod power;
mod projection;
mod quantiser;
mod quantiser_call;
mod quantisers;
mod rearranging;
mod refused;
pub mod settings;
mod shaping;
mod subnet;
mod table;
mod transposed;
mod weight_quantiser;
mod weights;
mod wrapper;

use std::rc::Rc;

use hdl::diag::Diagnostic;
use serde_json::Value as Json;

use super::lift::{Imported, InputFormat};
use super::python_json;
use crate::model::Array;

use model::{Kind, Model};
use settings::Settings;
use weights::{Tensors, Weights};

pub use document::document;
pub use quantiser::QKerasQuantiser;
pub use quantisers::quantiser_table;
pub use refused::refused_table;
pub use weights::Tensor;

/// A layer of a model.
#[derive(Debug, Clone)]
pub struct KerasLayer {
    /// Class, such as `QDense`.
    pub class: String,
    /// Name in the model, with the inner models' names in front and the number of its use behind.
    pub name: String,
    /// Its configuration.
    pub config: Settings,
    /// Its tensors by name, such as `kernel` and `bias`; all uses of a layer share them.
    pub tensors: Rc<Tensors>,
    /// The layer inside it, if it is one around another.
    inner: Option<Rc<KerasLayer>>,
}

fn error(message: impl Into<String>) -> Diagnostic {
    Diagnostic::error("keras", message)
}

/// The network in the bytes of an `.h5` or `.keras` file. `formats` are for inputs that the network does not quantise
/// itself.
///
/// # Errors
/// Neither kind of file, or what is not supported in it, with what would make it work.
pub fn network(bytes: Vec<u8>, formats: &[InputFormat]) -> Result<Imported, Diagnostic> {
    network::network(&read(bytes)?, formats)
}

/// The network of a configuration, as Keras' `to_json` gives it, with the tensors in the bytes of a file that
/// `save_weights` wrote.
///
/// # Errors
/// As [`network`].
pub fn network_of_pair(config: &[u8], weights: Vec<u8>, formats: &[InputFormat]) -> Result<Imported, Diagnostic> {
    let weights = Weights::open(weights, "the file of weights")?;
    let config = configuration(config, "the configuration")?;
    network::network(&model::read(&config, &weights)?, formats)
}

/// The layers of a model that is a plain chain, without its input, in order. Who reads them has to
/// [finish](KerasLayer::finish) each.
///
/// # Errors
/// As [`network`], and a model that is no chain.
pub fn chain(bytes: Vec<u8>) -> Result<Vec<KerasLayer>, Diagnostic> {
    let model = read(bytes)?;
    let branches = || error("the model is no chain of layers");
    let mut layers = Vec::new();
    let mut before = model.inputs.clone();
    for entry in &model.entries {
        match (&entry.kind, entry.calls.as_slice()) {
            (Kind::Input(_), _) => {}
            (Kind::Layer(layer), [call]) if call.keyword.is_empty() => {
                let operands: Vec<_> = call.tensors().into_iter().cloned().collect();
                if operands != before {
                    return Err(branches());
                }
                before = vec![layer_calls::Reference { layer: entry.name.clone(), node: 0, tensor: 0 }];
                layers.push(layer.as_ref().clone());
            }
            _ => return Err(branches()),
        }
    }
    if model.outputs == before { Ok(layers) } else { Err(branches()) }
}

fn configuration(text: &[u8], what: &str) -> Result<Json, Diagnostic> {
    python_json::parse(text).map_err(|e| error(format!("{what} is not JSON: {e}")))
}

fn read(bytes: Vec<u8>) -> Result<Model, Diagnostic> {
    if archive::is_archive(&bytes) {
        let (config, weights) = archive::unpack(bytes)?;
        let config = configuration(&config, "`config.json`")?;
        return model::read(&config, &Weights::open(weights, "`model.weights.h5`")?);
    }
    let weights = Weights::open(bytes, "this")?;
    let text = weights.configuration()?.ok_or_else(|| {
        error("there is no `model_config` in the file")
            .help("save the whole model, or give the model's JSON and the weights as two files")
    })?;
    model::read(&configuration(text.as_bytes(), "`model_config`")?, &weights)
}

impl KerasLayer {
    /// The same layer, used under another name.
    fn named(&self, name: String) -> Self {
        Self { name, ..self.clone() }
    }

    /// An error at this layer.
    fn error(&self, message: impl Into<String>) -> Diagnostic {
        error(format!("layer {} ({}): {}", hdl::names::quoted(&self.name), self.class, message.into()))
    }

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

    /// A tensor with finite numbers.
    fn floats(&self, name: &str) -> Result<Array<f32>, Diagnostic> {
        let tensor = self.tensors.get(name).ok_or_else(|| self.error(format!("its {name} is missing")))?;
        if tensor.data.iter().any(|v| !v.is_finite()) {
            return Err(self.error(format!("its {name} is not finite")));
        }
        let shape: Vec<usize> = tensor.shape.iter().map(|e| *e as usize).collect();
        if !tensor.is_whole() {
            return Err(self.error(format!("its {name} is damaged")));
        }
        Ok(Array { shape, values: tensor.data.clone() })
    }

    /// The tensor `name`, a list of `count` numbers.
    fn list_of(&self, name: &str, count: usize) -> Result<Array<f32>, Diagnostic> {
        let list = self.floats(name)?;
        match list.shape == [count] {
            true => Ok(list),
            false => Err(self.misfit(format!("its {name} has shape {:?}, expected [{count}]", list.shape))),
        }
    }

    /// An error if the configuration says under `key` something else than the extents `found` in the tensors.
    pub(crate) fn agrees(&self, key: &str, found: &[usize]) -> Result<(), Diagnostic> {
        match self.config.sizes(key, found.len())? {
            Some(said) if said != found => {
                Err(self.misfit(format!("its `{key}` is {said:?}, its tensors in the file are made for {found:?}")))
            }
            _ => Ok(()),
        }
    }

    fn misfit(&self, message: String) -> Diagnostic {
        self.error(message).help("the weights and the configuration must be those of the same model")
    }

    /// The QKeras quantiser under `key` of the layer's configuration, one with all codes of its bits.
    pub fn quantiser(&self, key: &str) -> Result<QKerasQuantiser, Diagnostic> {
        match quantiser::qkeras(&self.config, key)? {
            QKerasQuantiser::Bits { symmetric: true, .. } => {
                Err(self.error(format!("{key}: symmetric quantisers are not supported here")))
            }
            all_codes => Ok(all_codes),
        }
    }
}
