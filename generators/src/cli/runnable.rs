//! A model whose arithmetic is wanted without hardware, as `hwgen run` and `hwgen export` take it.

use std::path::PathBuf;

use clap::Args;
use hdl::diag::Diagnostic;

use crate::failure::{Failure, Result};
use crate::flow::run::network;
use crate::import::lift::{Imported, InputFormat};

/// Which model, and what its file leaves open.
#[derive(Debug, Args)]
pub struct Runnable {
    /// An output folder, or a network: .onnx, .h5, .keras or .json
    model: PathBuf,
    /// The weights of a Keras model whose configuration is MODEL, as JSON: what save_weights wrote
    #[arg(long, value_name = "FILE")]
    weights_file: Option<PathBuf>,
    /// Format of an input that the network does not quantise itself: [NAME=]u8.4 or [NAME=]s8.4
    #[arg(long, value_name = "FORMAT")]
    input_format: Vec<String>,
    /// Take a quantiser's step at the exact sum where the framework's own depends on the order of its additions
    #[arg(long)]
    accept_rounding: bool,
}

impl Runnable {
    /// The network, exact or accepted as it is.
    pub fn network(&self) -> Result<Imported> {
        let formats = self.input_format.iter().map(|text| InputFormat::parse(text));
        let formats: Vec<InputFormat> = formats.collect::<std::result::Result<_, _>>().map_err(Failure::user)?;
        let network = network(&self.model, self.weights_file.as_deref(), &formats)?;
        if !self.accept_rounding {
            let at = self.model.display().to_string();
            let inexact = |d: Diagnostic| Failure::user(d.at(at, "in this file"));
            network.require_exact().map_err(|d| {
                inexact(d.help(
                    "train with scales that are powers of two, or take steps at the exact sums with --accept-rounding",
                ))
            })?;
        }
        Ok(network)
    }
}
