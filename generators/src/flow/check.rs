//! Whether a folder's design is what its model says: vectors in any number of engines, every output bit compared.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hdl::dfg::Module;
use hdl::dfg::eval::Stepper;
use sim::preamble::Preamble;
use sim::stream::stream;
use sim::tools::Engine;
use sim::vectors::{Held, Vectors};
use sim::waves::Waves;

use super::batch::{Outcome, first, run_batch};
use super::folder::{Folder, Subject};
use super::vectors::Source;
use super::verilog::Run;
use crate::failure::{Failure, Result};
use crate::output::file::replace;

/// What runs the vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runner {
    /// hwgen's batch simulator, which runs the data-flow graph.
    Batch,
    /// A simulator of Verilog.
    Verilog(Engine),
}

/// What is asked of a check.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// What runs, one after the other.
    pub runners: &'a [Runner],
    /// Which vectors.
    pub source: &'a Source<'a>,
    /// No more than so many of them.
    pub first: Option<usize>,
    /// A file for the waveforms of the ports: of the one runner, or of those that read Verilog.
    pub waves: Option<&'a Path>,
    /// The longest that building or running may take.
    pub limit: Duration,
}

impl<'a> Options<'a> {
    /// All vectors of `source`, without waveforms, for ten minutes at most each.
    pub fn new(runners: &'a [Runner], source: &'a Source<'a>) -> Self {
        Self { runners, source, first: None, waves: None, limit: Duration::from_secs(600) }
    }
}

impl Runner {
    fn subject(self) -> Subject {
        match self {
            Self::Batch => Subject::Graph,
            Self::Verilog(_) => Subject::Verilog,
        }
    }
}

/// Runs the vectors through the design of `folder`; what a reader must know of the files that the result is of, is
/// remarked.
///
/// # Errors
/// Vectors that cannot be had, files that a runner reads and that are not what hwgen wrote, and tools that are missing or
/// fail. A mismatch is none: it is in the outcome.
pub fn check(folder: &Folder, options: &Options<'_>, remark: &mut dyn FnMut(&str)) -> Result<Vec<Outcome>> {
    let own = matches!(options.source, Source::Own);
    options.runners.iter().try_for_each(|runner| folder.require_read(runner.subject(), own))?;
    let all = folder.vectors(options.source)?;
    let vectors = options.first.map_or_else(|| all.clone(), |count| first(&all, count));
    folder.remarks().iter().for_each(|text| remark(text));
    for port in folder.unchecked(&vectors) {
        remark(&format!("no values of `{port}` are given: it is not compared"));
    }
    let preamble = folder.design.model().preamble().map_err(Failure::user)?;
    let alone = options.runners.len() == 1;
    let run = |runner: &Runner| match *runner {
        Runner::Batch => {
            let outcome = run_batch(&folder.top, &vectors, preamble.as_ref())?;
            if let (true, Some(path)) = (alone, options.waves) {
                write_waves(&folder.top, &vectors, preamble.as_ref(), path)?;
            }
            Ok(outcome)
        }
        Runner::Verilog(engine) => {
            let (waves, limit) = (options.waves, options.limit);
            folder.run_verilog(&Run { engine, vectors: &vectors, preamble: preamble.as_ref(), waves, limit })
        }
    };
    options.runners.iter().map(run).collect()
}

fn write_waves(top: &Arc<Module>, vectors: &Vectors, preamble: Option<&Preamble>, path: &Path) -> Result<()> {
    let mut stepper = Stepper::new(top)?;
    if let Some(preamble) = preamble {
        preamble.play(top, &mut stepper)?;
    }
    let failed = |e: std::io::Error| Failure::io("write the waveforms", path, &e);
    let mut dump = Vec::new();
    let mut waves = Waves::new(&mut dump, top).map_err(failed)?;
    let mut result = Ok(());
    stream(top, &mut stepper, vectors, &Held::new(), |cycle| {
        if result.is_ok() {
            result = waves.write(cycle);
        }
    })?;
    result.and_then(|()| waves.finish()).map_err(failed)?;
    replace(path, &dump)
}
