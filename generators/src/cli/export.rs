//! `hwgen export`: a model's arithmetic as source text of other languages.

use std::path::PathBuf;

use clap::Args;

use super::output::{Force, finish};
use super::runnable::Runnable;
use crate::export::{Form, Language};
use crate::failure::Result;

/// Write a model as source text that computes the same integers as its hardware.
///
/// MODEL is an output folder of any generator, or a network's file as `hwgen build` reads it. The text needs nothing but the
/// language; it takes any number of events, or one. Weights that the hardware holds in registers are constants, as the model has
/// them.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  hwgen export rtl/ --lang c --out emulator/\n  cc -O3 -march=native -c emulator/*.c"
)]
pub struct ExportArgs {
    #[command(flatten)]
    model: Runnable,
    /// The language
    #[arg(long, value_enum)]
    lang: Language,
    /// The folder for the source text
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    force: Force,
}

/// Runs the command.
pub fn run(args: &ExportArgs) -> Result<()> {
    let form = Form::of(&args.model.network()?.graph)?;
    let staging = args.force.begin(&args.out)?;
    let sources = args.lang.sources(&form);
    sources.iter().try_for_each(|source| staging.write(&source.name, &source.text))?;
    finish(staging)?;
    let names: Vec<&str> = sources.iter().map(|source| &*source.name).collect();
    super::say(format_args!("{} in {}\n", names.join(", "), args.out.display()))
}
