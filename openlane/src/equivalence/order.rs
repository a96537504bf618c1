//! Signals in the order in which they settle: whether there is a combinational loop, and which outputs follow an input
//! within the cycle.

use std::collections::{HashMap, HashSet};

use hdl::diag::Diagnostics;

use super::cuts::Boxes;
use super::wrong;
use sim::cell::{Cells, STATE};
use sim::netlist::{Instance, Netlist};

/// Something that drives a net from others.
struct Driver {
    inputs: Vec<u32>,
    output: u32,
}

#[derive(Default)]
struct Graph<'a> {
    numbers: HashMap<&'a str, u32>,
    names: Vec<&'a str>,
    drivers: Vec<Driver>,
}

/// The outputs of a module that follow an input without a register in between.
///
/// # Errors
/// `netlist` if there is a combinational loop.
pub fn through(netlist: &Netlist, cells: &Cells, boxes: &Boxes) -> Result<HashSet<String>, Diagnostics> {
    let mut graph = Graph::default();
    for instance in &netlist.instances {
        match boxes.get(&instance.cell) {
            Some(ports) => graph.module(instance, &ports.through),
            None => graph.cell(instance, cells),
        }
    }
    for (driven, driver) in &netlist.aliases {
        graph.drive([driver.as_str()].into_iter(), driven);
    }
    let inputs: Vec<u32> = netlist.inputs.iter().map(|net| graph.number(net)).collect();
    let follows = graph.settle(&inputs)?;
    let follows = |net: &&String| {
        let number = graph.numbers.get(net.as_str());
        number.is_some_and(|number| follows[*number as usize])
    };
    Ok(netlist.outputs.iter().filter(follows).cloned().collect())
}

impl<'a> Graph<'a> {
    fn number(&mut self, net: &'a str) -> u32 {
        *self.numbers.entry(net).or_insert_with(|| {
            self.names.push(net);
            self.names.len() as u32 - 1
        })
    }

    fn drive(&mut self, inputs: impl Iterator<Item = &'a str>, output: &'a str) {
        let inputs = inputs.map(|net| self.number(net)).collect();
        let output = self.number(output);
        self.drivers.push(Driver { inputs, output });
    }

    fn cell(&mut self, instance: &'a Instance, cells: &Cells) {
        let Some(cell) = cells.get(&instance.cell) else {
            return;
        };
        let on = |pin: &str| {
            let mut pins = instance.pins.iter();
            pins.find(|(name, _)| name == pin).map(|(_, net)| net.as_str())
        };
        for (pin, function) in &cell.outputs {
            if let Some(output) = on(pin).filter(|net| !net.is_empty()) {
                let pins = function.pins.iter().filter(|pin| *pin != STATE);
                self.drive(pins.filter_map(|pin| on(pin)), output);
            }
        }
    }

    /// An instance: every output that follows an input is taken to follow all of them.
    fn module(&mut self, instance: &'a Instance, through: &HashSet<String>) {
        let (outputs, inputs): (Vec<_>, Vec<_>) = instance.pins.iter().partition(|(pin, _)| through.contains(pin));
        if outputs.is_empty() {
            return;
        }
        // one node for all, so that the size stays linear
        let all = self.names.len() as u32;
        self.names.push(&instance.name);
        let inputs = inputs.iter().map(|(_, net)| self.number(net)).collect();
        self.drivers.push(Driver { inputs, output: all });
        for (_, net) in outputs {
            let output = self.number(net);
            let inputs = vec![all];
            self.drivers.push(Driver { inputs, output });
        }
    }

    /// Whether each net follows one of `sources`.
    fn settle(&self, sources: &[u32]) -> Result<Vec<bool>, Diagnostics> {
        let mut readers: Vec<Vec<u32>> = vec![Vec::new(); self.names.len()];
        let mut is_driven = vec![false; self.names.len()];
        for (driver, i) in self.drivers.iter().zip(0..) {
            is_driven[driver.output as usize] = true;
            driver.inputs.iter().for_each(|net| readers[*net as usize].push(i));
        }
        let awaited = |d: &Driver| d.inputs.iter().filter(|n| is_driven[**n as usize]).count();
        let mut open: Vec<usize> = self.drivers.iter().map(awaited).collect();
        let mut follows = vec![false; self.names.len()];
        sources.iter().for_each(|net| follows[*net as usize] = true);
        let mut ready: Vec<usize> = (0..open.len()).filter(|i| open[*i] == 0).collect();
        let mut settled = 0;
        while let Some(i) = ready.pop() {
            settled += 1;
            let Driver { inputs, output } = &self.drivers[i];
            follows[*output as usize] |= inputs.iter().any(|net| follows[*net as usize]);
            for reader in &readers[*output as usize] {
                let reader = *reader as usize;
                open[reader] -= 1;
                if open[reader] == 0 {
                    ready.push(reader);
                }
            }
        }
        match settled == self.drivers.len() {
            true => Ok(follows),
            false => {
                let stuck = self.drivers.iter().zip(&open).filter(|(_, open)| **open > 0);
                let net = stuck.map(|(d, _)| self.names[d.output as usize]).min();
                let net = net.unwrap_or_default();
                Err(wrong(format!("the net `{net}` depends on itself within a cycle")))
            }
        }
    }
}
