//! The report of `hwgen synth`: every figure with the tool, library, corner and activity that it stems from.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use constraints::targets::Basis;
use serde::Serialize;

use super::table::Table;

/// Version of the report's layout; it changes when a field changes its meaning.
const SCHEMA: &str = "hwgen-synthesis-1";

/// Cells by type.
pub type Counts = BTreeMap<String, usize>;
/// Cells by layer and type.
pub type Layers = BTreeMap<String, Counts>;

/// Everything that was found out about a netlist.
#[derive(Debug, Clone, Serialize)]
pub struct Synthesis {
    /// Name and version of the layout.
    pub schema: &'static str,
    /// Program and version.
    pub generator: String,
    /// Name of the top module.
    pub top: String,
    /// Name of the target.
    pub target: String,
    /// Clock period in nanoseconds.
    pub clock_ns: f64,
    /// Cycles from an input to its output.
    pub latency: u32,
    /// What was run, in order; a step that did not end well leaves the others as they are.
    pub steps: Vec<Step>,
    /// The figures.
    pub figures: Vec<Figure>,
    /// Cells of the netlist by type.
    pub cells: Counts,
    /// Cells of each layer by type; those of which no layer is known under an empty name.
    pub layers: Layers,
    /// The worst set-up paths.
    pub paths: Vec<Path>,
    /// What must be known to read the figures.
    pub notes: Vec<String>,
    /// Whether the published chip may be laid beside.
    #[serde(skip)]
    pub is_encoder: bool,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It ran and found nothing wrong.
    Done,
    /// It ran and found something wrong.
    Failed,
    /// It could not run, or not to its end.
    Broken,
    /// A program did not end within its time.
    TimedOut,
    /// A step that it needs did not run to its end.
    Skipped,
}

impl State {
    /// Whether it ran to its end, whatever it found.
    pub fn is_complete(self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Broken => "broken",
            Self::TimedOut => "timed out",
            Self::Skipped => "skipped",
        })
    }
}

/// One step.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// Name, as `--steps` takes it.
    pub name: &'static str,
    /// How it ended.
    pub state: State,
    /// How long it took.
    pub seconds: f64,
    /// Processor time of the programs that it ran, which does not depend on what else the machine does.
    pub cpu_seconds: f64,
    /// Largest resident memory of a program that it ran, in megabytes.
    pub memory_mb: f64,
    /// What it found, or why it failed.
    pub result: String,
}

/// A number and where it comes from.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// What it is.
    pub name: &'static str,
    /// The number.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// Measured, scaled or estimated.
    pub basis: Basis,
    /// Tool with version.
    pub tool: String,
    /// Cell library or family.
    pub library: String,
    /// Corner of the library.
    pub corner: String,
    /// From where the switching activity comes, for power and energy.
    pub activity: Option<String>,
    /// Factor and its source, for scaled figures, or the method.
    pub method: String,
}

impl Figure {
    /// The same, scaled by a factor whose value and source `method` tells.
    pub fn scaled(self, method: impl Into<String>) -> Self {
        Self { basis: Basis::Scaled, ..self.by(method) }
    }

    /// The same, estimated as `method` tells.
    pub fn estimated(self, method: impl Into<String>) -> Self {
        Self { basis: Basis::Estimated, ..self.by(method) }
    }

    /// The same, found as `method` tells.
    pub fn by(self, method: impl Into<String>) -> Self {
        Self { method: method.into(), ..self }
    }
}

/// Where figures come from: what they have in common.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// Tool with version.
    pub tool: String,
    /// Cell library or family.
    pub library: String,
    /// Corner of the library.
    pub corner: String,
    /// From where the switching activity comes.
    pub activity: Option<String>,
}

impl Origin {
    /// A figure as the tool measured it.
    pub fn figure(&self, name: &'static str, value: f64, unit: &'static str) -> Figure {
        Figure {
            name,
            value,
            unit,
            basis: Basis::Measured,
            tool: self.tool.clone(),
            library: self.library.clone(),
            corner: self.corner.clone(),
            activity: self.activity.clone(),
            method: String::new(),
        }
    }
}

/// A path.
#[derive(Debug, Clone, Serialize)]
pub struct Path {
    /// First net with a name.
    pub from: String,
    /// Last net with a name.
    pub to: String,
    /// Cells on it.
    pub cells: usize,
    /// Slack in nanoseconds.
    pub slack_ns: f64,
}

/// The published chip: name of the figure, value, unit.
const CHIP: [(&str, f64, &str); 3] = [("area", 3.6, "mm²"), ("power", 95.0, "mW"), ("energy per inference", 2.4, "nJ")];

impl Synthesis {
    /// A report without results.
    pub fn new(top: &str, target: &str, clock_ns: f64, latency: u32, is_encoder: bool) -> Self {
        Self {
            schema: SCHEMA,
            generator: format!("hwgen {}", env!("CARGO_PKG_VERSION")),
            top: top.to_owned(),
            target: target.to_owned(),
            clock_ns,
            latency,
            steps: Vec::new(),
            figures: Vec::new(),
            cells: Counts::new(),
            layers: Layers::new(),
            paths: Vec::new(),
            notes: Vec::new(),
            is_encoder,
        }
    }

    /// Whether every step that was asked for ended well.
    pub fn passed(&self) -> bool {
        self.steps.iter().all(|step| step.state == State::Done)
    }

    /// For scripts.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a report has only text keys") + "\n"
    }

    /// For people.
    pub fn to_markdown(&self) -> String {
        let mut text = format!(
            "# {} on {}\n\nWritten by {}. Clock {} ns, latency {} cycles.\n",
            self.top, self.target, self.generator, self.clock_ns, self.latency
        );
        let mut section = |title: &str, body: String| {
            if !body.is_empty() {
                let _ = write!(text, "\n## {title}\n\n{body}");
            }
        };
        section("Steps", self.steps_text());
        section("Figures", self.figures_text());
        section("Beside the published chip", self.chip_text());
        section("Worst paths", self.paths_text());
        section("Cells", self.cells_text());
        section("Cells by layer", self.layers_text());
        section("Notes", self.notes.iter().fold(String::new(), |text, note| text + "- " + note + "\n"));
        text
    }

    /// A table of the steps.
    pub fn steps_text(&self) -> String {
        let mut table = Table::new(["step", "state", "seconds", "processor s", "MB", "result"]);
        for step in &self.steps {
            let result = step.result.replace('\n', " ").replace('|', "\\|");
            table.row([
                step.name.to_owned(),
                step.state.to_string(),
                format!("{:.1}", step.seconds),
                format!("{:.1}", step.cpu_seconds),
                format!("{:.0}", step.memory_mb),
                result,
            ]);
        }
        table.to_string()
    }

    /// A table of the figures.
    pub fn figures_text(&self) -> String {
        if self.figures.is_empty() {
            return String::new();
        }
        let mut table = Table::new(["figure", "value", "unit", "basis", "from"]);
        for figure in &self.figures {
            let origin = [&figure.tool, &figure.library, &figure.corner];
            let mut origin: Vec<&str> = origin.map(String::as_str).to_vec();
            origin.extend(figure.activity.as_deref());
            origin.push(&figure.method);
            origin.retain(|part| !part.is_empty());
            table.row([
                figure.name.to_owned(),
                rounded(figure.value),
                figure.unit.to_owned(),
                format!("{:?}", figure.basis).to_lowercase(),
                origin.join("; "),
            ]);
        }
        table.to_string()
    }

    /// The encoder's figures beside those of the chip; empty for other designs and targets without area.
    fn chip_text(&self) -> String {
        let find = |name: &str| self.figures.iter().rfind(|figure| figure.name == name);
        if !self.is_encoder || find("area").is_none() {
            return String::new();
        }
        let mut table = Table::new(["", "this netlist", "basis", "published chip, 65 nm"]);
        for (name, chip, unit) in CHIP {
            if let Some(figure) = find(name) {
                table.row([
                    name.to_owned(),
                    format!("{} {}", rounded(figure.value), figure.unit),
                    format!("{:?}", figure.basis).to_lowercase(),
                    format!("{chip} {unit}"),
                ]);
            }
        }
        let ours = f64::from(self.latency) * self.clock_ns;
        table.row([
            "latency".to_owned(),
            format!("{} ns", rounded(ours)),
            "cycles × clock".to_owned(),
            "50 ns".to_owned(),
        ]);
        format!(
            "{table}\nNot the same thing: cell area is not die area, there is no clock tree and there are no wires here; the chip's \
             block holds converter, encoder, triplicated registers and the weight store.\n"
        )
    }

    fn paths_text(&self) -> String {
        if self.paths.is_empty() {
            return String::new();
        }
        let mut table = Table::new(["from", "to", "cells", "slack in ns"]);
        for path in &self.paths {
            let name = |net: &str| format!("`{net}`");
            table.row([name(&path.from), name(&path.to), path.cells.to_string(), format!("{:.3}", path.slack_ns)]);
        }
        table.to_string()
    }

    fn layers_text(&self) -> String {
        if self.layers.is_empty() {
            return String::new();
        }
        let mut table = Table::new(["layer", "cells", "of which"]);
        for (layer, counts) in &self.layers {
            let name = match layer.as_str() {
                "" => "not known".to_owned(),
                layer => format!("`{layer}`"),
            };
            let total: usize = counts.values().sum();
            table.row([name, total.to_string(), counts_text(counts)]);
        }
        table.to_string()
    }

    fn cells_text(&self) -> String {
        if self.cells.is_empty() {
            return String::new();
        }
        let mut table = Table::new(["cell", "count"]);
        for (cell, count) in &self.cells {
            table.row([format!("`{cell}`"), count.to_string()]);
        }
        table.to_string()
    }
}

/// `3 A, 1 B`, the most frequent first.
fn counts_text(counts: &Counts) -> String {
    let mut sorted: Vec<_> = counts.iter().collect();
    sorted.sort_by_key(|(cell, count)| (std::cmp::Reverse(**count), *cell));
    let texts: Vec<String> = sorted.iter().map(|(cell, n)| format!("{n} `{cell}`")).collect();
    texts.join(", ")
}

/// Four significant digits.
fn rounded(value: f64) -> String {
    if value == 0.0 || value.fract() == 0.0 && value.abs() < 1e9 {
        return format!("{value}");
    }
    let digits = 3 - value.abs().log10().floor() as i32;
    format!("{value:.*}", digits.clamp(0, 9) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_digits_are_shown() {
        for (value, text) in [(0.0, "0"), (12345.6, "12346"), (0.012345, "0.01235"), (95.0, "95"), (1.23456, "1.235")] {
            assert_eq!(rounded(value), text);
        }
    }
}
