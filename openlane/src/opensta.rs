//! Static timing by OpenSTA. Its version 2.0.17 multiplies the power inside cells, so that energy is no question for it:
//! see [`energy`](crate::energy).

use std::path::Path;

use hdl::diag::{Diagnostic, Diagnostics};

use sim::tools::Meter;

use crate::quote::identifier;
use crate::{LIBERTY, NETLIST, Program, SDC};

/// Name of the timing script.
pub const SCRIPT: &str = "sta.tcl";

/// Paths that are shown.
const PATHS: usize = 5;

/// One path.
#[derive(Debug, Clone, PartialEq)]
pub struct TimingPath {
    /// Where it begins: a port, or the net of a register.
    pub from: String,
    /// Where it ends.
    pub to: String,
    /// Slack in ns.
    pub slack_ns: f64,
    /// Cells on it.
    pub cells: usize,
}

/// What OpenSTA found.
#[derive(Debug, Clone, PartialEq)]
pub struct Timing {
    /// Worst set-up slack in ns.
    pub setup_slack_ns: f64,
    /// Worst hold slack in ns, under an ideal clock.
    pub hold_slack_ns: f64,
    /// The worst set-up paths, worst first.
    pub paths: Vec<TimingPath>,
    /// OpenSTA's own report of them.
    pub report: String,
}

fn read(top: &str) -> Result<String, Diagnostics> {
    let top = identifier(top)?;
    Ok(format!("read_liberty {LIBERTY}\nread_verilog {NETLIST}\nlink_design {top}\nread_sdc {SDC}\n"))
}

/// The timing script.
///
/// # Errors
/// `script-name` if the top module's name cannot stand in a script.
pub fn script(top: &str) -> Result<String, Diagnostics> {
    Ok(format!(
        "{}puts \"hwgen setup [worst_slack -max]\"\nputs \"hwgen hold [worst_slack -min]\"\n\
         report_checks -path_delay max -format full -fields {{net}} -digits 3 -group_count {PATHS} -endpoint_count 1\n",
        read(top)?
    ))
}

/// Runs [`SCRIPT`] in `folder`.
///
/// # Errors
/// Those of running OpenSTA; `tool-output` if it reports an error or no slack.
pub fn analyse(folder: &Path, meter: &Meter) -> Result<Timing, Diagnostics> {
    let said = sta(folder, SCRIPT, meter)?;
    parse(&said).ok_or_else(|| unexpected("OpenSTA reported no slack", &said))
}

fn sta(folder: &Path, script: &str, meter: &Meter) -> Result<String, Diagnostics> {
    let done = Program::OpenSta.run(folder, &["-no_splash", "-exit", script], meter)?;
    let failed = |line: &str| line.starts_with("Error:") || line.starts_with("Error ");
    let all = done.said();
    match all.lines().find(|line| failed(line)) {
        Some(line) => Err(unexpected(line, &all)),
        None => Ok(done.stdout),
    }
}

fn unexpected(message: &str, said: &str) -> Diagnostics {
    let end: Vec<&str> = said.lines().rev().take(10).collect();
    let end: Vec<&str> = end.into_iter().rev().collect();
    Diagnostic::error("tool-output", message).label(None, end.join("\n")).into()
}

fn parse(text: &str) -> Option<Timing> {
    let slack = |what: &str| -> Option<f64> {
        let start = format!("hwgen {what} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&start))?;
        line.trim().parse().ok()
    };
    let report = text.find("Startpoint:").map_or("", |at| &text[at..]);
    Some(Timing {
        setup_slack_ns: slack("setup")?,
        hold_slack_ns: slack("hold")?,
        paths: report.split("Startpoint:").skip(1).filter_map(path).collect(),
        report: report.to_owned(),
    })
}

/// One path: registers are named by the nets at their ends, since instances have no names that mean anything.
fn path(text: &str) -> Option<TimingPath> {
    let mut nets = Vec::new();
    let mut slack = None;
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [.., net, "(net)"] => nets.push(*net),
            [value, "slack", ..] => slack = value.parse().ok(),
            _ => {}
        }
    }
    let start = text.split_whitespace().next()?;
    let end = text.split("Endpoint:").nth(1)?.split_whitespace().next()?;
    let named = |net: &str| !net.rsplit('/').next().unwrap_or(net).starts_with('_');
    let from = nets.iter().find(|net| named(net)).copied().unwrap_or(start);
    let to = nets.iter().rev().find(|net| named(net)).copied();
    Some(TimingPath {
        from: from.to_owned(),
        to: to.filter(|net| *net != from).unwrap_or(end).to_owned(),
        slack_ns: slack?,
        cells: nets.len().saturating_sub(1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slacks_and_paths_are_read() {
        let text = "hwgen setup -1.5\nhwgen hold 0.25\nStartpoint: _1_ (rising edge-triggered flip-flop clocked by clk)\n\
                    Endpoint: _2_ (rising\n  1  conv_reg_0_ (net)\n 2 _9_ (net)\n 1 u0/_7_ (net)\n 1 u0/dense_0_ (net)\n -1.500 slack (VIOLATED)\n";
        let timing = parse(text).unwrap();
        assert_eq!((timing.setup_slack_ns, timing.hold_slack_ns), (-1.5, 0.25));
        let path = &timing.paths[0];
        assert_eq!((path.from.as_str(), path.to.as_str()), ("conv_reg_0_", "u0/dense_0_"));
        assert_eq!((path.slack_ns, path.cells), (-1.5, 3));
        assert_eq!(parse("Error: no such file"), None);
    }
}
