//! A folder's Verilog against its model, in Icarus and in Verilator.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hdl::dfg::Module;
use hdl::diag::Diagnostic;
use sim::preamble::Preamble;
use sim::testbench::{self, bench};
use sim::tools::{Engine, Job, Scratch, Verdict};
use sim::vectors::{Held, Vectors};

use super::batch::{Outcome, SHOWN, is_stream};
use super::folder::{Folder, Subject};
use crate::failure::{Failure, Result};
use crate::output::staging::{Edited, Staging};

/// Nodes of a design, instances counted each, from which on Verilator is to compile repeated modules once.
const LARGE: usize = 100_000;

/// The modules of a large design that stand in it more than once.
fn repeated(top: &Arc<Module>) -> Vec<String> {
    let modules = top.hierarchy();
    let mut copies = vec![0usize; modules.len()];
    let mut size = 0;
    // users come behind what they use
    for (k, module) in modules.iter().enumerate().rev() {
        copies[k] = copies[k].max(usize::from(Arc::ptr_eq(module, top)));
        size += copies[k] * module.graph.len();
        for instance in &module.instances {
            let used = modules.iter().position(|m| Arc::ptr_eq(m, &instance.module));
            used.into_iter().for_each(|used| copies[used] += copies[k]);
        }
    }
    let several = modules.iter().zip(&copies).filter(|(_, n)| size >= LARGE && **n > 1);
    several.map(|(module, _)| module.name.clone()).collect()
}

/// What is run, and how.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// The simulator.
    pub engine: Engine,
    /// What goes in and must come out.
    pub vectors: &'a Vectors,
    /// What is done before.
    pub preamble: Option<&'a Preamble>,
    /// Where waveforms go.
    pub waves: Option<&'a Path>,
    /// The longest that building or running may take.
    pub limit: Duration,
}

impl Folder {
    /// Runs the emitted test bench, on these vectors, in a Verilog simulator.
    ///
    /// # Errors
    /// The simulator is missing, fails, or does not end; a test bench that says nothing, or has not seen every sample.
    pub fn run_verilog(&self, run: &Run<'_>) -> Result<Outcome> {
        let Run { engine, vectors, preamble, .. } = *run;
        let aside = Scratch::new().map_err(|e| Failure::io("write temporary files", &std::env::temp_dir(), &e))?;
        let staging = Staging::begin(&aside.path().join(testbench::FOLDER), Edited::Refuse)?;
        let words = bench(&self.top, vectors, &Held::new(), preamble)?;
        staging.write(testbench::INPUTS, words.inputs)?;
        staging.write(testbench::EXPECTED, words.expected)?;
        if let Some(order) = words.order {
            staging.write(testbench::ORDER, order)?;
        }
        if let Some(preamble) = words.preamble {
            staging.write(testbench::PREAMBLE, preamble)?;
        }
        staging.finish()?;
        let outcome = engine
            .run(&Job {
                top: &self.top.name,
                sources: &self.sources()?,
                vectors: &aside.path().join(testbench::FOLDER),
                samples: vectors.len(),
                blocks: &repeated(&self.top),
                waves: run.waves,
                limit: run.limit,
            })
            .map_err(Failure::Check)?;
        let (vectors, latency, pass) = match outcome.verdict {
            Verdict::Pass { vectors: seen, .. } if seen != vectors.len() => {
                let message = format!("the test bench compared {seen} samples, {} were given", vectors.len());
                return Err(Failure::check(Diagnostic::error("no-verdict", message)));
            }
            Verdict::Pass { vectors, latency } => (vectors, latency, true),
            Verdict::Fail(_) => (vectors.len(), self.top.latency(), false),
        };
        let modules = self.top.hierarchy();
        let is_stream = modules.iter().any(|m| is_stream(m, preamble));
        let latency = (!is_stream).then_some(latency);
        Ok(Outcome {
            engine: outcome.tool.version,
            runs: Subject::Verilog,
            vectors,
            latency,
            pass,
            mismatches: outcome.mismatches.into_iter().take(SHOWN).collect(),
            seconds: [outcome.build, outcome.run].map(|d| d.as_secs_f64()),
        })
    }
}
