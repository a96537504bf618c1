//! Unrolled, pipelined hardware for small quantised neural networks.

pub mod encoder;
pub mod failure;
pub mod import;
pub mod model;
pub mod network;
