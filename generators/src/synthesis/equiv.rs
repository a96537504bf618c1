//! Proof that a netlist computes what the Verilog does.

use std::fs;

use hdl::diag::{Diagnostic, Diagnostics};
use openlane::equivalence::{self, Proof, Proved};
use openlane::liberty::functions;
use openlane::{self as synth, Program};
use sim::functions::Functions;
use sim::tools::Meter;

use super::asic::Asic;
use super::step::{Finding, Found};
use super::work::Work;

/// What lies before the first of the compared netlists.
const TRUSTED: &str =
    "from Yosys's gates on; its reading of the Verilog and its optimisation of words are not part of the proof";

impl Asic<'_> {
    /// Compares the design before and after it is mapped: module by module, cut at registers and full adders.
    pub(super) fn equiv(&mut self, meter: &Meter) -> Found {
        let cells = functions(&self.cells.library);
        prove(&self.work, Functions::Cells(&cells), meter)
    }
}

/// Compares the run's netlist of cells with these `functions` with the design before it was mapped.
pub(super) fn prove(work: &Work<'_>, functions: Functions<'_>, meter: &Meter) -> Found {
    let folder = work.staging.path();
    let read = |name: &str| {
        fs::read_to_string(folder.join(name)).map_err(|e| -> Diagnostics {
            Diagnostic::error("file", format!("equivalence: cannot read {name}: {e}")).into()
        })
    };
    let sides = [&*read(synth::FRONT)?, &*read(synth::NETLIST)?];
    let version = Program::Abc.find()?.version;
    Ok(match equivalence::compare(folder, sides, functions, meter)? {
        Proof::Equivalent(proved) => Finding::good(format!("{}; {TRUSTED}; {version}", in_words(&proved))),
        Proof::Different(outputs) => Finding { holds: false, words: format!("NOT EQUIVALENT: {}", outputs.join(", ")) },
    })
}

pub(super) fn in_words(proved: &Proved) -> String {
    let mut words = format!("proved: {} outputs and inputs of {} registers", proved.outputs, proved.registers);
    if proved.cuts > 0 {
        words += &format!(", cut at {} outputs of adders", proved.cuts);
    }
    if proved.modules > 1 {
        words += &format!(
            ", module by module ({}; what goes into each instance is compared in the module around it)",
            proved.modules
        );
    }
    if proved.dropped > 0 {
        words += &format!(", {} registers without effect", proved.dropped);
    }
    words
}
