//! QKeras' and HGQ2's quantisers and layers against the frameworks' own results, in `data/keras`.

use std::path::{Path, PathBuf};

use hwgen::import::keras::{quantiser_table, refused_table};
use hwgen::import::lift::Imported;
use hwgen_tests::framework::{check, read};
use hwgen_tests::numpy::npy;

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
    for name in [
        "softmax.keras",
        "einsum.keras",
        "dot.keras",
        "aff.keras",
        "dense_t.keras",
        "dense_t_named.h5",
        "conv_t1d.keras",
        "conv_t2d.keras",
        "attention.keras",
        "attention_fused.keras",
        "attention_named.h5",
        "linformer.keras",
        "linformer_named.h5",
    ] {
        check(&model(&format!("hgq2-layers/{name}")), &["x"], &["y"]);
    }
}

/// The first number that lies farther from the framework's than its own float sums and approximations may.
fn differs(imported: &Imported, path: &Path) -> Option<String> {
    const APPROXIMATION: f64 = 1e-6;
    let [x, y] = ["x.npy", "y.npy"].map(|part| npy(&path.with_extension(part)));
    let decode = imported.graph.outputs()[0].decode.as_ref();
    let quantised =
        decode.is_none_or(|d| d.steps.is_empty()) && imported.noise[0].is_none() && imported.doubts.is_empty();
    let bound = imported.bounds()[0].unwrap_or(0.0);
    let allowed = if quantised { 0.0 } else { bound + APPROXIMATION };
    x.rows().zip(y.rows()).enumerate().find_map(|(k, (x, y))| {
        let got = imported.graph.predict(&[x.to_vec()]).expect("inputs that fit").remove(0);
        let far = |(a, b): (&f32, &f32)| f64::from((a - b).abs()) > allowed;
        got.iter().zip(y).any(far).then(|| format!("sample {k} is {got:?}, expected {y:?}, allowed {allowed:.1e}"))
    })
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
            Ok(imported) => match differs(&imported, &path) {
                None if imported.require_exact().is_err() => doubtful += 1,
                None => exact += 1,
                Some(why) => wrong.push(format!("{}: {why}", path.display())),
            },
        }
    }
    refused.iter().for_each(|line| println!("refused {line}"));
    println!("{exact} exact, {doubtful} with doubtful steps, {} refused, {} wrong", refused.len(), wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `docs/importers-quantisers.md` has the tables that the code has. `HWGEN_WRITE_DOCS=1` writes them.
#[test]
fn the_tables_are_in_the_documentation() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/importers-quantisers.md");
    for (head, table) in [("| quantiser |", quantiser_table()), ("| layer |", refused_table())] {
        let text = std::fs::read_to_string(&path).expect("the page");
        let start = text.find(head).expect("the table");
        let end = text[start..].find("\n\n").map_or(text.len(), |n| start + n + 1);
        if std::env::var_os("HWGEN_WRITE_DOCS").is_some() {
            let new = format!("{}{table}{}", &text[..start], &text[end..]);
            std::fs::write(&path, new).expect("a page that can be written");
        } else {
            assert_eq!(&text[start..end], table, "run this test with HWGEN_WRITE_DOCS=1");
        }
    }
}
