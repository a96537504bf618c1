//! What `hwgen dense` and `hwgen build` share: from a model to an output folder.

use std::collections::BTreeMap;

use clap::Args;
use constraints::{Target, delay};

use super::clock::Timing;
use super::cmvm::effort;
use super::output::{Output, finish};
use super::products::{MatrixProducts, parameters};
use crate::arith::Effort;
use crate::design::Design;
use crate::failure::{Failure, Result};
use crate::flow::run_batch;
use crate::model::{Graph, Input};
use crate::network::design::{Event, NetworkDesign};
use crate::network::folded::{MAX_REUSE, Schedule};
use crate::output::emit::Emission;
use crate::output::folder::Staging;
use crate::output::report::{Check, Report};

/// How a model becomes hardware.
#[derive(Debug, Args)]
pub struct Hardware {
    /// How long to search for shared adders, for each matrix: fast, normal, high, or a number of seconds [default:
    /// normal up to 4096 weights, fast beyond]
    #[arg(long, value_parser = effort)]
    effort: Option<Effort>,
    #[command(flatten)]
    products: MatrixProducts,
    /// Fold the network: each multiplier of a dense or convolution layer serves up to N weights, a new event may begin
    /// every N cycles at the latest, weights lie in tables. For networks that are too large to unroll
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_REUSE)), conflicts_with_all = ["effort", "latency", "sums", "area_factor"])]
    reuse: Option<u32>,
    /// Events that the test bench runs [default: 256, fewer for a folded network]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    events: Option<u32>,
    /// Name of the top module
    #[arg(long, value_name = "NAME", default_value = "network")]
    top: String,
    #[command(flatten)]
    timing: Timing,
    #[command(flatten)]
    output: Output,
}

/// Seed of the test bench's random events.
const EVENT_SEED: u64 = 1;
/// Events of a test bench, at most and at least.
const EVENTS: usize = 256;
const LEAST_EVENTS: usize = 4;
/// Input elements of all rows of a folded network's test bench, about.
const ROWS_BUDGET: usize = 1 << 20;

/// A model and where it comes from.
#[derive(Debug)]
pub struct Source {
    /// The command, for the report.
    pub command: &'static str,
    /// The integers.
    pub network: Graph,
    /// What the user chose.
    pub parameters: Vec<(&'static str, String)>,
    /// What else was checked.
    pub checks: Vec<Check>,
    /// Events that the test bench runs in front of random ones.
    pub events: Vec<Event>,
    /// Adders that the file had, for comparison.
    pub traced_adders: Option<u64>,
}

impl Hardware {
    /// Begins the output folder: an error if it cannot become one.
    pub fn begin(&self) -> Result<Staging> {
        super::check_top(&self.top)?;
        self.output.begin()
    }

    /// Builds, checks and writes the design.
    pub fn generate(&self, staging: Staging, source: Source) -> Result<()> {
        let target = Target::load(&self.timing.target)?;
        let clock = self.timing.clock()?;
        let mut design =
            NetworkDesign { top: self.top.clone(), reuse: self.reuse, stages: Vec::new(), network: source.network };
        let kinds = design.products();
        let arithmetic = self.products.arithmetic(&target, kinds)?;
        let built = design.build(self.effort, arithmetic, &delay::of(&target), &self.timing.stages()?);
        let (top, pipeline) = built.map_err(|d| self.timing.explain(d))?;
        let schedule = design.schedule().map_err(Failure::user)?;
        let count = self.events(&design.network, schedule.as_ref());
        let mut events = source.events;
        let random = count.saturating_sub(events.len());
        events.truncate(count);
        events.extend(design.random_events(random, EVENT_SEED));
        let vectors = design.vectors(&events).map_err(Failure::user)?;
        let check = run_batch(&top, &vectors, None)?.require_pass()?;

        let delays = self.timing.source(&target);
        let mut report = Report::new(source.command, &top, clock.ns(), &pipeline, &delays);
        report.parameters = self.parameters(source.parameters);
        report.parameters.extend(parameters(&arithmetic, kinds));
        report.layers = design.layer_formats();
        report.checks.push(Check { what: check.engine.clone(), result: check.summary() });
        report.checks.extend(source.checks);
        report.timing.latency = pipeline.latency;
        let mut work = format!("{} adders of {} bits", report.size.adders, report.size.adder_bits);
        if let Some(cells) = report.size.operators.get("adder") {
            work += &format!(" and {cells} full adders");
        }
        if let Some(traced) = source.traced_adders {
            work += &format!(" (as traced: {traced} adders)");
            report.checks.push(Check {
                what: "adders".into(),
                result: format!("{traced} as traced, {} here", report.size.adders),
            });
        }
        let mut registers = format!("{} register bits between stages", pipeline.register_bits);
        let mut interval = 1;
        if let Some(schedule) = &schedule {
            interval = schedule.interval;
            report.timing.initiation_interval = interval;
            work = format!("{} multipliers", schedule.multipliers);
            let bits = report.size.state_bits + report.size.pipeline_register_bits;
            registers = format!("{bits} register bits");
        }
        let emission = Emission {
            top: &top,
            model: Design::Network(design).to_json(),
            clock,
            register_port: &[],
            vectors: &vectors,
            preamble: None,
            target: &target,
        };
        emission.write(&staging, report)?;
        finish(staging)?;
        super::say(format_args!(
            "{}: latency {} cycles, initiation interval {interval}, {work}, {registers}\n{}\n",
            top.name,
            pipeline.latency,
            super::next_step(&self.output.out)
        ));
        Ok(())
    }

    /// How many events the test bench runs. Those of a folded network take a row a cycle.
    fn events(&self, network: &Graph, schedule: Option<&Schedule>) -> usize {
        let elements = |input: &Input| input.shape.iter().product::<usize>();
        let width: usize = network.inputs().iter().map(elements).sum();
        let fitting = schedule.map_or(EVENTS, |schedule| ROWS_BUDGET / (width.max(1) * schedule.interval as usize));
        let default = fitting.clamp(LEAST_EVENTS, EVENTS);
        self.events.map_or(default, |events| events as usize)
    }

    fn parameters(&self, chosen: Vec<(&'static str, String)>) -> BTreeMap<String, String> {
        let effort = match self.effort {
            None => "by size".to_owned(),
            Some(effort) => format!("{effort:?}").to_lowercase(),
        };
        let how = match self.reuse {
            None => ("effort", effort),
            Some(reuse) => ("reuse", reuse.to_string()),
        };
        let common = [how, ("target", self.timing.target.clone())];
        let all = chosen.into_iter().chain(common);
        all.map(|(key, value)| (key.to_owned(), value)).collect()
    }
}
