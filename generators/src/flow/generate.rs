//! From a project to its output folder: built, checked against its model, and written.

use std::collections::BTreeMap;
use std::sync::Arc;

use hdl::dfg::Module;
use hdl::diag::Diagnostic;
use hdl::passes::pipeline;
use sim::vectors::Vectors;

use super::batch::run_batch;
use super::options::{Options, parameters};
use super::trust::trust;
use crate::arith::{Arithmetic, Kinds};
use crate::design::Design;
use crate::failure::{Failure, Result};
use crate::output::emit::Emission;
use crate::output::report::{Check, LayerFormats, Report};
use crate::output::staging::Staging;
use crate::progress;

/// What can be generated: a model, and everything that its report and its test bench need to know.
pub trait Project {
    /// The generator's name in reports.
    fn generator(&self) -> &'static str;

    /// What the user chose, for the report.
    fn parameters(&self, options: &Options) -> BTreeMap<String, String>;

    /// Which products there are.
    fn products(&self) -> Kinds;

    /// The hardware.
    ///
    /// # Errors
    /// What is asked cannot be built.
    fn build(&self, options: &Options, arithmetic: Arithmetic) -> Result<Built>;

    /// What the test bench of the design as it was built runs.
    ///
    /// # Errors
    /// Events that are not of the model.
    fn vectors(&self, design: &Design) -> std::result::Result<Vectors, Diagnostic>;

    /// Number formats, layer by layer.
    ///
    /// # Errors
    /// A model that does not fit together.
    fn layer_formats(&self) -> std::result::Result<Vec<LayerFormats>, Diagnostic> {
        Ok(Vec::new())
    }

    /// What else was checked of the model, and found.
    fn checks(&self, _report: &Report) -> Vec<Check> {
        Vec::new()
    }

    /// Files of its own.
    fn files(&self) -> Vec<OwnFile> {
        Vec::new()
    }
}

/// A file that only one kind of project has.
#[derive(Debug, Clone)]
pub struct OwnFile {
    /// Its name in the folder.
    pub name: &'static str,
    /// What it is, for the report.
    pub what: &'static str,
    /// Its text.
    pub text: String,
}

/// Hardware, and what is known of it.
#[derive(Debug, Clone)]
pub struct Built {
    /// The top module.
    pub top: Arc<Module>,
    /// Its stages.
    pub pipeline: pipeline::Report,
    /// Cycles from an input to its output.
    pub latency: u32,
    /// Cycles from one input to the next.
    pub interval: u32,
    /// The model with the schedule that was found: the content of `model.json`.
    pub design: Design,
}

/// What was generated.
#[derive(Debug, Clone)]
pub struct Generated {
    /// The hardware.
    pub built: Built,
    /// The report in the folder.
    pub report: Report,
}

/// Builds `project`, checks it on its vectors, and writes everything into `folder`.
///
/// # Errors
/// What is asked cannot be built, the hardware is not what the model says, or a file cannot be written.
pub fn generate(project: &dyn Project, options: &Options, folder: &Staging) -> Result<Generated> {
    let kinds = project.products();
    let arithmetic = options.products.arithmetic(&options.target, kinds)?;
    let clock = options.timing.clock()?;
    progress::at("the hardware").map_err(Failure::check)?;
    let mut built = project.build(options, arithmetic)?;
    built.top = options.tmr.applied(&built.top, &options.target)?;
    let model = built.design.model();
    progress::at("the model's results").map_err(Failure::check)?;
    let vectors = project.vectors(&built.design).map_err(Failure::user)?;
    let preamble = model.preamble().map_err(Failure::user)?;
    progress::at(format_args!("{} vectors through the hardware", vectors.len())).map_err(Failure::check)?;
    let check = run_batch(&built.top, &vectors, preamble.as_ref())?.require_pass()?;

    let mut report = Report::new(project.generator(), &built.top, clock.ns(), &built.pipeline, &options.delay_source());
    report.timing.latency = built.latency;
    report.timing.initiation_interval = built.interval;
    report.parameters = project.parameters(options);
    report.parameters.extend(parameters(&arithmetic, kinds));
    report.parameters.extend(options.tmr.parameter());
    report.layers = project.layer_formats().map_err(Failure::user)?;
    report.checks.push(Check { what: check.engine.clone(), result: check.summary() });
    report.checks.extend(project.checks(&report));
    report.trust = trust(&built.top, &built.design, kinds, &check, &options.target);
    for file in project.files() {
        folder.write(file.name, file.text)?;
        report.files.insert(file.name.into(), file.what.into());
    }
    progress::at("the output folder").map_err(Failure::check)?;
    let emission = Emission {
        top: &built.top,
        model: built.design.to_json(),
        clock,
        register_port: model.register_port(),
        vectors: &vectors,
        preamble: preamble.as_ref(),
        target: &options.target,
    };
    let report = emission.write(folder, report)?;
    Ok(Generated { built, report })
}
