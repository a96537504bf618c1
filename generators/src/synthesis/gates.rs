//! Gate-level simulation: the netlist against the folder's vectors, in our own simulator, in Icarus or in Verilator.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;
use hdl::diag::{Cause, Diagnostic, Diagnostics};
use openlane as synth;
use sim::functions::Functions;
use sim::gates::{Circuit, Outcome, Stimulus, Watch, check};
use sim::netlist::Netlist;
use sim::testbench::{self, bench};
use sim::tools::{Engine, Job, Meter, Verdict};
use sim::vectors::Held;

use super::step::{Finding, Found};
use super::work::{RTL, Work};

/// Cells times cycles that Icarus simulates in about a minute.
const SMALL: usize = 8_000_000;
/// Cells times cycles of the samples that Icarus is given of a larger netlist, whose loading of weights comes on top.
const SAMPLED: usize = 400_000;
/// Cells times cycles from which on Icarus is not even given the first samples.
const LARGEST: usize = 400_000_000;

/// Longest that Icarus may take for them.
const WITNESS: Duration = Duration::from_secs(300);

/// Which program simulates the netlist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Simulator {
    /// Icarus if the netlist is small; else our own, and Icarus for the first vectors as a witness
    #[default]
    Auto,
    /// Icarus Verilog, all vectors
    Icarus,
    /// Verilator, all vectors
    Verilator,
    /// Our own, all vectors
    Own,
}

/// What our own simulator is called in reports.
pub fn own() -> String {
    format!("hwgen {} gate-level simulation", env!("CARGO_PKG_VERSION"))
}

/// The netlist as our own simulator takes it.
pub struct Mapped {
    /// As it was read.
    pub netlist: Netlist,
    /// As it is simulated.
    pub circuit: Circuit,
    /// What goes in and must come out.
    pub stimulus: Stimulus,
}

impl Mapped {
    /// Reads the run's netlist of cells with these `functions`, and the folder's vectors.
    ///
    /// # Errors
    /// Those of reading, and a netlist that cannot be simulated.
    pub fn read(work: &Work<'_>, functions: Functions<'_>) -> Result<Self, Diagnostics> {
        let path = work.staging.path().join(synth::NETLIST);
        let failed = |e: std::io::Error| -> Diagnostics {
            Diagnostic::error("netlist", format!("{}: {e}", synth::NETLIST)).into()
        };
        let file = File::open(path).map_err(failed)?;
        let mut netlist = Netlist::read(BufReader::new(file)).map_err(failed)?;
        let cells = functions.resolve(&mut netlist);
        let circuit = Circuit::new(&netlist, &cells, "clk")?;
        let (vectors, preamble) = work.vectors()?;
        let stimulus = Stimulus::new(&work.folder.top, &vectors, preamble.as_ref())?;
        Ok(Self { netlist, circuit, stimulus })
    }

    /// Simulates all vectors, and counts what `watch` asks for.
    ///
    /// # Errors
    /// A netlist without one of the module's ports.
    pub fn run(&self, work: &Work<'_>, watch: Watch<'_>) -> Result<Outcome, Diagnostics> {
        check(&self.circuit, &work.folder.top, &self.stimulus, watch)
    }

    fn finding(&self, outcome: &Outcome, latency: u32) -> Finding {
        let Outcome { mismatches, shown, .. } = outcome;
        let samples = self.stimulus.samples;
        Finding {
            holds: *mismatches == 0,
            words: match shown.first() {
                None => format!("{samples} vectors bit-exact at latency {latency} in {}", own()),
                Some(first) => format!("{mismatches} mismatches in {samples} vectors; {first}; {}", own()),
            },
        }
    }
}

/// Runs all vectors through the netlist of cells with these `functions`, as the run's `simulator` says.
pub fn simulate(work: &Work<'_>, functions: Functions<'_>, meter: &Meter) -> Found {
    let samples = write_vectors(work)?;
    let bench = |engine, samples| all_or_some(work, engine, samples, meter);
    match work.simulator {
        Simulator::Icarus => bench(Engine::Icarus, samples),
        Simulator::Verilator => bench(Engine::Verilator, samples),
        Simulator::Own => simulate_here(work, functions),
        Simulator::Auto => {
            let instances = work.report.cells.values().sum::<usize>().max(1);
            let before = work.vectors()?.1.map_or(0, |preamble| preamble.cycles.len());
            if instances * (before + samples) <= SMALL {
                return bench(Engine::Icarus, samples);
            }
            let found = match simulate_here(work, functions) {
                // a primitive that only the models of its family describe
                Err(error) if error.has(Cause::UnknownCell) => return bench(Engine::Icarus, samples),
                found => found?,
            };
            if instances * before > LARGEST || !found.holds {
                return Ok(found);
            }
            let some = (SAMPLED / instances).clamp(1, samples);
            let brief = Meter::new(meter.limit().min(WITNESS));
            let witness = all_or_some(work, Engine::Icarus, some, &brief);
            meter.note(brief.peak_bytes(), brief.cpu());
            let (holds, said) = match witness {
                Ok(witness) => (witness.holds, witness.words),
                // what was found is right without it
                Err(error) => (true, format!("not simulated by another program: {error}")),
            };
            Ok(Finding { holds, words: format!("{}; the first {some}: {said}", found.words) })
        }
    }
}

fn simulate_here(work: &Work<'_>, functions: Functions<'_>) -> Found {
    let mapped = Mapped::read(work, functions)?;
    let outcome = mapped.run(work, Watch::default())?;
    Ok(mapped.finding(&outcome, work.folder.top.latency()))
}

/// The emitted test bench on the netlist and the models of its cells.
fn all_or_some(work: &Work<'_>, engine: Engine, samples: usize, meter: &Meter) -> Found {
    let top = &work.folder.top.name;
    let bench_file = format!("{RTL}/{top}_tb.v");
    let sources = [&bench_file, synth::NETLIST, synth::CELL_MODELS];
    run(work, engine, top, &sources, samples, meter)
}

/// Runs `samples` samples through the bench of `top` and `sources`, all files of the output folder.
pub fn run(work: &Work<'_>, engine: Engine, top: &str, sources: &[&str], samples: usize, meter: &Meter) -> Found {
    let folder = work.staging.path();
    let sources: Vec<_> = sources.iter().map(|name| folder.join(name)).collect();
    let outcome = engine.run(&Job {
        top,
        sources: &sources,
        vectors: &folder.join(testbench::FOLDER),
        samples,
        blocks: &[],
        waves: None,
        limit: meter.limit(),
    })?;
    meter.note(outcome.peak_bytes, outcome.cpu);
    let version = &outcome.tool.version;
    Ok(match outcome.verdict {
        Verdict::Pass { vectors, latency } => {
            Finding::good(format!("{vectors} vectors bit-exact at latency {latency} in {version}"))
        }
        Verdict::Fail(why) => Finding {
            holds: false,
            words: format!("{why}; {}; {version}", outcome.mismatches.first().map_or("", String::as_str)),
        },
    })
}
/// Writes what the benches read; gives the number of samples.
fn write_vectors(work: &Work<'_>) -> Result<usize, Diagnostics> {
    let (vectors, preamble) = work.vectors()?;
    let words = bench(&work.folder.top, &vectors, &Held::new(), preamble.as_ref())?;
    let place = work.staging.path().join(testbench::FOLDER);
    let failed =
        |e: std::io::Error| -> Diagnostics { Diagnostic::error("file", format!("gate-level simulation: {e}")).into() };
    fs::create_dir_all(&place).map_err(failed)?;
    let write = |name: &str, text: String| fs::write(Path::new(&place).join(name), text);
    write(testbench::INPUTS, words.inputs).map_err(failed)?;
    write(testbench::EXPECTED, words.expected).map_err(failed)?;
    if let Some(order) = words.order {
        write(testbench::ORDER, order).map_err(failed)?;
    }
    if let Some(words) = words.preamble {
        write(testbench::PREAMBLE, words).map_err(failed)?;
    }
    Ok(vectors.len())
}
