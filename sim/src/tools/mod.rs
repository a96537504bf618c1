//! The simulators of others, as programs: Icarus Verilog and Verilator.

mod engine;

pub use ::process::{Finished, Meter, run};
pub use engine::installable;
pub use engine::{Engine, Job, Outcome, Tool, Verdict};
