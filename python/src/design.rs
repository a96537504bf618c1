//! What is done with an output folder.

use std::path::PathBuf;

use clap::Parser;
use hwgen::Folder;
use hwgen::cli::{sim, synth as synthesis};
use hwgen::flow::verify::require_proof;
use pyo3::prelude::*;

use crate::call::{call, exception, json, parsed};

/// The arguments of `hwgen sim`.
#[derive(Parser)]
#[command(name = "simulate", no_binary_name = true, disable_help_flag = true)]
struct Simulate {
    #[command(flatten)]
    arguments: sim::SimArgs,
}

/// The arguments of `hwgen synth`.
#[derive(Parser)]
#[command(name = "synth", no_binary_name = true, disable_help_flag = true)]
struct Synth {
    #[command(flatten)]
    arguments: synthesis::SynthArgs,
}

/// Runs vectors: the outcomes as JSON, and what a reader must know of the folder's files.
///
/// # Errors
/// Those of `hwgen sim`; a mismatch is one if `check` is set.
#[pyfunction]
pub fn simulate(py: Python<'_>, arguments: Vec<String>, check: bool) -> PyResult<(String, Vec<String>)> {
    let Simulate { arguments } = parsed(arguments)?;
    call(py, move || {
        let mut remarks = Vec::new();
        let outcomes = arguments.outcomes(&mut |text| remarks.push(text.to_owned()))?;
        if check {
            sim::require_pass(&outcomes)?;
        }
        Ok((json(&outcomes), remarks))
    })
}

/// Maps the Verilog: the report as JSON.
///
/// # Errors
/// Those of `hwgen synth`; a step that does not end well is one if `check` is set.
#[pyfunction]
pub fn synth(py: Python<'_>, arguments: Vec<String>, check: bool) -> PyResult<String> {
    let Synth { arguments } = parsed(arguments)?;
    let (report, staging) = call(py, || arguments.synthesise(&mut |_| ()))?;
    staging.finish().map_err(exception)?;
    if check {
        synthesis::require_done(&report).map_err(exception)?;
    }
    Ok(report.to_json())
}

/// Proves the Verilog equal to its model: the findings as JSON, and what a reader must know of the folder's files.
///
/// # Errors
/// Those of `hwgen verify`; a design that is not proved is one if `check` is set.
#[pyfunction]
pub fn verify(py: Python<'_>, dir: PathBuf, check: bool) -> PyResult<(String, Vec<String>)> {
    call(py, move || {
        let folder = Folder::open(&dir)?;
        let all = folder.verify()?;
        if check {
            require_proof(&all)?;
        }
        Ok((json(&all), folder.remarks()))
    })
}
