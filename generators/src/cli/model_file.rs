//! A trained network's file and the part of it that is wanted, as `hwgen build` and `hwgen inspect` take them.

use std::path::PathBuf;

use clap::Args;

use crate::flow::trained::{NetworkFile, Part};

/// Which network, and what its file leaves open.
#[derive(Debug, Args)]
pub struct ModelFile {
    /// The network: .onnx, .h5, .keras or .json
    file: PathBuf,
    /// The weights of a Keras model whose configuration is FILE, as JSON: what save_weights wrote
    #[arg(long, value_name = "FILE")]
    weights_file: Option<PathBuf>,
    /// Format of an input that the network does not quantise itself: [NAME=]u8.4 or [NAME=]s8.4, with sign, bits and
    /// fraction bits
    #[arg(long, value_name = "FORMAT")]
    input_format: Vec<String>,
}

/// Which part of it, and how exact.
#[derive(Debug, Args)]
pub struct ModelPart {
    /// Take a quantiser's step at the exact sum where the framework's own depends on the order of its additions; how far
    /// outputs are then off at most is printed
    #[arg(long)]
    accept_rounding: bool,
    /// Begin with this layer: its operand becomes the input
    #[arg(long, value_name = "LAYER")]
    from: Option<String>,
    /// End with this layer: its result becomes the output
    #[arg(long, value_name = "LAYER")]
    to: Option<String>,
    /// Give outputs as plain numbers of this format: [NAME=]u8.8 or [NAME=]s8.4. Sigmoids, exponentials, softmax and
    /// scales at the end are then built in hardware, as approximations; how far they are off at most is printed
    #[arg(long, value_name = "FORMAT")]
    output_format: Vec<String>,
}

impl ModelFile {
    /// The file.
    pub fn file(&self) -> NetworkFile {
        let Self { file, weights_file, input_format } = self;
        NetworkFile { file: file.clone(), weights: weights_file.clone(), input_formats: input_format.clone() }
    }
}

impl ModelPart {
    /// The part.
    pub fn part(&self) -> Part {
        Part {
            accept_rounding: self.accept_rounding,
            from: self.from.clone(),
            to: self.to.clone(),
            output_formats: self.output_format.clone(),
        }
    }
}
