//! A network from a file of any known format, told apart by the file's ending.

use std::path::Path;

use hdl::diag::Diagnostic;
use serde::Deserialize;
use serde_json::Value as Json;

use super::lift::{Imported, InputFormat};
use super::{bounded, comb_logic, keras, onnx};
use crate::design::Design;
use crate::failure::{Failure, Result};
use crate::model::Graph;

/// Reads `.onnx`, `.h5` (Keras 2 with QKeras), `.keras` (Keras 3 with HGQ2) or `.json` (hwgen's own form, alone or in an
/// output folder's `model.json`, and programs that alkaid saved, also as `.json.gz`).
///
/// `formats` are for inputs that the network does not quantise itself. `weights` is for a Keras model whose configuration
/// (`to_json`) and weights (`save_weights`) are two files.
///
/// # Errors
/// A file that cannot be read, of another kind or of a network that is not supported; every message names the file.
pub fn read(path: &Path, weights: Option<&Path>, formats: &[InputFormat]) -> Result<Imported> {
    let in_file = |d: Diagnostic| d.at(path.display().to_string(), "in this file");
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    let most = if extension.as_deref() == Some("json") { bounded::TEXT } else { bounded::MODEL };
    let bytes = bounded::read("read the network", path, most)?;
    let network = match (extension.as_deref(), weights) {
        (Some("json"), Some(file)) => {
            let weights = bounded::read("read the weights", file, bounded::MODEL)?;
            let read = keras::network_of_pair(&bytes, weights, formats);
            read.map_err(|d| d.at(file.display().to_string(), "with the weights in this file"))
        }
        (_, Some(_)) => Err(Diagnostic::error("network", "this kind of file has its weights itself")
            .help("--weights-file is for a Keras model whose configuration is a .json file")),
        (Some("onnx"), _) => onnx::read(&bytes, formats),
        (Some("h5" | "hdf5" | "keras"), _) => keras::network(bytes, formats),
        (Some("json" | "gz"), _) if comb_logic::is_compressed(&bytes) => comb_logic::read(&bytes),
        (Some("json"), _) => json(&bytes, formats),
        _ => Err(Diagnostic::error("network", "this is no kind of file that is known")
            .help("known are .onnx (QONNX, QDQ), .h5 (Keras 2 with QKeras), .keras (Keras 3 with HGQ2) and .json (see `hwgen schema`, or CombLogic.save)")),
    };
    network.map_err(|d| Failure::user(in_file(d)))
}

/// What tells forms of JSON apart; the form's own reader takes every field.
#[derive(Deserialize)]
struct Kind {
    spec_version: Option<Json>,
    design: Option<Json>,
    class_name: Option<Json>,
    config: Option<Json>,
}

/// A graph in JSON, the `model.json` of an output folder around it, or a traced program.
fn json(bytes: &[u8], formats: &[InputFormat]) -> std::result::Result<Imported, Diagnostic> {
    let error = |message: String| Diagnostic::error("model", message);
    let text = std::str::from_utf8(bytes).map_err(|_| error("this is not text".into()))?;
    if comb_logic::is_list(bytes) {
        return comb_logic::read(bytes);
    }
    let kind: Kind = serde_json::from_str(text).map_err(|e| error(format!("this is not JSON: {e}")))?;
    if kind.class_name.is_some() && kind.config.is_some() {
        return Err(error("this is the configuration of a Keras model, without its weights".into())
            .help("give the file that save_weights wrote with --weights-file FILE"));
    }
    if !formats.is_empty() {
        return Err(error("a model in JSON has the formats of its inputs".into()).help("leave --input-format away"));
    }
    if kind.spec_version.is_some() {
        return comb_logic::read(bytes);
    }
    let graph = match kind.design.as_ref().map(Json::as_str) {
        Some(Some("network")) => match serde_json::from_str(text) {
            Ok(Design::Network(design)) => design.network,
            Ok(_) => return Err(Diagnostic::bug("model", "a network is another design")),
            Err(e) => return Err(error(format!("this is no model.json: {e}"))),
        },
        Some(_) => {
            let design = kind.design.unwrap_or_default();
            return Err(error(format!("this is the model of the design {design}"))
                .help("build it with the command that wrote it"));
        }
        None => Graph::from_json(text)?,
    };
    Ok(Imported::exact(graph))
}
