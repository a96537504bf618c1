//! Gate-level simulation: the netlist against the folder's vectors, in Icarus.

use std::fs;
use std::path::Path;

use hdl::diag::{Diagnostic, Diagnostics};
use sim::synth;
use sim::testbench::{self, bench};
use sim::tools::{Engine, Job, Meter, Verdict};
use sim::vectors::Held;

use super::step::{Finding, Found};
use super::work::{RTL, Work};

/// Runs all vectors through the netlist and the models of its cells, with the emitted test bench.
pub fn simulate(work: &Work<'_>, waves: Option<&str>, meter: &Meter) -> Found {
    let samples = write_vectors(work)?;
    let top = &work.folder.top.name;
    let bench_file = format!("{RTL}/{top}_tb.v");
    let sources = [&bench_file, synth::NETLIST, synth::CELL_MODELS];
    run(work, top, &sources, samples, waves, meter)
}

/// Runs `samples` samples through the bench of `top` and `sources`, all files of the output folder.
pub fn run(
    work: &Work<'_>,
    top: &str,
    sources: &[&str],
    samples: usize,
    waves: Option<&str>,
    meter: &Meter,
) -> Found {
    let folder = work.staging.path();
    let sources: Vec<_> = sources.iter().map(|name| folder.join(name)).collect();
    let waves = waves.map(|name| folder.join(name));
    let outcome = Engine::Icarus.run(&Job {
        top,
        sources: &sources,
        vectors: &folder.join(testbench::FOLDER),
        samples,
        blocks: &[],
        waves: waves.as_deref(),
        limit: meter.limit(),
    })?;
    meter.note(outcome.peak_bytes, outcome.cpu);
    Ok(match outcome.verdict {
        Verdict::Pass { vectors, latency } => Finding::good(format!(
            "{vectors} vectors bit-exact at latency {latency} in {}",
            outcome.tool.version
        )),
        Verdict::Fail(why) => Finding {
            holds: false,
            words: format!(
                "{why}; {}",
                outcome.mismatches.first().map_or("", String::as_str)
            ),
        },
    })
}

/// Writes what the benches read; gives the number of samples.
fn write_vectors(work: &Work<'_>) -> Result<usize, Diagnostics> {
    let (vectors, preamble) = work.vectors()?;
    let words = bench(&work.folder.top, &vectors, &Held::new(), preamble.as_ref())?;
    let place = work.staging.path().join(testbench::FOLDER);
    let failed = |e: std::io::Error| -> Diagnostics {
        Diagnostic::error("file", format!("gate-level simulation: {e}")).into()
    };
    fs::create_dir_all(&place).map_err(failed)?;
    let write = |name: &str, text: String| fs::write(Path::new(&place).join(name), text);
    write(testbench::INPUTS, words.inputs).map_err(failed)?;
    write(testbench::EXPECTED, words.expected).map_err(failed)?;
    if let Some(words) = words.preamble {
        write(testbench::PREAMBLE, words).map_err(failed)?;
    }
    Ok(vectors.len())
}
