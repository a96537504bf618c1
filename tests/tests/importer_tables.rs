//! Tables of the documentation that the importers' code has.

use std::path::Path;

use hwgen::import::file::forms_table;
use hwgen::import::keras::{quantiser_table, refused_table};

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
