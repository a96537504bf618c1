//! The flow of an FPGA: look-up tables, flip-flops, carry cells and multipliers.

use constraints::target::Family;
use sim::synth::{Program, mapping};
use sim::tools::Meter;

use super::step::{Choice, Finding, Flow, Found, Task};
use super::work::Work;
use crate::failure::Result;
use crate::output::synthesis::{Origin, Synthesis};

/// A run for an FPGA.
pub struct Fpga<'a> {
    /// What it reads and writes.
    pub work: Work<'a>,
    /// Whose primitives it maps to.
    pub family: &'a Family,
}

/// What primitives are, and how their names begin in the families that are known.
const KINDS: [(&str, &[&str], &str); 4] = [
    (
        "look-up tables",
        &["LUT", "SB_LUT4", "TRELLIS_COMB"],
        "one for each LUT cell of any size; no two share a LUT6_2",
    ),
    ("flip-flops", &["FD", "SB_DFF", "TRELLIS_FF"], ""),
    ("carry cells", &["CARRY", "SB_CARRY", "CCU2C"], ""),
    ("multipliers", &["DSP", "MULT18", "SB_MAC16"], ""),
];

impl Flow for Fpga<'_> {
    fn tasks(&self) -> Vec<Task<Self>> {
        vec![Task::new(Choice::Map, &[], Self::map)]
    }

    fn report(&mut self) -> &mut Synthesis {
        &mut self.work.report
    }
}

impl Fpga<'_> {
    /// The scripts, and a Makefile that runs them.
    pub fn write_inputs(&self) -> Result<()> {
        let sources = self.work.copy_sources()?;
        let top = &self.work.folder.top.name;
        let script = mapping::family_script(top, &sources, &self.family.synthesis);
        self.work.staging.write(mapping::SCRIPT, script)?;
        let makefile = format!(
            "netlist.v: {0}\n\tyosys -q -l map.log -s {0}\n",
            mapping::SCRIPT
        );
        self.work.staging.write("Makefile", makefile)
    }

    fn map(&mut self, meter: &Meter) -> Found {
        let origin = Origin {
            tool: Program::Yosys.find()?.version,
            library: self.family.name.clone(),
            ..Origin::default()
        };
        let mapped = mapping::map(self.work.staging.path(), meter)?;
        let count: usize = mapped.cells.values().sum();
        let report = &mut self.work.report;
        report
            .figures
            .push(origin.figure("cells", count as f64, ""));
        for (name, starts, method) in KINDS {
            let of_kind = |cell: &str| starts.iter().any(|start| cell.starts_with(start));
            let cells = mapped.cells.iter().filter(|(cell, _)| of_kind(cell));
            let value: usize = cells.map(|(_, count)| count).sum();
            let figure = origin.figure(name, value as f64, "");
            report.figures.push(figure.by(method));
        }
        report.cells = mapped.cells;
        let note = "Counts before placement; no timing without the vendor's tool.";
        report.notes.push(note.into());
        Ok(Finding::good(format!("{count} primitives")))
    }
}
