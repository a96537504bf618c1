//! The Verilog text of a test bench. Nets at ports are called `p_<port>`, so that no port can take a name of the bench's own.

use std::fmt::{self, Write};

use hdl::dfg::Port;
use hdl::num::Format;
use hdl::pack;

use super::{EXPECTED, FOLDER, INPUTS, ORDER, PREAMBLE, Plan, PreamblePlan, RESET_CYCLES};
use crate::vectors::idle;

/// The whole module.
pub(super) fn text(plan: &Plan<'_>) -> String {
    let mut out = String::new();
    write_all(&mut out, plan).expect("a string takes all text");
    out
}

fn write_all(out: &mut String, plan: &Plan<'_>) -> fmt::Result {
    declarations(out, plan)?;
    instance(out, plan)?;
    files(out, plan)?;
    idle_task(out, plan)?;
    drive_task(out, plan)?;
    if let Some(preamble) = &plan.preamble {
        preamble_task(out, preamble)?;
    }
    for g in 0..plan.outputs.len() {
        check_task(out, plan, g)?;
    }
    main(out, plan)?;
    writeln!(out, "endmodule")
}

/// `[high:low]` of a part of `width` bits.
fn part((low, width): (u32, u32)) -> String {
    format!("[{}:{low}]", low + width - 1)
}

fn declarations(out: &mut String, plan: &Plan<'_>) -> fmt::Result {
    let module = plan.module;
    writeln!(
        out,
        "// Checks `{}` against its vectors: one sample a clock, every output bit in its stated cycle.\n\
         // +vectors=FOLDER reads the vectors from FOLDER, +waves=FILE dumps the waveforms.\n\
         `timescale 1ns / 1ps\n\nmodule {}_tb;\n  parameter VECTORS = {};\n  parameter SHOWN = 20; // mismatches that are printed\n",
        module.name, module.name, plan.samples
    )?;
    writeln!(out, "  reg clk;\n  reg rst;")?;
    for port in &module.inputs {
        let width = pack::width(port.elements.iter().copied());
        writeln!(out, "  reg {} p_{};", part((0, width)), port.name)?;
    }
    for port in &module.outputs {
        let width = pack::width(port.elements.iter().map(|e| e.format));
        writeln!(out, "  wire {} p_{};", part((0, width)), port.name)?;
    }
    let [stimulus, expected] = match plan.repeated {
        Some(counts) => counts.map(|count| count.to_string()),
        None => ["VECTORS".to_owned(), "VECTORS".to_owned()],
    };
    memory(out, "stimulus", plan.input_words.width(), &stimulus)?;
    memory(out, "expected", plan.output_words.width(), &expected)?;
    if plan.repeated.is_some() {
        memory(out, "order", 64, "VECTORS")?;
    }
    if let Some(PreamblePlan { preamble, words, .. }) = &plan.preamble {
        memory(out, "preamble", words.width(), &preamble.cycles.len().to_string())?;
        writeln!(out, "  reg {} step;", part((0, words.width())))?;
    }
    let ports = plan.outputs.len().max(1) as u32;
    writeln!(
        out,
        "  reg {} want;\n  reg {} previous;\n  reg {} moved; // which outputs were not constant",
        part((0, plan.output_words.width().max(1))),
        part((0, plan.output_words.width().max(1))),
        part((0, ports))
    )?;
    writeln!(out, "  reg [8191:0] folder;\n  reg [8319:0] file;\n  integer cycle;\n  integer mismatches;\n")
}

fn memory(out: &mut String, name: &str, width: u32, depth: &str) -> fmt::Result {
    writeln!(out, "  reg {} {name} [0:{depth}-1];", part((0, width.max(1))))
}

fn instance(out: &mut String, plan: &Plan<'_>) -> fmt::Result {
    let module = plan.module;
    let mut connections = Vec::new();
    if module.is_sequential() {
        connections.push("    .clk(clk)".to_owned());
    }
    if module.has_reset() {
        connections.push("    .rst(rst)".to_owned());
    }
    let inputs = module.inputs.iter().map(|p| &p.name);
    let names = inputs.chain(module.outputs.iter().map(|p| &p.name));
    connections.extend(names.map(|name| format!("    .{name}(p_{name})")));
    writeln!(out, "  {} dut (\n{}\n  );\n", module.name, connections.join(",\n"))
}

fn files(out: &mut String, plan: &Plan<'_>) -> fmt::Result {
    writeln!(out, "  task load;\n    begin")?;
    writeln!(out, "      if (!$value$plusargs(\"vectors=%s\", folder)) folder = \"{FOLDER}\";")?;
    let mut read = |file: &str, memory: &str| {
        writeln!(out, "      file = {{folder, \"/{file}\"}};\n      $readmemh(file, {memory});")
    };
    read(INPUTS, "stimulus")?;
    read(EXPECTED, "expected")?;
    if plan.repeated.is_some() {
        read(ORDER, "order")?;
    }
    if plan.preamble.is_some() {
        read(PREAMBLE, "preamble")?;
    }
    writeln!(
        out,
        "      if ($value$plusargs(\"waves=%s\", file)) begin\n        $dumpfile(file);\n        $dumpvars(0, dut);\n      end"
    )?;
    writeln!(out, "    end\n  endtask\n")
}

/// The word of `sample` among the stimuli, or among what is expected.
fn word(plan: &Plan<'_>, memory: &str, sample: &str) -> String {
    match (plan.repeated, memory) {
        (None, _) => format!("{memory}[{sample}]"),
        (Some(_), "stimulus") => format!("{memory}[order[{sample}][31:0]]"),
        (Some(_), _) => format!("{memory}[order[{sample}][63:32]]"),
    }
}

/// All inputs at what they are held at.
fn idle_task(out: &mut String, plan: &Plan<'_>) -> fmt::Result {
    writeln!(out, "  task idle;\n    begin")?;
    for port in &plan.module.inputs {
        let held = plan.held.get(&port.name).cloned();
        let values = held.unwrap_or_else(|| idle(port).collect());
        writeln!(out, "      p_{} = {};", port.name, literal(port, &values))?;
    }
    writeln!(out, "    end\n  endtask\n")
}

fn literal(port: &Port, values: &[i128]) -> String {
    let formats = port.elements.iter().copied();
    format!("{}'h{:x}", pack::width(formats.clone()), pack::pack(formats, values))
}

/// Each streamed port at the sample whose cycle it is; before the first and after the last at the nearest one.
fn drive_task(out: &mut String, plan: &Plan<'_>) -> fmt::Result {
    writeln!(out, "  task drive;\n    input integer now;\n    integer sample;\n    begin")?;
    for (g, port) in plan.inputs.iter().enumerate() {
        let delay = port.stamp.cycle().unwrap_or(0);
        writeln!(
            out,
            "      sample = now - {delay};\n      if (sample < 0) sample = 0;\n      if (sample > VECTORS - 1) sample = VECTORS - 1;\n      p_{} = {}{};",
            port.name,
            word(plan, "stimulus", "sample"),
            part(plan.input_words.group(g))
        )?;
    }
    writeln!(out, "    end\n  endtask\n")
}

fn preamble_task(out: &mut String, plan: &PreamblePlan<'_>) -> fmt::Result {
    writeln!(
        out,
        "  task play;\n    integer at;\n    begin\n      for (at = 0; at < {}; at = at + 1) begin\n        step = preamble[at];",
        plan.preamble.cycles.len()
    )?;
    let drives = plan.ports.drives.len();
    for (g, port) in plan.ports.drives.iter().enumerate() {
        writeln!(out, "        p_{} = step{};", port.name, part(plan.words.group(g)))?;
    }
    writeln!(out, "        #5;")?;
    let look = plan.words.width() - 1;
    for (g, port) in (drives..).zip(&plan.ports.reads) {
        let want = format!("step{}", part(plan.words.group(g)));
        writeln!(
            out,
            "        if (step[{look}] && p_{name} !== {want}) begin\n          if (mismatches < SHOWN) $display(\"MISMATCH preamble cycle %0d port {name} expected %h got %h\", at, {want}, p_{name});\n          mismatches = mismatches + 1;\n        end",
            name = port.name
        )?;
    }
    writeln!(out, "        clk = 1'b1;\n        #5;\n        clk = 1'b0;\n      end\n    end\n  endtask\n")
}

/// One port against the sample whose cycle it is: as a whole, and only if that differs element by element.
fn check_task(out: &mut String, plan: &Plan<'_>, g: usize) -> fmt::Result {
    let port = plan.outputs[g];
    let (name, group) = (&port.name, plan.output_words.group(g));
    let bits = part(group);
    writeln!(
        out,
        "  task check_{g}; // {name}\n    input integer sample;\n    begin\n      want = {own};\n      if (sample > 0) begin\n        previous = {before};\n        if (want{bits} !== previous{bits}) moved[{g}] = 1'b1;\n      end\n      if (^want{bits} === 1'bx) begin\n        $display(\"MISMATCH sample %0d port {name}: {EXPECTED} has no such sample\", sample);\n        mismatches = mismatches + 1;\n      end\n      if (p_{name} !== want{bits}) begin",
        own = word(plan, "expected", "sample"),
        before = word(plan, "expected", "sample-1")
    )?;
    for ((k, element), (low, width)) in (0..).zip(&port.elements).zip(plan.output_words.elements(g)) {
        if width > 0 {
            let got = format!("p_{name}{}", part((low, width)));
            let want = format!("want{}", part((group.0 + low, width)));
            element_check(out, name, k, element.format, &got, &want)?;
        }
    }
    writeln!(out, "      end\n    end\n  endtask\n")
}

fn element_check(out: &mut String, port: &str, k: usize, format: Format, got: &str, want: &str) -> fmt::Result {
    let number = |bits: &str| match format.range.signed() {
        true => format!("$signed({bits})"),
        false => bits.to_owned(),
    };
    writeln!(
        out,
        "        if ({got} !== {want}) begin\n          if (mismatches < SHOWN) $display(\"MISMATCH sample %0d port {port} element {k} expected %0d got %0d\", sample, {}, {});\n          mismatches = mismatches + 1;\n        end",
        number(want),
        number(got)
    )
}

fn main(out: &mut String, plan: &Plan<'_>) -> fmt::Result {
    let module = plan.module;
    let latency = module.latency();
    let delay = |port: &hdl::dfg::OutputPort| port.stamp.cycle().unwrap_or(0);
    let last = plan.outputs.iter().map(|p| delay(p)).max().unwrap_or(0);
    writeln!(
        out,
        "  initial begin\n    mismatches = 0;\n    moved = 0;\n    clk = 1'b0;\n    rst = 1'b0;\n    load;\n    idle;"
    )?;
    if module.has_reset() {
        writeln!(
            out,
            "    rst = 1'b1;\n    repeat ({RESET_CYCLES}) begin\n      #5 clk = 1'b1;\n      #5 clk = 1'b0;\n    end\n    rst = 1'b0;"
        )?;
    }
    if plan.preamble.is_some() {
        writeln!(out, "    play;\n    idle;")?;
    }
    writeln!(
        out,
        "    for (cycle = 0; cycle < VECTORS + {last}; cycle = cycle + 1) begin\n      drive(cycle);\n      #5;"
    )?;
    for (g, port) in plan.outputs.iter().enumerate() {
        let d = delay(port);
        writeln!(out, "      if (cycle >= {d} && cycle - {d} < VECTORS) check_{g}(cycle - {d});")?;
    }
    writeln!(out, "      clk = 1'b1;\n      #5;\n      clk = 1'b0;\n    end")?;
    for (g, port) in plan.outputs.iter().enumerate() {
        writeln!(
            out,
            "    if (!moved[{g}]) $display(\"NOTE port {} never changes, so its latency is not proven\");",
            port.name
        )?;
    }
    writeln!(
        out,
        "    if (mismatches == 0) $display(\"PASS %0d vectors, latency {latency}\", VECTORS);\n    else $display(\"FAIL %0d mismatches in %0d vectors, latency {latency}\", mismatches, VECTORS);\n    $finish;\n  end"
    )
}
