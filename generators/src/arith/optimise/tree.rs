//! The adders of one output.

use crate::arith::graph::Term;

/// How one output is summed: adders in order, step `k` being node `first + k`.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// Operands of each adder.
    pub steps: Vec<(Term, Term)>,
    /// Range and depth of each step's result.
    pub nodes: Vec<(i64, i64, u32)>,
    /// The sum, or `None` if there is nothing to sum.
    pub root: Option<Term>,
    /// What the adders cost.
    pub cost: u64,
}
