//! `hwgen synth` for FPGAs on a matrix of four columns: counts, gate-level simulation, place and route.

use std::fs;
use std::process::Command;
use std::time::Duration;

use openlane::equivalence::{self, Proof};
use serde_json::Value as Json;
use sim::functions::Functions;
use sim::primitives::Primitives;
use sim::tools::{Engine, Job, Meter, Verdict};

use crate::support::{Home, available};

/// A home with a small registered matrix in the folder `rtl`; `None` if a program is not installed.
fn small_matrix(programs: &[(&str, &str)]) -> Option<Home> {
    if !programs.iter().all(|(tool, argument)| available(tool, argument)) {
        return None;
    }
    let home = Home::new();
    home.write("m.json", "[[3, -5, 0, 7], [1, 6, -2, 0], [0, 7, 5, -3]]");
    home.success(&[
        "cmvm",
        "m.json",
        "--input-bits",
        "3",
        "--signed",
        "--effort",
        "fast",
        "--clock-ns",
        "20",
        "--target",
        "ice40-hx8k",
        "--out",
        "rtl",
    ]);
    Some(home)
}

fn report(home: &Home, folder: &str) -> Json {
    let text = fs::read_to_string(home.path(folder).join("report.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn states(report: &Json) -> Vec<(&str, &str)> {
    let steps = report["steps"].as_array().unwrap().iter();
    steps.map(|s| (s["name"].as_str().unwrap(), s["state"].as_str().unwrap())).collect()
}

fn figures<'r>(report: &'r Json, name: &str) -> Vec<&'r Json> {
    let figures = report["figures"].as_array().unwrap().iter();
    figures.filter(|f| f["name"] == name).collect()
}

const MAPPED: [(&str, &str); 2] = [("yosys", "-V"), ("iverilog", "-V")];
const PLACED: [(&str, &str); 3] = [("yosys", "-V"), ("iverilog", "-V"), ("nextpnr-ice40", "--version")];

#[test]
fn amd_parts_are_counted_by_layer_and_not_timed() {
    let Some(home) = small_matrix(&MAPPED) else {
        return;
    };
    home.success(&["synth", "rtl", "--target", "xcup", "--out", "mapped"]);
    let report = report(&home, "mapped");
    let all = ["map", "gates", "equiv"].map(|step| (step, "done"));
    assert_eq!(states(&report), all);
    // the count, and its share of three parts
    assert_eq!(figures(&report, "look-up tables").len(), 4);
    assert!(figures(&report, "greatest clock frequency").is_empty());
    let notes = report["notes"].to_string();
    assert!(notes.contains("only the vendor's tool"), "{notes}");
    let sum = |counts: &Json| -> u64 {
        let counts = counts.as_object().unwrap().values();
        counts.map(|n| n.as_u64().unwrap()).sum()
    };
    let layers = report["layers"].as_object().unwrap();
    assert_eq!(layers.values().map(sum).sum::<u64>(), sum(&report["cells"]));
    assert!(layers.contains_key("cmvm"), "{layers:?}");
}

#[test]
fn kept_modules_are_mapped_once_and_count_for_every_copy() {
    if !MAPPED.iter().all(|(tool, argument)| available(tool, argument)) {
        return;
    }
    let home = Home::new();
    home.two_node_interaction(&["--target", "xcup", "--clock-ns", "5"]);
    home.success(&["synth", "rtl", "--target", "xcup", "--hierarchy", "keep", "--out", "mapped"]);
    let report = report(&home, "mapped");
    let all = ["map", "gates", "equiv"].map(|step| (step, "done"));
    assert_eq!(states(&report), all);
    let cells = report["cells"].as_object().unwrap();
    assert!(cells.keys().all(|cell| !cell.contains("interaction")), "{cells:?}");
    // Yosys counts copies in its statistics, the layers in the netlist
    let sum = |counts: &Json| -> u64 {
        let counts = counts.as_object().unwrap().values();
        counts.map(|n| n.as_u64().unwrap()).sum()
    };
    let layers = report["layers"].as_object().unwrap();
    assert_eq!(layers.values().map(sum).sum::<u64>(), sum(&report["cells"]));
    let netlist = fs::read_to_string(home.path("mapped/netlist.v")).unwrap();
    assert_eq!(netlist.matches("\nmodule interaction_relation(").count(), 1);
    // a shift register takes a table as well
    let [luts, ..] = figures(&report, "look-up tables")[..] else { panic!("no look-up tables") };
    let of_kind = |start: &str| -> u64 {
        let of_kind = cells.iter().filter(|(cell, _)| cell.starts_with(start));
        of_kind.map(|(_, n)| n.as_u64().unwrap()).sum()
    };
    let expected = of_kind("LUT") + of_kind("INV") + of_kind("SRL");
    assert_eq!(luts["value"].as_f64(), Some(expected as f64));
}

#[test]
fn a_lattice_part_is_placed_and_a_clock_that_is_too_fast_is_violated() {
    let Some(home) = small_matrix(&PLACED) else {
        return;
    };
    let synth =
        |clock: &str| home.run(&["synth", "rtl", "--target", "ice40-hx8k", "--clock-ns", clock, "--out", "mapped"]);
    assert_eq!(synth("50").status.code(), Some(0));
    let placed = report(&home, "mapped");
    assert_eq!(states(&placed), [("map", "done"), ("gates", "done"), ("equiv", "done"), ("place", "done")]);
    let shell = placed["steps"][1]["result"].as_str().unwrap();
    assert!(shell.contains("shift registers: 8 vectors bit-exact"), "{shell}");
    let [fmax] = figures(&placed, "greatest clock frequency")[..] else { panic!("one figure") };
    assert!(fmax["value"].as_f64().unwrap() > 20.0, "{fmax}");
    assert!(fmax["tool"].as_str().unwrap().contains("nextpnr-ice40"), "{fmax}");

    let done = synth("1");
    assert_eq!(done.status.code(), Some(1));
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(said.contains("VIOLATED") && said.contains('→'), "{said}");
    assert_eq!(states(&report(&home, "mapped"))[3], ("place", "failed"));
}

/// Maps the folder `rtl` for iCE40 and simulates the netlist; both stay in `mapped`.
fn simulate_netlist(home: &Home) {
    let target = "ice40-hx8k";
    home.success(&["synth", "rtl", "--target", target, "--steps", "gates", "--out", "mapped"]);
}

#[test]
fn one_wrong_look_up_table_fails_gate_level_simulation() {
    let Some(home) = small_matrix(&MAPPED) else {
        return;
    };
    simulate_netlist(&home);
    let mapped = home.path("mapped");
    let verdict = || {
        let job = Job {
            top: "cmvm",
            sources: &["rtl/cmvm_tb.v", "netlist.v", "cells.v"].map(|file| mapped.join(file)),
            vectors: &mapped.join("vectors"),
            samples: 256,
            blocks: &[],
            waves: None,
            limit: Duration::from_secs(300),
        };
        Engine::Icarus.run(&job).unwrap().verdict
    };
    assert!(matches!(verdict(), Verdict::Pass { .. }));
    let path = mapped.join("netlist.v");
    let netlist = fs::read_to_string(&path).unwrap();
    let (before, table) = netlist.split_once(".LUT_INIT(16'h").unwrap();
    let function = u16::from_str_radix(&table[..4], 16).unwrap();
    let changed = format!("{before}.LUT_INIT(16'h{:04x}{}", !function, &table[4..]);
    fs::write(&path, changed).unwrap();
    assert!(matches!(verdict(), Verdict::Fail(_)));
}

/// ABC's verdict on the netlist in the folder `mapped`.
fn compare(home: &Home, primitives: Primitives) -> Proof {
    let mapped = home.path("mapped");
    let read = |name: &str| fs::read_to_string(mapped.join(name)).unwrap();
    let meter = Meter::new(Duration::from_secs(300));
    let sides = [&*read(openlane::FRONT), &*read(openlane::NETLIST)];
    equivalence::compare(&mapped, sides, Functions::Primitives(primitives), &meter).unwrap()
}

#[test]
fn netlists_of_every_family_are_proved_and_one_wrong_table_is_found() {
    let Some(home) = small_matrix(&MAPPED) else {
        return;
    };
    for (target, table, primitives) in [
        ("ice40-hx8k", ".LUT_INIT(16'h", Primitives::Ice40),
        ("ecp5-45k", ".INIT(16'h", Primitives::Ecp5),
        ("xc7", ".INIT(4'h", Primitives::Amd),
        ("xcup", ".INIT(4'h", Primitives::Amd),
    ] {
        home.success(&["synth", "rtl", "--target", target, "--steps", "equiv", "--force", "--out", "mapped"]);
        let report = report(&home, "mapped");
        let said = report["steps"][1]["result"].as_str().unwrap();
        assert!(said.starts_with("proved: "), "{target}: {said}");
        assert!(matches!(compare(&home, primitives), Proof::Equivalent(_)));
        let path = home.path("mapped/netlist.v");
        let netlist = fs::read_to_string(&path).unwrap();
        let (before, content) = netlist.split_once(table).unwrap();
        let (content, after) = content.split_once(')').unwrap();
        let bits = u16::from_str_radix(content, 16).unwrap();
        let digits = content.len();
        let other = format!("{:04x}", !bits);
        let changed = format!("{before}{table}{}){after}", &other[4 - digits..]);
        fs::write(&path, changed).unwrap();
        let found = compare(&home, primitives);
        assert!(matches!(found, Proof::Different(_)), "{target}: {found:?}");
    }
}

#[test]
fn netlists_with_multiplier_blocks_are_proved_and_a_wrong_input_bit_is_found() {
    if !available("yosys", "-V") || !available("iverilog", "-V") {
        return;
    }
    let home = Home::new();
    let product = r#"{"name": "product", "layers": [{"name": "product", "op": "mat_mul", "inputs": [0, 1]}],
        "inputs": [{"name": "x", "shape": [1, 2], "range": [0, 255]}, {"name": "w", "shape": [2, 1], "range": [-32, 31]}],
        "outputs": [{"name": "y", "tensor": 2}]}"#;
    home.write("product.json", product);
    for (target, input, wrong, primitives) in [
        ("ecp5-45k", ".A1(x[1])", ".A1(x[0])", Primitives::Ecp5),
        ("xcup", ", x[7:0] })", ", x[7:1], x[1] })", Primitives::Amd),
    ] {
        home.success(&[
            "build",
            "product.json",
            "--target",
            target,
            "--multipliers",
            "operator",
            "--latency",
            "0",
            "--out",
            "rtl",
        ]);
        let steps = "map,gates,equiv";
        home.success(&["synth", "rtl", "--target", target, "--dsp", "--steps", steps, "--force", "--out", "mapped"]);
        let report = report(&home, "mapped");
        assert_eq!(figures(&report, "multipliers")[0]["value"], 2.0);
        let steps = ["map", "gates", "equiv"].map(|step| (step, "done"));
        assert_eq!(states(&report)[..3], steps, "{target}");
        let said = report["steps"][2]["result"].as_str().unwrap();
        assert!(said.starts_with("proved: "), "{target}: {said}");
        let path = home.path("mapped/netlist.v");
        let netlist = fs::read_to_string(&path).unwrap();
        assert!(netlist.contains(input), "{target}");
        fs::write(&path, netlist.replacen(input, wrong, 1)).unwrap();
        let found = compare(&home, primitives);
        assert!(matches!(found, Proof::Different(_)), "{target}: {found:?}");
    }
}

#[test]
fn the_steps_run_by_hand() {
    let Some(home) = small_matrix(&PLACED) else {
        return;
    };
    if !available("make", "--version") {
        return;
    }
    simulate_netlist(&home);
    let made = Command::new("make").current_dir(home.path("mapped")).output().unwrap();
    let said = String::from_utf8_lossy(&made.stdout).into_owned();
    assert!(made.status.success(), "{said}{}", String::from_utf8_lossy(&made.stderr));
    assert!(said.contains("PASS 256 vectors"), "{said}");
    let placed = fs::read_to_string(home.path("mapped/place_report.json")).unwrap();
    assert!(placed.contains("fmax"), "{placed}");
}
