//! Networks from random weights and from files, in every engine, and with mistakes in them.

use std::fs;

use expect_test::expect_file;
use serde_json::{Value as Json, json};

use crate::support::{Home, available, shared};

/// Weights of a small network in the form of a benchmark case.
fn weights(first: i64) -> String {
    json!({
        "kind": "mlp", "mode": "rs", "act_bits": 4, "shifts": [2],
        "W0": [[first, -3, 0], [2, 7, -8]], "b0": [3, 0, -5],
        "W1": [[1, -2], [5, 0], [-7, 4]], "b1": [0, 9],
    })
    .to_string()
}

/// The outcomes of `hwgen sim` for a folder, all of which must be good.
fn simulated(home: &Home, options: &[&str]) -> usize {
    let said = home.success(&[&["sim", "rtl", "--json"], options].concat());
    let outcomes: Json = serde_json::from_str(&said).unwrap();
    let outcomes = outcomes.as_array().unwrap();
    assert!(outcomes.iter().all(|o| o["pass"] == true), "{said}");
    outcomes.len()
}

#[test]
fn a_random_dense_network_in_every_engine() {
    let home = Home::new();
    let args = ["dense", "--layers", "4,8,3", "--sparsity", "0.4", "--clock-ns", "4", "--out", "rtl"];
    let said = home.success(&args);
    assert!(said.starts_with("network: latency "), "{said}");
    simulated(&home, &["--random", "2000"]);
    for (engine, tool, version) in [("icarus", "iverilog", "-V"), ("verilator", "verilator", "--version")] {
        if available(tool, version) {
            simulated(&home, &["--engine", engine, "--first", "64"]);
        }
    }
    // the same command gives the same files
    let before = home.tree();
    home.success(&args);
    assert!(home.tree() == before);
}

/// The same weights folded: shared multipliers give the unrolled network's bits in every engine.
#[test]
fn a_folded_network_in_every_engine() {
    let home = Home::new();
    home.write("weights.json", weights(5));
    home.write("flipped.json", weights(4));
    let dense = |weights: &str, out: &str| {
        home.success(&["dense", "--weights", weights, "--reuse", "2", "--events", "40", "--out", out])
    };
    let said = dense("weights.json", "rtl");
    // two matrices of two beats, three cycles behind each, two layers between them, and a register
    assert!(said.contains("latency 13 cycles, initiation interval 2, 7 multipliers"), "{said}");
    simulated(&home, &["--random", "500"]);
    let mut engines = vec!["batch"];
    for (engine, tool, version) in [("icarus", "iverilog", "-V"), ("verilator", "verilator", "--version")] {
        if available(tool, version) {
            simulated(&home, &["--engine", engine]);
            engines.push(engine);
        }
    }
    dense("flipped.json", "other");
    for file in ["network.v", "design.dfg"] {
        let from = home.path(&format!("other/{file}"));
        fs::copy(from, home.path(&format!("rtl/{file}"))).unwrap();
    }
    for engine in engines {
        let output = home.run(&["sim", "rtl", "--engine", engine]);
        assert_eq!(output.status.code(), Some(1), "{engine}: {output:?}");
    }
}

/// The data path in the folder `other` fails against the vectors in `rtl`.
fn the_other_is_refuted(home: &Home) {
    for file in ["network.v", "design.dfg"] {
        let from = home.path(&format!("other/{file}"));
        fs::copy(from, home.path(&format!("rtl/{file}"))).unwrap();
    }
    let mut engines = vec!["batch"];
    engines.extend(available("iverilog", "-V").then_some("icarus"));
    for engine in engines {
        let output = home.run(&["sim", "rtl", "--engine", engine]);
        assert_eq!(output.status.code(), Some(1), "{engine}: {output:?}");
    }
}

/// Gates on pairs of values of random signs and widths, then on pairs of results; `first` is the first of them.
fn gates(first: &str) -> String {
    let mut random = fastrand::Rng::with_seed(7);
    let mut inputs = Vec::new();
    for k in 0..12 {
        let top = (1i64 << random.u32(1..=20)) - 1;
        let some = -random.i64(0..=top);
        let low = random.choice([0, -top - 1, some, top]).unwrap();
        let shape = random.choice([1, 3]).unwrap();
        inputs.push(json!({"name": format!("x{k}"), "shape": [shape], "range": [low, top]}));
    }
    let mut layers = Vec::new();
    for k in 0..24usize {
        let op = match k {
            0 => first,
            _ => random.choice(["and", "or", "xor"]).unwrap(),
        };
        let operands = [random.usize(..12 + k), random.usize(..12 + k)];
        layers.push(json!({"name": format!("gates{k}"), "op": op, "inputs": operands}));
    }
    let outputs = (12..36).map(|t| json!({"name": format!("y{t}"), "tensor": t}));
    let outputs: Vec<Json> = outputs.collect();
    json!({"name": "gates", "inputs": inputs, "layers": layers, "outputs": outputs}).to_string()
}

/// Bits of any two formats meet in the right places, in every engine; another gate is noticed.
#[test]
fn gates_of_random_formats_in_every_engine() {
    let home = Home::new();
    let build = |gate: &str, out: &str| {
        home.write("gates.json", gates(gate));
        let clock = ["--clock-ns", "1.5", "--events", "64"];
        home.success(&[&["build", "gates.json", "--out", out], &clock[..]].concat());
    };
    build("and", "rtl");
    simulated(&home, &["--random", "2000"]);
    for (engine, tool, version) in [("icarus", "iverilog", "-V"), ("verilator", "verilator", "--version")] {
        if available(tool, version) {
            simulated(&home, &["--engine", engine]);
        }
    }
    build("xor", "other");
    the_other_is_refuted(&home);
}

/// Between its registers a folded network has as many stages as a clock needs, which one stage each would not reach.
#[test]
fn a_folded_network_keeps_to_its_clock() {
    let home = Home::new();
    let at = |clock| {
        let shape = ["--layers", "32,4,3", "--bits", "4", "--seed", "3"];
        let chosen = ["--reuse", "2", "--events", "40", "--clock-ns", clock];
        home.run(&[&["dense"][..], &shape, &chosen, &["--out", "rtl"]].concat())
    };
    let said = at("3.2");
    assert!(said.status.success(), "{said:?}");
    let model: Json = serde_json::from_slice(&fs::read(home.path("rtl/model.json")).unwrap()).unwrap();
    assert!(model["stages"].as_array().unwrap().contains(&json!(2)), "{}", model["stages"]);
    simulated(&home, &["--random", "500"]);
    if available("iverilog", "-V") {
        simulated(&home, &["--engine", "icarus"]);
    }
    let said = at("1");
    assert_eq!(said.status.code(), Some(2), "{said:?}");
}

/// A small convolutional network with a short way around a convolution and two heads, in hwgen's JSON form.
fn convolutional() -> String {
    let weights = |shape: [usize; 4], seed: i64| {
        let count: usize = shape.iter().product();
        let values: Vec<i64> = (0..count as i64).map(|k| (7 * k + seed * k * k) % 9 - 4).collect();
        json!({"shape": shape, "values": values})
    };
    let convolution = |shape: [usize; 4], strides: usize, seed: i64| {
        json!({"convolution": {
            "weights": weights(shape, seed), "bias": vec![1; shape[0]], "groups": 1,
            "window": {"kernel": [3, 3], "strides": [strides, strides], "dilations": [1, 1],
                       "pads_begin": [1, 1], "pads_end": [1, 1]}}})
    };
    let requantise = |drop: i32| json!({"requantise": {"drop": drop, "rounding": "half_even", "limit": {"saturate": {"lo": 0, "hi": 15}}}});
    json!({
        "name": "image",
        "inputs": [{"name": "pixels", "shape": [1, 1, 6, 6], "range": [0, 15]}],
        "layers": [
            {"name": "first", "op": convolution([3, 1, 3, 3], 1, 3), "inputs": [0]},
            {"name": "quant1", "op": requantise(4), "inputs": [1]},
            {"name": "second", "op": convolution([3, 3, 3, 3], 1, 5), "inputs": [2]},
            {"name": "quant2", "op": requantise(5), "inputs": [3]},
            {"name": "residual", "op": "add", "inputs": [2, 4]},
            {"name": "third", "op": convolution([2, 3, 3, 3], 2, 1), "inputs": [5]},
            {"name": "greatest", "op": {"reduce": {"kind": "max", "axes": [2, 3]}}, "inputs": [5]},
        ],
        "outputs": [{"name": "plane", "tensor": 6}, {"name": "peaks", "tensor": 7}],
    })
    .to_string()
}

/// Convolutions and branches through shared multipliers, in every engine; another network's data path is noticed.
#[test]
fn a_folded_convolution_in_every_engine() {
    let home = Home::new();
    home.write("image.json", convolutional());
    home.write("flipped.json", convolutional().replacen("-4", "-3", 1));
    let build = |file: &str, out: &str| home.success(&["build", file, "--reuse", "72", "--events", "12", "--out", out]);
    let said = build("image.json", "rtl");
    assert!(said.contains("initiation interval 72, "), "{said}");
    let report = fs::read_to_string(home.path("rtl/report.md")).unwrap();
    assert!(report.contains("outputs in every cycle"), "{report}");
    let mut engines = vec!["batch"];
    for (engine, tool, version) in [("icarus", "iverilog", "-V"), ("verilator", "verilator", "--version")] {
        if available(tool, version) {
            engines.push(engine);
        }
    }
    for engine in &engines {
        simulated(&home, &["--engine", engine]);
    }
    build("flipped.json", "other");
    for file in ["network.v", "design.dfg"] {
        let from = home.path(&format!("other/{file}"));
        fs::copy(from, home.path(&format!("rtl/{file}"))).unwrap();
    }
    let output = home.run(&["sim", "rtl"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

/// A softmax at the end stays outside, or is built with a bound when a format is asked for.
#[test]
fn a_softmax_is_built_when_asked() {
    let home = Home::new();
    let model = json!({
        "name": "classes",
        "inputs": [{"name": "x", "shape": [1, 3], "range": [-16, 15]}],
        "layers": [{"name": "scores", "op": {"dense": {
            "weights": {"shape": [4, 3], "values": [3, -5, 1, 0, 2, -2, 7, 1, 1, -3, 0, 4]},
            "bias": [1, 0, -2, 3]}}, "inputs": [0]}],
        "outputs": [{"name": "y", "tensor": 1, "decode": {
            "unit": {"shape": [], "values": [0.0625]}, "softmax": 1}}],
    });
    home.write("classes.json", model.to_string());
    let build = |options: &[&str]| home.success(&[&["build", "classes.json", "--out", "rtl"], options].concat());
    let said = build(&[]);
    assert!(said.starts_with("output `y`: the softmax at its end stays outside"), "{said}");
    let said = build(&["--output-format", "u9.8", "--clock-ns", "5"]);
    assert!(said.starts_with("output `y` rounded to u9.8: at most 2."), "{said}");
    assert!(said.contains("e-3 from the framework's number"), "{said}");
    simulated(&home, &["--random", "500"]);
    let said = home.run(&["build", "classes.json", "--output-format", "u8.-1", "--out", "rtl"]);
    assert_eq!(said.status.code(), Some(2), "{said:?}");
}

/// Products of computed values, in every form and out of what each kind of target has.
#[test]
fn products_of_computed_values_in_every_form() {
    let home = Home::new();
    let model = json!({
        "name": "products",
        "inputs": [{"name": "x", "shape": [2, 3], "range": [-16, 15]},
                   {"name": "w", "shape": [3, 2], "range": [0, 63]}],
        "layers": [{"name": "sums", "op": "mat_mul", "inputs": [0, 1]},
                   {"name": "squares", "op": "mul", "inputs": [2, 2]},
                   {"name": "products", "op": "mul", "inputs": [2, 3]}],
        "outputs": [{"name": "y", "tensor": 4}],
    });
    home.write("products.json", model.to_string());
    let build = |target: &str, form: &str| {
        let options = ["--target", target, "--multipliers", form, "--out", "rtl"];
        home.success(&[&["build", "products.json"][..], &options].concat());
        home.success(&["sim", "rtl", "--random", "500"]);
        if available("iverilog", "-V") {
            home.success(&["sim", "rtl", "--engine", "icarus"]);
        }
        fs::read_to_string(home.path("rtl/network.v")).unwrap()
    };
    for target in ["osu018", "ice40-hx8k"] {
        for form in ["booth", "booth8", "array"] {
            let verilog = build(target, form);
            // a square stays one; simulators may get another body
            let verilog = verilog.split("`else\n").next().unwrap();
            assert_eq!(verilog.matches('*').count(), 4, "{target} {form}");
        }
    }
    assert!(build("generic", "operator").matches('*').count() > 4);
}

/// A network of cells with more area for its products, which are then built faster.
#[test]
fn area_buys_speed() {
    let home = Home::new();
    let build = |factor: &str| {
        let network = ["--layers", "6,8,3", "--bits", "5", "--effort", "fast"];
        let structure = ["--target", "osu018", "--area-factor", factor];
        let timing = ["--latency", "0", "--out", "rtl"];
        home.success(&[&["dense"], &network[..], &structure, &timing].concat());
        home.success(&["sim", "rtl", "--random", "500"]);
        let report = fs::read_to_string(home.path("rtl/report.json")).unwrap();
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        assert_eq!(report["parameters"]["area factor"], factor);
        let area = report["size"]["estimate"]["area_um2"].as_f64().unwrap();
        (area, report["timing"]["stage_delays_ps"][0].as_u64().unwrap())
    };
    let (small, large) = (build("1"), build("1.6"));
    assert!(small.0 < large.0 && small.1 > large.1, "{small:?} {large:?}");
}

/// A trained network in Verilog simulators.
#[test]
fn a_trained_network_in_icarus() {
    let Some(file) = shared("models/qonnx-zoo-tfc/TFC_2W2A.onnx") else {
        return;
    };
    let home = Home::new();
    let file = file.to_str().unwrap();
    home.success(&[
        "build",
        file,
        "--effort",
        "fast",
        // full adders take Icarus several times as long
        "--sums",
        "operators",
        "--clock-ns",
        "5",
        "--out",
        "rtl",
    ]);
    simulated(&home, &[]);
    if available("iverilog", "-V") {
        simulated(&home, &["--engine", "icarus", "--first", "16"]);
    }
    // compiling takes minutes
    if std::env::var_os("HWGEN_LONG").is_some() && available("verilator", "--version") {
        simulated(&home, &["--engine", "verilator", "--limit", "3000"]);
    }
}

/// The networks of MLPerf Tiny that are too large to unroll.
#[test]
fn tiny_benchmarks_folded() {
    let Some(folder) = shared("models/mlperf-tiny") else {
        return;
    };
    let home = Home::new();
    for (file, options, reuse) in
        [("kws_w3a3_qonnx.onnx", "--accept-rounding", "70"), ("ad08_model.h5", "--input-format=s8.4", "8")]
    {
        let file = folder.join(file);
        let said = home.success(&[
            "build",
            file.to_str().unwrap(),
            options,
            "--reuse",
            reuse,
            "--events",
            "4",
            "--out",
            "rtl",
        ]);
        assert!(said.contains(&format!("initiation interval {reuse}, ")), "{said}");
        simulated(&home, &["--random", "6"]);
    }
}

/// The folder's own model is a network that can be built again, and inspected.
#[test]
fn an_emitted_model_is_read_again() {
    let home = Home::new();
    home.write("weights.json", weights(5));
    home.success(&["dense", "--weights", "weights.json", "--out", "rtl"]);
    home.success(&["build", "rtl/model.json", "--out", "again"]);
    let verilog = |folder: &str| fs::read(home.path(&format!("{folder}/network.v"))).unwrap();
    assert_eq!(verilog("rtl"), verilog("again"));
    let args = ["inspect", "rtl/model.json", "--svg", "graph.svg"];
    let output = home.run(&args);
    expect_file!["networks/inspect.txt"].assert_eq(&home.transcript(&args, &output));
    let svg = fs::read_to_string(home.path("graph.svg")).unwrap();
    assert!(svg.contains("dense1") && svg.ends_with("</svg>\n"));
    let json: Json = serde_json::from_str(&home.success(&["inspect", "rtl/model.json", "--json"])).unwrap();
    assert_eq!(json["layers"][1]["weights"], 6);
    assert_eq!(json["doubts"], json!([]));
}

#[test]
fn a_flipped_weight_bit_is_caught() {
    let home = Home::new();
    home.write("weights.json", weights(5));
    home.write("flipped.json", weights(4));
    home.success(&["dense", "--weights", "weights.json", "--out", "rtl"]);
    home.success(&["dense", "--weights", "flipped.json", "--out", "other"]);
    the_other_is_refuted(&home);
}

/// A sigmoid at the end stays outside the hardware unless a format is asked for; then its error is said.
#[test]
fn an_output_becomes_a_table_when_asked() {
    let home = Home::new();
    let model = json!({
        "name": "score",
        "inputs": [{"name": "x", "shape": [2], "range": [-16, 15]}],
        "layers": [{"name": "sum", "op": {"dense": {
            "weights": {"shape": [1, 2], "values": [3, -5]}, "bias": [1]}}, "inputs": [0]}],
        "outputs": [{"name": "y", "tensor": 1, "decode": {
            "unit": {"shape": [], "values": [0.0625]}, "steps": ["sigmoid"]}}],
    });
    home.write("score.json", model.to_string());
    let args = ["build", "score.json", "--output-format", "u6.6", "--out", "rtl"];
    let said = home.success(&args);
    // half a step, or up to a whole one where the sigmoid is above the greatest number
    assert!(said.starts_with("output `y` rounded to u6.6: at most 1."), "{said}");
    assert!(said.contains("e-2 from the framework's number"), "{said}");
    simulated(&home, &["--random", "500"]);
}

#[test]
fn mistakes_are_explained() {
    let home = Home::new();
    home.write("weights.json", weights(5));
    home.write("short.json", "{\"W0\": [[1, 2], [3, 4]], \"b0\": [1]}");
    home.write("apart.json", "{\"W0\": [[1, 2]], \"W1\": [[1]], \"shifts\": [0]}");
    home.write("cut.onnx", [0x0a, 0xff, 0x01]);
    home.write("model.txt", "");
    home.write("encoder.json", "{\"design\": \"encoder\"}");
    home.write(
        "broken.json",
        "{\"name\": \"n\", \"inputs\": [], \"layers\": [{\"name\": \"l\", \"op\": \"relu\", \"inputs\": [7]}], \"outputs\": []}",
    );
    home.write(
        "relu.json",
        "{\"name\": \"n\", \"inputs\": [{\"name\": \"x\", \"shape\": [1], \"range\": [-1, 1]}], \"layers\": [{\"name\": \"l\", \"op\": \"relu\", \"inputs\": [0]}], \"outputs\": [{\"name\": \"y\", \"tensor\": 1}]}",
    );
    let cases: [(&str, &[&str]); 12] = [
        ("dense-nothing", &["dense", "--out", "rtl"]),
        ("dense-size", &["dense", "--layers", "16,0", "--out", "rtl"]),
        ("dense-bias", &["dense", "--weights", "short.json", "--out", "rtl"]),
        ("dense-apart", &["dense", "--weights", "apart.json", "--out", "rtl"]),
        ("dense-layers", &["dense", "--weights", "weights.json", "--layers", "2,2", "--out", "rtl"]),
        ("dense-clock", &["dense", "--weights", "weights.json", "--reuse", "2", "--clock-ns", "1", "--out", "rtl"]),
        ("build-output", &["build", "relu.json", "--output-format", "8", "--out", "rtl"]),
        ("build-missing", &["build", "no.onnx", "--out", "rtl"]),
        ("build-cut", &["build", "cut.onnx", "--out", "rtl"]),
        ("build-kind", &["build", "model.txt", "--out", "rtl"]),
        ("build-design", &["build", "encoder.json", "--out", "rtl"]),
        ("build-operand", &["build", "broken.json", "--out", "rtl"]),
    ];
    for (name, args) in cases {
        let before = home.tree();
        let output = home.run(args);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        expect_file![format!("networks/{name}.txt")].assert_eq(&home.transcript(args, &output));
        assert!(home.tree() == before, "{name}: something was changed");
    }
}

/// Keyword spotting has scales that are no powers of two behind wide sums: refused, unless its rounding is accepted.
#[test]
fn inexact_sums_are_refused_unless_accepted() {
    let Some(file) = shared("models/mlperf-tiny/kws_w3a3_qonnx.onnx") else {
        return;
    };
    let home = Home::new();
    let file = file.to_str().unwrap();
    let output = home.run(&["build", file, "--out", "rtl"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("--accept-rounding") && said.contains("float-order"), "{said}");
    let folder = file.trim_end_matches("kws_w3a3_qonnx.onnx");
    let x = format!("{folder}kws_input.npy");
    let said = home.success(&[
        "build",
        file,
        "--accept-rounding",
        // the large network is searched for cells three times
        "--sums",
        "operators",
        "--inputs",
        &x,
        "--clock-ns",
        "10",
        "--effort",
        "fast",
        "--events",
        "16",
        "--out",
        "rtl",
    ]);
    assert!(said.contains("steps may lie one integer off"), "{said}");
    assert!(said.contains("from the framework's number, whatever the order of its additions"), "{said}");
    simulated(&home, &[]);
    let report = fs::read_to_string(home.path("rtl/report.md")).unwrap();
    assert!(report.contains("exactness of the framework's own sums"), "{report}");
}
