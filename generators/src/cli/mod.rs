//! The command line: one file a command.

pub mod bench;
pub mod build;
mod care;
mod clock;
pub mod cmvm;
pub mod dense;
pub mod encoder;
pub mod events;
pub mod export;
mod faults;
pub mod inspect;
pub mod interaction;
pub mod model_file;
pub mod network;
mod output;
mod products;
pub mod run;
mod runnable;
mod schema;
pub mod sim;
pub mod synth;
mod target;
mod verify;
pub mod weights;

use std::io::{ErrorKind, Write};

use clap::{Parser, Subcommand, builder::RangedU64ValueParser};
use hdl::diag::Diagnostic;

use crate::failure::{Failure, Result};

/// Unrolled, pipelined Verilog for small quantised neural networks, bit-exact and without high-level synthesis.
#[derive(Debug, Parser)]
#[command(name = "hwgen", version)]
#[command(
    after_help = "Example:\n  hwgen encoder --bits 8 --out rtl/\n  hwgen sim rtl/ --engine all\n  hwgen synth rtl/ --target osu018"
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Encoder(Box<encoder::EncoderArgs>),
    Interaction(Box<interaction::InteractionArgs>),
    Build(Box<build::BuildArgs>),
    Dense(Box<dense::DenseArgs>),
    Events(events::EventsArgs),
    Export(export::ExportArgs),
    Faults(Box<faults::FaultsArgs>),
    Inspect(inspect::InspectArgs),
    Schema(schema::SchemaArgs),
    Run(Box<run::RunArgs>),
    Sim(sim::SimArgs),
    Cmvm(Box<cmvm::CmvmArgs>),
    Bench(bench::BenchArgs),
    Synth(synth::SynthArgs),
    Target(target::TargetArgs),
    Verify(verify::VerifyArgs),
    Weights(weights::WeightsArgs),
}

/// Runs the command that the user asked for.
pub fn run(cli: &Cli) -> Result<()> {
    match &cli.command {
        Command::Encoder(args) => encoder::run(args),
        Command::Interaction(args) => interaction::run(args),
        Command::Build(args) => build::run(args),
        Command::Dense(args) => dense::run(args),
        Command::Events(args) => events::run(args),
        Command::Export(args) => export::run(args),
        Command::Faults(args) => faults::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Schema(args) => schema::run(args),
        Command::Run(args) => run::run(args),
        Command::Sim(args) => sim::run(args),
        Command::Cmvm(args) => cmvm::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Synth(args) => synth::run(args),
        Command::Target(args) => target::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Weights(args) => weights::run(args),
    }
}

/// A number of bits from `least` to 16.
fn width(least: u64) -> RangedU64ValueParser<u32> {
    RangedU64ValueParser::new().range(least..=16)
}

/// The name of a file without its folder.
fn file_name(path: &std::path::Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// Prints to standard output. That nobody reads on is no failure of the command.
///
/// # Errors
/// What the result was to be written to does not take it, such as a disk that is full.
fn say(text: impl std::fmt::Display) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match write!(out, "{text}").and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => {
            let error = Diagnostic::error("output", format!("cannot write the result: {e}"));
            Err(Failure::check(error.at("standard output", "this one")))
        }
        _ => Ok(()),
    }
}

/// Something that a reader of the result must know.
fn remark(text: &str) {
    tell(&format!("note: {text}"));
}

/// A line on standard error for a person who may be waiting.
fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
