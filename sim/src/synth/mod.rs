//! From Verilog to a netlist of library cells, and what other programs say about it: Yosys maps, OpenSTA times,
//! Icarus simulates, ABC proves.
//!
//! Every step works in one folder, on files with fixed names, by scripts that stay there, so that a person can repeat
//! each of them by hand. Nothing here knows a library: scripts name [`LIBERTY`], and the adder cells come as the
//! techmap file [`ADDER_CELLS`].

pub mod buffers;
pub mod cell;
pub mod equivalence;
pub mod functions;
pub mod json;
pub mod mapping;
pub mod models;
pub mod netlist;
pub mod owners;
pub mod place;
pub mod primitives;
mod program;
pub mod shell;
pub mod timing;

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
