//! Small ONNX files with the outputs of the framework that they come from: `data/onnx/NAME.onnx`, `NAME.x.npy`,
//! `NAME.y.npy` and in `NAME.args` the arguments of `hwgen build`.

use std::path::{Path, PathBuf};

use hwgen::import::lift::{Imported, InputFormat};
use hwgen::import::onnx;
use hwgen::import::onnx::proto::ModelProto;
use hwgen::network;
use hwgen_tests::numpy::npy;
use prost::Message as _;

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/onnx");
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "onnx"))
        .collect();
    files.sort();
    files
}

fn import(file: &Path) -> Imported {
    let arguments = std::fs::read_to_string(file.with_extension("args")).expect("arguments");
    let words: Vec<&str> = arguments.split_whitespace().collect();
    let formats: Vec<InputFormat> = words
        .chunks(2)
        .map(|pair| match pair {
            ["--input-format", format] => InputFormat::parse(format).unwrap(),
            other => panic!("{}: unknown arguments {other:?}", file.display()),
        })
        .collect();
    onnx::read(&std::fs::read(file).unwrap(), &formats).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

/// Every output of every sample, to the last bit; as integers where the framework's own floats are not exact.
fn agrees(file: &Path, y: &[f32], got: &[f32], imported: &Imported) -> bool {
    if imported.noise[0].is_none() {
        return y == got;
    }
    let decode = imported.graph.outputs()[0].decode.as_ref().expect("a scale");
    let unit = *decode.unit.as_scalar().unwrap_or_else(|| panic!("{}: one scale", file.display()));
    let steps = |v: &f32| (f64::from(*v) / unit).round();
    y.iter().map(steps).eq(got.iter().map(steps))
}

#[test]
fn outputs_are_the_frameworks() {
    let files = files();
    assert!(files.len() >= 8, "the files are missing");
    for file in files {
        let imported = import(&file);
        let graph = &imported.graph;
        let (x, y) = (npy(&file.with_extension("x.npy")), npy(&file.with_extension("y.npy")));
        let module = network::build(graph, "file").unwrap();
        for (x, y) in x.rows().zip(y.rows()) {
            let got = graph.predict(&[x.to_vec()]).unwrap().remove(0);
            assert!(agrees(&file, y, &got, &imported), "{}: {got:?}, expected {y:?}", file.display());
            let mut off = got.clone();
            off[0] += 1.0;
            assert!(!agrees(&file, y, &off, &imported), "{}: a changed output goes unnoticed", file.display());
            let inputs = graph.encode(&[x.to_vec()]).unwrap();
            let wide = |values: &[i64]| values.iter().map(|v| i128::from(*v)).collect::<Vec<_>>();
            let hardware = hdl::dfg::eval::evaluate(&module, &wide(&inputs.concat())).unwrap();
            let expected = graph.evaluate(&inputs).unwrap().outputs().concat();
            assert_eq!(hardware, wide(&expected), "{}", file.display());
        }
    }
}

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
