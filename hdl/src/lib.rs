//! A hardware-construction language for synchronous data paths.

pub mod analysis;
pub mod dfg;
pub mod diag;
pub mod draw;
pub mod import;
pub mod lower;
pub mod names;
pub mod num;
pub mod pack;
pub mod passes;
pub mod random;
pub mod rtl;
#[cfg(feature = "rust-hdl")]
pub mod rust_hdl;
pub mod verilog;
