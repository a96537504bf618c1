//! Constant matrix-vector products as graphs of few and narrow adders.
//!
//! [`optimise`] turns a [`Problem`] into an [`AdderGraph`]: patterns of two terms that several outputs need are
//! shared ([`cse`]), what each output still consists of is summed by a tree ([`trees`]), and a search takes
//! parts of the result apart and shares them anew ([`search`]). Where look-up tables are paid for, inputs of few bits may
//! be summed by tables instead ([`few_bits`]). [`certificate::check`] proves the result.

mod assemble;
pub mod cases;
pub mod cell_front;
pub mod cell_lower;
pub mod cell_sums;
pub mod cell_total;
pub mod cells;
pub mod certificate;
pub mod compress;
pub mod compress_certificate;
pub mod cost;
mod cse;
pub mod design;
pub mod digits;
pub mod estimate;
mod exact;
pub mod fabric;
mod few_bits;
pub mod graph;
pub mod lower;
pub mod multiply;
mod plan;
pub mod prefix;
pub mod problem;
pub mod products;
pub mod report;
mod rng;
mod search;
mod signs;
mod small_sums;
mod trees;

pub use cell_front::{Front, Wanted};
pub use cell_sums::CellSums;
pub use cells::CellCosts;
pub use compress::CarrySave;
pub use cost::Objective;
pub use fabric::{Arithmetic, Fabric, Kinds};
pub use graph::{AdderGraph, Node, NodeId, Op, Term};
pub use problem::{ArithError, InputSpec, Matrix, Problem};
pub use products::Products;
pub use search::Effort;

/// Finds an adder graph of few adder bits for the problem.
///
/// The same problem, effort and seed give the same graph on every machine, except for [`Effort::Seconds`].
///
/// # Errors
/// See [`Problem::validate`]; notably [`ArithError::TooDeep`] names the least depth that can be asked for.
pub fn optimise(problem: &Problem, effort: Effort, seed: u64) -> Result<AdderGraph, ArithError> {
    problem.validate()?;
    Ok(solve(problem, effort, seed).0)
}

/// The graph of a valid problem, and a proved lower bound on its adders; 0 if nothing is known, as with tables.
fn solve(problem: &Problem, effort: Effort, seed: u64) -> (AdderGraph, usize) {
    let found = search::search(problem, effort, seed);
    let adders = assemble::assemble(found.plan, problem);
    match few_bits::cheaper(problem, effort, seed, &adders) {
        Some(tables) => (tables, 0),
        None => (adders, found.adders_at_least),
    }
}

#[cfg(test)]
mod tests;
