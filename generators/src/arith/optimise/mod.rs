//! The search for few adders.
//!
//! Patterns of two terms that several outputs need are shared ([`cse`]), what each output still consists of is summed by a
//! tree ([`summation`]), whose signs are chosen last ([`signs`]), and a search takes parts of the result apart and shares them
//! anew ([`search`]).

pub(in crate::arith) mod assemble;
pub(in crate::arith) mod cse;
mod exact;
mod pattern;
pub(in crate::arith) mod plan;
pub(in crate::arith) mod search;
mod signs;
mod summation;
mod tree;

use super::graph::AdderGraph;
use super::problem::{ArithError, Problem};
use super::tables::few_bits;
use search::Effort;

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
pub(in crate::arith) fn solve(problem: &Problem, effort: Effort, seed: u64) -> (AdderGraph, usize) {
    let found = search::search(problem, effort, seed);
    let adders = assemble::assemble(found.plan, problem);
    match few_bits::cheaper(problem, effort, seed, &adders) {
        Some(tables) => (tables, 0),
        None => (adders, found.adders_at_least),
    }
}
