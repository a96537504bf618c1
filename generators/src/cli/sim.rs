//! `hwgen sim`: runs a folder's vectors in the batch simulator, Icarus and Verilator, and compares every output bit.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use hdl::diag::Diagnostic;
use sim::tools::Engine;

use crate::failure::{Failure, Result};
use crate::flow::check::{self, Runner, check};
use crate::flow::vectors::Source;
use crate::flow::{Folder, Outcome};
use crate::output::table::Table;

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
    let outcomes = args.outcomes(&mut super::remark)?;
    if args.json {
        let json = serde_json::to_string_pretty(&outcomes).expect("plain data");
        super::say(format_args!("{json}\n"))?;
    } else {
        let mismatches: String = outcomes.iter().flat_map(|o| &o.mismatches).map(|m| format!("{m}\n")).collect();
        super::say(format_args!("{}{mismatches}", table(&outcomes)))?;
    }
    require_pass(&outcomes)
}

/// A failed check unless every engine saw what the model says.
///
/// # Errors
/// The first engine that did not.
pub fn require_pass(outcomes: &[Outcome]) -> Result<()> {
    match outcomes.iter().find(|o| !o.pass) {
        Some(failed) => Err(Failure::check(Diagnostic::error(
            "mismatch",
            format!("{}: the design is not what its model says", failed.engine),
        ))),
        None => Ok(()),
    }
}

impl Choice {
    fn runners(self) -> &'static [Runner] {
        const ICARUS: Runner = Runner::Verilog(Engine::Icarus);
        const VERILATOR: Runner = Runner::Verilog(Engine::Verilator);
        match self {
            Self::Batch => &[Runner::Batch],
            Self::Icarus => &[ICARUS],
            Self::Verilator => &[VERILATOR],
            Self::All => &[Runner::Batch, ICARUS, VERILATOR],
        }
    }
}

impl SimArgs {
    /// How each engine did; what a reader must know of the files is remarked.
    ///
    /// # Errors
    /// Those of [`check`].
    pub fn outcomes(&self, remark: &mut dyn FnMut(&str)) -> Result<Vec<Outcome>> {
        let folder = Folder::open(&self.dir)?;
        let source = self.source();
        let options = check::Options {
            first: self.first.map(|count| count as usize),
            waves: self.waves.as_deref(),
            limit: Duration::from_secs(self.limit),
            ..check::Options::new(self.engine.runners(), &source)
        };
        check(&folder, &options, remark)
    }

    fn source(&self) -> Source<'_> {
        match (&self.vectors, self.random) {
            (Some(file), _) => Source::File(file),
            (None, Some(count)) => Source::Random { count: count as usize, seed: self.seed },
            (None, None) => Source::Own,
        }
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
