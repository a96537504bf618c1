//! What `hwgen dense` and `hwgen build` share: from a model to an output folder.

use clap::Args;

use super::care::Care;
use super::clock::{Timing, effort};
use super::output::Output;
use super::products::MatrixProductArgs;
use crate::arith::Effort;
use crate::failure::Result;
use crate::flow::generate;
use crate::flow::network::NetworkProject;
use crate::model::Graph;
use crate::network::design::{Event, NetworkDesign};
use crate::network::folded::MAX_REUSE;
use crate::output::report::Check;
use crate::output::staging::Staging;

/// How a model becomes hardware.
#[derive(Debug, Args)]
pub struct Hardware {
    /// How long to search for shared adders, for each matrix: fast, normal, high, or a number of seconds [default:
    /// normal up to 4096 weights, fast beyond]
    #[arg(long, value_parser = effort)]
    effort: Option<Effort>,
    #[command(flatten)]
    products: MatrixProductArgs,
    /// Fold the network: each multiplier of a dense or convolution layer serves up to N weights, a new event may begin
    /// every N cycles at the latest, weights lie in tables. For networks that are too large to unroll
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_REUSE)), conflicts_with_all = ["effort", "latency", "sums", "area_factor"])]
    reuse: Option<u32>,
    /// Take an event word by word (a pixel's channels at once) and keep tensors in memories, as large folded networks of
    /// convolutions do by themselves
    #[arg(long, requires = "reuse")]
    stream: bool,
    /// Events that the test bench runs [default: 256, fewer for a folded network]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    events: Option<u32>,
    /// Name of the top module
    #[arg(long, value_name = "NAME", default_value = "network")]
    top: String,
    #[command(flatten)]
    care: Care,
    #[command(flatten)]
    timing: Timing,
    #[command(flatten)]
    output: Output,
}

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
        self.care.begin();
        super::check_top(&self.top)?;
        self.output.begin()
    }

    /// Builds, checks and writes the design.
    pub fn generate(&self, staging: Staging, source: Source) -> Result<()> {
        let Source { command, network, parameters, checks, events, traced_adders } = source;
        let (top, reuse) = (self.top.clone(), self.reuse);
        let design = NetworkDesign { top, reuse, streamed: self.stream, stages: Vec::new(), network };
        let project = NetworkProject {
            generator: command,
            design: self.care.moderate(design)?,
            parameters,
            checks,
            events,
            count: self.events.map(|count| count as usize),
            traced_adders,
        };
        let options = self.timing.options(self.products.chosen(), self.effort)?;
        let generated = generate(&project, &options, &staging)?;
        self.output.finish(staging, &generated)?;
        super::say(self.output.summary_with(&generated, &project.work(&generated)?))
    }
}
