//! Keras 3 archives (`.keras`): a zip file with the configuration as JSON and the tensors in HDF5, numbered in the order
//! in which each layer made them.

use std::collections::{BTreeMap, HashMap};
use std::io::{Cursor, Read};

use hdf5_pure::File;
use hdl::diag::Diagnostic;
use serde_json::Value as Json;
use zip::ZipArchive;

use super::{KerasLayer, Tensor, dataset, error, hgq};

/// Most bytes of the configuration, unpacked.
const MAX_CONFIG: u64 = 64 << 20;

/// Most bytes of the tensors, unpacked.
const MAX_WEIGHTS: u64 = 256 << 20;

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
    let mut archive = ZipArchive::new(Cursor::new(bytes))
        .map_err(|e| error(format!("this is not a readable Keras archive: {e}")))?;
    let config = unpacked(&mut archive, "config.json", MAX_CONFIG)?;
    let config: Json = serde_json::from_slice(&standard(config))
        .map_err(|e| error(format!("`config.json` is not JSON: {e}")))?;
    let weights = unpacked(&mut archive, "model.weights.h5", MAX_WEIGHTS)?;
    let file = File::from_bytes(weights)
        .map_err(|e| error(format!("`model.weights.h5` is not readable: {e}")))?;
    let layers = config["config"]["layers"]
        .as_array()
        .ok_or_else(|| error("`config.json` lists no layers"))?;
    let mut groups = Groups::default();
    let read = |layer: &Json| read_layer(&file, &mut groups, layer);
    layers.iter().map(read).collect()
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

fn unpacked(
    archive: &mut ZipArchive<Cursor<Vec<u8>>>,
    name: &str,
    most: u64,
) -> Result<Vec<u8>, Diagnostic> {
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
        let begins_word =
            letter.is_uppercase() && letters.get(k + 1).is_some_and(|next| next.is_lowercase());
        let follows_small = letter.is_uppercase() && k > 0 && letters[k - 1].is_lowercase();
        if k > 0 && (begins_word || follows_small) {
            text.push('_');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

fn read_layer(file: &File, groups: &mut Groups, json: &Json) -> Result<KerasLayer, Diagnostic> {
    let text = |key: &str| json[key].as_str().map(str::to_owned);
    let class = text("class_name").ok_or_else(|| error("a layer has no class"))?;
    let name = text("name").or_else(|| json["config"]["name"].as_str().map(str::to_owned));
    let name = name.ok_or_else(|| error(format!("a layer of class `{class}` has no name")))?;
    let group = format!("layers/{}", groups.next(&class));
    let mut layer = KerasLayer {
        class,
        name,
        config: json["config"].clone(),
        tensors: BTreeMap::new(),
        inbound: inbound(&json["inbound_nodes"])?,
    };
    let damaged = |name: &str, why: Diagnostic| error(format!("layer `{name}`: {}", why.message));
    let mut own = Vec::new();
    for n in 0.. {
        let read = dataset(file, &format!("{group}/vars/{n}"));
        match read.map_err(|why| damaged(&layer.name, why))? {
            // single numbers are what training keeps
            Some(tensor) if tensor.shape.is_empty() => {}
            Some(tensor) => own.push(tensor),
            None => break,
        }
    }
    layer.tensors = names(&layer).into_iter().zip(own).collect();
    for (role, key) in hgq::ROLES {
        let Some(names) = hgq::variables(&layer.config[key]["config"]) else {
            continue;
        };
        let folder = match role {
            "quantizer" => format!("{group}/quantizer/vars"),
            role => format!("{group}/{role}/quantizer/vars"),
        };
        for (n, variable) in names.into_iter().enumerate() {
            let read = dataset(file, &format!("{folder}/{n}"));
            if let Some(tensor) = read.map_err(|why| damaged(&layer.name, why))? {
                layer.tensors.insert(format!("{role}.{variable}"), tensor);
            }
        }
    }
    Ok(layer)
}

/// The names of a layer's tensors in the order of the file: trained ones first.
fn names(layer: &KerasLayer) -> Vec<String> {
    let kept = |key: &str| layer.config[key].as_bool() != Some(false);
    let mut names = Vec::new();
    if layer.class.ends_with("BatchNormalization") {
        names.extend(kept("scale").then_some("gamma"));
        names.extend(kept("center").then_some("beta"));
        names.extend(["moving_mean", "moving_variance"]);
    } else if layer.class.contains("DepthwiseConv") {
        names.push("depthwise_kernel");
        names.extend(kept("use_bias").then_some("bias"));
    } else {
        names.push("kernel");
        names.extend(kept("use_bias").then_some("bias"));
    }
    names.into_iter().map(str::to_owned).collect()
}

/// The names of the layers whose results a layer takes, in order.
fn inbound(nodes: &Json) -> Result<Vec<String>, Diagnostic> {
    let nodes = nodes.as_array().map_or(&[][..], |nodes| nodes);
    if nodes.len() > 1 {
        return Err(error("a layer is used more than once")
            .help("give each use a layer of its own, with the same weights"));
    }
    let mut names = Vec::new();
    if let Some(node) = nodes.first() {
        operands(&node["args"], MAX_DEPTH, &mut names);
    }
    Ok(names)
}

fn operands(value: &Json, depth: usize, names: &mut Vec<String>) {
    if value["class_name"] == "__keras_tensor__" {
        let source = value["config"]["keras_history"][0].as_str();
        names.extend(source.map(str::to_owned));
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
        assert_eq!(
            json,
            serde_json::json!({"a": 0, "b\"NaN": [0, 0, "Infinity"]})
        );
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
