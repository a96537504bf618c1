//! Small networks that users of other tools had trouble with, against the framework's own results.
//!
//! `tests/reports` has a folder for each kind of thing that a reader can get wrong without noticing: shared layers, several
//! outputs, options of activations, axes, file formats. Those of ONNX stand in `tests/data/onnx`. Beside each model stand inputs (`.x.npy`, or `.x0.npy`
//! and so on for several), the framework's outputs (`.y.npy`) and the arguments that a user would give (`.args`).

use std::path::{Path, PathBuf};

use hwgen_tests::framework::{self, Verdict};

/// Models at whose end the framework adds floats, which has noise in the last place.
const CLOSE: &[&str] = &["one_255th"];

/// All files with a framework's results beside them.
fn models() -> Vec<PathBuf> {
    let reports = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports");
    let entries = |folder: &Path| std::fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path());
    let files = entries(&reports).filter(|path| path.is_dir()).flat_map(|folder| entries(&folder).collect::<Vec<_>>());
    let is_model = |path: &PathBuf| {
        path.extension().is_some_and(|ending| ["onnx", "keras", "h5"].iter().any(|known| ending == *known))
    };
    let mut models: Vec<PathBuf> = files.filter(is_model).collect();
    models.sort();
    models
}

#[test]
fn every_network_gives_the_framework_s_numbers() {
    let models = models();
    assert!(models.len() >= 24, "{} networks", models.len());
    for model in models {
        let name = model.file_stem().expect("a name").to_string_lossy().into_owned();
        let expected = if CLOSE.contains(&name.as_str()) { Verdict::Close } else { Verdict::Equal };
        assert_eq!(framework::verdict(&model), expected, "{}", model.display());
    }
}
