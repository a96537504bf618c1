//! The simulators of others, as programs: Icarus Verilog and Verilator.

mod engine;

pub use ::process::{
    Finished, Meter, PREFIX, Scratch, end_with_signals, is_stopped, resume, run, stop, sweep, uninterrupted,
};
pub use engine::installable;
pub use engine::{Engine, Job, Outcome, Tool, Verdict};
