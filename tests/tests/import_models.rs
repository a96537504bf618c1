//! The project's own trained models (`tests/models`), against what the framework that trained them computed.
//!
//! Every quantised tensor of at least 1,000 samples is compared to the last bit: in the integer evaluator and, for the
//! outputs, in the batch simulator of the unrolled hardware.

use std::path::{Path, PathBuf};

use hwgen::import::lift::Imported;
use hwgen::import::{keras, onnx};
use hwgen::model::{Evaluation, Graph, Op, TensorId};
use hwgen::network;
use hwgen_tests::numpy::{NumpyArray, npz};

/// Least number of samples of each model.
const SAMPLES: usize = 1000;

/// A model with the names of its quantised tensors: in the reference, and of the layer that gives it.
struct Case {
    file: &'static str,
    tensors: &'static [(&'static str, &'static str)],
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models")
}

fn import(file: &str) -> Imported {
    let bytes = std::fs::read(folder().join(file)).expect("a committed model");
    let read = if file.ends_with(".onnx") { onnx::read(&bytes, &[]) } else { keras::network(bytes, &[]) };
    read.unwrap_or_else(|e| panic!("{file}: {e}"))
}

fn reference(file: &str, name: &str) -> NumpyArray {
    let path = folder().join(file).with_extension("npz");
    let array = npz(&path, name);
    assert!(array.shape[0] >= SAMPLES, "{file} has too few samples");
    array
}

/// The tensor of the last layer of that name, and the value of one step where it is one for all elements.
fn quantised(graph: &Graph, layer: &str) -> (TensorId, Option<f64>) {
    let found = (0..graph.layers().len())
        .rev()
        .find(|k| graph.layers()[*k].name == layer)
        .unwrap_or_else(|| panic!("no layer {layer} in\n{}", graph.inspect()));
    (graph.result(found), graph.layers()[found].scale)
}

fn is_power_of_two(unit: f64) -> bool {
    unit > 0.0 && unit.log2().fract() == 0.0
}

/// One tensor of all samples: integers here, floats of the framework there, and the value of one step an element.
struct Compared {
    got: Vec<Vec<i64>>,
    expected: NumpyArray,
    units: Vec<f64>,
}

impl Compared {
    /// Steps that differ between elements are powers of two, found from any sample in which the element is not zero.
    fn new(got: Vec<Vec<i64>>, expected: NumpyArray, unit: Option<f64>) -> Self {
        let step = |element: usize| {
            let ratio = |(got, expected): (&Vec<i64>, &[f32])| {
                let ratio = f64::from(expected[element]) / got[element] as f64;
                is_power_of_two(ratio).then_some(ratio)
            };
            got.iter().zip(expected.rows()).find_map(ratio).unwrap_or(1.0)
        };
        let units = (0..got[0].len()).map(|e| unit.unwrap_or_else(|| step(e))).collect();
        Self { got, expected, units }
    }

    /// How many elements differ. Floats in steps that are no powers of two carry the rounding of float sums.
    fn differences(&self) -> usize {
        let equal = |((got, expected), unit): ((&i64, &f32), &f64)| {
            let steps = f64::from(*expected) / unit;
            let noise = if is_power_of_two(*unit) { 0.0 } else { 0.02 };
            (steps - *got as f64).abs() <= noise
        };
        let row = |(got, expected): (&Vec<i64>, &[f32])| {
            assert_eq!(got.len(), expected.len());
            got.iter().zip(expected).zip(&self.units).filter(|e| !equal(*e)).count()
        };
        self.got.iter().zip(self.expected.rows()).map(row).sum()
    }
}

/// How many elements of the quantised tensors and outputs differ from the reference.
fn differences(graph: &Graph, case: &Case) -> usize {
    let x = reference(case.file, "x");
    let evaluate = |x: &[f32]| graph.evaluate(&graph.encode(&[x.to_vec()]).unwrap()).unwrap();
    let evaluations: Vec<_> = x.rows().map(evaluate).collect();
    let of = |tensor: TensorId| evaluations.iter().map(|e| e.tensor(tensor).to_vec()).collect();
    let inside = case.tensors.iter().map(|(name, layer)| {
        let (tensor, unit) = quantised(graph, layer);
        Compared::new(of(tensor), reference(case.file, name), unit).differences()
    });
    inside.sum::<usize>() + output_differences(graph, &evaluations, reference(case.file, "scores"))
}

fn output_differences(graph: &Graph, evaluations: &[Evaluation], expected: NumpyArray) -> usize {
    let output = &graph.outputs()[0];
    let decode = output.decode.as_ref().expect("a scale");
    let rows = evaluations.iter().map(|e| e.tensor(output.tensor));
    if decode.steps.is_empty() {
        let units = decode.unit.stretched(&graph.info(output.tensor).shape);
        let got = rows.map(<[i64]>::to_vec).collect();
        let units = units.expect("checked when built");
        return Compared { got, expected, units }.differences();
    }
    let floats: Vec<f32> = rows.flat_map(|row| graph.decode(0, row)).collect();
    assert_eq!(floats.len(), expected.values.len());
    floats.iter().zip(&expected.values).filter(|(g, e)| g != e).count()
}

/// The batch simulator on the unrolled hardware, all samples.
fn hardware_is_the_model(graph: &Graph, case: &Case) {
    let x = reference(case.file, "x");
    let module = network::build(graph, "trained").unwrap();
    let batch = sim::batch::Batch::compile(&module).unwrap();
    let encoded = |x: &[f32]| graph.encode(&[x.to_vec()]).unwrap();
    let rows: Vec<Vec<Vec<i64>>> = x.rows().map(encoded).collect();
    let flat: Vec<i64> = rows.iter().flat_map(|row| row.concat()).collect();
    let expected: Vec<i64> = rows.iter().flat_map(|row| graph.evaluate(row).unwrap().outputs().concat()).collect();
    assert_eq!(batch.run(&flat).unwrap(), expected, "{}", case.file);
}

/// The same network with the highest bit of the last layer's greatest weight flipped.
fn damaged(graph: &Graph) -> Graph {
    let mut json: serde_json::Value = serde_json::from_str(&graph.to_json()).unwrap();
    let dense = graph.layers().iter().rposition(|l| matches!(l.op, Op::Dense { .. }));
    let layer = dense.expect("a dense layer");
    let Op::Dense { weights, .. } = &graph.layers()[layer].op else {
        unreachable!("found as a dense layer");
    };
    let greatest = (0..weights.values.len()).max_by_key(|k| weights.values[*k].unsigned_abs());
    let greatest = greatest.expect("a weight");
    let weight = weights.values[greatest];
    let flipped = weight - weight.signum() * (1 << weight.unsigned_abs().ilog2());
    json["layers"][layer]["op"]["dense"]["weights"]["values"][greatest] = flipped.into();
    Graph::from_json(&json.to_string()).unwrap()
}

fn check(case: &Case) {
    let imported = import(case.file);
    println!("{}", imported.graph.inspect());
    assert_eq!(differences(&imported.graph, case), 0, "{}", case.file);
    hardware_is_the_model(&imported.graph, case);
    let damaged = damaged(&imported.graph);
    assert_ne!(differences(&damaged, case), 0, "a flipped weight bit is seen");
}

#[test]
fn jets_from_qkeras() {
    check(&Case { file: "jets_qkeras.h5", tensors: &[("relu0", "relu0"), ("relu1", "relu1"), ("relu2", "relu2")] });
}

#[test]
fn digits_from_qkeras() {
    check(&Case { file: "digits_qkeras.h5", tensors: &[("relu0", "relu0"), ("relu1", "relu1")] });
}

#[test]
fn jets_from_brevitas() {
    check(&Case {
        file: "jets_brevitas.onnx",
        tensors: &[
            ("relu0", "/2/act_quant/export_handler/Quant"),
            ("relu1", "/4/act_quant/export_handler/Quant"),
            ("relu2", "/6/act_quant/export_handler/Quant"),
        ],
    });
}

#[test]
fn digits_from_brevitas() {
    check(&Case {
        file: "digits_brevitas.onnx",
        tensors: &[("relu0", "/3/act_quant/export_handler/Quant"), ("relu1", "/6/act_quant/export_handler/Quant")],
    });
}

#[test]
fn jets_from_hgq2() {
    check(&Case {
        file: "jets_hgq2.keras",
        tensors: &[("dense1_iq", "dense1_iq"), ("dense2_iq", "dense2_iq"), ("scores_iq", "scores_iq")],
    });
}

/// A residual connection, a layer used twice, a fused normalisation, an Einstein summation.
#[test]
fn branches_from_hgq2() {
    check(&Case {
        file: "branches_hgq2.keras",
        tensors: &[("inner_iq", "inner_iq"), ("einsum_iq", "einsum_iq"), ("scores_iq", "scores_iq")],
    });
}

/// `QuantizeLinear`, `Clip` and `DequantizeLinear` by onnxruntime.
#[test]
fn qdq_from_onnxruntime() {
    check(&Case { file: "qdq.onnx", tensors: &[] });
}

#[test]
fn digits_from_hgq2() {
    check(&Case {
        file: "digits_hgq2.keras",
        tensors: &[("conv1_iq", "conv1_iq"), ("pool_iq", "pool_iq"), ("scores_iq", "scores_iq")],
    });
}
