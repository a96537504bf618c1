//! Power of a netlist from the switching activity of its gate-level simulation.

use std::collections::HashMap;

use hdl::diag::Diagnostic;
use openlane::Program;
use openlane::liberty::Library;
use openlane::opensta::{self as timing, InstancePower};
use sim::functions::Functions;
use sim::gates::Activity;
use sim::netlist::Instance;
use sim::tools::Meter;

use super::asic::Asic;
use super::equiv::functions;
use super::gates::{self, Mapped};
use super::step::{Finding, Found};
use crate::output::synthesis::Origin;

const METHOD: &str = "each instance's power at one transition a pin and cycle × the transitions of its outputs, simulated without delays";

/// How transitions within a cycle are found.
const GLITCH_METHOD: &str = "as without glitches, but with all transitions within a cycle: transport delays, each cell's own at \
     middling load, no pulse too short to pass, so that this is an upper figure";

/// The netlist has no clock tree; what one would take on top.
const TREE_METHOD: &str = "assumed to take as much as the clock pins that it drives; not part of any sum here";

/// Sums over instances, in W at the library's own clock.
#[derive(Debug, Default)]
struct Sum {
    clock: f64,
    data: f64,
    /// As `data`, with all transitions within a cycle.
    data_with_glitches: f64,
    leakage: f64,
    /// Per cycle.
    transitions: f64,
    transitions_with_glitches: f64,
    /// Instances whose power is known.
    matched: usize,
}

impl Asic<'_> {
    /// Power and energy of an inference.
    pub(super) fn power(&mut self, meter: &Meter) -> Found {
        let tool = Program::OpenSta.find()?.version;
        let library = &self.cells.library;
        let mapped = Mapped::read(&self.work, Functions::Cells(&functions(library)))?;
        let delay = |cell: &openlane::liberty::Cell| Some((cell.name.clone(), cell.delay_ps?));
        let delays = mapped.delays(&library.cells.iter().filter_map(delay).collect());
        let outcome = mapped.run(&self.work, Some(&delays))?;
        if let Some(first) = outcome.shown.first() {
            let message = format!("no power of a netlist that computes something else: {first}");
            return Err(Diagnostic::error("netlist", message).into());
        }
        let power = timing::instance_power(self.work.staging.path(), meter)?;
        let activity = &outcome.activity;
        let instances = &mapped.netlist.instances;
        let sum = Sum::of(&mapped, &power, activity, library);
        let origin = Origin {
            activity: Some(format!("{} vectors of the folder, {}", mapped.stimulus.samples, gates::own())),
            ..self.cells.origin(tool)
        };
        self.power_figures(&sum, &origin, instances.len());
        let each = sum.transitions / instances.len().max(1) as f64;
        Ok(Finding {
            holds: sum.matched == instances.len(),
            words: format!(
                "{} of {} cells with their activity, {each:.3} transitions a cell and cycle",
                sum.matched,
                instances.len(),
            ),
        })
    }

    fn power_figures(&mut self, sum: &Sum, origin: &Origin, instances: usize) {
        let scaling = self.cells.scaling.as_ref().map(|s| &s.energy);
        let factor = scaling.map_or(1.0, |energy| energy.value);
        let by = |method: &str| match scaling {
            Some(s) => format!("{method}; energy × {}: {}", s.value, s.source),
            None => method.to_owned(),
        };
        let (method, upper_method) = (by(METHOD), by(GLITCH_METHOD));
        // OpenSTA's watts are at its clock; joules a cycle do not depend on it
        let own_clock_s = self.cells.own_clock(self.work.clock).0 as f64 * 1e-12;
        let energy = |watts: f64| watts * own_clock_s * factor;
        let period_s = self.work.clock.ns() * 1e-9;
        let (logic, clock) = (energy(sum.data), energy(sum.clock));
        let total = logic + clock + sum.leakage * period_s;
        let upper = energy(sum.data_with_glitches) + clock + sum.leakage * period_s;
        let tree = origin.figure("energy per inference, clock tree", clock * 1e12, "pJ");
        self.work.report.figures.push(tree.estimated(TREE_METHOD));
        let figures = [
            ("energy per inference, logic", logic * 1e12, "pJ", method.as_str()),
            ("energy per inference, clock pins", clock * 1e12, "pJ", "inside the flip-flops; there is no clock tree"),
            ("energy per inference", total * 1e9, "nJ", "logic, clock pins and leakage of one cycle"),
            ("power", total / period_s * 1e3, "mW", &method),
            ("energy per inference, with glitches", upper * 1e9, "nJ", &upper_method),
        ];
        for (name, value, unit, method) in figures {
            let figure = origin.figure(name, value, unit);
            self.work.report.figures.push(match self.cells.scaling.is_some() {
                true => figure.scaled(method),
                false => figure.estimated(method),
            });
        }
        let quiet = Origin { activity: None, ..origin.clone() };
        let each = |transitions: f64| transitions / instances.max(1) as f64;
        let simulated = Origin { tool: gates::own(), ..origin.clone() };
        self.work.report.figures.extend([
            quiet.figure("leakage", sum.leakage * 1e3, "mW").by("that of the library, never scaled"),
            simulated.figure("transitions a cell and cycle", each(sum.transitions), ""),
            simulated
                .figure("transitions a cell and cycle, with glitches", each(sum.transitions_with_glitches), "")
                .estimated(GLITCH_METHOD),
        ]);
    }
}

impl Sum {
    fn of(mapped: &Mapped, power: &HashMap<String, InstancePower>, activity: &Activity, library: &Library) -> Self {
        let outputs: HashMap<&str, Vec<&str>> = library
            .cells
            .iter()
            .map(|cell| {
                let pins = cell.outputs().map(|pin| pin.name.as_str());
                (cell.name.as_str(), pins.collect())
            })
            .collect();
        let all = activity.with_glitches.as_ref().unwrap_or(&activity.settled);
        let mut sum = Self::default();
        for instance in &mapped.netlist.instances {
            let power = power.get(&instance.name);
            let (Some(power), Some(pins)) = (power, outputs.get(instance.cell.as_str())) else {
                continue;
            };
            let mean = |counts| mean(mapped, instance, pins, counts) / activity.cycles as f64;
            let (settled, all) = (mean(&activity.settled), mean(all));
            sum.clock += power.clock;
            sum.data += power.per_transition * settled;
            sum.data_with_glitches += power.per_transition * all;
            sum.leakage += power.leakage;
            sum.transitions += settled;
            sum.transitions_with_glitches += all;
            sum.matched += 1;
        }
        sum
    }
}

/// Mean over the connected outputs of an instance.
fn mean(mapped: &Mapped, instance: &Instance, outputs: &[&str], counts: &[u64]) -> f64 {
    let is_output = |pin: &str| outputs.contains(&pin);
    let nets = instance.pins.iter().filter(|(pin, _)| is_output(pin));
    let (sum, number) =
        nets.fold((0, 0_u32), |(sum, number), (_, net)| (sum + mapped.changes(counts, net), number + 1));
    sum as f64 / f64::from(number.max(1))
}
