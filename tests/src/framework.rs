//! Keras models beside the framework's own results: `NAME.x.npy` and the like for inputs and outputs, `NAME.args` with what a
//! user gives to `hwgen build`.

use std::path::Path;

use hwgen::import::keras;
use hwgen::import::lift::{Imported, InputFormat};

use crate::numpy::{NumpyArray, npy};

/// Reads the model with the arguments beside it.
///
/// # Errors
/// As the importer.
pub fn read(model: &Path) -> Result<Imported, hdl::diag::Diagnostic> {
    let arguments = std::fs::read_to_string(model.with_extension("args")).unwrap_or_default();
    let words: Vec<&str> = arguments.split_whitespace().collect();
    let formats: Vec<InputFormat> = words
        .windows(2)
        .filter(|pair| pair[0] == "--input-format")
        .map(|pair| InputFormat::parse(pair[1]).expect("a format"))
        .collect();
    keras::network(std::fs::read(model).expect("a model"), &formats)
}

/// Compares all samples to the last bit; `outputs` are the files of the framework's results, in the model's order.
pub fn check(model: &Path, inputs: &[&str], outputs: &[&str]) -> Imported {
    let name = model.display();
    let imported = read(model).unwrap_or_else(|e| panic!("{name}: {e}"));
    let beside = |part: &str| npy(&model.with_extension(format!("{part}.npy")));
    let inputs: Vec<_> = inputs.iter().map(|part| beside(part)).collect();
    let outputs: Vec<_> = outputs.iter().map(|part| beside(part)).collect();
    assert_eq!(imported.graph.outputs().len(), outputs.len(), "{name}");
    let samples = inputs[0].shape[0];
    assert!(samples >= 16, "{name} has too few samples");
    for k in 0..samples {
        let row = |array: &NumpyArray| array.rows().nth(k).expect("as many samples").to_vec();
        let given: Vec<Vec<f32>> = inputs.iter().map(row).collect();
        let wanted: Vec<Vec<f32>> = outputs.iter().map(row).collect();
        assert_eq!(imported.graph.predict(&given).expect("inputs that fit"), wanted, "{name}, sample {k}");
    }
    imported
}
