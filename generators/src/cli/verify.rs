//! `hwgen verify`: proves a folder's Verilog equal to its model for every input.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use constraints::Target;
use hdl::diag::Diagnostic;

use crate::failure::{Failure, Result};
use crate::flow::Folder;
use crate::flow::verify::{Verdict, Verification, require_proof};
use crate::output::file::replace;
use crate::output::table::Table;
use crate::synthesis::{Compared, Given};

/// The longest that a program may compare netlists.
const LIMIT: Duration = Duration::from_secs(1200);

/// Prove that a folder's Verilog computes what its model says, for every input.
///
/// The Verilog files that are in the folder now are read and proved, layer by layer, against model.json: nothing is
/// simulated and no other tool is needed. Exit code 0 means proved; a design that is refuted, or of which something is
/// not proved, ends with 1 and says which of the two.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hwgen verify rtl/\n  hwgen verify rtl/ --counterexample wrong.json && \
                        hwgen sim rtl/ --engine icarus --vectors wrong.json")]
pub struct VerifyArgs {
    /// A folder that hwgen wrote
    dir: PathBuf,
    /// Write an input for which the Verilog is wrong, and what must come out, if one is found
    #[arg(long, value_name = "FILE")]
    counterexample: Option<PathBuf>,
    /// Prove this netlist equal to the folder's Verilog instead: Verilog of a library's cells, such as `hwgen synth` writes
    /// and somebody edits, or Yosys's JSON (*.json). Registers correspond by name. Needs Yosys
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    netlist: Option<PathBuf>,
    /// The target whose library the netlist's cells are of
    #[arg(long, value_name = "NAME", default_value = constraints::targets::DEFAULT, requires = "netlist")]
    target: String,
    /// The cell library of a target that has none of its own
    #[arg(long, value_name = "FILE", requires = "netlist")]
    liberty: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &VerifyArgs) -> Result<()> {
    let folder = Folder::open(&args.dir)?;
    folder.remarks().iter().for_each(|remark| super::remark(remark));
    if let Some(netlist) = &args.netlist {
        return args.compare(&folder, netlist);
    }
    let all = folder.verify()?;
    if args.json {
        let json = serde_json::to_string_pretty(&all).expect("plain data");
        super::say(format_args!("{json}\n"))?;
    } else {
        all.iter().try_for_each(|verification| super::say(text(verification)))?;
    }
    let shown = all.iter().find_map(|v| v.counterexample.as_ref());
    if let (Some(path), Some(shown)) = (&args.counterexample, shown) {
        let json = serde_json::to_string(&shown.vectors).expect("plain data") + "\n";
        replace(path, json.as_bytes())?;
    }
    require_proof(&all)
}

impl VerifyArgs {
    /// Proves a netlist equal to the folder's Verilog.
    fn compare(&self, folder: &Folder, netlist: &Path) -> Result<()> {
        let target = Target::load(&self.target)?;
        let given = Given { file: netlist, target: &target, liberty: self.liberty.as_deref(), limit: LIMIT };
        let (places, shown) = match given.compare(folder)? {
            Compared::Equal(words) => return super::say(format_args!("the netlist is the Verilog: {words}\n")),
            Compared::Different { places, shown } => (places, shown),
        };
        let message = format!("{} is not the Verilog: {}", netlist.display(), places.join(", "));
        let error = Diagnostic::error("refuted", message);
        let Some((vectors, said)) = shown else {
            let help = "no random vector shows it at the outputs: it may take another state or input";
            return Err(Failure::check(error.help(help)));
        };
        if let Some(path) = &self.counterexample {
            let json = serde_json::to_string(&vectors).expect("plain data") + "\n";
            replace(path, json.as_bytes())?;
        }
        Err(Failure::check(error.label(None, format!("gate-level simulation of random vectors: {said}"))))
    }
}

fn text(verification: &Verification) -> String {
    let mut table = Table::new(["layer", "numbers", "proved by"]);
    for layer in &verification.proved {
        table.row([layer.layer.clone(), layer.numbers.to_string(), layer.method.to_owned()]);
    }
    let Verification { read_by, latency, seconds, .. } = verification;
    let verdict = match verification.verdict {
        Verdict::Proved => "proved for every input",
        Verdict::Refuted => "REFUTED",
        Verdict::NotProved => "NOT PROVED",
    };
    format!("{table}as {read_by} read it: {verdict}, latency {latency}, initiation interval 1, {seconds:.2} s\n")
}
