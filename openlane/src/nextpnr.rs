//! Place and route by nextpnr: how fast the netlist runs once it lies on a part, and what it fills.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hdl::dfg::Module;
use hdl::diag::{Diagnostic, Diagnostics};
use serde::Deserialize;

use crate::quote::identifier;
use crate::{NETLIST, Program, shell};
use sim::tools::{Finished, Meter};

/// The script that puts the mapped netlist into its shell.
pub const SCRIPT: &str = "place.ys";
/// The netlist in its shell, as nextpnr reads it.
const INPUT: &str = "place.json";
/// What nextpnr reports.
const REPORT: &str = "place_report.json";
/// Its log.
const LOG: &str = "place.log";
/// Where its search begins.
const SEED: &str = "1";

/// A nextpnr that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nextpnr {
    /// The program.
    pub program: PathBuf,
    /// Where its Python packages are, if it is one that pip put into a folder.
    pub packages: Option<PathBuf>,
    /// Switches that choose the part.
    pub part: Vec<String>,
}

/// Something of the part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Use {
    /// How many of it are taken.
    pub used: u64,
    /// How many of it there are.
    pub available: u64,
}

/// A path from register to register.
#[derive(Debug, Clone, PartialEq)]
pub struct WorstPath {
    /// The nets that it runs through, without the shell's instance name.
    pub nets: Vec<String>,
    /// Cells on it.
    pub cells: usize,
    /// Slack in ns.
    pub slack_ns: f64,
}

/// A design on a part.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// The highest clock frequency in MHz.
    pub fmax_mhz: f64,
    /// The worst path from register to register.
    pub worst: Option<WorstPath>,
    /// What is taken, by nextpnr's name of it; what is not taken at all is left out.
    pub used: BTreeMap<String, Use>,
}

/// The script that synthesises the shell around the netlist, whose cells stay as they are.
///
/// # Errors
/// `script-name` if the top module's name cannot stand in a script.
pub fn script(top: &Module, synthesis: &str) -> Result<String, Diagnostics> {
    Ok(format!(
        "read_verilog {NETLIST}\nread_verilog {}\n{synthesis} -top {} -json {INPUT}\n",
        shell::FILE,
        identifier(&shell::name(top))?
    ))
}

/// The arguments of nextpnr that follow those of the part.
pub fn arguments(frequency_mhz: f64) -> Vec<String> {
    let frequency = format!("{frequency_mhz:.3}");
    let all = [
        "--json",
        INPUT,
        "--report",
        REPORT,
        "--freq",
        &frequency,
        "--seed",
        SEED,
        "--timing-allow-fail",
        "-q",
        "--log",
        LOG,
    ];
    all.map(str::to_owned).to_vec()
}

impl Nextpnr {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if let Some(packages) = &self.packages {
            command.env("PYTHONPATH", packages);
        }
        command
    }

    /// What it says about its version. The first start of a WebAssembly one compiles it, which takes a minute.
    ///
    /// # Errors
    /// `tool-missing`, `tool-failed`, or `tool-timeout`.
    pub fn version(&self, meter: &Meter) -> Result<String, Diagnostics> {
        let asked = meter.run(self.command().arg("--version"))?.success("nextpnr --version")?;
        // the program names itself and the version stands in brackets
        let said = asked.said();
        let line = said.lines().rfind(|line| line.contains("Version"));
        let version = line.and_then(|line| line.split_once("(Version ")?.1.split_once(')'));
        let name = self.program.file_name().unwrap_or_default();
        match version {
            Some((version, _)) => Ok(format!("{} {version}", name.to_string_lossy())),
            None => {
                let error = Diagnostic::error("tool-output", "nextpnr does not tell its version");
                Err(error.label(None, said).into())
            }
        }
    }

    /// Puts the netlist of `folder` into its shell, places and routes it for a clock of `frequency_mhz`.
    ///
    /// # Errors
    /// Those of running Yosys and nextpnr, among them a design that does not fit; `tool-output` if the report is not
    /// understood.
    pub fn place(&self, folder: &Path, frequency_mhz: f64, meter: &Meter) -> Result<Placed, Diagnostics> {
        Program::Yosys.run(folder, &["-q", "-l", "place_map.log", "-s", SCRIPT], meter)?;
        let report = folder.join(REPORT);
        // that of an earlier run would be taken for this one's
        let _ = fs::remove_file(&report);
        let mut command = self.command();
        command.args(&self.part).args(arguments(frequency_mhz)).current_dir(folder);
        let done = meter.run(&mut command)?;
        if !done.status.success() {
            return Err(failed(&done, &folder.join(LOG)));
        }
        let text = fs::read_to_string(&report).unwrap_or_default();
        read(&text, 1000.0 / frequency_mhz).ok_or_else(|| {
            let error = Diagnostic::error("tool-output", "the report of nextpnr is not understood");
            error.at(REPORT, "expected frequencies, paths and utilisation").into()
        })
    }
}

/// The error lines of the log, since the rest of it is long.
fn failed(done: &Finished, log: &Path) -> Diagnostics {
    let text = fs::read_to_string(log).unwrap_or_default();
    let errors: Vec<&str> = text.lines().filter(|line| line.starts_with("ERROR")).collect();
    let error = Diagnostic::error("tool-failed", format!("nextpnr failed: {}", done.status));
    let said = if errors.is_empty() { done.said() } else { errors.join("\n") };
    error.label(None, said).into()
}

/// nextpnr's report, as far as it is used.
#[derive(Deserialize)]
struct Report {
    fmax: BTreeMap<String, Frequency>,
    critical_paths: Vec<CriticalPath>,
    utilization: BTreeMap<String, Use>,
}

#[derive(Deserialize)]
struct Frequency {
    achieved: f64,
}

#[derive(Deserialize)]
struct CriticalPath {
    from: String,
    to: String,
    path: Vec<Segment>,
}

#[derive(Deserialize)]
struct Segment {
    delay: f64,
    #[serde(rename = "type")]
    kind: String,
    net: Option<String>,
}

fn read(text: &str, period_ns: f64) -> Option<Placed> {
    let report: Report = serde_json::from_str(text).ok()?;
    let achieved = report.fmax.values().map(|f| f.achieved);
    let fmax_mhz = achieved.reduce(f64::min).filter(|f| f.is_finite() && *f > 0.0)?;
    let on_clock = |end: &str| end.starts_with("posedge");
    let paths = report.critical_paths.iter();
    let registered = paths.filter(|p| on_clock(&p.from) && on_clock(&p.to));
    let slowest = registered.max_by(|a, b| a.delay().total_cmp(&b.delay()));
    Some(Placed {
        fmax_mhz,
        worst: slowest.map(|path| path.summary(period_ns)),
        used: report.utilization.into_iter().filter(|(_, u)| u.used > 0).collect(),
    })
}

impl CriticalPath {
    fn delay(&self) -> f64 {
        self.path.iter().map(|segment| segment.delay).sum()
    }

    fn summary(&self, period_ns: f64) -> WorstPath {
        let nets = self.path.iter().filter_map(|segment| segment.net.as_deref());
        let plain = |net: &str| {
            let inner = net.strip_prefix(shell::INSTANCE).and_then(|net| net.strip_prefix('.'));
            inner.unwrap_or(net).to_owned()
        };
        let logic = self.path.iter().filter(|segment| segment.kind == "logic");
        WorstPath { nets: nets.map(plain).collect(), cells: logic.count(), slack_ns: period_ns - self.delay() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{
        "fmax": {"clk": {"achieved": 80.0, "constraint": 100}, "other": {"achieved": 90.5, "constraint": 100}},
        "utilization": {"LC": {"available": 100, "used": 7}, "PLL": {"available": 2, "used": 0}},
        "critical_paths": [
            {"from": "<async>", "to": "posedge clk", "path": [{"delay": 99.0, "type": "routing", "net": "pin"}]},
            {"from": "posedge clk", "to": "posedge clk", "path": [
                {"delay": 0.5, "type": "clk-to-q"}, {"delay": 5.0, "type": "routing", "net": "sample[3]"},
                {"delay": 1.5, "type": "logic"}, {"delay": 5.0, "type": "routing", "net": "dut.sum[1]"},
                {"delay": 0.5, "type": "setup"}]}]}"#;

    #[test]
    fn the_report_is_read() {
        let placed = read(TEXT, 10.0).unwrap();
        assert_eq!(placed.fmax_mhz, 80.0);
        assert_eq!(placed.used["LC"], Use { used: 7, available: 100 });
        assert_eq!(placed.used.len(), 1, "what is not used is left out");
        let worst = placed.worst.unwrap();
        assert_eq!(worst.nets, ["sample[3]", "sum[1]"]);
        assert_eq!((worst.cells, worst.slack_ns), (1, -2.5));
    }

    #[test]
    fn a_report_without_a_frequency_is_none() {
        for text in ["", "{}", &TEXT.replace("80.0", "-1.0"), &TEXT.replace("fmax", "f")] {
            assert_eq!(read(text, 10.0), None, "{text}");
        }
        let cut = &TEXT[..TEXT.len() / 2];
        assert_eq!(read(cut, 10.0), None);
    }
}
