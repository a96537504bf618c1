//! Emitted Verilog is legal by the grammar of IEEE 1800-2017, as a parser written from the standard sees it.
//!
//! Simulators accept more than the standard does; this does not.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use hdl::dfg::{Module, ModuleBuilder, RegisterStyle, Reset};
use hdl::num::Format;
use hdl::random::Numbers;
use hdl::{lower, random, verilog};
use sim::testbench::bench;
use sim::vectors::{Held, Rows, Vectors};
use sv_parser::parse_sv_str;

/// Stack of a parsing thread, in bytes: the parser descends recursively.
const STACK: usize = 256 << 20;

/// What the parser has against `text`.
fn parse(text: String) -> Result<(), String> {
    let parser = move || {
        let none: [&Path; 0] = [];
        let parsed = parse_sv_str(&text, "emitted.v", &HashMap::new(), &none, false, false);
        parsed.map(|_| ()).map_err(|e| format!("{e}\n{text}"))
    };
    let thread = thread::Builder::new().stack_size(STACK).spawn(parser);
    thread.unwrap().join().unwrap()
}

fn emitted(module: &Arc<Module>) -> String {
    let mut text = Vec::new();
    verilog::write_design(&lower::lower(module).unwrap(), &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// A module with everything that has a form of its own in Verilog: registers of each reset, a register file, a table,
/// an instance, signed and unsigned arithmetic.
fn everything() -> Arc<Module> {
    let byte = Format::signed(8, 0).unwrap();
    let square = ModuleBuilder::new("square");
    let x = square.input("x", byte);
    square.output("y", (x * x).delay(1));
    let square = square.finish().unwrap();

    let m = ModuleBuilder::new("everything");
    let (x, at) = (m.input("x", byte), m.input("at", Format::unsigned(2, 0).unwrap()));
    let mut sums = Vec::new();
    for (name, reset) in
        [("plain", Reset::None), ("synchronous", Reset::Synchronous), ("asynchronous", Reset::Asynchronous)]
    {
        let style = RegisterStyle { reset, initial: -3, ..RegisterStyle::default() };
        let held = m.state(name, byte, style);
        held.set_next_when(at.bit(0), (held.value() + x).wrap(8, true));
        sums.push(held.value());
    }
    let words = m.memory("words", 4, byte);
    words.write(at.bit(1), at, x);
    sums.push(words.read(at));
    sums.push(at.lookup(&[1, -4, 9, -16], 0));
    sums.push(m.instance(&square, "square_of_x", &[x])[0]);
    m.output_array("sums", &sums);
    m.finish().unwrap()
}

#[test]
fn emitted_designs_are_legal() {
    parse(emitted(&everything())).unwrap();
    let mut numbers = Numbers::new(71);
    for k in 0..12 {
        let choices = numbers.choices(40);
        let module = random::module(&format!("random{k}"), &choices);
        parse(emitted(&module)).unwrap();
    }
}

#[test]
fn a_test_bench_is_legal() {
    let m = ModuleBuilder::new("twice");
    let x = m.input("x", Format::signed(5, 0).unwrap());
    m.output("y", (x + x).delay(1));
    let module = m.finish().unwrap();
    let vectors = Vectors {
        inputs: [("x".to_owned(), Rows::new(1, vec![1, -2]).unwrap())].into(),
        outputs: [("y".to_owned(), Rows::new(1, vec![2, -4]).unwrap())].into(),
    };
    let bench = bench(&module, &vectors, &Held::new(), None).unwrap();
    parse(bench.verilog).unwrap();
}

#[test]
fn what_is_no_verilog_is_refused() {
    let sound = emitted(&everything());
    for (from, to) in [("endmodule", "endmodul"), ("always @", "always"), (";", "")] {
        let broken = sound.replacen(from, to, 1);
        assert_ne!(broken, sound);
        assert!(parse(broken).is_err(), "{from} became {to}");
    }
}
