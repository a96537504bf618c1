//! The figures of one optimised matrix, as the `cmvm` command prints them.

use std::time::Instant;

use serde::Serialize;

use crate::arith::Effort;
use crate::arith::cells::CellCosts;
use crate::arith::cells::compress::{CarrySave, CellCount};
use crate::arith::cells::front::{Front, Point, Wanted};
use crate::arith::cells::sums::CellSums;
use crate::arith::certify::adders::{self, Refuted};
use crate::arith::cost;
use crate::arith::graph::{AdderGraph, Node, Term};
use crate::arith::optimise::solve;
use crate::arith::problem::{ArithError, Problem};

/// What one optimised matrix costs.
#[derive(Clone, Debug, Serialize)]
pub struct CmvmReport {
    /// Inputs of the matrix.
    pub inputs: usize,
    /// Outputs of the matrix.
    pub outputs: usize,
    /// Two-operand adders and subtractors, without those that add a constant.
    pub adders: usize,
    /// A proved lower bound on the number of adders of any graph for this matrix; 0 if nothing is known.
    pub adders_at_least: usize,
    /// Result widths of the adders, summed.
    pub adder_bits: u64,
    /// Adders one of whose operands is a constant: biases, and sums that had to be negated.
    pub constant_adders: usize,
    /// Their result widths, summed.
    pub constant_adder_bits: u64,
    /// Adder levels from time zero to the latest output, bias adders not counted.
    pub depth: u32,
    /// Tables of sums of inputs of few bits.
    pub tables: usize,
    /// Estimated six-input LUTs of an FPGA with carry chains, which add three operands if that is the objective.
    pub lut_estimate: u64,
    /// Wall-clock time of the optimisation.
    pub seconds: f64,
    /// Largest resident memory of the whole process so far, where the system tells.
    pub peak_memory_mb: Option<f64>,
}

/// What one matrix made of library cells costs.
#[derive(Clone, Debug, Serialize)]
pub struct CellReport {
    /// Inputs of the matrix.
    pub inputs: usize,
    /// Outputs of the matrix.
    pub outputs: usize,
    /// Shared sums and outputs' sums.
    pub adders: usize,
    /// Cells of all sums: full adders, half adders, and bit positions of prefix adders.
    pub adder_bits: usize,
    /// Shared sums on the longest way to an output.
    pub depth: u32,
    /// Full adder cells.
    pub full_adders: usize,
    /// Adders with a constant or without carry, which are a gate or two.
    pub half_adders: usize,
    /// Bit positions of prefix adders.
    pub prefix_bits: usize,
    /// Estimated cell area in µm².
    pub area_um2: f64,
    /// Estimated time from the inputs to the last output, in ns, without wires.
    pub delay_ns: f64,
    /// What there is to choose from, the smallest first, if that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub front: Vec<Offer>,
    /// Wall-clock time of the optimisation.
    pub seconds: f64,
    /// Largest resident memory of the whole process so far, where the system tells.
    pub peak_memory_mb: Option<f64>,
}

/// A structure that can be had.
#[derive(Clone, Debug, Serialize)]
pub struct Offer {
    /// Estimated cell area in µm².
    pub area_um2: f64,
    /// Estimated delay in ns.
    pub delay_ns: f64,
    /// Whether it is the one that the report is about.
    pub chosen: bool,
}

/// An offer is left out if it is faster than the one before by less than this share.
const STEP: f64 = 0.02;

/// What the front has to offer in steps worth looking at.
fn offers(front: &Front<'_>, chosen: &CellSums) -> Vec<Offer> {
    let mut offers: Vec<Offer> = Vec::new();
    let mut points = front.points().peekable();
    while let Some(Point { area_um2, delay_ps }) = points.next() {
        let offer = Offer { area_um2, delay_ns: f64::from(delay_ps) / 1000.0, chosen: delay_ps == chosen.delay };
        let faster = |last: &Offer| offer.delay_ns < last.delay_ns * (1.0 - STEP);
        let is_end = points.peek().is_none();
        if offer.chosen || is_end || offers.last().is_none_or(faster) {
            offers.push(offer);
        }
    }
    offers
}

/// Which structure of library cells is made, and whether to report what else there is.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    /// The structure.
    pub wanted: Wanted,
    /// Whether to report the others.
    pub sweep: bool,
}

/// Finds the cells that are wanted, proves them, and measures them.
///
/// # Errors
/// As for [`run`].
pub fn run_cells(
    problem: &Problem,
    costs: &CellCosts,
    choice: Choice,
    effort: Effort,
    seed: u64,
) -> Result<(CellSums, CellReport), ReportError> {
    let start = Instant::now();
    let front = Front::search(problem, costs, true, effort, seed)?;
    let cells = front.choose(choice.wanted)?;
    let seconds = start.elapsed().as_secs_f64();
    adders::check_cells(problem, &cells)?;
    let counts: Vec<CellCount> = cells.trees().map(CarrySave::count).collect();
    let total = |of: fn(&CellCount) -> usize| counts.iter().map(of).sum::<usize>();
    let (full_adders, half_adders) = (total(|c| c.full), total(|c| c.partial));
    let prefix_bits = total(|c| c.prefix);
    let report = CellReport {
        inputs: problem.matrix.rows(),
        outputs: problem.matrix.columns(),
        adders: counts.len(),
        adder_bits: full_adders + half_adders + prefix_bits,
        depth: cells.graph.nodes.iter().map(|n| n.depth).max().unwrap_or(0),
        full_adders,
        half_adders,
        prefix_bits,
        area_um2: cells.area,
        delay_ns: f64::from(cells.delay) / 1000.0,
        front: match choice.sweep {
            true => offers(&front, &cells),
            false => Vec::new(),
        },
        seconds,
        peak_memory_mb: peak_memory_mb(),
    };
    Ok((cells, report))
}

/// Why no report can be given.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The problem is not valid.
    #[error(transparent)]
    Problem(#[from] ArithError),
    /// The optimiser's own result failed its certificate.
    #[error("internal error, please report: the optimised graph is wrong: {0}")]
    Refuted(#[from] Refuted),
}

/// Optimises, proves the result, and measures it.
///
/// # Errors
/// [`ReportError::Problem`] for a mistake in the problem; [`ReportError::Refuted`] never, unless the optimiser is wrong.
pub fn run(problem: &Problem, effort: Effort, seed: u64) -> Result<(AdderGraph, CmvmReport), ReportError> {
    let start = Instant::now();
    problem.validate()?;
    let (graph, adders_at_least) = solve(problem, effort, seed);
    let seconds = start.elapsed().as_secs_f64();
    adders::check(problem, &graph)?;
    let (constants, adders): (Vec<_>, Vec<_>) =
        graph.adders().partition(|&(_, a, b)| cost::adds_constant(&graph, a, b));
    let bits = |list: &[(&Node, Term, Term)]| list.iter().map(|(n, ..)| u64::from(cost::width(n.lo, n.hi))).sum();
    let report = CmvmReport {
        inputs: problem.matrix.rows(),
        outputs: problem.matrix.columns(),
        adders: adders.len(),
        adders_at_least,
        adder_bits: bits(&adders),
        constant_adders: constants.len(),
        constant_adder_bits: bits(&constants),
        depth: graph.depth(),
        tables: graph.tables.len(),
        lut_estimate: cost::luts(&graph, problem.objective),
        seconds,
        peak_memory_mb: peak_memory_mb(),
    };
    Ok((graph, report))
}

/// `VmHWM` of this process, from the Linux process file system.
fn peak_memory_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1024.0)
}
