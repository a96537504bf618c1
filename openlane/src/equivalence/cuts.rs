//! Where both sides are cut besides their registers: at full adders or sums of the same name, and at instances of modules
//! that are compared by themselves.

use std::collections::{HashMap, HashSet};

use petgraph::unionfind::UnionFind;

use super::blif::net_on;
use super::classes::Classes;
use super::names::Names;
use sim::cell::{Cells, Function};
use sim::netlist::{Instance, Netlist};

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

/// Signals that both sides have.
#[derive(Debug, Default)]
pub struct Cuts {
    /// Instance and output pin on each side, with its number.
    pins: [HashMap<(String, String), usize>; 2],
    /// Of the pins of each side; Yosys merges cells that are the same.
    classes: Classes,
    /// The first side's nets, for people.
    nets: Vec<String>,
}

/// Pins of both sides while they are joined.
#[derive(Default)]
struct Joined {
    pins: [HashMap<(String, String), usize>; 2],
    nets: Vec<String>,
    joins: Vec<[usize; 2]>,
}

impl Joined {
    fn join(&mut self, pins: [(&Instance, &str); 2], net: &str) {
        let mut places = [0; 2];
        for (side, (instance, pin)) in pins.into_iter().enumerate() {
            let key = (instance.name.clone(), pin.to_owned());
            let next = self.pins[side].len();
            places[side] = *self.pins[side].entry(key).or_insert(next);
        }
        if places[0] == self.nets.len() {
            self.nets.push(net.to_owned());
        }
        self.joins.push(places);
    }

    /// Joins those outputs of two full adders that are the same function and used on both sides.
    fn join_adders(&mut self, sides: [&Instance; 2], cells: [&Cells; 2]) {
        for table in ADDER {
            let pin = |side: usize| {
                let (pin, _) = output(sides[side], cells[side], table)?;
                Some((pin, net_on(sides[side], pin)?))
            };
            let (Some((pin, net)), Some((other, _))) = (pin(0), pin(1)) else {
                continue;
            };
            self.join([(sides[0], pin), (sides[1], other)], net);
        }
    }

    fn into_cuts(self) -> Cuts {
        let split = self.pins[0].len();
        let mut union = UnionFind::new(split + self.pins[1].len());
        for [golden, gate] in self.joins {
            union.union(golden, split + gate);
        }
        Cuts { classes: Classes::of(union, split), pins: self.pins, nets: self.nets }
    }
}

impl Cuts {
    /// Full adders, if both sides have any; else sums.
    pub fn of(sides: [&Netlist; 2], cells: [&Cells; 2]) -> Self {
        let adders = Self::at_adders(sides, cells);
        match adders.signals() {
            0 => Self::at_sums(sides, cells),
            _ => adders,
        }
    }

    /// Adders of the second side are called as those of the first, with something behind a dot, as Yosys calls what it
    /// puts in for a cell.
    fn at_adders([golden, gate]: [&Netlist; 2], [golden_cells, gate_cells]: [&Cells; 2]) -> Self {
        let mut joined = Joined::default();
        let of_golden: HashMap<&str, &Instance> =
            golden.instances.iter().filter(|i| is_adder(i, golden_cells)).map(|i| (i.name.as_str(), i)).collect();
        let mut taken = HashSet::new();
        for cell in gate.instances.iter().filter(|i| is_adder(i, gate_cells)) {
            let mut dots = cell.name.match_indices('.');
            let Some(partner) = dots.find_map(|(at, _)| of_golden.get(&cell.name[..at])) else {
                continue;
            };
            if taken.insert(partner.name.as_str()) {
                joined.join_adders([partner, cell], [golden_cells, gate_cells]);
            }
        }
        joined.into_cuts()
    }

    /// Nets that the design names and that carry chains drive on the second side. Other nets of the same name do not
    /// serve: a look-up table may take the place of what drives one and stand beside it.
    fn at_sums(sides: [&Netlist; 2], cells: [&Cells; 2]) -> Self {
        let mut joined = Joined::default();
        let names = sides.map(Names::of);
        let mut of_gate: HashMap<&str, (&Instance, &str)> = HashMap::new();
        for (instance, pin, net) in sums(sides[1], cells[1]) {
            of_gate.extend(names[1].all(net).map(|name| (name, (instance, pin))));
        }
        for (instance, pin, net) in gated(sides[0], cells[0]) {
            for partner in names[0].all(net).filter_map(|name| of_gate.get(name)) {
                joined.join([(instance, pin), *partner], net);
            }
        }
        joined.into_cuts()
    }

    /// The number of signals.
    pub fn signals(&self) -> usize {
        self.classes.count
    }

    /// The number of output pins of a side.
    pub fn pins(&self, side: usize) -> usize {
        self.pins[side].len()
    }

    /// The number of an output pin at which a side is cut, and that of its signal.
    pub fn at(&self, side: usize, instance: &Instance, pin: &str) -> Option<[usize; 2]> {
        if self.classes.count == 0 {
            return None;
        }
        let key = (instance.name.clone(), pin.to_owned());
        let number = *self.pins[side].get(&key)?;
        Some([number, self.classes.of[side][number]])
    }

    /// Pins of both sides that must drive the same.
    pub fn pairs(&self) -> &[[usize; 2]] {
        &self.classes.pairs
    }

    /// Of each pair: the first side's net.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.classes.named(&self.nets)
    }
}

/// What gates drive: instance, output pin, net.
fn gated<'a>(netlist: &'a Netlist, cells: &'a Cells) -> impl Iterator<Item = (&'a Instance, &'a str, &'a str)> {
    let cells = netlist.instances.iter().filter_map(|instance| {
        let cell = cells.get(&instance.cell)?;
        cell.register.is_none().then_some((instance, cell))
    });
    cells.flat_map(|(instance, cell)| {
        let pins = cell.outputs.iter().map(|(pin, _)| pin.as_str());
        pins.filter_map(move |pin| Some((instance, pin, net_on(instance, pin)?)))
    })
}

/// What carry chains drive: cells of which an output reads another.
fn sums<'a>(netlist: &'a Netlist, cells: &'a Cells) -> impl Iterator<Item = (&'a Instance, &'a str, &'a str)> {
    gated(netlist, cells).filter(|(instance, ..)| {
        let outputs = &cells[&instance.cell].outputs;
        let mut read = outputs.iter().flat_map(|(_, function)| &function.pins);
        read.any(|pin| outputs.iter().any(|(output, _)| output == pin))
    })
}

/// The output of a cell that is the given function of three pins.
fn output<'c>(instance: &Instance, cells: &'c Cells, table: u64) -> Option<(&'c str, &'c Function)> {
    let mut outputs = cells.get(&instance.cell)?.outputs.iter();
    let found = outputs.find(|(_, f)| f.pins.len() == 3 && f.table == table)?;
    Some((&found.0, &found.1))
}

fn is_adder(instance: &Instance, cells: &Cells) -> bool {
    ADDER.iter().all(|table| output(instance, cells, *table).is_some())
}
