//! Constant matrix-vector products as graphs of few and narrow adders.
//!
//! [`optimise()`] turns a [`Problem`] into an [`AdderGraph`]. Where look-up tables are paid for, inputs of few bits may be
//! summed by tables instead (`tables`); where full adders of a library are, sums become trees of them ([`cells`]).
//! [`certify::adders::check`] proves the result. [`products`] builds either into a module, and [`multiply`] the products of
//! two computed values.

pub mod cases;
pub mod cells;
pub mod certify;
pub mod cost;
pub mod design;
pub mod digits;
pub mod estimate;
pub mod graph;
pub mod multiply;
pub mod optimise;
pub mod problem;
pub mod products;
pub mod report;
mod rng;
mod tables;

pub use cells::CellCosts;
pub use cells::compress::CarrySave;
pub use cells::front::{Front, Wanted};
pub use cells::sums::CellSums;
pub use graph::{AdderGraph, Node, NodeId, Op, Term};
pub use optimise::optimise;
pub use optimise::search::Effort;
pub use problem::{ArithError, Matrix, Objective, Problem};
pub use products::arithmetic::{Arithmetic, Kinds};
pub use products::cache::Products;
pub use products::fabric::Fabric;

#[cfg(test)]
mod tests;
