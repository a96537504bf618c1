//! Emitted Verilog: simulated in Icarus against the evaluator, and without any warning of Verilator.

mod control;
mod external;
mod fft;
mod fifo;
mod fir;
mod random;
mod serial;
mod support;
mod valid;
