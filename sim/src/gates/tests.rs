//! Random netlists in Icarus and here: the same mismatches and the same activity; and what is no netlist.

use std::fmt::Write as _;
use std::fs;
use std::io::BufReader;
use std::sync::Arc;
use std::time::Duration;

use hdl::dfg::{Module, ModuleBuilder};
use hdl::num::Format;

use super::*;
use crate::cell::{Cell, Cells, Function, Register, STATE};
use crate::netlist::Netlist;
use crate::preamble::{Preamble, PreambleCycle};
use crate::testbench::{self, bench};
use crate::tools::{Engine, Job, Verdict};
use crate::vectors::{Held, Vectors};

const INPUTS: usize = 5;
const OUTPUTS: usize = 4;

/// Type, input pins, outputs with their tables.
type Gate = (&'static str, &'static [&'static str], &'static [(&'static str, u64)]);

const GATES: [Gate; 5] = [
    ("NAND2", &["A", "B"], &[("Y", 0b0111)]),
    ("XOR2", &["A", "B"], &[("Y", 0b0110)]),
    ("MUX2", &["A", "B", "S"], &[("Y", 0xca)]),
    ("INV", &["A"], &[("Y", 0b01)]),
    ("FA", &["A", "B", "C"], &[("YS", 0x96), ("YC", 0xe8)]),
];

const MODELS: &str = "`timescale 1ns / 1ps\n\
    module NAND2 (A, B, Y); input A, B; output Y; assign Y = ~(A & B); endmodule\n\
    module XOR2 (A, B, Y); input A, B; output Y; assign Y = A ^ B; endmodule\n\
    module MUX2 (A, B, S, Y); input A, B, S; output Y; assign Y = S ? B : A; endmodule\n\
    module INV (A, Y); input A; output Y; assign Y = ~A; endmodule\n\
    module FA (A, B, C, YS, YC); input A, B, C; output YS, YC; assign YS = A ^ B ^ C; assign YC = A & B | C & (A | B); endmodule\n\
    module DFF (CK, D, Q); input CK, D; output Q; reg Q; always @(posedge CK) Q <= D; endmodule\n\
    module DFFE (CK, D, E, Q); input CK, D, E; output Q; reg Q; always @(posedge CK) Q <= E ? D : Q; endmodule\n\
    module DFFR (CK, D, R, Q, QN); input CK, D, R; output Q, QN; reg q; assign Q = q; assign QN = ~q;\n\
      always @(posedge CK or posedge R) if (R) q <= 0; else q <= D; endmodule\n";

fn function(pins: &[&str], table: u64) -> Function {
    Function { pins: pins.iter().map(|&pin| pin.to_owned()).collect(), table }
}

fn cells() -> Cells {
    let gates = GATES.iter().map(|(name, pins, outputs)| {
        let outputs = outputs.iter().map(|(pin, table)| ((*pin).to_owned(), function(pins, *table)));
        let cell = Cell { outputs: outputs.collect(), register: None };
        ((*name).to_owned(), cell)
    });
    let plain = Register::plain(function(&["CK"], 0b10), function(&["D"], 0b10));
    let q = ("Q".to_owned(), function(&[STATE], 0b10));
    let enabled = Register { next: function(&["E", "D", STATE], 0xd8), ..plain.clone() };
    let cleared = Register { clear: function(&["R"], 0b10), ..plain.clone() };
    let qn = ("QN".to_owned(), function(&[STATE], 0b01));
    let flip_flops =
        [("DFF", vec![q.clone()], plain), ("DFFE", vec![q.clone()], enabled), ("DFFR", vec![q, qn], cleared)];
    let flip_flops = flip_flops.map(|(name, outputs, register)| {
        let cell = Cell { outputs, register: Some(register) };
        (name.to_owned(), cell)
    });
    gates.chain(flip_flops).collect()
}

/// Random numbers below a bound.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound
    }

    fn of<'a>(&mut self, nets: &'a [String]) -> &'a str {
        let i = self.below(nets.len());
        &nets[i]
    }
}

/// A netlist with so many flip-flops and gates. Flip-flops load any net, gates read what stands before them.
fn netlist(dice: &mut Dice, flip_flops: usize, gates: usize) -> String {
    let mut nets: Vec<String> = (0..INPUTS).map(|i| format!("x[{i}]")).collect();
    nets.extend((0..flip_flops).map(|i| format!("q{i}")));
    let mut text = format!(
        "module top(clk, x, y);\n  input clk;\n  input [{}:0] x;\n  output [{}:0] y;\n",
        INPUTS - 1,
        OUTPUTS - 1
    );
    let mut body = String::new();
    for g in 0..gates {
        let (cell, pins, outputs) = GATES[dice.below(GATES.len())];
        let _ = writeln!(body, "  {cell} g{g} (");
        for pin in pins {
            let _ = writeln!(body, "    .{pin}({}),", dice.of(&nets));
        }
        for (k, (pin, _)) in outputs.iter().enumerate() {
            let _ = writeln!(body, "    .{pin}(n{g}_{k}){}", if k + 1 == outputs.len() { "" } else { "," });
            nets.push(format!("n{g}_{k}"));
        }
        body += "  );\n";
    }
    for i in 0..flip_flops {
        // the first two begin known, so that some of the rest become so
        let (cell, pins): (_, &[&str]) = match (i, dice.below(3)) {
            (0 | 1, _) | (_, 0) => ("DFFR", &["D", "R"]),
            (_, 1) => ("DFFE", &["D", "E"]),
            _ => ("DFF", &["D"]),
        };
        let _ = writeln!(body, "  {cell} f{i} (\n    .CK(clk),");
        for pin in pins {
            let net = if *pin == "R" { "x[0]" } else { dice.of(&nets) };
            let _ = writeln!(body, "    .{pin}({net}),");
        }
        let _ = writeln!(body, "    .Q(q{i})\n  );");
    }
    for i in 0..OUTPUTS {
        let _ = writeln!(body, "  assign y[{i}] = {};", dice.of(&nets));
    }
    for net in nets.iter().filter(|net| !net.contains('[')) {
        let _ = writeln!(text, "  wire {net};");
    }
    text + &body + "endmodule\n"
}

/// A module with the ports of [`netlist`]; what it computes does not matter.
fn ports() -> Arc<Module> {
    let m = ModuleBuilder::new("top");
    let x = m.input("x", Format::unsigned(INPUTS as u32, 0).unwrap());
    m.output("y", x.slice(OUTPUTS as u32 - 1, 0).delay(1));
    m.finish().unwrap()
}

fn vectors(dice: &mut Dice, samples: usize) -> Vectors {
    let mut column = |bound: usize| {
        let rows = (0..samples).map(|_| vec![dice.below(bound) as i128]);
        rows.collect::<Vec<_>>().try_into().unwrap()
    };
    Vectors {
        inputs: [("x".to_owned(), column(1 << INPUTS))].into(),
        outputs: [("y".to_owned(), column(1 << OUTPUTS))].into(),
    }
}

fn preamble() -> Preamble {
    let cycle = |x: i128, expect: Option<i128>| PreambleCycle { drive: vec![x], expect: expect.map(|y| vec![y]) };
    Preamble {
        drives: vec!["x".to_owned()],
        reads: vec!["y".to_owned()],
        cycles: vec![cycle(1, None), cycle(7, None), cycle(12, Some(9)), cycle(31, Some(3))],
    }
}

/// What Icarus says of a netlist: the mismatches, and the changes of each net.
fn icarus(text: &str, vectors: &Vectors) -> (Vec<String>, std::collections::HashMap<String, u64>) {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name)
    };
    let words = bench(&ports(), vectors, &Held::new(), Some(&preamble())).unwrap();
    write(testbench::INPUTS, &words.inputs);
    write(testbench::EXPECTED, &words.expected);
    write(testbench::PREAMBLE, &words.preamble.unwrap());
    let sources = [write("tb.v", &words.verilog), write("cells.v", MODELS), write("netlist.v", text)];
    let waves = folder.path().join("waves.vcd");
    let job = Job {
        top: "top",
        sources: &sources,
        vectors: folder.path(),
        samples: vectors.len(),
        blocks: &[],
        waves: Some(&waves),
        limit: Duration::from_secs(60),
    };
    let outcome = Engine::Icarus.run(&job).unwrap();
    assert!(matches!(outcome.verdict, Verdict::Fail(_)), "random outputs are not right");
    let dump = BufReader::new(fs::File::open(waves).unwrap());
    let from = preamble().cycles.len() as u64;
    let counts = dump::count(dump, &["top_tb", "dut"], from).unwrap();
    (outcome.mismatches, counts)
}

fn circuit(text: &str) -> Circuit {
    let netlist = Netlist::read(text.as_bytes()).unwrap();
    Circuit::new(&netlist, &cells(), "clk").unwrap()
}

/// A mismatch in the words of both: of a preamble the bench tells the port as a whole, in hexadecimal digits.
fn alike(line: &str) -> String {
    let (what, got) = line.split_once(" got ").unwrap();
    let what = what.replace("element 0 ", "");
    match (what.starts_with("sample"), got) {
        (true, "x" | "X" | "unknown bits") => what + " unknown",
        (true, got) => format!("{what} {got}"),
        (false, _) => what,
    }
}

#[test]
fn icarus_finds_the_same_mismatches_and_the_same_activity() {
    if let Err(missing) = Engine::Icarus.find() {
        println!("skipped: {missing}");
        return;
    }
    let module = ports();
    for (seed, samples) in [(1, 40), (2, 300), (3, 700), (4, 252), (5, 251)] {
        let mut dice = Dice(seed);
        let text = netlist(&mut dice, 12, 60);
        let vectors = vectors(&mut dice, samples);
        let (mismatches, counts) = icarus(&text, &vectors);
        let circuit = circuit(&text);
        let stimulus = Stimulus::new(&module, &vectors, Some(&preamble())).unwrap();
        let outcome =
            check(&circuit, &module, &stimulus, Watch { delays: Some(&Delays::unit(&circuit)), conditions: &[] })
                .unwrap();
        let lines = |lines: &[String]| -> Vec<String> { lines.iter().map(|l| alike(l)).collect() };
        assert_eq!(lines(&mismatches), lines(&outcome.shown), "seed {seed}");
        assert!(counts.values().sum::<u64>() > 1000, "seed {seed}: something moves");
        let activity = &outcome.activity;
        let total = |counts: &[u64]| counts.iter().sum::<u64>();
        let all = total(activity.inertial.as_ref().unwrap());
        assert!(all > total(&activity.settled), "seed {seed}");
        for (name, count) in counts.iter().filter(|(name, _)| *name != "clk") {
            let net = circuit.net(name).unwrap() as usize;
            assert_eq!(activity.settled[net], *count, "seed {seed}: net {name}");
        }
    }
}

#[test]
fn what_cannot_be_simulated_is_named() {
    let refused = |text: &str| {
        let netlist = Netlist::read(text.as_bytes()).unwrap();
        let error = Circuit::new(&netlist, &cells(), "clk").unwrap_err();
        error.to_string()
    };
    let gate = |cell: &str, pins: &str| format!("{cell} u (\n{}\n);\n", pins.replace(' ', ",\n"));
    for (text, reason) in [
        (gate("LATCH", ".A(a)"), "cell u is of type LATCH"),
        (gate("INV", ".Y(a)"), "lacks one of the pins A"),
        (gate("INV", ".A(a) .Y(b)") + &gate("INV", ".A(c) .Y(b)"), "net b has two drivers"),
        (gate("INV", ".A(a) .Y(b)") + &gate("INV", ".A(b) .Y(a)"), "in a loop without a register"),
        (gate("INV", ".A(clk) .Y(b)") + &gate("DFF", ".CK(b) .D(d) .Q(q)"), "register u has another clock"),
        (gate("INV", ".A(a) .Y(1'h0)"), "two drivers"),
        ("assign a = b;\nassign b = a;\n".to_owned() + &gate("INV", ".A(a) .Y(c)"), "assigned to itself"),
    ] {
        let said = refused(&text);
        assert!(said.contains(reason), "{said}");
    }
}

/// `y[0] = !(x[0] & !x[0])`, whose inputs are both one for a moment after each rise.
fn pulse(steps: impl Fn(&Circuit, u32) -> u32) -> [[u64; 2]; 2] {
    let text = "input clk;\ninput [4:0] x;\noutput [3:0] y;\nINV a (\n.A(x[0]),\n.Y(n)\n);\n\
        NAND2 b (\n.A(x[0]),\n.B(n),\n.Y(y[0])\n);\nassign y[3:1] = x[3:1];\n";
    let circuit = circuit(text);
    let module = ports();
    let column = |values: [i128; 4]| values.map(|v| vec![v]).to_vec().try_into().unwrap();
    let vectors = Vectors {
        inputs: [("x".to_owned(), column([0, 1, 0, 1]))].into(),
        outputs: [("y".to_owned(), column([1; 4]))].into(),
    };
    let stimulus = Stimulus::new(&module, &vectors, None).unwrap();
    let delays = Delays::of_nets(&circuit, |net| steps(&circuit, net));
    let holds = Condition { nets: vec![circuit.net("x[0]").unwrap()], table: 0b10 };
    let watch = Watch { delays: Some(&delays), conditions: &[holds] };
    let outcome = check(&circuit, &module, &stimulus, watch).unwrap();
    assert_eq!(outcome.mismatches, 0, "{:?}", outcome.shown);
    // the last sample stays while its output comes
    assert_eq!(outcome.activity.held, [3]);
    let (settled, all) = (outcome.activity.settled, outcome.activity.inertial.unwrap());
    ["y[0]", "n"].map(|net| circuit.net(net).unwrap() as usize).map(|net| [settled[net], all[net]])
}

#[test]
fn a_pulse_is_counted_with_delays_only() {
    assert_eq!(pulse(|_, _| 1), [[0, 4], [3, 3]]);
}

#[test]
fn a_pulse_shorter_than_a_delay_does_not_pass() {
    let slow = |circuit: &Circuit, net: u32| if circuit.net("n") == Some(net) { 3 } else { 4 };
    assert_eq!(pulse(slow), [[0, 0], [3, 3]]);
    let fast = |circuit: &Circuit, net: u32| if circuit.net("n") == Some(net) { 5 } else { 4 };
    assert_eq!(pulse(fast), [[0, 4], [3, 3]], "as long as the delay is long enough");
}
