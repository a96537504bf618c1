//! `hwgen weights`: JSON weights ↔ the image of the weight registers.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use hdl::diag::Diagnostic;

use crate::encoder::arithmetic::Contract;
use crate::encoder::model::Input;
use crate::encoder::registers::{block_bytes, pack, stream, unpack};
use crate::encoder::weights::{Choice, registers_of};
use crate::failure::{Failure, Result};
use crate::import::bounded;
use crate::output::file::write_new;

/// Convert between JSON weights and the image of the weight registers.
///
/// An image is hexadecimal text, one byte a line, as $readmemh reads it; with the ending .bin it is raw bytes.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  hwgen weights pack weights.json --out weights.hex\n  hwgen weights unpack weights.hex --out weights.json"
)]
pub struct WeightsArgs {
    #[command(subcommand)]
    direction: Direction,
}

#[derive(Debug, Subcommand)]
enum Direction {
    /// JSON weights or float masters (the shipped ones unless FILE is given) → register image
    Pack {
        /// JSON with conv_weight, conv_bias, dense_weight, dense_bias, or a QKeras .h5 file
        file: Option<PathBuf>,
        #[command(flatten)]
        common: Common,
    },
    /// Register image → JSON weights
    Unpack {
        /// Register image
        file: PathBuf,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, Args)]
struct Common {
    /// The new file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Width of a weight; by default 6, or the network's own for a QKeras file
    #[arg(long, value_parser = super::width(2))]
    weight_bits: Option<u32>,
    /// How float masters become integers
    #[arg(long, value_enum, default_value_t = Contract::Silicon)]
    contract: Contract,
}

/// Runs the command.
pub fn run(args: &WeightsArgs) -> Result<()> {
    match &args.direction {
        Direction::Pack { file, common } => {
            let model = Choice {
                file: file.as_deref(),
                contract: common.contract,
                input: Input::Calq,
                bits: None,
                weight_bits: common.weight_bits,
                output_bits: None,
            }
            .model()?;
            let width = model.conv.arithmetic.weight.range.width();
            let image = pack(&stream(&registers_of(&model)), width).map_err(Failure::user)?;
            let text = if is_binary(&common.out) { image } else { to_hex(&image, block_bytes(width)).into_bytes() };
            write_new(&common.out, &text)
        }
        Direction::Unpack { file, common } => {
            let bytes = bounded::read("read the image", file, bounded::TEXT)?;
            let in_file = |d: Diagnostic| Failure::user(d.at(file.display().to_string(), "in this file"));
            let image = if is_binary(file) { bytes } else { from_hex(&bytes).map_err(in_file)? };
            let tensors = unpack(&image, common.weight_bits.unwrap_or(6)).map_err(in_file)?;
            write_new(&common.out, (tensors.to_json().to_string() + "\n").as_bytes())
        }
    }
}

fn is_binary(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "bin")
}

/// One byte a line, with a comment at the head of each block.
pub fn to_hex(image: &[u8], block: usize) -> String {
    let mut text = String::new();
    for (number, bytes) in image.chunks(block).enumerate() {
        let _ = writeln!(text, "// block {number}");
        for byte in bytes {
            let _ = writeln!(text, "{byte:02x}");
        }
    }
    text
}

fn from_hex(bytes: &[u8]) -> std::result::Result<Vec<u8>, Diagnostic> {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default().trim());
    lines
        .zip(1..)
        .filter(|(line, _)| !line.is_empty())
        .map(|(line, number)| {
            u8::from_str_radix(line, 16).map_err(|_| {
                let found = hdl::names::quoted(line);
                Diagnostic::error("image", format!("line {number}: expected one byte in hexadecimal, found {found}"))
            })
        })
        .collect()
}
