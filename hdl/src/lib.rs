//! A hardware-construction language for synchronous data paths.

pub mod analysis;
pub mod dfg;
pub mod diag;
pub mod draw;
pub mod names;
pub mod num;
pub mod passes;
