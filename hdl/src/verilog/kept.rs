//! The modules of registers that synthesis tools must neither merge nor remove: one register each.
//!
//! Every tool merges registers that load the same, also where they are marked, unless they stand in modules of which the
//! border is kept. The attributes are those of Yosys and Vivado, Synplify and Quartus.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::expression::vector;
use crate::dfg::Reset;
use crate::rtl::{Cell, Design, Module};

/// How the names of these modules begin, and the name of their file.
pub const KEPT_REGISTER: &str = "hwgen_register";
/// What stands in front of such a module.
pub(super) const KEPT_MODULE: &str = "(* keep_hierarchy = \"yes\", dont_touch = \"yes\", syn_hier = \"hard\" *)";
/// What stands in front of the register in it.
pub(super) const KEPT_CONTENT: &str = "(* dont_touch = \"yes\", preserve, dont_merge, noprune, syn_preserve = 1 *)";

/// A kind of kept register: its bits and its reset.
pub type Kind = (u32, Reset);

/// The kinds of kept registers in a design.
pub fn kept_kinds(design: &Design) -> BTreeSet<Kind> {
    let kinds = |m: &Module| -> Vec<Kind> {
        let kept = m.nets().filter_map(|net| match m.cell(net) {
            Cell::Register(r) if m.registers[r as usize].kept => Some((m.width(net), m.registers[r as usize].reset)),
            _ => None,
        });
        kept.collect()
    };
    design.modules.iter().flat_map(kinds).collect()
}

/// The name of the module of such a register.
pub(super) fn kept_module((width, reset): Kind) -> String {
    let reset = match reset {
        Reset::None => "",
        Reset::Synchronous => "_synchronous",
        Reset::Asynchronous => "_asynchronous",
    };
    format!("{KEPT_REGISTER}_{width}{reset}")
}

/// The modules of these kinds.
pub fn kept_modules(kinds: &BTreeSet<Kind>) -> String {
    kinds.iter().map(|kind| module(*kind)).collect::<Vec<_>>().join("\n")
}

fn module(kind: Kind) -> String {
    let ((width, reset), name) = (kind, kept_module(kind));
    let bits = vector(width);
    let (port, edge) = match reset {
        Reset::None => ("", ""),
        Reset::Synchronous => ("  input  wire rst,\n", ""),
        Reset::Asynchronous => ("  input  wire rst,\n", " or posedge rst"),
    };
    let mut text = format!(
        "{KEPT_MODULE}\nmodule {name} (\n  input  wire clk,\n{port}  input  wire {bits}d,\n  output wire {bits}q\n);\n  \
         {KEPT_CONTENT}\n  reg {bits}content;\n  always @(posedge clk{edge}) begin\n"
    );
    let _ = match reset {
        Reset::None => writeln!(text, "    content <= d;"),
        _ => writeln!(
            text,
            "    if (rst) begin\n      content <= {width}'d0;\n    end else begin\n      content <= d;\n    end"
        ),
    };
    text + "  end\n  assign q = content;\nendmodule\n"
}
