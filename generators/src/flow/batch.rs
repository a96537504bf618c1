//! A design's data-flow graph against its model, in hwgen's own simulators, and what any engine reports.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use hdl::dfg::eval::Stepper;
use hdl::dfg::{Module, behaviour};
use hdl::diag::Diagnostic;
use hdl::passes::flatten;
use serde::Serialize;
use sim::batch::{Batch, Content};
use sim::preamble::Preamble;
use sim::stream::{Mismatch, stream};
use sim::vectors::{Held, Rows, Vectors};

use super::folder::Subject;
use crate::failure::{Failure, Result};

/// How one engine did.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// Engine with version.
    pub engine: String,
    /// What it ran.
    pub runs: Subject,
    /// Vectors compared.
    pub vectors: usize,
    /// Latency in which the outputs came; none where vectors are cycles, each with the outputs of that cycle.
    pub latency: Option<u32>,
    /// Whether every bit was right.
    pub pass: bool,
    /// The first mismatches.
    pub mismatches: Vec<String>,
    /// Seconds to build and to run.
    pub seconds: [f64; 2],
}

/// Mismatches shown for each engine.
pub(super) const SHOWN: usize = 10;
/// Samples that the cycle-accurate evaluator streams to prove the latency.
const STREAMED: usize = 64;
/// Vectors that the cells of a design run, whose behaviour for simulators runs all of them.
const CELL_VECTORS: usize = 256;

impl Outcome {
    /// The outcome, or a failed check.
    pub fn require_pass(self) -> Result<Self> {
        if self.pass {
            return Ok(self);
        }
        let message = format!("{} found mismatches against the integer model", self.engine);
        let error = self.mismatches.iter().fold(Diagnostic::error("mismatch", message), |d, m| d.label(None, m));
        Err(Failure::check(error))
    }

    /// In a few words.
    pub fn summary(&self) -> String {
        if self.pass {
            match self.latency {
                Some(latency) => format!("{} vectors bit-exact at latency {latency}", self.vectors),
                None => format!("{} cycles bit-exact, outputs in every cycle", self.vectors),
            }
        } else {
            format!("FAILED: {}", self.mismatches.first().map_or("no verdict", String::as_str))
        }
    }
}

/// Runs `vectors` in the batch simulator, and the first few cycle by cycle in the evaluator, which proves the latency.
///
/// Where simulators have a behaviour of their own, that is what runs, and the cells that stand for it in synthesis run the
/// first vectors too.
pub fn run_batch(top: &Arc<Module>, vectors: &Vectors, preamble: Option<&Preamble>) -> Result<Outcome> {
    let simulated = behaviour(top);
    let mut outcome = run_graph(&simulated, vectors, preamble)?;
    if !Arc::ptr_eq(&simulated, top) {
        let cells = run_graph(top, &first(vectors, CELL_VECTORS), preamble)?;
        outcome.pass &= cells.pass;
        outcome.mismatches.extend(cells.mismatches.iter().map(|m| format!("in cells: {m}")));
        outcome.mismatches.truncate(SHOWN);
        outcome.seconds = std::array::from_fn(|i| outcome.seconds[i] + cells.seconds[i]);
    }
    Ok(outcome)
}

/// [`run_batch`] of the graph as it is.
fn run_graph(top: &Arc<Module>, vectors: &Vectors, preamble: Option<&Preamble>) -> Result<Outcome> {
    let started = Instant::now();
    let flat = Arc::new(flatten(top)?);
    if is_stream(&flat, preamble) {
        return run_stepped(&flat, vectors, started);
    }
    let batch = Batch::compile(&flat)?;
    let mut stepper = Stepper::new(&flat)?;
    let mut mismatches = Vec::new();
    if let Some(preamble) = preamble {
        let wrong = preamble.play(&flat, &mut stepper)?;
        mismatches.extend(wrong.iter().map(|cycle| format!("register port: wrong answer in preamble cycle {cycle}")));
    }
    let content = Content::of(&flat, &stepper);
    let build = started.elapsed();

    let started = Instant::now();
    let rows = vectors.input_rows(&flat, &Held::new())?;
    let outputs = batch.run_with(&rows, &content)?;
    let got = Vectors { inputs: BTreeMap::new(), ..vectors.clone() }.with_outputs(&flat, &outputs);
    mismatches.extend(different(vectors, &got).map(|m| m.to_string()));
    let few = first(vectors, STREAMED);
    let streamed = stream(&flat, &mut stepper, &few, &Held::new(), |_| {})?;
    mismatches.extend(streamed.iter().map(|m| format!("cycle by cycle: {m}")));
    let pass = mismatches.is_empty();
    mismatches.truncate(SHOWN);
    Ok(Outcome {
        engine: format!("batch (hwgen {})", env!("CARGO_PKG_VERSION")),
        runs: Subject::Graph,
        vectors: vectors.len(),
        latency: Some(flat.latency()),
        pass,
        mismatches,
        seconds: [build, started.elapsed()].map(|d| d.as_secs_f64()),
    })
}

/// Whether registers with feedback decide when outputs come.
pub(super) fn is_stream(top: &Module, preamble: Option<&Preamble>) -> bool {
    preamble.is_none() && !top.states.is_empty()
}

/// Runs all `vectors` cycle by cycle: the batch simulator has no clock, and what registers with feedback hold is part
/// of the result here.
fn run_stepped(flat: &Arc<Module>, vectors: &Vectors, started: Instant) -> Result<Outcome> {
    let mut stepper = Stepper::new(flat)?;
    let build = started.elapsed();
    let started = Instant::now();
    let found = stream(flat, &mut stepper, vectors, &Held::new(), |_| {})?;
    Ok(Outcome {
        engine: format!("cycle by cycle (hwgen {})", env!("CARGO_PKG_VERSION")),
        runs: Subject::Graph,
        vectors: vectors.len(),
        latency: None,
        pass: found.is_empty(),
        mismatches: found.iter().take(SHOWN).map(Mismatch::to_string).collect(),
        seconds: [build, started.elapsed()].map(|d| d.as_secs_f64()),
    })
}

/// Where the outputs of `got` are not those that `expected` wants.
fn different<'v>(expected: &'v Vectors, got: &'v Vectors) -> impl Iterator<Item = Mismatch> + 'v {
    expected.outputs.iter().flat_map(move |(port, wanted)| {
        let rows = wanted.iter().zip(got.outputs[port].iter()).enumerate();
        rows.flat_map(move |(sample, (wanted, got))| {
            let pairs = wanted.iter().zip(got).enumerate().filter(|(_, (w, g))| w != g);
            pairs.map(move |(element, (expected, got))| Mismatch {
                sample,
                port: port.clone(),
                element,
                expected: *expected,
                got: *got,
            })
        })
    })
}

/// The first `count` samples.
pub fn first(vectors: &Vectors, count: usize) -> Vectors {
    let cut = |rows: &BTreeMap<String, Rows>| {
        let few = |rows: &Rows| Rows::new(rows.width(), rows.iter().take(count).flatten().copied().collect());
        rows.iter().map(|(port, rows)| (port.clone(), few(rows).expect("whole rows"))).collect()
    };
    Vectors { inputs: cut(&vectors.inputs), outputs: cut(&vectors.outputs) }
}
