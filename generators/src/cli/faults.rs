//! `hwgen faults`: what upsets, transients and stuck-ats do to a design's outputs.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use constraints::Target;
use hdl::diag::Diagnostic;

use crate::failure::{Failure, Result};
use crate::flow::Folder;
use crate::flow::faults::{Campaign, Given, Job, Pulse, Report};
use crate::flow::options::DEFAULT_CLOCK_NS;
use crate::flow::vectors::Source;
use crate::output::file::replace;

/// Inject faults into a design while events go through, and count what becomes of them.
///
/// Faults strike the registers of the Verilog that is in the folder now, or the registers and cells of --netlist. A fault
/// is masked if no output was wrong, detected if one was and a port of --detect said so, silent if nothing did, and latent
/// if no output was wrong yet but a register still differed. All faults are injected up to a million, of more a sample.
///
/// Exit code 0 means that the campaign ran, 1 that --require-masked does not hold.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hwgen faults rtl/ --campaign single --ranking worst.txt --heatmap upsets.svg\n  \
                  hwgen faults rtl/ --netlist mapped/netlist.v --campaign set --pulse 0.2 --clock 10 --state set.state")]
pub struct FaultsArgs {
    /// A folder that hwgen wrote
    dir: PathBuf,
    /// What is injected: single (upsets of register bits), double (two at once), set (transients on what cells drive), stuck
    /// (at 0 and at 1), or rate=P (upsets of every register bit in every cycle with probability P)
    #[arg(long, default_value = "single")]
    campaign: Campaign,
    /// Strike this netlist, as `hwgen synth` writes it, and not the folder's Verilog
    #[arg(long, value_name = "FILE")]
    netlist: Option<PathBuf>,
    /// The target whose cells the netlist is of
    #[arg(long, value_name = "NAME", default_value = constraints::targets::DEFAULT, requires = "netlist")]
    target: String,
    /// The cell library of a target that has none of its own
    #[arg(long, value_name = "FILE", requires = "netlist")]
    liberty: Option<PathBuf>,
    /// Events from this file and not the folder's: JSON, as `hwgen sim --vectors` takes it
    #[arg(long, value_name = "FILE")]
    vectors: Option<PathBuf>,
    /// So many random events and not the folder's
    #[arg(long, value_name = "N", conflicts_with = "vectors", value_parser = clap::value_parser!(u32).range(1..))]
    random: Option<u32>,
    /// No more than the first N events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    events: Option<u32>,
    /// Cycles in which faults strike, as FIRST..END, counted from the first event's [default: all with a full pipeline]
    #[arg(long, value_name = "CYCLES", value_parser = range)]
    cycles: Option<[u32; 2]>,
    /// Draw so many faults if there are more [default: 1000000]; with rate=P, runs [default: 4096]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=50_000_000))]
    injections: Option<u64>,
    /// Seed of what is drawn
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Cycles after a fault in which outputs are looked at [default: the latency and 32]
    #[arg(long, value_name = "N")]
    follow: Option<u32>,
    /// An output port that reports faults, such as a counter of voters' disagreements; may be repeated
    #[arg(long, value_name = "PORT")]
    detect: Vec<String>,
    /// Width of a transient in nanoseconds: the part of them that a clock edge catches is reported
    #[arg(long, value_name = "NS", value_parser = positive)]
    pulse: Option<f64>,
    /// Period of the clock that --pulse is compared with
    #[arg(long, value_name = "NS", default_value_t = DEFAULT_CLOCK_NS, value_parser = positive, requires = "pulse")]
    clock: f64,
    /// Keep the progress in this file, and go on from it
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Write the bits that did harm, the most harmful first, a name a line
    #[arg(long, value_name = "FILE")]
    ranking: Option<PathBuf>,
    /// No more than the first N of them
    #[arg(long, value_name = "N", requires = "ranking")]
    top: Option<usize>,
    /// Draw how often each register bit does harm, as SVG
    #[arg(long, value_name = "FILE")]
    heatmap: Option<PathBuf>,
    /// End with exit code 1 unless at least this share of all faults is masked
    #[arg(long, value_name = "SHARE", num_args = 0..=1, default_missing_value = "1", value_parser = share)]
    require_masked: Option<f64>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &FaultsArgs) -> Result<()> {
    let by_bit = matches!(args.campaign, Campaign::Single | Campaign::Double);
    if args.heatmap.is_some() && !by_bit {
        return Err(refused("--heatmap is of register bits: it takes --campaign single or double"));
    }
    match args.campaign {
        Campaign::Rate(_) if args.ranking.is_some() => {
            return Err(refused("with a rate many bits are struck at once: --ranking takes another campaign"));
        }
        Campaign::Stuck if args.ranking.is_some() => {
            return Err(refused(
                "a stuck net is followed to its first wrong output only: --ranking takes another campaign",
            ));
        }
        _ => {}
    }
    if args.pulse.is_some() && args.campaign != Campaign::Set {
        return Err(refused("--pulse is the width of transients: it takes --campaign set"));
    }
    let folder = Folder::open(&args.dir)?;
    folder.remarks().iter().for_each(|remark| super::remark(remark));
    let started = Instant::now();
    let report = args.campaign(&folder)?;
    super::remark(&format!("{} faults in {:.2} s", report.total.injections, started.elapsed().as_secs_f64()));
    match args.json {
        true => {
            let json = serde_json::to_string_pretty(&report).expect("plain data");
            super::say(format_args!("{json}\n"))?;
        }
        false => super::say(report.text())?,
    }
    if let Some(path) = &args.ranking {
        replace(path, report.list(args.top.unwrap_or(usize::MAX)).as_bytes())?;
    }
    if let Some(path) = &args.heatmap {
        replace(path, report.heat_map().as_bytes())?;
    }
    args.require(&report)
}

impl FaultsArgs {
    fn campaign(&self, folder: &Folder) -> Result<Report> {
        let target = Target::load(&self.target)?;
        let given = |file| Given { file, target: &target, liberty: self.liberty.as_deref() };
        let job = Job {
            folder,
            netlist: self.netlist.as_deref().map(given),
            campaign: self.campaign,
            source: match (&self.vectors, self.random) {
                (Some(file), _) => Source::File(file),
                (None, Some(count)) => Source::Random { count: count as usize, seed: self.seed },
                (None, None) => Source::Own,
            },
            events: self.events.map(|count| count as usize),
            cycles: self.cycles,
            injections: self.injections,
            seed: self.seed,
            follow: self.follow,
            detect: &self.detect,
            state: self.state.as_deref(),
            pulse: self.pulse.map(|width_ns| Pulse { width_ns, period_ns: self.clock }),
        };
        job.run()
    }

    fn require(&self, report: &Report) -> Result<()> {
        let total = &report.total;
        match self.require_masked {
            Some(least) if (total.masked as f64) < least * total.injections as f64 => {
                let message = format!(
                    "{} of {} faults are masked, {} % were required",
                    total.masked,
                    total.injections,
                    100.0 * least
                );
                Err(Failure::check(Diagnostic::error("require-masked", message)))
            }
            _ => Ok(()),
        }
    }
}

fn refused(message: &str) -> Failure {
    Failure::user(Diagnostic::error("arguments", message))
}

fn range(text: &str) -> std::result::Result<[u32; 2], String> {
    let ends = text.split_once("..").and_then(|(from, to)| Some([from.parse().ok()?, to.parse().ok()?]));
    ends.ok_or_else(|| "cycles are FIRST..END, such as 2..10".into())
}

fn positive(text: &str) -> std::result::Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "this is no positive number".into())
}

fn share(text: &str) -> std::result::Result<f64, String> {
    let number = text.parse().ok().filter(|number| (0.0..=1.0).contains(number));
    number.ok_or_else(|| "a share is a number from 0 to 1".into())
}
