//! Proofs that a graph computes its matrix, for all inputs and in linear time, by code that shares nothing with the search.

pub mod adders;
pub mod trees;
