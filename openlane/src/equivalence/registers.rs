//! Which registers of both sides correspond.

use std::collections::HashMap;

use hdl::diag::Diagnostics;
use petgraph::unionfind::UnionFind;

use super::blif::net_on;
use super::classes::Classes;
use super::names::{Names, is_made_up};
use super::wrong;
use sim::cell::{Cells, Function, Register, STATE};
use sim::netlist::{Instance, Netlist};

/// What becomes an output for each pair of registers.
pub const PARTS: [&str; 4] = ["clock", "next state", "clear", "preset"];

/// What becomes an output, in the order of [`PARTS`].
pub fn parts(register: &Register) -> [&Function; 4] {
    [&register.clock, &register.next, &register.clear, &register.preset]
}

/// Registers in classes that have one state.
///
/// Registers correspond that have a name in common: of the instance, or of a net on which their state is. What a shift
/// register is made of has no names; it corresponds to what its successor's partner loads. Several registers of one side
/// may be in a class, since Yosys merges registers that are the same: what they load is compared with each other then.
#[derive(Debug)]
pub struct Registers {
    classes: Classes,
    /// Of each side: its registers by the instance's name.
    numbers: [HashMap<String, usize>; 2],
    /// The first side's registers, as people know them: by what they drive.
    names: Vec<String>,
}

impl Registers {
    /// # Errors
    /// `netlist` if only the second side has a register.
    pub fn of(sides: [&Netlist; 2], cells: [&Cells; 2]) -> Result<Self, Diagnostics> {
        let [golden, gate] = [0, 1].map(|side| Side::of(sides[side], cells[side]));
        let split = golden.registers.len();
        let mut union = UnionFind::new(split + gate.registers.len());
        let mut called: HashMap<&str, usize> = HashMap::new();
        for (i, name) in golden.names(0).chain(gate.names(split)) {
            let first = *called.entry(name).or_insert(i);
            union.union(first, i);
        }
        follow_shift_registers(&golden, &gate, &mut union);
        let classes = Classes::of(union, split);
        let mut of_gate = gate.registers.iter().zip(&classes.of[1]);
        if let Some((extra, _)) = of_gate.find(|(_, class)| !classes.is_shared[**class]) {
            return Err(wrong(format!("the register `{}` is in the mapped netlist only", extra.name)));
        }
        let numbers = [&golden, &gate].map(|side| {
            let names = side.registers.iter().map(|register| register.name.clone());
            names.zip(0..).collect()
        });
        Ok(Self { classes, numbers, names: golden.known_as() })
    }

    /// The number of states.
    pub fn states(&self) -> usize {
        self.classes.count
    }

    /// How many states the second side has.
    pub fn shared(&self) -> usize {
        self.classes.is_shared.iter().filter(|is| **is).count()
    }

    /// How many registers a side has.
    pub fn count(&self, side: usize) -> usize {
        self.numbers[side].len()
    }

    /// The number of an instance among the registers of its side, and that of its state.
    pub fn at(&self, side: usize, instance: &Instance) -> Option<[usize; 2]> {
        let number = *self.numbers[side].get(&instance.name)?;
        Some([number, self.classes.of[side][number]])
    }

    /// Registers of both sides that must load the same.
    pub fn pairs(&self) -> &[[usize; 2]] {
        &self.classes.pairs
    }

    /// Of each pair: the first side's register.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.classes.named(&self.names)
    }
}

/// Registers of a side.
struct Side<'n> {
    registers: Vec<&'n Instance>,
    /// Of each, the net with its state, or nothing.
    nets: Vec<&'n str>,
    names: Names<'n>,
    /// Which register drives a net.
    drivers: HashMap<&'n str, usize>,
}

impl<'n> Side<'n> {
    fn of(netlist: &'n Netlist, cells: &Cells) -> Self {
        let mut side =
            Self { registers: Vec::new(), nets: Vec::new(), names: Names::of(netlist), drivers: HashMap::new() };
        for instance in &netlist.instances {
            let Some(cell) = cells.get(&instance.cell).filter(|c| c.register.is_some()) else {
                continue;
            };
            let mut outputs = cell.outputs.iter();
            let net =
                outputs.find(|(_, f)| *f == Function::pin(STATE, true)).and_then(|(pin, _)| net_on(instance, pin));
            side.drivers.extend(net.map(|net| (net, side.registers.len())));
            side.registers.push(instance);
            side.nets.push(net.unwrap_or_default());
        }
        side
    }

    /// Registers, counted from `first`, each with all of its names.
    fn names(&self, first: usize) -> impl Iterator<Item = (usize, &'n str)> {
        let registers = self.registers.iter().zip(&self.nets).zip(first..);
        registers.flat_map(|((register, net), i)| {
            let name = Some(register.name.as_str()).filter(|name| !is_made_up(name));
            let nets = (!net.is_empty()).then(|| self.names.all(net));
            name.into_iter().chain(nets.into_iter().flatten()).map(move |name| (i, name))
        })
    }

    /// What people know the registers by: what they drive, or else the instance's name.
    fn known_as(&self) -> Vec<String> {
        let registers = self.registers.iter().zip(&self.nets);
        let name = registers.map(|(register, net)| match *net {
            "" => register.name.clone(),
            net => net.to_owned(),
        });
        name.collect()
    }

    /// The register from which another loads without logic in between.
    fn before(&self, register: usize) -> Option<usize> {
        let data = ["D", "DI"].into_iter().find_map(|pin| net_on(self.registers[register], pin))?;
        self.drivers.get(self.names.net(data)).copied()
    }
}

/// Joins the unnamed registers of the second side to those that the partners of their successors load.
fn follow_shift_registers(golden: &Side<'_>, gate: &Side<'_>, union: &mut UnionFind<usize>) {
    let split = golden.registers.len();
    let mut partners: HashMap<usize, usize> = (0..split).map(|i| (union.find(i), i)).collect();
    let mut open: Vec<usize> = (0..gate.registers.len()).collect();
    while let Some(register) = open.pop() {
        let Some(partner) = partners.get(&union.find(split + register)).copied() else {
            continue;
        };
        let (Some(theirs), Some(ours)) = (golden.before(partner), gate.before(register)) else {
            continue;
        };
        if !partners.contains_key(&union.find(split + ours)) {
            union.union(split + ours, theirs);
            partners.insert(union.find(theirs), theirs);
            open.push(ours);
        }
    }
}
