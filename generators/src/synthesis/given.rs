//! A netlist that somebody gives, such as an edited one, against a folder's Verilog.

use std::path::Path;
use std::time::Duration;

use constraints::Target;
use constraints::timing::Picoseconds;
use hdl::diag::Diagnostic;
use openlane::equivalence::{self, Proof};
use openlane::liberty::functions;
use openlane::yosys::{self as mapping, Sources};
use openlane::{FRONT, LIBERTY, NETLIST, Program};
use sim::functions::Functions;
use sim::gates::{Circuit, Stimulus, Watch, check};
use sim::netlist::Netlist;
use sim::tools::{Meter, Scratch};
use sim::vectors::Vectors;

use super::Hierarchy;
use super::asic::bus_of;
use super::cells::Cells;
use super::equiv::in_words;
use super::gates::Simulator;
use super::layers::Layers;
use super::work::Work;
use crate::failure::{Failure, Result};
use crate::flow::Folder;
use crate::flow::batch::first;
use crate::flow::options::DEFAULT_CLOCK_NS;
use crate::import::bounded;
use crate::output::staging::{Edited, Staging};
use crate::output::synthesis::Synthesis;

/// Random vectors in which a difference is looked for, and their seed.
const VECTORS: usize = 4096;
const SEED: u64 = 3;

/// A netlist of a library's cells.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// The file: Verilog, or Yosys's JSON if its name ends so.
    pub file: &'a Path,
    /// The target whose library has the cells.
    pub target: &'a Target,
    /// The library of a target that has none of its own.
    pub liberty: Option<&'a Path>,
    /// The longest that a program may run.
    pub limit: Duration,
}

/// Whether a given netlist is the Verilog.
#[derive(Debug, Clone)]
pub enum Compared {
    /// For every input, in these words.
    Equal(String),
    /// Not.
    Different {
        /// Outputs and registers that differ, with layer and neuron where they are known.
        places: Vec<String>,
        /// One vector that shows it in our gate-level simulation, and what that says of it.
        shown: Option<(Vectors, String)>,
    },
}

impl Given<'_> {
    /// Compares it with the Verilog that is in `folder` now: cut at registers, which correspond by name, by ABC.
    ///
    /// # Errors
    /// A netlist that is not of the library's cells, or has other ports or registers than the Verilog; tools that are
    /// missing or fail.
    pub fn compare(&self, folder: &Folder) -> Result<Compared> {
        let scratch = Scratch::new().map_err(|e| Failure::io("make a temporary folder", &std::env::temp_dir(), &e))?;
        let staging = Staging::begin(&scratch.path().join("netlist"), Edited::Refuse)?;
        let (top, clock) = (&folder.top, Picoseconds::from_ns(DEFAULT_CLOCK_NS)?);
        let report = Synthesis::new(&top.name, &self.target.name, clock.ns(), top.latency(), false);
        let mut work = Work { folder, clock, staging: &staging, simulator: Simulator::Own, report };
        let cells = Cells::obtain(self.target, self.liberty)?;
        let meter = Meter::new(self.limit);
        let kept = super::kept(&mut work, Hierarchy::Auto)?;
        self.read_both(&work, &cells, &kept, &meter)?;
        let read = |name: &str| bounded::read_text("read the netlist", &staging.path().join(name), bounded::OWN);
        let (golden, gate) = (read(FRONT)?, read(NETLIST)?);
        let known = functions(&cells.library);
        let functions = Functions::Cells(&known);
        let proof = equivalence::compare(staging.path(), [&golden, &gate], functions, &meter);
        match proof.map_err(Failure::Check)? {
            Proof::Equivalent(proved) => Ok(Compared::Equal(in_words(&proved))),
            Proof::Different(places) => {
                let layers = Layers::of_folder(work.folder).map_err(Failure::Check)?;
                let places = places.iter().map(|place| described(place, &layers)).collect();
                Ok(Compared::Different { places, shown: shown(folder, &gate, functions)? })
            }
        }
    }

    /// Has Yosys write both sides: the Verilog as gates, and the netlist.
    fn read_both(&self, work: &Work<'_>, cells: &Cells, kept: &[String], meter: &Meter) -> Result<()> {
        let (staging, top) = (work.staging, &work.folder.top.name);
        let is_json = self.file.extension().is_some_and(|ending| ending == "json");
        let given = if is_json { "given.json" } else { "given.v" };
        staging.write(given, bounded::read("read the netlist", self.file, bounded::OWN)?)?;
        let files = work.copy_sources()?;
        staging.write(LIBERTY, &cells.liberty)?;
        staging.write(mapping::ADDERS_FILE, mapping::ADDERS)?;
        let front = mapping::front_script(&Sources { top, files: &files, kept })?;
        let scripts = [("front.ys", front), ("given.ys", mapping::given_script(given, top)?)];
        for (name, script) in scripts {
            staging.write(name, script)?;
            Program::Yosys.run(staging.path(), &["-q", "-s", name], meter).map_err(Failure::Check)?;
        }
        Ok(())
    }
}

/// An output, or a part of a register, with its layer.
fn described(place: &str, layers: &Layers) -> String {
    let (part, net) = place.rsplit_once(" of ").map_or(("", place), |(part, net)| (part, net));
    let layer = layers.describe(net).or_else(|| layers.describe(bus_of(net)));
    match (part, layer) {
        ("", None) => format!("output {net}"),
        ("", Some(layer)) => format!("{net} ({layer})"),
        (part, None) => format!("{part} of {net}"),
        (part, Some(layer)) => format!("{part} of {net} ({layer})"),
    }
}

/// The first of many random vectors for which the netlist `gate` does not give what the model says.
fn shown(folder: &Folder, gate: &str, functions: Functions<'_>) -> Result<Option<(Vectors, String)>> {
    let broken = |e: std::io::Error| Failure::check(Diagnostic::error("netlist", e.to_string()));
    let mut netlist = Netlist::read(gate.as_bytes()).map_err(broken)?;
    let cells = functions.resolve(&mut netlist);
    let circuit = Circuit::new(&netlist, &cells, "clk").map_err(Failure::Check)?;
    let model = folder.design.model();
    let preamble = model.preamble().map_err(Failure::user)?;
    let all = model.random_vectors(VECTORS, SEED).map_err(Failure::user)?;
    let wrong = |count: usize| -> Result<Option<String>> {
        let stimulus = Stimulus::new(&folder.top, &first(&all, count), preamble.as_ref())?;
        let outcome = check(&circuit, &folder.top, &stimulus, Watch::default()).map_err(Failure::Check)?;
        Ok(outcome.shown.into_iter().next())
    };
    let Some(mut said) = wrong(VECTORS)? else { return Ok(None) };
    // the least number of vectors the last of which is wrong
    let (mut right, mut enough) = (0, VECTORS);
    while enough - right > 1 {
        let middle = right.midpoint(enough);
        match wrong(middle)? {
            Some(now) => (enough, said) = (middle, now),
            None => right = middle,
        }
    }
    Ok(Some((first(&all, enough), said)))
}
