//! Emitted Verilog: simulated in Icarus against the evaluator, and without any warning of Verilator.

mod control;
mod external;
mod fft;
mod machines;
mod random;
mod serial;
mod streams;
mod support;
mod valid;
