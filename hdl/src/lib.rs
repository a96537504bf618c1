//! A hardware-construction language for synchronous data paths.

pub mod dfg;
pub mod diag;
pub mod names;
pub mod num;
