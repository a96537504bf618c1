//! `hwgen cmvm`: one constant matrix-vector product.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use constraints::{Target, delay};
use hdl::dfg::{Module, ModuleBuilder};
use hdl::diag::Diagnostic;
use hdl::num::{Format, Interval};
use hdl::passes::pipeline::{self, Goal, pipeline};
use serde::Serialize;

use super::clock::{Timing, options};
use super::sim::run_batch;
use crate::arith::design::MatrixDesign;
use crate::arith::estimate::{Estimate, estimate};
use crate::arith::report::{CmvmReport, run as optimise};
use crate::arith::{AdderGraph, Effort, InputSpec, Objective, Problem, cost, lower};
use crate::design::Design;
use crate::failure::{Failure, Result};
use crate::import::matrix;
use crate::output::emit::Emission;
use crate::output::folder::Staging;
use crate::output::report::{Check, Report};
use crate::output::table::Table;

/// Optimise one constant matrix-vector product y = x·W into few and narrow adders.
///
/// FILE is JSON ([[…], …] or {"W": …}), .csv or .npy, with a row for each input and a column for each output. The
/// result carries a certificate: every adder is an exact integer identity and their sum is W.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  hwgen cmvm matrix.json --input-bits 8 --signed --effort normal\n  hwgen cmvm matrix.npy --effort 30 --max-depth 6 --out rtl/"
)]
pub struct CmvmArgs {
    /// The matrix
    file: PathBuf,
    /// Width of every input
    #[arg(long, value_name = "BITS", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=32))]
    input_bits: u32,
    /// Inputs are two's complement
    #[arg(long)]
    signed: bool,
    /// Range of each input instead: LO:HI,LO:HI,…
    #[arg(long, value_name = "RANGES", conflicts_with_all = ["input_bits", "signed"])]
    input_ranges: Option<String>,
    /// How long to search: fast, normal, high, or a number of seconds
    #[arg(long, default_value = "normal", value_parser = effort)]
    effort: Effort,
    /// Greatest number of adder levels
    #[arg(long, value_name = "LEVELS")]
    max_depth: Option<u32>,
    /// Seed of the search
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Also write Verilog with test bench; combinational unless --latency or --clock-ns asks for stages
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    timing: Timing,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

/// Samples in the vectors of a matrix.
const SAMPLES: usize = 256;

/// Reads an effort: its name, or seconds.
pub(super) fn effort(text: &str) -> std::result::Result<Effort, String> {
    match text {
        "fast" => Ok(Effort::Fast),
        "normal" => Ok(Effort::Normal),
        "high" => Ok(Effort::High),
        _ => match text.parse::<f64>() {
            Ok(seconds) if seconds > 0.0 && seconds <= 86_400.0 => Ok(Effort::Seconds(seconds)),
            _ => Err("expected fast, normal, high, or a number of seconds".into()),
        },
    }
}

/// Runs the command.
pub fn run(args: &CmvmArgs) -> Result<()> {
    let staging = args.out.as_deref().map(Staging::begin).transpose()?;
    let matrix = matrix::read(&args.file)?;
    let inputs = args.inputs(matrix.rows())?;
    let mut problem = Problem::new(matrix, inputs);
    problem.max_depth = args.max_depth;
    let target = Target::load(&args.timing.target)?;
    problem.objective = Objective::of(&target);
    let (graph, report) = optimise(&problem, args.effort, args.seed).map_err(|e| {
        Failure::user(
            Diagnostic::error("cmvm", e.to_string())
                .at(args.file.display().to_string(), "this matrix"),
        )
    })?;
    if let Some(staging) = staging {
        let module = matrix_module(&problem, &graph, &target)?;
        emit(args, &target, &module, &problem, &report, &staging)?;
        staging.finish()?;
    }
    let figures = Figures {
        estimate: estimate(&graph, &target),
        target: target.name,
        report,
    };
    if args.json {
        super::say(format_args!(
            "{}\n",
            serde_json::to_string_pretty(&figures).expect("plain data")
        ));
    } else {
        super::say(table(&figures));
    }
    Ok(())
}

impl CmvmArgs {
    fn inputs(&self, count: usize) -> Result<Vec<InputSpec>> {
        let Some(text) = &self.input_ranges else {
            return Ok(vec![InputSpec::bits(self.input_bits, self.signed); count]);
        };
        let wrong = |message: String| {
            Failure::user(
                Diagnostic::error("input-ranges", message)
                    .help("write --input-ranges LO:HI,LO:HI,…"),
            )
        };
        let range = |text: &str| {
            let (lo, hi) = text.split_once(':')?;
            Some(InputSpec {
                lo: lo.trim().parse().ok()?,
                hi: hi.trim().parse().ok()?,
                arrival: 0,
            })
        };
        let ranges: Vec<InputSpec> = text
            .split(',')
            .map(|text| {
                range(text)
                    .ok_or_else(|| wrong(format!("{} is no range", hdl::names::quoted(text))))
            })
            .collect::<Result<_>>()?;
        if ranges.len() != count {
            return Err(wrong(format!(
                "{} ranges are given, the matrix has {count} inputs",
                ranges.len()
            )));
        }
        Ok(ranges)
    }
}

fn formats(inputs: &[InputSpec]) -> Result<Vec<Format>> {
    let format =
        |spec: &InputSpec| Interval::new(spec.lo.into(), spec.hi.into()).map(Format::integer);
    let wide = |_| {
        Failure::user(Diagnostic::error(
            "input-ranges",
            "an input range is empty or too wide",
        ))
    };
    inputs
        .iter()
        .map(format)
        .collect::<std::result::Result<_, _>>()
        .map_err(wide)
}

/// The graph as a module `cmvm` from `x` to `y`, combinational.
pub(super) fn matrix_module(
    problem: &Problem,
    graph: &AdderGraph,
    target: &Target,
) -> Result<Arc<Module>> {
    let m = ModuleBuilder::new("cmvm");
    let x = m.input_port("x", formats(&problem.inputs)?, hdl::dfg::Stamp::at(0));
    let cover = target.carry_cell().map(|_| cost::cover(graph));
    m.output_array("y", &lower::build(&m, &x, graph, cover.as_ref()));
    Ok(m.finish()?)
}

fn emit(
    args: &CmvmArgs,
    target: &Target,
    combinational: &Arc<Module>,
    problem: &Problem,
    figures: &CmvmReport,
    staging: &Staging,
) -> Result<()> {
    let clock = args.timing.clock()?;
    let goal = |clock| match args.timing.latency {
        Some(latency) => Goal::ClockAndLatency { clock, latency },
        None if args.timing.is_default_clock() => Goal::Latency(0),
        None => Goal::Clock(clock),
    };
    let mut cut = options(clock, goal)?;
    if matches!(cut.goal, Goal::Latency(0)) {
        cut = pipeline::Options {
            register_outputs: false,
            ..cut
        };
    }
    let (top, cut) = pipeline(combinational, &delay::of(target), &cut)?;
    let top = Arc::new(top);
    let design = MatrixDesign::of(problem);
    let vectors = design.vectors(SAMPLES, args.seed);
    let check = run_batch(&top, &vectors, None)?.require_pass()?;
    let mut report = Report::new("cmvm", &top, clock.ns(), &cut, &args.timing.source(target));
    report.parameters = parameters(figures);
    report.checks.push(Check {
        what: check.engine.clone(),
        result: check.summary(),
    });
    report.checks.push(Check {
        what: "linear certificate".into(),
        result: "every adder an identity, their sum is W".into(),
    });
    Emission {
        top: &top,
        model: Design::Matrix(design).to_json(),
        clock,
        register_port: &[],
        vectors: &vectors,
        preamble: None,
        carry_cell: target.carry_cell(),
    }
    .write(staging, report)
}

fn parameters(figures: &CmvmReport) -> BTreeMap<String, String> {
    [
        ("inputs", figures.inputs.to_string()),
        ("outputs", figures.outputs.to_string()),
        ("adders", figures.adders.to_string()),
        ("adder bits", figures.adder_bits.to_string()),
        ("depth", figures.depth.to_string()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

/// What the command prints.
#[derive(Debug, Serialize)]
struct Figures {
    #[serde(flatten)]
    report: CmvmReport,
    target: String,
    /// On that target.
    estimate: Estimate,
}

fn table(
    Figures {
        report,
        target,
        estimate,
    }: &Figures,
) -> Table {
    let mut table = Table::new(["figure", "value"]);
    let mut row = |name: &str, value: String| table.row([name.to_owned(), value]);
    row(
        "inputs × outputs",
        format!("{} × {}", report.inputs, report.outputs),
    );
    row("adders", report.adders.to_string());
    row("adder bits", report.adder_bits.to_string());
    row(
        "negations, as constant adders",
        report.constant_adders.to_string(),
    );
    row("depth", report.depth.to_string());
    row("target of the estimates", target.clone());
    match estimate.luts {
        0.0 => {
            row("cell area, µm²", format!("{:.0}", estimate.area_um2));
            row("energy, pJ", format!("{:.2}", estimate.energy_fj / 1e3));
        }
        luts => row("look-up tables", format!("{luts:.0}")),
    }
    row(
        "delay, ns",
        format!("{:.2}", estimate.delay_ps as f64 / 1e3),
    );
    row("seconds", format!("{:.3}", report.seconds));
    row(
        "peak memory, MB",
        report
            .peak_memory_mb
            .map_or("unknown".into(), |mb| format!("{mb:.0}")),
    );
    table
}
