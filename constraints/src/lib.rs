//! Targets and constraints: for what a design is made, what its operators cost there, and what the tools must know.
//!
//! - [`timing`]: one description of clock, ports and limits, written as SDC, XDC, PCF and LPF.
//! - [`targets`]: cell libraries and FPGA families as data, with the costs that generators plan with.
//! - [`delay`]: the delays of operators on a target.

pub mod delay;
pub mod targets;
pub mod timing;

pub use targets::{AsicModel, Target, Technology};
pub use timing::Constraints;
