//! Programs that alkaid traced and saved, against what its own interpreter gives (`tests/models/comb_logic.py`).

use std::path::Path;

use hwgen::import::comb_logic;
use hwgen::model::{Graph, Op};
use hwgen::network;
use hwgen_tests::numpy::npz;

fn file(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("models")
        .join(name)
}

fn read(name: &str) -> Graph {
    let bytes = std::fs::read(file(name)).expect("a committed program");
    let imported = comb_logic::read(&bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert_eq!(imported.require_exact(), Ok(()));
    imported.graph
}

/// How many of the outputs differ from the reference.
fn differences(graph: &Graph, reference: &str) -> usize {
    let (x, y) = (npz(&file(reference), "x"), npz(&file(reference), "y"));
    assert!(x.shape[0] >= 1000);
    let row = |(x, y): (&[f32], &[f32])| {
        let got = graph.predict(&[x.to_vec()]).unwrap().remove(0);
        assert_eq!(got.len(), y.len());
        got.iter().zip(y).filter(|(a, b)| a != b).count()
    };
    x.rows().zip(y.rows()).map(row).sum()
}

fn hardware_is_the_model(graph: &Graph, reference: &str) {
    let module = network::build(graph, "traced").unwrap();
    let batch = sim::batch::Batch::compile(&module).unwrap();
    let encoded = |x: &[f32]| graph.encode(&[x.to_vec()]).unwrap();
    let rows: Vec<Vec<Vec<i64>>> = npz(&file(reference), "x").rows().map(encoded).collect();
    let flat: Vec<i64> = rows.iter().flat_map(|row| row.concat()).collect();
    let results = rows
        .iter()
        .map(|row| graph.evaluate(row).unwrap().outputs().concat());
    let expected: Vec<i64> = results.flatten().collect();
    assert_eq!(batch.run(&flat).unwrap(), expected);
}

/// Sums are matrices again: one for each layer of the network that was traced.
#[test]
fn quantisers_that_wrap() {
    let graph = read("comb_wrapping.json");
    println!("{}", graph.inspect());
    let dense = graph
        .layers()
        .iter()
        .filter(|l| matches!(l.op, Op::Dense { .. }));
    assert_eq!(dense.count(), 3);
    assert_eq!(differences(&graph, "comb_wrapping.npz"), 0);
    hardware_is_the_model(&graph, "comb_wrapping.npz");
}

#[test]
fn selections_products_and_tables() {
    let graph = read("comb_saturating.json");
    assert_eq!(differences(&graph, "comb_saturating.npz"), 0);
    hardware_is_the_model(&graph, "comb_saturating.npz");
}

/// One number of the program changed.
#[test]
fn a_wrong_constant_is_seen() {
    let text = std::fs::read_to_string(file("comb_wrapping.json")).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let operations = json["model"][5].as_array_mut().expect("operations");
    let constant = operations
        .iter_mut()
        .find(|o| o[1] == 4)
        .expect("a constant addition");
    constant[2][0] = (constant[2][0].as_i64().unwrap() + 1).into();
    let graph = comb_logic::read(json.to_string().as_bytes()).unwrap().graph;
    assert_ne!(differences(&graph, "comb_wrapping.npz"), 0);
}

#[test]
fn other_files_are_refused_with_advice() {
    let text = std::fs::read_to_string(file("comb_wrapping.json")).unwrap();
    let refused = |text: &str| comb_logic::read(text.as_bytes()).unwrap_err();
    let old = refused(&text.replace("\"spec_version\":4", "\"spec_version\":3"));
    assert!(old.help.unwrap().contains("alkaid"));
    assert!(refused("{}").message.contains("CombLogic"));
    let bitwise = refused(&text.replacen("],3,[0]", "],9,[0]", 1));
    assert!(bitwise.message.contains("single bits"), "{bitwise}");
    let forward = refused(&text.replacen("[[0,", "[[100000,", 1));
    assert!(
        forward.message.contains("operation") || forward.message.contains("inputs"),
        "{forward}"
    );
}
