//! `hwgen run`: models in files and in folders, and what it refuses.

use std::fs;
use std::path::PathBuf;

use crate::support::Home;

fn data(name: &str) -> String {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/tests/data/onnx").join(name).display().to_string()
}

#[test]
fn a_file_runs_in_the_frameworks_numbers() {
    let home = Home::new();
    let (model, events) = (data("one_255th.onnx"), data("one_255th.x.npy"));
    let said = home.success(&["run", &model, "--input", &events, "--output", "y.npy", "--float", "--threads", "2"]);
    assert!(said.contains("events in y.npy: network"), "{said}");
    // the framework's own results, but for noise in their last places
    let floats = |file: Vec<u8>| -> Vec<f32> {
        let begin = 10 + usize::from(u16::from_le_bytes([file[8], file[9]]));
        file[begin..].chunks_exact(4).map(|v| f32::from_le_bytes(v.try_into().unwrap())).collect()
    };
    let ours = floats(fs::read(home.path("y.npy")).unwrap());
    let theirs = floats(fs::read(data("one_255th.y.npy")).unwrap());
    assert_eq!(ours.len(), theirs.len());
    assert!(ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() <= 1e-5 * b.abs().max(1.0)), "{ours:?}");
}

#[test]
fn a_folder_runs_as_its_model() {
    let home = Home::new();
    home.success(&["dense", "--layers", "2,2", "--events", "4", "--out", "rtl"]);
    home.write("x.csv", "1,2\n3,4\n");
    let run = |options: &[&str]| {
        let fixed = ["run", "rtl", "--input", "x.csv", "--output", "y.csv"];
        let output = home.run(&[&fixed[..], options].concat());
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(run(&[]).0, Some(0));
    assert_eq!(fs::read_to_string(home.path("y.csv")).unwrap().lines().count(), 3);
    for (options, why) in [
        (&["--input-format", "s8.0"][..], "leave --weights-file and --input-format away"),
        (&["--trace", "nothing"], "there is no layer `nothing`"),
        (&["--input", "x.csv"], "is given twice"),
    ] {
        let (code, said) = run(options);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(why), "{said}");
    }
    let output = home.run(&["run", ".", "--input", "x.csv", "--output", "y.csv"]);
    assert_eq!(output.status.code(), Some(2));
}
