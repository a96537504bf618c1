//! `hwgen build`: a trained network from a file.

use clap::Args;

use super::model_file::ModelFile;
use super::network::{Hardware, Source};
use crate::failure::Result;
use crate::flow::exactness::{bounds, doubts, outside};
use crate::flow::outputs::quantise_outputs;
use crate::flow::reference;
use crate::import::lift::Imported;
use crate::output::report::Check;

/// Turn a trained, quantised network into Verilog with the same result for every input, bit for bit.
///
/// FILE is ONNX (QONNX's Quant, BipolarQuant, Trunc and MultiThreshold, or QuantizeLinear/DequantizeLinear), a Keras
/// model with QKeras or HGQ2 (.h5, .keras, or its .json with --weights-file), a program that alkaid traced (.json, CombLogic.save), or hwgen's own form
/// (.json, see `hwgen schema`). Quantisers, biases, batch normalisations and scales
/// between two matrix products become integer thresholds, decided with the framework's own 32-bit arithmetic.
///
/// The framework's float sums are not always exact: where the order of its additions could move a quantiser's step, the
/// network is refused. With --accept-rounding the step is taken at the exact sum, and what may differ is listed.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  hwgen build model.onnx --clock-ns 5 --out rtl/\n  hwgen build model.h5 --input-format s8.4 --inputs x.npy --expected y.npy --out rtl/"
)]
pub struct BuildArgs {
    #[command(flatten)]
    model: ModelFile,
    /// Take a quantiser's step at the exact sum where the framework's own depends on the order of its additions; how far
    /// outputs are then off at most is printed
    #[arg(long)]
    accept_rounding: bool,
    /// Events for the test bench, in the framework's numbers: .npy, the first axis counts events. Once for each input of a
    /// network with several, as NAME=FILE
    #[arg(long, value_name = "[NAME=]FILE")]
    inputs: Vec<String>,
    /// The framework's results for them, .npy: the first output must equal them, or the one of NAME. Where an output is
    /// integers times a scale, it is the integers that must be equal
    #[arg(long, value_name = "[NAME=]FILE", requires = "inputs")]
    expected: Vec<String>,
    /// Begin with this layer: its operand becomes the input
    #[arg(long, value_name = "LAYER")]
    from: Option<String>,
    /// End with this layer: its result becomes the output
    #[arg(long, value_name = "LAYER")]
    to: Option<String>,
    /// Give outputs as plain numbers of this format: [NAME=]u8.8 or [NAME=]s8.4. Sigmoids, exponentials, softmax and
    /// scales at the end are then built in hardware, as approximations; how far they are off at most is printed
    #[arg(long, value_name = "FORMAT", conflicts_with = "expected")]
    output_format: Vec<String>,
    #[command(flatten)]
    hardware: Hardware,
}

/// Runs the command.
pub fn run(args: &BuildArgs) -> Result<()> {
    let staging = args.hardware.begin()?;
    let mut network = args.part(args.model.load()?)?;
    let mut checks: Vec<Check> = args.exactness(&network)?.into_iter().collect();
    for check in quantise_outputs(&mut network.graph, &args.output_format)? {
        super::say(format_args!("{}: {}\n", check.what, check.result))?;
        checks.push(check);
    }
    super::say(outside(&network.graph))?;
    let events = reference::events(&args.inputs, &network.graph)?;
    checks.extend(reference::compare(&args.expected, &network.graph, &events)?);
    let mut parameters = args.model.parameters();
    let ends = [("from layer", &args.from), ("to layer", &args.to)];
    parameters.extend(ends.into_iter().filter_map(|(key, layer)| Some((key, layer.clone()?))));
    let Imported { graph, traced_adders, .. } = network;
    args.hardware
        .generate(staging, Source { command: "build", network: graph, parameters, checks, events, traced_adders })
}

impl BuildArgs {
    /// The part of the network that the user wants.
    fn part(&self, network: Imported) -> Result<Imported> {
        let part = network.cut(self.from.as_deref(), self.to.as_deref());
        part.map_err(|d| self.model.wrong(d))
    }

    /// What is not exact in the framework itself, if the user accepts that.
    fn exactness(&self, network: &Imported) -> Result<Option<Check>> {
        match network.require_exact() {
            Ok(()) => Ok(None),
            Err(_) if self.accept_rounding => {
                let what = doubts(network) + &bounds(network)?;
                super::say(&what)?;
                let result = what.trim_end().replace('\n', "; ");
                Ok(Some(Check { what: "exactness of the framework's own sums".into(), result }))
            }
            Err(inexact) => Err(self.model.wrong(inexact.help(
                "train with scales that are powers of two, or take steps at the exact sums with --accept-rounding",
            ))),
        }
    }
}
