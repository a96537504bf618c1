//! The programs of the open flow.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hdl::diag::Diagnostics;

use sim::tools::{Finished, Meter, Tool, installable, run};

/// A program of the flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// Yosys.
    Yosys,
    /// OpenSTA.
    OpenSta,
    /// ABC, as it comes with Yosys.
    Abc,
}

impl Program {
    /// Command, the arguments with which it tells its version, and the Debian package.
    fn facts(self) -> (&'static str, &'static [&'static str], &'static str) {
        match self {
            Self::Yosys => ("yosys", &["-V"], "yosys"),
            Self::OpenSta => ("sta", &["-version"], "opensta"),
            Self::Abc => ("yosys-abc", &["-q", "version"], "yosys"),
        }
    }

    /// The program with its version, or how to get it.
    ///
    /// # Errors
    /// `tool-missing`.
    pub fn find(self) -> Result<Tool, Diagnostics> {
        let (command, arguments, package) = self.facts();
        let asked = run(Command::new(command).args(arguments), Duration::from_secs(30));
        let said = asked.map_err(|error| installable(error, package))?.stdout;
        let line = said.lines().rfind(|line| !line.trim().is_empty());
        let version = line.unwrap_or_default().trim();
        let name = match self {
            Self::Yosys | Self::Abc => "",
            Self::OpenSta => "OpenSTA ",
        };
        Ok(Tool { command, version: format!("{name}{version}") })
    }

    /// Runs it in `folder`.
    ///
    /// # Errors
    /// `tool-missing`, `tool-timeout`, or `tool-failed` with what it said.
    pub fn run(self, folder: &Path, arguments: &[&str], meter: &Meter) -> Result<Finished, Diagnostics> {
        let (command, _, package) = self.facts();
        let mut process = Command::new(command);
        process.args(arguments).current_dir(folder);
        meter.run(&mut process).map_err(|error| installable(error, package))?.success(command)
    }
}
