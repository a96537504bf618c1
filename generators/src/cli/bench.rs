//! `hwgen bench`: figures of the constant-matrix optimiser on generated cases.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use hdl::diag::Diagnostic;
use serde::Serialize;

use super::cmvm::effort;
use crate::arith::Effort;
use crate::arith::cases::{Case, INPUT_BITS, cases};
use crate::arith::report::{CmvmReport, run as optimise};
use crate::failure::{Failure, Result};
use crate::output::folder::Staging;
use crate::output::table::Table;

/// Measure parts of the program on generated cases.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hwgen bench arith --effort fast")]
pub struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Constant matrix-vector products: adders, adder bits, depth, time
    Arith(ArithArgs),
}

#[derive(Debug, Args)]
struct ArithArgs {
    /// How long to search each matrix: fast, normal, high, or a number of seconds
    #[arg(long, default_value = "fast", value_parser = effort)]
    effort: Effort,
    /// Only the cases whose name contains this
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Seed of the matrices
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Also write the matrices, each as JSON with `W` and `x_bits`, for other tools to run
    #[arg(long, value_name = "DIR")]
    export: Option<PathBuf>,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Measured {
    case: String,
    #[serde(flatten)]
    report: CmvmReport,
}

/// Runs the command.
pub fn run(args: &BenchArgs) -> Result<()> {
    let What::Arith(args) = &args.what;
    let chosen: Vec<Case> = cases()
        .into_iter()
        .filter(|case| case.name.contains(&args.only))
        .collect();
    if chosen.is_empty() {
        let names: Vec<String> = cases().into_iter().map(|case| case.name).collect();
        let error = Diagnostic::error(
            "no-case",
            format!("no case is called like {}", hdl::names::quoted(&args.only)),
        );
        return Err(Failure::user(
            error.help(format!("there are {}", names.join(", "))),
        ));
    }
    if let Some(folder) = &args.export {
        let staging = Staging::begin(folder)?;
        for case in &chosen {
            let json = serde_json::json!({ "W": case.rows(args.seed), "x_bits": INPUT_BITS });
            staging.write(&format!("{}.json", case.name), json.to_string() + "\n")?;
        }
        staging.finish()?;
    }
    let measure = |case: &Case| {
        let failed =
            |e: String| Failure::check(Diagnostic::error("bench", format!("{}: {e}", case.name)));
        let problem = case.problem(args.seed).map_err(|e| failed(e.to_string()))?;
        let (_, report) =
            optimise(&problem, args.effort, args.seed).map_err(|e| failed(e.to_string()))?;
        Ok(Measured {
            case: case.name.clone(),
            report,
        })
    };
    let measured: Vec<Measured> = chosen.iter().map(measure).collect::<Result<_>>()?;
    if args.json {
        super::say(format_args!(
            "{}\n",
            serde_json::to_string_pretty(&measured).expect("plain data")
        ));
    } else {
        super::say(table(&measured));
    }
    Ok(())
}

fn table(measured: &[Measured]) -> Table {
    let mut table = Table::new([
        "case",
        "adders",
        "adder bits",
        "depth",
        "LUTs, estimated",
        "seconds",
    ]);
    for Measured { case, report } in measured {
        table.row([
            case.clone(),
            report.adders.to_string(),
            report.adder_bits.to_string(),
            report.depth.to_string(),
            report.lut_estimate.to_string(),
            format!("{:.3}", report.seconds),
        ]);
    }
    table
}
