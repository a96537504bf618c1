//! The command line: one file a command.

mod clock;
pub mod encoder;
pub mod sim;
pub mod synth;
pub mod target;
pub mod weights;

use clap::{Parser, Subcommand, builder::RangedU64ValueParser};

use crate::failure::Result;

/// Unrolled, pipelined Verilog for small quantised neural networks, bit-exact and without high-level synthesis.
#[derive(Debug, Parser)]
#[command(name = "hwgen", version, max_term_width = 100)]
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
    Sim(sim::SimArgs),
    Synth(synth::SynthArgs),
    Target(target::TargetArgs),
    Weights(weights::WeightsArgs),
}

/// Runs the command that the user asked for.
pub fn run(cli: &Cli) -> Result<()> {
    match &cli.command {
        Command::Encoder(args) => encoder::run(args),
        Command::Sim(args) => sim::run(args),
        Command::Synth(args) => synth::run(args),
        Command::Target(args) => target::run(args),
        Command::Weights(args) => weights::run(args),
    }
}

/// A number of bits from `least` to 16.
fn width(least: u64) -> RangedU64ValueParser<u32> {
    RangedU64ValueParser::new().range(least..=16)
}

/// What to do with a new output folder.
fn next_step(out: &std::path::Path) -> String {
    format!("check it with: hwgen sim {} --engine all", out.display())
}
