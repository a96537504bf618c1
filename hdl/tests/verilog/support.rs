//! Runs emitted modules in Icarus Verilog against the evaluator, and lints them with Verilator.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::process::Command;
use std::sync::Arc;

use hdl::dfg::Module;
use hdl::dfg::eval::{Behaviour, Stepper};
use hdl::rtl::{self, Cell, Design, ModuleId, Names};
use hdl::{lower, pack, verilog};

/// What goes into a module in each cycle: its input elements and the level of `rst`.
pub type Stimulus = Vec<(Vec<i128>, bool)>;

/// A module with its stimulus.
pub struct Run {
    pub module: Arc<Module>,
    pub design: Design,
    pub stimulus: Stimulus,
    /// Verilog of the black boxes, and what they do.
    pub external: (String, HashMap<String, Behaviour>),
}

impl Run {
    pub fn new(module: Arc<Module>, stimulus: Stimulus) -> Self {
        let design = lower::lower(&module).unwrap();
        Self { module, design, stimulus, external: Default::default() }
    }
}

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
    if !available("iverilog", "-V") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (source, program) = (folder.path().join("all.v"), folder.path().join("all.vvp"));
    let mut text = Vec::new();
    for run in runs {
        text.extend(run.external.0.bytes());
    }
    for (_, module) in files_of(runs) {
        text.extend(module.into_bytes());
    }
    text.extend(bench(runs).into_bytes());
    std::fs::write(&source, &text).unwrap();
    let mut compile = Command::new("iverilog");
    compile.args(["-g2001", "-Wall", "-Wno-timescale", "-s", "bench", "-o"]);
    let compiled = compile.arg(&program).arg(&source).output().unwrap();
    let messages = String::from_utf8_lossy(&compiled.stderr);
    let kept = std::env::temp_dir().join("hdl-bench-failure.v");
    if !compiled.status.success() || !messages.is_empty() {
        std::fs::write(&kept, &text).unwrap();
        panic!("{messages}see {}", kept.display());
    }
    let simulated = Command::new("vvp").arg("-n").arg(&program).output().unwrap();
    let log = String::from_utf8_lossy(&simulated.stdout);
    let checks: usize = runs.iter().map(|r| r.stimulus.len() * r.module.outputs.len()).sum();
    if log.trim() != format!("{checks} checks, 0 errors") {
        std::fs::write(&kept, &text).unwrap();
        panic!("{log}see {}", kept.display());
    }
}

fn bench(runs: &[Run]) -> String {
    let mut text = String::from("module bench;\n  integer checks, errors;\n");
    for (k, run) in runs.iter().enumerate() {
        let (top, mut ports) = (run.design.top(), Vec::new());
        if top.clock.is_some() {
            ports.push(format!(".clk(d{k}_clk)"));
        }
        writeln!(text, "  reg d{k}_clk, d{k}_rst;").unwrap();
        if top.reset.is_some() {
            ports.push(format!(".rst(d{k}_rst)"));
        }
        for port in &top.inputs {
            writeln!(text, "  reg [{}:0] d{k}_{};", port.width - 1, port.name).unwrap();
            ports.push(format!(".{0}(d{k}_{0})", port.name));
        }
        for port in &top.outputs {
            writeln!(text, "  wire [{}:0] d{k}_{};", port.width - 1, port.name).unwrap();
            ports.push(format!(".{0}(d{k}_{0})", port.name));
        }
        writeln!(text, "  {} d{k} ({});", top.name, ports.join(", ")).unwrap();
    }
    text.push_str("  initial begin\n    checks = 0; errors = 0;\n");
    for (k, run) in runs.iter().enumerate() {
        writeln!(text, "    d{k}_clk = 0; d{k}_rst = 0;").unwrap();
        let top = ModuleId(run.design.modules.len() as u32 - 1);
        power_up(&run.design, top, &format!("d{k}"), &mut text);
    }
    for (k, run) in runs.iter().enumerate() {
        drive(k, run, &mut text);
    }
    text.push_str("    $display(\"%0d checks, %0d errors\", checks, errors);\n  end\nendmodule\n");
    text
}

/// Every register and register file at its start, as the evaluator has them.
fn power_up(design: &Design, id: ModuleId, path: &str, text: &mut String) {
    let module = design.module(id);
    if module.black_box.is_some() {
        return;
    }
    let names = Names::new(module);
    for net in module.nets() {
        if let Cell::Register(r) = module.cell(net) {
            let initial = &module.registers[r as usize].initial;
            let width = module.width(net);
            writeln!(text, "    {path}.{} = {width}'h{initial:x};", names.net(net)).unwrap();
        }
    }
    for memory in &module.memories {
        for word in 0..memory.depth {
            writeln!(text, "    {path}.{}[{word}] = 0;", memory.name).unwrap();
        }
    }
    for instance in &module.instances {
        power_up(design, instance.module, &format!("{path}.{}", instance.name), text);
    }
}

fn drive(k: usize, run: &Run, text: &mut String) {
    let mut stepper = Stepper::with_behaviours(&run.module, &run.external.1).unwrap();
    for (cycle, (inputs, reset)) in run.stimulus.iter().enumerate() {
        let expected = stepper.step(inputs, *reset);
        writeln!(text, "    d{k}_rst = {};", u8::from(*reset)).unwrap();
        for port in &run.module.inputs {
            let bus = pack::pack(port.elements.iter().copied(), &inputs[port.first as usize..]);
            let width = pack::width(port.elements.iter().copied());
            writeln!(text, "    d{k}_{} = {width}'h{bus:x};", port.name).unwrap();
        }
        text.push_str("    #1;\n");
        let mut rest = &expected[..];
        for port in &run.module.outputs {
            let formats = || port.elements.iter().map(|e| e.format);
            let (own, others) = rest.split_at(port.elements.len());
            rest = others;
            let (name, bus, width) = (&port.name, pack::pack(formats(), own), pack::width(formats()));
            writeln!(
                text,
                "    checks = checks + 1;\n    if (d{k}_{name} !== {width}'h{bus:x}) begin errors = errors + 1; \
                 $display(\"{}.{name} in cycle {cycle}: %h, expected {bus:x}\", d{k}_{name}); end",
                run.module.name
            )
            .unwrap();
        }
        writeln!(text, "    #1 d{k}_clk = 1; #1 d{k}_clk = 0;").unwrap();
    }
}

/// Verilator has no warning of any kind about a design.
pub fn assert_lint_clean(design: &Design) {
    if available("verilator", "--version") {
        assert_eq!(lint(&files(design)), "");
    }
}

/// The modules of all runs; one that several have, such as the full adder, comes once.
pub fn files_of(runs: &[Run]) -> Vec<(String, String)> {
    let mut seen = HashSet::new();
    let all = runs.iter().flat_map(|run| files(&run.design));
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

/// Name and text of each module of a design.
pub fn files(design: &Design) -> Vec<(String, String)> {
    let modules = (0..).map(ModuleId).zip(&design.modules);
    let file = |(id, module): (ModuleId, &rtl::Module)| {
        let mut text = Vec::new();
        verilog::write_module(design, id, &mut text).unwrap();
        (module.name.clone(), String::from_utf8(text).unwrap())
    };
    modules.map(file).collect()
}
