//! The `hwgen` program.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    if let Err(error) = sim::tools::end_with_signals() {
        let _ = writeln!(std::io::stderr(), "note: an interrupt will leave temporary files behind: {error}");
    }
    match hwgen::cli::run(&hwgen::cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // nobody may be listening; the exit code says it all the same
            let _ = writeln!(std::io::stderr(), "{failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}
