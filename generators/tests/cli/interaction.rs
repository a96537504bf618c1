//! Interaction networks from a trained model and events with known truth, as their users build them.

use std::fs;
use std::path::Path;

use serde_json::Value as Json;

use crate::support::Home;

/// A trained network that ships, with its events.
fn shipped(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/interaction");
    folder.join(name).display().to_string()
}

#[test]
fn a_trained_network_is_built_and_measured() {
    let home = Home::new();
    let (model, events) = (shipped("tracking.json"), shipped("tracking-events.jsonl"));
    let build = ["interaction", "--model", &model, "--labelled", &events];
    home.success(&[&build[..], &["--events", "16", "--out", "rtl"]].concat());
    let text = fs::read_to_string(home.path("rtl/accuracy.json")).unwrap();
    let accuracy: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(accuracy["events"], 100);
    assert!(accuracy["separations"][0]["auc"].as_f64().unwrap() > 0.96);
    assert!(home.path("rtl/roc.svg").exists());
}

#[test]
fn a_stream_is_built_and_simulated() {
    let home = Home::new();
    let model = shipped("tracking.json");
    let size = ["--nodes", "8", "--edges", "16", "--reuse", "4", "--events", "8"];
    let build = ["interaction", "--model", &model, "--out", "rtl"];
    let said = home.success(&[&build[..], &size].concat());
    assert!(said.contains("initiation interval 4"), "{said}");
    assert!(home.success(&["sim", "rtl"]).contains("bit-exact"));
}

#[test]
fn a_seed_gives_the_same_events() {
    let home = Home::new();
    let make = |kind: &str, seed: &str, out: &str| {
        home.success(&["events", kind, "--count", "5", "--seed", seed, "--out", out]);
        fs::read(home.path(out)).unwrap()
    };
    for kind in ["tracking", "jets"] {
        let first = make(kind, "1", &format!("{kind}-a"));
        assert_eq!(first, make(kind, "1", &format!("{kind}-b")));
        assert_ne!(first, make(kind, "2", &format!("{kind}-c")));
    }
}

#[test]
fn events_and_models_that_do_not_fit_are_refused() {
    let home = Home::new();
    home.write("broken.jsonl", "{\"nodes\":[]}\n");
    let (model, jets) = (shipped("tracking.json"), shipped("jets-events.jsonl"));
    let refused = |options: &[&str], reason: &str| {
        let build = ["interaction", "--model", &model, "--out", "rtl"];
        let output = home.run(&[&build[..], options].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(reason), "{said}");
        assert!(!home.path("rtl").exists());
    };
    refused(&["--labelled", "broken.jsonl"], "line 1");
    refused(&["--labelled", &jets], "a jet");
    refused(&["--labelled", "missing.jsonl"], "read the events");
    refused(&["--reuse", "5"], "cannot be dealt out over 5 beats");
    refused(&["--reuse", "7", "--structure", "flat"], "made of blocks");
    refused(&["--format", "ap_fixed<8,4>"], "its own formats");
    refused(&["--layers", "5"], "5 layers");
}

/// A file that belongs to the tests of the formats.
fn data(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/tests/data/torch").join(name).display().to_string()
}

#[test]
fn a_state_dictionary_is_built_as_the_same_arrays_are() {
    let home = Home::new();
    let model = |file: &str, out: &str| {
        let build = ["interaction", "--model", file, "--format", "ap_fixed<8,4>", "--nodes", "3", "--edges", "2"];
        home.success(&[&build[..], &["--events", "8", "--out", out]].concat());
        fs::read_to_string(home.path(out).join("model.json")).unwrap()
    };
    assert_eq!(model(&data("state.pt"), "a"), model(&data("state.npz"), "b"));
    fs::write(home.path("module.pt"), fs::read(data("state.npz")).unwrap()).unwrap();
    let output = home.run(&["interaction", "--model", "module.pt", "--out", "c"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no file of torch.save"));
}

#[test]
fn keys_that_are_not_known_are_refused() {
    let home = Home::new();
    let text = fs::read_to_string(shipped("jets.json")).unwrap();
    let mut model: Json = serde_json::from_str(&text).unwrap();
    model["classifier"][0]["scale"] = 2.into();
    home.write("layer.json", model.to_string());
    let mut model: Json = serde_json::from_str(&text).unwrap();
    model["dropout"] = 0.5.into();
    home.write("network.json", model.to_string());
    home.write("arrays.json", r#"{"w1": [0.5, 0.5], "b1": [0.0], "w0": [1.0]}"#);
    for (file, key) in [("layer.json", "scale"), ("network.json", "dropout"), ("arrays.json", "w0")] {
        let output = home.run(&["interaction", "--model", file, "--out", "rtl"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(key) && said.contains(file), "{said}");
    }
}
