//! `hwgen cmvm`: one constant matrix-vector product.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use hdl::dfg::Module;
use hdl::diag::Diagnostic;
use hdl::num::Interval;
use serde::Serialize;

use super::care::Care;
use super::clock::Timing;
use super::output::{Force, Proof, finish};
use crate::arith::design::{MatrixDesign, size};
use crate::arith::report::{self, Choice, run as optimise};
use crate::arith::{CellCosts, Effort, Fabric, Problem, Wanted};
use crate::failure::{Failure, Result};
use crate::flow::generate;
use crate::flow::matrix::{MatrixProject, of_adders, of_cells};
use crate::flow::options::{Options, Products, Sums};
use crate::import::matrix;
use crate::output::matrix::{Estimate, Figures, cell_parameters, cell_table, parameters, table};
use crate::output::staging::Staging;
use crate::output::table::Table;
use crate::progress;

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
    #[arg(long, default_value = "normal")]
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
    care: Care,
    #[command(flatten)]
    force: Force,
    #[command(flatten)]
    proof: Proof,
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
    args.care.begin();
    let staging = args.out.as_deref().map(|out| args.force.begin(out)).transpose()?;
    let matrix = matrix::read(&args.file)?;
    let inputs = args.inputs(matrix.rows())?;
    progress::at(format_args!("a matrix of {} by {}", matrix.rows(), matrix.columns())).map_err(Failure::check)?;
    let mut problem = Problem::new(matrix, inputs);
    problem.max_depth = args.max_depth;
    args.care.allow(size(&problem).require_moderate("`hwgen dense --reuse N` folds it; --yes builds it as it is"))?;
    let options = args.timing.options(Products::default(), Some(args.effort))?;
    let products = Products { sums: args.sums, ..Products::default() };
    match products.fabric(&options.target)? {
        Fabric::Cells(costs, _) => run_cells(args, &options, &problem, &costs, staging),
        Fabric::Operators(objective) => run_adders(args, &options, Problem { objective, ..problem }, staging),
    }
}

/// The matrix out of adders.
fn run_adders(args: &CmvmArgs, options: &Options, problem: Problem, staging: Option<Staging>) -> Result<()> {
    if args.max_delay.is_some() || args.max_area.is_some() || args.sweep {
        let message = "delay and area are weighed against each other where sums are made of cells";
        return Err(Failure::user(
            Diagnostic::error("no-cells", message)
                .help("name a cell library with --target, or bound the adder levels with --max-depth"),
        ));
    }
    if args.effort == Effort::Fast && problem.matrix.rows() * problem.matrix.columns() <= QUICK {
        // no threads: this one does all the work; that there is a pool already does no harm
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1);
        _ = pool.use_current_thread().build_global();
    }
    let (graph, report) = optimise(&problem, args.effort, args.seed).map_err(|e| args.wrong(e.to_string()))?;
    progress::at("the module and its figures").map_err(Failure::check)?;
    let logic = of_adders(&problem, &graph, &options.target)?;
    args.write(&problem, &logic, parameters(&report), options, staging)?;
    let estimate = Estimate::of(&graph, &logic, &options.target)?;
    print(args, &Figures { estimate, target: options.target.name.clone(), report }, table)
}

/// The matrix out of the cells of a library.
fn run_cells(
    args: &CmvmArgs,
    options: &Options,
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
    args.write(problem, &of_cells(problem, &cells)?, cell_parameters(&report), options, staging)?;
    print(args, &report, cell_table)
}

fn print<R: Serialize>(args: &CmvmArgs, report: &R, table: fn(&R) -> Table) -> Result<()> {
    if args.json {
        super::say(format_args!("{}\n", serde_json::to_string_pretty(report).expect("plain data")))
    } else {
        super::say(table(report))
    }
}

impl CmvmArgs {
    /// Writes the folder, if one is wanted.
    fn write(
        &self,
        problem: &Problem,
        logic: &Arc<Module>,
        parameters: BTreeMap<String, String>,
        options: &Options,
        staging: Option<Staging>,
    ) -> Result<()> {
        let (Some(staging), Some(out)) = (staging, &self.out) else {
            return Ok(());
        };
        let (design, logic) = (MatrixDesign::of(problem), logic.clone());
        let project = MatrixProject { design, logic, parameters, seed: self.seed };
        let generated = generate(&project, options, &staging)?;
        finish(staging)?;
        self.proof.of(&generated, out)
    }

    fn wrong(&self, message: String) -> Failure {
        Failure::user(Diagnostic::error("cmvm", message).at(self.file.display().to_string(), "this matrix"))
    }

    fn inputs(&self, count: usize) -> Result<Vec<Interval>> {
        let Some(text) = &self.input_ranges else {
            let range = Interval::of_width(self.input_bits, self.signed).map_err(|e| self.wrong(e.to_string()))?;
            return Ok(vec![range; count]);
        };
        let wrong = |message: String| {
            Failure::user(Diagnostic::error("input-ranges", message).help("write --input-ranges LO:HI,LO:HI,…"))
        };
        let range = |text: &str| {
            let (lo, hi) = text.split_once(':')?;
            Interval::new(lo.trim().parse().ok()?, hi.trim().parse().ok()?).ok()
        };
        let ranges: Vec<Interval> = text
            .split(',')
            .map(|text| range(text).ok_or_else(|| wrong(format!("{} is no range", hdl::names::quoted(text)))))
            .collect::<Result<_>>()?;
        if ranges.len() != count {
            return Err(wrong(format!("{} ranges are given, the matrix has {count} inputs", ranges.len())));
        }
        Ok(ranges)
    }
}
