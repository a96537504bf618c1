//! Whole encoders in every engine: the chip's golden vectors, the shipped weights at other widths, and designs with a
//! mistake, which the emitted test bench must catch.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::support::{Home, available, shared};

/// The chip's vectors, each with its own weights.
const GOLDEN: [&str; 3] = ["econt_11", "econt_12", "econt_small"];
/// Weights built into trees of full adders, which is the default and takes Icarus and Verilator several times as long as
/// operators; built into operators; in registers, multiplied by rows, which is the default and slow alike, or by operators.
const CELLS: &[&str] = &["--sums", "cells"];
const OPERATORS: &[&str] = &["--sums", "operators"];
const ROWS: &[&str] = &["--weights", "programmable"];
const REGISTERS: &[&str] = &["--weights", "programmable", "--multipliers", "operator"];

fn golden(name: &str) -> Option<PathBuf> {
    shared(&format!("golden/{name}.json"))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn events(file: &Path) -> usize {
    let json: Json = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    json["calq"].as_array().unwrap().len()
}

/// Simulates the folder `dir` with JSON output and returns how many vectors passed.
fn passed(home: &Home, dir: &str, options: &[&str]) -> usize {
    let said = home.success(&[&["sim", dir, "--json"], options].concat());
    let outcomes: Json = serde_json::from_str(&said).unwrap();
    let [outcome] = outcomes.as_array().unwrap().as_slice() else { panic!("one engine, one outcome: {said}") };
    assert_eq!(outcome["pass"], true, "{said}");
    outcome["vectors"].as_u64().unwrap() as usize
}

/// The chip's encoder with the weights of a golden file, in the folder `rtl`.
fn generate(home: &Home, file: &Path, form: &[&str]) {
    let command = ["encoder", "--no-verify", "--model", text(file), "--out", "rtl"];
    home.success(&[&command[..], form].concat());
}

#[test]
fn golden_events_in_batch() {
    for (name, form) in GOLDEN.iter().flat_map(|name| [CELLS, OPERATORS, ROWS].map(|f| (name, f))) {
        let Some(file) = golden(name) else { return };
        let home = Home::new();
        generate(&home, &file, form);
        assert_eq!(passed(&home, "rtl", &["--vectors", text(&file)]), events(&file), "{name}, {form:?}");
    }
}

/// The first `count` events of a golden file in an engine that reads the Verilog.
fn golden_events_in(engine: &str, name: &str, form: &[&str], count: usize) {
    let Some(file) = golden(name) else { return };
    let home = Home::new();
    generate(&home, &file, form);
    let count = events(&file).min(count);
    let options = ["--vectors", text(&file), "--engine", engine, "--first", &count.to_string()];
    assert_eq!(passed(&home, "rtl", &options), count, "{name}, {form:?}");
}

#[test]
fn golden_events_in_icarus() {
    if available("iverilog", "-V") {
        for (name, form, count) in
            [("econt_11", CELLS, 6), ("econt_12", OPERATORS, 100), ("econt_small", REGISTERS, 40)]
        {
            golden_events_in("icarus", name, form, count);
        }
    }
}

#[test]
fn golden_events_in_verilator_with_fixed_weights() {
    if available("verilator", "--version") {
        golden_events_in("verilator", "econt_11", OPERATORS, usize::MAX);
    }
}

/// All weights are in registers, so that one file stands for all.
#[test]
fn golden_events_in_verilator_with_programmable_weights() {
    if available("verilator", "--version") {
        golden_events_in("verilator", "econt_12", REGISTERS, usize::MAX);
    }
}

#[test]
fn the_shipped_weights_at_other_widths() {
    let cases = [("silicon", "3", CELLS), ("silicon", "10", ROWS), ("qkeras", "5", ROWS), ("qkeras", "8", CELLS)];
    for (contract, bits, form) in cases {
        let home = Home::new();
        let command = ["encoder", "--no-verify", "--contract", contract, "--bits", bits];
        home.success(&[&command[..], form, &["--out", "rtl"]].concat());
        let case = format!("{contract}, {bits} bits, {form:?}");
        assert!(passed(&home, "rtl", &[]) > 100, "{case}");
        if available("iverilog", "-V") {
            let options = ["--engine", "icarus", "--first", "6"];
            assert_eq!(passed(&home, "rtl", &options), 6, "{case}");
        }
    }
}

/// The front end makes the first stage longer than the chip's two cycles allow: a third one is taken.
#[test]
fn the_front_end_takes_the_cycles_that_it_needs() {
    let home = Home::new();
    home.success(&[
        "encoder",
        "--no-verify",
        "--front-end",
        "--weights",
        "programmable",
        "--multipliers",
        "operator",
        "--out",
        "rtl",
    ]);
    assert!(passed(&home, "rtl", &[]) > 100);
    if available("iverilog", "-V") {
        assert_eq!(passed(&home, "rtl", &["--engine", "icarus", "--first", "8"]), 8);
    }
}

/// The test bench of a sound design passes in Icarus; with `break_it` done to the folder `rtl` it does not, and the
/// program says so with exit code 1.
fn assert_caught(form: &[&str], break_it: impl FnOnce(&Home, &Path)) {
    let Some(file) = golden("econt_small") else {
        return;
    };
    if !available("iverilog", "-V") {
        return;
    }
    let home = Home::new();
    generate(&home, &file, form);
    let engine = ["--engine", "icarus", "--first", "16"];
    let args = [&["sim", "rtl", "--vectors", text(&file)], &engine[..]].concat();
    home.success(&args);
    break_it(&home, &file);
    let output = home.run(&args);
    let transcript = home.transcript(&args, &output);
    assert_eq!(output.status.code(), Some(1), "{transcript}");
    assert!(transcript.contains("MISMATCH") && transcript.contains("expected"), "{transcript}");
}

/// Puts the Verilog of another design in the place of the one in `rtl`.
fn replace_verilog(home: &Home, options: &[&str]) {
    home.success(&[&["encoder", "--no-verify", "--out", "other"], options].concat());
    fs::copy(home.path("other/encoder.v"), home.path("rtl/encoder.v")).unwrap();
}

#[test]
fn a_flipped_weight_bit_is_caught() {
    assert_caught(CELLS, |home, file| {
        let mut json: Json = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        let weight = &mut json["conv_weight"][1][1][0];
        *weight = (weight.as_i64().unwrap() ^ 16).into();
        home.write("flipped.json", json.to_string());
        replace_verilog(home, &[&["--model", "flipped.json"], CELLS].concat());
    });
}

#[test]
fn a_wrong_latency_is_caught() {
    assert_caught(OPERATORS, |home, file| {
        let late = ["--model", text(file), "--latency", "3"];
        replace_verilog(home, &[&late[..], OPERATORS].concat());
    });
}

#[test]
fn swapped_outputs_are_caught() {
    assert_caught(OPERATORS, |home, _| {
        let path = home.path("rtl/encoder.v");
        let sound = fs::read_to_string(&path).unwrap();
        // outputs 1 and 2 are not always equal on these events
        let wrapper = "
module encoder (input wire clk, input wire [1055:0] calq, output wire [8:0] module_sum, output wire [143:0] encoded);
  wire [143:0] e;
  sound sound (.clk(clk), .calq(calq), .module_sum(module_sum), .encoded(e));
  assign encoded = {e[143:27], e[17:9], e[26:18], e[8:0]};
endmodule
";
        let renamed = sound.replacen("module encoder (", "module sound (", 1);
        assert_ne!(renamed, sound);
        fs::write(&path, renamed + wrapper).unwrap();
    });
}

/// A weight store is loaded from `model.json`: another bit in there is another design than the vectors are of.
#[test]
fn a_flipped_bit_in_the_weight_store_is_caught() {
    if !available("iverilog", "-V") {
        return;
    }
    let home = Home::new();
    // multipliers as operators simulate faster than as rows
    let operators = ["--multipliers", "operator"];
    let arguments = ["encoder", "--no-verify", "--weights", "programmable", "--out", "rtl"];
    home.success(&[&arguments[..], &operators].concat());
    let path = home.path("rtl/model.json");
    let mut json: Json = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let weight = &mut json["model"]["conv"]["weights"][0][4];
    *weight = (weight.as_i64().unwrap() ^ 16).into();
    fs::write(&path, json.to_string()).unwrap();
    for engine in ["batch", "icarus"] {
        let output = home.run(&["sim", "rtl", "--engine", engine, "--first", "32"]);
        assert_eq!(output.status.code(), Some(1), "{engine}: {output:?}");
    }
}
