//! Keras 3 archives (`.keras`): a zip file with the configuration as JSON and the tensors in HDF5, numbered in the order
//! in which each layer made them.

use std::collections::{BTreeMap, HashMap};
use std::io::{Cursor, Read};
use std::sync::Arc;

use hdf5_pure::File;
use hdl::diag::Diagnostic;
use serde_json::Value as Json;
use zip::ZipArchive;

use super::{KerasLayer, Tensor, dataset, error, hgq};

/// Most bytes of the configuration, unpacked.
const MAX_CONFIG: u64 = 64 << 20;

/// Most bytes of the tensors, unpacked.
const MAX_WEIGHTS: u64 = 256 << 20;

/// Most uses of all layers.
const MAX_CALLS: usize = 10_000;

/// Deepest list of operands in which one is looked for.
const MAX_DEPTH: usize = 8;

/// Whether the bytes are an archive.
pub(super) fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04")
}

/// The layers of an archive, in order.
///
/// # Errors
/// No zip file, no configuration or tensors in it, or more of them than can be read.
pub(super) fn read(bytes: Vec<u8>) -> Result<Vec<KerasLayer>, Diagnostic> {
    let mut archive =
        ZipArchive::new(Cursor::new(bytes)).map_err(|e| error(format!("this is not a readable Keras archive: {e}")))?;
    let config = unpacked(&mut archive, "config.json", MAX_CONFIG)?;
    let config: Json =
        serde_json::from_slice(&standard(config)).map_err(|e| error(format!("`config.json` is not JSON: {e}")))?;
    let weights = unpacked(&mut archive, "model.weights.h5", MAX_WEIGHTS)?;
    let file = File::from_bytes(weights).map_err(|e| error(format!("`model.weights.h5` is not readable: {e}")))?;
    let layers = config["config"]["layers"].as_array().ok_or_else(|| error("`config.json` lists no layers"))?;
    let mut groups = Groups::default();
    let mut calls = Vec::new();
    for layer in layers {
        calls.extend(read_layer(&file, &mut groups, layer)?);
        if calls.len() > MAX_CALLS {
            return Err(error(format!("layers are used more than {MAX_CALLS} times")));
        }
    }
    Ok(calls)
}

/// JSON without Python's names of numbers that are not finite: 0 instead. They occur as settings of the training only.
fn standard(mut json: Vec<u8>) -> Vec<u8> {
    let (mut at, mut quoted) = (0, false);
    while at < json.len() {
        match json[at] {
            b'\\' if quoted => at += 1,
            b'"' => quoted = !quoted,
            _ if !quoted => {
                for name in [&b"-Infinity"[..], b"Infinity", b"NaN"] {
                    if json[at..].starts_with(name) {
                        json[at..at + name.len()].fill(b' ');
                        json[at] = b'0';
                    }
                }
            }
            _ => {}
        }
        at += 1;
    }
    json
}

fn unpacked(archive: &mut ZipArchive<Cursor<Vec<u8>>>, name: &str, most: u64) -> Result<Vec<u8>, Diagnostic> {
    let damaged = |why: String| error(format!("`{name}` in the archive: {why}"));
    let entry = archive.by_name(name).map_err(|e| damaged(e.to_string()))?;
    let mut bytes = Vec::new();
    let read = entry.take(most + 1).read_to_end(&mut bytes);
    read.map_err(|e| damaged(e.to_string()))?;
    if bytes.len() as u64 > most {
        return Err(damaged(format!("it has more than {most} bytes")));
    }
    Ok(bytes)
}

/// The names of the layers' groups: the class in small letters, and a number from its second use on.
#[derive(Default)]
struct Groups(HashMap<String, usize>);

impl Groups {
    fn next(&mut self, class: &str) -> String {
        let base = snake_case(class);
        let uses = self.0.entry(base.clone()).or_insert(0);
        *uses += 1;
        match *uses {
            1 => base,
            n => format!("{base}_{}", n - 1),
        }
    }
}

/// `QBatchNormalization` as `q_batch_normalization`, `QConv2D` as `q_conv2d`.
fn snake_case(class: &str) -> String {
    let letters: Vec<char> = class.chars().filter(|c| c.is_alphanumeric()).collect();
    let mut text = String::new();
    for (k, letter) in letters.iter().enumerate() {
        let begins_word = letter.is_uppercase() && letters.get(k + 1).is_some_and(|next| next.is_lowercase());
        let follows_small = letter.is_uppercase() && k > 0 && letters[k - 1].is_lowercase();
        if k > 0 && (begins_word || follows_small) {
            text.push('_');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

/// All uses of a layer, in order; at least one.
fn read_layer(file: &File, groups: &mut Groups, json: &Json) -> Result<Vec<KerasLayer>, Diagnostic> {
    let text = |key: &str| json[key].as_str().map(str::to_owned);
    let class = text("class_name").ok_or_else(|| error("a layer has no class"))?;
    let name = text("name").or_else(|| json["config"]["name"].as_str().map(str::to_owned));
    let name = name.ok_or_else(|| error(format!("a layer of class `{class}` has no name")))?;
    let group = format!("layers/{}", groups.next(&class));
    let config = Arc::new(json["config"].clone());
    let damaged = |name: &str, why: Diagnostic| error(format!("layer `{name}`: {}", why.message));
    let mut own = Vec::new();
    for n in 0.. {
        let read = dataset(file, &format!("{group}/vars/{n}"));
        match read.map_err(|why| damaged(&name, why))? {
            // single numbers are what training keeps
            Some(tensor) if tensor.shape.is_empty() => {}
            Some(tensor) => own.push(tensor),
            None => break,
        }
    }
    let mut tensors: BTreeMap<String, Tensor> = names(&class, &config).into_iter().zip(own).collect();
    for (role, folder) in hgq::roles(&config) {
        let Some(names) = hgq::variables(hgq::configuration(&config, &role)) else {
            continue;
        };
        for (n, variable) in names.into_iter().enumerate() {
            let read = dataset(file, &format!("{group}/{folder}/vars/{n}"));
            if let Some(tensor) = read.map_err(|why| damaged(&name, why))? {
                tensors.insert(format!("{role}.{variable}"), tensor);
            }
        }
    }
    let tensors = Arc::new(tensors);
    let call = |(n, inbound): (usize, Vec<String>)| KerasLayer {
        class: class.clone(),
        name: call_name(&name, n as u64),
        config: Arc::clone(&config),
        tensors: Arc::clone(&tensors),
        inbound,
    };
    let calls = inbound(&json["inbound_nodes"]);
    Ok(calls.into_iter().enumerate().map(call).collect())
}

/// The name of a layer's use: its own, with a number from the second use on.
fn call_name(layer: &str, call: u64) -> String {
    match call {
        0 => layer.to_owned(),
        n => format!("{layer}#{n}"),
    }
}

/// The names of a layer's tensors in the order of the file: trained ones first.
fn names(class: &str, config: &Json) -> Vec<String> {
    let kept = |key: &str| config[key].as_bool() != Some(false);
    let mut names = Vec::new();
    if class.ends_with("BatchNormalization") {
        names.extend(kept("scale").then_some("gamma"));
        names.extend(kept("center").then_some("beta"));
        names.extend(["moving_mean", "moving_variance"]);
    } else if class == "QBatchNormDense" {
        names.extend(["kernel", "bias"]);
        names.extend(kept("scale").then_some("gamma"));
        names.extend(["moving_mean", "moving_variance"]);
    } else if class.contains("EinsumDense") {
        names.push("kernel");
        names.extend((!config["bias_axes"].is_null()).then_some("bias"));
    } else if class.contains("DepthwiseConv") {
        names.push("depthwise_kernel");
        names.extend(kept("use_bias").then_some("bias"));
    } else {
        names.push("kernel");
        names.extend(kept("use_bias").then_some("bias"));
    }
    names.into_iter().map(str::to_owned).collect()
}

/// For each use of a layer the names of those whose results it takes, in order. One without operands is used once.
fn inbound(nodes: &Json) -> Vec<Vec<String>> {
    let nodes = nodes.as_array().map_or(&[][..], |nodes| nodes);
    let of = |node: &Json| {
        let mut names = Vec::new();
        operands(&node["args"], MAX_DEPTH, &mut names);
        names
    };
    match nodes {
        [] => vec![Vec::new()],
        nodes => nodes.iter().map(of).collect(),
    }
}

fn operands(value: &Json, depth: usize, names: &mut Vec<String>) {
    if value["class_name"] == "__keras_tensor__" {
        let history = &value["config"]["keras_history"];
        let call = history[1].as_u64().unwrap_or(0);
        names.extend(history[0].as_str().map(|layer| call_name(layer, call)));
    } else if let (Json::Array(list), 1..) = (value, depth) {
        list.iter().for_each(|v| operands(v, depth - 1, names));
    }
}

impl Tensor {
    /// As many numbers as the shape says.
    pub(super) fn is_whole(&self) -> bool {
        self.shape.iter().product::<u64>() == self.data.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pythons_numbers_are_replaced() {
        let python = br#"{"a": Infinity, "b\"NaN": [-Infinity, NaN, "Infinity"]}"#;
        let json: Json = serde_json::from_slice(&standard(python.to_vec())).unwrap();
        assert_eq!(json, serde_json::json!({"a": 0, "b\"NaN": [0, 0, "Infinity"]}));
    }

    #[test]
    fn groups_are_named_as_keras_names_them() {
        let mut groups = Groups::default();
        let classes = [
            ("QDense", "q_dense"),
            ("QDense", "q_dense_1"),
            ("QConv2D", "q_conv2d"),
            ("InputLayer", "input_layer"),
            ("QBatchNormalization", "q_batch_normalization"),
            ("ReLU", "re_lu"),
            ("MaxPooling2D", "max_pooling2d"),
        ];
        for (class, name) in classes {
            assert_eq!(groups.next(class), name);
        }
    }
}
