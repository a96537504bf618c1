//! QKeras' and HGQ2's quantisers and layers against the frameworks' own results, in `data/keras`.

use std::path::{Path, PathBuf};

use hwgen::import::keras::quantiser_table;
use hwgen_tests::framework::{check, read};

fn model(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/keras").join(name)
}

#[test]
fn activations_of_qkeras() {
    for name in ["ternary", "quantized_tanh", "hard_sigmoid"] {
        check(&model(&format!("22-qkeras-activations/{name}.h5")), &["x"], &["y"]);
    }
}

#[test]
fn an_average_with_its_own_quantiser() {
    check(&model("10-qkeras-average-pooling/average.h5"), &["x"], &["y"]);
}

/// Half of each value passes without being quantised.
#[test]
fn a_part_that_is_not_quantised_is_refused() {
    let error = read(&model("11-qkeras-qnoise/activation.h5")).expect_err("a refusal");
    assert!(error.message.contains("`qnoise_factor` = 0.5"), "{error}");
}

#[test]
fn files_of_hgq2() {
    for name in
        ["einsum_batchnorm.keras", "qsum.keras", "lower_case_wrap.keras", "dead_input_f-14.keras", "legacy_h5.h5"]
    {
        check(&model(&format!("25-hgq2-files/hgq2_{name}")), &["x"], &["y"]);
    }
}

/// Made by `tests/python/hgq2_layers.py`.
#[test]
fn layers_of_hgq2() {
    for name in ["softmax", "einsum", "dot", "aff"] {
        check(&model(&format!("hgq2-layers/{name}.keras")), &["x"], &["y"]);
    }
}

/// Each model of the folder in `HWGEN_KERAS_MODELS`, written by `tests/python/keras_campaign.py`, is exact or refused.
#[test]
fn random_models_are_exact_or_refused() {
    let Some(folder) = std::env::var_os("HWGEN_KERAS_MODELS") else {
        println!("skipped: HWGEN_KERAS_MODELS names no folder of models");
        return;
    };
    let (mut exact, mut doubtful, mut refused, mut wrong) = (0, 0, Vec::new(), Vec::new());
    let entries = std::fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path());
    let mut models: Vec<PathBuf> =
        entries.filter(|p| p.extension().is_some_and(|e| e == "h5" || e == "keras")).collect();
    models.sort();
    for path in models {
        match read(&path) {
            Err(why) => refused.push(format!("{}: {}", path.display(), why.message)),
            Ok(imported) if imported.require_exact().is_err() => doubtful += 1,
            Ok(_) => match std::panic::catch_unwind(|| check(&path, &["x"], &["y"])) {
                Ok(_) => exact += 1,
                Err(_) => wrong.push(path),
            },
        }
    }
    refused.iter().for_each(|line| println!("refused {line}"));
    println!("{exact} exact, {doubtful} with doubtful steps, {} refused, {} wrong", refused.len(), wrong.len());
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// `docs/importers-quantisers.md` has the table that the code has. `HWGEN_WRITE_DOCS=1` writes it.
#[test]
fn the_table_of_quantisers_is_in_the_documentation() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/importers-quantisers.md");
    let text = std::fs::read_to_string(&path).expect("the page");
    let start = text.find("| quantiser |").expect("the table");
    let end = text[start..].find("\n\n").map_or(text.len(), |n| start + n + 1);
    if std::env::var_os("HWGEN_WRITE_DOCS").is_some() {
        let new = format!("{}{}{}", &text[..start], quantiser_table(), &text[end..]);
        std::fs::write(&path, new).expect("a page that can be written");
        return;
    }
    assert_eq!(&text[start..end], quantiser_table(), "run this test with HWGEN_WRITE_DOCS=1");
}
