//! The program as its users meet it.

mod bad_input;
mod engines;
mod help;
mod matrix;
mod readme;
mod support;
mod synth;
