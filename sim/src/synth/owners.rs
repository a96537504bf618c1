//! Which part of a network each cell of a netlist belongs to.
//!
//! Mapping keeps the names of registers and of most sums, and makes up names for what lies between. A cell that drives
//! a net with a name belongs where the net belongs; any other belongs where the nearest such cell behind it does.

use std::collections::{BTreeMap, HashMap, VecDeque};

use hdl::diag::{Diagnostic, Diagnostics};
use serde::Deserialize;

/// Name of the netlist as JSON.
pub const FILE: &str = "netlist.json";

/// A netlist as Yosys writes it in JSON, as far as it is used.
#[derive(Debug, Deserialize)]
pub struct Netlist {
    modules: BTreeMap<String, Module>,
}

#[derive(Debug, Deserialize)]
struct Module {
    #[serde(default)]
    cells: BTreeMap<String, Cell>,
    #[serde(default)]
    netnames: BTreeMap<String, Net>,
}

#[derive(Debug, Deserialize)]
struct Cell {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    port_directions: HashMap<String, String>,
    connections: HashMap<String, Vec<Bit>>,
}

#[derive(Debug, Deserialize)]
struct Net {
    bits: Vec<Bit>,
    hide_name: u8,
}

/// A wire, or a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(from = "Wire")]
struct Bit(Option<u32>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Wire {
    Number(u32),
    Constant(#[allow(dead_code, reason = "any text is a constant")] String),
}

impl From<Wire> for Bit {
    fn from(wire: Wire) -> Self {
        Self(match wire {
            Wire::Number(n) => Some(n),
            Wire::Constant(_) => None,
        })
    }
}

/// Cells of one part, by type.
pub type Counts = BTreeMap<String, usize>;

impl Netlist {
    /// Reads it.
    ///
    /// # Errors
    /// `tool-output` if this is no netlist.
    pub fn parse(text: &str) -> Result<Self, Diagnostics> {
        serde_json::from_str(text).map_err(|e| {
            let error = Diagnostic::error("tool-output", format!("not a netlist of Yosys: {e}"));
            error.at(FILE, "this file").into()
        })
    }

    /// How many cells of each type each part has, in `modules`, of which the first is the top and each stands before
    /// those that it instantiates; a module's cells count for every one of its copies. `part_of` tells the part of a
    /// named net of a module, if it has one; cells whose part cannot be told are counted under an empty name.
    pub fn counts(
        &self,
        modules: &[&str],
        part_of: impl Fn(&str, &str) -> Option<String>,
    ) -> BTreeMap<String, Counts> {
        let mut counts: BTreeMap<String, Counts> = BTreeMap::new();
        let mut copies: HashMap<&str, usize> = modules.iter().map(|name| (*name, 0)).collect();
        copies.extend(modules.first().map(|top| (*top, 1)));
        for name in modules {
            let Some(module) = self.modules.get(*name) else {
                continue;
            };
            let times = copies[name];
            let parts = module.parts(|net| part_of(name, net));
            for (cell, part) in module.cells.values().zip(parts) {
                if let Some(inner) = copies.get_mut(cell.kind.as_str()) {
                    *inner += times;
                    continue;
                }
                let of_part = counts.entry(part.unwrap_or_default()).or_default();
                *of_part.entry(cell.kind.clone()).or_default() += times;
            }
        }
        counts
    }
}

impl Cell {
    /// The wires at its pins of that direction.
    fn wires(&self, direction: &'static str) -> impl Iterator<Item = u32> {
        let pins = self.connections.iter();
        let pins = pins.filter(move |(pin, _)| {
            self.port_directions
                .get(*pin)
                .is_some_and(|d| d == direction)
        });
        pins.flat_map(|(_, bits)| bits).filter_map(|bit| bit.0)
    }
}

impl Module {
    /// The part of each cell, in the order of the cells.
    fn parts(&self, part_of: impl Fn(&str) -> Option<String>) -> Vec<Option<String>> {
        let mut of_wire: HashMap<u32, String> = HashMap::new();
        for (name, net) in self.netnames.iter().filter(|(_, net)| net.hide_name == 0) {
            let Some(part) = part_of(name) else { continue };
            for wire in net.bits.iter().filter_map(|bit| bit.0) {
                of_wire.entry(wire).or_insert_with(|| part.clone());
            }
        }
        let cells: Vec<&Cell> = self.cells.values().collect();
        let mut driver: HashMap<u32, usize> = HashMap::new();
        for (i, cell) in cells.iter().enumerate() {
            driver.extend(cell.wires("output").map(|wire| (wire, i)));
        }
        let named = |cell: &&Cell| cell.wires("output").filter_map(|w| of_wire.get(&w)).min();
        let mut parts: Vec<Option<String>> = cells.iter().map(|c| named(c).cloned()).collect();
        // breadth first against the flow of data: what is nearest decides
        let mut queue: VecDeque<usize> = (0..cells.len()).filter(|&i| parts[i].is_some()).collect();
        while let Some(i) = queue.pop_front() {
            let mut inputs: Vec<u32> = cells[i].wires("input").collect();
            inputs.sort_unstable();
            for before in inputs.iter().filter_map(|wire| driver.get(wire)) {
                if parts[*before].is_none() {
                    parts[*before] = parts[i].clone();
                    queue.push_back(*before);
                }
            }
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `x → LUT (a) → LUT (no name) → FF (b)`, and a cell that drives nothing.
    const TEXT: &str = r#"{"creator": "Yosys", "modules": {"top": {"attributes": {}, "cells": {
        "$1": {"type": "LUT2", "port_directions": {"I0": "input", "O": "output"}, "connections": {"I0": [2], "O": [3]}},
        "$2": {"type": "LUT2", "port_directions": {"I0": "input", "I1": "input", "O": "output"},
               "connections": {"I0": [3], "I1": ["1"], "O": [4]}},
        "$3": {"type": "FDRE", "port_directions": {"D": "input", "Q": "output"}, "connections": {"D": [4], "Q": [5]}},
        "$4": {"type": "GND", "port_directions": {}, "connections": {}}},
        "netnames": {"x": {"hide_name": 0, "bits": [2]}, "a_sum": {"hide_name": 0, "bits": [3]},
            "$new": {"hide_name": 1, "bits": [4]}, "b_reg": {"hide_name": 0, "bits": [5]}}}}}"#;

    #[test]
    fn cells_without_a_name_belong_to_what_they_feed() {
        let netlist = Netlist::parse(TEXT).unwrap();
        let part_of = |_: &str, net: &str| net.split_once('_').map(|(part, _)| part.to_owned());
        let counts = netlist.counts(&["top"], part_of);
        let text = format!("{counts:?}");
        let expected = r#"{"": {"GND": 1}, "a": {"LUT2": 1}, "b": {"FDRE": 1, "LUT2": 1}}"#;
        assert_eq!(text, expected);
        assert!(netlist.counts(&["other"], |_, _| None).is_empty());
    }

    #[test]
    fn what_is_no_netlist_is_an_error() {
        for text in ["", "[]", &TEXT[..200], &"[".repeat(100_000)] {
            assert_eq!(Netlist::parse(text).unwrap_err().0[0].code, "tool-output");
        }
    }
}
