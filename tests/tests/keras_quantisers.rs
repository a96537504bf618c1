//! QKeras' and HGQ2's quantisers and layers against the frameworks' own results, in `data/keras`.

use std::path::{Path, PathBuf};

use hwgen::import::file::forms_table;
use hwgen::import::keras::{quantiser_table, refused_table};
use hwgen_tests::framework::check;

fn model(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/keras").join(name)
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
        "dense_t_affine.keras",
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

/// Tables of the documentation are those that the code has. `HWGEN_WRITE_DOCS=1` writes them.
#[test]
fn the_tables_are_in_the_documentation() {
    for (page, head, table) in [
        ("importers.md", "| file |", forms_table()),
        ("importers-quantisers.md", "| quantiser |", quantiser_table()),
        ("importers-quantisers.md", "| layer |", refused_table()),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page);
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
