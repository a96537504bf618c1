//! Where both sides are cut besides their registers: at full adders, and at instances of modules that are compared by
//! themselves.

use std::collections::{HashMap, HashSet};

use super::blif::net_on;
use super::{Cells, Function};
use crate::synth::netlist::{Instance, Netlist};

/// Truth tables of a full adder's carry and sum, which do not depend on the order of its inputs.
const ADDER: [u64; 2] = [0xe8, 0x96];

/// Ports of a module, bit by bit.
#[derive(Debug, Clone, Default)]
pub struct Ports {
    /// Inputs.
    pub inputs: Vec<String>,
    /// Outputs.
    pub outputs: Vec<String>,
    /// Outputs that follow an input within the cycle, on either side.
    pub through: HashSet<String>,
}

/// Modules whose instances are cut out, by name.
pub type Boxes = HashMap<String, Ports>;

/// Full adders that both sides have.
#[derive(Debug, Default)]
pub struct Adders {
    /// Instance and output pin on each side, with the number of the cut.
    pins: [HashMap<(String, String), usize>; 2],
    /// The first side's nets, for people.
    pub names: Vec<String>,
}

impl Adders {
    /// Adders of the second side are called as those of the first, with something behind a dot, as Yosys calls what it
    /// puts in for a cell.
    pub fn of([golden, gate]: [&Netlist; 2], [golden_cells, gate_cells]: [&Cells; 2]) -> Self {
        let mut adders = Self::default();
        let of_golden: HashMap<&str, &Instance> = golden
            .instances
            .iter()
            .filter(|i| is_adder(i, golden_cells))
            .map(|i| (i.name.as_str(), i))
            .collect();
        let mut taken = HashSet::new();
        for cell in gate.instances.iter().filter(|i| is_adder(i, gate_cells)) {
            let mut dots = cell.name.match_indices('.');
            let Some(partner) = dots.find_map(|(at, _)| of_golden.get(&cell.name[..at])) else {
                continue;
            };
            if taken.insert(partner.name.as_str()) {
                adders.join([partner, cell], [golden_cells, gate_cells]);
            }
        }
        adders
    }

    /// Joins those of their outputs that are the same function and used on both sides.
    fn join(&mut self, sides: [&Instance; 2], cells: [&Cells; 2]) {
        for table in ADDER {
            let pin = |side: usize| {
                let (pin, _) = output(sides[side], cells[side], table)?;
                Some((pin, net_on(sides[side], pin)?))
            };
            let (Some((pin, net)), Some((other, _))) = (pin(0), pin(1)) else {
                continue;
            };
            for (side, pin) in [pin, other].into_iter().enumerate() {
                let key = (sides[side].name.clone(), pin.to_owned());
                self.pins[side].insert(key, self.names.len());
            }
            self.names.push(net.to_owned());
        }
    }

    /// The cut at an output pin.
    pub fn cut(&self, side: usize, instance: &Instance, pin: &str) -> Option<usize> {
        if self.names.is_empty() {
            return None;
        }
        let key = (instance.name.clone(), pin.to_owned());
        self.pins[side].get(&key).copied()
    }
}

/// The output of a cell that is the given function of three pins.
fn output<'c>(
    instance: &Instance,
    cells: &'c Cells,
    table: u64,
) -> Option<(&'c str, &'c Function)> {
    let mut outputs = cells.get(&instance.cell)?.outputs.iter();
    let found = outputs.find(|(_, f)| f.pins.len() == 3 && f.table == table)?;
    Some((&found.0, &found.1))
}

fn is_adder(instance: &Instance, cells: &Cells) -> bool {
    ADDER
        .iter()
        .all(|table| output(instance, cells, *table).is_some())
}
