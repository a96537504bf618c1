//! A trained network's file, as `hwgen build` and `hwgen inspect` take it.

use std::path::PathBuf;

use clap::Args;
use hdl::diag::Diagnostic;

use crate::failure::{Failure, Result};
use crate::import::file::read;
use crate::import::lift::{Imported, InputFormat};

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

impl ModelFile {
    /// Reads the network.
    pub fn load(&self) -> Result<Imported> {
        let formats = self.input_format.iter().map(|text| InputFormat::parse(text));
        let formats: Vec<InputFormat> = formats.collect::<std::result::Result<_, _>>().map_err(Failure::user)?;
        read(&self.file, self.weights_file.as_deref(), &formats)
    }

    /// What the report says of it.
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        let mut parameters = vec![("model", super::file_name(&self.file))];
        parameters.extend(self.weights_file.as_ref().map(|file| ("weights", super::file_name(file))));
        if !self.input_format.is_empty() {
            parameters.push(("input format", self.input_format.join(", ")));
        }
        parameters
    }

    /// A mistake in it.
    pub fn wrong(&self, mistake: Diagnostic) -> Failure {
        Failure::user(mistake.at(self.file.display().to_string(), "in this file"))
    }
}
