//! Simulation: the batch simulator, the cycle-accurate stream, test benches, the simulators of others, and synthesis.
//!
//! Every engine here is held against [`hdl::dfg::eval`], which is the meaning of a module.

pub mod batch;
pub mod gates;
pub mod hex;
pub mod preamble;
pub mod stream;
pub mod synth;
pub mod testbench;
pub mod tools;
pub mod vectors;
pub mod waves;
