//! `hwgen schema`: the published forms of models.

use clap::{Args, ValueEnum};

use crate::failure::Result;
use crate::{interaction, model};

/// Print the JSON schema of hwgen's own form of a quantised network.
///
/// Any tool that writes this form can have its networks built with `hwgen build model.json`, or interaction networks with
/// `hwgen interaction --model model.json`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  hwgen schema > network.schema.json\n  hwgen schema interaction > interaction.schema.json"
)]
pub struct SchemaArgs {
    /// Which form
    #[arg(value_enum, default_value_t = Form::Network)]
    form: Form,
}

/// A form of models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A graph of layers, for `hwgen build`
    Network,
    /// An interaction network or a set network, for `hwgen interaction`
    Interaction,
}

/// Runs the command.
pub fn run(args: &SchemaArgs) -> Result<()> {
    let schema = match args.form {
        Form::Network => model::schema(),
        Form::Interaction => interaction::network::schema(),
    };
    let text = serde_json::to_string_pretty(&schema).expect("a schema has only text keys");
    super::say(format_args!("{text}\n"))
}
