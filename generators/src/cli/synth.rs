//! `hwgen synth`: maps a folder's Verilog and reports size, timing, proofs and power.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use constraints::Target;
use constraints::timing::Picoseconds;
use hdl::diag::Diagnostic;

use super::output::{Force, finish};
use crate::failure::{Failure, Result};
use crate::flow::Folder;
use crate::output::staging::Staging;
use crate::output::synthesis::{State, Synthesis};
use crate::synthesis::{self, Choice, Hierarchy, Options, Simulator, synthesise};

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

/// Runs the command.
pub fn run(args: &SynthArgs) -> Result<()> {
    let mut tell = |line: &str| {
        if !args.json {
            super::tell(line)
        }
    };
    let (report, staging) = args.synthesise(&mut tell)?;
    finish(staging)?;
    if args.json {
        super::say(report.to_json())?;
    } else {
        let (steps, figures) = (report.steps_text(), report.figures_text());
        super::say(format_args!("{steps}\n{figures}\nreport: {}\n", args.out().join("report.md").display()))?;
    }
    require_done(&report)
}

impl SynthArgs {
    /// The report, and the folder that is to be put in place; a line is told after each step.
    ///
    /// # Errors
    /// Those of [`synthesise`].
    pub fn synthesise(&self, tell: &mut dyn FnMut(&str)) -> Result<(Synthesis, Staging)> {
        let (folder, options) = (Folder::open(&self.dir)?, self.options()?);
        let staging = self.force.begin(&self.out())?;
        Ok((synthesise(&folder, &staging, &options, tell)?, staging))
    }

    fn out(&self) -> PathBuf {
        self.out.clone().unwrap_or_else(|| {
            let name = self.dir.file_name().map_or_else(|| "rtl".into(), |n| n.to_string_lossy());
            self.dir.with_file_name(format!("{name}-{}", self.target))
        })
    }

    fn options(&self) -> Result<Options> {
        Ok(Options {
            target: Target::load(&self.target)?,
            liberty: self.liberty.clone(),
            clock: Picoseconds::from_ns(self.clock_ns)?,
            steps: self.steps.clone(),
            effort: match self.effort {
                Effort::Fast => synthesis::Effort::Fast,
                Effort::Full => synthesis::Effort::Full,
            },
            hierarchy: self.hierarchy,
            dsp: self.dsp,
            simulator: self.gates,
            limit: Duration::from_secs(self.limit),
        })
    }
}

/// A failed check unless every step ended well.
///
/// # Errors
/// The steps that did not.
pub fn require_done(report: &Synthesis) -> Result<()> {
    if report.passed() {
        return Ok(());
    }
    let bad = report.steps.iter().filter(|step| step.state != State::Done);
    let error = bad.fold(Diagnostic::error("synthesis", "not every step succeeded"), |d, step| {
        d.label(None, format!("{}: {}", step.name, step.result))
    });
    Err(Failure::check(error))
}
