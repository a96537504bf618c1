//! Functions that stand in a model like layers, against the framework's own results. `tests/python/keras_functions.py` made
//! the models in `data/keras/functions`.

use std::path::{Path, PathBuf};

use hwgen::import::keras;
use hwgen::import::lift::InputFormat;
use hwgen_tests::numpy::npy;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/keras/functions").join(name)
}

/// All results of the model, one after the other, are the framework's; `reference` names inputs and results.
fn check(model: &str, reference: &str) {
    let format = InputFormat::parse("s6.3").expect("a format");
    let imported = keras::network(std::fs::read(file(model)).expect("a model"), &[format]);
    let imported = imported.unwrap_or_else(|e| panic!("{model}: {e}"));
    let names: Vec<&str> = imported.graph.outputs().iter().map(|o| o.name.as_str()).collect();
    let [x, z, y] = ["x", "z", "y"].map(|part| npy(&file(&format!("{reference}.{part}.npy"))));
    for (k, wanted) in y.rows().enumerate() {
        let row = |array: &hwgen_tests::numpy::NumpyArray| array.rows().nth(k).expect("as many samples").to_vec();
        let got = imported.graph.predict(&[row(&x), row(&z)]).expect("inputs that fit");
        let mut rest = wanted;
        for (name, got) in names.iter().zip(&got) {
            let (this, others) = rest.split_at(got.len().min(rest.len()));
            assert_eq!(got, this, "{model}, {name}, sample {k}");
            rest = others;
        }
        assert!(rest.is_empty(), "{model} lacks results");
    }
}

#[test]
fn functions_of_keras_3() {
    check("keras3.keras", "keras3");
    check("keras3_legacy.h5", "keras3");
}

#[test]
fn functions_of_tensorflow_in_keras_2() {
    check("keras2.h5", "keras2");
}
