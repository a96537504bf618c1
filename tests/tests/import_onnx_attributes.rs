//! Every attribute and operand that ONNX's schema gives a supported operator, set to something that is not the default:
//! hwgen gives what the reference gives, or refuses the file.
//!
//! `HWGEN_PYTHON` names a Python with onnx, onnxruntime and qonnx (default `python3`; the test is skipped without them),
//! `HWGEN_ATTRIBUTES` a folder of files that exist already, `HWGEN_OUTCOMES` a file for the table of outcomes
//! (`docs/importers-onnx-attributes.md`).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use hwgen::import::lift::InputFormat;
use hwgen::import::onnx;
use hwgen::model::Step;
use serde_json::Value as Json;

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Equal,
    Refused,
    /// The reference refuses the file, hwgen does not.
    OnlyHere,
    Differs,
}

fn files() -> Option<(Option<tempfile::TempDir>, PathBuf)> {
    if let Some(folder) = std::env::var_os("HWGEN_ATTRIBUTES") {
        return Some((None, folder.into()));
    }
    let python = std::env::var("HWGEN_PYTHON").unwrap_or_else(|_| "python3".into());
    let available = Command::new(&python).args(["-c", "import qonnx, onnxruntime"]).output();
    if !available.is_ok_and(|o| o.status.success()) {
        println!("skipped: {python} has no qonnx and onnxruntime");
        return None;
    }
    let made = tempfile::tempdir().expect("a folder");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/onnx_attributes.py");
    let done = Command::new(python).arg(script).arg(made.path()).output().expect("a process");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let folder = made.path().to_owned();
    Some((Some(made), folder))
}

fn numbers(row: &Json) -> Vec<f64> {
    row.as_array().expect("a row").iter().map(|v| v.as_f64().expect("a number")).collect()
}

fn near(approximate: bool, noise: f64, got: &[f32], y: &[f64]) -> bool {
    let slack = |y: f64| match approximate {
        true => 2e-6 * (1.0 + y.abs()),
        false if noise > 0.0 => 16.0 * noise + 1e-6 * y.abs(),
        false => 0.0,
    };
    got.len() == y.len() && got.iter().zip(y).all(|(got, y)| (f64::from(*got) - y).abs() <= slack(*y))
}

fn outcome(file: &Path, case: &Json) -> Outcome {
    let format = case["format"].as_str();
    let formats: Vec<InputFormat> = format.map(|f| InputFormat::parse(f).unwrap()).into_iter().collect();
    let Ok(imported) = onnx::read(&std::fs::read(file).unwrap(), &formats) else {
        return Outcome::Refused;
    };
    let Some(rows) = case["y"].as_array() else {
        return Outcome::OnlyHere;
    };
    let graph = &imported.graph;
    let approximate = |k: usize| {
        let decode = graph.outputs()[k].decode.as_ref();
        decode.is_some_and(|d| d.softmax.is_some() || d.steps.iter().any(Step::is_approximate))
    };
    for (x, outputs) in case["x"].as_array().expect("rows").iter().zip(rows) {
        let x = numbers(x).into_iter().map(|v| v as f32).collect();
        let got = graph.predict(&[x]).unwrap();
        for (k, y) in outputs.as_array().expect("outputs").iter().enumerate() {
            let shape: Vec<u64> = graph.info(graph.outputs()[k].tensor).shape.iter().map(|e| *e as u64).collect();
            let same_shape = case["shapes"][k] == Json::from(shape);
            if !same_shape || !near(approximate(k), imported.noise[k].typical, &got[k], &numbers(y)) {
                return Outcome::Differs;
            }
        }
    }
    Outcome::Equal
}

/// How often each outcome occurred, by operator and what was set.
type Outcomes = BTreeMap<(String, String), BTreeMap<Outcome, usize>>;

fn table(outcomes: &Outcomes) -> String {
    let mut text = String::from(
        "# Attributes and operands of ONNX operators, tried\n\n\
         `tests/python/onnx_attributes.py` sets every attribute and operand of every supported operator, in all versions of the \
         operator set that differ, to values other than the default. Files are equal to onnxruntime's (or the `onnx` and `qonnx` \
         packages') results, or refused by hwgen, or refused by the reference alone. None differs. Written by \
         `HWGEN_OUTCOMES=… cargo test -p hwgen-tests --test import_onnx_attributes`.\n\n\
         | operator | set | equal | refused | refused by the reference only |\n|---|---|---|---|---|\n",
    );
    for ((operator, what), counts) in outcomes {
        let count = |outcome| counts.get(&outcome).copied().unwrap_or(0);
        let (equal, refused, only) = (count(Outcome::Equal), count(Outcome::Refused), count(Outcome::OnlyHere));
        let _ = writeln!(text, "| {operator} | {what} | {equal} | {refused} | {only} |");
    }
    text
}

#[test]
fn attributes_are_read_or_refused() {
    let Some((_made, folder)) = files() else {
        return;
    };
    let mut outcomes = Outcomes::new();
    let mut wrong = Vec::new();
    let mut count = 0;
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "onnx"))
        .collect();
    files.sort();
    for file in files {
        let case: Json = serde_json::from_str(&std::fs::read_to_string(file.with_extension("json")).unwrap()).unwrap();
        let outcome = outcome(&file, &case);
        let text = |key: &str| case[key].as_str().expect("text").to_owned();
        let (operator, what) = (text("operator"), text("what"));
        if outcome == Outcome::Differs {
            wrong.push(format!("{}: {operator} {} {what}", file.display(), case["version"]));
        }
        if what == "nothing" && outcome != Outcome::Equal {
            println!("{}: {operator} {} with nothing set: {outcome:?}", file.display(), case["version"]);
        }
        *outcomes.entry((operator, what)).or_default().entry(outcome).or_default() += 1;
        count += 1;
    }
    println!("{count} files, {} differ", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 1000, "too few files");
    if let Some(path) = std::env::var_os("HWGEN_OUTCOMES") {
        std::fs::write(path, table(&outcomes)).unwrap();
    }
}
