//! Power of a netlist from the switching activity of its gate-level simulation.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;

use constraints::liberty::Library;
use hdl::diag::{Diagnostic, Diagnostics};
use sim::synth::activity::{self, Activity};
use sim::synth::netlist::{Instance, Netlist};
use sim::synth::timing::{self, InstancePower};
use sim::synth::{self, Program};
use sim::tools::Meter;

use super::asic::{Asic, WAVES};
use super::step::{Finding, Found};
use crate::output::synthesis::Origin;

/// The bench's clock period in the units of its dump, ps.
const BENCH_PERIOD_PS: u64 = 10_000;
/// The bench holds the reset for so many cycles.
const RESET_CYCLES: u64 = 3;

const METHOD: &str = "each instance's power at one transition a pin and cycle × the simulated transitions of its outputs";

/// The netlist has no clock tree; what one would take on top.
const TREE_METHOD: &str =
    "assumed to take as much as the clock pins that it drives; not part of any sum here";

/// Sums over instances, in W at the library's own clock.
#[derive(Debug, Default)]
struct Sum {
    clock: f64,
    data: f64,
    leakage: f64,
    /// Per cycle.
    transitions: f64,
    /// Instances whose power is known.
    matched: usize,
}

impl Asic<'_> {
    /// Power and energy of an inference.
    pub(super) fn power(&mut self, meter: &Meter) -> Found {
        let tool = Program::OpenSta.find()?.version;
        let failed = |e: std::io::Error| -> Diagnostics {
            Diagnostic::error("file", format!("activity: {e}")).into()
        };
        let (vectors, preamble) = self.work.vectors()?;
        let folder = self.work.staging.path();
        let open = |name: &str| {
            File::open(folder.join(name))
                .map(BufReader::new)
                .map_err(failed)
        };
        let top = &self.work.folder.top;
        let before = u64::from(top.has_reset()) * RESET_CYCLES
            + preamble.map_or(0, |p| p.cycles.len() as u64);
        let bench = format!("{}_tb", top.name);
        let from = before * BENCH_PERIOD_PS;
        let activity = activity::count(open(WAVES)?, &[&bench, "dut"], from).map_err(failed)?;
        let power = timing::instance_power(folder, meter)?;
        let netlist = Netlist::read(open(synth::NETLIST)?).map_err(failed)?;
        let instances = netlist.instances;
        let sum = Sum::of(&instances, &power, &activity, &self.cells.library);
        let origin = Origin {
            activity: Some(format!(
                "{} vectors of the folder, gate-level simulation without delays",
                vectors.len()
            )),
            ..self.cells.origin(tool)
        };
        let each = sum.transitions / instances.len().max(1) as f64;
        self.power_figures(&sum, &origin, each);
        Ok(Finding {
            holds: sum.matched == instances.len(),
            words: format!(
                "{} of {} cells with their activity, {each:.3} transitions a cell and cycle",
                sum.matched,
                instances.len(),
            ),
        })
    }

    fn power_figures(&mut self, sum: &Sum, origin: &Origin, each: f64) {
        let (factor, method) = match &self.cells.scaling {
            Some(s) => (
                s.energy.value,
                format!("{METHOD}; energy × {}: {}", s.energy.value, s.energy.source),
            ),
            None => (1.0, METHOD.to_owned()),
        };
        // OpenSTA's watts are at its clock; joules a cycle do not depend on it
        let own_clock_s = self.cells.own_clock(self.work.clock).0 as f64 * 1e-12;
        let energy = |watts: f64| watts * own_clock_s * factor;
        let period_s = self.work.clock.ns() * 1e-9;
        let (logic, clock) = (energy(sum.data), energy(sum.clock));
        let total = logic + clock + sum.leakage * period_s;
        let tree = origin.figure("energy per inference, clock tree", clock * 1e12, "pJ");
        self.work.report.figures.push(tree.estimated(TREE_METHOD));
        let figures = [
            (
                "energy per inference, logic",
                logic * 1e12,
                "pJ",
                method.as_str(),
            ),
            (
                "energy per inference, clock pins",
                clock * 1e12,
                "pJ",
                "inside the flip-flops; there is no clock tree",
            ),
            (
                "energy per inference",
                total * 1e9,
                "nJ",
                "logic, clock pins and leakage of one cycle",
            ),
            ("power", total / period_s * 1e3, "mW", &method),
        ];
        for (name, value, unit, method) in figures {
            let figure = origin.figure(name, value, unit);
            self.work
                .report
                .figures
                .push(match self.cells.scaling.is_some() {
                    true => figure.scaled(method),
                    false => figure.estimated(method),
                });
        }
        let quiet = Origin {
            activity: None,
            ..origin.clone()
        };
        let simulated = Origin {
            tool: "Icarus Verilog".to_owned(),
            ..origin.clone()
        };
        self.work.report.figures.extend([
            quiet
                .figure("leakage", sum.leakage * 1e3, "mW")
                .by("that of the library, never scaled"),
            simulated.figure("transitions a cell and cycle", each, ""),
        ]);
    }
}

impl Sum {
    fn of(
        instances: &[Instance],
        power: &HashMap<String, InstancePower>,
        activity: &Activity,
        library: &Library,
    ) -> Self {
        let cycles = activity.span as f64 / BENCH_PERIOD_PS as f64;
        let mut sum = Self::default();
        for instance in instances {
            let Some(power) = power.get(&instance.name) else {
                continue;
            };
            let transitions = mean_transitions(instance, activity, library) / cycles;
            sum.clock += power.clock;
            sum.data += power.per_transition * transitions;
            sum.leakage += power.leakage;
            sum.transitions += transitions;
            sum.matched += 1;
        }
        sum
    }
}

/// Mean over the outputs of an instance.
fn mean_transitions(instance: &Instance, activity: &Activity, library: &Library) -> f64 {
    let Some(cell) = library.cell(&instance.cell) else {
        return 0.0;
    };
    let is_output = |pin: &str| cell.outputs().any(|output| output.name == pin);
    let nets = instance.pins.iter().filter(|(pin, _)| is_output(pin));
    let counts: Vec<f64> = nets
        .filter_map(|(_, net)| activity.transitions.get(net))
        .map(|n| *n as f64)
        .collect();
    counts.iter().sum::<f64>() / counts.len().max(1) as f64
}
