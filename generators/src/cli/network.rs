//! What `hwgen dense` and `hwgen build` share: from a model to an output folder.

use clap::Args;

use super::care::Care;
use super::clock::Timing;
use super::output::Output;
use super::products::MatrixProductArgs;
use crate::arith::Effort;
use crate::failure::Result;
use crate::flow::generate;
use crate::flow::network::NetworkProject;
use crate::flow::options::{Options, check_top};
use crate::network::design::NetworkDesign;
use crate::network::folded::MAX_REUSE;
use crate::output::staging::Staging;

/// How a model becomes hardware.
#[derive(Debug, Args)]
pub struct Hardware {
    /// How long to search for shared adders, for each matrix: fast, normal, high, or a number of seconds [default:
    /// normal up to 4096 weights, fast beyond]
    #[arg(long)]
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

impl Hardware {
    /// Begins the output folder, and to say what is done: an error if it cannot become one.
    pub fn begin(&self) -> Result<Staging> {
        self.care.begin();
        self.folder()
    }

    /// The output folder: an error if it cannot become one.
    pub fn folder(&self) -> Result<Staging> {
        check_top(&self.top)?;
        self.output.begin()
    }

    /// What is asked of the hardware.
    pub fn options(&self) -> Result<Options> {
        self.timing.options(self.products.chosen(), self.effort)
    }

    /// The project with the form that the design is to have.
    pub fn formed(&self, project: NetworkProject) -> Result<NetworkProject> {
        let (top, reuse, streamed) = (self.top.clone(), self.reuse, self.stream);
        let design = NetworkDesign { top, reuse, streamed, ..project.design };
        let count = self.events.map(|count| count as usize);
        Ok(NetworkProject { design: self.care.moderate(design)?, count, ..project })
    }

    /// Builds, checks and writes the design.
    pub fn generate(&self, staging: Staging, project: NetworkProject) -> Result<()> {
        let project = self.formed(project)?;
        let generated = generate(&project, &self.options()?, &staging)?;
        self.output.finish(staging, &generated)?;
        super::say(self.output.summary_with(&generated, &project.work(&generated)?))
    }
}
