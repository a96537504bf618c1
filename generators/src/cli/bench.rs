//! `hwgen bench`: figures of the constant-matrix optimiser on generated cases.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use constraints::Target;
use hdl::diag::Diagnostic;
use serde::Serialize;

use super::output::{Force, finish};
use crate::arith::cases::{Case, cases};
use crate::arith::report::{CmvmReport, run as optimise};
use crate::arith::{Effort, Objective};
use crate::failure::{Failure, Result};
use crate::flow::matrix::of_adders;
use crate::output::matrix::Estimate;
use crate::output::table::Table;
use crate::synthesis::{Mapping, map};

/// Measure parts of the program on generated cases.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  hwgen bench arith --effort fast\n  hwgen bench arith --target xcup --mapped --only square8"
)]
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
    #[arg(long, default_value = "fast")]
    effort: Effort,
    /// Only the cases whose name contains this
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Seed of the matrices
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What the adders are made for and their cost is estimated on; without it, few adder bits
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Also map each result to the target, an FPGA, with Yosys, and compare with the estimate
    #[arg(long, requires = "target")]
    mapped: bool,
    /// Also write the matrices, each as JSON with `W`, `x_bits` and `x_signed`, for other tools to run
    #[arg(long, value_name = "DIR")]
    export: Option<PathBuf>,
    #[command(flatten)]
    force: Force,
    /// Only name the matrices, and write them if --export is given
    #[arg(long)]
    list: bool,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Measured {
    case: String,
    #[serde(flatten)]
    report: CmvmReport,
    /// On the target, if one was named.
    estimate: Option<Estimate>,
    mapped: Option<Mapping>,
}

/// Runs the command.
pub fn run(args: &BenchArgs) -> Result<()> {
    let What::Arith(args) = &args.what;
    let chosen: Vec<Case> = cases().into_iter().filter(|case| case.name.contains(&args.only)).collect();
    if chosen.is_empty() {
        let names: Vec<String> = cases().into_iter().map(|case| case.name).collect();
        let error = Diagnostic::error("no-case", format!("no case is called like {}", hdl::names::quoted(&args.only)));
        return Err(Failure::user(error.help(format!("there are {}", names.join(", ")))));
    }
    if let Some(folder) = &args.export {
        let staging = args.force.begin(folder)?;
        for case in &chosen {
            let json = serde_json::json!({
                "W": case.rows(args.seed),
                "x_bits": case.input_bits,
                "x_signed": case.signed,
            });
            staging.write(&format!("{}.json", case.name), json.to_string() + "\n")?;
        }
        finish(staging)?;
    }
    if args.list {
        let names: Vec<&str> = chosen.iter().map(|case| case.name.as_str()).collect();
        return super::say(format_args!("{}\n", names.join("\n")));
    }
    let target = args.target.as_deref().map(Target::load).transpose()?;
    let measure = |case: &Case| {
        let failed = |e: String| Failure::check(Diagnostic::error("bench", format!("{}: {e}", case.name)));
        let mut problem = case.problem(args.seed).map_err(|e| failed(e.to_string()))?;
        problem.objective = target.as_ref().map_or(Objective::default(), Objective::of);
        let (graph, report) = optimise(&problem, args.effort, args.seed).map_err(|e| failed(e.to_string()))?;
        let mut measured = Measured { case: case.name.clone(), report, estimate: None, mapped: None };
        if let Some(target) = &target {
            let module = of_adders(&problem, &graph, target)?;
            let estimate = Estimate::of(&graph, &module, target)?;
            measured.estimate = Some(estimate);
            if args.mapped {
                measured.mapped = Some(map(&module, target, estimate)?);
            }
        }
        Ok(measured)
    };
    let measured: Vec<Measured> = chosen.iter().map(measure).collect::<Result<_>>()?;
    if args.json {
        super::say(format_args!("{}\n", serde_json::to_string_pretty(&measured).expect("plain data")))
    } else {
        let mapped = args.mapped.then(|| mapped_table(&measured).to_string());
        super::say(format_args!("{}{}", table(&measured), mapped.unwrap_or_default()))
    }
}

fn table(measured: &[Measured]) -> Table {
    let mut table = Table::new(["case", "adders", "adder bits", "depth", "LUTs, estimated", "seconds"]);
    for m in measured {
        let luts = m.estimate.map_or(m.report.lut_estimate, |estimate| estimate.luts);
        table.row([
            m.case.clone(),
            m.report.adders.to_string(),
            m.report.adder_bits.to_string(),
            m.report.depth.to_string(),
            luts.to_string(),
            format!("{:.3}", m.report.seconds),
        ]);
    }
    table
}

fn mapped_table(measured: &[Measured]) -> Table {
    let mut table = Table::new(["case", "LUTs, mapped", "estimate off by, %", "seconds of Yosys"]);
    for m in measured {
        if let Some(mapping) = &m.mapped {
            table.row([
                m.case.clone(),
                mapping.luts.to_string(),
                format!("{:+.1}", 100.0 * mapping.error),
                format!("{:.1}", mapping.seconds),
            ]);
        }
    }
    table
}
