//! Proof that two netlists compute the same: cut at their registers, which correspond by name, and compared by ABC.
//!
//! What a register holds becomes an input of both sides; what it loads, its clock, clear and preset become outputs. If
//! all outputs agree for all inputs, then the netlists agree in every cycle from any common state on. A register that
//! only the first side has proves nothing by itself, but its state stays a free input: the other side, which lacks it,
//! must agree for every value of it.
//!
//! Full adders and instances of modules are cuts as well ([`cuts`]): their outputs are inputs of both sides, and what
//! drives them becomes outputs. That splits a product of columns of adders, which SAT does not solve, into functions of a
//! few gates. Both sides are free of combinational loops ([`order`]), so that cuts that agree as functions of one another
//! agree as signals. Cuts are sufficient, not necessary: where the proof fails with them, ABC is asked again without.

mod blif;
mod cuts;
mod gates;
mod order;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use hdl::diag::{Diagnostic, Diagnostics};

use self::blif::{Side, net_on};
use self::cuts::{Adders, Boxes, Ports};
pub use self::gates::gates;
use super::Program;
use super::netlist::{self, Instance, Netlist};
use crate::tools::Meter;

/// Name of ABC's script: its `cec`, which took a fifth of the time of `&cec` on an encoder of 3 bits.
pub const SCRIPT: &str = "equiv.abc";
/// How the names of the files of both sides begin; the module follows.
const SIDES: [&str; 2] = ["golden", "gate"];

/// The pin of a register's functions that stands for its state.
pub const STATE: &str = "(state)";

/// What becomes an output for each register.
const PARTS: [&str; 4] = ["clock", "next state", "clear", "preset"];

/// Outputs that are named when the proof fails.
const SHOWN: usize = 5;

/// A Boolean function of pins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Pins, or [`STATE`]; at most six.
    pub pins: Vec<String>,
    /// Bit `k` is its value if pin `i` has the value of bit `i` of `k`.
    pub table: u64,
}

impl Function {
    /// Zero.
    pub const NEVER: Self = Self {
        pins: Vec::new(),
        table: 0,
    };
}

/// What a cell does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cell {
    /// Output pins.
    pub outputs: Vec<(String, Function)>,
    /// Its state, if it has one.
    pub register: Option<Register>,
}

/// Functions of a register: it loads `next` when `clock` rises, unless cleared or preset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    /// Rises to load.
    pub clock: Function,
    /// What is loaded.
    pub next: Function,
    /// Clears while true.
    pub clear: Function,
    /// Sets while true.
    pub preset: Function,
}

impl Register {
    /// What becomes an output, in the order of [`PARTS`].
    fn parts(&self) -> [&Function; 4] {
        [&self.clock, &self.next, &self.clear, &self.preset]
    }
}

/// Cells by type.
pub type Cells = HashMap<String, Cell>;

/// What was compared and found equal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Proved {
    /// Modules, each by itself.
    pub modules: usize,
    /// Registers of both sides.
    pub registers: usize,
    /// Registers that only the first side has.
    pub dropped: usize,
    /// Outputs of full adders at which both sides were cut.
    pub cuts: usize,
    /// Bits compared.
    pub outputs: usize,
}

/// What ABC found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// All outputs agree.
    Equivalent(Proved),
    /// Some outputs differ; the first of them, of the first module that differs.
    Different(Vec<String>),
}

/// Compares two texts, `golden` of `golden_cells` and `gate` of `gate_cells`, in `folder`, where ABC's files stay.
///
/// Each module is compared by itself, with those that it instantiates cut out: what goes into an instance must agree,
/// what comes out may be anything. That the instances agree is another module's proof.
///
/// # Errors
/// `netlist` if a netlist has a cell that is not known, a net without driver, a combinational loop, or other modules,
/// ports or registers than the first; those of running ABC; `tool-output` if it came to no verdict.
pub fn compare(
    folder: &Path,
    [golden, gate]: [&str; 2],
    cells: [&Cells; 2],
    meter: &Meter,
) -> Result<Proof, Diagnostics> {
    let read = |text| netlist::modules(text).map_err(|e| wrong(e.to_string()));
    let (golden, gate) = (read(golden)?, read(gate)?);
    let mut partners: HashMap<&str, &Netlist> = gate
        .iter()
        .map(|(name, module)| (name.as_str(), module))
        .collect();
    let _ = std::fs::remove_file(folder.join(SCRIPT));
    let mut boxes = Boxes::new();
    let mut total = Proved::default();
    for (name, golden) in inner_first(&golden)? {
        let missing = || wrong(format!("the module `{name}` is not in the mapped netlist"));
        let gate = partners.remove(name).ok_or_else(missing)?;
        let sides = [golden, gate];
        let ports = Ports {
            inputs: golden.inputs.clone(),
            outputs: golden.outputs.clone(),
            through: sides.into_iter().zip(cells).try_fold(
                HashSet::new(),
                |mut all, (side, cells)| {
                    all.extend(order::through(side, cells, &boxes)?);
                    Ok::<_, Diagnostics>(all)
                },
            )?,
        };
        let pair = Pair {
            module: name,
            sides,
            cells,
            boxes: &boxes,
        };
        match pair.compare(folder, meter)? {
            Proof::Equivalent(proved) => total.add(&proved),
            different => return Ok(different),
        }
        boxes.insert(name.to_owned(), ports);
    }
    match partners.keys().min() {
        Some(extra) => Err(wrong(format!(
            "the module `{extra}` is in the mapped netlist only"
        ))),
        None => Ok(Proof::Equivalent(total)),
    }
}

impl Proved {
    fn add(&mut self, other: &Self) {
        self.modules += other.modules;
        self.registers += other.registers;
        self.dropped += other.dropped;
        self.cuts += other.cuts;
        self.outputs += other.outputs;
    }
}

/// The modules, each behind those that it instantiates.
fn inner_first(modules: &[(String, Netlist)]) -> Result<Vec<(&str, &Netlist)>, Diagnostics> {
    let mut open: HashMap<&str, &Netlist> = modules
        .iter()
        .map(|(name, module)| (name.as_str(), module))
        .collect();
    let mut sorted = Vec::new();
    while sorted.len() < modules.len() {
        let before = sorted.len();
        for (name, module) in modules {
            let waits = |i: &Instance| open.contains_key(i.cell.as_str());
            if open.contains_key(name.as_str()) && !module.instances.iter().any(waits) {
                open.remove(name.as_str());
                sorted.push((name.as_str(), module));
            }
        }
        if sorted.len() == before {
            return Err(wrong("a module instantiates itself".into()));
        }
    }
    Ok(sorted)
}

/// A module of both sides.
struct Pair<'a> {
    module: &'a str,
    sides: [&'a Netlist; 2],
    cells: [&'a Cells; 2],
    boxes: &'a Boxes,
}

impl Pair<'_> {
    /// With cuts at full adders; without, if they do not help.
    fn compare(&self, folder: &Path, meter: &Meter) -> Result<Proof, Diagnostics> {
        let adders = Adders::of(self.sides, self.cells);
        let has_cuts = !adders.names.is_empty();
        match self.run(folder, adders, meter)? {
            Proof::Different(_) if has_cuts => self.run(folder, Adders::default(), meter),
            found => Ok(found),
        }
    }

    fn run(&self, folder: &Path, adders: Adders, meter: &Meter) -> Result<Proof, Diagnostics> {
        let frame = Frame::of(self, adders)?;
        let files = SIDES.map(|side| format!("{side}_{}.blif", self.module));
        for (side, name) in files.iter().enumerate() {
            write(folder, name, &frame.blif(side, self)?)?;
        }
        let command = format!("cec {}", files.join(" "));
        let script = std::fs::read_to_string(folder.join(SCRIPT)).unwrap_or_default();
        write(folder, SCRIPT, &format!("{script}{command}\n"))?;
        let said = Program::Abc.run(folder, &["-q", &command], meter)?;
        let said = said.said();
        if said.contains("Networks are equivalent") {
            Ok(Proof::Equivalent(Proved {
                modules: 1,
                registers: frame.registers.len(),
                dropped: frame.states.len() - frame.registers.len(),
                cuts: frame.adders.names.len(),
                outputs: frame.outputs.len(),
            }))
        } else if said.contains("NOT EQUIVALENT") {
            Ok(Proof::Different(frame.named(&said)))
        } else {
            let error = Diagnostic::error("tool-output", "ABC came to no verdict");
            Err(error.label(None, said).into())
        }
    }
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), Diagnostics> {
    let path = folder.join(name);
    std::fs::write(&path, text).map_err(|e| {
        let message = format!("cannot write {}: {e}", path.display());
        Diagnostic::error("file", message).into()
    })
}

/// An error if `second` has one that `first` lacks.
fn only_in_second<'a>(
    kind: &str,
    first: impl Iterator<Item = &'a str>,
    second: impl Iterator<Item = &'a str>,
) -> Result<(), Diagnostics> {
    let first: HashSet<&str> = first.collect();
    match second.filter(|name| !first.contains(name)).min() {
        Some(extra) => Err(wrong(format!(
            "the {kind} `{extra}` is in the mapped netlist only"
        ))),
        None => Ok(()),
    }
}

fn wrong(message: String) -> Diagnostics {
    Diagnostic::error("netlist", message).into()
}

/// Inputs and outputs that both sides get, in this order.
#[derive(Debug)]
struct Frame {
    inputs: Vec<String>,
    /// Registers of the first side: their states are inputs.
    states: Vec<String>,
    /// Registers of both sides.
    registers: HashSet<String>,
    /// Their outputs are inputs, after the states.
    adders: Adders,
    /// Instances of modules on the first side, with the number of their first output, which are inputs after those.
    instances: HashMap<String, usize>,
    /// Instances of both sides, in the first's order.
    joined: Vec<(String, String)>,
    /// Number of inputs besides the module's.
    shared: usize,
    /// Names for people.
    outputs: Vec<String>,
}

impl Frame {
    fn of(pair: &Pair<'_>, adders: Adders) -> Result<Self, Diagnostics> {
        let [golden, gate] = pair.sides;
        let cells = pair.cells;
        if (&golden.inputs, &golden.outputs) != (&gate.inputs, &gate.outputs) {
            return Err(wrong(format!(
                "the netlists of `{}` have different ports",
                pair.module
            )));
        }
        let registers = |side: usize| -> Vec<&Instance> {
            let instances = pair.sides[side].instances.iter();
            let is_register = |cell: &Cell| cell.register.is_some();
            instances
                .filter(|i| cells[side].get(&i.cell).is_some_and(is_register))
                .collect()
        };
        let states = registers(0);
        let of_gate: HashSet<String> = registers(1).iter().map(|i| i.name.clone()).collect();
        let names = states.iter().map(|i| i.name.as_str());
        only_in_second("register", names, of_gate.iter().map(String::as_str))?;
        let mut outputs = golden.outputs.clone();
        for register in states.iter().filter(|r| of_gate.contains(&r.name)) {
            // people know a register by what it drives
            let drives = &cells[0][&register.cell].outputs;
            let net = drives.first().and_then(|(pin, _)| net_on(register, pin));
            let name = net.unwrap_or(&register.name);
            outputs.extend(PARTS.map(|part| format!("{part} of {name}")));
        }
        outputs.extend(adders.names.iter().cloned());
        let mut shared = states.len() + adders.names.len();
        let modules = |side: usize| -> Vec<(&str, &str)> {
            let instances = pair.sides[side].instances.iter();
            let boxed = instances.filter(|i| pair.boxes.contains_key(&i.cell));
            boxed.map(|i| (i.name.as_str(), i.cell.as_str())).collect()
        };
        let of_golden = modules(0);
        let modules_of_gate = modules(1);
        let [first, second] = [&of_golden, &modules_of_gate].map(|all| -> Vec<String> {
            let all = all.iter();
            all.map(|(name, module)| format!("{name}` of `{module}"))
                .collect()
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
        Ok(Self {
            inputs: golden.inputs.clone(),
            states: states.iter().map(|i| i.name.clone()).collect(),
            registers: of_gate,
            adders,
            instances,
            joined,
            shared,
            outputs,
        })
    }

    /// One side in BLIF. Nets are numbered, so that names may hold what BLIF cannot.
    fn blif(&self, number: usize, pair: &Pair<'_>) -> Result<String, Diagnostics> {
        let (netlist, cells) = (pair.sides[number], pair.cells[number]);
        let mut side = Side::default();
        for net in &self.inputs {
            side.driven(net)?;
        }
        let mut loads: HashMap<&str, Vec<u32>> = HashMap::new();
        let mut cuts = vec![0; self.adders.names.len()];
        side.name_states(&self.states);
        for instance in &netlist.instances {
            if let Some(ports) = pair.boxes.get(&instance.cell) {
                let inputs = self.module(instance, ports, &mut side)?;
                loads.insert(&instance.name, inputs);
                continue;
            }
            let cell = cells.get(&instance.cell).ok_or_else(|| {
                wrong(format!(
                    "`{}` is of the type `{}`, whose function is not known",
                    instance.name, instance.cell
                ))
            })?;
            for (pin, function) in &cell.outputs {
                let Some(net) = net_on(instance, pin) else {
                    continue;
                };
                let mut output = side.driven(net)?;
                if let Some(cut) = self.adders.cut(number, instance, pin) {
                    side.shared(self.states.len() + cut, output);
                    output = side.fresh();
                    cuts[cut] = output;
                }
                side.function(instance, function, output)?;
            }
            if let Some(register) = cell
                .register
                .as_ref()
                .filter(|_| self.registers.contains(&instance.name))
            {
                let outputs = register.parts().map(|part| (side.fresh(), part));
                for (output, function) in outputs {
                    side.function(instance, function, output)?;
                }
                loads.insert(&instance.name, outputs.map(|(output, _)| output).to_vec());
            }
        }
        for (driven, driver) in &netlist.aliases {
            side.alias(driven, driver)?;
        }
        side.constants();
        let mut outputs: Vec<u32> = netlist.outputs.iter().map(|net| side.used(net)).collect();
        let load = |name: &str| {
            let missing = || wrong(format!("there is no register or instance `{name}`"));
            loads.get(name).ok_or_else(missing)
        };
        for register in self.states.iter().filter(|r| self.registers.contains(*r)) {
            outputs.extend(load(register)?);
        }
        outputs.extend(cuts);
        for (instance, _) in &self.joined {
            outputs.extend(load(instance)?);
        }
        side.check()?;
        Ok(side.text(&self.inputs, self.shared, &outputs))
    }

    /// Drives what an instance drives by the shared inputs; gives the nets that go into it.
    fn module<'n>(
        &self,
        instance: &'n Instance,
        ports: &Ports,
        side: &mut Side<'n>,
    ) -> Result<Vec<u32>, Diagnostics> {
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
            _ => Err(wrong(format!(
                "nothing is on port {port} of `{}`",
                instance.name
            ))),
        });
        inputs.collect()
    }

    /// The outputs that ABC names, `o12`, with their names for people.
    fn named(&self, said: &str) -> Vec<String> {
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
