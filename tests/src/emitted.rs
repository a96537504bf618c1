//! Networks as Verilog in a folder, and what their test benches find.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use constraints::Target;
use constraints::timing::Picoseconds;
use hdl::dfg::Module;
use hdl::passes::pipeline::Report as Pipeline;
use hwgen::design::Design;
use hwgen::interaction::design::InteractionDesign;
use hwgen::output::emit::Emission;
use hwgen::output::report::Report;
use hwgen::output::staging::{Edited, Staging};
use sim::tools::{Engine, Job, Verdict};
use sim::vectors::Vectors;

/// Writes a built design with its vectors, as the program does.
///
/// # Panics
/// If that fails.
pub fn interaction(
    folder: &Path,
    design: InteractionDesign,
    (top, pipeline): (&Arc<Module>, &Pipeline),
    vectors: &Vectors,
) {
    let staging = Staging::begin(folder, Edited::Refuse).expect("a folder");
    let emission = Emission {
        top,
        model: Design::Interaction(design).to_json(),
        clock: Picoseconds::from_ns(5.0).expect("a period"),
        register_port: &[],
        vectors,
        preamble: None,
        target: &Target::load("generic").expect("a target"),
    };
    let report = Report::new("interaction", top, 5.0, pipeline, "");
    emission.write(&staging, report).expect("an emission");
    staging.finish().expect("a finished folder");
}

/// What the emitted test bench of `top` finds; `blocks` are compiled by themselves.
///
/// # Panics
/// If the simulator does not come to a verdict.
pub fn verdict(engine: Engine, folder: &Path, top: &str, samples: usize, blocks: &[String]) -> Verdict {
    let files = std::fs::read_dir(folder).expect("a folder");
    let files = files.map(|file| file.expect("a file").path());
    let sources: Vec<PathBuf> = files.filter(|file| file.extension().is_some_and(|e| e == "v")).collect();
    let job = Job {
        top,
        sources: &sources,
        vectors: &folder.join("vectors"),
        samples,
        blocks,
        waves: None,
        limit: Duration::from_secs(3600),
    };
    engine.run(&job).expect("a verdict").verdict
}
