//! A shell around a module whose ports are wider than any package: one shift register feeds its inputs, another takes
//! its outputs away, so that place and route sees the module between registers and a handful of pins.
//!
//! The shell of `top` is the module `top_shell`. While `shift` is 1, both registers move by one bit a cycle, the last
//! bit first; while it is 0, the module sees a sample that stands still. With `capture` its outputs are taken over.

use std::fmt::Write as _;

use hdl::dfg::Module;

use sim::testbench::{EXPECTED, FOLDER, INPUTS};

/// Behind the module's name for the shell's.
const SUFFIX: &str = "_shell";
/// The instance of the module in its shell.
pub const INSTANCE: &str = "dut";
/// Name of the file with the shell.
pub const FILE: &str = "shell.v";
/// Name of the file with its test bench.
pub const BENCH: &str = "shell_tb.v";

/// Name of the shell of a module.
pub fn name(top: &Module) -> String {
    format!("{}{SUFFIX}", top.name)
}

/// Name and bits of each port that has bits, besides clock and reset.
type Ports<'m> = Vec<(&'m str, u32)>;

fn inputs(top: &Module) -> Ports<'_> {
    let width = |p: &hdl::dfg::Port| p.elements.iter().map(|f| f.range.width()).sum();
    let ports = top.inputs.iter().map(|p| (p.name.as_str(), width(p)));
    ports.filter(|(_, width)| *width > 0).collect()
}

fn outputs(top: &Module) -> Ports<'_> {
    let width = |p: &hdl::dfg::OutputPort| p.elements.iter().map(|e| e.format.range.width()).sum();
    let ports = top.outputs.iter().map(|p| (p.name.as_str(), width(p)));
    ports.filter(|(_, width)| *width > 0).collect()
}

/// Bits of a register that holds all `ports`; a register has at least one.
fn bits(ports: &Ports<'_>) -> u32 {
    ports.iter().map(|(_, width)| width).sum::<u32>().max(1)
}

/// `.port(register[high:low])` for each port, the first at the register's lowest bits.
fn connections(ports: &Ports<'_>, register: &str) -> Vec<String> {
    let mut low = 0;
    let connect = |(port, width): &(&str, u32)| {
        let high = low + width - 1;
        let text = format!(".{port}({register}[{high}:{low}])");
        low += width;
        text
    };
    ports.iter().map(connect).collect()
}

/// A shift by one bit towards the highest, `bit` into the lowest.
fn shifted(register: &str, bits: u32, bit: &str) -> String {
    match bits {
        1 => bit.to_owned(),
        _ => format!("{{{register}[{}:0], {bit}}}", bits - 2),
    }
}

/// The module `top_shell`.
pub fn verilog(top: &Module) -> String {
    let (inputs, outputs) = (inputs(top), outputs(top));
    let (n, m) = (bits(&inputs), bits(&outputs));
    let mut pins = Vec::new();
    if top.is_sequential() {
        pins.push(String::from(".clk(clk)"));
    }
    if top.has_reset() {
        pins.push(String::from(".rst(rst)"));
    }
    pins.extend(connections(&inputs, "sample"));
    pins.extend(connections(&outputs, "result"));
    let reset = if top.has_reset() { "  input  wire rst,\n" } else { "" };
    format!(
        "// `{top}` between shift registers, so that it is placed and timed with {count} pins.\n\
         module {name} (\n  input  wire clk,\n{reset}  input  wire shift,\n  input  wire capture,\n  input  wire serial_in,\n  \
         output wire serial_out\n);\n  reg [{ih}:0] sample;\n  reg [{oh}:0] taken;\n  wire [{oh}:0] result;\n  \
         assign serial_out = taken[{oh}];\n  always @(posedge clk) begin\n    if (shift) sample <= {shift_in};\n    \
         if (capture) taken <= result;\n    else if (shift) taken <= {shift_out};\n  end\n  {top} {INSTANCE} ({pins});\nendmodule\n",
        top = top.name,
        name = name(top),
        count = 5 + u32::from(top.has_reset()),
        ih = n - 1,
        oh = m - 1,
        shift_in = shifted("sample", n, "serial_in"),
        shift_out = shifted("taken", m, "1'b0"),
        pins = pins.join(", "),
    )
}

/// The test bench of the shell: it brings each sample in bit by bit, waits for the latency, takes the outputs over and
/// shifts them out. It reads the same files as the module's own bench and ends with the same words.
pub fn bench(top: &Module) -> String {
    let (n, m) = (bits(&inputs(top)), bits(&outputs(top)));
    let name = name(top);
    let (declared, connected, reset) = if top.has_reset() {
        ("  reg rst;\n", ".rst(rst), ", "    rst = 1;\n    repeat (3) @(negedge clk);\n    rst = 0;\n")
    } else {
        ("", "", "")
    };
    let mut text = format!(
        "// Checks `{name}` against the first samples of the vectors.\n`timescale 1ns / 1ps\n\nmodule {name}_tb;\n  \
         parameter VECTORS = 1;\n  reg clk;\n{declared}  reg shift;\n  reg capture;\n  reg serial_in;\n  wire serial_out;\n  \
         reg [{ih}:0] stimulus [0:VECTORS-1];\n  reg [{ih}:0] word;\n  reg [{oh}:0] expected [0:VECTORS-1];\n  reg [{oh}:0] got;\n  \
         reg [8191:0] folder;\n  reg [8319:0] file;\n  integer sample;\n  integer place;\n  integer mismatches;\n\n  \
         {name} shell (.clk(clk), {connected}.shift(shift), .capture(capture), .serial_in(serial_in), .serial_out(serial_out));\n\n  \
         always #5 clk = ~clk;\n\n",
        ih = n - 1,
        oh = m - 1,
    );
    let _ = write!(
        text,
        "  initial begin\n    if (!$value$plusargs(\"vectors=%s\", folder)) folder = \"{FOLDER}\";\n    \
         file = {{folder, \"/{INPUTS}\"}};\n    $readmemh(file, stimulus, 0, VECTORS - 1);\n    \
         file = {{folder, \"/{EXPECTED}\"}};\n    $readmemh(file, expected, 0, VECTORS - 1);\n    \
         mismatches = 0;\n    clk = 0;\n    shift = 0;\n    capture = 0;\n    serial_in = 0;\n    @(negedge clk);\n{reset}    \
         for (sample = 0; sample < VECTORS; sample = sample + 1) begin\n      word = stimulus[sample];\n      shift = 1;\n      \
         for (place = {n} - 1; place >= 0; place = place - 1) begin\n        serial_in = word[place];\n        @(negedge clk);\n      \
         end\n      shift = 0;\n      repeat ({latency}) @(negedge clk);\n      capture = 1;\n      @(negedge clk);\n      \
         capture = 0;\n      shift = 1;\n      for (place = {m} - 1; place >= 0; place = place - 1) begin\n        \
         got[place] = serial_out;\n        @(negedge clk);\n      end\n      shift = 0;\n      \
         if (got !== expected[sample] || ^got === 1'bx) begin\n        \
         if (mismatches < 20) $display(\"MISMATCH sample %0d expected %h got %h\", sample, expected[sample], got);\n        \
         mismatches = mismatches + 1;\n      end\n    end\n    \
         if (mismatches == 0) $display(\"PASS %0d vectors, latency {latency}\", VECTORS);\n    \
         else $display(\"FAIL %0d mismatches in %0d vectors, latency {latency}\", mismatches, VECTORS);\n    $finish;\n  end\nendmodule\n",
        latency = top.latency(),
    );
    text
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;
    use std::time::Duration;

    use hdl::dfg::{ModuleBuilder, RegisterStyle, Reset};
    use hdl::num::Format;
    use hdl::{lower, verilog};

    use super::*;
    use sim::testbench;
    use sim::tools::{Engine, Job, Verdict};
    use sim::vectors::{Held, Rows, Vectors};

    /// `y = x0 - x1` a cycle later, and `z` two cycles later.
    fn module(reset: Reset) -> Arc<Module> {
        let b = ModuleBuilder::new("minus");
        let x = b.input_array("x", 2, Format::signed(3, 0).unwrap());
        let style = RegisterStyle { reset, ..RegisterStyle::default() };
        let y = (x[0] - x[1]).registered(style);
        b.output("y", y);
        b.output("z", y.registered(style));
        b.finish().unwrap()
    }

    fn vectors() -> Vectors {
        let pairs: Vec<[i128; 2]> = (-4..4).flat_map(|a| (-4..4).map(move |b| [a, b])).collect();
        let column = |f: &dyn Fn(i128, i128) -> Vec<i128>| {
            let rows: Vec<Vec<i128>> = pairs.iter().map(|[a, b]| f(*a, *b)).collect();
            Rows::try_from(rows).unwrap()
        };
        let mut vectors = Vectors::default();
        vectors.inputs.insert("x".into(), column(&|a, b| vec![a, b]));
        vectors.outputs.insert("y".into(), column(&|a, b| vec![a - b]));
        vectors.outputs.insert("z".into(), column(&|a, b| vec![a - b]));
        vectors
    }

    fn verdict(top: &Arc<Module>, shell: &str) -> Option<Verdict> {
        if let Err(missing) = Engine::Icarus.find() {
            println!("skipped: {missing}");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &[u8]| {
            fs::write(folder.path().join(name), text).unwrap();
            folder.path().join(name)
        };
        let mut design = Vec::new();
        verilog::write_design(&lower::lower(top).unwrap(), &mut design).unwrap();
        let words = testbench::bench(top, &vectors(), &Held::new(), None).unwrap();
        write(INPUTS, words.inputs.as_bytes());
        write(EXPECTED, words.expected.as_bytes());
        let sources = [write("top.v", &design), write(FILE, shell.as_bytes()), write(BENCH, bench(top).as_bytes())];
        let job = Job {
            top: &name(top),
            sources: &sources,
            vectors: folder.path(),
            samples: 64,
            blocks: &[],
            waves: None,
            limit: Duration::from_secs(60),
        };
        Some(Engine::Icarus.run(&job).unwrap().verdict)
    }

    #[test]
    fn samples_pass_through_the_shell() {
        for reset in [Reset::None, Reset::Synchronous] {
            let top = module(reset);
            let Some(verdict) = verdict(&top, &verilog(&top)) else {
                return;
            };
            let pass = Verdict::Pass { vectors: 64, latency: top.latency() };
            assert_eq!(verdict, pass);
        }
    }

    #[test]
    fn a_shell_with_two_wires_swapped_is_found() {
        let top = module(Reset::None);
        let good = verilog(&top);
        let bad = good.replace("{sample[4:0], serial_in}", "{sample[3:0], serial_in, sample[4]}");
        assert_ne!(good, bad);
        let Some(verdict) = verdict(&top, &bad) else {
            return;
        };
        assert!(matches!(verdict, Verdict::Fail(_)));
    }
}
