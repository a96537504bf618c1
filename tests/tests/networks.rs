//! Trained networks from files, unrolled: every reference result, exactly, in the batch simulator.

use std::path::PathBuf;

use hwgen::import::file::read;
use hwgen::import::lift::InputFormat;
use hwgen::network::build;
use hwgen_tests::numpy::{NumpyArray, npy, npz};
use hwgen_tests::shared;
use sim::batch::Batch;

/// Runs all of `x` through the hardware of `file` and compares with `y`; `None` if the file is not there.
fn exact(file: &str, formats: &[&str], x: impl Fn(PathBuf) -> (NumpyArray, NumpyArray)) -> Option<()> {
    let file = shared(&format!("models/{file}"))?;
    let formats: Vec<InputFormat> = formats.iter().map(|f| InputFormat::parse(f).unwrap()).collect();
    let network = read(&file, None, &formats).unwrap();
    let graph = &network.graph;
    let (x, y) = x(file);
    let events: Vec<Vec<i64>> = x.rows().map(|event| graph.encode(&[event.to_vec()]).unwrap().concat()).collect();
    let module = build(graph, "network").unwrap();
    let batch = Batch::compile(&module).unwrap();
    let outputs = batch.run::<i64>(&events.concat()).unwrap();
    let width = outputs.len() / events.len();
    assert_eq!(events.len(), y.shape[0]);
    for (k, (got, wanted)) in outputs.chunks(width).zip(y.rows()).enumerate() {
        if network.noise[0].is_none() {
            assert_eq!(graph.decode(0, got), wanted, "event {k}");
            continue;
        }
        // the reference's own sums carry noise: they are equal as integers
        let unit = graph.outputs()[0].decode.as_ref().unwrap().unit.values[0];
        let integers: Vec<i64> = wanted.iter().map(|y| (f64::from(*y) / unit).round() as i64).collect();
        assert_eq!(got, integers, "event {k}");
    }
    println!("{} events exact", events.len());
    Some(())
}

/// The arrays `x` and `y` beside the model.
fn golden(file: PathBuf) -> (NumpyArray, NumpyArray) {
    let name = file.file_stem().unwrap().to_str().unwrap();
    let name = name.trim_end_matches("_qonnx");
    let golden = file.with_file_name(format!("{name}.golden.npz"));
    (npz(&golden, "x"), npz(&golden, "y"))
}

#[test]
fn tfc_1w1a() {
    exact("qonnx-zoo-tfc/TFC_1W1A.onnx", &[], golden);
}

#[test]
fn tfc_1w2a() {
    exact("qonnx-zoo-tfc/TFC_1W2A.onnx", &[], golden);
}

#[test]
fn tfc_2w2a() {
    exact("qonnx-zoo-tfc/TFC_2W2A.onnx", &[], golden);
}

#[test]
fn keyword_spotting() {
    exact("mlperf-tiny/kws_w3a3_qonnx.onnx", &[], golden);
}

#[test]
fn finn_thresholds_and_top_1() {
    exact("finn/tfc_w1a1_build_dataflow_model.onnx", &["u8.0"], |file| {
        let beside = |name: &str| npy(&file.with_file_name(name));
        (beside("input.npy"), beside("expected_output.npy"))
    });
}
