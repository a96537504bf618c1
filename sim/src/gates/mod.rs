//! Simulation of mapped netlists, of cells and of an FPGA's primitives: outputs against vectors, and switching activity.
//!
//! A test bench in Icarus evaluates one cycle after the other and takes hours for half a million cells. Here a word holds
//! 64 cycles of a net ([`levels`]), a netlist is an arena of gates and registers ([`circuit`]), and cycles are evaluated
//! side by side ([`simulator`]), also where the order of transitions within a cycle counts ([`glitch`]). Levels that are
//! not known stay so, as in Verilog, so that a register without reset cannot make a wrong output right by chance.

mod check;
mod circuit;
mod condition;
#[cfg(test)]
mod dump;
pub mod faults;
mod glitch;
mod levels;
mod order;
mod program;
mod simulator;
mod stimulus;
#[cfg(test)]
mod tests;

pub use check::{Activity, Outcome, Watch, check};
pub use circuit::{Circuit, FlipFlop};
pub use condition::Condition;
pub use glitch::Delays;
pub use levels::CYCLES;
pub use stimulus::Stimulus;
