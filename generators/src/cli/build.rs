//! `hwgen build`: a trained network from a file.

use std::path::PathBuf;

use clap::Args;
use hdl::diag::Diagnostic;
use hdl::names::quoted;

use super::network::{Hardware, Source};
use super::reference::Reference;
use crate::failure::{Failure, Result};
use crate::import::file::read;
use crate::import::lift::{Imported, InputFormat};
use crate::model::{Graph, Step};
use crate::network::design::random_events;
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
    /// The network
    file: PathBuf,
    /// The weights of a Keras model whose configuration is FILE, as JSON: what save_weights wrote
    #[arg(long, value_name = "FILE")]
    weights_file: Option<PathBuf>,
    /// Format of an input that the network does not quantise itself: [NAME=]u8.4 or [NAME=]s8.4, with sign, bits and
    /// fraction bits
    #[arg(long, value_name = "FORMAT")]
    input_format: Vec<String>,
    /// Take a quantiser's step at the exact sum where the framework's own depends on the order of its additions; how far
    /// outputs are then off at most is printed
    #[arg(long)]
    accept_rounding: bool,
    #[command(flatten)]
    reference: Reference,
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
    let mut network = args.part(load(&args.file, args.weights_file.as_deref(), &args.input_format)?)?;
    let mut checks = Vec::new();
    if let Err(inexact) = network.require_exact() {
        if !args.accept_rounding {
            let file = args.file.display().to_string();
            return Err(Failure::user(inexact.at(file, "in this file").help(
                "train with scales that are powers of two, or take steps at the exact sums with --accept-rounding",
            )));
        }
        let what = doubts(&network) + &bounds(&network)?;
        super::say(&what)?;
        checks.push(Check {
            what: "exactness of the framework's own sums".into(),
            result: what.trim_end().replace('\n', "; "),
        });
    }
    checks.extend(args.format_outputs(&mut network.graph)?);
    super::say(outside(&network.graph))?;
    let events = args.reference.events(&network.graph)?;
    checks.extend(args.reference.compare(&network.graph, &events)?);
    let traced_adders = network.traced_adders;
    let mut parameters = vec![("model", super::file_name(&args.file))];
    if let Some(weights) = &args.weights_file {
        parameters.push(("weights", super::file_name(weights)));
    }
    if !args.input_format.is_empty() {
        parameters.push(("input format", args.input_format.join(", ")));
    }
    let ends = [("from layer", &args.from), ("to layer", &args.to)];
    parameters.extend(ends.into_iter().filter_map(|(key, layer)| Some((key, layer.clone()?))));
    let source = Source { command: "build", network: network.graph, parameters, checks, events, traced_adders };
    args.hardware.generate(staging, source)
}

/// Random events on which doubtful sums are moved.
const MOVED_EVENTS: usize = 16;
/// Their seed.
const MOVED_SEED: u64 = 2;

/// The network in a file, with the input formats as the user wrote them.
pub fn load(file: &std::path::Path, weights: Option<&std::path::Path>, formats: &[String]) -> Result<Imported> {
    let formats: std::result::Result<Vec<InputFormat>, Diagnostic> =
        formats.iter().map(|f| InputFormat::parse(f)).collect();
    read(file, weights, &formats.map_err(Failure::user)?)
}

/// Where the framework's own result depends on the order of its additions, one line a layer.
pub fn doubts(network: &Imported) -> String {
    let mut text = String::new();
    for doubt in &network.doubts {
        text += &format!(
            "layer {}: {} of {} steps may lie one integer off in the framework; a sum exactly there gives the neighbouring level\n",
            quoted(&doubt.layer),
            doubt.steps,
            doubt.of
        );
    }
    text
}

/// What is done outside the hardware, one line an output with a function that is no scale.
fn outside(graph: &Graph) -> String {
    let mut text = String::new();
    for output in graph.outputs() {
        let Some(decode) = &output.decode else {
            continue;
        };
        let function = match decode.softmax {
            Some(_) => Some("softmax"),
            None if decode.steps.iter().any(Step::is_approximate) => Some("function"),
            None => None,
        };
        if let Some(function) = function {
            text += &format!(
                "output {}: the {function} at its end stays outside the hardware, which gives the integers in front of it; --output-format u8.8 builds it\n",
                quoted(&output.name)
            );
        }
    }
    text
}

/// How far outputs may be off if the framework's sums are not exact, one line an output.
fn bounds(network: &Imported) -> Result<String> {
    let events = random_events(&network.graph, MOVED_EVENTS, MOVED_SEED);
    let seen = network.seen(&events).map_err(Failure::user)?;
    let outputs = network.graph.outputs().iter().zip(network.bounds()).zip(seen);
    let line = |((output, bound), seen): ((&crate::model::Output, Option<f64>), f64)| {
        let name = quoted(&output.name);
        let proved = match bound {
            Some(bound) => format!(
                "at most {bound:.3e} from the framework's number, whatever the order of its additions, if all doubtful steps add up"
            ),
            None => "no bound, because an exponential is at its end".to_owned(),
        };
        format!(
            "output {name}: {proved}; {seen:.3e} at most with doubtful sums moved at random, seen on {MOVED_EVENTS} random events\n"
        )
    };
    Ok(outputs.map(line).collect())
}

impl BuildArgs {
    /// The part of the network that the user wants.
    fn part(&self, network: Imported) -> Result<Imported> {
        let part = network.cut(self.from.as_deref(), self.to.as_deref());
        part.map_err(|d| Failure::user(d.at(self.file.display().to_string(), "in this file")))
    }

    /// Rounds outputs to the formats that the user gave, and says how far they are off.
    fn format_outputs(&self, graph: &mut Graph) -> Result<Vec<Check>> {
        let mut checks = Vec::new();
        for text in &self.output_format {
            let format = InputFormat::parse(text).map_err(Failure::user)?;
            let names: Vec<String> = graph.outputs().iter().map(|o| o.name.clone()).collect();
            let wanted = |name: &String| format.name.as_ref().is_none_or(|n| n == name);
            if !names.iter().any(wanted) {
                let message = format!("there is no output for {}", quoted(text));
                let error = Diagnostic::error("output-format", message);
                let help = format!("the outputs are {}", names.join(", "));
                return Err(Failure::user(error.help(help)));
            }
            for (k, name) in names.iter().enumerate().filter(|(_, name)| wanted(name)) {
                let bound = graph.quantise_output(k, format.range, format.frac);
                let bound = bound.map_err(Failure::user)?;
                let result = format!("at most {bound:.3e} from the framework's number");
                super::say(format_args!("output {} rounded to {text}: {result}\n", quoted(name)))?;
                checks.push(Check { what: format!("output {} rounded to {text}", quoted(name)), result });
            }
        }
        Ok(checks)
    }
}
