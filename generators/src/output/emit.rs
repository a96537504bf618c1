//! Writes a design into an output folder: Verilog, test bench, vectors, constraints, model, map, drawing, report.

use std::sync::Arc;

use constraints::timing::{Budget, Dialect, Picoseconds, Units};
use constraints::{Constraints, Target};
use hdl::dfg::{Module, behaviour, text};
use hdl::draw::pipeline_svg;
use hdl::lower::{ADD3, Adders};
use hdl::rtl::Design;
use hdl::verilog::CarryCell;
use hdl::{lower, verilog};
use openlane::hardening as openlane;
use serde::Serialize;
use sim::preamble::Preamble;
use sim::testbench::{self, bench};
use sim::vectors::{Held, Vectors};

use super::cells::write_cells;
use super::report::Report;
use super::rtl::write_verilog;
use super::staging::Staging;
use super::triplication::Triplication;
use super::{estimate, hardening};
use crate::failure::Result;

/// The data-flow graph in its text form: what synthesis is given.
pub const GRAPH_FILE: &str = "design.dfg";
/// The graph that simulators run instead, where there is another.
pub const BEHAVIOUR_FILE: &str = "behaviour.dfg";
/// The exact integer model.
pub const MODEL_FILE: &str = "model.json";
/// Vectors as JSON.
pub const VECTORS_FILE: &str = "vectors/vectors.json";

/// How deep the drawing of the pipeline goes into the scopes.
const DRAWN_DEPTH: usize = 1;

/// Everything that goes into a folder besides the report.
#[derive(Debug)]
pub struct Emission<'a> {
    /// The top module.
    pub top: &'a Arc<Module>,
    /// The content of [`MODEL_FILE`].
    pub model: String,
    /// Clock period.
    pub clock: Picoseconds,
    /// Ports of slow control.
    pub register_port: &'a [&'a str],
    /// What the test bench runs.
    pub vectors: &'a Vectors,
    /// What it does before.
    pub preamble: Option<&'a Preamble>,
    /// What it is emitted for.
    pub target: &'a Target,
}

impl Emission<'_> {
    /// Writes everything into `staging`, the report, which it gives back, last.
    pub fn write(&self, staging: &Staging, mut report: Report) -> Result<Report> {
        let top = &self.top.name;
        let mut files = |name: String, what: &str| {
            report.files.insert(name, what.to_owned());
        };
        let carry_cell = self.target.carry_cell();
        let design = lowered(self.top, carry_cell)?;
        report.size.estimate = estimate::of(&design, self.target);
        report.triplication = Triplication::of(&design);
        let mut verilog = write_verilog(staging, self.top, &design, carry_cell)?;
        for name in &verilog {
            files(name.clone(), "Verilog-2001");
        }
        write_cells(staging, self.target)?;
        if let Some(cell) = carry_cell
            && design.modules.iter().any(|m| m.name == ADD3)
        {
            let name = format!("{ADD3}.v");
            staging.write(&name, cell.add3())?;
            verilog.push(name.clone());
            files(name, "three-operand adder out of the target's cells, with their models for simulators");
        }
        files("map.json".into(), "emitted lines and the layer and neuron that they belong to");

        let bench = bench(self.top, self.vectors, &Held::new(), self.preamble)?;
        let mut bench_files = vec![format!("{top}_tb.v")];
        staging.write(&bench_files[0], bench.verilog)?;
        files(bench_files[0].clone(), "self-checking test bench");
        let vectors = [
            (testbench::INPUTS, Some(bench.inputs), "stimulus, one sample a line"),
            (testbench::EXPECTED, Some(bench.expected), "expected outputs, one sample a line"),
            (testbench::ORDER, bench.order, "which of them belongs to each sample"),
            (testbench::PREAMBLE, bench.preamble, "register writes and reads before the samples"),
        ];
        for (name, content, what) in vectors {
            if let Some(content) = content {
                let name = format!("{}/{name}", testbench::FOLDER);
                staging.write(&name, content)?;
                bench_files.push(name.clone());
                files(name, what);
            }
        }
        staging.write(VECTORS_FILE, json(self.vectors))?;
        files(VECTORS_FILE.into(), "the same as JSON");

        let constraints = Constraints::of(self.top, self.clock, &Budget::default(), self.register_port)?;
        let sdc = constraints.to_sdc(Dialect::Cells(Units::default()))?;
        staging.write(&format!("constraints/{top}.sdc"), sdc)?;
        files(format!("constraints/{top}.sdc"), "clock and port timing for cell-based tools");
        staging.write(&format!("constraints/{top}.xdc"), constraints.to_sdc(Dialect::Vivado)?)?;
        files(format!("constraints/{top}.xdc"), "the same for Vivado");
        hardening::write(staging, &constraints, &verilog, &bench_files, None)?;
        files(format!("{}/", openlane::FOLDER), "LibreLane, Vivado and Quartus");
        files(openlane::CORE.into(), "FuseSoC core");

        staging.write(MODEL_FILE, &self.model)?;
        files(MODEL_FILE.into(), "the exact integer model");
        staging.write(GRAPH_FILE, text::print(self.top))?;
        files(GRAPH_FILE.into(), "the data-flow graph");
        let simulated = behaviour(self.top);
        if !Arc::ptr_eq(&simulated, self.top) {
            staging.write(BEHAVIOUR_FILE, text::print(&simulated))?;
            files(BEHAVIOUR_FILE.into(), "the same with words in place of cells, for simulators");
        }
        staging.write("pipeline.svg", pipeline_svg(drawn(self.top), DRAWN_DEPTH))?;
        files("pipeline.svg".into(), "picture of the pipeline");

        files("report.json".into(), "this report for scripts");
        files("report.md".into(), "this report");
        staging.write("report.json", report.to_json())?;
        staging.write("report.md", report.to_markdown())?;
        Ok(report)
    }
}

/// The design of `top` and all below it, with three-operand adders where the target has that cell.
pub fn lowered(top: &Arc<Module>, carry_cell: Option<CarryCell>) -> Result<Design> {
    let adders = match carry_cell {
        Some(_) => Adders::ThreeOperand,
        None => Adders::TwoOperand,
    };
    Ok(lower::lower_to(top, adders)?)
}

/// The Verilog of `top` and all below it in one piece, with the three-operand adder if the target has one.
pub fn flat_verilog(top: &Arc<Module>, carry_cell: Option<CarryCell>) -> Result<Vec<u8>> {
    let design = lowered(top, carry_cell)?;
    let mut text = Vec::new();
    verilog::write_design(&design, &mut text).expect("memory takes everything");
    text.extend(carry_cell.map(CarryCell::add3).unwrap_or_default().bytes());
    Ok(text)
}

/// The module with the data path: the top, or the one instance that has pipeline registers of its own.
fn drawn(top: &Module) -> &Module {
    let deepest = top.instances.iter().max_by_key(|i| i.module.graph.len());
    deepest.filter(|i| i.module.graph.len() > top.graph.len()).map_or(top, |i| &i.module)
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain data") + "\n"
}
