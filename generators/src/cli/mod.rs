//! The command line: one file a command.

pub mod weights;

use clap::{Parser, Subcommand, builder::RangedU64ValueParser};

use crate::failure::Result;

/// Unrolled, pipelined Verilog for small quantised neural networks, bit-exact and without high-level synthesis.
#[derive(Debug, Parser)]
#[command(name = "hwgen", version, max_term_width = 100)]
#[command(
    after_help = "Example:\n  hwgen encoder --bits 8 --out rtl/\n  hwgen sim rtl/ --engine all"
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Weights(weights::WeightsArgs),
}

/// Runs the command that the user asked for.
pub fn run(cli: &Cli) -> Result<()> {
    match &cli.command {
        Command::Weights(args) => weights::run(args),
    }
}

/// A number of bits from `least` to 16.
fn width(least: u64) -> RangedU64ValueParser<u32> {
    RangedU64ValueParser::new().range(least..=16)
}
