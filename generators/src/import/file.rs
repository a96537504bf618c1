//! A network from a file of any known form, told apart by the file's ending and, for JSON, by its head.

use std::fmt::Write as _;
use std::path::Path;

use hdl::diag::Diagnostic;
use serde::Deserialize;
use serde_json::Value as Json;

use super::lift::{Imported, InputFormat};
use super::{bounded, comb_logic, keras, onnx, python_json};
use crate::design::Design;
use crate::failure::{Failure, Result};
use crate::model::Graph;

type Network = std::result::Result<Imported, Diagnostic>;

/// A form of files.
struct Form {
    /// Endings of the name, in lower case.
    endings: &'static [&'static str],
    /// The tools that write it.
    tool: &'static str,
    /// What it says.
    content: &'static str,
    /// The module that reads it.
    reader: &'static str,
    /// Whether a file of that ending is of this form; the first one is taken.
    is: fn(&Head) -> bool,
    read: Read,
}

/// What a form is read from.
enum Read {
    /// A file, with formats for inputs that the network does not quantise itself.
    File(fn(Vec<u8>, &[InputFormat]) -> Network),
    /// A file and a second one of weights.
    Pair(fn(&[u8], Vec<u8>, &[InputFormat]) -> Network),
    /// A file that has the formats of its inputs.
    Complete(fn(&[u8]) -> Network),
}

/// All forms.
const FORMS: &[Form] = &[
    Form {
        endings: &["onnx"],
        tool: "Brevitas, FINN, onnxruntime and others",
        content: "ONNX with QONNX operators, QDQ or QOperator",
        reader: "import::onnx",
        is: |_| true,
        read: Read::File(|bytes, formats| onnx::read(&bytes, formats)),
    },
    Form {
        endings: &["h5", "hdf5"],
        tool: "QKeras on Keras 2; HGQ2 and HGQ 1",
        content: "`model.save` in HDF5",
        reader: "import::keras",
        is: |_| true,
        read: Read::File(keras::network),
    },
    Form {
        endings: &["keras"],
        tool: "HGQ2 on Keras 3; QKeras on Keras 2.12 to 2.15",
        content: "`model.save` as an archive",
        reader: "import::keras",
        is: |_| true,
        read: Read::File(keras::network),
    },
    Form {
        endings: &["json"],
        tool: "Keras 2 and 3",
        content: "`model.to_json`, with what `save_weights` wrote as `--weights-file`",
        reader: "import::keras",
        is: |head| head.has("class_name") && head.has("config"),
        read: Read::Pair(keras::network_of_pair),
    },
    Form {
        endings: &["json", "gz"],
        tool: "alkaid, whatever its front ends trace",
        content: "`CombLogic.save`, version 4, packed or not",
        reader: "import::comb_logic",
        is: |head| head.packed || head.has("spec_version"),
        read: Read::Complete(comb_logic::read),
    },
    Form {
        endings: &["json"],
        tool: "da4ml 0.5 and 0.6",
        content: "`CombLogic.save`, a list without a head",
        reader: "import::comb_logic",
        is: |head| head.json.is_array(),
        read: Read::Complete(comb_logic::read),
    },
    Form {
        endings: &["json"],
        tool: "hwgen",
        content: "the `model.json` of a network's output folder",
        reader: "import::file",
        is: |head| head.has("design"),
        read: Read::Complete(of_folder),
    },
    Form {
        endings: &["json"],
        tool: "hwgen, or by hand",
        content: "hwgen's own form, `hwgen schema`",
        reader: "model::Graph",
        is: |_| true,
        read: Read::Complete(|bytes| Graph::from_json(text(bytes)?).map(Imported::exact)),
    },
];

/// Reads a file of one of the forms that [`forms_table`] lists.
///
/// `formats` are for inputs that the network does not quantise itself. `weights` is for a Keras model whose configuration
/// (`to_json`) and weights (`save_weights`) are two files.
///
/// # Errors
/// A file that cannot be read, of another kind or of a network that is not supported; every message names the file.
pub fn read(path: &Path, weights: Option<&Path>, formats: &[InputFormat]) -> Result<Imported> {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    let most = if extension == "json" { bounded::TEXT } else { bounded::MODEL };
    let bytes = bounded::read("read the network", path, most)?;
    let second = weights.map(|file| bounded::read("read the weights", file, bounded::MODEL)).transpose()?;
    let network = of_bytes(&extension, bytes, second, formats);
    network.map_err(|why| {
        let why = weights
            .into_iter()
            .fold(why, |why, file| why.at(file.display().to_string(), "with the weights in this file"));
        Failure::user(why.at(path.display().to_string(), "in this file"))
    })
}

fn of_bytes(ending: &str, bytes: Vec<u8>, weights: Option<Vec<u8>>, formats: &[InputFormat]) -> Network {
    let head = Head::of(ending, &bytes)?;
    let form = FORMS.iter().find(|form| form.endings.contains(&ending) && (form.is)(&head));
    let form = form.ok_or_else(|| {
        let mut known: Vec<String> = FORMS.iter().flat_map(|form| form.endings).map(|e| format!(".{e}")).collect();
        known.sort();
        known.dedup();
        error("this is no kind of file that is known")
            .help(format!("known are {}; see docs/importers.md", known.join(", ")))
    })?;
    match (&form.read, weights) {
        (Read::Pair(read), Some(weights)) => read(&bytes, weights, formats),
        (Read::Pair(_), None) => Err(error("this is the configuration of a Keras model, without its weights")
            .help("give the file that save_weights wrote with --weights-file FILE")),
        (_, Some(_)) => Err(error("this kind of file has its weights itself")
            .help("--weights-file is for a Keras model whose configuration is a .json file")),
        (Read::File(read), None) => read(bytes, formats),
        (Read::Complete(_), None) if !formats.is_empty() => {
            Err(error("this kind of file has the formats of its inputs").help("leave --input-format away"))
        }
        (Read::Complete(read), None) => read(&bytes),
    }
}

/// What tells forms of JSON apart; the form's own reader takes every field.
#[derive(Default)]
struct Head {
    json: Json,
    packed: bool,
}

impl Head {
    fn of(ending: &str, bytes: &[u8]) -> std::result::Result<Self, Diagnostic> {
        let packed = comb_logic::is_compressed(bytes);
        if packed || !matches!(ending, "json" | "gz") {
            return Ok(Self { json: Json::Null, packed });
        }
        let json = python_json::parse(text(bytes)?.as_bytes());
        Ok(Self { json: json.map_err(|e| error(format!("this is not JSON: {e}")))?, packed })
    }

    fn has(&self, key: &str) -> bool {
        self.json.get(key).is_some()
    }
}

fn error(message: impl Into<String>) -> Diagnostic {
    Diagnostic::error("network", message)
}

fn text(bytes: &[u8]) -> std::result::Result<&str, Diagnostic> {
    std::str::from_utf8(bytes).map_err(|_| error("this is not text"))
}

/// What the `model.json` of an output folder is of.
#[derive(Deserialize)]
struct Named {
    design: Json,
}

/// The network in the `model.json` of an output folder.
fn of_folder(bytes: &[u8]) -> Network {
    let text = text(bytes)?;
    let wrong = |e: serde_json::Error| error(format!("this is no model.json: {e}"));
    let design = serde_json::from_str::<Named>(text).map_err(wrong)?.design;
    match (design.as_str(), serde_json::from_str(text)) {
        (Some("network"), Ok(Design::Network(design))) => Ok(Imported::exact(design.network)),
        (Some("network"), Ok(_)) => Err(Diagnostic::bug("network", "a network is another design")),
        (Some("network"), Err(e)) => Err(wrong(e)),
        _ => {
            Err(error(format!("this is the model of the design {design}"))
                .help("build it with the command that wrote it"))
        }
    }
}

/// The forms as a table of Markdown.
pub fn forms_table() -> String {
    let mut table = String::from("| file | tool | content | reader |\n|---|---|---|---|\n");
    for form in FORMS {
        let endings: Vec<String> = form.endings.iter().map(|e| format!("`.{e}`")).collect();
        let _ = writeln!(table, "| {} | {} | {} | `{}` |", endings.join(", "), form.tool, form.content, form.reader);
    }
    table
}
