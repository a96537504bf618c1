//! `hwgen interaction`: interaction networks and set networks.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use constraints::Target;
use hdl::diag::Diagnostic;
use hdl::num::Quantiser;

use super::care::Care;
use super::clock::Timing;
use super::output::Output;
use super::products::MatrixProductArgs;
use crate::arith::Fabric;
use crate::failure::{Failure, Result};
use crate::flow::generate;
use crate::flow::interaction::InteractionProject;
use crate::flow::options::check_top;
use crate::interaction::accuracy::Accuracy;
use crate::interaction::assembly::Structure;
use crate::interaction::design::InteractionDesign;
use crate::interaction::events;
use crate::interaction::file::Wanted;
use crate::interaction::network::Network;
use crate::interaction::random::Shape;
use crate::interaction::{budget, stream};
use crate::model::block::aggregate::Aggregation;

/// Generate an interaction network or a set network as Verilog.
///
/// Without a model its weights are random. The edge classifier takes its edge list with every event: `sender`,
/// `receiver` and `valid`. An edge counts if it is valid, both its nodes exist, and it keeps what --layers and --sorted
/// promise; other edges add nothing, and their result is 0.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  hwgen interaction --nodes 28 --edges 56 --clock-ns 5 --out rtl/\n  hwgen interaction --model weights.json --nodes 8 --out rtl/"
)]
pub struct InteractionArgs {
    /// Which network, if there is no model
    #[arg(long, value_enum, default_value_t = Kind::Tracking, conflicts_with = "model")]
    network: Kind,
    /// Integers as hwgen writes them to model.json (docs/interaction.md), or the weights of a trained network: of a JEDI-net
    /// as JSON or .npz (w1, b1 … w9, b9), of an edge classifier as .pt or .npz (R1.layers.0.weight, …)
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Particles of a jet or hits of an event [default: 28, or what the model says]
    #[arg(long, value_name = "N")]
    nodes: Option<usize>,
    /// Candidate segments of an event [default: 56, or what the model says]
    #[arg(long, value_name = "N")]
    edges: Option<usize>,
    /// Features of a particle or hit [default: 3]
    #[arg(long, value_name = "N", conflicts_with = "model")]
    features: Option<usize>,
    /// Layers of hits, neighbours of which alone are connected: shrinks gather and scatter [default: 1, any two, or what the model says]
    #[arg(long, value_name = "N")]
    layers: Option<usize>,
    /// Edges come in the order of their receivers, which shrinks the scatter; one that does not is as if not valid
    #[arg(long)]
    sorted: bool,
    /// How messages become one [default: sum]
    #[arg(long, value_enum, conflicts_with = "model")]
    aggregation: Option<Aggregation>,
    /// Number format of all features, weights and results [default: ap_fixed<14,7>, or the trained network's own]
    #[arg(long, value_name = "FORMAT")]
    format: Option<Quantiser>,
    /// Seed of random weights
    #[arg(long, default_value_t = 1, conflicts_with = "model")]
    seed: u64,
    /// One module for each kind of block, or one flat module
    #[arg(long, value_enum, default_value_t = Structure::Blocks)]
    structure: Structure,
    /// Cycles from one event to the next: it comes in as many beats, and so many times fewer copies work on it [default: 1]
    #[arg(long, value_name = "CYCLES", conflicts_with = "latency")]
    reuse: Option<usize>,
    /// The fewest cycles from one event to the next with which all perceptrons and sums take no more adder bits than these
    #[arg(long, value_name = "ADDER_BITS", conflicts_with_all = ["reuse", "latency"])]
    budget: Option<u64>,
    #[command(flatten)]
    products: MatrixProductArgs,
    /// Random events that the test bench runs
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    events: u32,
    /// Events with known truth, as `hwgen events` writes them: reports how well the network does, and runs them too
    #[arg(long, value_name = "FILE")]
    labelled: Option<PathBuf>,
    /// Least weight of an edge that counts as found
    #[arg(long, value_name = "WEIGHT", default_value_t = 0.5, requires = "labelled")]
    threshold: f64,
    /// Name of the top module
    #[arg(long, value_name = "NAME", default_value = "interaction")]
    top: String,
    #[command(flatten)]
    care: Care,
    #[command(flatten)]
    timing: Timing,
    #[command(flatten)]
    output: Output,
}

/// A network that can be built with random weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Edge classifier with its edge list as an input
    Tracking,
    /// JEDI-net on all pairs of particles
    Jedinet,
    /// JEDI-net with a linear f_R, in linear time
    JediLinear,
    /// φ on each element, masked aggregation, ρ
    DeepSets,
}

/// Runs the command.
pub fn run(args: &InteractionArgs) -> Result<()> {
    args.care.begin();
    let staging = args.output.begin()?;
    let options = args.timing.options(args.products.chosen(), None)?;
    let project = args.project(&options.target)?;
    let generated = generate(&project, &options, &staging)?;
    args.output.finish(staging, &generated)?;
    if let Some(overflow) = project.accuracy.as_ref().and_then(Accuracy::overflow) {
        super::say(format_args!("labelled events: {overflow}\n"))?;
    }
    super::say(args.output.summary(&generated))
}

impl InteractionArgs {
    fn project(&self, target: &Target) -> Result<InteractionProject> {
        let design = self.design(target)?;
        self.care.allow(design.require_moderate())?;
        let labelled = match &self.labelled {
            Some(file) => events::read(file, &design.network)?,
            None => Vec::new(),
        };
        let measured = self.labelled.as_ref().map(|_| Accuracy::of(&design.network, &labelled, self.threshold));
        let weights = match &self.model {
            Some(file) => super::file_name(file),
            None => format!("random, seed {}", self.seed),
        };
        Ok(InteractionProject {
            accuracy: measured.transpose().map_err(Failure::user)?,
            design,
            weights,
            events: self.events as usize,
            labelled,
        })
    }

    fn design(&self, target: &Target) -> Result<InteractionDesign> {
        check_top(&self.top)?;
        let network = match &self.model {
            Some(file) => self.wanted().read(file)?,
            None => self.random().map_err(Failure::user)?,
        };
        let beats = self.beats(&network, Fabric::of(target))?;
        if beats.is_some() && self.structure == Structure::Flat {
            let error = Diagnostic::error("reuse", "a stream is made of blocks");
            return Err(Failure::user(error.help("leave --structure away")));
        }
        Ok(InteractionDesign {
            top: self.top.clone(),
            structure: self.structure,
            stream: beats.map(|beats| stream::Timing { beats, latency: 0 }),
            network,
        })
    }

    /// The beats of an event, none if it is taken whole.
    fn beats(&self, network: &Network, constants: Fabric) -> Result<Option<usize>> {
        let Some(budget) = self.budget else {
            return Ok(self.reuse);
        };
        let Network::Tracking(network) = network else {
            let error = Diagnostic::error("budget", "only edge classifiers are streamed");
            return Err(Failure::user(error.help("leave --budget away")));
        };
        let beats = budget::beats_within(network, constants, budget).map_err(Failure::from)?;
        Ok((beats > 1).then_some(beats))
    }

    fn wanted(&self) -> Wanted {
        let Self { nodes, edges, layers, sorted, format, .. } = *self;
        Wanted { nodes, edges, layers, sorted, format }
    }

    fn random(&self) -> std::result::Result<Network, Diagnostic> {
        let shape = Shape {
            nodes: self.nodes.unwrap_or(28),
            edges: self.edges.unwrap_or(56),
            features: self.features.unwrap_or(3),
            layers: self.layers.unwrap_or(1),
            sorted: self.sorted,
            aggregation: self.aggregation.unwrap_or_default(),
            format: self.format.unwrap_or_else(|| "ap_fixed<14,7>".parse().expect("a constant")),
            seed: self.seed,
        };
        match self.network {
            Kind::Tracking => shape.tracking(),
            Kind::Jedinet => shape.jedinet(),
            Kind::JediLinear => shape.jedi_linear(),
            Kind::DeepSets => shape.deep_sets(),
        }
    }
}
