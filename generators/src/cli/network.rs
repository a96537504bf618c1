//! What `hwgen dense` and `hwgen build` share: from a model to an output folder.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use constraints::{Target, delay};
use hdl::passes::pipeline::Goal;

use super::clock::{Timing, options};
use super::cmvm::effort;
use super::sim::run_batch;
use crate::arith::Effort;
use crate::design::Design;
use crate::failure::{Failure, Result};
use crate::model::Graph;
use crate::network::design::{Event, NetworkDesign};
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
    /// Events that the test bench runs
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    events: u32,
    /// Name of the top module
    #[arg(long, value_name = "NAME", default_value = "network")]
    top: String,
    #[command(flatten)]
    timing: Timing,
    /// The output folder
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Seed of the test bench's random events.
const EVENT_SEED: u64 = 1;

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
}

impl Hardware {
    /// Begins the output folder: an error if it cannot become one.
    pub fn begin(&self) -> Result<Staging> {
        super::check_top(&self.top)?;
        Staging::begin(&self.out)
    }

    /// Builds, checks and writes the design.
    pub fn generate(&self, staging: Staging, source: Source) -> Result<()> {
        let target = Target::load(&self.timing.target)?;
        let clock = self.timing.clock()?;
        let goal = |clock| match self.timing.latency {
            Some(latency) => Goal::ClockAndLatency { clock, latency },
            None => Goal::Clock(clock),
        };
        let design = NetworkDesign {
            top: self.top.clone(),
            network: source.network,
        };
        let built = design.build(self.effort, &delay::of(&target), &options(clock, goal)?);
        let (top, pipeline) = built.map_err(|d| self.timing.explain(d))?;
        let mut events = source.events;
        let random = (self.events as usize).saturating_sub(events.len());
        events.truncate(self.events as usize);
        events.extend(design.random_events(random, EVENT_SEED));
        let vectors = design.vectors(&events).map_err(Failure::user)?;
        let check = run_batch(&top, &vectors, None)?.require_pass()?;

        let delays = self.timing.source(&target);
        let mut report = Report::new(source.command, &top, clock.ns(), &pipeline, &delays);
        report.parameters = self.parameters(source.parameters);
        report.layers = design.layer_formats();
        report.checks.push(Check {
            what: check.engine.clone(),
            result: check.summary(),
        });
        report.checks.extend(source.checks);
        let adders = format!(
            "{} adders of {} bits",
            report.size.adders, report.size.adder_bits
        );
        let emission = Emission {
            top: &top,
            model: Design::Network(design).to_json(),
            clock,
            register_port: &[],
            vectors: &vectors,
            preamble: None,
        };
        emission.write(&staging, report)?;
        staging.finish()?;
        super::say(format_args!(
            "{}: latency {} cycles, initiation interval 1, {adders}, {} register bits between stages\n{}\n",
            top.name,
            top.latency(),
            pipeline.register_bits,
            super::next_step(&self.out)
        ));
        Ok(())
    }

    fn parameters(&self, chosen: Vec<(&'static str, String)>) -> BTreeMap<String, String> {
        let effort = match self.effort {
            None => "by size".to_owned(),
            Some(effort) => format!("{effort:?}").to_lowercase(),
        };
        let common = [("effort", effort), ("target", self.timing.target.clone())];
        let all = chosen.into_iter().chain(common);
        all.map(|(key, value)| (key.to_owned(), value)).collect()
    }
}
