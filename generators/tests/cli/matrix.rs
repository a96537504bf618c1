//! Matrices for FPGAs whose look-up tables add three operands: in simulators, and through Yosys.

use serde_json::Value as Json;

use crate::support::{Home, available};

/// A matrix of six inputs and four outputs with weights of both signs.
const MATRIX: &str = "[[3,-7,12,5],[-5,11,-2,9],[6,6,-13,1],[-1,8,7,-15],[14,-3,0,10],[-9,2,5,-6]]";

fn generate(home: &Home, target: &str) -> Json {
    home.write("matrix.json", MATRIX);
    let said = home.success(&["cmvm", "matrix.json", "--signed", "--target", target, "--out", target, "--json"]);
    serde_json::from_str(&said).unwrap()
}

#[test]
fn sums_of_three_are_exact_in_every_simulator() {
    let home = Home::new();
    for target in ["xcup", "xc7"] {
        generate(&home, target);
        let adder = std::fs::read_to_string(home.path(target).join("hwgen_add3.v")).unwrap();
        assert!(adder.contains("LUT6_2 #(") && adder.contains("CARRY"));
        home.success(&["sim", target]);
        for (engine, program, version) in [("icarus", "iverilog", "-V"), ("verilator", "verilator", "--version")] {
            // Verilator's build takes half a minute on a busy machine: one target is enough.
            if (engine == "icarus" || target == "xcup") && available(program, version) {
                home.success(&["sim", target, "--engine", engine]);
            }
        }
    }
}

#[test]
fn other_targets_get_plain_operators() {
    let home = Home::new();
    for target in ["generic", "ecp5-45k"] {
        let figures = generate(&home, target);
        assert!(!home.path(target).join("hwgen_add3.v").exists());
        assert_eq!(figures["target"], target);
    }
}

#[test]
fn area_is_traded_for_delay_on_a_cell_library() {
    let home = Home::new();
    home.write("matrix.json", MATRIX);
    let common = ["cmvm", "matrix.json", "--signed", "--target", "osu018"];
    let figures = |more: &[&str]| -> Json {
        let said = home.success(&[&common[..], more, &["--json"]].concat());
        serde_json::from_str(&said).unwrap()
    };
    let number = |json: &Json, key: &str| json[key].as_f64().unwrap();
    let swept = figures(&["--sweep"]);
    let front = swept["front"].as_array().unwrap();
    assert!(front.len() > 3);
    let chosen: Vec<&Json> = front.iter().filter(|offer| offer["chosen"] == true).collect();
    assert_eq!(chosen.len(), 1);
    assert_eq!(chosen[0]["delay_ns"], swept["delay_ns"]);
    let bound = 1.3 * number(&front[0], "area_um2");
    let fastest = figures(&["--max-area", &bound.to_string()]);
    assert!(number(&fastest, "area_um2") <= bound);
    assert!(number(&fastest, "delay_ns") < number(&swept, "delay_ns"));
    assert!(fastest["front"].is_null());
    let delay = number(&fastest, "delay_ns").to_string();
    let within = figures(&["--max-delay", &delay]);
    assert_eq!(within["area_um2"], fastest["area_um2"]);
}

#[test]
fn bounds_out_of_reach_or_place_are_explained() {
    let home = Home::new();
    home.write("matrix.json", MATRIX);
    for (target, options, said) in [
        ("osu018", ["--max-area", "100"], "out of reach: the smallest structure takes"),
        ("osu018", ["--max-delay", "0.1"], "out of reach: the fastest structure takes"),
        ("osu018", ["--max-area", "0"], "expected square micrometres above zero"),
        ("generic", ["--max-area", "1000"], "where sums are made of cells"),
        ("xcup", ["--sums", "cells"], "no full adder is known of target"),
    ] {
        let common = ["cmvm", "matrix.json", "--target", target];
        let output = home.run(&[&common[..], &options[..]].concat());
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains(said), "{message}");
    }
}

#[test]
fn sums_of_one_bit_inputs_are_exact_in_simulators() {
    let home = Home::new();
    home.write("matrix.json", MATRIX);
    for target in ["xcup", "ice40-hx8k"] {
        let bits = ["--input-bits", "1", "--target", target, "--out", target];
        let arguments = [&["cmvm", "matrix.json", "--json"][..], &bits].concat();
        let figures: Json = serde_json::from_str(&home.success(&arguments)).unwrap();
        assert!(figures["tables"].as_u64().unwrap() > 0, "{figures}");
        home.success(&["sim", target]);
        if available("iverilog", "-V") {
            home.success(&["sim", target, "--engine", "icarus"]);
        }
    }
}

#[test]
fn the_estimate_is_within_two_percent_of_what_yosys_maps() {
    if !available("yosys", "-V") {
        return;
    }
    let home = Home::new();
    for target in ["ecp5-45k", "ice40-hx8k", "xc7", "xcup"] {
        let case = ["--only", "square8_w4", "--target", target];
        let arguments = [&["bench", "arith", "--mapped", "--json"][..], &case].concat();
        let said = home.success(&arguments);
        let measured: Json = serde_json::from_str(&said).unwrap();
        let mapped = &measured[0]["mapped"];
        assert!(mapped["luts"].as_u64().unwrap() > 100, "{said}");
        assert!(mapped["error"].as_f64().unwrap().abs() < 0.02, "{said}");
    }
}
