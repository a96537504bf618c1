//! `hwgen build`: a trained network from a file.

use clap::Args;

use super::model_file::{ModelFile, ModelPart};
use super::network::Hardware;
use crate::failure::Result;

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
    #[command(flatten)]
    part: ModelPart,
    #[command(flatten)]
    reference: Reference,
    #[command(flatten)]
    hardware: Hardware,
}

/// The framework's own events and results.
#[derive(Debug, Args)]
pub struct Reference {
    /// Events for the test bench, in the framework's numbers: .npy, the first axis counts events. Once for each input of a
    /// network with several, as NAME=FILE
    #[arg(long, value_name = "[NAME=]FILE")]
    pub inputs: Vec<String>,
    /// The framework's results for them, .npy: the first output must equal them, or the one of NAME. Where an output is
    /// integers times a scale, it is the integers that must be equal
    #[arg(long, value_name = "[NAME=]FILE", requires = "inputs")]
    pub expected: Vec<String>,
}

/// Runs the command.
pub fn run(args: &BuildArgs) -> Result<()> {
    let staging = args.hardware.begin()?;
    let network = args.model.file().part(&args.part.part())?;
    super::say(&network.remarks)?;
    let project = network.project(&args.reference.inputs, &args.reference.expected)?;
    args.hardware.generate(staging, project)
}
