//! Energy and power of a netlist from the switching activity of its gate-level simulation.

use constraints::targets::Figure as Factor;
use constraints::timing::Limits;
use hdl::diag::Diagnostic;
use openlane::delays::{self, NetDelays};
use openlane::energy::{Energy, EnergyModel};
use openlane::liberty::electrical::Electrical;
use openlane::liberty::functions;
use sim::functions::Functions;
use sim::gates::{Delays, Watch};
use sim::tools::Meter;

use super::asic::Asic;
use super::gates::{self, Mapped};
use super::step::{Finding, Found};
use crate::output::synthesis::Origin;

const INERTIAL: &str = "Liberty tables, for every transition within a cycle: inertial delays, one for each output pin by its \
     load, without wires";
const SETTLED: &str =
    "Liberty tables, for the transitions from one cycle's settled levels to the next's: a lower bound";
/// The netlist has no clock tree; what one would take on top.
const TREE: &str = "assumed to take as much as the clock pins that it drives; not part of any sum here";
const CLOCK: &str = "capacitance of the pins, and inside the flip-flops; there is no clock tree";
const LEAKAGE: &str = "that of the library by the states of the cells, never scaled";

/// What the vectors move, and what that takes.
struct Consumption {
    inertial: Energy,
    settled: Energy,
    /// Transitions of all nets that cells drive, in a cycle.
    transitions: [f64; 2],
}

impl Asic<'_> {
    /// Power and energy of an inference.
    pub(super) fn power(&mut self, _: &Meter) -> Found {
        let library = &self.cells.library;
        let mapped = Mapped::read(&self.work, Functions::Cells(&functions(library)))?;
        let electrical = Electrical::parse(&String::from_utf8_lossy(&self.cells.liberty))?;
        let netlist =
            delays::Mapped { netlist: &mapped.netlist, circuit: &mapped.circuit, library, electrical: &electrical };
        let nets = NetDelays::of(&netlist, &Limits::default())?;
        let model = EnergyModel::of(&netlist, &nets)?;
        let delays = Delays::of_nets(&mapped.circuit, |net| nets.delay_ps[net as usize].round() as u32);
        let watch = Watch { delays: Some(&delays), conditions: model.conditions() };
        let outcome = mapped.run(&self.work, watch)?;
        if let Some(first) = outcome.shown.first() {
            let message = format!("no power of a netlist that computes something else: {first}");
            return Err(Diagnostic::error("netlist", message).into());
        }
        let activity = &outcome.activity;
        let all = activity.inertial.as_deref().unwrap_or_default();
        let driven = |net: &usize| nets.delay_ps[*net] > 0.0;
        let each = |counts: &[u64]| {
            let sum: u64 = (0..counts.len()).filter(driven).map(|net| counts[net]).sum();
            sum as f64 / activity.cycles.max(1) as f64 / mapped.netlist.instances.len().max(1) as f64
        };
        let found = Consumption {
            inertial: model.of_activity(all, activity),
            settled: model.of_activity(&activity.settled, activity),
            transitions: [each(all), each(&activity.settled)],
        };
        let origin = Origin {
            activity: Some(format!("{} vectors of the folder", mapped.stimulus.samples)),
            ..self.cells.origin(gates::own())
        };
        Ok(self.power_figures(&found, &origin))
    }

    fn power_figures(&mut self, found: &Consumption, origin: &Origin) -> Finding {
        let Consumption { inertial, settled, transitions } = found;
        let scaling = self.cells.scaling.clone();
        let period_s = self.work.clock.ns() * 1e-9;
        let by = |method: &str, factor: Option<&Factor>| match factor {
            Some(f) => format!("{method}; energy × {}: {}", f.value, f.source),
            None => method.to_owned(),
        };
        let factor = scaling.as_ref().map(|s| &s.energy);
        let of = |joule: f64, factor: Option<&Factor>| joule * factor.map_or(1.0, |f| f.value);
        let total = |energy: &Energy, factor: Option<&Factor>| {
            of(energy.logic() + energy.clock, factor) + energy.leakage * period_s
        };
        let mut figures = vec![
            ("energy per inference, switching", of(inertial.switching, factor) * 1e12, "pJ", by(INERTIAL, factor)),
            ("energy per inference, inside cells", of(inertial.internal, factor) * 1e12, "pJ", by(INERTIAL, factor)),
            ("energy per inference, clock pins", of(inertial.clock, factor) * 1e12, "pJ", by(CLOCK, factor)),
            ("energy per inference", total(inertial, factor) * 1e9, "nJ", by(INERTIAL, factor)),
            ("power", total(inertial, factor) / period_s * 1e3, "mW", by(INERTIAL, factor)),
            ("energy per inference, settled", total(settled, factor) * 1e9, "nJ", by(SETTLED, factor)),
        ];
        for point in scaling.iter().flat_map(|s| &s.points) {
            let method = by(&format!("{INERTIAL}; at {} V", point.voltage), Some(&point.energy));
            let joule = total(inertial, Some(&point.energy));
            figures.push(("energy per inference at another voltage", joule * 1e9, "nJ", method));
        }
        let report = &mut self.work.report;
        for (name, value, unit, method) in figures {
            let figure = origin.figure(name, value, unit);
            report.figures.push(match scaling.is_some() {
                true => figure.scaled(method),
                false => figure.by(method),
            });
        }
        let tree = origin.figure("energy per inference, clock tree", of(inertial.clock, factor) * 1e12, "pJ");
        let leakage = origin.figure("leakage", inertial.leakage * 1e3, "mW");
        let [all, last] = transitions;
        report.figures.extend([
            tree.estimated(TREE),
            leakage.by(LEAKAGE),
            origin.figure("transitions a cell and cycle", *all, "").by("inertial delays"),
            origin.figure("transitions a cell and cycle, settled", *last, ""),
        ]);
        let words = format!(
            "{:.3} nJ an inference, {:.3} nJ of settled transitions; {all:.3} and {last:.3} transitions a cell and cycle",
            total(inertial, factor) * 1e9,
            total(settled, factor) * 1e9
        );
        Finding::good(words)
    }
}
