//! Recorded runs of the evaluator, played again in Icarus Verilog on the emitted modules.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::process::Command;
use std::sync::Arc;

use crate::dfg::Module;
use crate::dfg::eval::{Behaviour, Stepper};
use crate::diag::Diagnostics;
use crate::rtl::{self, Cell, Design, ModuleId, Names};
use crate::{lower, pack, verilog};

/// What goes into a module in each cycle: its input elements and the level of `rst`.
pub type Stimulus = Vec<(Vec<i128>, bool)>;

/// A module with its stimulus.
pub struct Run {
    /// What is run.
    pub module: Arc<Module>,
    /// Its lowered form.
    pub design: Design,
    /// The cycles.
    pub stimulus: Stimulus,
    /// Verilog of the black boxes, and what they do.
    pub external: (String, HashMap<String, Behaviour>),
}

/// Why writing to a text cannot fail.
const WRITTEN: &str = "memory takes all text";

/// What came of a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// So many output ports were compared, one in one cycle each, and all are equal.
    Equal(usize),
    /// Icarus is not installed.
    NotInstalled,
}

impl Run {
    /// The run of `module` without black boxes.
    ///
    /// # Errors
    /// Those of [`lower`](lower::lower).
    pub fn new(module: Arc<Module>, stimulus: Stimulus) -> Result<Self, Diagnostics> {
        let design = lower::lower(&module)?;
        Ok(Self { module, design, stimulus, external: Default::default() })
    }

    /// Name and text of each module, children first.
    pub fn files(&self) -> Vec<(String, String)> {
        files(&self.design)
    }
}

/// Every output bit of every run in every cycle, in one simulation.
///
/// # Errors
/// What Icarus says of the Verilog (a warning is an error), or which outputs differ in which cycles.
pub fn replay(runs: &[Run]) -> Result<Replay, String> {
    if Command::new("iverilog").arg("-V").output().is_err() {
        return Ok(Replay::NotInstalled);
    }
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let (source, program) = (folder.path().join("all.v"), folder.path().join("all.vvp"));
    let mut seen = HashSet::new();
    let modules = runs.iter().flat_map(Run::files).filter(|file| seen.insert(file.clone()));
    let external: String = runs.iter().map(|run| run.external.0.as_str()).collect();
    let text = modules.fold(external, |text, (_, module)| text + &module) + &bench(runs)?;
    std::fs::write(&source, &text).map_err(|e| e.to_string())?;
    let kept = |why: &str| {
        let kept = std::env::temp_dir().join("hdl-bench-failure.v");
        match std::fs::write(&kept, &text) {
            Ok(()) => format!("{why}see {}", kept.display()),
            Err(_) => why.to_owned(),
        }
    };
    let mut compile = Command::new("iverilog");
    compile.args(["-g2001", "-Wall", "-Wno-timescale", "-s", "bench", "-o"]);
    let compiled = compile.arg(&program).arg(&source).output().map_err(|e| e.to_string())?;
    let messages = String::from_utf8_lossy(&compiled.stderr);
    if !compiled.status.success() || !messages.is_empty() {
        return Err(kept(&messages));
    }
    let simulated = Command::new("vvp").arg("-n").arg(&program).output().map_err(|e| e.to_string())?;
    let log = String::from_utf8_lossy(&simulated.stdout);
    let checks = runs.iter().map(|r| r.stimulus.len() * r.module.outputs.len()).sum();
    match log.trim() == format!("{checks} checks, 0 errors") {
        true => Ok(Replay::Equal(checks)),
        false => Err(kept(&log)),
    }
}

/// The test bench of all runs, side by side.
fn bench(runs: &[Run]) -> Result<String, String> {
    let mut text = String::from("module bench;\n  integer checks, errors;\n");
    for (k, run) in runs.iter().enumerate() {
        let (top, mut ports) = (run.design.top(), Vec::new());
        if top.clock.is_some() {
            ports.push(format!(".clk(d{k}_clk)"));
        }
        writeln!(text, "  reg d{k}_clk, d{k}_rst;").expect(WRITTEN);
        if top.reset.is_some() {
            ports.push(format!(".rst(d{k}_rst)"));
        }
        for port in &top.inputs {
            writeln!(text, "  reg [{}:0] d{k}_{};", port.width - 1, port.name).expect(WRITTEN);
            ports.push(format!(".{0}(d{k}_{0})", port.name));
        }
        for port in &top.outputs {
            writeln!(text, "  wire [{}:0] d{k}_{};", port.width - 1, port.name).expect(WRITTEN);
            ports.push(format!(".{0}(d{k}_{0})", port.name));
        }
        writeln!(text, "  {} d{k} ({});", top.name, ports.join(", ")).expect(WRITTEN);
    }
    text.push_str("  initial begin\n    checks = 0; errors = 0;\n");
    for (k, run) in runs.iter().enumerate() {
        writeln!(text, "    d{k}_clk = 0; d{k}_rst = 0;").expect(WRITTEN);
        let top = ModuleId(run.design.modules.len() as u32 - 1);
        power_up(&run.design, top, &format!("d{k}"), &mut text);
    }
    for (k, run) in runs.iter().enumerate() {
        drive(k, run, &mut text)?;
    }
    text.push_str("    $display(\"%0d checks, %0d errors\", checks, errors);\n  end\nendmodule\n");
    Ok(text)
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
            writeln!(text, "    {path}.{} = {width}'h{initial:x};", names.net(net)).expect(WRITTEN);
        }
    }
    for memory in &module.memories {
        for word in 0..memory.depth {
            writeln!(text, "    {path}.{}[{word}] = 0;", memory.name).expect(WRITTEN);
        }
    }
    for instance in &module.instances {
        power_up(design, instance.module, &format!("{path}.{}", instance.name), text);
    }
}

/// Every cycle of a run: inputs, comparison, clock edge.
fn drive(k: usize, run: &Run, text: &mut String) -> Result<(), String> {
    let stepper = Stepper::with_behaviours(&run.module, &run.external.1);
    let mut stepper = stepper.map_err(|e| e.to_string())?;
    for (cycle, (inputs, reset)) in run.stimulus.iter().enumerate() {
        let expected = stepper.step(inputs, *reset);
        writeln!(text, "    d{k}_rst = {};", u8::from(*reset)).expect(WRITTEN);
        for port in &run.module.inputs {
            let bus = pack::pack(port.elements.iter().copied(), &inputs[port.first as usize..]);
            let width = pack::width(port.elements.iter().copied());
            writeln!(text, "    d{k}_{} = {width}'h{bus:x};", port.name).expect(WRITTEN);
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
            .expect(WRITTEN);
        }
        writeln!(text, "    #1 d{k}_clk = 1; #1 d{k}_clk = 0;").expect(WRITTEN);
    }
    Ok(())
}

/// Name and text of each module of a design.
fn files(design: &Design) -> Vec<(String, String)> {
    let modules = (0..).map(ModuleId).zip(&design.modules);
    let file = |(id, module): (ModuleId, &rtl::Module)| {
        let mut text = Vec::new();
        verilog::write_module(design, id, &mut text).expect(WRITTEN);
        (module.name.clone(), String::from_utf8(text).expect("Verilog is text"))
    };
    modules.map(file).collect()
}
