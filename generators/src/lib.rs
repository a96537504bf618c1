//! Unrolled, pipelined hardware for small quantised neural networks.

pub mod arith;
pub mod cli;
pub mod design;
pub mod encoder;
pub mod failure;
pub mod flow;
pub mod import;
pub mod interaction;
pub mod model;
pub mod network;
pub mod output;
pub mod progress;
pub mod synthesis;
