//! A chain or graph of Keras layers as a quantised network.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use hdl::diag::Diagnostic;
use hdl::names::quoted;
use serde_json::Value as Json;

use super::{KerasLayer, error, read};
use crate::import::lift::{Imported, InputFormat, Lift, Real};

/// Most layers of a model.
const MAX_LAYERS: usize = 10_000;

/// The network in the bytes of a Keras 2 HDF5 file or a Keras 3 archive. `formats` are for inputs that the network does not quantise itself.
///
/// # Errors
/// As [`read`], and layers that are not supported: their name and what would make them work.
pub fn network(bytes: Vec<u8>, formats: &[InputFormat]) -> Result<Imported, Diagnostic> {
    let layers = ordered(read(bytes)?)?;
    if layers.len() > MAX_LAYERS {
        return Err(error(format!("the model has more than {MAX_LAYERS} layers")));
    }
    let mut inputs = Vec::new();
    for layer in layers.iter().filter(|l| l.class == "InputLayer") {
        inputs.push((layer.name.clone(), shape(layer)?));
    }
    if inputs.is_empty() {
        // a sequential model may say the shape at its first layer
        let first = layers.first().ok_or_else(|| error("the model has no layers"))?;
        inputs.push(("input".to_owned(), shape(first)?));
    }
    let names: Vec<String> = inputs.iter().map(|(name, _)| name.clone()).collect();
    let (mut lift, reals) = Lift::new("network", inputs, formats)?;
    let mut results: HashMap<String, Real> = names.into_iter().zip(reals).collect();
    let mut previous = results.values().next().cloned();
    let mut used: Vec<String> = Vec::new();
    let mut last = None;
    for layer in layers.iter().filter(|l| l.class != "InputLayer") {
        let operands = if layer.inbound.is_empty() {
            previous.iter().cloned().collect()
        } else {
            let of = |name: &String| {
                used.push(name.clone());
                results.get(name).cloned().ok_or_else(|| {
                    error(format!("layer {}: nothing before it is called {}", quoted(&layer.name), quoted(name)))
                })
            };
            layer.inbound.iter().map(of).collect::<Result<Vec<_>, _>>()?
        };
        let result = lift.keras_layer(layer, operands)?;
        previous = Some(result.clone());
        results.insert(layer.name.clone(), result);
        last = Some(&layer.name);
    }
    let last = last.ok_or_else(|| error("the model has only inputs"))?;
    let computed = layers.iter().filter(|l| l.class != "InputLayer");
    for layer in computed.filter(|l| if l.inbound.is_empty() { l.name == *last } else { !used.contains(&l.name) }) {
        let real = results[&layer.name].clone();
        lift.output(&layer.name, &real)?;
    }
    lift.finish()
}

/// The layers in an order in which operands come first, otherwise as they were. A layer that is used several times stands
/// at its first place in the file, though a later use may take what comes behind it.
///
/// # Errors
/// Two of one name, or some that wait for each other.
fn ordered(layers: Vec<KerasLayer>) -> Result<Vec<KerasLayer>, Diagnostic> {
    let mut index = HashMap::new();
    for (k, layer) in layers.iter().enumerate() {
        if index.insert(layer.name.clone(), k).is_some() {
            let name = quoted(&layer.name);
            return Err(error(format!("two layers are called {name}")));
        }
    }
    let mut waiting = vec![0; layers.len()];
    let mut readers = vec![Vec::new(); layers.len()];
    for (k, layer) in layers.iter().enumerate() {
        for &operand in layer.inbound.iter().filter_map(|name| index.get(name)) {
            waiting[k] += 1;
            readers[operand].push(k);
        }
    }
    let mut ready: BinaryHeap<Reverse<usize>> = (0..layers.len()).filter(|k| waiting[*k] == 0).map(Reverse).collect();
    let mut left: Vec<Option<KerasLayer>> = layers.into_iter().map(Some).collect();
    let mut sorted = Vec::with_capacity(left.len());
    while let Some(Reverse(k)) = ready.pop() {
        sorted.extend(left[k].take());
        for &reader in &readers[k] {
            waiting[reader] -= 1;
            if waiting[reader] == 0 {
                ready.push(Reverse(reader));
            }
        }
    }
    match left.into_iter().flatten().next() {
        Some(layer) => Err(error(format!("layer {} waits for its own result", quoted(&layer.name)))),
        None => Ok(sorted),
    }
}

/// A shape whose first axis is the batch, which is 1.
fn shape(layer: &KerasLayer) -> Result<Vec<usize>, Diagnostic> {
    let wrong = || {
        error(format!("layer {}: the shape of the input is not fixed", quoted(&layer.name)))
            .help("give the model an Input with a shape")
    };
    // Keras 3 calls it otherwise
    let extents = layer.config["batch_input_shape"].as_array();
    let extents = extents.or(layer.config["batch_shape"].as_array());
    let extents = extents.ok_or_else(wrong)?;
    let mut shape = vec![1];
    for extent in extents.iter().skip(1) {
        let extent = extent.as_u64().filter(|e| (1..=1 << 24).contains(e)).ok_or_else(wrong)?;
        shape.push(extent as usize);
    }
    Ok(shape)
}

impl KerasLayer {
    /// An error at this layer.
    pub(super) fn error(&self, message: impl Into<String>) -> Diagnostic {
        error(format!("layer {} ({}): {}", quoted(&self.name), self.class, message.into()))
    }

    /// A number or list of `rank` numbers in the configuration.
    pub(super) fn sizes(&self, key: &str, rank: usize, default: usize) -> Result<Vec<usize>, Diagnostic> {
        let size = |v: &Json| v.as_u64().filter(|v| *v <= 1 << 20).map(|v| v as usize);
        let sizes = match &self.config[key] {
            Json::Null => Some(vec![default; rank]),
            Json::Array(list) => list.iter().map(size).collect(),
            one => size(one).map(|v| vec![v; rank]),
        };
        sizes.filter(|s| s.len() == rank).ok_or_else(|| self.error(format!("`{key}` needs {rank} numbers")))
    }
}
