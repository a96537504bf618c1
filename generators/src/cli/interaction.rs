//! `hwgen interaction`: interaction networks and set networks.

use hdl::num::Quantiser;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use constraints::Target;
use hdl::diag::Diagnostic;

use super::care::Care;
use super::clock::Timing;
use super::output::{Output, finish};
use super::products::MatrixProductArgs;
use crate::arith::Fabric;
use crate::design::Design;
use crate::failure::{Failure, Result};
use crate::flow::generate;
use crate::flow::interaction::InteractionProject;
use crate::import::bounded;
use crate::import::numpy::{self, Numbers};
use crate::import::torch;
use crate::interaction::accuracy::Accuracy;
use crate::interaction::assembly::Structure;
use crate::interaction::design::InteractionDesign;
use crate::interaction::events::{self, Event, Labelled};
use crate::interaction::network::Network;
use crate::interaction::random::Shape;
use crate::interaction::{budget, jedinet, stream, tracker};
use crate::model::block::aggregate::Aggregation;
use crate::model::block::windows::Windows;

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

/// A reader of named arrays.
type ArrayReader = fn(&[u8]) -> std::result::Result<tracker::Arrays, String>;

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
    finish(staging)?;
    if let Some(overflow) = project.accuracy.as_ref().and_then(Accuracy::overflow) {
        super::say(format_args!("labelled events: {overflow}\n"))?;
    }
    super::say(args.output.summary(&generated))
}

impl InteractionArgs {
    fn project(&self, target: &Target) -> Result<InteractionProject> {
        let design = self.design(target)?;
        self.care.allow(design.require_moderate())?;
        let labelled = self.labelled(&design.network)?;
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
        super::check_top(&self.top)?;
        let network = match &self.model {
            Some(file) => self.read(file)?,
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

    fn read(&self, file: &Path) -> Result<Network> {
        let in_file = |d: Diagnostic| Failure::user(d.at(file.display().to_string(), "in this file"));
        let no_model = |e: serde_json::Error| in_file(Diagnostic::error("json", format!("this is no model: {e}")));
        let ending = file.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
        let read: Option<ArrayReader> = match ending.as_deref() {
            Some("npz") => Some(numpy::archive),
            Some("pt" | "pth") => Some(torch::tensors),
            _ => None,
        };
        if let Some(read) = read {
            let bytes = bounded::read("read the model", file, bounded::MODEL)?;
            let arrays = read(&bytes).map_err(|why| {
                let help = "save plain numbers of 32 or 64 bits: torch.save(model.state_dict(), \"model.pt\")";
                let error = Diagnostic::error("model", why);
                in_file(if ending.as_deref() == Some("npz") { error } else { error.help(help) })
            })?;
            let network = self.of_arrays(&arrays).map_err(in_file)?;
            network.validate().map_err(in_file)?;
            return Ok(network);
        }
        let text = bounded::read_text("read the model", file, bounded::TEXT)?;
        let json: serde_json::Value = serde_json::from_str(&text).map_err(no_model)?;
        if jedinet::recognise(&json) {
            self.check_graph_is_fixed().map_err(in_file)?;
            let network = jedinet::import(&json, self.nodes, self.format).map_err(in_file)?;
            let network = Network::Jedinet(network);
            network.validate().map_err(in_file)?;
            return Ok(network);
        }
        let network = match json.get("design") {
            Some(_) => match serde_json::from_value(json).map_err(no_model)? {
                Design::Interaction(design) => design.network,
                _ => return Err(in_file(Diagnostic::error("model", "this is the model of another generator"))),
            },
            None => serde_json::from_value(json).map_err(no_model)?,
        };
        let network = self.resized(network).map_err(in_file)?;
        network.validate().map_err(in_file)?;
        Ok(network)
    }

    /// A trained network from named arrays.
    fn of_arrays(&self, arrays: &tracker::Arrays) -> std::result::Result<Network, Diagnostic> {
        if !tracker::recognise(arrays) {
            self.check_graph_is_fixed()?;
            let transposed = |(name, weights): (&String, &Numbers)| {
                let bias = arrays.get(&name.replace('w', "b"))?;
                let [_, outputs] = *weights.shape.as_slice() else {
                    return None;
                };
                (name.starts_with('w') && bias.values.len() != outputs).then(|| (name.clone(), weights.shape.clone()))
            };
            if let Some((name, shape)) = arrays.iter().find_map(transposed) {
                let message = format!("`{name}` of shape {shape:?} has not one column for each entry of its bias");
                return Err(Diagnostic::error("model", message).help("save matrices as [input, output]"));
            }
            let flat = arrays.iter().map(|(name, array)| (name.clone(), array.values.as_slice().into()));
            let json = serde_json::Value::Object(flat.collect());
            return jedinet::import(&json, self.nodes, self.format).map(Network::Jedinet);
        }
        let size = (self.nodes.unwrap_or(28), self.edges.unwrap_or(56));
        let mut network = tracker::import(arrays, self.format, size)?;
        network.sorted = self.sorted;
        network.windows = Windows::of_layers(network.nodes, network.edges, self.layers.unwrap_or(1))?;
        Ok(Network::Tracking(network))
    }

    /// The model for as many hits, segments and layers as the user wants: its perceptrons work on any graph.
    fn resized(&self, network: Network) -> std::result::Result<Network, Diagnostic> {
        if self.format.is_some() {
            let error = Diagnostic::error("model", "the model says its own formats");
            return Err(error.help("leave --format away"));
        }
        let Network::Tracking(mut network) = network else {
            self.check_graph_is_fixed()?;
            if self.nodes.is_some() {
                let error = Diagnostic::error("model", "the model says its own size");
                return Err(error.help("leave --nodes away"));
            }
            return Ok(network);
        };
        let size = (network.nodes, network.edges);
        network.sorted |= self.sorted;
        network.nodes = self.nodes.unwrap_or(network.nodes);
        network.edges = self.edges.unwrap_or(network.edges);
        match (self.layers, &network.windows) {
            (Some(layers), _) => network.windows = Windows::of_layers(network.nodes, network.edges, layers)?,
            (None, Some(_)) if size != (network.nodes, network.edges) => {
                let error = Diagnostic::error("model", "the model's windows are for another size");
                return Err(error.help("say its layers with --layers; 1 connects any two"));
            }
            (None, _) => {}
        }
        Ok(Network::Tracking(network))
    }

    fn check_graph_is_fixed(&self) -> std::result::Result<(), Diagnostic> {
        if self.edges.is_none() && self.layers.is_none() && !self.sorted {
            return Ok(());
        }
        let error = Diagnostic::error("model", "a model of jets has no edge list");
        Err(error.help("leave --edges, --layers and --sorted away"))
    }

    fn labelled(&self, network: &Network) -> Result<Vec<Labelled>> {
        let Some(file) = &self.labelled else {
            return Ok(Vec::new());
        };
        let in_file = |d: Diagnostic| Failure::user(d.at(file.display().to_string(), "in this file"));
        let text = bounded::read_text("read the events", file, events::MOST_BYTES)?;
        let events = events::parse(&text).map_err(in_file)?;
        if events.is_empty() {
            return Err(in_file(Diagnostic::error("events", "no events")));
        }
        let numbered = |(k, event): (usize, &Event)| {
            event.quantised(network).map_err(|mut d| {
                d.message = format!("event {k}: {}", d.message);
                in_file(d)
            })
        };
        (1..).zip(&events).map(numbered).collect()
    }
}
