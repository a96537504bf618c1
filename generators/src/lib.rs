//! Generators of unrolled hardware for small quantised networks.

pub mod arith;
