//! Targets and constraints: for what a design is made, what its operators cost there, and what the tools must know.
//!
//! - [`timing`]: one description of clock, ports and limits, written as SDC, XDC, PCF and LPF.
//! - [`target`]: cell libraries and FPGA families as data, with the costs that generators plan with.
//! - [`fetch`]: obtaining a library through pip or apt, checked and cached.
//! - [`liberty`]: reading a library and recognising its adders, gates and flip-flops.
//! - [`calibrate`]: measuring a library's costs with OpenSTA.
//! - [`openlane`]: the folder with which LibreLane, Vivado, Quartus and FuseSoC take a design further.

pub mod calibrate;
pub mod delay;
pub mod fetch;
pub mod liberty;
pub mod openlane;
pub mod target;
pub mod timing;

pub use target::{AsicModel, Target, Technology};
pub use timing::Constraints;
