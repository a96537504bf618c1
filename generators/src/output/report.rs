//! The report of an output folder: `report.json` for scripts, `report.md` for people, from one set of facts.

use std::collections::BTreeMap;
use std::fmt::Write;

use hdl::analysis::Statistics;
use hdl::dfg::{Module, Stamp};
use hdl::num::Format;
use hdl::passes::pipeline;
use serde::Serialize;

use super::estimate::Estimate;
use super::table::Table;
use super::triplication::Triplication;
use super::trust::{self, Trust};

/// Version of the report's layout; it changes when a field changes its meaning.
const SCHEMA: &str = "hwgen-report-1";

/// Everything that a report says.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Name and version of the layout.
    pub schema: &'static str,
    /// Program and version.
    pub generator: String,
    /// What was generated, such as `encoder`.
    pub design: String,
    /// Name of the top module.
    pub top: String,
    /// What the user chose.
    pub parameters: BTreeMap<String, String>,
    /// Clock, latency and stages.
    pub timing: Timing,
    /// Ports, inputs first.
    pub interface: Vec<Port>,
    /// Number formats, layer by layer.
    pub layers: Vec<LayerFormats>,
    /// Counts over all modules.
    pub size: Size,
    /// Which registers stand three times; none if none do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub triplication: Option<Triplication>,
    /// What was run to check the design, and what came out.
    pub checks: Vec<Check>,
    /// What must be right for the hardware to be right, and how far that is known.
    pub trust: Vec<Trust>,
    /// What lies in the folder.
    pub files: BTreeMap<String, String>,
}

/// Clock and cycles.
#[derive(Debug, Clone, Serialize)]
pub struct Timing {
    /// Clock period that the stages were cut for, in nanoseconds.
    pub clock_ns: f64,
    /// Cycles from an input to its output.
    pub latency: u32,
    /// Cycles from one input to the next.
    pub initiation_interval: u32,
    /// Estimated delay of each stage in picoseconds, without a register's share.
    pub stage_delays_ps: Vec<u64>,
    /// Estimated least clock period in picoseconds, a register's share included.
    pub least_clock_ps: u64,
    /// How the delays were obtained.
    pub source: String,
}

/// A port and what lies where on it.
#[derive(Debug, Clone, Serialize)]
pub struct Port {
    /// Name.
    pub name: String,
    /// `input` or `output`.
    pub direction: &'static str,
    /// Bits of the bus.
    pub bits: u32,
    /// Runs of equal elements.
    pub elements: Vec<Elements>,
    /// Cycle in which it is read or valid; none if it may change at any time.
    pub cycle: Option<u32>,
}

/// A run of elements of one format, side by side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Elements {
    /// Index of the first one.
    pub first: usize,
    /// How many.
    pub count: usize,
    /// Number format, as `uW.F` or `sW.F`.
    pub format: String,
    /// Bits of each.
    pub width: u32,
    /// Lowest bit of the first one; each next one lies `width` bits higher.
    pub lowest_bit: u32,
}

/// The formats of one layer.
#[derive(Debug, Clone, Serialize)]
pub struct LayerFormats {
    /// Name.
    pub layer: String,
    /// Shape, such as `4×4×8`.
    pub shape: String,
    /// Operands.
    pub input: String,
    /// Weights and biases.
    pub weight: String,
    /// What happens to a product.
    pub product: String,
    /// Accumulator's fraction bits.
    pub accumulator_frac: i32,
    /// Results.
    pub output: String,
    /// Rounding and overflow at the end.
    pub quantiser: String,
}

/// Counts.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Size {
    /// Nodes of the data-flow graph by operator.
    pub operators: BTreeMap<String, usize>,
    /// Adders and subtractors.
    pub adders: usize,
    /// Their result widths, summed.
    pub adder_bits: u64,
    /// Bits of pipeline registers.
    pub pipeline_register_bits: u64,
    /// Bits of registers with feedback, such as weight stores.
    pub state_bits: u64,
    /// What the target's formulas make of it; none if it has something without a formula.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Estimate>,
}

/// One thing that was run.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// What, with tool and version.
    pub what: String,
    /// What came out.
    pub result: String,
}

impl Report {
    /// A report on `top`; the caller fills in what only it knows.
    pub fn new(design: &str, top: &Module, clock_ns: f64, pipeline: &pipeline::Report, delay_source: &str) -> Self {
        Self {
            schema: SCHEMA,
            generator: format!("hwgen {}", env!("CARGO_PKG_VERSION")),
            design: design.to_owned(),
            top: top.name.clone(),
            parameters: BTreeMap::new(),
            timing: Timing {
                clock_ns,
                latency: top.latency(),
                initiation_interval: 1,
                stage_delays_ps: pipeline.stage_delays.clone(),
                least_clock_ps: pipeline.clock,
                source: delay_source.to_owned(),
            },
            interface: interface(top),
            layers: Vec::new(),
            size: size(top),
            triplication: None,
            checks: Vec::new(),
            trust: Vec::new(),
            files: BTreeMap::new(),
        }
    }

    /// For scripts.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a report has only text keys") + "\n"
    }

    /// For people.
    pub fn to_markdown(&self) -> String {
        let mut text = format!("# {}: {}\n\nWritten by {}.\n", self.top, self.design, self.generator);
        let mut section = |title: &str, body: String| {
            let _ = write!(text, "\n## {title}\n\n{body}");
        };
        section("Parameters", pairs(["parameter", "value"], &self.parameters));
        section("Timing", self.timing_text());
        section("Interface", self.interface_text());
        section("Number formats", self.layers_text());
        section("Size", self.size_text());
        if let Some(triplication) = &self.triplication {
            section("Triplication", triplication.text());
        }
        section("Checks", {
            let mut table = Table::new(["run", "result"]);
            self.checks.iter().for_each(|c| table.row([c.what.clone(), c.result.clone()]));
            table.to_string()
        });
        section("Trust", trust::text(&self.trust));
        section("Files", pairs(["file", "content"], &self.files));
        text
    }

    fn timing_text(&self) -> String {
        let timing = &self.timing;
        let stages: Vec<String> =
            timing.stage_delays_ps.iter().map(|ps| format!("{:.2}", *ps as f64 / 1000.0)).collect();
        format!(
            "Clock {} ns, latency {} cycles, initiation interval {}.\n\n\
             Stage delays {} ns, least clock {:.2} ns with registers. Source: {}.\n",
            timing.clock_ns,
            timing.latency,
            timing.initiation_interval,
            stages.join(", "),
            timing.least_clock_ps as f64 / 1000.0,
            timing.source
        )
    }

    fn interface_text(&self) -> String {
        let mut table = Table::new(["port", "direction", "bits", "elements", "format", "element i at", "cycle"]);
        for port in &self.interface {
            let cycle = port.cycle.map_or("any".to_owned(), |c| c.to_string());
            for (i, run) in port.elements.iter().enumerate() {
                let first = i == 0;
                let shown = |text: String| if first { text } else { String::new() };
                table.row([
                    shown(format!("`{}`", port.name)),
                    shown(port.direction.to_owned()),
                    shown(port.bits.to_string()),
                    run.indices(),
                    run.format.clone(),
                    run.position(),
                    shown(cycle.clone()),
                ]);
            }
        }
        table.to_string()
    }

    fn layers_text(&self) -> String {
        let mut table =
            Table::new(["layer", "shape", "input", "weights", "product", "accumulator", "output", "quantiser"]);
        for layer in &self.layers {
            table.row([
                layer.layer.clone(),
                layer.shape.clone(),
                layer.input.clone(),
                layer.weight.clone(),
                layer.product.clone(),
                format!("{} fraction bits", layer.accumulator_frac),
                layer.output.clone(),
                layer.quantiser.clone(),
            ]);
        }
        table.to_string()
    }

    fn size_text(&self) -> String {
        let size = &self.size;
        let mut table = Table::new(["operator", "nodes"]);
        size.operators.iter().for_each(|(op, count)| table.row([op.clone(), count.to_string()]));
        format!(
            "{} adders and subtractors of {} bits in all, {} bits of pipeline registers, {} bits of stored settings. \
             These are counts of the data-flow graph, not of cells.\n{}\n{table}",
            size.adders,
            size.adder_bits,
            size.pipeline_register_bits,
            size.state_bits,
            size.estimate.as_ref().map(Estimate::text).unwrap_or_default(),
        )
    }
}

impl Elements {
    fn indices(&self) -> String {
        if self.count == 1 {
            self.first.to_string()
        } else {
            format!("{}…{}", self.first, self.first + self.count - 1)
        }
    }

    fn position(&self) -> String {
        let (w, low) = (self.width, self.lowest_bit);
        match (self.count, w) {
            (_, 0) => "no bits".into(),
            (1, 1) => format!("[{low}]"),
            (1, _) => format!("[{}:{low}]", low + w - 1),
            _ if self.first == 0 => format!("[{w}i+{}:{w}i]", w - 1),
            _ => format!("[{low}+{w}(i-{})+{}:…]", self.first, w - 1),
        }
    }
}

fn pairs(header: [&str; 2], map: &BTreeMap<String, String>) -> String {
    let mut table = Table::new(header);
    map.iter().for_each(|(key, value)| table.row([format!("`{key}`"), value.clone()]));
    table.to_string()
}

fn interface(top: &Module) -> Vec<Port> {
    let mut ports = Vec::new();
    let control = |name: &str| port(name, "input", &[Format::BIT], Stamp::TIMELESS);
    ports.extend(top.is_sequential().then(|| control("clk")));
    ports.extend(top.has_reset().then(|| control("rst")));
    ports.extend(top.inputs.iter().map(|p| port(&p.name, "input", &p.elements, p.stamp)));
    ports.extend(top.outputs.iter().map(|p| {
        let formats: Vec<Format> = p.elements.iter().map(|e| e.format).collect();
        port(&p.name, "output", &formats, p.stamp)
    }));
    ports
}

fn port(name: &str, direction: &'static str, formats: &[Format], stamp: Stamp) -> Port {
    let mut elements: Vec<Elements> = Vec::new();
    let mut bit = 0;
    for (i, format) in formats.iter().enumerate() {
        let (width, text) = (format.range.width(), format.to_string());
        match elements.last_mut() {
            Some(run) if run.format == text => run.count += 1,
            _ => elements.push(Elements { first: i, count: 1, format: text, width, lowest_bit: bit }),
        }
        bit += width;
    }
    Port { name: name.to_owned(), direction, bits: bit.max(1), elements, cycle: stamp.cycle() }
}

/// Counts over `top` and every instance below it.
fn size(top: &Module) -> Size {
    let mut size = Size::default();
    let own = Statistics::of(top);
    for (op, count) in own.operators {
        *size.operators.entry(op.to_owned()).or_default() += count;
    }
    size.adders = own.adders;
    size.adder_bits = own.adder_bits;
    size.pipeline_register_bits = own.register_bits;
    size.state_bits = own.state_bits;
    for instance in &top.instances {
        let below = self::size(&instance.module);
        for (op, count) in below.operators {
            *size.operators.entry(op).or_default() += count;
        }
        size.adders += below.adders;
        size.adder_bits += below.adder_bits;
        size.pipeline_register_bits += below.pipeline_register_bits;
        size.state_bits += below.state_bits;
    }
    size
}
