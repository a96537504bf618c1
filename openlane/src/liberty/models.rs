//! Simulation models of a library's cells, from the functions in its Liberty file.
//!
//! Vendors' Verilog differs in what it needs (user-defined primitives, power pins, delays) or is missing. These models
//! are plain Verilog-2001, have no delay, and are the same functions that the mapper and the timing analyser read.

use std::fmt::Write;

use hdl::names::check_identifier;

use super::function::verilog;
use super::{Cell, FlipFlop, Library};

/// Verilog models of a library's cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Models {
    /// For simulation: one module a cell.
    pub simulation: String,
    /// Cells without a model: latches, three-state drivers, or functions that are not understood.
    pub missing: Vec<String>,
}

/// Models of the cells of `library`.
pub fn models(library: &Library) -> Models {
    let mut models = Models { simulation: String::from("`timescale 1ns / 1ps\n"), missing: Vec::new() };
    for cell in &library.cells {
        match module(cell) {
            Some(module) => models.simulation += &module,
            None => models.missing.push(cell.name.clone()),
        }
    }
    models
}

/// The module of one cell.
fn module(cell: &Cell) -> Option<String> {
    if cell.other_state || cell.outputs().any(|p| p.three_state) {
        return None;
    }
    let inputs: Vec<&str> = cell.inputs().map(|p| p.name.as_str()).collect();
    let outputs: Vec<&str> = cell.outputs().map(|p| p.name.as_str()).collect();
    let ports = [inputs.as_slice(), outputs.as_slice()].concat();
    if ports.is_empty() || check_identifier(&cell.name).is_err() {
        return None;
    }
    let mut text = format!("module {} ({});\n", cell.name, ports.join(", "));
    for (direction, ports) in [("input", &inputs), ("output", &outputs)] {
        for port in ports {
            check_identifier(port).ok()?;
            let _ = writeln!(text, "  {direction} {port};");
        }
    }
    let state = cell.flip_flop.as_ref().map(|ff| &ff.state);
    let operand = |name: &str| {
        let known = inputs.contains(&name) || state.is_some_and(|s| s.iter().any(|s| s == name));
        known.then(|| name.to_owned())
    };
    if let Some(flip_flop) = &cell.flip_flop {
        text += &simulated_flip_flop(flip_flop, operand)?;
    }
    for pin in cell.outputs() {
        let value = verilog(pin.function.as_deref()?, operand)?;
        let _ = writeln!(text, "  assign {} = {value};", pin.name);
    }
    Some(text + "endmodule\n")
}

/// A flip-flop as Verilog describes it; clear wins over preset.
fn simulated_flip_flop(flip_flop: &FlipFlop, operand: impl Fn(&str) -> Option<String> + Copy) -> Option<String> {
    let [state, inverted] = names(flip_flop)?;
    let clock = verilog(&flip_flop.clocked_on, operand)?;
    let next = verilog(&flip_flop.next_state, operand)?;
    let mut text = format!("  reg {state};\n  wire {inverted} = ~{state};\n  wire hwgen_clock = {clock};\n");
    let mut events = String::from("posedge hwgen_clock");
    let mut body = String::from("    ");
    for (name, function, value) in [("hwgen_clear", &flip_flop.clear, 0), ("hwgen_preset", &flip_flop.preset, 1)] {
        if let Some(function) = function {
            let _ = writeln!(text, "  wire {name} = {};", verilog(function, operand)?);
            let _ = write!(events, " or posedge {name}");
            let _ = write!(body, "if ({name}) {state} <= 1'b{value};\n    else ");
        }
    }
    let _ = write!(text, "  always @({events})\n{body}{state} <= {next};\n");
    Some(text)
}

/// The names of state and inverted state.
fn names(flip_flop: &FlipFlop) -> Option<[&str; 2]> {
    let [state, inverted] = &flip_flop.state;
    check_identifier(state).ok()?;
    check_identifier(inverted).ok()?;
    Some([state, inverted])
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIBRARY: &str = r#"library(small) {
        cell (AOI) { pin (A) { direction : input; } pin (B) { direction : input; } pin (C) { direction : input; }
          pin (Y) { direction : output; function : "(A B+C)'"; } }
        cell (FF) { ff (IQ, IQN) { clocked_on : "!C"; next_state : "D"; clear : "!R"; }
          pin (C) { direction : input; } pin (D) { direction : input; } pin (R) { direction : input; }
          pin (Q) { direction : output; function : "IQ"; } }
        cell (TRI) { pin (A) { direction : input; } pin (Y) { direction : output; function : "A"; three_state : "A"; } }
    }"#;

    #[test]
    fn functions_and_flip_flops_become_verilog() {
        let models = models(&Library::parse(LIBRARY).unwrap());
        let text = &models.simulation;
        assert!(text.contains("assign Y = (~((A & B) | C));"), "{text}");
        assert!(text.contains("always @(posedge hwgen_clock or posedge hwgen_clear)"), "{text}");
        assert!(text.contains("wire hwgen_clock = (~C);"), "{text}");
        assert_eq!(models.missing, ["TRI"]);
    }
}
