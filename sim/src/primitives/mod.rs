//! The primitives of FPGAs, as far as mapped logic is made of them: look-up tables, carry chains, flip-flops, products.

mod amd;
mod ecp5;
mod ice40;
pub mod models;
mod product;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use crate::cell::{Cell, Cells, Function};
use crate::netlist::{Instance, Netlist, number};

/// `S ? second : first` of first, second, S.
const CHOOSE: u64 = 0xca;
const XOR: u64 = 0b0110;

/// Whose primitives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Primitives {
    /// AMD, formerly Xilinx: 7 series and UltraScale+.
    Amd,
    /// Lattice iCE40.
    Ice40,
    /// Lattice ECP5.
    Ecp5,
}

impl Primitives {
    /// Those that a `synth_…` command of Yosys maps to.
    pub fn of(synthesis: &str) -> Option<Self> {
        match synthesis.split_whitespace().next()? {
            "synth_xilinx" => Some(Self::Amd),
            "synth_ice40" => Some(Self::Ice40),
            "synth_ecp5" => Some(Self::Ecp5),
            _ => None,
        }
    }

    /// What the cells of a netlist do.
    ///
    /// A primitive with parameters becomes a type of its own for each set of their values, and a shift register becomes
    /// flip-flops. A cell that is not known, or has a parameter that is not understood, stays as it is and has no entry.
    pub fn resolve(self, netlist: &mut Netlist) -> Cells {
        let mut cells = Cells::new();
        let mut unknown = HashSet::new();
        let mut resolved = Vec::with_capacity(netlist.instances.len());
        for instance in netlist.instances.drain(..) {
            for mut instance in self.parts(instance) {
                let name = specialised(&instance);
                if !cells.contains_key(&name) && !unknown.contains(&name) {
                    match self.cell(&instance) {
                        Some(cell) => drop(cells.insert(name.clone(), cell)),
                        None => drop(unknown.insert(name.clone())),
                    }
                }
                if let Some(cell) = cells.get(&name) {
                    instance.cell = name;
                    connect_inner(&mut instance, cell);
                }
                resolved.push(instance);
            }
        }
        netlist.instances = resolved;
        cells
    }

    fn cell(self, instance: &Instance) -> Option<Cell> {
        match self {
            Self::Amd => amd::cell(instance),
            Self::Ice40 => ice40::cell(instance),
            Self::Ecp5 => ecp5::cell(instance),
        }
    }

    /// The instance, or the flip-flops of a shift register, or a multiplier whose pins say that it is nothing more.
    fn parts(self, instance: Instance) -> Vec<Instance> {
        let product = |multiplier: Option<Instance>| multiplier.map(|m| vec![m]);
        let parts = match self {
            Self::Amd => amd::stages(&instance).or_else(|| product(amd::multiplier(&instance))),
            Self::Ecp5 => product(ecp5::multiplier(&instance)),
            Self::Ice40 => None,
        };
        parts.unwrap_or_else(|| vec![instance])
    }
}

/// The type with its parameters.
fn specialised(instance: &Instance) -> String {
    let mut name = instance.cell.clone();
    for (parameter, value) in &instance.parameters {
        name += &format!(" {parameter}={value}");
    }
    name
}

/// Gives a net to every output that another reads and nothing is connected to.
fn connect_inner(instance: &mut Instance, cell: &Cell) {
    let read: HashSet<&String> = cell.outputs.iter().flat_map(|(_, f)| &f.pins).collect();
    for (output, _) in cell.outputs.iter().filter(|(pin, _)| read.contains(pin)) {
        if !instance.pins.iter().any(|(pin, _)| pin == output) {
            let net = format!("({} {output})", instance.name);
            instance.pins.push((output.clone(), net));
        }
    }
}

fn parameter<'i>(instance: &'i Instance, name: &str) -> Option<&'i str> {
    let mut parameters = instance.parameters.iter();
    parameters.find_map(|(n, value)| (n == name).then_some(value.as_str()))
}

/// The number that a parameter is.
fn value(instance: &Instance, name: &str) -> Option<u64> {
    number(parameter(instance, name)?)
}

/// The text that a parameter is, or what it is by default.
fn text<'i>(instance: &'i Instance, name: &str, default: &'i str) -> Option<&'i str> {
    match parameter(instance, name) {
        Some(quoted) => quoted.strip_prefix('"')?.strip_suffix('"').map(str::trim),
        None => Some(default),
    }
}

fn combinational(outputs: Vec<(String, Function)>) -> Cell {
    Cell { outputs, register: None }
}

/// A cell of one output.
fn single(output: &str, function: Function) -> Cell {
    combinational(vec![(output.to_owned(), function)])
}

/// A look-up table of `pins`, the least significant of its address first.
fn look_up(instance: &Instance, content: &str, pins: &[&str], output: &str) -> Option<Cell> {
    let table = value(instance, content)?;
    Some(single(output, Function::new(pins, table)))
}
