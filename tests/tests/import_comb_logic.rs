//! Programs that alkaid traced and saved, against what its own interpreter gives (`tests/models/comb_logic.py`).

use std::io::Write;
use std::path::{Path, PathBuf};

use hwgen::import::comb_logic;
use hwgen::model::{Graph, Op};
use hwgen::network;
use hwgen_tests::numpy::npz;
use serde_json::{Value as Json, json};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(name)
}

fn read(name: &str) -> Graph {
    read_from(&file(name))
}

fn read_from(path: &Path) -> Graph {
    let bytes = std::fs::read(path).expect("a program");
    let imported = comb_logic::read(&bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert_eq!(imported.require_exact(), Ok(()));
    imported.graph
}

/// How many of the outputs differ from the reference.
fn differences(graph: &Graph, reference: &Path) -> usize {
    let (x, y) = (npz(reference, "x"), npz(reference, "y"));
    assert!(x.shape[0] >= 1000);
    let row = |(x, y): (&[f32], &[f32])| {
        let got = graph.predict(&[x.to_vec()]).unwrap().remove(0);
        assert_eq!(got.len(), y.len());
        got.iter().zip(y).filter(|(a, b)| a != b).count()
    };
    x.rows().zip(y.rows()).map(row).sum()
}

fn hardware_is_the_model(graph: &Graph, reference: &Path) {
    let module = network::build(graph, "traced").unwrap();
    let batch = sim::batch::Batch::compile(&module).unwrap();
    let encoded = |x: &[f32]| graph.encode(&[x.to_vec()]).unwrap();
    let rows: Vec<Vec<Vec<i64>>> = npz(reference, "x").rows().map(encoded).collect();
    let flat: Vec<i64> = rows.iter().flat_map(|row| row.concat()).collect();
    let results = rows.iter().map(|row| graph.evaluate(row).unwrap().outputs().concat());
    let expected: Vec<i64> = results.flatten().collect();
    assert_eq!(batch.run(&flat).unwrap(), expected);
}

/// Sums are matrices again: one for each layer of the network that was traced.
#[test]
fn quantisers_that_wrap() {
    let graph = read("comb_wrapping.json");
    println!("{}", graph.inspect());
    let dense = graph.layers().iter().filter(|l| matches!(l.op, Op::Dense { .. }));
    assert_eq!(dense.count(), 3);
    assert_eq!(differences(&graph, &file("comb_wrapping.npz")), 0);
    hardware_is_the_model(&graph, &file("comb_wrapping.npz"));
}

#[test]
fn selections_products_and_tables() {
    let graph = read("comb_saturating.json");
    assert_eq!(differences(&graph, &file("comb_saturating.npz")), 0);
    hardware_is_the_model(&graph, &file("comb_saturating.npz"));
}

/// Gates, inversions and tests of all bits, on patterns that differ in sign, width and binary point.
#[test]
fn operations_on_bits() {
    let graph = read("comb_gates.json");
    assert_eq!(differences(&graph, &file("comb_gates.npz")), 0);
    hardware_is_the_model(&graph, &file("comb_gates.npz"));
}

/// The list that da4ml wrote before it became alkaid, against its own interpreter.
#[test]
fn programs_of_da4ml() {
    let graph = read("comb_da4ml.json");
    assert_eq!(differences(&graph, &file("comb_da4ml.npz")), 0);
    hardware_is_the_model(&graph, &file("comb_da4ml.npz"));
}

/// Each field of the list is read: a change of any is another result or an error.
#[test]
fn every_number_of_a_da4ml_program_counts() {
    let text = std::fs::read_to_string(file("comb_da4ml.json")).unwrap();
    let json: Json = serde_json::from_str(&text).unwrap();
    let reference = file("comb_da4ml.npz");
    let of_kind = |kind: i64| json[5].as_array().unwrap().iter().position(|o| o[2] == kind).unwrap();
    let seen = |change: &dyn Fn(&mut Json)| {
        let mut other = json.clone();
        change(&mut other);
        match comb_logic::read(other.to_string().as_bytes()) {
            Ok(imported) => differences(&imported.graph, &reference) != 0,
            Err(error) => !error.message.is_empty(),
        }
    };
    // operands and packed numbers; what an operation does not take is refused
    for (kind, place, number) in
        [(0, 3, 1), (4, 3, 7), (3, 1, 0), (3, 3, 1), (6, 3, 1i64 << 32), (7, 3, 2), (10, 3, 1 << 56)]
    {
        assert!(seen(&|json| json[5][of_kind(kind)][place] = number.into()), "kind {kind}, number {place}");
    }
    for gate_on_negated in [1i64 << 32, 1 << 33] {
        assert!(seen(&|json| json[5][of_kind(10)][3] = gate_on_negated.into()));
    }
    assert!(seen(&|json| json[5][of_kind(0)][2] = 1.into()) && seen(&|json| json[5][of_kind(0)][2] = 12.into()));
    assert!(seen(&|json| json[1][0] = 1.into()) && seen(&|json| json[3][0] = 3.into()));
    assert!(seen(&|json| json[2][0] = 0.into()) && seen(&|json| json[4][0] = (!json[4][0].as_bool().unwrap()).into()));
    assert!(seen(&|json| json[8][0]["spec"]["inp_width"] = 7.into()));
    assert!(seen(&|json| json[8][0]["mask"] = Json::Null) && seen(&|json| json.as_array_mut().unwrap().push(0.into())));
    assert!(!seen(&|json| json[6] = 8.into()), "sizes of the cost model are no part of the function");
}

/// Keys, list elements and tables that are not known.
#[test]
fn what_is_not_read_is_refused() {
    let text = std::fs::read_to_string(file("comb_saturating.json")).unwrap();
    let json: Json = serde_json::from_str(&text).unwrap();
    let refused = |change: &dyn Fn(&mut Json)| {
        let mut other = json.clone();
        change(&mut other);
        comb_logic::read(other.to_string().as_bytes()).expect_err("something that is not known").to_string()
    };
    refused(&|json| json["input_order"] = json!([0]));
    refused(&|json| json["model"].as_array_mut().unwrap().push(json!(1)));
    refused(&|json| json["model"][5][0].as_array_mut().unwrap().push(json!(1)));
    refused(&|json| json["model"][5][0][4] = json!("late"));
    refused(&|json| json["model"][8][0]["default"] = json!(1));
    refused(&|json| json["model"][8][0]["spec"]["signed"] = json!(true));
    let said = refused(&|json| drop(json["model"][8][0]["table"].as_array_mut().unwrap().pop()));
    assert!(said.contains("entries"), "{said}");
}

/// Every program in the folder that `HWGEN_COMB_PROGRAMS` names; `comb_logic.py FOLDER COUNT` fills one at random.
#[test]
fn random_operations_on_bits() {
    let Some(folder) = std::env::var_os("HWGEN_COMB_PROGRAMS") else {
        println!("skipped: HWGEN_COMB_PROGRAMS is not set");
        return;
    };
    let files = std::fs::read_dir(&folder).expect("a folder");
    let paths = files.map(|entry| entry.expect("a file").path());
    let programs: Vec<_> = paths.filter(|p| p.extension().is_some_and(|e| e == "json")).collect();
    for program in &programs {
        let (graph, reference) = (read_from(program), program.with_extension("npz"));
        assert_eq!(differences(&graph, &reference), 0, "{}", program.display());
        hardware_is_the_model(&graph, &reference);
    }
    println!("{} programs, no difference", programs.len());
}

/// The program with one operation changed: the first of that kind with that number.
fn changed(name: &str, kind: i64, place: usize, number: Option<i64>, other: impl Fn(i64) -> i64) -> Graph {
    let text = std::fs::read_to_string(file(name)).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let operations = json["model"][5].as_array_mut().expect("operations");
    let is = |o: &serde_json::Value| o[1] == kind && number.is_none_or(|n| o[2][place] == n);
    let found = operations.iter_mut().find(|o| is(o));
    let number = &mut found.expect("an operation of this kind")[2][place];
    *number = other(number.as_i64().expect("an integer")).into();
    comb_logic::read(json.to_string().as_bytes()).unwrap().graph
}

#[test]
fn a_wrong_constant_is_seen() {
    let graph = changed("comb_wrapping.json", 4, 0, None, |c| c + 1);
    assert_ne!(differences(&graph, &file("comb_wrapping.npz")), 0);
}

/// One gate for another, or whether any bit is set for whether all are.
#[test]
fn a_wrong_operation_on_bits_is_seen() {
    for (kind, place, number, other) in [(10, 1, 1, 0), (10, 1, 2, 0), (9, 0, 1, 2), (9, 0, 2, 1)] {
        let graph = changed("comb_gates.json", kind, place, Some(number), |_| other);
        let reference = file("comb_gates.npz");
        assert_ne!(differences(&graph, &reference), 0, "{kind} {number}");
    }
}

fn zip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

#[test]
fn other_files_are_refused_with_advice() {
    let text = std::fs::read_to_string(file("comb_wrapping.json")).unwrap();
    let refused = |text: &str| comb_logic::read(text.as_bytes()).unwrap_err();
    let old = refused(&text.replace("\"spec_version\":4", "\"spec_version\":3"));
    assert!(old.help.unwrap().contains("alkaid"));
    assert!(refused("{}").message.contains("CombLogic"));
    let inverted = refused(&text.replacen("],3,[0]", "],9,[0]", 1));
    assert!(inverted.message.contains("inverted"), "{inverted}");
    let unknown = refused(&text.replacen("],3,[0]", "],12,[0]", 1));
    assert!(unknown.message.contains("kind 12"), "{unknown}");
    let mut packed = zip(text.as_bytes());
    assert!(comb_logic::read(&packed).is_ok());
    let twice = comb_logic::read(&zip(&packed)).unwrap_err();
    assert!(twice.message.contains("twice"), "{twice}");
    packed.truncate(1000);
    let cut = comb_logic::read(&packed).unwrap_err();
    assert!(cut.message.contains("unpacked"), "{cut}");
    let large = comb_logic::read(&zip(&vec![b' '; (1 << 26) + 1])).unwrap_err();
    assert!(large.message.contains("67108864 bytes"), "{large}");
    let forward = refused(&text.replacen("[[0,", "[[100000,", 1));
    assert!(forward.message.contains("operation") || forward.message.contains("inputs"), "{forward}");
}
