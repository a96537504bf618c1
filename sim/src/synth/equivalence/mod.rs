//! Proof that two netlists compute the same: cut at their registers, which correspond by name, and compared by ABC.
//!
//! What a register holds becomes an input of both sides; what it loads, its clock, clear and preset become outputs. If
//! all outputs agree for all inputs, then the netlists agree in every cycle from any common state on. A register that
//! only the first side has proves nothing by itself, but its state stays a free input: the other side, which lacks it,
//! must agree for every value of it.

mod blif;
mod gates;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use hdl::diag::{Diagnostic, Diagnostics};

use self::blif::{Side, net_on};
pub use self::gates::gates;
use super::Program;
use super::netlist::{Instance, Netlist};
use crate::tools::Meter;

/// Name of ABC's script: its `cec`, which took a fifth of the time of `&cec` on an encoder of 3 bits.
pub const SCRIPT: &str = "equiv.abc";
/// Names of both sides.
pub const SIDES: [&str; 2] = ["golden.blif", "gate.blif"];

/// The pin of a register's functions that stands for its state.
pub const STATE: &str = "(state)";

/// What becomes an output for each register.
const PARTS: [&str; 4] = ["clock", "next state", "clear", "preset"];

/// Outputs that are named when the proof fails.
const SHOWN: usize = 5;

/// A Boolean function of pins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Pins, or [`STATE`]; at most six.
    pub pins: Vec<String>,
    /// Bit `k` is its value if pin `i` has the value of bit `i` of `k`.
    pub table: u64,
}

impl Function {
    /// Zero.
    pub const NEVER: Self = Self {
        pins: Vec::new(),
        table: 0,
    };
}

/// What a cell does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cell {
    /// Output pins.
    pub outputs: Vec<(String, Function)>,
    /// Its state, if it has one.
    pub register: Option<Register>,
}

/// Functions of a register: it loads `next` when `clock` rises, unless cleared or preset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    /// Rises to load.
    pub clock: Function,
    /// What is loaded.
    pub next: Function,
    /// Clears while true.
    pub clear: Function,
    /// Sets while true.
    pub preset: Function,
}

impl Register {
    /// What becomes an output, in the order of [`PARTS`].
    fn parts(&self) -> [&Function; 4] {
        [&self.clock, &self.next, &self.clear, &self.preset]
    }
}

/// Cells by type.
pub type Cells = HashMap<String, Cell>;

/// What ABC found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// All outputs agree; so many registers and outputs were compared.
    Equivalent {
        /// Registers of both sides.
        registers: usize,
        /// Registers that only the first side has.
        dropped: usize,
        /// Bits compared.
        outputs: usize,
    },
    /// Some outputs differ; the first of them.
    Different(Vec<String>),
}

/// Compares `golden`, of `golden_cells`, with `gate`, of `gate_cells`, in `folder`, where ABC's files stay.
///
/// # Errors
/// `netlist` if a netlist has a cell that is not known, a net without driver, or other ports or registers than the
/// first; those of running ABC; `tool-output` if it came to no verdict.
pub fn compare(
    folder: &Path,
    [golden, gate]: [&Netlist; 2],
    [golden_cells, gate_cells]: [&Cells; 2],
    meter: &Meter,
) -> Result<Proof, Diagnostics> {
    let frame = Frame::of([golden, gate], [golden_cells, gate_cells])?;
    let texts = [
        frame.blif(golden, golden_cells)?,
        frame.blif(gate, gate_cells)?,
    ];
    for (name, text) in SIDES.into_iter().zip(texts) {
        write(folder, name, &text)?;
    }
    write(folder, SCRIPT, &format!("cec {}\n", SIDES.join(" ")))?;
    let said = Program::Abc.run(folder, &["-q", &format!("source {SCRIPT}")], meter)?;
    let said = said.said();
    if said.contains("Networks are equivalent") {
        Ok(Proof::Equivalent {
            registers: frame.registers.len(),
            dropped: frame.states.len() - frame.registers.len(),
            outputs: frame.outputs.len(),
        })
    } else if said.contains("NOT EQUIVALENT") {
        Ok(Proof::Different(frame.named(&said)))
    } else {
        let error = Diagnostic::error("tool-output", "ABC came to no verdict");
        Err(error.label(None, said).into())
    }
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), Diagnostics> {
    let path = folder.join(name);
    std::fs::write(&path, text).map_err(|e| {
        let message = format!("cannot write {}: {e}", path.display());
        Diagnostic::error("file", message).into()
    })
}

fn wrong(message: String) -> Diagnostics {
    Diagnostic::error("netlist", message).into()
}

/// Inputs and outputs that both sides get, in this order.
#[derive(Debug)]
struct Frame {
    inputs: Vec<String>,
    /// Registers of the first side: their states are inputs.
    states: Vec<String>,
    /// Registers of both sides.
    registers: HashSet<String>,
    /// Names for people.
    outputs: Vec<String>,
}

impl Frame {
    fn of(sides: [&Netlist; 2], cells: [&Cells; 2]) -> Result<Self, Diagnostics> {
        let [golden, gate] = sides;
        if (&golden.inputs, &golden.outputs) != (&gate.inputs, &gate.outputs) {
            return Err(wrong("the netlists have different ports".into()));
        }
        let registers = |side: usize| -> Vec<&Instance> {
            let instances = sides[side].instances.iter();
            let is_register = |cell: &Cell| cell.register.is_some();
            instances
                .filter(|i| cells[side].get(&i.cell).is_some_and(is_register))
                .collect()
        };
        let states = registers(0);
        let of_golden: HashSet<&str> = states.iter().map(|i| i.name.as_str()).collect();
        let of_gate: HashSet<String> = registers(1).iter().map(|i| i.name.clone()).collect();
        if let Some(extra) = of_gate
            .iter()
            .filter(|r| !of_golden.contains(r.as_str()))
            .min()
        {
            return Err(wrong(format!(
                "the register `{extra}` is in the mapped netlist only"
            )));
        }
        let mut outputs = golden.outputs.clone();
        for register in states.iter().filter(|r| of_gate.contains(&r.name)) {
            // people know a register by what it drives
            let drives = &cells[0][&register.cell].outputs;
            let net = drives.first().and_then(|(pin, _)| net_on(register, pin));
            let name = net.unwrap_or(&register.name);
            outputs.extend(PARTS.map(|part| format!("{part} of {name}")));
        }
        Ok(Self {
            inputs: golden.inputs.clone(),
            states: states.iter().map(|i| i.name.clone()).collect(),
            registers: of_gate,
            outputs,
        })
    }

    /// One side in BLIF. Nets are numbered, so that names may hold what BLIF cannot.
    fn blif(&self, netlist: &Netlist, cells: &Cells) -> Result<String, Diagnostics> {
        let mut side = Side::default();
        for net in &self.inputs {
            side.driven(net)?;
        }
        let mut loads: HashMap<&str, [u32; 4]> = HashMap::new();
        side.name_states(&self.states);
        for instance in &netlist.instances {
            let cell = cells.get(&instance.cell).ok_or_else(|| {
                wrong(format!(
                    "`{}` is of the type `{}`, whose function is not known",
                    instance.name, instance.cell
                ))
            })?;
            for (pin, function) in &cell.outputs {
                if let Some(net) = net_on(instance, pin) {
                    let output = side.driven(net)?;
                    side.function(instance, function, output)?;
                }
            }
            if let Some(register) = cell
                .register
                .as_ref()
                .filter(|_| self.registers.contains(&instance.name))
            {
                let outputs = register.parts().map(|part| (side.fresh(), part));
                for (output, function) in outputs {
                    side.function(instance, function, output)?;
                }
                loads.insert(&instance.name, outputs.map(|(output, _)| output));
            }
        }
        for (driven, driver) in &netlist.aliases {
            side.alias(driven, driver)?;
        }
        side.constants();
        let mut outputs: Vec<u32> = netlist.outputs.iter().map(|net| side.used(net)).collect();
        let kept = self.states.iter().filter(|r| self.registers.contains(*r));
        for register in kept {
            let missing = || wrong(format!("there is no register `{register}`"));
            outputs.extend(loads.get(register.as_str()).ok_or_else(missing)?);
        }
        side.check()?;
        Ok(side.text(&self.inputs, self.states.len(), &outputs))
    }

    /// The outputs that ABC names, `o12`, with their names for people.
    fn named(&self, said: &str) -> Vec<String> {
        let indices = said
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter_map(|word| word.strip_prefix('o')?.parse::<usize>().ok());
        let mut names: Vec<String> = Vec::new();
        for name in indices.filter_map(|i| self.outputs.get(i)) {
            if !names.contains(name) && names.len() < SHOWN {
                names.push(name.clone());
            }
        }
        names
    }
}
