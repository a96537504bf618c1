//! `hwgen inspect`: what a network consists of.

use std::path::PathBuf;

use clap::Args;

use super::model_file::ModelFile;
use crate::failure::Result;
use crate::flow::exactness::doubts;
use crate::flow::trained::inspection;
use crate::output::file::write_new;

/// Show what a network consists of: layers, shapes, number formats, ranges, work, and where precision is lost.
///
/// Counts are for one evaluation. Multiplies are products with constants that are no power of two and products of two
/// computed numbers; bit operations are Σ (bits of the weight) · (bits of the operand).
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  hwgen inspect model.onnx\n  hwgen inspect model.h5 --input-format s8.4 --svg model.svg"
)]
pub struct InspectArgs {
    #[command(flatten)]
    model: ModelFile,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
    /// Also draw the graph
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &InspectArgs) -> Result<()> {
    let network = args.model.file().read()?;
    if let Some(file) = &args.svg {
        write_new(file, network.graph.drawing().as_bytes())?;
    }
    if args.json {
        let text = serde_json::to_string_pretty(&inspection(&network)).expect("plain data");
        super::say(format_args!("{text}\n"))
    } else {
        super::say(format_args!("{}{}", network.graph.inspect(), doubts(&network)))
    }
}
