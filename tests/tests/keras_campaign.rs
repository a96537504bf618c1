//! A campaign of Keras models with settings that are not the default, made by `tests/python/keras_attributes.py`: each is
//! equal to the framework, or refused. `HWGEN_KERAS_CAMPAIGN` names the folders that the script wrote, with colons between
//! them; without it there is nothing to run. `HWGEN_OUTCOMES` names a file for the table of outcomes
//! (`docs/importers-keras-attributes.md`).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use hwgen::import::keras;
use hwgen::import::lift::InputFormat;
use hwgen_tests::numpy::npy;
use serde_json::Value as Json;

/// By how much functions that frameworks only approximate, and float sums that are not exact, may differ, relative to
/// numbers of at least 1.
const NEARLY: f32 = 2e-5;

/// What became of a model.
enum Outcome {
    /// All samples to the last bit.
    Equal,
    /// All samples but for the last bits.
    Close,
    /// Refused, with this message.
    Refused(String),
    /// Other numbers or ports.
    Different(String),
}

fn outcome(folder: &Path, case: &Json) -> Outcome {
    let model = folder.join(case["file"].as_str().expect("a file"));
    let format = InputFormat::parse("s6.3").expect("a format");
    let imported = match keras::network(std::fs::read(&model).expect("a model"), &[format]) {
        Ok(imported) => imported,
        Err(refused) => return Outcome::Refused(refused.message),
    };
    let arrays = |letter: &str, count: &str| -> Vec<_> {
        let count = case[count].as_u64().expect("a count");
        (0..count).map(|k| npy(&model.with_extension(format!("{letter}{k}.npy")))).collect()
    };
    let (inputs, outputs) = (arrays("x", "inputs"), arrays("y", "outputs"));
    if (imported.graph.inputs().len(), imported.graph.outputs().len()) != (inputs.len(), outputs.len()) {
        return Outcome::Different("other ports".into());
    }
    let mut exact = true;
    for k in 0..inputs[0].shape[0] {
        let given: Vec<Vec<f32>> = inputs.iter().map(|x| x.rows().nth(k).expect("a row").to_vec()).collect();
        let got = match imported.graph.predict(&given) {
            Ok(got) => got,
            Err(why) => return Outcome::Different(format!("it cannot be evaluated: {}", why.message)),
        };
        for (got, wanted) in got.iter().zip(&outputs) {
            let wanted = wanted.rows().nth(k).expect("a row");
            if got.len() != wanted.len() {
                return Outcome::Different(format!("{} numbers instead of {}", got.len(), wanted.len()));
            }
            let near = |(a, b): (&f32, &f32)| (a - b).abs() <= NEARLY * b.abs().max(1.0);
            if let Some(i) = (0..got.len()).find(|&i| !near((&got[i], &wanted[i]))) {
                return Outcome::Different(format!("sample {k} [{i}]: {} instead of {}", got[i], wanted[i]));
            }
            exact &= got == wanted;
        }
    }
    if exact { Outcome::Equal } else { Outcome::Close }
}

/// Models of a layer and a setting, by what became of them.
type Outcomes = BTreeMap<(String, String), BTreeMap<&'static str, usize>>;

/// The table of outcomes in Markdown.
fn document(outcomes: &Outcomes) -> String {
    let mut text = String::from(
        "# Settings of Keras layers, tried\n\n\
         `tests/python/keras_attributes.py` sets each key of `get_config` of each layer to values other than the default, as \
         far as\nKeras takes them. The models are equal to Keras' own results (to the last bit, or but for last bits where a \
         function is only\napproximated or float sums are not exact), or refused by hwgen; none differs. Written by\n\
         `HWGEN_KERAS_CAMPAIGN=… HWGEN_OUTCOMES=… cargo test -p hwgen-tests --test keras_campaign`.\n\n\
         | layer | setting | equal | equal but for the last bits | refused |\n|---|---|---|---|---|\n",
    );
    for ((layer, key), counts) in outcomes {
        let count = |what: &str| counts.get(what).copied().unwrap_or(0);
        let [equal, close, refused] = ["equal", "equal but for the last bits", "refused"].map(count);
        let _ = writeln!(text, "| {layer} | {key} | {equal} | {close} | {refused} |");
    }
    text
}

#[test]
fn no_model_is_silently_different() {
    let Ok(folders) = std::env::var("HWGEN_KERAS_CAMPAIGN") else {
        println!("skipped: HWGEN_KERAS_CAMPAIGN names no folder of tests/python/keras_attributes.py");
        return;
    };
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut different = Vec::new();
    let mut outcomes = Outcomes::new();
    for folder in folders.split(':').map(Path::new) {
        let index = std::fs::read_to_string(folder.join("index.json")).expect("the script's index");
        let index: Json = serde_json::from_str(&index).expect("JSON");
        for case in index.as_array().expect("a list") {
            let (what, note) = match outcome(folder, case) {
                Outcome::Equal => ("equal", String::new()),
                Outcome::Close => ("equal but for the last bits", String::new()),
                Outcome::Refused(why) => ("refused", why),
                Outcome::Different(how) => {
                    different.push(format!("{} {case}: {how}", folder.display()));
                    ("different", how)
                }
            };
            *counts.entry(what).or_default() += 1;
            if let Some(layer) = case["layer"].as_str() {
                let key = case["key"].as_str().unwrap_or("none").to_owned();
                *outcomes.entry((layer.to_owned(), key)).or_default().entry(what).or_default() += 1;
            }
            println!("{what}\t{case}\t{note}");
        }
    }
    println!("{counts:?}");
    assert!(different.is_empty(), "{}", different.join("\n"));
    if let Some(file) = std::env::var_os("HWGEN_OUTCOMES") {
        std::fs::write(file, document(&outcomes)).expect("a file that can be written");
    }
}
