//! What both sides of a comparison get and give, in one order.

use std::collections::{HashMap, HashSet};

use hdl::diag::Diagnostics;

use super::blif::{Side, net_on};
use super::cuts::{Cuts, Ports};
use super::registers::{PARTS, Registers, parts};
use super::{Pair, wrong};
use sim::netlist::Instance;

/// Outputs that are named when the proof fails.
const SHOWN: usize = 5;

/// Inputs and outputs that both sides get, in this order.
#[derive(Debug)]
pub(super) struct Frame {
    inputs: Vec<String>,
    /// The states of their classes are inputs.
    pub registers: Registers,
    /// They are inputs, after the states.
    pub cuts: Cuts,
    /// Instances of modules on the first side, with the number of their first output, which are inputs after those.
    instances: HashMap<String, usize>,
    /// Instances of both sides, in the first's order.
    joined: Vec<(String, String)>,
    /// Number of inputs besides the module's.
    shared: usize,
    /// Names for people.
    pub outputs: Vec<String>,
}

impl Frame {
    pub fn of(pair: &Pair<'_>, cuts: Cuts) -> Result<Self, Diagnostics> {
        let [golden, gate] = pair.sides;
        if (&golden.inputs, &golden.outputs) != (&gate.inputs, &gate.outputs) {
            return Err(wrong(format!("the netlists of `{}` have different ports", pair.module)));
        }
        let registers = Registers::of(pair.sides, pair.cells)?;
        let mut outputs = golden.outputs.clone();
        for register in registers.names() {
            outputs.extend(PARTS.map(|part| format!("{part} of {register}")));
        }
        outputs.extend(cuts.names().cloned());
        let mut shared = registers.states() + cuts.signals();
        let modules = |side: usize| -> Vec<(&str, &str)> {
            let instances = pair.sides[side].instances.iter();
            let boxed = instances.filter(|i| pair.boxes.contains_key(&i.cell));
            boxed.map(|i| (i.name.as_str(), i.cell.as_str())).collect()
        };
        let of_golden = modules(0);
        let modules_of_gate = modules(1);
        let [first, second] = [&of_golden, &modules_of_gate].map(|all| -> Vec<String> {
            let all = all.iter();
            all.map(|(name, module)| format!("{name}` of `{module}")).collect()
        });
        let names = first.iter().map(String::as_str);
        only_in_second("instance", names, second.iter().map(String::as_str))?;
        let kept: HashSet<&str> = modules_of_gate.iter().map(|(name, _)| *name).collect();
        let mut instances = HashMap::new();
        let mut joined = Vec::new();
        for (name, module) in of_golden {
            let ports = &pair.boxes[module];
            instances.insert(name.to_owned(), shared);
            shared += ports.outputs.len();
            if kept.contains(name) {
                joined.push((name.to_owned(), module.to_owned()));
                let inputs = ports.inputs.iter();
                outputs.extend(inputs.map(|port| format!("{port} of {name}")));
            }
        }
        Ok(Self { inputs: golden.inputs.clone(), registers, cuts, instances, joined, shared, outputs })
    }

    /// One side in BLIF. Nets are numbered, so that names may hold what BLIF cannot.
    pub fn blif(&self, number: usize, pair: &Pair<'_>) -> Result<String, Diagnostics> {
        let (netlist, cells) = (pair.sides[number], pair.cells[number]);
        let mut side = Side::default();
        for net in &self.inputs {
            side.driven(net)?;
        }
        let mut inputs: HashMap<&str, Vec<u32>> = HashMap::new();
        let mut loads = vec![[0; PARTS.len()]; self.registers.count(number)];
        let mut cuts = vec![0; self.cuts.pins(number)];
        for instance in &netlist.instances {
            if let Some(ports) = pair.boxes.get(&instance.cell) {
                let nets = self.module(instance, ports, &mut side)?;
                inputs.insert(&instance.name, nets);
                continue;
            }
            let cell = cells.get(&instance.cell).ok_or_else(|| {
                wrong(format!("`{}` is of the type `{}`, whose function is not known", instance.name, instance.cell))
            })?;
            let register = self.registers.at(number, instance);
            let state = register.map(|[_, state]| state);
            for (pin, function) in &cell.outputs {
                let Some(net) = net_on(instance, pin) else {
                    continue;
                };
                let mut output = side.driven(net)?;
                if let Some([place, signal]) = self.cuts.at(number, instance, pin) {
                    side.shared(self.registers.states() + signal, output);
                    output = side.fresh();
                    cuts[place] = output;
                }
                side.function(instance, state, function, output)?;
            }
            if let (Some(functions), Some([place, _])) = (&cell.register, register) {
                for (function, load) in parts(functions).into_iter().zip(&mut loads[place]) {
                    *load = side.fresh();
                    side.function(instance, state, function, *load)?;
                }
            }
        }
        let mut outputs: Vec<u32> = netlist.outputs.iter().map(|net| side.used(net)).collect();
        side.aliases(&netlist.aliases)?;
        side.constants();
        let registers = self.registers.pairs().iter();
        outputs.extend(registers.flat_map(|pair| loads[pair[number]]));
        outputs.extend(self.cuts.pairs().iter().map(|pair| cuts[pair[number]]));
        outputs.extend(self.joined.iter().flat_map(|(name, _)| &inputs[name.as_str()]));
        side.check()?;
        Ok(side.text(&self.inputs, self.shared, &outputs))
    }

    /// Drives what an instance drives by the shared inputs; gives the nets that go into it.
    fn module<'n>(&self, instance: &'n Instance, ports: &Ports, side: &mut Side<'n>) -> Result<Vec<u32>, Diagnostics> {
        let pins = instance.pins.iter();
        let on: HashMap<&str, &'n str> = pins.map(|(p, net)| (p.as_str(), net.as_str())).collect();
        let first = self.instances[&instance.name];
        for (port, i) in ports.outputs.iter().zip(first..) {
            if let Some(net) = on.get(port.as_str()).filter(|net| !net.is_empty()) {
                let output = side.driven(net)?;
                side.shared(i, output);
            }
        }
        let inputs = ports.inputs.iter().map(|port| match on.get(port.as_str()) {
            Some(net) if !net.is_empty() => Ok(side.used(net)),
            _ => Err(wrong(format!("nothing is on port {port} of `{}`", instance.name))),
        });
        inputs.collect()
    }

    /// The outputs that ABC names, `o12`, with their names for people.
    pub fn named(&self, said: &str) -> Vec<String> {
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

/// An error if `second` has one that `first` lacks.
fn only_in_second<'a>(
    kind: &str,
    first: impl Iterator<Item = &'a str>,
    second: impl Iterator<Item = &'a str>,
) -> Result<(), Diagnostics> {
    let first: HashSet<&str> = first.collect();
    match second.filter(|name| !first.contains(name)).min() {
        Some(extra) => Err(wrong(format!("the {kind} `{extra}` is in the mapped netlist only"))),
        None => Ok(()),
    }
}
