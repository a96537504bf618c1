//! QKeras networks against QKeras' own predictions.
//!
//! `HWGEN_KERAS_PYTHON` names a Python with qkeras; without one, only what needs none is tested.

use std::path::Path;
use std::process::Command;

use hwgen::import::keras;
use hwgen::import::lift::{Imported, InputFormat};
use hwgen::network;
use hwgen_tests::shared;
use serde_json::Value as Json;

/// What the reference script writes.
fn reference(out: &Path, arguments: &[&str]) -> Option<Json> {
    let Some(python) = std::env::var_os("HWGEN_KERAS_PYTHON") else {
        println!("skipped: HWGEN_KERAS_PYTHON names no Python with qkeras");
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/keras_reference.py");
    let done = Command::new(python).arg(script).arg(out).args(arguments).output().expect("a process");
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{errors}");
    Some(serde_json::from_str(&std::fs::read_to_string(out).unwrap()).unwrap())
}

fn floats(rows: &Json) -> Vec<Vec<f32>> {
    let number = |v: &Json| v.as_f64().expect("a number") as f32;
    let row = |row: &Json| row.as_array().expect("a row").iter().map(number).collect();
    rows.as_array().expect("rows").iter().map(row).collect()
}

fn import(path: &Path) -> Imported {
    let format = InputFormat::parse("s8.4").unwrap();
    keras::network(std::fs::read(path).unwrap(), &[format]).unwrap_or_else(|e| panic!("{e}"))
}

fn equal(imported: &Imported, case: &Json) {
    for (x, y) in floats(&case["x"]).into_iter().zip(floats(&case["y"])) {
        assert_eq!(imported.graph.predict(&[x]).unwrap(), [y]);
    }
}

#[test]
fn the_anomaly_detector() {
    let Some(path) = shared("models/mlperf-tiny/ad08_model.h5") else {
        return;
    };
    let imported = import(&path);
    assert_eq!(imported.graph.outputs().len(), 1);
    println!("{}", imported.graph.inspect());
    let folder = tempfile::tempdir().unwrap();
    let model = path.display().to_string();
    if let Some(case) = reference(&folder.path().join("ad08.json"), &["--model", &model]) {
        equal(&imported, &case);
    }
}

#[test]
fn random_convolutional_networks() {
    let folder = tempfile::tempdir().unwrap();
    for seed in ["1", "2", "3"] {
        let out = folder.path().join(format!("random{seed}.json"));
        let Some(case) = reference(&out, &["--random", seed]) else {
            return;
        };
        let imported = import(&out.with_extension("h5"));
        equal(&imported, &case);
        let module = network::build(&imported.graph, "random").unwrap();
        let x = floats(&case["x"]).remove(0);
        let inputs = imported.graph.encode(&[x]).unwrap();
        let expected = imported.graph.evaluate(&inputs).unwrap().outputs().concat();
        let flat: Vec<i128> = inputs.concat().iter().map(|v| i128::from(*v)).collect();
        let got = hdl::dfg::eval::evaluate(&module, &flat).unwrap();
        assert_eq!(got, expected.iter().map(|v| i128::from(*v)).collect::<Vec<_>>());
    }
}

#[test]
fn an_input_without_a_format_is_an_error() {
    let Some(path) = shared("models/mlperf-tiny/ad08_model.h5") else {
        return;
    };
    let error = keras::network(std::fs::read(path).unwrap(), &[]).unwrap_err();
    assert!(error.help.unwrap().contains("--input-format"));
}
