//! Keras files: names of outputs, configurations and weights as two files, classes of others.

use std::path::{Path, PathBuf};

use hwgen::import::keras;
use hwgen::import::lift::{Imported, InputFormat};
use hwgen_tests::framework;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("reports").join(name)
}

fn import(model: &Path) -> Imported {
    framework::read(model).unwrap_or_else(|e| panic!("{}: {e}", model.display()))
}

#[test]
fn outputs_as_the_model_lists_them() {
    let imported = import(&folder("06-keras-outputs/latent_and_score_qkeras.h5"));
    let names: Vec<&str> = imported.graph.outputs().iter().map(|o| o.name.as_str()).collect();
    assert_eq!(names, ["latent", "d2"]);
}

/// The configuration and the tensors in an archive, which are what `to_json` and `save_weights` write as two files.
fn parts(model: &Path) -> (String, Vec<u8>) {
    let file = std::fs::File::open(model).expect("a model");
    let mut archive = zip::ZipArchive::new(file).expect("an archive");
    let mut part = |name: &str| {
        let mut bytes = Vec::new();
        let mut entry = archive.by_name(name).expect("a part of that name");
        std::io::Read::read_to_end(&mut entry, &mut bytes).expect("readable data");
        bytes
    };
    let config = String::from_utf8(part("config.json")).expect("JSON");
    (config, part("model.weights.h5"))
}

fn pair(config: &str, weights: Vec<u8>) -> Result<Imported, hdl::diag::Diagnostic> {
    keras::network_of_pair(config.as_bytes(), weights, &[InputFormat::parse("s6.3").expect("a format")])
}

#[test]
fn a_configuration_and_weights_as_two_files() {
    let model = folder("21-hls4ml-nested-models/nested_hgq2.keras");
    let (config, weights) = parts(&model);
    assert_eq!(pair(&config, weights.clone()).expect("a model").graph, import(&model).graph);
    // weights of another model: a layer less
    let error = pair(&config.replace("\"d1\"", "\"other\""), weights).unwrap_err();
    assert!(error.message.contains("`d1`"), "{}", error.message);
}

/// Up to Keras 2.13 each layer with weights took two numbers of its class.
#[test]
fn numbers_of_one_version_and_a_layer_of_another_are_refused() {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/keras/models/keras_213.keras");
    let (config, weights) = parts(&model);
    let error = pair(&config.replacen("\"class_name\": \"Dense\"", "\"class_name\": \"QDense\"", 1), weights);
    error.expect_err("tensors of another class");
}

/// A class of the user's own may be called as a framework's, and compute something else.
#[test]
fn classes_of_others_are_refused() {
    for (model, from, to, why) in [
        (
            "keras215_residual.keras",
            "\"module\": \"keras.layers\", \"class_name\": \"Add\"",
            "\"module\": \"mine\", \"class_name\": \"Add\"",
            "`mine`",
        ),
        (
            "keras215_residual.keras",
            "\"module\": \"qkeras.qlayers\", \"class_name\": \"QDense\"",
            "\"module\": null, \"class_name\": \"QDense\"",
            "program of its own",
        ),
        (
            "keras215_residual.keras",
            "\"module\": \"qkeras.quantizers\"",
            "\"module\": \"mine.quantizers\"",
            "`mine.quantizers`",
        ),
        ("keras215_residual.keras", "\"class_name\": \"Functional\"", "\"class_name\": \"mine>Functional\"", "`mine`"),
    ] {
        let (config, weights) = parts(&folder("12-keras-file-formats").join(model));
        assert!(config.contains(from), "{model} has no {from}");
        let error = pair(&config.replace(from, to), weights).unwrap_err();
        assert!(error.message.contains(why), "{why}: {}", error.message);
    }
}

/// What the configuration says of extents is read, and another number is refused.
#[test]
fn extents_that_the_tensors_do_not_have_are_refused() {
    let model = folder("12-keras-file-formats").join("keras215_residual.keras");
    let (config, weights) = parts(&model);
    let from = config.split("\"units\": ").nth(1).and_then(|rest| rest.split(',').next()).expect("a dense layer");
    let other = config.replacen(&format!("\"units\": {from},"), "\"units\": 1,", 1);
    let error = pair(&other, weights).unwrap_err();
    assert!(error.message.contains("its `units` is [1]"), "{}", error.message);
}
