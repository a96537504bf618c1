//! Simulation: the batch simulator, the cycle-accurate stream, test benches, the simulators of
//! others, and mapped netlists.
//!
//! Every engine here is held against [`hdl::dfg::eval`], which is the meaning of a module.

pub mod batch;
pub mod cell;
pub mod functions;
pub mod gates;
pub mod hex;
pub mod netlist;
pub mod preamble;
pub mod primitives;
pub mod stream;
pub mod testbench;
pub mod tools;
pub mod vectors;
pub mod waves;
