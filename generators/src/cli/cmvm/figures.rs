//! What `hwgen cmvm` prints and reports.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::arith::estimate::Estimate;
use crate::arith::report::{CellReport, CmvmReport};
use crate::output::table::Table;

pub(super) fn parameters(figures: &CmvmReport) -> BTreeMap<String, String> {
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

pub(super) fn cell_parameters(figures: &CellReport) -> BTreeMap<String, String> {
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

pub(super) fn cell_table(report: &CellReport) -> Table {
    let mut table = Table::new(["figure", "value"]);
    let mut row = |name: &str, value: String| table.row([name.to_owned(), value]);
    row(
        "inputs × outputs",
        format!("{} × {}", report.inputs, report.outputs),
    );
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
        row(
            name,
            format!("{:.0}, {:.2}", offer.area_um2, offer.delay_ns),
        );
    }
    table
}

fn memory(megabytes: Option<f64>) -> String {
    megabytes.map_or("unknown".into(), |mb| format!("{mb:.0}"))
}

/// What the command prints.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    #[serde(flatten)]
    pub report: CmvmReport,
    pub target: String,
    /// On that target.
    pub estimate: Estimate,
}

pub(super) fn table(
    Figures {
        report,
        target,
        estimate,
    }: &Figures,
) -> Table {
    let mut table = Table::new(["figure", "value"]);
    let mut row = |name: &str, value: String| table.row([name.to_owned(), value]);
    row(
        "inputs × outputs",
        format!("{} × {}", report.inputs, report.outputs),
    );
    row("adders", report.adders.to_string());
    row("adder bits", report.adder_bits.to_string());
    row(
        "negations, as constant adders",
        report.constant_adders.to_string(),
    );
    if report.tables > 0 {
        row("tables of sums of few bits", report.tables.to_string());
    }
    row("depth", report.depth.to_string());
    row("target of the estimates", target.clone());
    match estimate.luts {
        0.0 => {
            row("cell area, µm²", format!("{:.0}", estimate.area_um2));
            row("energy, pJ", format!("{:.2}", estimate.energy_fj / 1e3));
        }
        luts => row("look-up tables", format!("{luts:.0}")),
    }
    row(
        "delay, ns",
        format!("{:.2}", estimate.delay_ps as f64 / 1e3),
    );
    row("seconds", format!("{:.3}", report.seconds));
    row("peak memory, MB", memory(report.peak_memory_mb));
    table
}
