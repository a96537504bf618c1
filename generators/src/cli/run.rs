//! `hwgen run`: a model's results for a file of events.

use std::path::{Path, PathBuf};

use clap::Args;
use hdl::diag::Diagnostic;

use super::care::Talk;
use super::runnable::Runnable;
use crate::failure::{Failure, Result};
use crate::flow::run::{Engine, Job, Summary, run as run_job};

/// Run any number of events through a model, bit for bit as its hardware does.
///
/// MODEL is an output folder of any generator, or a network's file as `hwgen build` reads it. Events are .npy, .npz (arrays by
/// the inputs' names) or .csv (an event a line, with or without a line of names); Parquet is not read. Their numbers are the
/// framework's and are quantised as the network does; inputs without a quantiser take integers.
///
/// Results are integers, or with --float the framework's numbers. Files are read and written in blocks, so their length is
/// bounded by the disk only; all cores take part.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  hwgen run model.onnx --input events.npy --output results.npy\n  hwgen run rtl/ --input events.npz --output results.npz --float --trace dense_1 --resume"
)]
pub struct RunArgs {
    #[command(flatten)]
    model: Runnable,
    /// Events, the first axis counts them: .npy, .npz or .csv. Once for each input of a network with several, as NAME=FILE,
    /// or one .npz for all
    #[arg(long, value_name = "[NAME=]FILE", required = true)]
    input: Vec<String>,
    /// Results: .npy for one output, .npz or .csv for any number
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// The events are the hardware's integers, not numbers to be quantised
    #[arg(long)]
    integers: bool,
    /// Write the framework's numbers instead of integers
    #[arg(long)]
    float: bool,
    /// Write the results of these layers too, as `hwgen inspect` lists them
    #[arg(long, value_name = "LAYER", num_args = 1..)]
    trace: Vec<String>,
    /// Go on where an interrupted run of the same events stopped, and be able to: what is done is kept in FILE.partial
    #[arg(long)]
    resume: bool,
    /// Threads [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: Option<u32>,
    /// Print how it went as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    talk: Talk,
}

/// Runs the command.
pub fn run(args: &RunArgs) -> Result<()> {
    args.talk.begin();
    if let Some(threads) = args.threads {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads as usize).build_global();
        pool.map_err(|e| Failure::check(Diagnostic::error("threads", format!("cannot start threads: {e}"))))?;
    }
    let engine = args.engine()?;
    let RunArgs { input, output, integers, float, resume, .. } = args;
    let job = Job { engine: &engine, inputs: input, output, integers: *integers, float: *float, resume: *resume };
    let summary = run_job(job)?;
    match args.json {
        true => {
            let json = serde_json::to_string_pretty(&summary).expect("plain data");
            super::say(format_args!("{json}\n"))
        }
        false => super::say(said(&summary, output)),
    }
}

impl RunArgs {
    fn engine(&self) -> Result<Engine> {
        let engine = Engine::of(self.model.network()?.graph)?;
        match self.trace.is_empty() {
            true => Ok(engine),
            false => Ok(engine.traced(&self.trace)?),
        }
    }
}

fn said(summary: &Summary, output: &Path) -> String {
    let Summary { events, computed, seconds: [reading, network, writing] } = *summary;
    let rate = computed as f64 / network.max(1e-9);
    let before = match events - computed {
        0 => String::new(),
        before => format!(" ({before} of them were there)"),
    };
    format!(
        "{events} events in {}{before}: network {network:.2} s ({rate:.0}/s), reading {reading:.2} s, writing {writing:.2} s\n",
        output.display()
    )
}
