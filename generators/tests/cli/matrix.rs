//! Matrices for FPGAs whose look-up tables add three operands: in simulators, and through Yosys.

use serde_json::Value as Json;

use crate::support::{Home, available};

/// A matrix of six inputs and four outputs with weights of both signs.
const MATRIX: &str = "[[3,-7,12,5],[-5,11,-2,9],[6,6,-13,1],[-1,8,7,-15],[14,-3,0,10],[-9,2,5,-6]]";

fn generate(home: &Home, target: &str) -> Json {
    home.write("matrix.json", MATRIX);
    let said = home.success(&[
        "cmvm",
        "matrix.json",
        "--signed",
        "--target",
        target,
        "--out",
        target,
        "--json",
    ]);
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
        for (engine, program, version) in [
            ("icarus", "iverilog", "-V"),
            ("verilator", "verilator", "--version"),
        ] {
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
fn the_estimate_is_within_a_tenth_of_what_yosys_maps() {
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
        assert!(mapped["error"].as_f64().unwrap().abs() < 0.1, "{said}");
    }
}
