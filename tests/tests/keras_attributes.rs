//! Keras models with one setting that is not the default, made by `tests/python/keras_attributes.py`: each is equal to the
//! framework, or refused. `HWGEN_KERAS_ATTRIBUTES` names the folders that the script wrote, with colons between them; without
//! it there is nothing to run. `HWGEN_OUTCOMES` names a file for the table of outcomes
//! (`docs/importers-keras-attributes.md`).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use hwgen_tests::framework::{Verdict, verdict};
use serde_json::Value as Json;

/// Models of a layer and a setting, by what became of them.
type Outcomes = BTreeMap<(String, String), BTreeMap<&'static str, usize>>;

/// The table of outcomes in Markdown.
fn document(outcomes: &Outcomes) -> String {
    let mut text = String::from(
        "# Settings of Keras layers, tried\n\n\
         `tests/python/keras_attributes.py` sets each key of `get_config` of each layer to values other than the default, as \
         far as\nKeras takes them. The models are equal to Keras' own results (to the last bit, or but for last bits where a \
         function is only\napproximated or float sums are not exact), or refused by hwgen; none differs. Written by\n\
         `HWGEN_KERAS_ATTRIBUTES=… HWGEN_OUTCOMES=… cargo test -p hwgen-tests --test keras_attributes`.\n\n\
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
    let Ok(folders) = std::env::var("HWGEN_KERAS_ATTRIBUTES") else {
        println!("skipped: HWGEN_KERAS_ATTRIBUTES names no folder of tests/python/keras_attributes.py");
        return;
    };
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut different = Vec::new();
    let mut outcomes = Outcomes::new();
    for folder in folders.split(':').map(Path::new) {
        let index = std::fs::read_to_string(folder.join("index.json")).expect("the script's index");
        let index: Json = serde_json::from_str(&index).expect("JSON");
        for case in index.as_array().expect("a list") {
            let (what, note) = match verdict(&folder.join(case["file"].as_str().expect("a file"))) {
                Verdict::Equal => ("equal", String::new()),
                Verdict::Close | Verdict::Doubtful => ("equal but for the last bits", String::new()),
                Verdict::Refused(why) => ("refused", why),
                Verdict::Different(how) => {
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
