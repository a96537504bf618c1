//! From a folder's Verilog to a netlist, and what is measured and proved of it, in the steps of its target's flow.

mod asic;
pub(crate) mod cells;
mod equiv;
mod fpga;
mod gates;
mod given;
pub(crate) mod layers;
mod matrix;
mod power;
mod step;
mod work;

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use constraints::Target;
use constraints::targets::Technology;
use constraints::timing::Picoseconds;

use self::asic::Asic;
use self::cells::Cells;
use self::fpga::Fpga;
use self::fpga::look_up_tables;
pub use self::gates::Simulator;
pub use self::given::{Compared, Given};
use self::layers::Blocks;
pub use self::matrix::{Mapping, map};
pub use self::step::Choice;
use self::step::run_steps;
use self::work::Work;
use crate::design::Design;
use crate::failure::Result;
use crate::flow::Folder;
use crate::output::staging::Staging;
use crate::output::synthesis::Synthesis;

pub use openlane::yosys::Effort;

/// What becomes of the modules below the top.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Hierarchy {
    /// Keep them if the design is large and its copies save half of the work
    Auto,
    /// Dissolve them: logic is shared and simplified across their borders
    Flatten,
    /// Map each once: for designs with many copies of a block
    Keep,
}

/// What is asked of a run.
#[derive(Debug, Clone)]
pub struct Options {
    /// What it is mapped to.
    pub target: Target,
    /// The cell library of a target that has none of its own.
    pub liberty: Option<PathBuf>,
    /// The clock that it is to run at.
    pub clock: Picoseconds,
    /// Steps to run, all that the target has if there are none.
    pub steps: Vec<Choice>,
    /// How long ABC may think about a cell library's gates.
    pub effort: Effort,
    /// What becomes of the modules below the top.
    pub hierarchy: Hierarchy,
    /// Whether products that are left to the synthesis tool may take DSP blocks.
    pub dsp: bool,
    /// What simulates the netlist.
    pub simulator: Simulator,
    /// The longest that a program may run.
    pub limit: Duration,
}

/// Maps the Verilog of `folder` into `staging`; after each step, a line about it is told.
///
/// # Errors
/// What cannot be read or written, and a target that lacks what is asked for. A step that fails is none: it is in the
/// report.
pub fn synthesise(
    folder: &Folder,
    staging: &Staging,
    options: &Options,
    tell: &mut dyn FnMut(&str),
) -> Result<Synthesis> {
    let Options { target, clock, limit, .. } = options;
    let (top, is_encoder) = (&folder.top, matches!(folder.design, Design::Encoder(_)));
    let mut report = Synthesis::new(&top.name, &target.name, clock.ns(), top.latency(), is_encoder);
    report.notes.extend(folder.remarks());
    let mut work = Work { folder, clock: *clock, staging, simulator: options.simulator, report };
    let kept = kept(&mut work, options.hierarchy)?;
    match &target.technology {
        Technology::Asic { .. } => {
            let cells = Cells::obtain(target, options.liberty.as_deref())?;
            let mut flow = Asic { work, cells, effort: options.effort, kept };
            flow.write_inputs()?;
            run_steps(&mut flow, &options.steps, *limit, tell)?;
            flow.finish()
        }
        Technology::Fpga { family, .. } => {
            let synthesis = fpga::synthesis_command(target, family, options.dsp)?;
            let mut flow = Fpga { work, target, family, synthesis, kept };
            flow.write_inputs()?;
            run_steps(&mut flow, &options.steps, *limit, tell)?;
            flow.work.finish()
        }
    }
}

/// The modules that stay as they are; the report says so if there are any.
fn kept(work: &mut Work<'_>, hierarchy: Hierarchy) -> Result<Vec<String>> {
    let blocks = Blocks::of(work)?;
    let keep = match hierarchy {
        Hierarchy::Auto => blocks.are_worth_it(),
        Hierarchy::Flatten => false,
        Hierarchy::Keep => true,
    };
    if !keep || blocks.names.is_empty() {
        return Ok(Vec::new());
    }
    let note = format!(
        "Hierarchy is kept: {} are mapped once each and counted for every copy; nothing is shared or simplified across their borders.",
        blocks.names.join(", ")
    );
    work.report.notes.push(note);
    Ok(blocks.names)
}
