//! `--inputs` and `--expected`: what is compared, what is noise, and what is no comparison at all.

use std::fs;
use std::path::PathBuf;

use crate::support::Home;

/// A file of the network whose scale of 1/255 stands behind its last product.
fn one_255th(name: &str) -> String {
    let folder = "../tests/tests/data/onnx";
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder).join(format!("one_255th.{name}"));
    path.display().to_string()
}

fn npy(shape: &str, values: &[f32]) -> Vec<u8> {
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n");
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.bytes());
    file.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    file
}

/// The network built with its events and other expected results: exit code, and all that was said.
fn built(home: &Home, out: &str, options: &[&str]) -> (Option<i32>, String) {
    let (model, events) = (one_255th("onnx"), one_255th("x.npy"));
    let fixed = ["build", &model, "--inputs", &events, "--events", "4", "--effort", "fast", "--out", out];
    let output = home.run(&[&fixed[..], options].concat());
    let said = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    (output.status.code(), said.concat())
}

#[test]
fn the_same_integers_are_told_from_noise() {
    let home = Home::new();
    let (code, said) = built(&home, "rtl", &["--expected", &one_255th("y.npy")]);
    assert_eq!(code, Some(0), "{said}");
    let report = fs::read_to_string(home.path("rtl/report.json")).unwrap();
    assert!(report.contains("the same integers") && report.contains("noise in the last place"), "{report}");
}

#[test]
fn another_integer_is_a_failed_check() {
    let home = Home::new();
    let mut expected = fs::read(one_255th("y.npy")).unwrap();
    let last = expected.len() - 4;
    let value = f32::from_le_bytes(expected[last..].try_into().unwrap());
    expected[last..].copy_from_slice(&(value + 1.0 / 255.0).to_le_bytes());
    home.write("other.npy", expected);
    let (code, said) = built(&home, "rtl", &["--expected", "other.npy"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the model differs") && said.contains("event 23"), "{said}");
    assert!(!home.path("rtl").exists());
}

#[test]
fn what_compares_nothing_is_refused() {
    let home = Home::new();
    home.write("empty.npy", npy("(0, 1, 3)", &[]));
    home.write("few.npy", npy("(1, 1, 3)", &[0.0; 3]));
    home.write("flat.npy", npy("(72,)", &[0.0; 72]));
    home.write("nan.npy", npy("(1, 3)", &[0.0, f32::NAN, 0.0]));
    for (file, reason) in [
        ("empty.npy", "no numbers"),
        ("few.npy", "results of 1 events, --inputs has 24"),
        ("flat.npy", "shape [72]"),
        ("nan.npy", "[0, 1] is NaN"),
        ("nothing=few.npy", "no output `nothing`"),
        ("missing.npy", "read the numbers"),
    ] {
        let (code, said) = built(&home, "rtl", &["--expected", file]);
        assert_eq!(code, Some(2), "{file}: {said}");
        assert!(said.contains(reason), "{file}: {said}");
    }
    let (code, said) = built(&home, "rtl", &["--inputs", &one_255th("x.npy")]);
    assert!(code == Some(2) && said.contains("given twice"), "{said}");
}
