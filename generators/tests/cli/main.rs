//! The program as its users meet it.

mod attacks;
mod bad_input;
mod bounded;
mod broken_tools;
mod elsewhere;
mod engines;
mod export;
mod faults;
mod fpga;
mod help;
mod honest;
mod interaction;
mod matrix;
mod networks;
mod readme;
mod reference;
mod run;
mod support;
mod synth;
mod verify;
