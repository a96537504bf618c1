//! A hardware-construction language for synchronous data paths, in which a number keeps its exact range and binary point, a
//! value knows the clock cycle that it belongs to, and a design is cut into pipeline stages for a clock.
//!
//! Designs are written with literals, registers, conditions, state machines and streams ([`lang`]), and tested by port name in
//! the evaluator and in Icarus ([`bench`]). A [`Module`] is built with a [`ModuleBuilder`] as a graph of integer operators ([`dfg`]), cut by
//! [`pipeline`](passes::pipeline::pipeline) under a delay model, simulated by [`dfg::eval`], and lowered ([`lower`]) to the register-transfer
//! form ([`rtl`]), which [`verilog`] writes.
//!
//! ```
//! use hdl::passes::{delay::GenericDelay, pipeline};
//! use hdl::{Format, ModuleBuilder, Stepper, lower, verilog};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let m = ModuleBuilder::new("neuron");
//! let x = m.input_array("x", 3, Format::signed(8, 4)?); // [-8, 8) in steps of 1/16
//! let sum = x[0] * 3 - x[1] * m.constant(5, 1) + x[2]; // exact: as wide as it must be
//! m.output("y", sum.max(0).named("relu"));
//! let combinational = m.finish()?;
//!
//! let stages = pipeline::Options::new(pipeline::Goal::Latency(2));
//! let (neuron, report) = pipeline::pipeline(&combinational, &GenericDelay::default(), &stages)?;
//! assert_eq!((neuron.latency(), report.latency), (2, 2));
//!
//! let neuron = std::sync::Arc::new(neuron);
//! let mut simulation = Stepper::new(&neuron)?;
//! let cycles = [[16, 2, 0], [0, 16, 0], [0, 0, 0]]; // 3·1 - 2.5·0.125, then a negative sum
//! let y: Vec<_> = cycles.iter().map(|x| simulation.step(x, false)[0]).collect();
//! assert_eq!(y[2], 2 * 3 * 16 - 5 * 2); // two cycles later, in units of 2^-5
//!
//! let mut text = Vec::new();
//! verilog::write_design(&lower::lower(&neuron)?, &mut text)?;
//! assert!(String::from_utf8(text)?.starts_with("module neuron ("));
//! # Ok(())
//! # }
//! ```

/// The code in the book is run as documentation.
#[cfg(doctest)]
mod book {
    #[doc = include_str!("../../docs/language/src/tutorial.md")]
    mod tutorial {}
    #[doc = include_str!("../../docs/language/src/recipes.md")]
    mod recipes {}
}

pub mod analysis;
pub mod bench;
pub mod dfg;
pub mod diag;
pub mod draw;
pub mod import;
pub mod lang;
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

pub use self::dfg::eval::Stepper;
pub use self::dfg::{Balance, Module, ModuleBuilder, RegisterStyle, Reset, Value};
pub use self::diag::{Diagnostic, Diagnostics};
pub use self::lang::{Operand, Shape, s, u};
pub use self::num::{Format, Interval, Quantiser};
