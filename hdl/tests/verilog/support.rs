//! Runs emitted modules in Icarus Verilog against the evaluator, and lints them with Verilator.

use std::collections::HashSet;
use std::process::Command;
use std::sync::Arc;

use hdl::bench::{self, Stimulus};
use hdl::dfg::Module;

/// A run of a module that lowers.
pub fn run(module: Arc<Module>, stimulus: Stimulus) -> Run {
    Run::new(module, stimulus).unwrap()
}

pub use hdl::bench::Run;

/// Whether `tool` can be started; says so if not.
pub fn available(tool: &str, argument: &str) -> bool {
    let found = Command::new(tool).arg(argument).output().is_ok();
    if !found {
        println!("skipped: {tool} is not installed");
    }
    found
}

/// Every output bit of every run in every cycle, in one simulation.
pub fn simulate(runs: &[Run]) {
    if bench::replay(runs).unwrap_or_else(|difference| panic!("{difference}")) == bench::Replay::NotInstalled {
        println!("skipped: iverilog is not installed");
    }
}

/// Verilator has no warning of any kind about a design.
pub fn assert_lint_clean(run: &Run) {
    if available("verilator", "--version") {
        assert_eq!(lint(&run.files()), "");
    }
}

/// The modules of all runs; one that several have, such as the full adder, comes once.
pub fn files_of(runs: &[Run]) -> Vec<(String, String)> {
    let mut seen = HashSet::new();
    let all = runs.iter().flat_map(Run::files);
    all.filter(|file| seen.insert(file.clone())).collect()
}

/// What Verilator has to say about modules, given as name and text. The tops are linted side by side.
pub fn lint(modules: &[(String, String)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("verilator");
    command.args(["--lint-only", "-Wall", "-Wno-MULTITOP"]);
    for (name, text) in modules {
        let file = folder.path().join(format!("{name}.v"));
        std::fs::write(&file, text).unwrap();
        command.arg(&file);
    }
    let output = command.output().unwrap();
    String::from_utf8_lossy(&output.stderr).into_owned()
}
