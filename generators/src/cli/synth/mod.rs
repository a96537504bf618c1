//! `hwgen synth`: maps a folder's Verilog and reports size, timing, proofs and power.

mod asic;
mod cells;
pub mod equiv;
mod fpga;
mod gates;
mod layers;
mod power;
mod step;
mod work;

pub use self::fpga::look_up_tables;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use constraints::Target;
use constraints::targets::Technology;
use constraints::timing::Picoseconds;
use hdl::diag::Diagnostic;
use openlane::yosys as mapping;

use self::asic::Asic;
use self::cells::Cells;
use self::fpga::Fpga;
use self::gates::Simulator;
use self::layers::Blocks;
use self::step::{Choice, run_steps};
use self::work::Work;
use super::output::{Force, finish};
use super::sim::Folder;
use crate::design::Design;
use crate::failure::{Failure, Result};
use crate::output::synthesis::{State, Synthesis};

/// Map a folder's Verilog to cells or look-up tables and report size, timing, power and proofs.
///
/// The output folder holds the netlist, the scripts (repeat a step with `make`), report.md and report.json.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  hwgen synth rtl/ --target osu018\n  hwgen synth rtl/ --target xcup\n  hwgen synth rtl/ --steps map,sta --clock-ns 20"
)]
pub struct SynthArgs {
    /// A folder that hwgen wrote
    dir: PathBuf,
    /// What it is mapped to; see `hwgen target list`
    #[arg(long, value_name = "NAME", default_value = constraints::targets::DEFAULT)]
    target: String,
    /// The cell library of a target that has none of its own
    #[arg(long, value_name = "FILE")]
    liberty: Option<PathBuf>,
    /// Clock period in nanoseconds
    #[arg(long, value_name = "NS", default_value_t = 25.0)]
    clock_ns: f64,
    /// Steps to run; what a step needs is run too [default: all that the target has]
    #[arg(long, value_enum, value_delimiter = ',')]
    steps: Vec<Choice>,
    /// How long ABC may think about a cell library's gates
    #[arg(long, value_enum, default_value_t = Effort::Full)]
    effort: Effort,
    /// What becomes of the modules below the top
    #[arg(long, value_enum, default_value_t = Hierarchy::Auto)]
    hierarchy: Hierarchy,
    /// FPGAs: products that are left to the synthesis tool may take DSP blocks
    #[arg(long)]
    dsp: bool,
    /// What simulates the netlist
    #[arg(long, value_enum, default_value_t)]
    gates: Simulator,
    /// The longest that a program may run, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1200, value_parser = clap::value_parser!(u64).range(1..=604_800))]
    limit: u64,
    /// The output folder [default: DIR-TARGET]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    force: Force,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// As the command line spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Effort {
    /// Map what is there: for large designs, about 2 % more area
    Fast,
    /// Look for better structures first
    Full,
}

/// What becomes of the modules below the top.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Hierarchy {
    /// Keep them if the design is large and its copies save half of the work
    Auto,
    /// Dissolve them: logic is shared and simplified across their borders
    Flatten,
    /// Map each once: for designs with many copies of a block
    Keep,
}

impl From<Effort> for mapping::Effort {
    fn from(effort: Effort) -> Self {
        match effort {
            Effort::Fast => Self::Fast,
            Effort::Full => Self::Full,
        }
    }
}

/// Runs the command.
pub fn run(args: &SynthArgs) -> Result<()> {
    let folder = Folder::open(&args.dir)?;
    let target = Target::load(&args.target)?;
    let clock = Picoseconds::from_ns(args.clock_ns)?;
    let staging = args.force.begin(&args.out())?;
    let mut work = Work {
        folder: &folder,
        clock,
        staging: &staging,
        simulator: args.gates,
        report: Synthesis::new(
            &folder.top.name,
            &target.name,
            clock.ns(),
            folder.top.latency(),
            matches!(folder.design, Design::Encoder(_)),
        ),
    };
    work.report.notes.extend(folder.remarks());
    let report = args.flow(work, &target)?;
    finish(staging)?;
    if args.json {
        super::say(report.to_json())?;
    } else {
        let (steps, figures) = (report.steps_text(), report.figures_text());
        super::say(format_args!("{steps}\n{figures}\nreport: {}\n", args.out().join("report.md").display()))?;
    }
    verdict(&report)
}

impl SynthArgs {
    fn out(&self) -> PathBuf {
        self.out.clone().unwrap_or_else(|| {
            let name = self.dir.file_name().map_or_else(|| "rtl".into(), |n| n.to_string_lossy());
            self.dir.with_file_name(format!("{name}-{}", self.target))
        })
    }

    /// The modules that stay as they are; the report says so if there are any.
    fn kept(&self, work: &mut Work<'_>) -> Result<Vec<String>> {
        let blocks = Blocks::of(work)?;
        let keep = match self.hierarchy {
            Hierarchy::Auto => blocks.are_worth_it(),
            Hierarchy::Flatten => false,
            Hierarchy::Keep => true,
        };
        if !keep || blocks.names.is_empty() {
            return Ok(Vec::new());
        }
        let note = format!(
            "Hierarchy is kept: {} are mapped once each and counted for every copy; nothing is shared or simplified across their borders.",
            blocks.names.join(", ")
        );
        work.report.notes.push(note);
        Ok(blocks.names)
    }

    /// The flow of the target's kind.
    fn flow(&self, mut work: Work<'_>, target: &Target) -> Result<Synthesis> {
        let limit = Duration::from_secs(self.limit);
        let kept = self.kept(&mut work)?;
        match &target.technology {
            Technology::Asic { .. } => {
                let cells = Cells::obtain(target, self.liberty.as_deref())?;
                let effort = self.effort.into();
                let mut flow = Asic { work, cells, effort, kept };
                flow.write_inputs()?;
                run_steps(&mut flow, &self.steps, limit, self.json)?;
                flow.finish()
            }
            Technology::Fpga { family, .. } => {
                let mut flow =
                    Fpga { work, target, family, synthesis: fpga::synthesis_command(target, family, self.dsp)?, kept };
                flow.write_inputs()?;
                run_steps(&mut flow, &self.steps, limit, self.json)?;
                flow.work.finish()
            }
        }
    }
}

/// A failed check unless every step ended well.
fn verdict(report: &Synthesis) -> Result<()> {
    if report.passed() {
        return Ok(());
    }
    let bad = report.steps.iter().filter(|step| step.state != State::Done);
    let error = bad.fold(Diagnostic::error("synthesis", "not every step succeeded"), |d, step| {
        d.label(None, format!("{}: {}", step.name, step.result))
    });
    Err(Failure::check(error))
}
