//! What the flows of all targets share: the folder they read, the folder they write, and the report.

use std::fs;

use constraints::Constraints;
use constraints::timing::{Budget, Picoseconds};
use hdl::diag::{Diagnostic, Diagnostics};
use sim::preamble::Preamble;
use sim::vectors::Vectors;

use super::gates::Simulator;
use crate::failure::{Failure, Result};
use crate::flow::Folder;
use crate::output::emit::VECTORS_FILE;
use crate::output::hardening;
use crate::output::staging::Staging;
use crate::output::synthesis::Synthesis;

/// The folder for the scripts' copies of the Verilog.
pub const RTL: &str = "rtl";

/// A run's input and output.
pub struct Work<'a> {
    /// What is mapped.
    pub folder: &'a Folder,
    /// The clock that is asked for.
    pub clock: Picoseconds,
    /// Where the results go.
    pub staging: &'a Staging,
    /// What simulates the netlist.
    pub simulator: Simulator,
    /// What was found out.
    pub report: Synthesis,
}

impl Work<'_> {
    /// Writes the hardening folder, with a floor plan for so many gate equivalents.
    pub fn harden(&self, gates: f64) -> Result<()> {
        let registers = self.folder.design.model().register_port();
        let budget = Budget::default();
        let constraints = Constraints::of(&self.folder.top, self.clock, &budget, registers)?;
        let bench = format!("{}_tb.v", self.folder.top.name);
        let sources = self.folder.sources()?;
        let names = sources.iter().filter_map(|path| path.file_name());
        let names = names.map(|name| name.to_string_lossy());
        let verilog: Vec<String> = names.filter(|name| *name != bench).map(|name| format!("{RTL}/{name}")).collect();
        let area = gates * hardening::GATE_UM2;
        hardening::write(self.staging, &constraints, &verilog, &[], Some(area))
    }

    /// Copies the Verilog to [`RTL`]; gives the paths of the design's files, without the test bench.
    pub fn copy_sources(&self) -> Result<Vec<String>> {
        let bench = format!("{}_tb.v", self.folder.top.name);
        let mut sources = Vec::new();
        for path in self.folder.sources()? {
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            let content = fs::read(&path).map_err(|e| Failure::io("read the Verilog", &path, &e))?;
            self.staging.write(&format!("{RTL}/{name}"), content)?;
            if name != bench {
                sources.push(format!("{RTL}/{name}"));
            }
        }
        Ok(sources)
    }

    /// The folder's vectors, and what is loaded before them.
    pub fn vectors(&self) -> std::result::Result<(Vectors, Option<Preamble>), Diagnostics> {
        let path = self.folder.dir().join(VECTORS_FILE);
        let bad = |why: String| Diagnostic::error("vectors", why).at(path.display().to_string(), "in this file");
        let text = fs::read_to_string(&path).map_err(|e| bad(e.to_string()))?;
        let vectors: Vectors = serde_json::from_str(&text).map_err(|e| bad(e.to_string()))?;
        vectors.check(&self.folder.top)?;
        Ok((vectors, self.folder.design.model().preamble()?))
    }

    /// Writes a file of a step.
    ///
    /// # Errors
    /// As diagnostics, since a step that cannot write is no reason to end the run.
    pub fn write(&self, name: &str, text: &str) -> std::result::Result<(), Diagnostics> {
        Ok(self.staging.write(name, text)?)
    }

    /// Writes the report.
    pub fn finish(self) -> Result<Synthesis> {
        self.staging.write("report.json", self.report.to_json())?;
        self.staging.write("report.md", self.report.to_markdown())?;
        Ok(self.report)
    }
}
