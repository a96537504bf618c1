//! The `hwgen` program.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match hwgen::cli::run(&hwgen::cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}
