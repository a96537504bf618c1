//! A design's output folder, read back.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hdl::dfg::{Module, simulated_by, text};
use hdl::diag::{Diagnostic, Diagnostics};
use hdl::lower::{ADD3, Adders, lower_to};
use hdl::rtl;
use serde::{Serialize, Serializer};
use sim::testbench;

use crate::design::Design;
use crate::failure::{Failure, Result};
use crate::import::bounded;
use crate::output::emit::{BEHAVIOUR_FILE, GRAPH_FILE, MODEL_FILE, VECTORS_FILE};
use crate::output::manifest::{Edits, Manifest};

/// What to do about a folder that is not what it was.
const AGAIN: &str = "to have the folder as it was, generate it again with --force";

/// What a check runs: a folder holds the same design in two forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The data-flow graph that the Verilog was written from.
    Graph,
    /// The Verilog.
    Verilog,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Graph => GRAPH_FILE,
            Self::Verilog => "Verilog",
        })
    }
}

impl Serialize for Subject {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Whether a file of that name is Verilog of the design or its test bench.
pub(super) fn is_source(name: &str) -> bool {
    name.ends_with(".v") && !name.contains('/')
}

/// The Verilog files among `sources` with their names, without the test bench of the module `top`.
pub(super) fn texts(top: &str, sources: &[PathBuf]) -> Result<Vec<(String, String)>> {
    let bench = format!("{top}_tb.v");
    let is_bench = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy() == bench);
    let read =
        |path: &PathBuf| Ok((path.display().to_string(), bounded::read_text("read the Verilog", path, bounded::OWN)?));
    sources.iter().filter(|path| !is_bench(path)).map(read).collect()
}

/// An output folder of ours, read back.
#[derive(Debug)]
pub struct Folder {
    dir: PathBuf,
    manifest: Manifest,
    edits: Edits,
    /// The top module.
    pub top: Arc<Module>,
    /// The model.
    pub design: Design,
}

fn manifest(dir: &Path) -> Result<Manifest> {
    Manifest::read(dir)?.ok_or_else(|| {
        let error = Diagnostic::error("no-design", "this is no folder that hwgen wrote")
            .at(dir.display().to_string(), "looked here")
            .help("make one, such as with `hwgen encoder --out DIR`");
        Failure::user(error)
    })
}

/// The model in the folder `dir`, without the hardware that lies beside it.
///
/// # Errors
/// It is no folder that hwgen wrote, or its model cannot be read.
pub fn model(dir: &Path) -> Result<Design> {
    manifest(dir)?;
    let path = dir.join(MODEL_FILE);
    let damaged = |d: Diagnostic| Failure::user(d.at(path.display().to_string(), "in this file"));
    let text = bounded::read_text("read the file", &path, bounded::OWN)?;
    let design: Design = serde_json::from_str(&text)
        .map_err(|e| damaged(Diagnostic::error("json", format!("this is no model: {e}"))))?;
    design.model().validate().map_err(damaged)?;
    Ok(design)
}

impl Folder {
    /// Reads the folder `dir`.
    ///
    /// # Errors
    /// It is none that hwgen wrote, or graph or model in it cannot be read.
    pub fn open(dir: &Path) -> Result<Self> {
        let manifest = manifest(dir)?;
        let read = |name: &str| {
            let path = dir.join(name);
            bounded::read_text("read the file", &path, bounded::OWN)
        };
        let damaged =
            |name: &str, d: Diagnostic| Failure::user(d.at(dir.join(name).display().to_string(), "in this file"));
        let graph = |name: &str| {
            let modules = text::parse(&read(name)?).map_err(|d| {
                let file = dir.join(name).display().to_string();
                let in_file = |d: Diagnostic| d.at(file.clone(), "in this file");
                Failure::User(Diagnostics(d.0.into_iter().map(in_file).collect()))
            })?;
            let top = modules.last().cloned();
            top.ok_or_else(|| damaged(name, Diagnostic::error("no-design", "there is no module in it")))
        };
        let mut top = graph(GRAPH_FILE)?;
        if manifest.names().any(|name| name == BEHAVIOUR_FILE) {
            top = simulated_by(&top, graph(BEHAVIOUR_FILE)?).map_err(|d| damaged(BEHAVIOUR_FILE, d))?;
        }
        let design = model(dir)?;
        let edits = manifest.edits(dir)?;
        Ok(Self { dir: dir.to_owned(), manifest, edits, top, design })
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The design as its Verilog was written: of three-operand adders if their module is in the list of files.
    ///
    /// # Errors
    /// Those of lowering.
    pub fn lowered(&self) -> std::result::Result<rtl::Design, Diagnostics> {
        let file = format!("{ADD3}.v");
        let adders = match self.manifest.names().any(|name| name == file) {
            true => Adders::ThreeOperand,
            false => Adders::TwoOperand,
        };
        lower_to(&self.top, adders)
    }

    /// The Verilog files that hwgen wrote into it, the test bench among them; others are no part of the design.
    ///
    /// # Errors
    /// One of them is gone.
    pub fn sources(&self) -> Result<Vec<PathBuf>> {
        if let Some(name) = self.edits.missing.iter().find(|name| is_source(name)) {
            let error = Diagnostic::error("missing-file", format!("`{name}` is gone, which hwgen wrote"));
            let error = error.at(self.dir.display().to_string(), "in this folder").help(AGAIN);
            return Err(Failure::check(error));
        }
        let path = |name: &str| {
            let path = self.dir.join(name);
            std::path::absolute(&path).map_err(|e| Failure::io("find the file", &path, &e))
        };
        self.manifest.names().filter(|name| is_source(name)).map(path).collect()
    }

    /// An error if a file was edited that belongs to what is checked, and that a check of `subject` would not read;
    /// the folder's own vectors belong to it if `own_vectors` is set.
    ///
    /// # Errors
    /// The files, and what reads them.
    pub fn require_read(&self, subject: Subject, own_vectors: bool) -> Result<()> {
        let is_unread = |name: &&str| match *name {
            GRAPH_FILE | BEHAVIOUR_FILE => subject != Subject::Graph,
            MODEL_FILE | VECTORS_FILE => false,
            name if is_source(name) => subject != Subject::Verilog,
            name => own_vectors && name.starts_with(testbench::FOLDER),
        };
        let mut unread = self.edits.of_ours().filter(is_unread).peekable();
        let Some(&first) = unread.peek() else {
            return Ok(());
        };
        let help = match (first, subject) {
            (GRAPH_FILE | BEHAVIOUR_FILE, _) => "`--engine batch` runs the data-flow graph",
            (name, Subject::Graph) if is_source(name) => "`--engine icarus` and `--engine verilator` read the Verilog",
            _ => "expected outputs are read from vectors/vectors.json, or from a file of yours with --vectors",
        };
        let message = format!("{first} is not what hwgen wrote, and this check does not read it: it runs {subject}");
        let error = unread.fold(Diagnostic::error("edited-file", message), |error, name| {
            let gone = self.edits.missing.iter().any(|missing| missing == name);
            error.at(self.dir.join(name).display().to_string(), if gone { "is gone" } else { "was edited" })
        });
        Err(Failure::check(error.help(format!("{help}; {AGAIN}"))))
    }

    /// What must be known of a check of the files that are there: which were edited, and what lies beside them.
    pub fn remarks(&self) -> Vec<String> {
        let here = |name: &str| self.dir.join(name).display().to_string();
        let matters = |name: &&String| {
            is_source(name) || [GRAPH_FILE, BEHAVIOUR_FILE, MODEL_FILE, VECTORS_FILE].contains(&name.as_str())
        };
        let edited = self.edits.changed.iter().filter(matters);
        let edited = edited.map(|name| format!("{} was edited since hwgen wrote it", here(name)));
        let foreign = self.edits.foreign.iter().filter(|name| is_source(name));
        let foreign = foreign.map(|name| format!("{} is not read: hwgen did not write it", here(name)));
        edited.chain(foreign).collect()
    }
}
