//! Trained networks in QONNX, against the outputs of the reference execution that came with them.

use hwgen::import::lift::{Imported, InputFormat};
use hwgen::import::onnx;
use hwgen_tests::numpy::{npy, npz};
use hwgen_tests::shared;

fn import(path: &str, formats: &[&str]) -> Option<Imported> {
    let bytes = std::fs::read(shared(path)?).expect("a readable file");
    let formats: Vec<InputFormat> = formats.iter().map(|f| InputFormat::parse(f).unwrap()).collect();
    Some(onnx::read(&bytes, &formats).unwrap_or_else(|e| panic!("{path}: {e}")))
}

/// Every float of every output, to the last bit.
fn tfc_is_exact(name: &str) {
    let folder = "models/qonnx-zoo-tfc";
    let Some(imported) = import(&format!("{folder}/{name}.onnx"), &[]) else {
        return;
    };
    assert_eq!(imported.require_exact(), Ok(()), "all scales are powers of two");
    let graph = imported.graph;
    let golden = shared(&format!("{folder}/{name}.golden.npz")).expect("goldens beside the model");
    let (x, y) = (npz(&golden, "x"), npz(&golden, "y"));
    assert_eq!(x.shape[0], 16);
    for (x, y) in x.rows().zip(y.rows()) {
        assert_eq!(graph.predict(&[x.to_vec()]).unwrap(), [y]);
    }
}

#[test]
fn tfc_1w1a() {
    tfc_is_exact("TFC_1W1A");
}

#[test]
fn tfc_1w2a() {
    tfc_is_exact("TFC_1W2A");
}

#[test]
fn tfc_2w2a() {
    tfc_is_exact("TFC_2W2A");
}

/// The input in a format of the user's: the first quantiser is then built in hardware as well.
#[test]
fn an_input_format_moves_the_first_quantiser_into_hardware() {
    let path = "models/qonnx-zoo-tfc/TFC_1W2A.onnx";
    let (Some(outside), Some(inside)) = (import(path, &[]), import(path, &["u8.8"])) else {
        return;
    };
    assert_eq!(inside.graph.inputs()[0].range, (0, 255));
    assert!(inside.graph.layers().len() > outside.graph.layers().len());
    let x: Vec<f32> = (0..784).map(|i| (i * 37 % 256) as f32 / 256.0).collect();
    assert_eq!(inside.graph.predict(std::slice::from_ref(&x)).unwrap(), outside.graph.predict(&[x]).unwrap());
}

/// Scales are no powers of two here, so the reference's float sums carry noise: its outputs are equal as integers.
#[test]
fn keyword_spotting() {
    let folder = "models/mlperf-tiny";
    let Some(imported) = import(&format!("{folder}/kws_w3a3_qonnx.onnx"), &[]) else {
        return;
    };
    let graph = &imported.graph;
    assert!(imported.require_exact().is_err());
    let output = graph.outputs()[0].decode.as_ref().expect("a scale");
    let unit = *output.unit.as_scalar().expect("one scale for all outputs");
    let golden = shared(&format!("{folder}/kws_w3a3.golden.npz")).expect("goldens beside the model");
    let (x, y) = (npz(&golden, "x"), npz(&golden, "y"));
    for (x, y) in x.rows().zip(y.rows()) {
        let inputs = graph.encode(&[x.to_vec()]).unwrap();
        let integers = graph.evaluate(&inputs).unwrap().outputs()[0].to_vec();
        let expected: Vec<i64> = y.iter().map(|y| (f64::from(*y) / unit).round() as i64).collect();
        assert_eq!(integers, expected);
    }
    let sample = npy(&shared(&format!("{folder}/kws_input.npy")).unwrap());
    let class = npy(&shared(&format!("{folder}/kws_expected_output.npy")).unwrap());
    let scores = &graph.predict(&[sample.values]).unwrap()[0];
    let best = (0..12).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap();
    assert_eq!(best as f32, class.values[0]);
}

#[test]
fn multi_threshold_with_top_1() {
    let folder = "models/finn";
    let Some(Imported { graph, .. }) = import(&format!("{folder}/tfc_w1a1_build_dataflow_model.onnx"), &["u8.0"])
    else {
        return;
    };
    let x = npy(&shared(&format!("{folder}/input.npy")).unwrap());
    let y = npy(&shared(&format!("{folder}/expected_output.npy")).unwrap());
    for (x, y) in x.rows().zip(&y.values) {
        assert_eq!(graph.predict(&[x.to_vec()]).unwrap(), [[*y]]);
    }
}

/// Convolutions with per-channel scales, batch normalisation and a sub-pixel shuffle.
#[test]
fn a_super_resolution_network_is_read() {
    let Some(Imported { graph, doubts, .. }) = import("models/qonnx-tests/espcn_subpixel_quant.onnx", &["u8.8"]) else {
        return;
    };
    println!("{}{doubts:?}", graph.inspect());
    assert_eq!(graph.info(graph.outputs()[0].tensor).shape, [1, 3, 256, 256]);
}

#[test]
fn a_float_network_is_refused_with_advice() {
    let Some(path) = shared("models/qonnx-tests/mnist_conv_float.onnx") else {
        return;
    };
    let error = onnx::read(&std::fs::read(path).unwrap(), &[]).unwrap_err();
    assert!(error.to_string().contains("quantise"), "{error}");
}
