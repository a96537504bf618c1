//! A network of layers as a project.

use std::collections::BTreeMap;

use constraints::delay;
use hdl::diag::Diagnostic;
use hdl::passes::pipeline::{self, Goal};
use sim::vectors::Vectors;

use super::generate::{Built, Generated, Project};
use super::options::{Options, Timing};
use crate::arith::{Arithmetic, Kinds};
use crate::design::Design;
use crate::failure::{Failure, Result};
use crate::model::{Graph, Input};
use crate::network::design::{Event, NetworkDesign};
use crate::network::folded::Schedule;
use crate::output::report::{Check, LayerFormats, Report};

/// A network, and where it comes from.
#[derive(Debug, Clone)]
pub struct NetworkProject {
    /// The generator's name in reports.
    pub generator: &'static str,
    /// The model.
    pub design: NetworkDesign,
    /// What the user chose.
    pub parameters: Vec<(&'static str, String)>,
    /// What else was checked.
    pub checks: Vec<Check>,
    /// Events that the test bench runs in front of random ones.
    pub events: Vec<Event>,
    /// How many events it runs; none is 256, fewer for a folded network.
    pub count: Option<usize>,
    /// Adders that the file had, for comparison.
    pub traced_adders: Option<u64>,
}

/// Seed of the test bench's random events.
const EVENT_SEED: u64 = 1;
/// Events of a test bench, at most and at least.
const EVENTS: usize = 256;
const LEAST_EVENTS: usize = 2;
/// Input elements of all rows of a folded network's test bench, about.
const ROWS_BUDGET: usize = 1 << 20;

impl NetworkProject {
    /// An unrolled network whose top module is `top`.
    pub fn new(generator: &'static str, top: &str, network: Graph) -> Self {
        Self {
            generator,
            design: NetworkDesign { top: top.to_owned(), reuse: None, stages: Vec::new(), network },
            parameters: Vec::new(),
            checks: Vec::new(),
            events: Vec::new(),
            count: None,
            traced_adders: None,
        }
    }

    /// What the hardware consists of, in a few words.
    ///
    /// # Errors
    /// A design that is not this project's.
    pub fn work(&self, Generated { built, report }: &Generated) -> Result<String> {
        let size = &report.size;
        if let Some(schedule) = of_network(&built.design).map_err(Failure::user)?.schedule().map_err(Failure::user)? {
            let bits = size.state_bits + size.pipeline_register_bits;
            return Ok(format!("{} multipliers, {bits} register bits", schedule.multipliers));
        }
        let mut work = format!("{} adders of {} bits", size.adders, size.adder_bits);
        if let Some(cells) = size.operators.get("adder") {
            work += &format!(" and {cells} full adders");
        }
        if let Some(traced) = self.traced_adders {
            work += &format!(" (as traced: {traced} adders)");
        }
        Ok(format!("{work}, {} register bits between stages", built.pipeline.register_bits))
    }

    /// How many events the test bench runs. Those of a folded network take a row a cycle.
    fn events(&self, schedule: Option<&Schedule>) -> usize {
        let elements = |input: &Input| input.shape.iter().product::<usize>();
        let width: usize = self.design.network.inputs().iter().map(elements).sum();
        let fitting = schedule.map_or(EVENTS, |schedule| ROWS_BUDGET / (width.max(1) * schedule.interval as usize));
        self.count.unwrap_or(fitting.clamp(LEAST_EVENTS, EVENTS))
    }
}

/// What a data path is cut to. Latency 0 is without any register, also at the outputs, at any clock unless one is asked
/// for.
fn stages(timing: &Timing) -> Result<pipeline::Options> {
    let cut = match (timing.latency, timing.clock_ns) {
        (Some(0), None) => timing.cut(|_| Goal::Latency(0))?,
        _ => timing.stages()?,
    };
    Ok(pipeline::Options { register_outputs: timing.latency != Some(0), ..cut })
}

/// The network that was built.
fn of_network(design: &Design) -> std::result::Result<&NetworkDesign, Diagnostic> {
    match design {
        Design::Network(design) => Ok(design),
        _ => Err(Diagnostic::bug("project", "a network was built into something else")),
    }
}

impl Project for NetworkProject {
    fn generator(&self) -> &'static str {
        self.generator
    }

    fn parameters(&self, options: &Options) -> BTreeMap<String, String> {
        let effort = match options.effort {
            None => "by size".to_owned(),
            Some(effort) => format!("{effort:?}").to_lowercase(),
        };
        let how = match self.design.reuse {
            None => ("effort", effort),
            Some(reuse) => ("reuse", reuse.to_string()),
        };
        let common = [how, ("target", options.target.name.clone())];
        let all = self.parameters.iter().cloned().chain(common);
        all.map(|(key, value)| (key.to_owned(), value)).collect()
    }

    fn products(&self) -> Kinds {
        self.design.products()
    }

    fn build(&self, options: &Options, arithmetic: Arithmetic) -> Result<Built> {
        let (delays, cut) = (delay::of(&options.target), stages(&options.timing)?);
        let built = self.design.build(options.effort, arithmetic, &delays, &cut);
        let (top, pipeline, design) = built.map_err(|d| options.timing.explain(d))?;
        let schedule = design.schedule().map_err(Failure::user)?;
        let interval = schedule.map_or(1, |schedule| schedule.interval);
        Ok(Built { top, latency: pipeline.latency, interval, pipeline, design: Design::Network(design) })
    }

    fn vectors(&self, design: &Design) -> std::result::Result<Vectors, Diagnostic> {
        let design = of_network(design)?;
        let count = self.events(design.schedule()?.as_ref());
        let random = design.random_events(count.saturating_sub(self.events.len()), EVENT_SEED);
        let events: Vec<Event> = self.events.iter().take(count).cloned().chain(random).collect();
        design.vectors(&events)
    }

    fn layer_formats(&self) -> std::result::Result<Vec<LayerFormats>, Diagnostic> {
        Ok(self.design.layer_formats())
    }

    fn checks(&self, report: &Report) -> Vec<Check> {
        let traced = self.traced_adders.map(|traced| Check {
            what: "adders".into(),
            result: format!("{traced} as traced, {} here", report.size.adders),
        });
        self.checks.iter().cloned().chain(traced).collect()
    }
}
