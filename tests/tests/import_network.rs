//! Imported networks as data paths: the hardware's meaning against the model's.

use hwgen::import::lift::InputFormat;
use hwgen::import::onnx;
use hwgen::model::Graph;
use hwgen::network;
use hwgen_tests::numpy::npz;
use hwgen_tests::shared;

/// All outputs of hardware and model for one set of integers.
fn same(graph: &Graph, module: &std::sync::Arc<hdl::dfg::Module>, inputs: &[Vec<i64>]) {
    let expected: Vec<i128> =
        graph.evaluate(inputs).unwrap().outputs().concat().iter().map(|v| i128::from(*v)).collect();
    let flat: Vec<i128> = inputs.concat().iter().map(|v| i128::from(*v)).collect();
    assert_eq!(hdl::dfg::eval::evaluate(module, &flat).unwrap(), expected);
}

fn trained(name: &str, format: Option<&str>) {
    let Some(path) = shared(&format!("models/qonnx-zoo-tfc/{name}.onnx")) else {
        return;
    };
    let formats: Vec<InputFormat> = format.map(|f| InputFormat::parse(f).unwrap()).into_iter().collect();
    let graph = onnx::read(&std::fs::read(&path).unwrap(), &formats).unwrap().graph;
    let module = network::build(&graph, "tfc").unwrap();
    let golden = path.with_extension("golden.npz");
    for x in npz(&golden, "x").rows().take(4) {
        same(&graph, &module, &graph.encode(&[x.to_vec()]).unwrap());
    }
}

#[test]
fn tfc_1w1a() {
    trained("TFC_1W1A", None);
}

#[test]
fn tfc_2w2a_with_its_input_quantiser() {
    trained("TFC_2W2A", Some("u8.8"));
}

/// Every operator, from JSON as another tool would write it.
#[test]
fn every_operator() {
    let graph = Graph::from_json(include_str!("data/every_operator.json")).unwrap();
    let again = Graph::from_json(&graph.to_json()).unwrap();
    assert_eq!(graph, again);
    let module = network::build(&graph, "every_operator").unwrap();
    let count: usize = graph.inputs()[0].shape.iter().product();
    let (lo, hi) = graph.inputs()[0].range;
    let mut state = 1u64;
    for _ in 0..200 {
        let values = (0..count)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                lo + (state >> 33) as i64 % (hi - lo + 1)
            })
            .collect();
        same(&graph, &module, &[values]);
    }
}
