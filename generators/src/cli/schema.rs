//! `hwgen schema`: the published form of a model.

use clap::Args;

use crate::failure::Result;
use crate::model::schema;

/// Print the JSON schema of hwgen's own form of a quantised network.
///
/// Any tool that writes this form can have its networks built with `hwgen build model.json`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hwgen schema > network.schema.json")]
pub struct SchemaArgs {}

/// Runs the command.
pub fn run() -> Result<()> {
    let text = serde_json::to_string_pretty(&schema()).expect("a schema has only text keys");
    super::say(format_args!("{text}\n"))
}
