//! Figures of a constant matrix: what its structure costs, for a report and as a table.

use std::collections::BTreeMap;
use std::sync::Arc;

use constraints::Target;
use hdl::dfg::Module;
use serde::Serialize;

use super::table::Table;
use super::{emit, estimate as size};
use crate::arith::AdderGraph;
use crate::arith::estimate::{self, estimate};
use crate::arith::report::{CellReport, CmvmReport};
use crate::failure::Result;

/// What a report says of a matrix of adders.
pub fn parameters(figures: &CmvmReport) -> BTreeMap<String, String> {
    [
        ("inputs", figures.inputs.to_string()),
        ("outputs", figures.outputs.to_string()),
        ("adders", figures.adders.to_string()),
        ("adder bits", figures.adder_bits.to_string()),
        ("depth", figures.depth.to_string()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

/// What a report says of a matrix of cells.
pub fn cell_parameters(figures: &CellReport) -> BTreeMap<String, String> {
    [
        ("inputs", figures.inputs.to_string()),
        ("outputs", figures.outputs.to_string()),
        ("full adders", figures.full_adders.to_string()),
        ("half adders", figures.half_adders.to_string()),
        ("area, estimated, µm²", format!("{:.0}", figures.area_um2)),
        ("delay, estimated, ns", format!("{:.2}", figures.delay_ns)),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

/// The figures of a matrix of cells.
pub fn cell_table(report: &CellReport) -> Table {
    let mut table = Table::new(["figure", "value"]);
    let mut row = |name: &str, value: String| table.row([name.to_owned(), value]);
    row("inputs × outputs", format!("{} × {}", report.inputs, report.outputs));
    row("shared sums and outputs", report.adders.to_string());
    row("full adders", report.full_adders.to_string());
    row("half adders", report.half_adders.to_string());
    row("bits of prefix adders", report.prefix_bits.to_string());
    row("depth of sharing", report.depth.to_string());
    row("area, estimated, µm²", format!("{:.0}", report.area_um2));
    row("delay, estimated, ns", format!("{:.2}", report.delay_ns));
    row("seconds", format!("{:.3}", report.seconds));
    row("peak memory, MB", memory(report.peak_memory_mb));
    for offer in &report.front {
        let name = match offer.chosen {
            true => "area, µm², and delay, ns: chosen",
            false => "area, µm², and delay, ns",
        };
        row(name, format!("{:.0}, {:.2}", offer.area_um2, offer.delay_ns));
    }
    table
}

fn memory(megabytes: Option<f64>) -> String {
    megabytes.map_or("unknown".into(), |mb| format!("{mb:.0}"))
}

/// What a matrix costs as combinational logic. What a technology does not have is 0.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Estimate {
    /// Look-up tables; one with two outputs counts as one.
    pub luts: u64,
    /// Cell area in µm².
    pub area_um2: f64,
    /// Delay and energy of its signals.
    #[serde(flatten)]
    pub signals: estimate::Estimate,
}

impl Estimate {
    /// What `graph` costs on `target`, of which `module` is made.
    pub fn of(graph: &AdderGraph, module: &Arc<Module>, target: &Target) -> Result<Self> {
        let design = emit::lowered(module, target.carry_cell())?;
        let size = size::of(&design, target).expect("sums and tables have formulas");
        Ok(Self { luts: size.look_up_tables, area_um2: size.area_um2, signals: estimate(graph, target) })
    }
}

/// What the command prints.
#[derive(Debug, Serialize)]
pub struct Figures {
    /// What was found.
    #[serde(flatten)]
    pub report: CmvmReport,
    /// What the estimate is for.
    pub target: String,
    /// On that target.
    pub estimate: Estimate,
}

/// The figures of a matrix of adders.
pub fn table(Figures { report, target, estimate }: &Figures) -> Table {
    let mut table = Table::new(["figure", "value"]);
    let mut row = |name: &str, value: String| table.row([name.to_owned(), value]);
    row("inputs × outputs", format!("{} × {}", report.inputs, report.outputs));
    row("adders", report.adders.to_string());
    row("adder bits", report.adder_bits.to_string());
    row("negations, as constant adders", report.constant_adders.to_string());
    if report.tables > 0 {
        row("tables of sums of few bits", report.tables.to_string());
    }
    row("depth", report.depth.to_string());
    row("target of the estimates", target.clone());
    let signals = estimate.signals;
    match estimate.luts {
        0 => {
            row("cell area, µm²", format!("{:.0}", estimate.area_um2));
            row("energy, pJ", format!("{:.2}", signals.energy_fj / 1e3));
        }
        luts => row("look-up tables", luts.to_string()),
    }
    row("delay, ns", format!("{:.2}", signals.delay_ps as f64 / 1e3));
    row("seconds", format!("{:.3}", report.seconds));
    row("peak memory, MB", memory(report.peak_memory_mb));
    table
}
