//! `hwgen sim`: runs a folder's vectors in the batch simulator, Icarus and Verilator, and compares every output bit.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use hdl::dfg::Module;
use hdl::dfg::eval::Stepper;
use hdl::diag::Diagnostic;
use sim::preamble::Preamble;
use sim::stream::stream;
use sim::tools::Engine;
use sim::vectors::{Held, Vectors};
use sim::waves::Waves;

use crate::failure::{Failure, Result};
use crate::flow::batch::{Outcome, first, run_batch};
use crate::flow::folder::Subject;
use crate::flow::vectors::Source;
use crate::flow::verilog::Run;
use crate::output::file::replace;
use crate::output::table::Table;

pub(super) use crate::flow::folder::Folder;

/// Run a folder's vectors through the design and compare every output bit in its stated cycle.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  hwgen sim rtl/ --engine all\n  hwgen sim rtl/ --engine batch --random 100000 --seed 7"
)]
pub struct SimArgs {
    /// A folder that hwgen wrote
    dir: PathBuf,
    /// What runs the vectors
    #[arg(long, value_enum, default_value_t = Choice::Batch)]
    engine: Choice,
    /// Vectors instead of the folder's: JSON with one row of integers an event under each port's name
    #[arg(long, value_name = "FILE", conflicts_with = "random")]
    vectors: Option<PathBuf>,
    /// Random vectors instead of the folder's, with what the integer model gives
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    random: Option<u32>,
    /// Seed of the random vectors
    #[arg(long, default_value_t = 1, requires = "random")]
    seed: u64,
    /// Run no more than the first N vectors
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    first: Option<u32>,
    /// Write the waveforms of the ports: VCD, or FST if FILE ends so (Icarus and Verilator)
    #[arg(long, value_name = "FILE")]
    waves: Option<PathBuf>,
    /// The longest that building or running may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    limit: u64,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Which engines to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Choice {
    /// hwgen's own simulator, which runs the data-flow graph (design.dfg), not the Verilog
    Batch,
    /// Icarus Verilog, which reads the Verilog
    Icarus,
    /// Verilator, which reads the Verilog
    Verilator,
    /// One after the other
    All,
}

/// Runs the command.
pub fn run(args: &SimArgs) -> Result<()> {
    let folder = Folder::open(&args.dir)?;
    let source = args.source();
    let own = matches!(source, Source::Own);
    let subjects = args.engine.subjects();
    subjects.iter().try_for_each(|subject| folder.require_read(*subject, own))?;
    let vectors = args.limited(folder.vectors(&source)?);
    args.remarks(&folder, &vectors);
    let preamble = folder.design.model().preamble().map_err(Failure::user)?;
    let mut outcomes = Vec::new();
    if subjects.contains(&Subject::Graph) {
        outcomes.push(run_batch(&folder.top, &vectors, preamble.as_ref())?);
        if let (Choice::Batch, Some(waves)) = (args.engine, &args.waves) {
            write_waves(&folder.top, &vectors, preamble.as_ref(), waves)?;
        }
    }
    for engine in args.engine.simulators() {
        outcomes.push(folder.run_verilog(&Run {
            engine: *engine,
            vectors: &vectors,
            preamble: preamble.as_ref(),
            waves: args.waves.as_deref(),
            limit: Duration::from_secs(args.limit),
        })?);
    }
    if args.json {
        let json = serde_json::to_string_pretty(&outcomes).expect("plain data");
        super::say(format_args!("{json}\n"))?;
    } else {
        let mismatches: String = outcomes.iter().flat_map(|o| &o.mismatches).map(|m| format!("{m}\n")).collect();
        super::say(format_args!("{}{mismatches}", table(&outcomes)))?;
    }
    match outcomes.iter().find(|o| !o.pass) {
        Some(failed) => Err(Failure::check(Diagnostic::error(
            "mismatch",
            format!("{}: the design is not what its model says", failed.engine),
        ))),
        None => Ok(()),
    }
}

impl Choice {
    /// Which forms of the design are run.
    fn subjects(self) -> &'static [Subject] {
        match self {
            Self::Batch => &[Subject::Graph],
            Self::Icarus | Self::Verilator => &[Subject::Verilog],
            Self::All => &[Subject::Graph, Subject::Verilog],
        }
    }

    /// The simulators of Verilog among them.
    fn simulators(self) -> &'static [Engine] {
        match self {
            Self::Batch => &[],
            Self::Icarus => &[Engine::Icarus],
            Self::Verilator => &[Engine::Verilator],
            Self::All => &[Engine::Icarus, Engine::Verilator],
        }
    }
}

impl SimArgs {
    fn source(&self) -> Source<'_> {
        match (&self.vectors, self.random) {
            (Some(file), _) => Source::File(file),
            (None, Some(count)) => Source::Random { count: count as usize, seed: self.seed },
            (None, None) => Source::Own,
        }
    }

    /// The first vectors, if no more are wanted.
    fn limited(&self, vectors: Vectors) -> Vectors {
        match self.first {
            Some(count) => first(&vectors, count as usize),
            None => vectors,
        }
    }

    /// Says what a reader of the result must know of the files that it is of.
    fn remarks(&self, folder: &Folder, vectors: &Vectors) {
        let unchecked = folder.unchecked(vectors);
        let unchecked = unchecked.iter().map(|port| format!("no values of `{port}` are given: it is not compared"));
        folder.remarks().into_iter().chain(unchecked).for_each(|remark| super::remark(&remark));
    }
}

fn table(outcomes: &[Outcome]) -> Table {
    let mut table = Table::new(["engine", "runs", "vectors", "latency", "result", "build s", "run s"]);
    for outcome in outcomes {
        table.row([
            outcome.engine.clone(),
            outcome.runs.to_string(),
            outcome.vectors.to_string(),
            outcome.latency.map_or_else(|| "every cycle".into(), |l| l.to_string()),
            if outcome.pass { "bit-exact".into() } else { "MISMATCH".into() },
            format!("{:.2}", outcome.seconds[0]),
            format!("{:.2}", outcome.seconds[1]),
        ]);
    }
    table
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
