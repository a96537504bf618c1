//! The flow of an FPGA: look-up tables, flip-flops, carry cells and multipliers, and, where an open program can place
//! them, the clock that they reach.

use constraints::Target;
use constraints::targets::{Family, Part};
use hdl::diag::{Diagnostic, Diagnostics};
use openlane::equivalence;
use openlane::fetch::{default_cache, place_tool};
use openlane::nextpnr::{self as place, Nextpnr, Placed, WorstPath};
use openlane::quote::identifier;
use openlane::yosys::Sources;
use openlane::{self as synth, Program, shell, yosys as mapping};
use sim::functions::Functions;
use sim::primitives::Primitives;
use sim::primitives::models;
use sim::testbench;
use sim::tools::{Engine, Meter};

use super::layers::{self, Layers};
use super::step::{Choice, Finding, Flow, Found, Task};
use super::work::{RTL, Work};
use super::{equiv, gates};
use crate::failure::{Failure, Result};
use crate::output::synthesis::{self, Counts, Origin, Synthesis};

/// A run for an FPGA.
pub struct Fpga<'a> {
    /// What it reads and writes.
    pub work: Work<'a>,
    /// What it maps to.
    pub target: &'a Target,
    /// Whose primitives it maps to.
    pub family: &'a Family,
    /// The command of Yosys that maps to them, see [`synthesis_command`].
    pub synthesis: String,
    /// Modules that are mapped once each, however many copies there are; none if the design is flattened.
    pub kept: Vec<String>,
}

/// A kind of primitive.
struct Kind {
    name: &'static str,
    /// How names of its cells begin, and how many of it each takes.
    cells: &'static [(&'static str, usize)],
    method: &'static str,
    /// How many of it a part has.
    available: fn(&Part) -> u32,
}

const KINDS: [Kind; 4] = [
    Kind {
        name: "look-up tables",
        cells: &[("LUT", 1), ("INV", 1), ("SRL", 1), ("SB_LUT4", 1), ("CCU2C", 2)],
        method: "one for each LUT cell of any size, each inverter and each shift register, two for each CCU2C; no two share a dual-output LUT",
        available: |part| part.luts,
    },
    Kind {
        name: "flip-flops",
        cells: &[("FD", 1), ("SB_DFF", 1), ("TRELLIS_FF", 1)],
        method: "",
        available: |part| part.flip_flops,
    },
    Kind {
        name: "carry cells",
        cells: &[("CARRY", 1), ("SB_CARRY", 1), ("CCU2C", 1)],
        method: "CARRY8 has eight bits, CARRY4 four, CCU2C two, SB_CARRY one",
        available: |_| 0,
    },
    Kind { name: "multipliers", cells: &[("DSP", 1), ("MULT18", 1)], method: "", available: |part| part.multipliers },
];

impl Kind {
    fn count(&self, cells: &Counts) -> usize {
        let taken = |cell: &str| {
            let mut kinds = self.cells.iter();
            kinds.find_map(|(start, n)| cell.starts_with(start).then_some(*n))
        };
        cells.iter().filter_map(|(cell, count)| Some(taken(cell)? * count)).sum()
    }
}

/// Look-up tables of a mapped netlist, as the report counts them.
pub fn look_up_tables(cells: &Counts) -> usize {
    KINDS[0].count(cells)
}

/// What nextpnr calls that which it places, and what figures call it.
const PLACED: [(&str, &str); 3] = [
    ("ICESTORM_LC", "logic cells placed"),
    ("TRELLIS_COMB", "look-up tables placed"),
    ("TRELLIS_FF", "flip-flops placed"),
];

/// What keeps a `synth_…` command of Yosys from using DSP blocks.
const NO_DSP: &str = " -nodsp";

/// The command that maps to the primitives of `family`; DSP blocks take products if `dsp` asks for that.
///
/// # Errors
/// A family without DSP blocks.
pub fn synthesis_command(target: &Target, family: &Family, dsp: bool) -> Result<String> {
    let command = &family.synthesis;
    match (dsp, command.contains(NO_DSP)) {
        (false, _) => Ok(command.clone()),
        (true, true) => Ok(command.replace(NO_DSP, "")),
        (true, false) => {
            let message = format!("target {} has no DSP blocks", target.name);
            let error = Diagnostic::error("no-dsp", message).help("leave --dsp out");
            Err(Failure::user(error))
        }
    }
}

/// Samples that are taken through the shell: each of its bits moves alone, so they are slow.
const SHELL_SAMPLES: usize = 8;

impl Flow for Fpga<'_> {
    fn tasks(&self) -> Vec<Task<Self>> {
        let mut tasks = vec![
            Task::new(Choice::Map, &[], Self::map),
            Task::new(Choice::Gates, &[Choice::Map], Self::gates),
            Task::new(Choice::Equiv, &[Choice::Map], Self::equiv),
        ];
        if self.is_placed() {
            tasks.push(Task::new(Choice::Place, &[Choice::Map], Self::place));
        }
        tasks
    }

    fn report(&mut self) -> &mut Synthesis {
        &mut self.work.report
    }
}

impl Fpga<'_> {
    fn is_placed(&self) -> bool {
        self.family.place_and_route.is_some()
    }

    /// Whether samples can come through the shell: every input is streamed, and what
    /// comes out follows from what went in so many cycles before.
    fn is_streamed(&self) -> std::result::Result<bool, Diagnostics> {
        let (vectors, preamble) = self.work.vectors()?;
        let top = &self.work.folder.top;
        let streamed = top.inputs.iter().all(|p| vectors.inputs.contains_key(&p.name));
        let checked = top.outputs.iter().all(|p| vectors.outputs.contains_key(&p.name));
        let outputs = top.output_formats();
        let is_pipeline = outputs.iter().all(|(_, stamp)| stamp.cycle().is_some());
        Ok(is_pipeline && preamble.is_none() && streamed && checked)
    }

    /// The scripts, the shell, and a Makefile that runs them.
    pub fn write_inputs(&self) -> Result<()> {
        let staging = self.work.staging;
        let sources = self.work.copy_sources()?;
        let top = &self.work.folder.top;
        let synthesis = &self.synthesis;
        let mapped = Sources { top: &top.name, files: &sources, kept: &self.kept };
        let script = mapping::family_script(&mapped, synthesis)?;
        staging.write(mapping::SCRIPT, script)?;
        if mapping::splits_carry_chains(&mapped, synthesis) {
            staging.write(mapping::CARRY_CHAINS_FILE, mapping::CARRY_CHAINS)?;
        }
        if self.is_placed() {
            staging.write(place::SCRIPT, place::script(top, synthesis)?)?;
            staging.write(shell::FILE, shell::verilog(top))?;
            staging.write(shell::BENCH, shell::bench(top))?;
        }
        staging.write("Makefile", self.makefile()?)
    }

    /// The steps by hand.
    fn makefile(&self) -> std::result::Result<String, Diagnostics> {
        let netlist = synth::NETLIST;
        let map = mapping::SCRIPT;
        let top = identifier(&self.work.folder.top.name)?;
        let mut text = format!(
            "# The steps of `hwgen synth`, one by one.\nall: {netlist} gates{more}\n\n{netlist}: {map}\n\tyosys -q -l map.log -s {map}\n\n\
             gates: {netlist}\n\tiverilog -g2001 -s {top}_tb -o bench.vvp {RTL}/{top}_tb.v {netlist} {models}\n\t\
             vvp -n bench.vvp +vectors={vectors}\n\nequiv: {netlist}\n\tyosys-abc -q \"source {equiv}\"\n\n",
            more = if self.is_placed() { " place" } else { "" },
            models = synth::CELL_MODELS,
            vectors = testbench::FOLDER,
            equiv = equivalence::SCRIPT,
        );
        if let Some([program, part @ ..]) = self.family.place_and_route.as_deref() {
            text += &format!(
                "NEXTPNR ?= {program}\n\nplace: {netlist} {script} {shell}\n\tyosys -q -l place_map.log -s {script}\n\t\
                 $(NEXTPNR) {part} {arguments}\n\n",
                script = place::SCRIPT,
                shell = shell::FILE,
                part = part.join(" "),
                arguments = place::arguments(self.frequency_mhz()).join(" "),
            );
        }
        Ok(text + ".PHONY: all gates equiv place\n")
    }

    fn frequency_mhz(&self) -> f64 {
        1000.0 / self.work.clock.ns()
    }

    fn map(&mut self, meter: &Meter) -> Found {
        let origin =
            Origin { tool: Program::Yosys.find()?.version, library: self.family.name.clone(), ..Origin::default() };
        let cells = mapping::map(self.work.staging.path(), meter)?.cells;
        let layers = layers::count(&self.work, &self.kept, |net| net)?;
        let report = &mut self.work.report;
        for kind in &KINDS {
            let count = kind.count(&cells);
            let figure = origin.figure(kind.name, count as f64, "");
            report.figures.push(figure.by(kind.method));
            let parts = self.target.parts().iter();
            for part in parts.filter(|part| count > 0 && (kind.available)(part) > 0) {
                let available = (kind.available)(part);
                let share = 100.0 * count as f64 / f64::from(available);
                let origin = Origin { library: part.name.clone(), ..origin.clone() };
                let figure = origin.figure(kind.name, share, "%");
                report.figures.push(figure.by(format!("of {available}")));
            }
        }
        let words: Vec<String> = KINDS.iter().map(|kind| format!("{} {}", kind.count(&cells), kind.name)).collect();
        report.cells = cells;
        report.layers = layers;
        report.notes.push(
            "Counts before placement. Layers are told by the names of nets; a cell without a name counts for the layer \
             that it feeds."
                .into(),
        );
        if !self.is_placed() {
            let note = "No timing: only the vendor's tool places this family.";
            self.work.report.notes.push(note.into());
        }
        Ok(Finding::good(words.join(", ")))
    }

    fn gates(&mut self, meter: &Meter) -> Found {
        let text = models::of_family(&self.synthesis)?;
        self.work.write(synth::CELL_MODELS, &text)?;
        let found = gates::simulate(&self.work, self.functions()?, meter)?;
        if !found.holds || !self.is_placed() || !self.is_streamed()? {
            return Ok(found);
        }
        let top = shell::name(&self.work.folder.top);
        let sources = [shell::BENCH, shell::FILE, synth::NETLIST, synth::CELL_MODELS];
        let (vectors, _) = self.work.vectors()?;
        let samples = vectors.len().min(SHELL_SAMPLES);
        let shell = gates::run(&self.work, Engine::Icarus, &top, &sources, samples, meter)?;
        Ok(Finding {
            holds: shell.holds,
            words: format!("{}; through the shift registers: {}", found.words, shell.words),
        })
    }

    fn equiv(&mut self, meter: &Meter) -> Found {
        equiv::prove(&self.work, self.functions()?, meter)
    }

    fn functions(&self) -> std::result::Result<Functions<'static>, Diagnostics> {
        let synthesis = &self.synthesis;
        let missing = || {
            let message = format!("the primitives that `{synthesis}` maps to are not known");
            Diagnostic::error("unknown-cell", message)
        };
        let primitives = Primitives::of(synthesis).ok_or_else(missing)?;
        Ok(Functions::Primitives(primitives))
    }

    fn place(&mut self, meter: &Meter) -> Found {
        let tool = place_tool(self.target, &default_cache()?)?;
        let nextpnr = Nextpnr { program: tool.program, packages: tool.packages, part: tool.part };
        let part = self.target.parts().first();
        let origin = Origin {
            tool: nextpnr.version(meter)?,
            library: part.map_or_else(String::new, |part| part.name.clone()),
            ..Origin::default()
        };
        let folder = self.work.staging.path();
        let placed = nextpnr.place(folder, self.frequency_mhz(), meter)?;
        let layers = Layers::of_folder(self.work.folder)?;
        Ok(self.report_placed(&placed, &layers, &origin))
    }

    fn report_placed(&mut self, placed: &Placed, layers: &Layers, origin: &Origin) -> Finding {
        let clock_ns = self.work.clock.ns();
        let slack = clock_ns - 1000.0 / placed.fmax_mhz;
        let report = &mut self.work.report;
        let registers = "between shift registers, placed and routed";
        let figure = origin.figure("greatest clock frequency", placed.fmax_mhz, "MHz");
        report.figures.push(figure.by(registers));
        let figure = origin.figure("set-up slack", slack, "ns");
        report.figures.push(figure.by(registers));
        for (nextpnr, name) in PLACED {
            if let Some(taken) = placed.used.get(nextpnr) {
                let figure = origin.figure(name, taken.used as f64, "");
                let method = format!("of {}, with the shift registers", taken.available);
                report.figures.push(figure.by(method));
            }
        }
        report.paths = placed.worst.iter().map(|path| named(path, layers)).collect();
        let path = report.paths.first();
        let path = path.map_or(String::new(), |path| format!(", worst path {} → {}", path.from, path.to));
        let verdict = if slack < 0.0 { "VIOLATED" } else { "met" };
        Finding {
            holds: slack >= 0.0,
            words: format!("clock of {clock_ns} ns {verdict}: {:.1} MHz, slack {slack:.3} ns{path}", placed.fmax_mhz),
        }
    }
}

/// The path by the first and the last of its nets that the Verilog names too, with their layers.
fn named(path: &WorstPath, layers: &Layers) -> synthesis::Path {
    let known = |net: &String| layers.describe(net);
    let first = path.nets.first().cloned().unwrap_or_default();
    let from = path.nets.iter().find_map(known).unwrap_or(first);
    let last = path.nets.last().cloned().unwrap_or_default();
    let to = path.nets.iter().rev().find_map(known).unwrap_or(last);
    synthesis::Path { from, to, cells: path.cells, slack_ns: path.slack_ns }
}
