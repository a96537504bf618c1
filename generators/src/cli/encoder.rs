//! `hwgen encoder`: the HGCAL trigger encoder.

use std::path::PathBuf;

use clap::Args;
use hdl::draw::dot;

use super::clock::Timing;
use super::output::Output;
use super::products::ProductArgs;
use crate::encoder::arithmetic::Contract;
use crate::encoder::design::EncoderDesign;
use crate::encoder::model::Input;
use crate::encoder::network::{Parts, Storage};
use crate::encoder::weights::Choice;
use crate::failure::Result;
use crate::flow::encoder::EncoderProject;
use crate::flow::generate;
use crate::flow::options::check_top;
use crate::output::file::write_new;

/// Generate the HGCAL trigger encoder (ECON-T auto-encoder block) as Verilog.
///
/// 48 trigger-cell charges go in every clock cycle, 16 latent values and the module sum come out. Without further
/// options it is the chip's block: 8-bit activations, 6-bit weights, 9-bit outputs, 40 MHz, 2 cycles.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  hwgen encoder --bits 8 --out rtl/\n  hwgen encoder --weights programmable --model weights.json --out rtl/\n  hwgen encoder --tmr registers --out rtl/"
)]
pub struct EncoderArgs {
    /// Width of the normalised input and of the hidden activations [default: 8]
    #[arg(long, value_parser = super::width(2))]
    bits: Option<u32>,
    /// Width of weights and biases [default: 6]
    #[arg(long, value_parser = super::width(2))]
    weight_bits: Option<u32>,
    /// Width of the outputs [default: 9]
    #[arg(long, value_parser = super::width(1))]
    output_bits: Option<u32>,
    /// Whose arithmetic it follows, bit for bit
    #[arg(long, value_enum, default_value_t = Contract::Silicon)]
    contract: Contract,
    /// Weights built into the adders, or in registers written at run time
    #[arg(long, value_enum, default_value_t = Storage::Fixed)]
    weights: Storage,
    #[command(flatten)]
    products: ProductArgs,
    /// Weights instead of the shipped ones: JSON (register values or float masters) or a QKeras .h5 file
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Begin at calibrated charges, or at normalised values (no normaliser, no module sum)
    #[arg(long, value_enum, default_value_t = Input::Calq)]
    input: Input,
    /// Begin at the link's 7-bit floats: unpack, reorder and calibrate them first
    #[arg(long, conflicts_with = "input")]
    front_end: bool,
    /// Name of the top module
    #[arg(long, value_name = "NAME", default_value = "encoder")]
    top: String,
    #[command(flatten)]
    timing: Timing,
    /// Also write the data-flow graph for Graphviz
    #[arg(long, value_name = "FILE")]
    dot: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

/// Runs the command.
pub fn run(args: &EncoderArgs) -> Result<()> {
    let staging = args.output.begin()?;
    let weights = args.model.as_deref().map(super::file_name);
    let project = EncoderProject { design: args.design()?, weights };
    let options = args.timing.options(args.products.chosen(), None)?;
    let generated = generate(&project, &options, &staging)?;
    if let Some(path) = &args.dot {
        write_new(path, dot(&generated.built.top).as_bytes())?;
    }
    args.output.finish(staging, &generated)?;
    super::say(args.output.summary(&generated))
}

impl EncoderArgs {
    fn design(&self) -> Result<EncoderDesign> {
        check_top(&self.top)?;
        let choice = Choice {
            file: self.model.as_deref(),
            contract: self.contract,
            input: self.input,
            bits: self.bits,
            weight_bits: self.weight_bits,
            output_bits: self.output_bits,
        };
        let parts = Parts { storage: self.weights, front_end: self.front_end };
        Ok(EncoderDesign { top: self.top.clone(), parts, model: choice.model()? })
    }
}
