//! The table of layers as a page of the documentation, from the same data that the reader uses.

use std::fmt::Write;

use super::class::{self, LayerClass};
use crate::import::settings::{Accept, Known};

/// The page, in Markdown.
pub(super) fn page() -> String {
    let mut text = String::from(
        "# Keras layers\n\nWritten by the program (`UPDATE_EXPECT=1 cargo test -p hwgen --lib keras::table`). A setting that \
         is neither read nor without influence, or has another value than those named, ends the import with the layer, \
         the setting and its value.\n\nWithout influence in every layer: ",
    );
    text += &described(class::COMMON);
    text += ".\n\nLinear layers, beside that: ";
    text += &described(class::WEIGHTS);
    text += ".\n\nAll layers of HGQ2: ";
    text += &described(class::HGQ);
    text += ".\n\n| layer | read | without influence |\n|---|---|---|\n";
    for class in class::all() {
        let names = class.names.join(", ");
        writeln!(text, "| {names} | {} | {} |", code(class.keys), own(class)).expect("a text");
    }
    text
}

/// What is without influence in this class only.
fn own(class: &LayerClass) -> String {
    let shared = |k: &&Known| !class::WEIGHTS.iter().any(|w| w.key == k.key);
    let own: Vec<Known> = class.known.iter().flat_map(|list| list.iter()).filter(shared).copied().collect();
    described(&own)
}

fn code(keys: &[&str]) -> String {
    keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
}

fn described(known: &[Known]) -> String {
    let one = |k: &Known| {
        let value = match k.accept {
            Accept::Any => String::new(),
            Accept::Values(values) => format!(" = {}", values.join(" or ")),
            Accept::When(what, _) => format!(" = {what}"),
        };
        format!("`{}`{value} ({})", k.key, k.why)
    };
    known.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_page_is_as_the_program_writes_it() {
        expect_test::expect_file!["../../../../docs/keras-layers.md"].assert_eq(&page());
    }

    /// Keys of `get_config` of each class, as the frameworks give them; `tests/python/keras_attributes.py` writes them.
    #[test]
    fn every_key_that_the_frameworks_have_is_known() {
        let text = include_str!("../../../../tests/reports/keras-keys.json");
        let classes: BTreeMap<String, Vec<String>> = serde_json::from_str(text).unwrap();
        let mut supported = 0;
        for (name, keys) in classes {
            let Some(class) = class::of(&name) else { continue };
            supported += 1;
            let known: Vec<Known> = [class.known, &[class::COMMON, class::HGQ]].concat().concat();
            for key in keys {
                let listed = class.keys.contains(&key.as_str())
                    || class::HGQ_KEYS.contains(&key.as_str())
                    || known.iter().any(|k| k.key == key);
                assert!(listed, "{name}: `{key}` is neither read nor known");
            }
        }
        assert!(supported > 30, "{supported}");
    }
}
