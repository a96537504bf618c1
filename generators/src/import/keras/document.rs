//! The document that lists what is read of Keras models, made from the tables of classes and functions.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::class::{self, COMMON, HGQ, HGQ_KEYS, LayerClass};
use super::operation::functions;
use crate::import::keras::settings::{Accept, Known};

const HEAD: &str = include_str!("document.md");

/// The document in Markdown.
pub fn document() -> String {
    let mut text = HEAD.to_owned();
    let mut reasons = BTreeMap::new();
    text.push_str("\n## Layers\n\n| class | read | without influence |\n|---|---|---|\n");
    for class in class::all() {
        let known: Vec<&Known> = class.known.iter().copied().flatten().collect();
        let _ = writeln!(text, "| {} | {} | {} |", class.names.join(", "), keys(class), list(&known, &mut reasons));
    }
    let common: Vec<&Known> = COMMON.iter().collect();
    let _ = writeln!(text, "\nOf all layers without influence: {}.", list(&common, &mut reasons));
    let hgq: Vec<&Known> = HGQ.iter().collect();
    let read: Vec<String> = HGQ_KEYS.iter().map(|key| format!("`{key}`")).collect();
    let _ = writeln!(
        text,
        "Of layers of HGQ2 read as well: {}; without influence: {}.",
        read.join(", "),
        list(&hgq, &mut reasons)
    );
    text.push_str("\n## Functions\n\n| function | arguments | without influence |\n|---|---|---|\n");
    for function in functions() {
        let arguments: Vec<String> = function.parameters.iter().map(|p| format!("`{p}`")).collect();
        let known: Vec<&Known> = function.known.iter().collect();
        let _ = writeln!(text, "| {} | {} | {} |", function.name, arguments.join(", "), list(&known, &mut reasons));
    }
    text.push_str("\n## Why keys are without influence\n\n");
    for (key, why) in reasons {
        let _ = writeln!(text, "- {key}: {}", why.join("; "));
    }
    text
}

fn keys(class: &LayerClass) -> String {
    let keys: Vec<String> = class.keys.iter().copied().flatten().map(|key| format!("`{key}`")).collect();
    keys.join(", ")
}

/// The keys with the values that they may have; notes the reasons.
fn list(known: &[&Known], reasons: &mut BTreeMap<String, Vec<&'static str>>) -> String {
    let shown = |known: &&Known| {
        let shown = match known.accept {
            Accept::Any => format!("`{}`", known.key),
            Accept::Values(values) => format!("`{}` = {}", known.key, values.join(" or ")),
            Accept::When(what, _) => format!("`{}` = {what}", known.key),
        };
        let why = reasons.entry(shown.clone()).or_default();
        if !why.contains(&known.why) {
            why.push(known.why);
        }
        shown
    };
    known.iter().map(shown).collect::<Vec<String>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect_file;

    #[test]
    fn the_document_is_the_table() {
        expect_file!["../../../../docs/importers-keras.md"].assert_eq(&document());
    }

    /// `tests/python/keras_keys.py` asks the frameworks which keys their layers save.
    #[test]
    fn every_key_of_a_supported_layer_is_read_or_known() {
        let keys = include_str!("keys.json");
        let frameworks: BTreeMap<String, BTreeMap<String, Vec<String>>> = serde_json::from_str(keys).unwrap();
        let mut tried: Vec<&str> = Vec::new();
        for (framework, classes) in &frameworks {
            for (name, keys) in classes {
                let Some(class) = class::of(name) else { continue };
                tried.push(name);
                for key in keys {
                    let known =
                        class.known.iter().copied().chain([COMMON, HGQ]).flatten().any(|known| known.key == *key);
                    assert!(known || class.reads(key), "`{key}` of {name} in {framework} is neither read nor known");
                }
            }
        }
        let missing: Vec<&str> =
            class::all().flat_map(|class| class.names).copied().filter(|n| !tried.contains(n)).collect();
        expect_test::expect![[r#"["QDenseBatchnorm", "BinaryDense", "TernaryDense", "BatchNormalizationV1", "SyncBatchNormalization", "QFlatten", "QReshape", "PruneLowMagnitude", "QConcatenate", "QEinsumDenseBatchnorm", "TFOpLambda", "SlicingOpLambda", "NodeEdgeProjection"]"#]].assert_eq(&format!("{missing:?}"));
    }
}
