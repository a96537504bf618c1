//! A streaming Verilog-2001 writer: one statement a net, names from scope to operator, lint clean by construction.
//!
//! Wiring is written where it is read: slices, extensions, constants, and inversions and concatenations with one reader.
//! Bits that nothing reads are gathered in one net `_unused`, as Verilator's manual advises. Equal designs give equal bytes.

mod expression;
mod layout;
mod module;
mod usage;

use std::io::{self, Write};

use crate::dfg::{Reset, ScopeId};
use crate::rtl::{Design, ModuleId};

/// Which part of the network a run of emitted lines belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineMap {
    /// First line, counted from 1.
    pub first_line: u32,
    /// Last line.
    pub last_line: u32,
    /// The module that the lines are in.
    pub module: ModuleId,
    /// The scope in that module; see [`Module::scope_path`](crate::rtl::Module::scope_path).
    pub scope: ScopeId,
}

/// Writes one module of a valid design, and says which lines are what. A black box takes no lines.
pub fn write_module(
    design: &Design,
    id: ModuleId,
    out: &mut impl Write,
) -> io::Result<Vec<LineMap>> {
    write_from(design, id, mixed_resets(design), 1, out).map(|(map, _)| map)
}

/// Writes all modules of a valid design, children first.
pub fn write_design(design: &Design, out: &mut impl Write) -> io::Result<Vec<LineMap>> {
    let mixed = mixed_resets(design);
    let mut map = Vec::new();
    let mut line = 1;
    for id in (0..design.modules.len() as u32).map(ModuleId) {
        let (part, next) = write_from(design, id, mixed, line, out)?;
        map.extend(part);
        line = next;
    }
    Ok(map)
}

/// One module from line `line` on, and the line after it.
fn write_from(
    design: &Design,
    id: ModuleId,
    mixed_resets: bool,
    line: u32,
    out: &mut impl Write,
) -> io::Result<(Vec<LineMap>, u32)> {
    if design.module(id).black_box.is_some() {
        return Ok((Vec::new(), line));
    }
    let lines = layout::Lines::new(out, id, line);
    module::Writer::new(design, id, mixed_resets, lines).write()
}

/// Whether the reset is used both ways somewhere. Linters then want it under two names.
fn mixed_resets(design: &Design) -> bool {
    let uses = |reset: Reset| {
        let mut registers = design.modules.iter().flat_map(|m| &m.registers);
        registers.any(|r| r.reset == reset)
    };
    uses(Reset::Synchronous) && uses(Reset::Asynchronous)
}
