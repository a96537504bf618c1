//! ONNX files for several samples.

use std::path::Path;

use hwgen::import::lift::InputFormat;
use hwgen::import::onnx;
use hwgen::import::onnx::proto::ModelProto;
use prost::Message as _;

/// One sample of a file for several is built if no node joins them; else all of them are one event.
#[test]
fn samples_are_taken_apart_only_where_nodes_keep_them_apart() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/onnx/batch_of_four.onnx");
    let mut model = ModelProto::decode(&*std::fs::read(file).unwrap()).unwrap();
    let shape = |model: &ModelProto| {
        let imported = onnx::read(&model.encode_to_vec(), &[InputFormat::parse("s6.3").unwrap()]).unwrap();
        imported.graph.inputs()[0].shape.clone()
    };
    assert_eq!(shape(&model), [1, 1, 4, 4]);
    model.graph.as_mut().unwrap().node[0].attribute[0].ints = vec![3, 1, 2, 0];
    assert_eq!(shape(&model), [4, 1, 4, 4]);
}
