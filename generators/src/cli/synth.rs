//! `hwgen synth`: maps a folder's Verilog and reports size, timing, gate-level simulation and power.

use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use constraints::fetch::{Programs, default_cache};
use constraints::liberty::{Library, Role, adder_cells, models};
use constraints::target::{Basis, Corner, Scaling, Technology};
use constraints::timing::{Budget, Dialect, Picoseconds, Units};
use constraints::{Constraints, Target};
use hdl::diag::{Diagnostic, Diagnostics};
use sim::preamble::Preamble;
use sim::synth::{self, Program, activity, mapping, netlist, timing};
use sim::testbench::{self, bench};
use sim::tools::{Engine, Job, Verdict};
use sim::vectors::{Held, Vectors};

use super::sim::Folder;
use crate::design::Design;
use crate::failure::{Failure, Result};
use crate::output::emit::VECTORS_FILE;
use crate::output::folder::Staging;
use crate::output::synthesis::{self, Figure, State, Synthesis};

/// Map a folder's Verilog to cells or look-up tables and report size, timing, power and proofs.
///
/// The output folder holds the netlist, the scripts (repeat a step with `make`), report.md and report.json.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  hwgen synth rtl/ --target osu018\n  hwgen synth rtl/ --target xcup\n  hwgen synth rtl/ --steps map,sta --clock-ns 20"
)]
pub struct SynthArgs {
    /// A folder that hwgen wrote
    dir: PathBuf,
    /// What it is mapped to; see `hwgen target list`
    #[arg(long, value_name = "NAME", default_value = constraints::target::DEFAULT)]
    target: String,
    /// The cell library of a target that has none of its own
    #[arg(long, value_name = "FILE")]
    liberty: Option<PathBuf>,
    /// Clock period in nanoseconds
    #[arg(long, value_name = "NS", default_value_t = 25.0)]
    clock_ns: f64,
    /// Steps to run; what a step needs is run too
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Choice::ALL)]
    steps: Vec<Choice>,
    /// The longest that a program may run, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1200, value_parser = clap::value_parser!(u64).range(1..=604_800))]
    limit: u64,
    /// The output folder [default: DIR-TARGET]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Choice {
    /// Yosys and ABC: the netlist and its size
    Map,
    /// OpenSTA: slack and worst paths
    Sta,
    /// Icarus: the netlist against the folder's vectors
    Gates,
    /// OpenSTA and Icarus: power from the vectors' switching activity
    Power,
}

impl Choice {
    const ALL: [Self; 4] = [Self::Map, Self::Sta, Self::Gates, Self::Power];

    fn name(self) -> &'static str {
        match self {
            Self::Map => "map",
            Self::Sta => "sta",
            Self::Gates => "gates",
            Self::Power => "power",
        }
    }

    /// What must have succeeded before.
    fn needs(self) -> &'static [Self] {
        match self {
            Self::Map => &[],
            Self::Sta | Self::Gates => &[Self::Map],
            Self::Power => &[Self::Map, Self::Gates],
        }
    }

    fn is_wanted(self, asked: &[Self]) -> bool {
        asked.contains(&self) || asked.iter().any(|step| step.needs().contains(&self))
    }
}

/// The folder for the scripts' copies of the Verilog.
const RTL: &str = "rtl";
/// The dump of the gate-level simulation; it is large and not kept.
const WAVES: &str = "gates.vcd";
/// The bench's clock period in the units of its dump, ps.
const BENCH_PERIOD_PS: u64 = 10_000;
/// The bench holds the reset for so many cycles.
const RESET_CYCLES: u64 = 3;

/// Area of the NAND2 is one gate equivalent.
const SQUARE_MM: f64 = 1e-6;

/// Runs the command.
pub fn run(args: &SynthArgs) -> Result<()> {
    let folder = Folder::open(&args.dir)?;
    let target = Target::load(&args.target)?;
    let clock = Picoseconds::from_ns(args.clock_ns)?;
    let staging = Staging::begin(&args.out())?;
    let report = Synthesis::new(
        &folder.top.name,
        &target.name,
        clock.ns(),
        folder.top.latency(),
        matches!(folder.design, Design::Encoder(_)),
    );
    let cells = match &target.technology {
        Technology::Asic { .. } => Some(Cells::obtain(&target, args.liberty.as_deref())?),
        Technology::Fpga { .. } => None,
    };
    let mut flow = Flow {
        folder: &folder,
        target: &target,
        cells,
        clock,
        limit: Duration::from_secs(args.limit),
        staging: &staging,
        report,
    };
    flow.write_inputs()?;
    let steps: &[Choice] = if flow.cells.is_some() {
        &Choice::ALL
    } else {
        &[Choice::Map]
    };
    for step in steps.iter().filter(|step| step.is_wanted(&args.steps)) {
        flow.step(*step, args.json);
    }
    let report = flow.finish()?;
    staging.finish()?;
    if args.json {
        print!("{}", report.to_json());
    } else {
        println!("{}\n{}", report.steps_text(), report.figures_text());
        println!("report: {}", args.out().join("report.md").display());
    }
    verdict(&report)
}

impl SynthArgs {
    fn out(&self) -> PathBuf {
        self.out.clone().unwrap_or_else(|| {
            let name = self
                .dir
                .file_name()
                .map_or_else(|| "rtl".into(), |n| n.to_string_lossy());
            self.dir.with_file_name(format!("{name}-{}", self.target))
        })
    }
}

/// A failed check unless every step ended well.
fn verdict(report: &Synthesis) -> Result<()> {
    if report.passed() {
        return Ok(());
    }
    let bad = report
        .steps
        .iter()
        .filter(|step| step.state != State::Passed);
    let error = bad.fold(
        Diagnostic::error("synthesis", "not every step succeeded"),
        |d, step| d.label(None, format!("{}: {}", step.name, step.result)),
    );
    Err(Failure::check(error))
}

/// A cell library, and how its figures become the target's.
struct Cells {
    library: Library,
    liberty: Vec<u8>,
    /// Where it was characterised.
    corner: String,
    scaling: Option<Scaling>,
    utilisation: f64,
}

impl Cells {
    fn obtain(target: &Target, given: Option<&Path>) -> Result<Self> {
        let Technology::Asic {
            corner,
            scaling,
            model,
            ..
        } = &target.technology
        else {
            return Err(Failure::user(Diagnostic::error(
                "target-kind",
                "an FPGA has no cell library",
            )));
        };
        let path = match given {
            Some(path) => path.to_owned(),
            None => {
                let fetched = target.fetch(&default_cache()?, &Programs::default());
                let offline = |d: Diagnostics| match d.0.first().map(|d| d.code) {
                    Some("target-kind") => Failure::User(d),
                    _ => Failure::Check(d),
                };
                fetched.map_err(offline)?.liberty
            }
        };
        let library = Library::read(&path)?;
        let liberty = fs::read(&path).map_err(|e| Failure::io("read the library", &path, &e))?;
        let corner = match (given, &target.base, scaling) {
            (None, Some(base), Some(_)) => match Target::load(base)?.technology {
                Technology::Asic { corner, .. } => corner_text(&corner),
                Technology::Fpga { .. } => String::new(),
            },
            (None, ..) => corner_text(corner),
            (Some(_), ..) => format!(
                "{} V, {} °C",
                library.voltage.unwrap_or(f64::NAN),
                library.temperature.unwrap_or(f64::NAN)
            ),
        };
        Ok(Self {
            library,
            liberty,
            corner,
            scaling: scaling.clone().filter(|_| given.is_none()),
            utilisation: model.utilisation.value,
        })
    }

    /// The clock in the library's process, that is as much shorter as the target is slower.
    fn own_clock(&self, clock: Picoseconds) -> Picoseconds {
        let factor = self.scaling.as_ref().map_or(1.0, |s| s.delay.value);
        Picoseconds((clock.0 as f64 / factor).round() as u64)
    }

    /// Area of the smallest two-input NAND.
    fn gate_um2(&self) -> Option<f64> {
        self.library.find(Role::Nand2).map(|cell| cell.area_um2)
    }

    fn ties(&self) -> Option<[(String, String); 2]> {
        let tie = |role| {
            let cell = self.library.find(role)?;
            let pin = cell.outputs.first()?.clone();
            let plain = |name: &str| hdl::names::check_identifier(name).is_ok();
            (plain(&cell.cell) && plain(&pin)).then_some((cell.cell, pin))
        };
        Some([tie(Role::TieLow)?, tie(Role::TieHigh)?])
    }
}

fn corner_text(corner: &Corner) -> String {
    format!(
        "{} {} V {} °C",
        corner.process, corner.voltage, corner.temperature
    )
}

/// What a step found: whether all is well, and in words.
type Found = std::result::Result<(bool, String), Diagnostics>;

struct Flow<'a> {
    folder: &'a Folder,
    target: &'a Target,
    cells: Option<Cells>,
    clock: Picoseconds,
    limit: Duration,
    staging: &'a Staging,
    report: Synthesis,
}

impl Flow<'_> {
    /// Everything that the scripts read, the scripts, and a Makefile that runs them.
    fn write_inputs(&mut self) -> Result<()> {
        let top = &self.folder.top.name;
        let bench = format!("{top}_tb.v");
        let mut sources = Vec::new();
        for path in self.folder.sources()? {
            let name = path
                .file_name()
                .map(|n| n.to_string_lossy().into_owned())
                .unwrap_or_default();
            let content =
                fs::read(&path).map_err(|e| Failure::io("read the Verilog", &path, &e))?;
            self.staging.write(&format!("{RTL}/{name}"), content)?;
            if name != bench {
                sources.push(format!("{RTL}/{name}"));
            }
        }
        let Some(cells) = &self.cells else {
            let Technology::Fpga { family, .. } = &self.target.technology else {
                return Ok(());
            };
            self.staging.write(
                mapping::SCRIPT,
                mapping::family_script(top, &sources, &family.synthesis),
            )?;
            return self.staging.write(
                "Makefile",
                format!(
                    "netlist.v: {0}\n\tyosys -q -l map.log -s {0}\n",
                    mapping::SCRIPT
                ),
            );
        };
        let models = models(&cells.library);
        self.staging.write(synth::LIBERTY, &cells.liberty)?;
        self.staging.write(synth::CELL_MODELS, models.simulation)?;
        self.staging
            .write(synth::ADDER_CELLS, adder_cells(&cells.library)?)?;
        self.staging.write(mapping::ADDERS_FILE, mapping::ADDERS)?;
        let clock = cells.own_clock(self.clock);
        let ties = cells.ties();
        let ties = ties.as_ref().map(|ties| {
            ties.each_ref()
                .map(|(cell, pin)| (cell.as_str(), pin.as_str()))
        });
        self.staging.write(
            mapping::SCRIPT,
            mapping::cell_script(top, &sources, clock.0, ties),
        )?;
        self.staging.write(timing::SCRIPT, timing::script(top))?;
        self.staging
            .write(timing::POWER_SCRIPT, timing::power_script(top))?;
        let registers = self.folder.design.model().register_port();
        let constraints = Constraints::of(&self.folder.top, clock, &Budget::default(), registers)?;
        let units = Units {
            time_ps: cells.library.time_unit_ps,
            capacitance_ff: cells.library.capacitance_unit_ff,
        };
        self.staging
            .write(synth::SDC, constraints.to_sdc(Dialect::Cells(units))?)?;
        self.staging.write("Makefile", makefile(top))
    }

    /// Runs one step and notes how it ended.
    fn step(&mut self, step: Choice, quiet: bool) {
        let missing = step.needs().iter().find(|needed| {
            let done = self.report.steps.iter().find(|s| s.name == needed.name());
            done.is_none_or(|s| s.state == State::Broken || s.state == State::Skipped)
        });
        let start = Instant::now();
        let (state, result) = match missing {
            Some(needed) => (State::Skipped, format!("needs `{}`", needed.name())),
            None => {
                let found = match step {
                    Choice::Map => self.map(),
                    Choice::Sta => self.sta(),
                    Choice::Gates => self.gates(),
                    Choice::Power => self.power(),
                };
                match found {
                    Ok((true, result)) => (State::Passed, result),
                    Ok((false, result)) => (State::Failed, result),
                    Err(error) => (State::Broken, error.to_string()),
                }
            }
        };
        let seconds = start.elapsed().as_secs_f64();
        if !quiet {
            eprintln!(
                "{}: {} ({seconds:.1} s)",
                step.name(),
                result.lines().next().unwrap_or_default()
            );
        }
        self.report.steps.push(synthesis::Step {
            name: step.name(),
            state,
            seconds,
            result,
        });
    }

    fn map(&mut self) -> Found {
        let tool = Program::Yosys.find()?.version;
        let mapped = mapping::map(self.staging.path(), self.limit)?;
        let count: usize = mapped.cells.values().sum();
        self.report.cells = mapped.cells;
        self.figure("cells", count as f64, "", Basis::Measured, &tool, None, "");
        let Some(cells) = &self.cells else {
            self.count_primitives(&tool);
            return Ok((true, format!("{count} primitives")));
        };
        let Some(area) = mapped.area_um2 else {
            return Err(Diagnostic::error("tool-output", "Yosys reports no area").into());
        };
        let (gate, scaling, utilisation) =
            (cells.gate_um2(), cells.scaling.clone(), cells.utilisation);
        self.figure(
            "area",
            area * SQUARE_MM,
            "mm²",
            Basis::Measured,
            &tool,
            None,
            "sum of the cells",
        );
        let mut area_mm2 = area * SQUARE_MM;
        if let Some(gate) = gate {
            let gates = area / gate;
            self.figure(
                "gate equivalents",
                gates,
                "",
                Basis::Measured,
                &tool,
                None,
                "area over that of a NAND2",
            );
            if let Some(s) = &scaling {
                let method = format!(
                    "× {} µm² a gate: {}",
                    s.gate_equivalent_um2.value, s.gate_equivalent_um2.source
                );
                self.figure(
                    "area, upper figure",
                    gates * s.gate_equivalent_um2.value * SQUARE_MM,
                    "mm²",
                    Basis::Scaled,
                    &tool,
                    None,
                    &method,
                );
            }
        }
        if let Some(s) = &scaling {
            area_mm2 *= s.area.value;
            self.figure(
                "area",
                area_mm2,
                "mm²",
                Basis::Scaled,
                &tool,
                None,
                &format!("× {}: {}", s.area.value, s.area.source),
            );
        }
        let method = format!("area at an assumed utilisation of {utilisation}");
        self.figure(
            "core area",
            area_mm2 / utilisation,
            "mm²",
            Basis::Estimated,
            &tool,
            None,
            &method,
        );
        Ok((true, format!("{count} cells")))
    }

    /// Look-up tables, flip-flops, carry cells and multipliers of an FPGA.
    fn count_primitives(&mut self, tool: &str) {
        let count = |starts: &[&str]| -> f64 {
            let cells = self.report.cells.iter();
            let of_kind =
                cells.filter(|(cell, _)| starts.iter().any(|start| cell.starts_with(start)));
            of_kind.map(|(_, count)| *count as f64).sum()
        };
        let kinds: [(&'static str, &[&str]); 4] = [
            ("look-up tables", &["LUT", "SB_LUT4", "TRELLIS_COMB"]),
            ("flip-flops", &["FD", "SB_DFF", "TRELLIS_FF"]),
            ("carry cells", &["CARRY", "SB_CARRY", "CCU2C"]),
            ("multipliers", &["DSP", "MULT18", "SB_MAC16"]),
        ];
        let counts = kinds.map(|(name, starts)| (name, count(starts)));
        for (name, value) in counts {
            let method = match name {
                "look-up tables" => "one for each LUT cell of any size; no two share a LUT6_2",
                _ => "",
            };
            self.figure(name, value, "", Basis::Measured, tool, None, method);
        }
        self.report
            .notes
            .push("Counts before placement; no timing without the vendor's tool.".into());
    }

    fn sta(&mut self) -> Found {
        let tool = Program::OpenSta.find()?.version;
        let found = timing::analyse(self.staging.path(), self.limit)?;
        let scaling = self.cells.as_ref().and_then(|cells| cells.scaling.clone());
        let (factor, basis, method) = match &scaling {
            Some(s) => (
                s.delay.value,
                Basis::Scaled,
                format!("delays × {}: {}", s.delay.value, s.delay.source),
            ),
            None => (1.0, Basis::Measured, String::new()),
        };
        let write = |name: &str, text: &str| {
            self.staging
                .write(name, text)
                .map_err(|failure| match failure {
                    Failure::User(d) | Failure::Check(d) => d,
                })
        };
        write("timing.txt", &found.report)?;
        let slack = found.setup_slack_ns * factor;
        let least = self.clock.ns() - slack;
        self.figure("set-up slack", slack, "ns", basis, &tool, None, &method);
        self.figure(
            "hold slack",
            found.hold_slack_ns * factor,
            "ns",
            basis,
            &tool,
            None,
            "ideal clock",
        );
        self.figure(
            "greatest clock frequency",
            1000.0 / least,
            "MHz",
            basis,
            &tool,
            None,
            "input and output budgets kept in ns",
        );
        self.report.paths = found
            .paths
            .into_iter()
            .map(|path| synthesis::Path {
                from: path.from,
                to: path.to,
                cells: path.cells,
                slack_ns: path.slack_ns * factor,
            })
            .collect();
        self.report.notes.push("Timing without wires and with an ideal clock: 2 % uncertainty, 10 % of the period before inputs and after outputs.".into());
        let worst = self.report.paths.first();
        let path = worst.map_or(String::new(), |path| {
            format!(", worst path {} → {}", path.from, path.to)
        });
        let verdict = if slack < 0.0 { "VIOLATED" } else { "met" };
        Ok((
            slack >= 0.0,
            format!(
                "clock of {} ns {verdict}: slack {slack:.3} ns{path}",
                self.clock.ns()
            ),
        ))
    }

    fn gates(&mut self) -> Found {
        let (vectors, preamble) = self.vectors()?;
        let words = bench(&self.folder.top, &vectors, &Held::new(), preamble.as_ref())?;
        let folder = self.staging.path();
        let place = folder.join(testbench::FOLDER);
        let failed = |e: std::io::Error| -> Diagnostics {
            Diagnostic::error("file", format!("gate-level simulation: {e}")).into()
        };
        fs::create_dir_all(&place).map_err(failed)?;
        fs::write(place.join(testbench::INPUTS), words.inputs).map_err(failed)?;
        fs::write(place.join(testbench::EXPECTED), words.expected).map_err(failed)?;
        if let Some(words) = words.preamble {
            fs::write(place.join(testbench::PREAMBLE), words).map_err(failed)?;
        }
        let bench_file = format!("{RTL}/{}_tb.v", self.folder.top.name);
        let sources =
            [&bench_file, synth::NETLIST, synth::CELL_MODELS].map(|name| folder.join(name));
        let outcome = Engine::Icarus.run(&Job {
            top: &self.folder.top.name,
            sources: &sources,
            vectors: &place,
            samples: vectors.len(),
            waves: Some(&folder.join(WAVES)),
            limit: self.limit,
        })?;
        Ok(match outcome.verdict {
            Verdict::Pass { vectors, latency } => (
                true,
                format!(
                    "{vectors} vectors bit-exact at latency {latency} in {}",
                    outcome.tool.version
                ),
            ),
            Verdict::Fail(why) => (
                false,
                format!(
                    "{why}; {}",
                    outcome.mismatches.first().map_or("", String::as_str)
                ),
            ),
        })
    }

    fn vectors(&self) -> std::result::Result<(Vectors, Option<Preamble>), Diagnostics> {
        let path = self.folder.dir().join(VECTORS_FILE);
        let bad = |why: String| {
            Diagnostic::error("vectors", why).at(path.display().to_string(), "in this file")
        };
        let text = fs::read_to_string(&path).map_err(|e| bad(e.to_string()))?;
        let vectors: Vectors = serde_json::from_str(&text).map_err(|e| bad(e.to_string()))?;
        vectors.check(&self.folder.top)?;
        Ok((vectors, self.folder.design.model().preamble()?))
    }

    fn power(&mut self) -> Found {
        let tool = Program::OpenSta.find()?.version;
        let Some(cells) = &self.cells else {
            return Ok((true, String::new()));
        };
        let failed = |e: std::io::Error| -> Diagnostics {
            Diagnostic::error("file", format!("activity: {e}")).into()
        };
        let (vectors, preamble) = self.vectors()?;
        let folder = self.staging.path();
        let open = |name: &str| {
            fs::File::open(folder.join(name))
                .map(BufReader::new)
                .map_err(failed)
        };
        let top = &self.folder.top;
        let before = u64::from(top.has_reset()) * RESET_CYCLES
            + preamble.map_or(0, |p| p.cycles.len() as u64);
        let from = before * BENCH_PERIOD_PS;
        let bench = format!("{}_tb", top.name);
        let activity = activity::count(open(WAVES)?, &[&bench, "dut"], from).map_err(failed)?;
        let power = timing::instance_power(folder, self.limit)?;
        let instances = netlist::instances(open(synth::NETLIST)?).map_err(failed)?;
        let cycles = activity.span as f64 / BENCH_PERIOD_PS as f64;
        let mut sum = Sum::default();
        for instance in &instances {
            let Some(power) = power.get(&instance.name) else {
                continue;
            };
            let outputs = cells
                .library
                .cell(&instance.cell)
                .map(|cell| cell.outputs().map(|p| p.name.as_str()).collect::<Vec<_>>());
            let nets = instance
                .pins
                .iter()
                .filter(|(pin, _)| outputs.as_ref().is_some_and(|o| o.contains(&pin.as_str())));
            let counts: Vec<f64> = nets
                .filter_map(|(_, net)| activity.transitions.get(net))
                .map(|n| *n as f64)
                .collect();
            let transitions = counts.iter().sum::<f64>() / counts.len().max(1) as f64 / cycles;
            sum.add(
                power.clock,
                power.per_transition * transitions,
                power.leakage,
                transitions,
            );
        }
        let clock_s = cells.own_clock(self.clock).0 as f64 * 1e-12;
        let activity = format!(
            "{} vectors of the folder, gate-level simulation without delays",
            vectors.len()
        );
        let (scaling, count) = (cells.scaling.clone(), instances.len());
        self.power_figures(&sum, clock_s, count, &tool, &activity, scaling.as_ref());
        Ok((
            sum.matched == count,
            format!(
                "{} of {count} cells with their activity, {:.3} transitions a cell and cycle",
                sum.matched,
                sum.transitions / count.max(1) as f64
            ),
        ))
    }

    fn power_figures(
        &mut self,
        sum: &Sum,
        own_clock_s: f64,
        count: usize,
        tool: &str,
        activity: &str,
        scaling: Option<&Scaling>,
    ) {
        const METHOD: &str = "each instance's power at one transition a pin and cycle × the simulated transitions of its outputs";
        let period_s = self.clock.ns() * 1e-9;
        let activity = Some(activity);
        let (factor, basis, method) = match scaling {
            Some(s) => (
                s.energy.value,
                Basis::Scaled,
                format!("{METHOD}; energy × {}: {}", s.energy.value, s.energy.source),
            ),
            None => (1.0, Basis::Estimated, METHOD.to_owned()),
        };
        // OpenSTA's watts are at its clock; joules a cycle do not depend on it
        let energy = |watts: f64| watts * own_clock_s * factor;
        let (logic, clock) = (energy(sum.data), energy(sum.clock));
        let leakage = sum.leakage * period_s;
        let total = logic + clock + leakage;
        let pj = 1e12;
        self.figure(
            "energy per inference, logic",
            logic * pj,
            "pJ",
            basis,
            tool,
            activity,
            &method,
        );
        self.figure(
            "energy per inference, clock pins",
            clock * pj,
            "pJ",
            basis,
            tool,
            activity,
            "inside the flip-flops; there is no clock tree",
        );
        self.figure(
            "leakage",
            sum.leakage * 1e3,
            "mW",
            Basis::Measured,
            tool,
            None,
            "that of the library, never scaled",
        );
        self.figure(
            "energy per inference",
            total * 1e9,
            "nJ",
            basis,
            tool,
            activity,
            "logic, clock pins and leakage of one cycle",
        );
        self.figure(
            "power",
            total / period_s * 1e3,
            "mW",
            basis,
            tool,
            activity,
            &method,
        );
        self.figure(
            "transitions a cell and cycle",
            sum.transitions / count.max(1) as f64,
            "",
            Basis::Measured,
            "Icarus Verilog",
            activity,
            "",
        );
    }

    #[allow(clippy::too_many_arguments, reason = "one line of a table")]
    fn figure(
        &mut self,
        name: &'static str,
        value: f64,
        unit: &'static str,
        basis: Basis,
        tool: &str,
        activity: Option<&str>,
        method: &str,
    ) {
        let (library, corner) = match (&self.cells, &self.target.technology) {
            (Some(cells), _) => (cells.library.name.clone(), cells.corner.clone()),
            (None, Technology::Fpga { family, .. }) => (family.name.clone(), String::new()),
            (None, _) => Default::default(),
        };
        self.report.figures.push(Figure {
            name,
            value,
            unit,
            basis,
            tool: tool.to_owned(),
            library,
            corner,
            activity: activity.map(str::to_owned),
            method: method.to_owned(),
        });
    }

    /// Writes the report and takes away what is large and can be made again.
    fn finish(mut self) -> Result<Synthesis> {
        let _ = fs::remove_file(self.staging.path().join(WAVES));
        if let Some(scaling) = self.cells.as_ref().and_then(|cells| cells.scaling.as_ref()) {
            let note = format!(
                "Scaled figures are no foundry's: delays × {}, energy × {}, area × {}; leakage stays.",
                scaling.delay.value, scaling.energy.value, scaling.area.value
            );
            self.report.notes.push(note);
        }
        self.staging.write("report.json", self.report.to_json())?;
        self.staging.write("report.md", self.report.to_markdown())?;
        Ok(self.report)
    }
}

/// Sums over instances, in W.
#[derive(Debug, Default)]
struct Sum {
    clock: f64,
    data: f64,
    leakage: f64,
    transitions: f64,
    matched: usize,
}

impl Sum {
    fn add(&mut self, clock: f64, data: f64, leakage: f64, transitions: f64) {
        self.clock += clock;
        self.data += data;
        self.leakage += leakage;
        self.transitions += transitions;
        self.matched += 1;
    }
}

/// The steps by hand.
fn makefile(top: &str) -> String {
    let [map, sta, power] = [mapping::SCRIPT, timing::SCRIPT, timing::POWER_SCRIPT];
    format!(
        "# The steps of `hwgen synth`, one by one.\nall: sta gates\n\n{netlist}: {map}\n\tyosys -q -l map.log -s {map}\n\n\
         sta: {netlist}\n\tsta -no_splash -exit {sta}\n\npower: {netlist}\n\trm -f power_*.txt\n\tsta -no_splash -exit {power}\n\n\
         gates: {netlist}\n\tiverilog -g2001 -s {top}_tb -o bench.vvp {RTL}/{top}_tb.v {netlist} {models}\n\tvvp -n bench.vvp +vectors={vectors}\n\n\
         .PHONY: all sta power gates\n",
        netlist = synth::NETLIST,
        models = synth::CELL_MODELS,
        vectors = testbench::FOLDER,
    )
}
