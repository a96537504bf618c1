//! Constant matrix-vector products as graphs of few and narrow adders.

pub mod certificate;
pub mod cost;
pub mod cse;
pub mod digits;
pub mod graph;
pub mod plan;
pub mod problem;
pub mod rng;
pub mod search;
pub mod trees;
