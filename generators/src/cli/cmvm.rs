//! `hwgen cmvm`: one constant matrix-vector product.

mod figures;

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

pub(super) use self::figures::Estimate;
use self::figures::{Figures, cell_parameters, cell_table, parameters, table};
use super::clock::{Timing, options};
use super::output::{Force, finish};
use super::products::{Sums, fabric};
use crate::arith::design::MatrixDesign;
use crate::arith::report::{self, Choice, run as optimise};
use crate::arith::{AdderGraph, CellCosts, Effort, Fabric, InputSpec, Problem, Wanted, cell_lower, cost, lower};
use crate::design::Design;
use crate::failure::{Failure, Result};
use crate::flow::run_batch;
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
    mut_arg("target", |target| target.default_value(PLAIN)),
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
    /// Cell libraries: the smallest structure that takes at most this long, by the target's figures without wires
    #[arg(long, value_name = "NS", value_parser = delay_ns)]
    max_delay: Option<f64>,
    /// Cell libraries: the fastest structure of at most this cell area, by the target's figures
    #[arg(long, value_name = "UM2", value_parser = area_um2, conflicts_with = "max_delay")]
    max_area: Option<f64>,
    /// Cell libraries: also list what area buys what delay, to choose --max-delay or --max-area by. Without these it is
    /// the fastest structure that is at most 15 % larger than the smallest
    #[arg(long)]
    sweep: bool,
    /// Cell libraries: trees of full adder cells, or two-input adders for the synthesis tool to build [default: cells
    /// where the library's full adder is known]
    #[arg(long, value_enum)]
    sums: Option<Sums>,
    /// Seed of the search
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Also write Verilog with test bench; combinational unless --latency or --clock-ns asks for stages
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    force: Force,
    #[command(flatten)]
    timing: Timing,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

/// The target whose sums are left to the synthesis tool.
const PLAIN: &str = "generic";

/// Entries of a matrix up to which a fast optimisation takes less time than starting threads for it.
const QUICK: usize = 1 << 10;

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

/// Reads a delay bound in nanoseconds.
fn delay_ns(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(ns) if ns > 0.0 && ns <= 1e6 => Ok(ns),
        _ => Err("expected nanoseconds above zero".into()),
    }
}

/// Reads an area bound in square micrometres.
fn area_um2(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(area) if area > 0.0 && area <= 1e15 => Ok(area),
        _ => Err("expected square micrometres above zero".into()),
    }
}

/// Runs the command.
pub fn run(args: &CmvmArgs) -> Result<()> {
    let staging = args.out.as_deref().map(|out| args.force.begin(out)).transpose()?;
    let matrix = matrix::read(&args.file)?;
    let inputs = args.inputs(matrix.rows())?;
    let mut problem = Problem::new(matrix, inputs);
    problem.max_depth = args.max_depth;
    let target = Target::load(&args.timing.target)?;
    let objective = match fabric(&target, args.sums)? {
        Fabric::Cells(costs, _) => return run_cells(args, &target, &problem, &costs, staging),
        Fabric::Operators(objective) => objective,
    };
    if args.max_delay.is_some() || args.max_area.is_some() || args.sweep {
        let message = "delay and area are weighed against each other where sums are made of cells";
        return Err(Failure::user(
            Diagnostic::error("no-cells", message)
                .help("name a cell library with --target, or bound the adder levels with --max-depth"),
        ));
    }
    problem.objective = objective;
    if args.effort == Effort::Fast && problem.matrix.rows() * problem.matrix.columns() <= QUICK {
        // no threads: this one does all the work; that there is a pool already does no harm
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1);
        _ = pool.use_current_thread().build_global();
    }
    let (graph, report) = optimise(&problem, args.effort, args.seed).map_err(|e| args.wrong(e.to_string()))?;
    let module = matrix_module(&problem, &graph, &target)?;
    if let Some(staging) = staging {
        emit(args, &target, &module, &problem, parameters(&report), &staging)?;
        finish(staging)?;
    }
    let figures = Figures { estimate: Estimate::of(&graph, &module, &target)?, target: target.name, report };
    print(args, &figures, table);
    Ok(())
}

/// The matrix out of the cells of a library.
fn run_cells(
    args: &CmvmArgs,
    target: &Target,
    problem: &Problem,
    costs: &CellCosts,
    staging: Option<Staging>,
) -> Result<()> {
    let wanted = match (args.max_delay, args.max_area) {
        (Some(ns), _) => Wanted::Within((ns * 1000.0) as u32),
        (None, Some(area)) => Wanted::Fastest(area),
        (None, None) => Wanted::BALANCED,
    };
    let choice = Choice { wanted, sweep: args.sweep };
    let (cells, report) =
        report::run_cells(problem, costs, choice, args.effort, args.seed).map_err(|e| args.wrong(e.to_string()))?;
    if let Some(staging) = staging {
        let m = ModuleBuilder::new("cmvm");
        let x = m.input_port("x", formats(&problem.inputs)?, hdl::dfg::Stamp::at(0));
        m.output_array("y", &cell_lower::build(&m, &x, &cells));
        emit(args, target, &m.finish()?, problem, cell_parameters(&report), &staging)?;
        finish(staging)?;
    }
    print(args, &report, cell_table);
    Ok(())
}

fn print<R: Serialize>(args: &CmvmArgs, report: &R, table: fn(&R) -> Table) {
    if args.json {
        super::say(format_args!("{}\n", serde_json::to_string_pretty(report).expect("plain data")));
    } else {
        super::say(table(report));
    }
}

impl CmvmArgs {
    fn wrong(&self, message: String) -> Failure {
        Failure::user(Diagnostic::error("cmvm", message).at(self.file.display().to_string(), "this matrix"))
    }

    fn inputs(&self, count: usize) -> Result<Vec<InputSpec>> {
        let Some(text) = &self.input_ranges else {
            return Ok(vec![InputSpec::bits(self.input_bits, self.signed); count]);
        };
        let wrong = |message: String| {
            Failure::user(Diagnostic::error("input-ranges", message).help("write --input-ranges LO:HI,LO:HI,…"))
        };
        let range = |text: &str| {
            let (lo, hi) = text.split_once(':')?;
            Some(InputSpec { lo: lo.trim().parse().ok()?, hi: hi.trim().parse().ok()?, arrival: 0 })
        };
        let ranges: Vec<InputSpec> = text
            .split(',')
            .map(|text| range(text).ok_or_else(|| wrong(format!("{} is no range", hdl::names::quoted(text)))))
            .collect::<Result<_>>()?;
        if ranges.len() != count {
            return Err(wrong(format!("{} ranges are given, the matrix has {count} inputs", ranges.len())));
        }
        Ok(ranges)
    }
}

fn formats(inputs: &[InputSpec]) -> Result<Vec<Format>> {
    let format = |spec: &InputSpec| Interval::new(spec.lo.into(), spec.hi.into()).map(Format::integer);
    let wide = |_| Failure::user(Diagnostic::error("input-ranges", "an input range is empty or too wide"));
    inputs.iter().map(format).collect::<std::result::Result<_, _>>().map_err(wide)
}

/// The graph as a module `cmvm` from `x` to `y`, combinational.
pub(super) fn matrix_module(problem: &Problem, graph: &AdderGraph, target: &Target) -> Result<Arc<Module>> {
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
    parameters: BTreeMap<String, String>,
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
        cut = pipeline::Options { register_outputs: false, ..cut };
    }
    let (top, cut) = pipeline(combinational, &delay::of(target), &cut)?;
    let top = Arc::new(top);
    let design = MatrixDesign::of(problem);
    let vectors = design.vectors(SAMPLES, args.seed);
    let check = run_batch(&top, &vectors, None)?.require_pass()?;
    let mut report = Report::new("cmvm", &top, clock.ns(), &cut, &args.timing.source(target));
    report.parameters = parameters;
    report.checks.push(Check { what: check.engine.clone(), result: check.summary() });
    report
        .checks
        .push(Check { what: "linear certificate".into(), result: "every adder an identity, their sum is W".into() });
    Emission {
        top: &top,
        model: Design::Matrix(design).to_json(),
        clock,
        register_port: &[],
        vectors: &vectors,
        preamble: None,
        target,
    }
    .write(staging, report)
}
