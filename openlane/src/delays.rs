//! Loads, transition times and delays of a mapped netlist without wires, from the tables of its library.
//!
//! A net is loaded with the input pins that it reaches, and an output port with what the constraints say. Transition
//! times go from the inputs through the netlist; where several arcs lead to a pin it takes the mean of what they give,
//! and its delay is the mean of all arcs and both edges: this is what a typical transition sees, not the worst one.

use std::collections::{HashMap, VecDeque};

use constraints::timing::Limits;
use hdl::diag::{Diagnostic, Diagnostics};
use sim::gates::Circuit;
use sim::netlist::{Instance, Netlist};

use crate::liberty::electrical::{self, Arc, Edges, Electrical, Sense};
use crate::liberty::{self, Direction, Library};

/// A cell as the library describes it, with its tables.
pub(crate) type Described<'l> = (&'l liberty::Cell, &'l electrical::Cell);

/// A netlist with the cells that it is made of and the nets of a circuit.
#[derive(Clone, Copy)]
pub struct Mapped<'a> {
    /// The netlist.
    pub netlist: &'a Netlist,
    /// The same, with numbered nets.
    pub circuit: &'a Circuit,
    /// Its cells.
    pub library: &'a Library,
    /// Their tables.
    pub electrical: &'a Electrical,
}

/// What is known of each net, by its number in the circuit.
#[derive(Debug, Clone, PartialEq)]
pub struct NetDelays {
    /// Capacitance of the pins and ports on it, in the library's unit.
    pub load: Vec<f64>,
    /// Transition times rising and falling, in the library's unit.
    pub slew: Vec<[f64; 2]>,
    /// Delay of the pin that drives it in ps; 0 if none does.
    pub delay_ps: Vec<f64>,
}

impl<'a> Mapped<'a> {
    /// The library's cells that may stand in it, by name.
    pub(crate) fn cells(&self) -> HashMap<&'a str, Described<'a>> {
        let cells = self.library.cells.iter();
        cells.filter_map(|cell| Some((cell.name.as_str(), (cell, self.electrical.cells.get(&cell.name)?)))).collect()
    }

    /// The nets at the pins of an instance, with the pins' names.
    pub(crate) fn pins(&self, instance: &'a Instance) -> Vec<(&'a str, u32)> {
        let pins = instance.pins.iter();
        pins.filter_map(|(pin, net)| Some((pin.as_str(), self.circuit.net(net)?))).collect()
    }
}

impl NetDelays {
    /// Those of a netlist whose inputs and outputs are as `limits` says.
    ///
    /// # Errors
    /// `unknown-cell` for a cell that the library does not describe; `netlist` if cells form a loop.
    pub fn of(mapped: &Mapped<'_>, limits: &Limits) -> Result<Self, Diagnostics> {
        let cells = mapped.cells();
        let units = mapped.library.units();
        let slew = limits.input_transition.map_or(0.0, |t| t.0 as f64 / units.time_ps);
        let nets = mapped.circuit.nets();
        let mut found = Self { load: vec![0.0; nets], slew: vec![[slew; 2]; nets], delay_ps: vec![0.0; nets] };
        let instances = mapped.netlist.instances.iter();
        let described = instances.map(|instance| {
            let cell = cells.get(instance.cell.as_str()).ok_or_else(|| unknown(instance))?;
            Ok((*cell, mapped.pins(instance)))
        });
        let described = described.collect::<Result<Vec<_>, Diagnostics>>()?;
        for ((cell, _), pins) in &described {
            for (pin, net) in pins {
                let input = cell.inputs().find(|p| p.name == *pin);
                found.load[*net as usize] += input.map_or(0.0, |p| p.capacitance_ff / units.capacitance_ff);
            }
        }
        let port = f64::from(limits.output_load_ff.unwrap_or(0)) / units.capacitance_ff;
        for net in mapped.netlist.outputs.iter().filter_map(|name| mapped.circuit.net(name)) {
            found.load[net as usize] += port;
        }
        found.propagate(&described, units.time_ps)?;
        Ok(found)
    }

    /// Transition times and delays, cell by cell in the direction of the signals.
    fn propagate(&mut self, cells: &[(Described<'_>, Vec<(&str, u32)>)], unit_ps: f64) -> Result<(), Diagnostics> {
        let mut readers: HashMap<u32, Vec<usize>> = HashMap::new();
        let mut driven = vec![false; self.load.len()];
        for ((cell, _), pins) in cells {
            for (_, net) in pins.iter().filter(|(pin, _)| is_output(cell, pin)) {
                driven[*net as usize] = true;
            }
        }
        let mut waits = vec![0_usize; cells.len()];
        for (i, ((_, tables), pins)) in cells.iter().enumerate() {
            let leads = |pin: &str| tables.pins.values().flat_map(|p| &p.arcs).any(|arc| arc.related == pin);
            for (_, net) in pins.iter().filter(|(pin, net)| driven[*net as usize] && leads(pin)) {
                readers.entry(*net).or_default().push(i);
                waits[i] += 1;
            }
        }
        let mut ready: VecDeque<usize> = (0..cells.len()).filter(|i| waits[*i] == 0).collect();
        let mut done = 0;
        while let Some(i) = ready.pop_front() {
            done += 1;
            let ((cell, tables), pins) = &cells[i];
            for (pin, net) in pins.iter().filter(|(pin, _)| is_output(cell, pin)) {
                let arcs = tables.pins.get(*pin).map_or(&[][..], |p| p.arcs.as_slice());
                self.drive(*net, arcs, pins, unit_ps);
                for reader in readers.get(net).into_iter().flatten() {
                    waits[*reader] -= 1;
                    if waits[*reader] == 0 {
                        ready.push_back(*reader);
                    }
                }
            }
        }
        match done == cells.len() {
            true => Ok(()),
            false => Err(Diagnostic::error("netlist", "delays cannot be told: cells form a loop").into()),
        }
    }

    /// What drives a net gives it its transition times and its delay.
    fn drive(&mut self, net: u32, arcs: &[Arc], pins: &[(&str, u32)], unit_ps: f64) {
        let load = self.load[net as usize];
        let mut slews = [Vec::new(), Vec::new()];
        let mut delays = Vec::new();
        for arc in arcs {
            let Some((_, from)) = pins.iter().find(|(pin, _)| *pin == arc.related) else {
                continue;
            };
            let [rise, fall] = self.slew[*from as usize];
            let from = match arc.sense {
                Sense::Positive => [rise, fall],
                Sense::Negative => [fall, rise],
                Sense::Either => [(rise + fall) / 2.0; 2],
                Sense::Rising => [rise; 2],
                Sense::Falling => [fall; 2],
            };
            for (edge, slew) in values(&arc.slew, load, from) {
                slews[edge].push(slew);
            }
            delays.extend(values(&arc.delay, load, from).map(|(_, delay)| delay * unit_ps));
        }
        for (edge, slews) in slews.iter().enumerate().filter(|(_, slews)| !slews.is_empty()) {
            self.slew[net as usize][edge] = mean(slews);
        }
        if !delays.is_empty() {
            self.delay_ps[net as usize] = mean(&delays);
        }
    }
}

/// The tables that are there, evaluated: 0 for rising, 1 for falling, and the value.
fn values(edges: &Edges, load: f64, slew: [f64; 2]) -> impl Iterator<Item = (usize, f64)> {
    let tables = [&edges.rise, &edges.fall].into_iter().enumerate();
    tables.filter_map(move |(edge, table)| Some((edge, table.as_ref()?.at(load, slew[edge]))))
}

pub(crate) fn is_output(cell: &liberty::Cell, pin: &str) -> bool {
    cell.pins.iter().any(|p| p.name == pin && p.direction == Direction::Output)
}

pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

pub(crate) fn unknown(instance: &Instance) -> Diagnostics {
    let message = format!("cell {} is of type {}, of which the library has no tables", instance.name, instance.cell);
    Diagnostic::error("unknown-cell", message).into()
}
