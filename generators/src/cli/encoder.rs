//! `hwgen encoder`: the HGCAL trigger encoder.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use constraints::timing::Picoseconds;
use constraints::{Target, delay};
use hdl::dfg::Module;
use hdl::draw::dot;
use hdl::passes::pipeline::{self, Goal};

use super::clock::{Timing, options};
use super::output::{Output, finish};
use super::products::{Products, parameters};
use crate::arith::multiply::DotProduct;
use crate::arith::{Arithmetic, Fabric, Objective};
use crate::design::Design;
use crate::encoder::arithmetic::Contract;
use crate::encoder::design::{EncoderDesign, REGISTER_PORT};
use crate::encoder::hardware::{Parts, Storage};
use crate::encoder::model::Input;
use crate::encoder::weights::Choice;
use crate::failure::{Failure, Result};
use crate::flow::run_batch;
use crate::output::emit::Emission;
use crate::output::file::write_new;
use crate::output::report::{Check, Report};

/// Generate the HGCAL trigger encoder (ECON-T auto-encoder block) as Verilog.
///
/// 48 trigger-cell charges go in every clock cycle, 16 latent values and the module sum come out. Without further
/// options it is the chip's block: 8-bit activations, 6-bit weights, 9-bit outputs, 40 MHz, 2 cycles.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  hwgen encoder --bits 8 --out rtl/\n  hwgen encoder --weights programmable --model weights.json --out rtl/"
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
    products: Products,
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

/// The chip's own latency at its own clock.
const CHIP_LATENCY: u32 = 2;

/// Runs the command.
pub fn run(args: &EncoderArgs) -> Result<()> {
    let staging = args.output.begin()?;
    let design = args.design()?;
    let target = Target::load(&args.timing.target)?;
    let clock = args.timing.clock()?;
    let arithmetic = args.arithmetic(&design, &target)?;
    let (top, pipeline) = args.build(&design, arithmetic, &target, clock)?;
    let vectors = design.vectors(&design.shipped_events()).map_err(Failure::user)?;
    let preamble = design.preamble().map_err(Failure::user)?;
    let check = run_batch(&top, &vectors, preamble.as_ref())?.require_pass()?;

    let mut report = Report::new("encoder", &top, clock.ns(), &pipeline, &args.timing.source(&target));
    report.parameters = args.parameters(&design);
    report.parameters.extend(parameters(&arithmetic, design.products()));
    report.layers = design.layer_formats();
    report.checks.push(Check { what: check.engine.clone(), result: check.summary() });
    let emission = Emission {
        top: &top,
        model: Design::Encoder(design.clone()).to_json(),
        clock,
        register_port: if design.has_registers() { &REGISTER_PORT } else { &[] },
        vectors: &vectors,
        preamble: preamble.as_ref(),
        target: &target,
    };
    emission.write(&staging, report)?;
    if let Some(path) = &args.dot {
        write_new(path, dot(&top).as_bytes())?;
    }
    finish(staging)?;
    super::say(summary(args, &top, &pipeline));
    Ok(())
}

impl EncoderArgs {
    fn design(&self) -> Result<EncoderDesign> {
        super::check_top(&self.top)?;
        let model = Choice {
            file: self.model.as_deref(),
            contract: self.contract,
            input: self.input,
            bits: self.bits,
            weight_bits: self.weight_bits,
            output_bits: self.output_bits,
        }
        .model()?;
        let parts = Parts { storage: self.weights, front_end: self.front_end };
        Ok(EncoderDesign { top: self.top.clone(), parts, model })
    }

    /// What products are made of. The rows of products with programmable weights, of which there are 3,000, are left to
    /// operators.
    fn arithmetic(&self, design: &EncoderDesign, target: &Target) -> Result<Arithmetic> {
        let arithmetic = self.products.arithmetic(target, design.products())?;
        let operators = Fabric::Operators(Objective::of(target));
        Ok(Arithmetic { variables: DotProduct::of(operators, arithmetic.variables.multiplier), ..arithmetic })
    }

    /// The asked latency, as fast as it gets but for a quarter; else the chip's two cycles at its 25 ns where they suffice,
    /// and the fewest cycles elsewhere.
    fn build(
        &self,
        design: &EncoderDesign,
        arithmetic: Arithmetic,
        target: &Target,
        clock: Picoseconds,
    ) -> Result<(Arc<Module>, pipeline::Report)> {
        let delays = delay::of(target);
        let logic = design.logic(arithmetic).map_err(Failure::User)?;
        let build = |options: &pipeline::Options| {
            let built = design.build(&logic, &delays, options);
            built.map_err(|d| self.timing.explain(d))
        };
        let within = |latency| {
            // the stages share what the clock leaves: each takes at most a quarter more than it must, to save register bits
            let asked = options(clock, Goal::Clock)?;
            let fastest = design.build(&logic, &delays, &pipeline::Options { goal: Goal::Latency(latency), ..asked });
            let shared = fastest.map_or(u64::MAX, |(_, fastest)| fastest.clock * 5 / 4);
            build(&options(clock, |clock| Goal::ClockAndLatency {
                clock: clock.min(u32::try_from(shared).unwrap_or(u32::MAX)),
                latency,
            })?)
        };
        if let Some(latency) = self.timing.latency {
            return within(latency);
        }
        if self.timing.is_default_clock()
            && let Ok(built) = within(CHIP_LATENCY)
        {
            return Ok(built);
        }
        build(&options(clock, Goal::Clock)?)
    }

    fn parameters(&self, design: &EncoderDesign) -> std::collections::BTreeMap<String, String> {
        let name = |value: &dyn std::fmt::Debug| format!("{value:?}").to_lowercase();
        let [conv, dense] = [&design.model.conv, &design.model.dense].map(|layer| &layer.arithmetic);
        let weights = self.model.as_ref().map_or("shipped".into(), |file| {
            file.file_name().map_or_else(String::new, |f| f.to_string_lossy().into_owned())
        });
        [
            ("bits", conv.input.width.to_string()),
            ("weight-bits", conv.weight.width.to_string()),
            ("output-bits", dense.output.width.to_string()),
            ("contract", name(&self.contract)),
            ("weights", name(&self.weights)),
            ("model", weights),
            ("input", name(&self.input)),
            ("front-end", self.front_end.to_string()),
            ("target", self.timing.target.clone()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into()
    }
}

fn summary(args: &EncoderArgs, top: &Arc<Module>, pipeline: &pipeline::Report) -> String {
    format!(
        "{}: latency {} cycles, initiation interval 1, {} register bits between stages\n{}\n",
        top.name,
        top.latency(),
        pipeline.register_bits,
        super::next_step(&args.output.out)
    )
}
