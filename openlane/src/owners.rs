//! Which part of a network each cell of a netlist belongs to.
//!
//! Mapping keeps the names of registers and of most sums, and makes up names for what lies between. A cell that drives
//! a net with a name belongs where the net belongs; any other belongs where the nearest such cell behind it does.

use std::collections::{BTreeMap, HashMap, VecDeque};

use sim::netlist::json::{Bit, Cell, Direction, Module, Netlist};

/// Cells of one part, by type.
pub type Counts = BTreeMap<String, usize>;

/// How many cells of each type each part has, in `modules`, of which the first is the top and each stands before
/// those that it instantiates; a module's cells count for every one of its copies. `part_of` tells the part of a
/// named net of a module, if it has one; cells whose part cannot be told are counted under an empty name.
pub fn counts(
    netlist: &Netlist,
    modules: &[&str],
    part_of: impl Fn(&str, &str) -> Option<String>,
) -> BTreeMap<String, Counts> {
    let mut counts: BTreeMap<String, Counts> = BTreeMap::new();
    let mut copies: HashMap<&str, usize> = modules.iter().map(|name| (*name, 0)).collect();
    copies.extend(modules.first().map(|top| (*top, 1)));
    for name in modules {
        let Some(module) = netlist.modules.get(*name) else {
            continue;
        };
        let times = copies[name];
        let parts = parts(module, |net| part_of(name, net));
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

/// The part of each cell, in the order of the cells.
fn parts(module: &Module, part_of: impl Fn(&str) -> Option<String>) -> Vec<Option<String>> {
    let mut of_wire: HashMap<u32, String> = HashMap::new();
    for (name, net) in module.netnames.iter().filter(|(_, net)| net.hide_name == 0) {
        let Some(part) = part_of(name) else { continue };
        for wire in net.bits.iter().filter_map(Bit::wire) {
            of_wire.entry(wire).or_insert_with(|| part.clone());
        }
    }
    let cells: Vec<&Cell> = module.cells.values().collect();
    let mut driver: HashMap<u32, usize> = HashMap::new();
    for (i, cell) in cells.iter().enumerate() {
        driver.extend(cell.wires(Direction::Output).map(|wire| (wire, i)));
    }
    let named = |cell: &&Cell| cell.wires(Direction::Output).filter_map(|w| of_wire.get(&w)).min();
    let mut parts: Vec<Option<String>> = cells.iter().map(|c| named(c).cloned()).collect();
    // breadth first against the flow of data: what is nearest decides
    let mut queue: VecDeque<usize> = (0..cells.len()).filter(|&i| parts[i].is_some()).collect();
    while let Some(i) = queue.pop_front() {
        let mut inputs: Vec<u32> = cells[i].wires(Direction::Input).collect();
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
        let text = format!("{:?}", counts(&netlist, &["top"], part_of));
        let expected = r#"{"": {"GND": 1}, "a": {"LUT2": 1}, "b": {"FDRE": 1, "LUT2": 1}}"#;
        assert_eq!(text, expected);
        assert!(counts(&netlist, &["other"], |_, _| None).is_empty());
    }
}
