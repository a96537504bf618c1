//! The text form: one line a thing, the whole of a design and nothing else.
//!
//! ```text
//! module scale
//!   clock clk
//!   scope conv.p3
//!   input x 8
//!   %0 8 @0 input 0
//!   %1 8 @1 const 1f
//!   %2 8 @1 add %0 %1 = sum
//!   %3 8 @1 reg 0
//!   register %2 - none 0
//!   output y 8 %3
//! end
//! ```
//!
//! Nets are numbered in order: number, width, scope, cell, operands, and the name if it has one. A register line gives next
//! value, enable, reset and initial value, and `kept` if it is; a `memory` line name, depth, width, and enable, address and data of its write port;
//! an `instance` line name, module number, scope and inputs. Constants and table words are hexadecimal.

use std::fmt::Write;

use super::module::{Cell, Design, Module, Net};
use crate::dfg::Reset;

/// The words for the kinds of reset.
pub(super) const RESETS: [(Reset, &str); 3] =
    [(Reset::None, "none"), (Reset::Synchronous, "synchronous"), (Reset::Asynchronous, "asynchronous")];

/// The text form of a design; [`parse`](super::parse) reads it back.
pub fn print(design: &Design) -> String {
    let mut text = String::new();
    for module in &design.modules {
        write_module(module, &mut text).expect("a string takes all");
    }
    text
}

fn write_module(m: &Module, out: &mut String) -> std::fmt::Result {
    writeln!(out, "module {}", m.name)?;
    for (word, name) in [("clock", &m.clock), ("reset", &m.reset)] {
        if let Some(name) = name {
            writeln!(out, "  {word} {name}")?;
        }
    }
    if let Some(known) = &m.black_box {
        writeln!(out, "  box")?;
        for (name, value) in &known.parameters {
            writeln!(out, "  parameter {name} {value}")?;
        }
    }
    for scope in &m.scopes {
        writeln!(out, "  scope {}", escaped(scope))?;
    }
    for port in &m.inputs {
        writeln!(out, "  input {} {}", port.name, port.width)?;
    }
    for words in &m.tables {
        write!(out, "  table")?;
        words.iter().try_for_each(|word| write!(out, " {word:x}"))?;
        writeln!(out)?;
    }
    for net in m.nets() {
        write_net(m, net, out)?;
    }
    for r in &m.registers {
        let reset = RESETS.iter().find(|(kind, _)| *kind == r.reset);
        let reset = reset.expect("all kinds are listed").1;
        let (next, enable) = (r.next.0, optional(r.enable));
        let kept = if r.kept { " kept" } else { "" };
        writeln!(out, "  register %{next} {enable} {reset} {:x}{kept}", r.initial)?;
    }
    for f in &m.memories {
        let write = f.write;
        let [enable, address, data] = [write.enable, write.address, write.data].map(|n| n.0);
        let (name, depth, width) = (&f.name, f.depth, f.width);
        writeln!(out, "  memory {name} {depth} {width} %{enable} %{address} %{data}")?;
    }
    for i in &m.instances {
        write!(out, "  instance {} {} @{}", i.name, i.module.0, i.scope.0)?;
        i.inputs.iter().try_for_each(|n| write!(out, " %{}", n.0))?;
        writeln!(out)?;
    }
    for o in &m.outputs {
        writeln!(out, "  output {} {} {}", o.name, o.width, optional(o.net))?;
    }
    writeln!(out, "end")
}

fn write_net(m: &Module, net: Net, out: &mut String) -> std::fmt::Result {
    let cell = m.cell(net);
    let (width, scope) = (m.width(net), m.scope(net).0);
    write!(out, "  %{} {width} @{scope} {}", net.0, cell.mnemonic())?;
    m.operands(cell).try_for_each(|a| write!(out, " %{}", a.0))?;
    match cell {
        Cell::Const(k) => write!(out, " {:x}", m.constant(k))?,
        Cell::Input(k) | Cell::Register(k) | Cell::Slice(_, k) | Cell::Table(_, k) | Cell::Read(_, k) => {
            write!(out, " {k}")?
        }
        Cell::Output(i, p) => write!(out, " {i} {p}")?,
        _ => {}
    }
    match m.name(net) {
        Some(name) => writeln!(out, " = {name}"),
        None => writeln!(out),
    }
}

fn optional(net: Option<Net>) -> String {
    net.map_or_else(|| "-".to_owned(), |net| format!("%{}", net.0))
}

/// A scope's path on one line.
fn escaped(path: &str) -> String {
    path.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r")
}
