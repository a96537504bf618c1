//! `hwgen dense`: a dense network by itself.

use std::path::PathBuf;

use clap::Args;
use hdl::diag::Diagnostic;
use hdl::num::Format;

use super::network::Hardware;
use crate::failure::{Failure, Result};
use crate::flow::network::NetworkProject;
use crate::import::dense::{Weights, read};
use crate::import::lift::InputFormat;
use crate::model::Graph;
use crate::network::dense::{DenseNetwork, Requantiser, dimensions, random_layers, sizes};

/// Generate a chain of dense layers as Verilog, for design studies.
///
/// Every layer but the last ends in ReLU, a shift to the right and unsigned activations of --activation-bits; the last
/// one gives its sums. Weights are random, or those of FILE: JSON with W0, W1, … (a row for each input), b0, b1, …,
/// shifts, mode and act_bits; a model as `hwgen schema` describes it; or --weights once for each layer's matrix (.npy,
/// .csv). Where no shifts are given, they are the least that hold 99.5 % of the activations over random inputs.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  hwgen dense --layers 16,64,32,32,5 --bits 6 --sparsity 0.8 --clock-ns 5 --out rtl/\n  hwgen dense --weights weights.json --out rtl/"
)]
pub struct DenseArgs {
    /// Numbers of inputs and of the outputs of each layer
    #[arg(long, value_name = "SIZES", required_unless_present = "weights", value_parser = sizes_of)]
    layers: Option<Sizes>,
    /// Width of random weights
    #[arg(long, default_value_t = 6, value_parser = super::width(2), conflicts_with = "weights")]
    bits: u32,
    /// Weights instead of random ones
    #[arg(long, value_name = "FILE")]
    weights: Vec<PathBuf>,
    /// Share of the random weights that are zero
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share, conflicts_with = "weights")]
    sparsity: f64,
    /// Seed of random weights
    #[arg(long, default_value_t = 1, conflicts_with = "weights")]
    seed: u64,
    /// Width of hidden activations [default: 8, or what FILE says]
    #[arg(long, value_name = "BITS", value_parser = super::width(1))]
    activation_bits: Option<u32>,
    /// How hidden activations come about [default: rs, or what FILE says]
    #[arg(long, value_enum)]
    requantise: Option<Requantiser>,
    /// Format of the inputs
    #[arg(long, value_name = "FORMAT", default_value = "s8.0")]
    input_format: String,
    #[command(flatten)]
    hardware: Hardware,
}

/// Sizes of layers, as one argument.
#[derive(Debug, Clone)]
struct Sizes(Vec<usize>);

fn sizes_of(text: &str) -> std::result::Result<Sizes, String> {
    sizes(text).map(Sizes)
}

fn share(text: &str) -> std::result::Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("expected a number from 0 to 1".into()),
    }
}

/// Seed of the random inputs that shifts are chosen by.
const CALIBRATION_SEED: u64 = 1;

/// Runs the command.
pub fn run(args: &DenseArgs) -> Result<()> {
    let staging = args.hardware.begin()?;
    let network = args.network()?;
    let found = dimensions(&network);
    if let Some(Sizes(wanted)) = &args.layers
        && *wanted != found
    {
        let message = format!("the weights are those of {found:?}, --layers says {wanted:?}");
        return Err(Failure::user(Diagnostic::error("layers", message).help("leave --layers away")));
    }
    let sizes: Vec<String> = found.iter().map(usize::to_string).collect();
    let mut parameters = vec![("layers", sizes.join(","))];
    if args.weights.is_empty() {
        parameters.push(("weights", format!("random, seed {}", args.seed)));
        parameters.push(("bits", args.bits.to_string()));
        parameters.push(("sparsity", args.sparsity.to_string()));
    } else {
        let names: Vec<String> = args.weights.iter().map(|file| super::file_name(file)).collect();
        parameters.push(("weights", names.join(", ")));
    }
    let project = NetworkProject { parameters, ..NetworkProject::new("dense", "network", network) };
    args.hardware.generate(staging, project)
}

impl DenseArgs {
    fn network(&self) -> Result<Graph> {
        let Format { range, .. } = InputFormat::parse(&self.input_format).map_err(Failure::user)?.format;
        let mut network = DenseNetwork {
            input: (range.lo() as i64, range.hi() as i64),
            layers: Vec::new(),
            shifts: Vec::new(),
            activation_bits: self.activation_bits.unwrap_or(8),
            requantiser: self.requantise.unwrap_or(Requantiser::RoundSaturate),
        };
        let mut given = None;
        if self.weights.is_empty() {
            let sizes = self.layers.as_ref().map_or(&[][..], |Sizes(sizes)| sizes);
            network.layers = random_layers(sizes, self.bits, network.activation_bits, self.sparsity, self.seed);
        } else {
            match read(&self.weights)? {
                Weights::Model(graph) => return Ok(graph),
                Weights::Layers { layers, shifts, requantiser, activation_bits } => {
                    network.layers = layers;
                    let bits = self.activation_bits.or(activation_bits);
                    network.activation_bits = bits.unwrap_or(network.activation_bits);
                    let requantise = self.requantise.or(requantiser);
                    network.requantiser = requantise.unwrap_or(network.requantiser);
                    given = shifts;
                }
            }
        }
        let network = match given {
            Some(shifts) => Ok(DenseNetwork { shifts, ..network }),
            None => network.calibrated(CALIBRATION_SEED),
        };
        let in_file = |d: Diagnostic| match self.weights.first() {
            Some(file) => d.at(file.display().to_string(), "in this file"),
            None => d,
        };
        let graph = network.and_then(|network| network.graph("dense"));
        graph.map_err(|d| Failure::user(in_file(d)))
    }
}
