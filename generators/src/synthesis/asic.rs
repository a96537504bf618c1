//! The flow of a cell library: netlist, static timing, gate-level simulation, proof and power.

use constraints::Constraints;
use constraints::timing::{Budget, Dialect};
use hdl::diag::{Diagnostic, Diagnostics};
use openlane::liberty::{adder_cells, functions, models};
use openlane::quote::identifier;
use openlane::yosys::{self as mapping, Effort, Mapping, Sources};
use openlane::{self as synth, Program, equivalence, opensta as timing};
use sim::functions::Functions;
use sim::netlist::json;
use sim::testbench;
use sim::tools::Meter;

use super::cells::Cells;
use super::layers::Layers;
use super::step::{Choice, Finding, Flow, Found, Task};
use super::work::{RTL, Work};
use super::{gates, layers};
use crate::failure::Result;
use crate::output::synthesis::{self, Synthesis};

/// How cells are told to belong to a layer.
const LAYERS_NOTE: &str =
    "Layers are told by the names of nets; a cell without a name counts for the layer that it feeds.";
/// µm² to mm².
const SQUARE_MM: f64 = 1e-6;

/// A run for a cell library.
pub struct Asic<'a> {
    /// What it reads and writes.
    pub work: Work<'a>,
    /// What it maps to.
    pub cells: Cells,
    /// How long ABC may think.
    pub effort: Effort,
    /// Modules that are mapped once each, however many copies there are; none if the design is flattened.
    pub kept: Vec<String>,
}

impl Flow for Asic<'_> {
    fn tasks(&self) -> Vec<Task<Self>> {
        use Choice::{Equiv, Gates, Map, Power, Sta};
        vec![
            Task::new(Map, &[], Self::map),
            Task::new(Sta, &[Map], Self::sta),
            Task::new(Gates, &[Map], Self::gates),
            Task::new(Equiv, &[Map], Self::equiv),
            Task::new(Power, &[Map], Self::power),
        ]
    }

    fn report(&mut self) -> &mut Synthesis {
        &mut self.work.report
    }
}

impl Asic<'_> {
    /// Everything that the scripts read, the scripts, and a Makefile that runs them.
    pub fn write_inputs(&self) -> Result<()> {
        let Self { work, cells, .. } = self;
        let (top, staging) = (&work.folder.top.name, work.staging);
        let sources = work.copy_sources()?;
        staging.write(synth::LIBERTY, &cells.liberty)?;
        staging.write(synth::CELL_MODELS, models(&cells.library).simulation)?;
        staging.write(synth::ADDER_CELLS, adder_cells(&cells.library)?)?;
        staging.write(mapping::ADDERS_FILE, mapping::ADDERS)?;
        let clock = cells.own_clock(work.clock);
        let ties = cells.ties();
        let ties = ties.as_ref().map(|ties| ties.each_ref().map(|(cell, pin)| (cell.as_str(), pin.as_str())));
        let mapping = Mapping { clock_ps: clock.0, effort: self.effort, ties };
        let sources = Sources { top, files: &sources, kept: &self.kept };
        let script = mapping::cell_script(&sources, &mapping)?;
        staging.write(mapping::SCRIPT, script)?;
        staging.write(mapping::WRITE_SCRIPT, mapping::write_script())?;
        staging.write(timing::SCRIPT, timing::script(top)?)?;
        let registers = work.folder.design.model().register_port();
        let constraints = Constraints::of(&work.folder.top, clock, &Budget::default(), registers)?;
        let units = cells.library.units();
        staging.write(synth::SDC, constraints.to_sdc(Dialect::Cells(units))?)?;
        staging.write("Makefile", makefile(top)?)
    }

    fn map(&mut self, meter: &Meter) -> Found {
        let Self { work, cells, .. } = self;
        let origin = cells.origin(Program::Yosys.find()?.version);
        let inner_first = self.kept.iter().rev().chain([&work.folder.top.name]);
        let (mapped, buffers) =
            mapping::map_cells(work.staging.path(), inner_first.map(String::as_str), cells.buffers().as_ref(), meter)?;
        let Some(area) = mapped.area_um2 else {
            return Err(Diagnostic::error("tool-output", "Yosys reports no area").into());
        };
        let count: usize = mapped.cells.values().sum();
        work.report.cells = mapped.cells;
        work.report.layers = layers::count(work, &self.kept, bus_of)?;
        work.report.notes.push(LAYERS_NOTE.into());
        let area_mm2 = area * SQUARE_MM;
        let figures = &mut work.report.figures;
        figures.push(origin.figure("cells", count as f64, ""));
        figures.push(origin.figure("area", area_mm2, "mm²").by("sum of the cells"));
        if let Some(gate) = cells.gate_um2() {
            let gates = area / gate;
            let figure = origin.figure("gate equivalents", gates, "");
            figures.push(figure.by("area over that of a NAND2"));
            if let Some(gate) = cells.scaling.as_ref().map(|s| &s.gate_equivalent_um2) {
                let area = gates * gate.value * SQUARE_MM;
                let figure = origin.figure("area, upper figure", area, "mm²");
                figures.push(figure.scaled(format!("× {} µm² a gate: {}", gate.value, gate.source)));
            }
        }
        let factor = cells.scaling.as_ref().map(|s| &s.area);
        if let Some(factor) = factor {
            let figure = origin.figure("area", area_mm2 * factor.value, "mm²");
            figures.push(figure.scaled(format!("× {}: {}", factor.value, factor.source)));
        }
        let core = area_mm2 * factor.map_or(1.0, |f| f.value) / cells.utilisation;
        figures.push(
            origin
                .figure("core area", core, "mm²")
                .estimated(format!("area at an assumed utilisation of {}", cells.utilisation)),
        );
        Ok(Finding::good(format!("{count} cells; {buffers} buffers on nets with many readers")))
    }

    fn sta(&mut self, meter: &Meter) -> Found {
        let Self { work, cells, .. } = self;
        let origin = cells.origin(Program::OpenSta.find()?.version);
        let found = timing::analyse(work.staging.path(), meter)?;
        work.write("timing.txt", &found.report)?;
        let delay = cells.scaling.as_ref().map(|s| &s.delay);
        let factor = delay.map_or(1.0, |d| d.value);
        let clock_ns = work.clock.ns();
        let slack = found.setup_slack_ns * factor;
        let figures = [
            ("set-up slack", slack, "ns", ""),
            ("hold slack", found.hold_slack_ns * factor, "ns", "ideal clock"),
            ("greatest clock frequency", 1000.0 / (clock_ns - slack), "MHz", "input and output budgets kept in ns"),
        ];
        for (name, value, unit, method) in figures {
            let figure = origin.figure(name, value, unit);
            work.report.figures.push(match delay {
                Some(d) => figure.scaled(format!("{method}; delays × {}: {}", d.value, d.source)),
                None => figure.by(method),
            });
        }
        for point in cells.scaling.iter().flat_map(|s| &s.points) {
            let slack = found.setup_slack_ns * point.delay.value;
            let figure = origin.figure("set-up slack at another voltage", slack, "ns");
            let (voltage, delay) = (point.voltage, &point.delay);
            let method = format!(
                "at {voltage} V, of a clock of {:.3} ns; delays × {}: {}",
                cells.own_clock(work.clock).ns() * delay.value,
                delay.value,
                delay.source
            );
            work.report.figures.push(figure.scaled(method));
        }
        let layers = Layers::of_folder(work.folder)?;
        let named = |net: String| {
            // OpenSTA sets instances apart by slashes, and buses are split
            let path = net.replace('/', ".");
            match layers.describe(&path).or_else(|| layers.describe(bus_of(&path))) {
                Some(described) => described,
                None => net,
            }
        };
        work.report.paths = found
            .paths
            .into_iter()
            .map(|path| synthesis::Path {
                from: named(path.from),
                to: named(path.to),
                cells: path.cells,
                slack_ns: path.slack_ns * factor,
            })
            .collect();
        work.report.notes.push("Timing without wires and with an ideal clock: 2 % uncertainty, 10 % of the period before inputs and after outputs.".into());
        let worst = work.report.paths.first();
        let path = worst.map_or(String::new(), |path| format!(", worst path {} → {}", path.from, path.to));
        let verdict = if slack < 0.0 { "VIOLATED" } else { "met" };
        Ok(Finding {
            holds: slack >= 0.0,
            words: format!("clock of {clock_ns} ns {verdict}: slack {slack:.3} ns{path}"),
        })
    }

    fn gates(&mut self, meter: &Meter) -> Found {
        let cells = functions(&self.cells.library);
        gates::simulate(&self.work, Functions::Cells(&cells), meter)
    }

    /// Writes the report.
    pub fn finish(mut self) -> Result<Synthesis> {
        if let Some(scaling) = &self.cells.scaling {
            let note = format!(
                "Scaled figures are no foundry's: delays × {}, energy × {}, area × {}; leakage stays.",
                scaling.delay.value, scaling.energy.value, scaling.area.value
            );
            self.work.report.notes.push(note);
        }
        let figures = &self.work.report.figures;
        let gates = figures.iter().find(|f| f.name == "gate equivalents");
        if let Some(gates) = gates.map(|f| f.value) {
            self.work.harden(gates)?;
        }
        self.work.finish()
    }
}

/// The bus of `bus_3_`, as buses are split into bits.
pub(super) fn bus_of(net: &str) -> &str {
    let bit = net.strip_suffix('_').and_then(|net| net.rsplit_once('_'));
    match bit {
        Some((bus, bit)) if bit.bytes().all(|c| c.is_ascii_digit()) => bus,
        _ => net,
    }
}

/// The steps by hand.
fn makefile(top: &str) -> std::result::Result<String, Diagnostics> {
    let top = identifier(top)?;
    let [map, sta] = [mapping::SCRIPT, timing::SCRIPT];
    Ok(format!(
        "# The steps of `hwgen synth`, one by one.\nall: sta gates\n\n{mapped}: {map}\n\tyosys -q -l map.log -s {map}\n\n\
         # {buffered} is {mapped} with the buffers that hwgen puts in\n{netlist}: {buffered} {write}\n\tyosys -q -s {write}\n\n\
         sta: {netlist}\n\tsta -no_splash -exit {sta}\n\ngates: {netlist}\n\tiverilog -g2001 -s {top}_tb -o bench.vvp {RTL}/{top}_tb.v {netlist} {models}\n\tvvp -n bench.vvp +vectors={vectors}\n\n\
         equiv: {netlist}\n\tyosys-abc -q \"source {equiv}\"\n\n.PHONY: all sta gates equiv\n",
        mapped = mapping::MAPPED,
        buffered = json::FILE,
        write = mapping::WRITE_SCRIPT,
        netlist = synth::NETLIST,
        equiv = equivalence::SCRIPT,
        models = synth::CELL_MODELS,
        vectors = testbench::FOLDER,
    ))
}
