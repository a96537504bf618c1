//! To be documented.
pub mod arith;
