//! Small networks of every framework against its own results, to the last bit.
//!
//! `tests/reports` has a folder for each kind of thing that a reader can get wrong without noticing, after what users of
//! other tools reported: shared layers, several outputs, options of activations, axes, file formats. `tests/data` has more
//! of ONNX and Keras; what made them stands in `tests/python`. Beside each model stand inputs (`.x.npy`, or `.x0.npy` and
//! so on for several), the framework's outputs (`.y.npy`) and the arguments that a user would give (`.args`).

use std::path::Path;

use hwgen_tests::framework::{Verdict, models, verdict};

/// Folders below this crate's, and how many models each has at least.
const FOLDERS: [(&str, usize); 4] =
    [("reports", 23), ("tests/data/onnx", 16), ("tests/data/keras/models", 8), ("tests/data/keras/hgq2-layers", 13)];

/// Models at whose end the framework adds floats, which has noise in the last place.
const CLOSE: &[&str] = &["one_255th"];

fn check(folder: &str, count: usize) {
    let models = models(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder));
    assert!(models.len() >= count, "{} models in {folder}", models.len());
    for model in models {
        let name = model.file_stem().expect("a name").to_string_lossy().into_owned();
        let expected = if CLOSE.contains(&name.as_str()) { Verdict::Close } else { Verdict::Equal };
        assert_eq!(verdict(&model), expected, "{}", model.display());
    }
}

/// `NAME.why` is a part of the message.
#[test]
fn what_is_not_supported_is_refused_by_name() {
    for model in models(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/refused")) {
        let why = std::fs::read_to_string(model.with_extension("why")).expect("a part of a message");
        let verdict = verdict(&model);
        let said = matches!(&verdict, Verdict::Refused(message) if message.contains(why.trim_end()));
        assert!(said, "{}: {verdict:?} instead of {why}", model.display());
    }
}

#[test]
fn every_model_gives_the_framework_s_numbers() {
    for (folder, count) in FOLDERS {
        check(folder, count);
    }
}
