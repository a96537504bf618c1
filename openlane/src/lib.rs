//! From Verilog to a netlist of library cells or of an FPGA's primitives, and what other programs say about it: Yosys
//! maps, OpenSTA times, nextpnr places, ABC proves.
//!
//! - [`fetch`]: obtaining a library or a program through pip or apt, checked and cached.
//! - [`liberty`]: reading a library and recognising its adders, gates and flip-flops.
//! - [`calibrate`]: measuring a library's costs with OpenSTA.
//! - [`yosys`], [`opensta`], [`nextpnr`]: the drivers of the programs, with the scripts that they run.
//! - [`buffers`], [`owners`], [`shell`]: what is done to a netlist between them.
//! - [`delays`], [`energy`]: what a netlist's transitions take, from the library's tables.
//! - [`equivalence`]: the proof that a netlist computes what its Verilog does.
//! - [`quote`]: names in the scripts of all these programs.
//! - [`hardening`]: the folder with which LibreLane, Vivado, Quartus and FuseSoC take a design further.
//!
//! Every step works in one folder, on files with fixed names, by scripts that stay there, so that a person can repeat
//! each of them by hand. Nothing here knows a library: scripts name [`LIBERTY`], and the adder cells come as the
//! techmap file [`ADDER_CELLS`].

pub mod buffers;
pub mod calibrate;
pub mod delays;
pub mod energy;
pub mod equivalence;
pub mod fetch;
pub mod hardening;
pub mod liberty;
pub mod nextpnr;
pub mod opensta;
pub mod owners;
mod program;
pub mod quote;
pub mod shell;
pub mod yosys;

pub use program::Program;

/// The library's timing, power and functions.
pub const LIBERTY: &str = "cells.lib";
/// Verilog models of its cells.
pub const CELL_MODELS: &str = "cells.v";
/// Techmap of `hwgen_full_adder` to the library's adders.
pub const ADDER_CELLS: &str = "adder_cells.v";
/// The design before it is mapped: gates, registers with their final names, and adders as rows of `hwgen_full_adder`.
pub const FRONT: &str = "front.v";
/// The mapped netlist.
pub const NETLIST: &str = "netlist.v";
/// Clock and port timing.
pub const SDC: &str = "timing.sdc";
