//! Random graphs against the frameworks: networks of QONNX (`python/qonnx_campaign.py`), and operators with random settings
//! of all their attributes in all operator sets (`python/onnx_campaign.py`).
//!
//! `HWGEN_PYTHON` names a Python with the package (default `python3`; the test is skipped if it has none),
//! `HWGEN_CAMPAIGN_GRAPHS` how many graphs of each script, `HWGEN_CAMPAIGN_SEED` their seed, `HWGEN_CAMPAIGN` a folder of
//! graphs that exist already instead.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use hwgen::import::lift::InputFormat;
use hwgen::import::onnx;
use hwgen::model::{Graph, Step};
use hwgen::network;
use serde_json::Value as Json;

#[derive(Debug, Default)]
struct Tally {
    /// Graphs whose every output is exact.
    equal: usize,
    /// As many of these are wrong once an expected output is changed.
    noticed: usize,
    /// Graphs whose outputs carry the noise of the reference's float sums and agree within it.
    within_noise: usize,
    /// Graphs with a step that depends on the order of float additions, which `hwgen build` refuses unless told
    /// otherwise, and how many of them differ, all within the bound that it then states.
    doubtful: (usize, usize),
    /// Graphs that the importer refuses, by message.
    refused: BTreeMap<String, usize>,
    /// Graphs that differ.
    wrong: Vec<String>,
}

fn setting(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.into())
}

/// The folder with the graphs, made now if need be.
fn graphs(made: &Path, script: &str) -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("HWGEN_CAMPAIGN") {
        return Some(folder.into());
    }
    let python = setting("HWGEN_PYTHON", "python3");
    let available = Command::new(&python).args(["-c", "import qonnx, onnxruntime"]).output();
    if !available.is_ok_and(|o| o.status.success()) {
        println!("skipped: {python} has no qonnx and onnxruntime");
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(script);
    let done = Command::new(python)
        .arg(script)
        .arg(made)
        .args(["--graphs", &setting("HWGEN_CAMPAIGN_GRAPHS", "40")])
        .args(["--seed", &setting("HWGEN_CAMPAIGN_SEED", "1")])
        .output()
        .expect("a process");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Some(made.to_owned())
}

fn floats(rows: &Json) -> Vec<Vec<f32>> {
    let number = |v: &Json| v.as_f64().expect("a number") as f32;
    let row = |row: &Json| row.as_array().expect("a row").iter().map(number).collect();
    rows.as_array().expect("rows").iter().map(row).collect()
}

/// What became of one graph.
enum Verdict {
    /// Every output is exact, or equal within this noise.
    Agrees {
        noise: f64,
        doubtful: bool,
    },
    Differs {
        /// By no more than the importer says that it may.
        within_bound: bool,
    },
    Refused(String),
}

fn verdict(file: &Path, case: &Json) -> Verdict {
    let format = case["format"].as_str();
    let formats: Vec<InputFormat> = format.map(|f| InputFormat::parse(f).unwrap()).into_iter().collect();
    let imported = match onnx::read(&std::fs::read(file).unwrap(), &formats) {
        Ok(imported) => imported,
        Err(error) => {
            let message = error.message.split_once(": ").map_or("", |(_, m)| m);
            return Verdict::Refused(message.to_owned());
        }
    };
    hardware_agrees(&imported.graph, &floats(&case["x"])[0]);
    let decode = imported.graph.outputs()[0].decode.as_ref();
    let approximate = decode.is_some_and(|d| d.softmax.is_some() || d.steps.iter().any(Step::is_approximate));
    // frameworks approximate a function at the end
    let noise = if approximate { imported.noise[0].typical + 1e-6 } else { imported.noise[0].typical };
    let doubtful = !imported.doubts.is_empty();
    let bound = imported.bounds()[0].filter(|_| doubtful).unwrap_or(0.0);
    let mut furthest = 0f64;
    let samples = floats(&case["x"]).into_iter().zip(floats(&case["y"]));
    let agree = samples.map(|(x, y)| {
        let got = imported.graph.predict(&[x]).unwrap().remove(0);
        for (a, b) in got.iter().zip(&y) {
            furthest = furthest.max(f64::from((a - b).abs()));
        }
        if approximate && imported.noise[0].is_none() {
            return got.iter().zip(&y).all(|(a, b)| (a - b).abs() <= 2e-6 * (1.0 + b.abs()));
        }
        if noise == 0.0 {
            return got == y;
        }
        let scale = y.iter().fold(1.0f64, |m, v| m.max(f64::from(v.abs())));
        let near = |(a, b): (&f32, &f32)| f64::from((a - b).abs()) <= 16.0 * noise + 1e-5 * scale;
        got.iter().zip(&y).all(near)
    });
    // every event is looked at, for the furthest of them
    if agree.filter(|agrees| !agrees).count() == 0 {
        Verdict::Agrees { noise, doubtful }
    } else {
        Verdict::Differs { within_bound: furthest <= bound * (1.0 + 1e-5) }
    }
}

/// The data path gives the model's integers.
fn hardware_agrees(graph: &Graph, x: &[f32]) {
    let inputs = graph.encode(&[x.to_vec()]).unwrap();
    let expected = graph.evaluate(&inputs).unwrap().outputs().concat();
    let module = network::build(graph, "campaign").unwrap();
    let wide = |values: &[i64]| values.iter().map(|v| i128::from(*v)).collect::<Vec<_>>();
    let got = hdl::dfg::eval::evaluate(&module, &wide(&inputs.concat())).unwrap();
    assert_eq!(got, wide(&expected));
}

fn json(file: &Path) -> Json {
    serde_json::from_str(&std::fs::read_to_string(file.with_extension("json")).unwrap()).unwrap()
}

impl Tally {
    fn count(&mut self, file: &Path) {
        let case = json(file);
        match verdict(file, &case) {
            Verdict::Refused(message) => *self.refused.entry(message).or_default() += 1,
            Verdict::Agrees { doubtful: true, .. } => self.doubtful.0 += 1,
            Verdict::Differs { within_bound: true } => {
                self.doubtful.0 += 1;
                self.doubtful.1 += 1;
            }
            Verdict::Differs { within_bound: false } => self.wrong.push(file.display().to_string()),
            Verdict::Agrees { noise, .. } if noise > 0.0 => self.within_noise += 1,
            Verdict::Agrees { .. } => {
                self.equal += 1;
                self.check_the_check(file, case);
            }
        }
    }

    /// The comparison notices an output that is off by one float.
    fn check_the_check(&mut self, file: &Path, mut case: Json) {
        let value = &mut case["y"][0][0];
        let off = (value.as_f64().expect("a number") as f32).next_up();
        *value = Json::from(f64::from(off));
        self.noticed += usize::from(matches!(verdict(file, &case), Verdict::Differs { .. }));
    }
}

/// Every graph of the script agrees or is refused, no more than one in `refusals` of them.
fn agree(script: &str, refusals: usize) {
    let made = tempfile::tempdir().expect("a folder");
    let Some(folder) = graphs(made.path(), script) else {
        return;
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "onnx"))
        .collect();
    files.sort();
    let mut tally = Tally::default();
    files.iter().for_each(|file| tally.count(file));
    println!("{} graphs: {tally:#?}", files.len());
    assert!(tally.wrong.is_empty(), "{:?}", tally.wrong);
    assert_eq!(tally.noticed, tally.equal, "a changed output goes unnoticed");
    let refused: usize = tally.refused.values().sum();
    assert!(refused * refusals <= files.len(), "{refused} of {} graphs are refused", files.len());
    assert!(tally.equal * 3 >= files.len(), "too few graphs are exact");
}

#[test]
fn random_networks_agree_with_the_reference_execution() {
    agree("qonnx_campaign.py", 5);
}

#[test]
fn random_settings_of_all_operators_agree_with_the_frameworks() {
    agree("onnx_campaign.py", 2);
}
