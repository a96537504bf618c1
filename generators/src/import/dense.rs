//! Weights of dense networks: the integers of each layer in one JSON file, or one matrix file a layer.
//!
//! The JSON has `W0`, `W1`, … with a row for each input and a column for each output, `b0`, `b1`, … (0 if they are
//! missing), `shifts`, and optionally `kind` (`mlp`), `mode` (`rs` or `tw`) and `act_bits`. `dims` and `w_bits` are checked
//! against the matrices. Any other key but those in [`HARMLESS`] is refused.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use hdl::diag::Diagnostic;
use hdl::names::quoted;
use serde_json::Value as Json;

use super::{bounded, matrix};
use crate::failure::{Failure, Result};
use crate::model::Graph;
use crate::network::dense::{DenseLayer, Requantiser};

/// What a file says about a dense network.
#[derive(Debug, Clone, PartialEq)]
pub enum Weights {
    /// Matrices; what the file leaves open is `None`.
    Layers {
        /// In order.
        layers: Vec<DenseLayer>,
        /// Bits dropped behind each layer but the last.
        shifts: Option<Vec<u32>>,
        /// How hidden activations come about.
        requantiser: Option<Requantiser>,
        /// Their bits.
        activation_bits: Option<u32>,
    },
    /// A whole model as hwgen writes it.
    Model(Graph),
}

/// Keys that say nothing about the function: what a case is called, and the share of zeros that it was made with.
const HARMLESS: [&str; 2] = ["name", "sparse"];
/// Most layers.
const MAX_LAYERS: usize = 1000;
/// Largest shift.
const MAX_SHIFT: u64 = 62;

/// Reads one JSON file, or matrices (`.npy`, `.csv`), one a layer.
///
/// # Errors
/// No files, files that are none of these, layers that do not follow on each other.
pub fn read(files: &[PathBuf]) -> Result<Weights> {
    let is_matrix = |file: &PathBuf| {
        file.extension().is_some_and(|e| e.eq_ignore_ascii_case("npy") || e.eq_ignore_ascii_case("csv"))
    };
    if let ([file], false) = (files, files.iter().all(is_matrix)) {
        return read_json(file);
    }
    if let Some(file) = files.iter().find(|file| !is_matrix(file)) {
        let message = "several files are one matrix a layer each, .npy or .csv";
        return Err(Failure::user(
            Diagnostic::error("weights", message).at(file.display().to_string(), "this is neither"),
        ));
    }
    let layers = files
        .iter()
        .map(|file| {
            let matrix = matrix::read(file)?;
            let output = |o| (0..matrix.rows()).map(|i| matrix.at(i, o)).collect();
            Ok(DenseLayer { weights: (0..matrix.columns()).map(output).collect(), bias: vec![0; matrix.columns()] })
        })
        .collect::<Result<_>>()?;
    Ok(Weights::Layers { layers, shifts: None, requantiser: None, activation_bits: None })
}

fn read_json(file: &Path) -> Result<Weights> {
    let in_file = |d: Diagnostic| Failure::user(d.at(file.display().to_string(), "in this file"));
    let text = bounded::read_text("read the weights", file, bounded::TEXT)?;
    let json: Json = serde_json::from_str(&text).map_err(|e| in_file(error(format!("this is not JSON: {e}"))))?;
    if json.get("layers").is_some() {
        return Graph::from_json(&text).map(Weights::Model).map_err(in_file);
    }
    layers(&json).map_err(in_file)
}

fn error(message: impl Into<String>) -> Diagnostic {
    Diagnostic::error("weights", message)
}

fn layers(json: &Json) -> std::result::Result<Weights, Diagnostic> {
    if let Some(kind) = json.get("kind").filter(|kind| *kind != "mlp") {
        let message = format!("`kind` is {kind}; only \"mlp\" is a dense network");
        return Err(error(message));
    }
    let mut layers = Vec::new();
    while let Some(matrix) = json.get(format!("W{}", layers.len())) {
        let k = layers.len();
        if k == MAX_LAYERS {
            return Err(error(format!("more than {MAX_LAYERS} layers")));
        }
        layers.push(layer(k, matrix, json.get(format!("b{k}")))?);
    }
    if layers.is_empty() {
        return Err(error("there is no `W0`")
            .help("give W0, W1, … (a row an input), b0, b1, … and shifts, or a model as `hwgen schema` describes it"));
    }
    known_keys(json, layers.len())?;
    check_claims(json, &layers)?;
    let small = |v: &Json| v.as_u64().filter(|v| *v <= MAX_SHIFT).map(|v| v as u32);
    let shifts = json.get("shifts").map(|shifts| {
        let list = shifts.as_array().map(|list| list.iter().map(small));
        let list: Option<Vec<u32>> = list.and_then(Iterator::collect);
        list.ok_or_else(|| error(format!("`shifts` lists integers from 0 to {MAX_SHIFT}")))
    });
    let requantiser = json.get("mode").map(|mode| {
        let read = mode.as_str().and_then(|m| Requantiser::from_str(m, false).ok());
        read.ok_or_else(|| error(format!("`mode` is \"rs\" or \"tw\", not {mode}")))
    });
    let activation_bits = json.get("act_bits").map(|bits| {
        small(bits)
            .filter(|bits| (1..=32).contains(bits))
            .ok_or_else(|| error(format!("`act_bits` is a number from 1 to 32, not {bits}")))
    });
    Ok(Weights::Layers {
        layers,
        shifts: shifts.transpose()?,
        requantiser: requantiser.transpose()?,
        activation_bits: activation_bits.transpose()?,
    })
}

/// An error if there is a key that nothing has read.
fn known_keys(json: &Json, layers: usize) -> std::result::Result<(), Diagnostic> {
    let read = ["kind", "shifts", "mode", "act_bits", "dims", "w_bits"];
    let of_layer = |key: &str| {
        let number = key.strip_prefix(['W', 'b']).and_then(|k| k.parse::<usize>().ok());
        number.is_some_and(|k| k < layers && [format!("W{k}"), format!("b{k}")].contains(&key.to_owned()))
    };
    let known = |key: &str| read.contains(&key) || HARMLESS.contains(&key) || of_layer(key);
    match json.as_object().and_then(|object| object.iter().find(|(key, _)| !known(key))) {
        Some((key, value)) => {
            let value = quoted(&value.to_string());
            Err(error(format!("the key {} is not known; its value is {value}", quoted(key))).help(format!(
                "known are W0, W1, … and b0, b1, … without gaps, {} and {}",
                read.join(", "),
                HARMLESS.join(", ")
            )))
        }
        None => Ok(()),
    }
}

/// An error if the file says other sizes or fewer bits than its matrices have.
fn check_claims(json: &Json, layers: &[DenseLayer]) -> std::result::Result<(), Diagnostic> {
    if let Some(dims) = json.get("dims") {
        let inputs = layers[0].weights[0].len();
        let found: Vec<usize> = std::iter::once(inputs).chain(layers.iter().map(|l| l.bias.len())).collect();
        if *dims != serde_json::json!(found) {
            return Err(error(format!("`dims` is {dims}, the matrices are those of {found:?}")));
        }
    }
    if let Some(bits) = json.get("w_bits") {
        let width = bits.as_u64().filter(|bits| (1..=62).contains(bits));
        let width = width.ok_or_else(|| error(format!("`w_bits` is a number from 1 to 62, not {bits}")))?;
        let top = 1i64 << (width - 1);
        let mut weights = layers.iter().flat_map(|l| l.weights.iter().flatten());
        if let Some(weight) = weights.find(|w| !(-top..top).contains(*w)) {
            return Err(error(format!("the weight {weight} has more than the {width} bits that `w_bits` says")));
        }
    }
    Ok(())
}

fn layer(k: usize, matrix: &Json, bias: Option<&Json>) -> std::result::Result<DenseLayer, Diagnostic> {
    let integers = |what: String, list: &Json| -> std::result::Result<Vec<i64>, Diagnostic> {
        let list = list.as_array().ok_or_else(|| error(format!("{what}: expected a list of integers")))?;
        let integer = |(i, v): (usize, &Json)| {
            let found = quoted(&v.to_string());
            v.as_i64().ok_or_else(|| error(format!("{what}, entry {i}: expected an integer, found {found}")))
        };
        list.iter().enumerate().map(integer).collect()
    };
    let rows = matrix
        .as_array()
        .filter(|rows| !rows.is_empty())
        .ok_or_else(|| error(format!("W{k}: expected rows of integers")))?;
    let rows: Vec<Vec<i64>> = rows
        .iter()
        .enumerate()
        .map(|(i, row)| integers(format!("W{k}, row {i}"), row))
        .collect::<std::result::Result<_, _>>()?;
    let outputs = rows[0].len();
    if let Some(i) = rows.iter().position(|row| row.len() != outputs || outputs == 0) {
        let found = rows[i].len();
        let message = format!("W{k}, row {i}: {found} entries, row 0 has {outputs}");
        return Err(error(message));
    }
    let bias = match bias {
        Some(bias) => integers(format!("b{k}"), bias)?,
        None => vec![0; outputs],
    };
    if bias.len() != outputs {
        let message = format!("b{k} has {} entries, W{k} {outputs} columns", bias.len());
        return Err(error(message));
    }
    Ok(DenseLayer { weights: (0..outputs).map(|o| rows.iter().map(|row| row[o]).collect()).collect(), bias })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Weights> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("weights.json");
        std::fs::write(&file, text).unwrap();
        read(&[file])
    }

    #[test]
    fn matrices_are_transposed() {
        let read =
            read_text(r#"{"kind": "mlp", "W0": [[1, 2, 3], [4, 5, 6]], "b0": [7, 8, 9], "mode": "tw", "shifts": []}"#);
        let expected = Weights::Layers {
            layers: vec![DenseLayer { weights: vec![vec![1, 4], vec![2, 5], vec![3, 6]], bias: vec![7, 8, 9] }],
            shifts: Some(Vec::new()),
            requantiser: Some(Requantiser::TruncateWrap),
            activation_bits: None,
        };
        assert_eq!(read, Ok(expected));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"kind": "econ", "W0": [[1]]}"#,
            r#"{"W0": []}"#,
            r#"{"W0": [[]]}"#,
            r#"{"W0": [[1, 2], [3]]}"#,
            r#"{"W0": [[1.5]]}"#,
            r#"{"W0": [[1]], "b0": [1, 2]}"#,
            r#"{"W0": [[1]], "shifts": [99]}"#,
            r#"{"W0": [[1]], "mode": "xx"}"#,
            r#"{"W0": [[1]], "act_bits": 0}"#,
            r#"{"W0": [[1]], "bias": [1]}"#,
            r#"{"W0": [[1]], "b1": [1]}"#,
            r#"{"W0": [[1]], "W2": [[1]]}"#,
            r#"{"W0": [[1]], "W00": [[1]]}"#,
            r#"{"W0": [[1]], "dims": [1, 2]}"#,
            r#"{"W0": [[9]], "w_bits": 4}"#,
            r#"{"name": "n", "inputs": [], "layers": [], "outputs": []}"#,
        ] {
            assert_eq!(read_text(text).unwrap_err().exit_code(), 2, "{text}");
        }
    }
}
