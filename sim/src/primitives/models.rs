//! The simulation models of an FPGA's primitives, which come with Yosys.

use std::fs;
use std::path::{Path, PathBuf};

use hdl::diag::{Diagnostic, Diagnostics};

/// Ports with default values, which iCE40's models have in SystemVerilog, are switched off by this.
const PLAIN_PORTS: &str = "`define NO_ICE40_DEFAULT_ASSIGNMENTS\n";
/// Models of the multipliers that Yosys has none of.
const MULTIPLIERS: &str = include_str!("multipliers.v");
/// The models in a family's folder.
const FILE: &str = "cells_sim.v";

/// The text of the models for the family of a `synth_…` command, its includes in place.
///
/// # Errors
/// `tool-missing` if Yosys or its data is not found; `file` if a model cannot be read.
pub fn of_family(synthesis: &str) -> Result<String, Diagnostics> {
    let family = synthesis.split_whitespace().next().and_then(|command| command.strip_prefix("synth_"));
    let missing = || {
        let message = format!("Yosys has no cell models for `{synthesis}`");
        Diagnostic::error("tool-missing", message).help("install Yosys with its data files")
    };
    let folder = yosys_data()
        .zip(family)
        .map(|(data, family)| data.join(family))
        .filter(|folder| folder.join(FILE).is_file())
        .ok_or_else(missing)?;
    let mut text = String::from(PLAIN_PORTS);
    for line in read(&folder.join(FILE))?.lines() {
        match included(line) {
            Some(name) => text.push_str(&read(&folder.join(name))?),
            None => text.push_str(line),
        }
        text.push('\n');
    }
    text.push_str(MULTIPLIERS);
    Ok(text)
}

/// The file that an include line names, if it lies in the same folder.
fn included(line: &str) -> Option<&str> {
    let name = line.trim().strip_prefix("`include")?.trim().strip_prefix('"')?;
    let name = name.strip_suffix('"')?;
    (!name.contains('/')).then_some(name)
}

/// Where Yosys keeps its data: relative to the program, as it looks for it itself.
fn yosys_data() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let program = std::env::split_paths(&path).map(|folder| folder.join("yosys")).find(|program| program.is_file())?;
    let program = fs::canonicalize(program).ok()?;
    let data = program.parent()?.parent()?.join("share/yosys");
    data.is_dir().then_some(data)
}

fn read(path: &Path) -> Result<String, Diagnostics> {
    fs::read_to_string(path).map_err(|e| {
        let error = Diagnostic::error("file", format!("cannot read the cell models: {e}"));
        error.at(path.display().to_string(), "this file").into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn includes_of_the_same_folder_are_found() {
        assert_eq!(included(" `include \"cells_ff.vh\""), Some("cells_ff.vh"));
        assert_eq!(included("`include \"../x.vh\""), None);
        assert_eq!(included("assign a = b;"), None);
    }

    #[test]
    fn the_models_of_known_families_are_whole() {
        if yosys_data().is_none() {
            println!("skipped: Yosys is not installed");
            return;
        }
        for (synthesis, cell) in [
            ("synth_ice40", "module SB_LUT4"),
            ("synth_ecp5 -nowidelut", "module TRELLIS_FF"),
            ("synth_xilinx -family xcup", "module LUT6"),
        ] {
            let text = of_family(synthesis).unwrap();
            assert!(text.contains(cell) && !text.contains("`include"), "{synthesis}");
        }
        assert_eq!(of_family("synth").unwrap_err().0[0].code, "tool-missing");
        assert_eq!(of_family("synth_nothing").unwrap_err().0[0].code, "tool-missing");
    }
}
