//! The simulators of others, as programs: Icarus Verilog and Verilator.

mod engine;
mod process;

pub(crate) use engine::installable;
pub use engine::{Engine, Job, Outcome, Tool, Verdict};
pub use process::{Finished, Meter, run};
