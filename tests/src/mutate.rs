//! Damage to valid files, for fuzzers: of bytes, of JSON, of ONNX graphs, of archives.

use std::io::{Cursor, Read, Write};

use fastrand::Rng;
use hwgen::import::onnx::proto::{GraphProto, ModelProto};
use prost::Message;
use serde_json::Value as Json;

/// Integers at which code that counts breaks.
const EXTREMES: [i64; 14] =
    [0, 1, -1, 2, 62, 64, 255, 1 << 16, 1 << 24, i32::MAX as i64, 1 << 32, i64::MAX, i64::MIN, -(1 << 31)];

fn extreme(rng: &mut Rng) -> i64 {
    EXTREMES[rng.usize(..EXTREMES.len())]
}

/// Some bits, bytes, lengths and stretches of `bytes` changed, or its end cut off.
pub fn bytes(mut bytes: Vec<u8>, rng: &mut Rng) -> Vec<u8> {
    for _ in 0..1 << rng.u32(0..4) {
        if bytes.is_empty() {
            return bytes;
        }
        // headers are more interesting than numbers
        let len = bytes.len();
        let within = if rng.bool() { len } else { len.min(4096) };
        let place = rng.usize(..within);
        match rng.u32(0..8) {
            0 => bytes[place] ^= 1 << rng.u32(0..8),
            1 => bytes[place] = rng.u8(..),
            2 | 3 => {
                let value = extreme(rng).to_le_bytes();
                let width = [1, 2, 4, 8][rng.usize(..4)].min(len - place);
                bytes[place..place + width].copy_from_slice(&value[..width]);
            }
            4 => {
                let end = (place + rng.usize(1..64)).min(len);
                bytes.drain(place..end);
            }
            5 => {
                let end = (place + rng.usize(1..64)).min(len);
                let copy = bytes[place..end].to_vec();
                let to = rng.usize(..len);
                bytes.splice(to..to, copy);
            }
            6 => {
                let end = (place + rng.usize(1..16)).min(len);
                bytes[place..end].fill([0, 0xff][rng.usize(..2)]);
            }
            _ if rng.u32(0..4) == 0 => bytes.truncate(place),
            _ => bytes[place] = bytes[place].wrapping_add(1),
        }
    }
    bytes
}

/// Text that is JSON, with some of its values changed.
pub fn json_text(text: &[u8], rng: &mut Rng) -> Vec<u8> {
    let Ok(mut json) = serde_json::from_slice::<Json>(text) else {
        return bytes(text.to_vec(), rng);
    };
    for _ in 0..1 << rng.u32(0..3) {
        json_value(&mut json, rng);
    }
    json.to_string().into_bytes()
}

/// One value somewhere in `json` replaced, removed or doubled.
fn json_value(json: &mut Json, rng: &mut Rng) {
    let mut at = json;
    // deep enough for every place of the files that are fuzzed
    for _ in 0..rng.usize(1..12) {
        let here = at;
        let len = match &*here {
            Json::Array(list) => list.len(),
            Json::Object(map) => map.len(),
            _ => 0,
        };
        if len == 0 {
            at = here;
            break;
        }
        let k = rng.usize(..len);
        at = match here {
            Json::Array(list) => &mut list[k],
            Json::Object(map) => map.values_mut().nth(k).expect("counted"),
            _ => unreachable!("has no elements"),
        };
    }
    match (rng.u32(0..6), at) {
        (0, Json::Array(list)) if !list.is_empty() => {
            list.remove(rng.usize(..list.len()));
        }
        (1, Json::Array(list)) if !list.is_empty() => {
            let copy = list[rng.usize(..list.len())].clone();
            list.push(copy);
        }
        (2, Json::Object(map)) if !map.is_empty() => {
            let key = map.keys().nth(rng.usize(..map.len())).cloned();
            map.remove(&key.expect("counted"));
        }
        (_, at) => {
            *at = match rng.u32(0..8) {
                0 => Json::Null,
                1 => Json::from(""),
                2 => Json::Array(Vec::new()),
                3 => serde_json::json!({"class_name": 3}),
                4 => Json::from([1e300, -1e-300, 0.5, 3e38][rng.usize(..4)]),
                5 => Json::from(rng.bool()),
                _ => Json::from(extreme(rng)),
            }
        }
    }
}

/// An ONNX model with some nodes, attributes and tensors changed.
pub fn onnx(model: &[u8], rng: &mut Rng) -> Vec<u8> {
    let Ok(mut decoded) = ModelProto::decode(model) else {
        return bytes(model.to_vec(), rng);
    };
    if let Some(graph) = &mut decoded.graph {
        for _ in 0..1 << rng.u32(0..3) {
            onnx_graph(graph, rng);
        }
    }
    decoded.encode_to_vec()
}

fn onnx_graph(graph: &mut GraphProto, rng: &mut Rng) {
    const OPERATORS: [&str; 22] = [
        "Quant",
        "Trunc",
        "BipolarQuant",
        "MultiThreshold",
        "Conv",
        "MatMul",
        "Gemm",
        "Reshape",
        "Transpose",
        "Concat",
        "Split",
        "Slice",
        "Gather",
        "MaxPool",
        "AveragePool",
        "Pad",
        "Relu",
        "Softmax",
        "Shape",
        "ConstantOfShape",
        "QuantizeLinear",
        "DequantizeLinear",
    ];
    let (nodes, tensors) = (graph.node.len(), graph.initializer.len());
    match rng.u32(0..5) {
        0 | 1 if nodes > 0 => {
            let other = graph.node[rng.usize(..nodes)].clone();
            let node = &mut graph.node[rng.usize(..nodes)];
            match rng.u32(0..6) {
                0 => OPERATORS[rng.usize(..OPERATORS.len())].clone_into(&mut node.op_type),
                1 => node.input = other.input,
                2 => node.attribute = other.attribute,
                3 => {
                    node.input.pop();
                }
                4 => node.output = other.output,
                _ => {
                    for attribute in &mut node.attribute {
                        attribute.i = extreme(rng);
                        for value in &mut attribute.ints {
                            if rng.bool() {
                                *value = extreme(rng);
                            }
                        }
                    }
                }
            }
        }
        2 if nodes > 0 => {
            graph.node.remove(rng.usize(..nodes));
        }
        3 if tensors > 0 => {
            let tensor = &mut graph.initializer[rng.usize(..tensors)];
            match rng.u32(0..5) {
                0 => tensor.dims.push(extreme(rng)),
                1 => tensor.dims.iter_mut().for_each(|d| *d = extreme(rng)),
                2 => tensor.data_type = rng.i32(0..20),
                3 => tensor.raw_data = bytes(std::mem::take(&mut tensor.raw_data), rng),
                _ => tensor.raw_data.clear(),
            }
        }
        _ => {
            let shapes = graph.input.iter_mut().filter_map(|input| {
                let tensor = input.r#type.as_mut()?.tensor_type.as_mut()?;
                tensor.shape.as_mut()
            });
            for dimension in shapes.flat_map(|s| &mut s.dim) {
                if rng.bool() {
                    dimension.dim_value = Some(extreme(rng));
                }
            }
        }
    }
}

/// A zip archive with one of its files changed.
pub fn archive(archive: &[u8], rng: &mut Rng) -> Vec<u8> {
    if rng.u32(0..4) == 0 {
        return bytes(archive.to_vec(), rng);
    }
    let mut old = zip::ZipArchive::new(Cursor::new(archive)).expect("a valid archive");
    let mut new = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let victim = ["config.json", "model.weights.h5"][rng.usize(..2)];
    for k in 0..old.len() {
        let mut entry = old.by_index(k).expect("counted");
        let name = entry.name().expect("a valid archive").into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("a valid archive");
        if name == victim {
            content = if name.ends_with("json") {
                let text = String::from_utf8_lossy(&content).replace("Infinity", "0");
                json_text(text.as_bytes(), rng)
            } else {
                bytes(content, rng)
            };
        }
        new.start_file(name, options).expect("memory is writable");
        new.write_all(&content).expect("memory is writable");
    }
    new.finish().expect("memory is writable").into_inner()
}
