//! `hwgen sim`: runs a folder's vectors in the batch simulator, Icarus and Verilator, and compares every output bit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use hdl::dfg::eval::Stepper;
use hdl::dfg::{Module, text};
use hdl::diag::Diagnostic;
use hdl::passes::flatten;
use serde::Serialize;
use sim::batch::{Batch, Content};
use sim::preamble::Preamble;
use sim::stream::{Mismatch, stream};
use sim::testbench::{self, bench};
use sim::tools::{Engine, Job, Verdict};
use sim::vectors::{Held, Rows, Vectors};
use sim::waves::Waves;

use crate::design::{Column, Design};
use crate::failure::{Failure, Result};
use crate::import::bounded;
use crate::output::emit::{GRAPH_FILE, MODEL_FILE, VECTORS_FILE};
use crate::output::folder::{MANIFEST, Staging};
use crate::output::table::Table;

/// Run a folder's vectors through the design and compare every output bit in its stated cycle.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  hwgen sim rtl/ --engine all\n  hwgen sim rtl/ --engine batch --random 100000 --seed 7"
)]
pub struct SimArgs {
    /// A folder that hwgen wrote
    dir: PathBuf,
    /// What runs the vectors
    #[arg(long, value_enum, default_value_t = Choice::Batch)]
    engine: Choice,
    /// Vectors instead of the folder's: JSON with one row of integers an event under each port's name
    #[arg(long, value_name = "FILE", conflicts_with = "random")]
    vectors: Option<PathBuf>,
    /// Random vectors instead of the folder's, with what the integer model gives
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    random: Option<u32>,
    /// Seed of the random vectors
    #[arg(long, default_value_t = 1, requires = "random")]
    seed: u64,
    /// Run no more than the first N vectors
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    first: Option<u32>,
    /// Write the waveforms of the ports: VCD, or FST if FILE ends so (Icarus and Verilator)
    #[arg(long, value_name = "FILE")]
    waves: Option<PathBuf>,
    /// The longest that building or running may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    limit: u64,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Which engines to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Choice {
    /// hwgen's own simulator
    Batch,
    /// Icarus Verilog
    Icarus,
    /// Verilator
    Verilator,
    /// One after the other
    All,
}

/// How one engine did.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// Engine with version.
    pub engine: String,
    /// Vectors compared.
    pub vectors: usize,
    /// Latency in which the outputs came; none where vectors are cycles, each with the outputs of that cycle.
    pub latency: Option<u32>,
    /// Whether every bit was right.
    pub pass: bool,
    /// The first mismatches.
    pub mismatches: Vec<String>,
    /// Seconds to build and to run.
    pub seconds: [f64; 2],
}

/// Mismatches shown for each engine.
const SHOWN: usize = 10;
/// Samples that the cycle-accurate evaluator streams to prove the latency.
const STREAMED: usize = 64;

impl Outcome {
    /// The outcome, or a failed check.
    pub fn require_pass(self) -> Result<Self> {
        if self.pass {
            return Ok(self);
        }
        let message = format!("{} found mismatches against the integer model", self.engine);
        let error = self.mismatches.iter().fold(Diagnostic::error("mismatch", message), |d, m| d.label(None, m));
        Err(Failure::check(error))
    }

    /// In a few words.
    pub fn summary(&self) -> String {
        if self.pass {
            match self.latency {
                Some(latency) => format!("{} vectors bit-exact at latency {latency}", self.vectors),
                None => format!("{} cycles bit-exact, outputs in every cycle", self.vectors),
            }
        } else {
            format!("FAILED: {}", self.mismatches.first().map_or("no verdict", String::as_str))
        }
    }
}

/// Runs the command.
pub fn run(args: &SimArgs) -> Result<()> {
    let folder = Folder::open(&args.dir)?;
    let vectors = folder.vectors(args)?;
    let preamble = folder.design.model().preamble().map_err(Failure::user)?;
    let mut outcomes = Vec::new();
    if matches!(args.engine, Choice::Batch | Choice::All) {
        outcomes.push(run_batch(&folder.top, &vectors, preamble.as_ref())?);
        if let (Choice::Batch, Some(waves)) = (args.engine, &args.waves) {
            write_waves(&folder.top, &vectors, preamble.as_ref(), waves)?;
        }
    }
    if matches!(args.engine, Choice::Icarus | Choice::All) {
        outcomes.push(folder.run_verilog(Engine::Icarus, &vectors, preamble.as_ref(), args)?);
    }
    if matches!(args.engine, Choice::Verilator | Choice::All) {
        outcomes.push(folder.run_verilog(Engine::Verilator, &vectors, preamble.as_ref(), args)?);
    }
    if args.json {
        let json = serde_json::to_string_pretty(&outcomes).expect("plain data");
        super::say(format_args!("{json}\n"));
    } else {
        let mismatches: String = outcomes.iter().flat_map(|o| &o.mismatches).map(|m| format!("{m}\n")).collect();
        super::say(format_args!("{}{mismatches}", table(&outcomes)));
    }
    match outcomes.iter().find(|o| !o.pass) {
        Some(failed) => Err(Failure::check(Diagnostic::error(
            "mismatch",
            format!("{}: the design is not what its model says", failed.engine),
        ))),
        None => Ok(()),
    }
}

fn table(outcomes: &[Outcome]) -> Table {
    let mut table = Table::new(["engine", "vectors", "latency", "result", "build s", "run s"]);
    for outcome in outcomes {
        table.row([
            outcome.engine.clone(),
            outcome.vectors.to_string(),
            outcome.latency.map_or_else(|| "every cycle".into(), |l| l.to_string()),
            if outcome.pass { "bit-exact".into() } else { "MISMATCH".into() },
            format!("{:.2}", outcome.seconds[0]),
            format!("{:.2}", outcome.seconds[1]),
        ]);
    }
    table
}

/// Runs `vectors` in the batch simulator, and the first few cycle by cycle in the evaluator, which proves the latency.
pub fn run_batch(top: &Arc<Module>, vectors: &Vectors, preamble: Option<&Preamble>) -> Result<Outcome> {
    let started = Instant::now();
    let flat = Arc::new(flatten(top)?);
    if is_stream(&flat, preamble) {
        return run_stepped(&flat, vectors, started);
    }
    let batch = Batch::compile(&flat)?;
    let mut stepper = Stepper::new(&flat)?;
    let mut mismatches = Vec::new();
    if let Some(preamble) = preamble {
        let wrong = preamble.play(&flat, &mut stepper)?;
        mismatches.extend(wrong.iter().map(|cycle| format!("register port: wrong answer in preamble cycle {cycle}")));
    }
    let content = Content::of(&flat, &stepper);
    let build = started.elapsed();

    let started = Instant::now();
    let rows = vectors.input_rows(&flat, &Held::new())?;
    let outputs = batch.run_with(&rows, &content)?;
    let got = Vectors { inputs: BTreeMap::new(), ..vectors.clone() }.with_outputs(&flat, &outputs);
    mismatches.extend(different(vectors, &got).map(|m| m.to_string()));
    let few = first(vectors, STREAMED);
    let streamed = stream(&flat, &mut stepper, &few, &Held::new(), |_| {})?;
    mismatches.extend(streamed.iter().map(|m| format!("cycle by cycle: {m}")));
    let pass = mismatches.is_empty();
    mismatches.truncate(SHOWN);
    Ok(Outcome {
        engine: format!("batch (hwgen {})", env!("CARGO_PKG_VERSION")),
        vectors: vectors.len(),
        latency: Some(flat.latency()),
        pass,
        mismatches,
        seconds: [build, started.elapsed()].map(|d| d.as_secs_f64()),
    })
}

/// Whether registers with feedback decide when outputs come.
fn is_stream(top: &Module, preamble: Option<&Preamble>) -> bool {
    preamble.is_none() && !top.states.is_empty()
}

/// Runs all `vectors` cycle by cycle: the batch simulator has no clock, and what registers with feedback hold is part
/// of the result here.
fn run_stepped(flat: &Arc<Module>, vectors: &Vectors, started: Instant) -> Result<Outcome> {
    let mut stepper = Stepper::new(flat)?;
    let build = started.elapsed();
    let started = Instant::now();
    let found = stream(flat, &mut stepper, vectors, &Held::new(), |_| {})?;
    Ok(Outcome {
        engine: format!("cycle by cycle (hwgen {})", env!("CARGO_PKG_VERSION")),
        vectors: vectors.len(),
        latency: None,
        pass: found.is_empty(),
        mismatches: found.iter().take(SHOWN).map(Mismatch::to_string).collect(),
        seconds: [build, started.elapsed()].map(|d| d.as_secs_f64()),
    })
}

/// Where the outputs of `got` are not those that `expected` wants.
fn different<'v>(expected: &'v Vectors, got: &'v Vectors) -> impl Iterator<Item = Mismatch> + 'v {
    expected.outputs.iter().flat_map(move |(port, wanted)| {
        let rows = wanted.iter().zip(got.outputs[port].iter()).enumerate();
        rows.flat_map(move |(sample, (wanted, got))| {
            let pairs = wanted.iter().zip(got).enumerate().filter(|(_, (w, g))| w != g);
            pairs.map(move |(element, (expected, got))| Mismatch {
                sample,
                port: port.clone(),
                element,
                expected: *expected,
                got: *got,
            })
        })
    })
}

fn first(vectors: &Vectors, count: usize) -> Vectors {
    let cut =
        |rows: &BTreeMap<String, Rows>| rows.iter().map(|(name, rows)| (name.clone(), rows.first(count))).collect();
    Vectors { inputs: cut(&vectors.inputs), outputs: cut(&vectors.outputs) }
}

fn write_waves(top: &Arc<Module>, vectors: &Vectors, preamble: Option<&Preamble>, path: &Path) -> Result<()> {
    let mut stepper = Stepper::new(top)?;
    if let Some(preamble) = preamble {
        preamble.play(top, &mut stepper)?;
    }
    let failed = |e: std::io::Error| Failure::io("write the waveforms", path, &e);
    let mut dump = Vec::new();
    let mut waves = Waves::new(&mut dump, top).map_err(failed)?;
    let mut result = Ok(());
    stream(top, &mut stepper, vectors, &Held::new(), |cycle| {
        if result.is_ok() {
            result = waves.write(cycle);
        }
    })?;
    result.and_then(|()| waves.finish()).map_err(failed)?;
    std::fs::write(path, dump).map_err(failed)
}

/// Nodes of a design, instances counted each, from which on Verilator is to compile repeated modules once.
const LARGE: usize = 100_000;

/// The modules of a large design that stand in it more than once.
fn repeated(top: &Arc<Module>) -> Vec<String> {
    let modules = top.hierarchy();
    let mut copies = vec![0usize; modules.len()];
    let mut size = 0;
    // users come behind what they use
    for (k, module) in modules.iter().enumerate().rev() {
        copies[k] = copies[k].max(usize::from(Arc::ptr_eq(module, top)));
        size += copies[k] * module.graph.len();
        for instance in &module.instances {
            let used = modules.iter().position(|m| Arc::ptr_eq(m, &instance.module));
            used.into_iter().for_each(|used| copies[used] += copies[k]);
        }
    }
    let several = modules.iter().zip(&copies).filter(|(_, n)| size >= LARGE && **n > 1);
    several.map(|(module, _)| module.name.clone()).collect()
}

/// An output folder of ours, read back.
pub(super) struct Folder {
    dir: PathBuf,
    /// The top module.
    pub(super) top: Arc<Module>,
    /// The model.
    pub(super) design: Design,
}

impl Folder {
    pub(super) fn open(dir: &Path) -> Result<Self> {
        if !dir.join(MANIFEST).is_file() {
            let error = Diagnostic::error("no-design", "this is no folder that hwgen wrote")
                .at(dir.display().to_string(), "looked here")
                .help("make one, such as with `hwgen encoder --out DIR`");
            return Err(Failure::user(error));
        }
        let read = |name: &str| {
            let path = dir.join(name);
            bounded::read_text("read the file", &path, bounded::OWN)
        };
        let damaged =
            |name: &str, d: Diagnostic| Failure::user(d.at(dir.join(name).display().to_string(), "in this file"));
        let modules = text::parse(&read(GRAPH_FILE)?).map_err(|d| {
            let file = dir.join(GRAPH_FILE).display().to_string();
            let in_file = |d: Diagnostic| d.at(file.clone(), "in this file");
            Failure::User(hdl::diag::Diagnostics(d.0.into_iter().map(in_file).collect()))
        })?;
        let top = modules.last().cloned();
        let top = top.ok_or_else(|| damaged(GRAPH_FILE, Diagnostic::error("no-design", "there is no module in it")))?;
        let design: Design = serde_json::from_str(&read(MODEL_FILE)?)
            .map_err(|e| damaged(MODEL_FILE, Diagnostic::error("json", format!("this is no model: {e}"))))?;
        design.model().validate().map_err(|d| damaged(MODEL_FILE, d))?;
        Ok(Self { dir: dir.to_owned(), top, design })
    }

    fn vectors(&self, args: &SimArgs) -> Result<Vectors> {
        let vectors = match (&args.vectors, args.random) {
            (Some(file), _) => self.events_of(file)?,
            (None, Some(count)) => {
                let vectors = self.design.model().random_vectors(count as usize, args.seed);
                vectors.map_err(Failure::user)?
            }
            (None, None) => {
                let path = self.dir.join(VECTORS_FILE);
                let text = bounded::read_text("read the vectors", &path, bounded::OWN)?;
                serde_json::from_str(&text).map_err(|e| self.not_vectors(&path, &e.to_string()))?
            }
        };
        vectors.check(&self.top)?;
        Ok(args.first.map_or_else(|| vectors.clone(), |count| first(&vectors, count as usize)))
    }

    /// Vectors in a user's file: an event a row under each input's key, expected values under the outputs'.
    fn events_of(&self, path: &Path) -> Result<Vectors> {
        let text = bounded::read_text("read the vectors", path, bounded::OWN)?;
        let json: serde_json::Value =
            serde_json::from_str(&text).map_err(|e| self.not_vectors(path, &e.to_string()))?;
        let rows = |key: &str| -> Result<Option<Rows>> {
            let column = json.get(key).cloned().map(|column| match column {
                // one value an event may stand without brackets
                serde_json::Value::Array(items) if items.iter().all(serde_json::Value::is_number) => {
                    items.into_iter().map(|item| serde_json::json!([item])).collect()
                }
                other => other,
            });
            let parsed = column.map(serde_json::from_value).transpose();
            parsed.map_err(|e| self.not_vectors(path, &format!("`{key}`: {e}")))
        };
        let mut inputs = BTreeMap::new();
        for Column { key, port } in self.design.model().inputs() {
            let missing = || self.not_vectors(path, &format!("there is no `{key}`"));
            inputs.insert(port, rows(&key)?.ok_or_else(missing)?);
        }
        let mut outputs = BTreeMap::new();
        for Column { key, port } in self.design.model().outputs() {
            let known = self.top.outputs.iter().any(|p| p.name == port);
            if let Some(column) = rows(&key)?.filter(|_| known) {
                outputs.insert(port, column);
            }
        }
        if outputs.is_empty() {
            return Err(self.not_vectors(path, "there is no output to compare with"));
        }
        let vectors = Vectors { inputs, outputs };
        vectors.check(&self.top).map_err(|d| self.not_vectors(path, &d.messages()))?;
        Ok(vectors)
    }

    fn not_vectors(&self, path: &Path, reason: &str) -> Failure {
        let model = self.design.model();
        let shown: Vec<String> = model
            .inputs()
            .iter()
            .chain(&model.outputs())
            .map(|column| format!("\"{}\": [[integers], …]", column.key))
            .collect();
        let message = format!("these are no vectors for the design: {reason}");
        let error = Diagnostic::error("vectors", message)
            .at(path.display().to_string(), "in this file")
            .help(format!("expected JSON as {{{}}}", shown.join(", ")));
        Failure::user(error)
    }

    /// Runs the emitted test bench, on these vectors, in a Verilog simulator.
    fn run_verilog(
        &self,
        engine: Engine,
        vectors: &Vectors,
        preamble: Option<&Preamble>,
        args: &SimArgs,
    ) -> Result<Outcome> {
        let failed = |d: hdl::diag::Diagnostics| Failure::Check(d);
        let aside = tempfile::tempdir().map_err(|e| Failure::io("write temporary files", &std::env::temp_dir(), &e))?;
        let staging = Staging::begin(&aside.path().join(testbench::FOLDER))?;
        let words = bench(&self.top, vectors, &Held::new(), preamble)?;
        staging.write(testbench::INPUTS, words.inputs)?;
        staging.write(testbench::EXPECTED, words.expected)?;
        if let Some(order) = words.order {
            staging.write(testbench::ORDER, order)?;
        }
        if let Some(preamble) = words.preamble {
            staging.write(testbench::PREAMBLE, preamble)?;
        }
        staging.finish()?;
        let outcome = engine
            .run(&Job {
                top: &self.top.name,
                sources: &self.sources()?,
                vectors: &aside.path().join(testbench::FOLDER),
                samples: vectors.len(),
                blocks: &repeated(&self.top),
                waves: args.waves.as_deref(),
                limit: Duration::from_secs(args.limit),
            })
            .map_err(failed)?;
        let (vectors, latency, pass) = match outcome.verdict {
            Verdict::Pass { vectors, latency } => (vectors, latency, true),
            Verdict::Fail(_) => (vectors.len(), self.top.latency(), false),
        };
        let modules = self.top.hierarchy();
        let is_stream = modules.iter().any(|m| is_stream(m, preamble));
        let latency = (!is_stream).then_some(latency);
        Ok(Outcome {
            engine: outcome.tool.version,
            vectors,
            latency,
            pass,
            mismatches: outcome.mismatches.into_iter().take(SHOWN).collect(),
            seconds: [outcome.build, outcome.run].map(|d| d.as_secs_f64()),
        })
    }

    /// Where it is.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The Verilog files of the folder, the test bench among them.
    pub(super) fn sources(&self) -> Result<Vec<PathBuf>> {
        let failed = |e: std::io::Error| Failure::io("list the folder", &self.dir, &e);
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.dir).map_err(failed)? {
            let path = std::path::absolute(entry.map_err(failed)?.path()).map_err(failed)?;
            if path.extension().is_some_and(|e| e == "v") {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }
}
