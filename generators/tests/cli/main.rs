//! The program as its users meet it.

mod bad_input;
mod engines;
mod help;
mod interaction;
mod networks;
mod readme;
mod support;
mod synth;
