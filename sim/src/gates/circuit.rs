//! A netlist as an arena of gates and registers over numbered nets, in the order in which they are evaluated.

use std::collections::HashMap;

use hdl::diag::{Cause, Diagnostic, Diagnostics};

use super::levels::State;
use super::order::{self, Group};
use super::program::{Program, Programs};
use crate::cell::{Cells, Function, Register, STATE};
use crate::netlist::{CONSTANTS, Instance, Netlist};

/// Nothing drives a net, or a part of a cell belongs to no pin.
pub(super) const NONE: u32 = u32::MAX;

/// What a node does with its inputs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Action {
    /// Its output is a function of them.
    Gate(Program),
    /// Its output is its one input, a cycle later; at first it is this.
    Register(State),
}

/// A gate or a register.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub action: Action,
    /// Its inputs among those of all nodes.
    first: u32,
    count: u8,
    /// The net that it drives.
    pub output: u32,
    /// The instance whose output pin this is, or [`NONE`] for what lies inside a cell.
    pub instance: u32,
}

/// A flip-flop of a circuit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlipFlop {
    /// The net of what it holds, inside the cell.
    pub state: u32,
    /// The nets that its cell drives.
    pub outputs: Vec<u32>,
}

/// A netlist that can be simulated.
///
/// Nets 0 and 1 are the constants. Every node stands behind those that it reads, except in groups with feedback, which
/// always goes through a register.
#[derive(Debug)]
pub struct Circuit {
    pub(super) programs: Programs,
    pub(super) nodes: Vec<Node>,
    inputs: Vec<u32>,
    pub(super) groups: Vec<Group>,
    pub(super) nets: usize,
    names: HashMap<String, u32>,
    /// In the order of the netlist.
    pub(super) flip_flops: Vec<FlipFlop>,
}

impl Node {
    pub fn is_register(&self) -> bool {
        matches!(self.action, Action::Register(_))
    }
}

impl Circuit {
    /// The circuit of a netlist of these cells whose only clock is the input `clock`.
    ///
    /// # Errors
    /// `unknown-cell`; `netlist`: a net with two drivers, a register with another clock than the rising edges
    /// of `clock`, or a loop without a register.
    pub fn new(netlist: &Netlist, cells: &Cells, clock: &str) -> Result<Self, Diagnostics> {
        let mut builder = Builder::new(netlist);
        for (i, instance) in netlist.instances.iter().enumerate() {
            builder.add(i as u32, instance, cells)?;
        }
        builder.check_clocks(clock)?;
        builder.finish()
    }

    /// The nets that a node reads.
    #[inline]
    pub(super) fn inputs_of(&self, node: &Node) -> &[u32] {
        &self.inputs[node.first as usize..][..node.count as usize]
    }

    /// The number of a net.
    pub fn net(&self, name: &str) -> Option<u32> {
        self.names.get(name).copied()
    }

    /// All names of each net, sorted.
    pub fn names(&self) -> Vec<Vec<&str>> {
        let mut all = vec![Vec::new(); self.nets];
        self.names.iter().for_each(|(name, net)| all[*net as usize].push(name.as_str()));
        all.iter_mut().for_each(|names| names.sort_unstable());
        all
    }

    /// The flip-flops, in the order of the netlist.
    pub fn flip_flops(&self) -> &[FlipFlop] {
        &self.flip_flops
    }

    /// The nets that cells drive, in the order of evaluation.
    pub fn driven(&self) -> impl Iterator<Item = u32> + '_ {
        self.nodes.iter().filter(|node| node.instance != NONE).map(|node| node.output)
    }

    /// Every net that something drives with the nets that it is computed of, the last of the order of evaluation first.
    pub fn backwards(&self) -> impl Iterator<Item = (u32, &[u32])> + '_ {
        self.nodes.iter().rev().map(|node| (node.output, self.inputs_of(node)))
    }

    /// The nets of a port, its lowest bit first; `None` if one of its bits is no net.
    pub fn port(&self, name: &str, width: u32) -> Option<Vec<u32>> {
        let bit = |i: u32| {
            let bit = self.net(&format!("{name}[{i}]"));
            bit.or_else(|| (width == 1).then(|| self.net(name))?)
        };
        (0..width).map(bit).collect()
    }
}

/// A register's clock, to be traced when all drivers are known.
struct Clock {
    instance: u32,
    net: u32,
    /// Whether it loads when the net falls.
    falling: bool,
}

struct Builder<'n> {
    netlist: &'n Netlist,
    /// What drives a net that is only another name.
    aliases: HashMap<&'n str, &'n str>,
    names: HashMap<&'n str, u32>,
    /// Of each net, the node that drives it.
    drivers: Vec<u32>,
    programs: Programs,
    nodes: Vec<Node>,
    /// Of each node with one input, its table; it tells buffers from inverters in a clock's path.
    tables: Vec<u64>,
    inputs: Vec<u32>,
    clocks: Vec<Clock>,
    flip_flops: Vec<FlipFlop>,
}

fn refused(message: String) -> Diagnostics {
    Diagnostic::error("netlist", message).into()
}

impl<'n> Builder<'n> {
    fn new(netlist: &'n Netlist) -> Self {
        let aliases = netlist.aliases.iter();
        Self {
            netlist,
            aliases: aliases.map(|(a, b)| (a.as_str(), b.as_str())).collect(),
            names: CONSTANTS.into_iter().zip(0..).collect(),
            drivers: vec![NONE; CONSTANTS.len()],
            programs: Programs::default(),
            nodes: Vec::with_capacity(netlist.instances.len()),
            tables: Vec::with_capacity(netlist.instances.len()),
            inputs: Vec::with_capacity(4 * netlist.instances.len()),
            clocks: Vec::new(),
            flip_flops: Vec::new(),
        }
    }

    /// A net without a name.
    fn fresh(&mut self) -> u32 {
        self.drivers.push(NONE);
        self.drivers.len() as u32 - 1
    }

    /// The number of a net, which is that of what drives it if it is another name for it.
    fn net(&mut self, name: &'n str) -> Result<u32, Diagnostics> {
        let mut driver = name;
        for _ in 0..=self.aliases.len() {
            if let Some(net) = self.names.get(driver) {
                let net = *net;
                self.names.insert(name, net);
                return Ok(net);
            }
            match self.aliases.get(driver) {
                Some(next) => driver = next,
                None => {
                    let net = self.fresh();
                    self.names.insert(driver, net);
                    self.names.insert(name, net);
                    return Ok(net);
                }
            }
        }
        Err(refused(format!("net {name} is assigned to itself")))
    }

    /// A node that drives `output`.
    fn node(
        &mut self,
        action: Action,
        table: u64,
        inputs: &[u32],
        [output, instance]: [u32; 2],
    ) -> Result<(), Diagnostics> {
        let driver = &mut self.drivers[output as usize];
        if *driver != NONE || output < CONSTANTS.len() as u32 {
            let names = self.names.iter().filter(|(_, net)| **net == output);
            let name = names.map(|(name, _)| *name).min().unwrap_or_default();
            return Err(refused(format!("net {name} has two drivers")));
        }
        *driver = self.nodes.len() as u32;
        self.nodes.push(Node { action, first: self.inputs.len() as u32, count: inputs.len() as u8, output, instance });
        self.tables.push(table);
        self.inputs.extend_from_slice(inputs);
        Ok(())
    }

    /// The nodes of an instance.
    fn add(&mut self, number: u32, instance: &'n Instance, cells: &Cells) -> Result<(), Diagnostics> {
        let cell = cells.get(&instance.cell).ok_or_else(|| unknown(instance))?;
        let mut pins = Pins::default();
        for (pin, net) in &instance.pins {
            let net = self.net(net)?;
            pins.0.push((pin, net));
        }
        if let Some(register) = &cell.register {
            let [held, state] = self.register(instance, number, register, &pins)?;
            pins.0.push((STATE, state));
            let outputs = cell.outputs.iter().filter_map(|(output, _)| pins.find(output));
            self.flip_flops.push(FlipFlop { state: held, outputs: outputs.collect() });
        }
        for (output, function) in &cell.outputs {
            if let Some(net) = pins.find(output) {
                self.gate(function, &pins, instance, [net, number])?;
            }
        }
        Ok(())
    }

    fn gate(
        &mut self,
        function: &Function,
        pins: &Pins<'_>,
        instance: &Instance,
        place: [u32; 2],
    ) -> Result<(), Diagnostics> {
        let nets: Option<Vec<u32>> = function.pins.iter().map(|pin| pins.find(pin)).collect();
        let nets = nets.ok_or_else(|| {
            refused(format!(
                "cell {} of type {} lacks one of the pins {}",
                instance.name,
                instance.cell,
                function.pins.join(", ")
            ))
        })?;
        let program = self.programs.of(function.table, nets.len());
        self.node(Action::Gate(program), function.table, &nets, place)
    }

    /// Adds what holds an instance's state; gives the net of what it holds, and that of the state as its outputs
    /// see it, cleared and preset.
    fn register(
        &mut self,
        instance: &Instance,
        number: u32,
        register: &Register,
        pins: &Pins<'_>,
    ) -> Result<[u32; 2], Diagnostics> {
        let clock = &register.clock;
        let net = clock.pins.first().and_then(|pin| pins.find(pin));
        let (Some(net), 1, 0b01 | 0b10) = (net, clock.pins.len(), clock.table) else {
            let message =
                format!("cell {} of type {} has a gated clock, which is not simulated", instance.name, instance.cell);
            return Err(refused(message));
        };
        self.clocks.push(Clock { instance: number, net, falling: clock.table == 0b01 });
        let held = self.fresh();
        let (clear, preset) = (&register.clear, &register.preset);
        let is_plain = *clear == Function::NEVER && *preset == Function::NEVER;
        let state = if is_plain { held } else { self.fresh() };
        let mut inner = Pins(pins.0.clone());
        inner.0.push((STATE, state));
        let of = |builder: &mut Self, function: &Function| {
            let net = builder.fresh();
            builder.gate(function, &inner, instance, [net, NONE])?;
            Ok::<u32, Diagnostics>(net)
        };
        let mut loaded = of(self, &register.next)?;
        if !is_plain {
            let controls = [of(self, clear)?, of(self, preset)?];
            let next = self.fresh();
            for (before, after) in [(held, state), (loaded, next)] {
                // a clear wins over a preset
                let program = self.programs.of(OVERRIDDEN, 3);
                let inputs = [before, controls[1], controls[0]];
                self.node(Action::Gate(program), OVERRIDDEN, &inputs, [after, NONE])?;
            }
            loaded = next;
        }
        let initial = match register.initial {
            Some(false) => State::Zero,
            Some(true) => State::One,
            None => State::Unknown,
        };
        self.node(Action::Register(initial), 0, &[loaded], [held, NONE])?;
        Ok([held, state])
    }

    /// An error unless every register loads when the input `clock` rises.
    fn check_clocks(&mut self, clock: &str) -> Result<(), Diagnostics> {
        let net = self.names.get(clock).copied();
        for traced in &self.clocks {
            let (mut at, mut falling) = (traced.net, traced.falling);
            let mut steps = 0;
            while let Some(node) = self.nodes.get(self.drivers[at as usize] as usize) {
                let number = self.drivers[at as usize] as usize;
                steps += 1;
                if node.count != 1 || node.is_register() || steps > self.nodes.len() {
                    break;
                }
                falling ^= self.tables[number] == 0b01;
                at = self.inputs[node.first as usize];
            }
            if Some(at) != net || falling {
                let instance = &self.netlist.instances[traced.instance as usize];
                return Err(refused(format!(
                    "register {} has another clock than the rising edges of `{clock}`",
                    instance.name
                )));
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Circuit, Diagnostics> {
        let ports = self.netlist.inputs.iter().chain(&self.netlist.outputs);
        for name in ports.chain(self.netlist.aliases.iter().map(|(driven, _)| driven)) {
            self.net(name)?;
        }
        let reads = |node: &Node| &self.inputs[node.first as usize..][..node.count as usize];
        let ordered = order::of(&self.nodes, &self.drivers, reads).map_err(|node| {
            let instance = self.netlist.instances.get(self.nodes[node].instance as usize);
            let name = instance.map_or("", |instance| &instance.name);
            refused(format!("cell {name} is in a loop without a register"))
        })?;
        let nodes = ordered.nodes.iter().map(|i| self.nodes[*i as usize]);
        Ok(Circuit {
            programs: self.programs,
            nodes: nodes.collect(),
            inputs: self.inputs,
            groups: ordered.groups,
            nets: self.drivers.len(),
            flip_flops: self.flip_flops,
            names: self.names.into_iter().map(|(name, net)| (name.to_owned(), net)).collect(),
        })
    }
}

/// `clear ? 0 : preset ? 1 : state` of the inputs state, preset, clear.
const OVERRIDDEN: u64 = 0b0000_1110;

/// Pins of an instance and their nets.
#[derive(Default)]
struct Pins<'p>(Vec<(&'p str, u32)>);

impl Pins<'_> {
    fn find(&self, pin: &str) -> Option<u32> {
        let mut pins = self.0.iter();
        pins.find_map(|(name, net)| (*name == pin).then_some(*net))
    }
}

fn unknown(instance: &Instance) -> Diagnostics {
    let message = format!("cell {} is of type {}, of which no function is known", instance.name, instance.cell);
    Diagnostic::error("unknown-cell", message).because(Cause::UnknownCell).into()
}
