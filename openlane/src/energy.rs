//! Energy of a mapped netlist from the tables of its library and from how often its nets change, glitches among the
//! changes where the simulation counted them ([`sim::gates`]).
//!
//! Each change of a net that a cell drives takes half of its capacitance times the square of the voltage, and the
//! energy inside the driving cell: that of the arcs to the input pins, weighted by how often each of these changes and
//! how often its condition holds, rises and falls being equally many. Input pins with energies of their own take them at
//! each of their changes. A clock pin rises and falls once a cycle. Leakage is that of the states in which cells are.
//! Wires and a clock tree are not there and take nothing; what drives the input ports is not part of the netlist.

use std::collections::HashMap;

use hdl::diag::{Diagnostic, Diagnostics};
use sim::cell::{Cells, Function, STATE};
use sim::gates::{Activity, Condition};
use sim::netlist::Instance;

use crate::delays::{Described, Mapped, NetDelays, is_output, mean, unknown};
use crate::liberty::electrical::{Edges, Internal};
use crate::liberty::{self, functions};

/// Femtojoule to joule.
const FEMTO: f64 = 1e-15;
/// Nanowatt to watt.
const NANO: f64 = 1e-9;

/// Energy of a cycle in J, and leakage in W.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Energy {
    /// Of the nets that cells drive.
    pub switching: f64,
    /// Inside cells, clock pins left out.
    pub internal: f64,
    /// Of clock pins: their capacitance, and inside the cells.
    pub clock: f64,
    /// Leakage in W.
    pub leakage: f64,
}

impl Energy {
    /// Switching and internal energy together.
    pub fn logic(&self) -> f64 {
        self.switching + self.internal
    }
}

/// One of the ways in which an output moves: which input moves it, when, and what it takes then in J.
#[derive(Debug, Clone, Copy)]
struct Way {
    /// The input's net; none for a clock.
    from: Option<u32>,
    /// Its condition among those of the model.
    when: Option<usize>,
    energy: f64,
}

/// What a cell takes when something moves.
#[derive(Debug, Clone)]
enum Term {
    /// A net, and J for each of its changes.
    Switching(u32, f64),
    /// An output, and the ways in which it moves.
    Output(u32, Vec<Way>),
    /// An input, and J for each of its changes in which a condition holds.
    Input(u32, Option<usize>, f64),
    /// J for each cycle in which a condition holds.
    Clock(Option<usize>, f64),
    /// W while a condition holds.
    Leakage(usize, f64),
    /// W while none of so many conditions from this one on holds.
    LeakageElse(usize, usize, f64),
}

/// The energy of a netlist as a function of its activity.
#[derive(Debug, Default)]
pub struct EnergyModel {
    terms: Vec<Term>,
    conditions: Vec<Condition>,
    numbers: HashMap<(Vec<u32>, u64), usize>,
}

impl EnergyModel {
    /// That of a netlist with these delays.
    ///
    /// # Errors
    /// `unknown-cell` for a cell that the library does not describe; `liberty-power` if the library states no voltage,
    /// or a condition that is not understood.
    pub fn of(mapped: &Mapped<'_>, nets: &NetDelays) -> Result<Self, Diagnostics> {
        let library = mapped.library;
        let voltage = library.voltage.ok_or_else(|| wrong(format!("library {} states no voltage", library.name)))?;
        let unit = library.units().capacitance_ff * FEMTO;
        let does = functions(library);
        let cells = mapped.cells();
        let mut model = Self::default();
        for instance in &mapped.netlist.instances {
            let cell = *cells.get(instance.cell.as_str()).ok_or_else(|| unknown(instance))?;
            let pins = mapped.pins(instance);
            let place = Place {
                instance,
                cell,
                pins: &pins,
                does: &does,
                nets,
                unit,
                voltage,
                leakage_nw: library.leakage_unit_nw,
            };
            model.add(&place)?;
        }
        Ok(model)
    }

    /// Of which it must be known how often they hold.
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// The energy of a cycle, if nets change as often as `changes` says, by net, in all the cycles of `activity`.
    pub fn of_activity(&self, changes: &[u64], activity: &Activity) -> Energy {
        let cycles = activity.cycles.max(1) as f64;
        let moves = |net: u32| changes[net as usize] as f64 / cycles;
        let holds = |when: Option<usize>| when.map_or(1.0, |i| activity.held[i] as f64 / cycles);
        let mut energy = Energy::default();
        for term in &self.terms {
            match term {
                Term::Switching(net, joule) => energy.switching += moves(*net) * joule,
                Term::Output(net, ways) => {
                    let weight = |way: &Way| way.from.map_or(2.0, moves) * holds(way.when);
                    let weights: f64 = ways.iter().map(weight).sum();
                    let mean = match weights > 0.0 {
                        true => ways.iter().map(|way| weight(way) * way.energy).sum::<f64>() / weights,
                        false => mean(&ways.iter().map(|way| way.energy).collect::<Vec<f64>>()),
                    };
                    energy.internal += moves(*net) * mean;
                }
                Term::Input(net, when, joule) => energy.internal += moves(*net) * holds(*when) * joule,
                Term::Clock(when, joule) => energy.clock += holds(*when) * joule,
                Term::Leakage(when, watt) => energy.leakage += holds(Some(*when)) * watt,
                Term::LeakageElse(first, count, watt) => {
                    let others: f64 = (*first..first + count).map(|i| holds(Some(i))).sum();
                    energy.leakage += (1.0 - others).max(0.0) * watt;
                }
            }
        }
        energy
    }

    fn add(&mut self, place: &Place<'_>) -> Result<(), Diagnostics> {
        let (cell, tables) = place.cell;
        for (pin, net) in place.pins {
            if is_output(cell, pin) {
                let capacitance = place.nets.load[*net as usize] * place.unit;
                let joule = capacitance * place.voltage.powi(2) / 2.0;
                self.terms.push(Term::Switching(*net, joule));
                self.output(place, pin, *net, place.nets.load[*net as usize])?;
            } else if place.is_clock(pin) {
                let capacitance = cell.inputs().find(|p| p.name == *pin).map_or(0.0, |p| p.capacitance_ff * FEMTO);
                self.terms.push(Term::Clock(None, capacitance * place.voltage.powi(2)));
                self.clock(place, pin, *net)?;
            } else {
                for internal in tables.pins.get(*pin).into_iter().flat_map(|p| &p.internal) {
                    let when = self.condition(place, internal)?;
                    let joule = place.mean(&internal.energy, 0.0, place.nets.slew[*net as usize]);
                    self.terms.push(Term::Input(*net, when, joule));
                }
            }
        }
        // an output of a register that nothing reads moves with the one that something reads
        let open = cell.outputs().filter(|p| place.pins.iter().all(|(pin, _)| p.name != *pin));
        for pin in open {
            if let Some((net, _)) = place.twin(&pin.name) {
                self.output(place, &pin.name, net, 0.0)?;
            }
        }
        self.leak(place)
    }

    fn output(&mut self, place: &Place<'_>, pin: &str, net: u32, load: f64) -> Result<(), Diagnostics> {
        let internal = place.cell.1.pins.get(pin).map_or(&[][..], |p| p.internal.as_slice());
        let mut ways = Vec::new();
        for group in internal {
            let when = self.condition(place, group)?;
            let inputs = place.pins.iter().filter(|(pin, _)| match group.related.is_empty() {
                true => !is_output(place.cell.0, pin),
                false => group.related.iter().any(|related| related == pin),
            });
            for (pin, from) in inputs {
                let [rise, fall] = place.nets.slew[*from as usize];
                let energy = place.mean(&group.energy, load, [(rise + fall) / 2.0; 2]);
                ways.push(Way { from: (!place.is_clock(pin)).then_some(*from), when, energy });
            }
        }
        if !ways.is_empty() {
            self.terms.push(Term::Output(net, ways));
        }
        Ok(())
    }

    fn clock(&mut self, place: &Place<'_>, pin: &str, net: u32) -> Result<(), Diagnostics> {
        let slew = place.nets.slew[net as usize];
        for internal in place.cell.1.pins.get(pin).into_iter().flat_map(|p| &p.internal) {
            let when = self.condition(place, internal)?;
            let Edges { rise, fall } = &internal.energy;
            let edges = [(rise, slew[0]), (fall, slew[1])];
            let joule: f64 = edges.iter().filter_map(|(table, slew)| Some(table.as_ref()?.at(0.0, *slew))).sum();
            self.terms.push(Term::Clock(when, joule * place.unit));
        }
        Ok(())
    }

    fn leak(&mut self, place: &Place<'_>) -> Result<(), Diagnostics> {
        let (cell, tables) = place.cell;
        let first = self.conditions.len();
        let stated: Vec<_> = tables.leakage.iter().filter_map(|l| Some((l.when.as_deref()?, l.value))).collect();
        for (text, value) in &stated {
            // conditions of leakage are not shared, so that they follow one another
            let condition = place.condition(text)?;
            self.conditions.push(condition);
            self.terms.push(Term::Leakage(self.conditions.len() - 1, value * place.leakage_nw * NANO));
        }
        self.terms.push(Term::LeakageElse(first, stated.len(), cell.leakage_nw * NANO));
        Ok(())
    }

    /// The number of a group's condition, if it has one.
    fn condition(&mut self, place: &Place<'_>, group: &Internal) -> Result<Option<usize>, Diagnostics> {
        let Some(text) = &group.when else { return Ok(None) };
        let condition = place.condition(text)?;
        let key = (condition.nets.clone(), condition.table);
        let number = *self.numbers.entry(key).or_insert_with(|| {
            self.conditions.push(condition);
            self.conditions.len() - 1
        });
        Ok(Some(number))
    }
}

/// An instance with all that is known of it.
struct Place<'p> {
    instance: &'p Instance,
    cell: Described<'p>,
    pins: &'p [(&'p str, u32)],
    does: &'p Cells,
    nets: &'p NetDelays,
    /// J in the library's unit of capacitance at one volt.
    unit: f64,
    voltage: f64,
    /// Nanowatts in the library's unit of leakage.
    leakage_nw: f64,
}

impl Place<'_> {
    fn is_clock(&self, pin: &str) -> bool {
        let register = self.does.get(&self.instance.cell).and_then(|cell| cell.register.as_ref());
        register.is_some_and(|register| register.clock.pins.iter().any(|p| p == pin))
    }

    /// The mean of rise and fall in J.
    fn mean(&self, edges: &Edges, load: f64, slew: [f64; 2]) -> f64 {
        let edges = [(&edges.rise, slew[0]), (&edges.fall, slew[1])];
        let values = edges.iter().filter_map(|(table, slew)| Some(table.as_ref()?.at(load, *slew)));
        mean(&values.collect::<Vec<f64>>()) * self.unit
    }

    /// The net of another output that is the state of the register as this one is, and whether it is the complement.
    fn twin(&self, pin: &str) -> Option<(u32, bool)> {
        let outputs = &self.does.get(&self.instance.cell)?.outputs;
        let state = |name: &str| {
            let (_, function) = outputs.iter().find(|(output, _)| output == name)?;
            (function.pins == [STATE]).then_some(function.table & 0b11)
        };
        let own = state(pin)?;
        self.pins.iter().find_map(|(other, net)| Some((*net, state(other)? != own)))
    }

    /// A condition in Liberty's notation.
    fn condition(&self, text: &str) -> Result<Condition, Diagnostics> {
        let unclear = || {
            let cell = &self.instance.cell;
            wrong(format!("cell {cell}: the condition {} is not understood", hdl::names::quoted(text)))
        };
        let Function { pins, mut table } = liberty::function(text, None).ok_or_else(unclear)?;
        let mut nets = Vec::new();
        for (i, pin) in pins.iter().enumerate() {
            let own = self.pins.iter().find(|(name, _)| name == pin).map(|(_, net)| (*net, false));
            let (net, inverted) = own.or_else(|| self.twin(pin)).ok_or_else(unclear)?;
            nets.push(net);
            if inverted {
                let exchanged = (0..1_u64 << pins.len()).filter(|k| table >> (k ^ 1 << i) & 1 == 1);
                table = exchanged.map(|k| 1 << k).sum();
            }
        }
        Ok(Condition { nets, table })
    }
}

fn wrong(message: String) -> Diagnostics {
    Diagnostic::error("liberty-power", message).into()
}
