//! Proof that two netlists compute the same: cut at their registers, which correspond by name, and compared by ABC.
//!
//! What a register holds becomes an input of both sides; what it loads, its clock, clear and preset become outputs. If
//! all outputs agree for all inputs, then the netlists agree in every cycle from any common state on. A register that
//! only the first side has proves nothing by itself, but its state stays a free input: the other side, which lacks it,
//! must agree for every value of it. Registers that one side has merged have one state ([`registers`]).
//!
//! Full adders, or else sums of the same name, and instances of modules are cuts as well ([`cuts`]): they are inputs of
//! both sides, and what drives them becomes outputs. That splits a product of columns of adders, which SAT does not
//! solve, into functions of a few gates. Both sides are free of combinational loops ([`order`]), so that cuts that agree as functions of one another
//! agree as signals. Cuts are sufficient, not necessary: where the proof fails with them, ABC is asked again without.

mod blif;
mod classes;
mod cuts;
mod frame;
mod gates;
mod names;
mod order;
mod registers;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use hdl::diag::{Diagnostic, Diagnostics};

use self::cuts::{Boxes, Cuts, Ports};
use self::frame::Frame;
pub use self::gates::gates;
use crate::Program;
use sim::cell::Cells;
use sim::functions::Functions;
use sim::netlist::{self, Instance, Netlist};
use sim::tools::Meter;

/// Name of ABC's script: its `cec`, which took a fifth of the time of `&cec` on an encoder of 3 bits.
pub const SCRIPT: &str = "equiv.abc";
/// How the names of the files of both sides begin; the module follows.
const SIDES: [&str; 2] = ["golden", "gate"];

/// What was compared and found equal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Proved {
    /// Modules, each by itself.
    pub modules: usize,
    /// Registers of both sides.
    pub registers: usize,
    /// Registers that only the first side has.
    pub dropped: usize,
    /// Outputs of full adders, or sums, at which both sides were cut.
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

/// Compares two texts, `golden` out of [`gates`] and `gate` of cells with these `functions`, in `folder`, where ABC's files stay.
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
    functions: Functions<'_>,
    meter: &Meter,
) -> Result<Proof, Diagnostics> {
    let read = |text| netlist::modules(text).map_err(|e| wrong(e.to_string()));
    let (mut golden, gate) = (read(golden)?, read(gate)?);
    let mut partners: HashMap<String, Netlist> = gate.into_iter().collect();
    let golden_cells = golden.iter_mut().fold(gates(), |cells, (_, module)| functions.resolve_front(module, cells));
    let _ = std::fs::remove_file(folder.join(SCRIPT));
    let mut boxes = Boxes::new();
    let mut total = Proved::default();
    for (name, golden) in inner_first(&golden)? {
        let missing = || wrong(format!("the module `{name}` is not in the mapped netlist"));
        let mut gate = partners.remove(name).ok_or_else(missing)?;
        let gate_cells = functions.resolve(&mut gate);
        let sides = [golden, &gate];
        let cells = [&golden_cells, &*gate_cells];
        let ports = Ports {
            inputs: golden.inputs.clone(),
            outputs: golden.outputs.clone(),
            through: sides.into_iter().zip(cells).try_fold(HashSet::new(), |mut all, (side, cells)| {
                all.extend(order::through(side, cells, &boxes)?);
                Ok::<_, Diagnostics>(all)
            })?,
        };
        let pair = Pair { module: name, sides, cells, boxes: &boxes };
        match pair.compare(folder, meter)? {
            Proof::Equivalent(proved) => total.add(&proved),
            different => return Ok(different),
        }
        boxes.insert(name.to_owned(), ports);
    }
    match partners.keys().min() {
        Some(extra) => Err(wrong(format!("the module `{extra}` is in the mapped netlist only"))),
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
    let mut open: HashMap<&str, &Netlist> = modules.iter().map(|(name, module)| (name.as_str(), module)).collect();
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
    /// With cuts; without, if they do not help.
    fn compare(&self, folder: &Path, meter: &Meter) -> Result<Proof, Diagnostics> {
        let cuts = Cuts::of(self.sides, self.cells);
        let has_cuts = cuts.signals() > 0;
        match self.run(folder, cuts, meter)? {
            Proof::Different(_) if has_cuts => self.run(folder, Cuts::default(), meter),
            found => Ok(found),
        }
    }

    fn run(&self, folder: &Path, cuts: Cuts, meter: &Meter) -> Result<Proof, Diagnostics> {
        let frame = Frame::of(self, cuts)?;
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
                registers: frame.registers.shared(),
                dropped: frame.registers.states() - frame.registers.shared(),
                cuts: frame.cuts.signals(),
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

fn wrong(message: String) -> Diagnostics {
    Diagnostic::error("netlist", message).into()
}
