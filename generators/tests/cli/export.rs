//! `hwgen export`: the files of each language, what becomes of edits, and what it refuses.

use std::fs;
use std::process::Command;

use crate::support::Home;

/// The integers of a port of the folder's vectors, as an initialiser.
fn port(vectors: &serde_json::Value, side: &str, name: &str) -> (usize, String) {
    let rows = vectors[side][name].as_array().unwrap();
    let text = serde_json::to_string(rows).unwrap().replace(['[', ']'], "");
    (rows.len(), text)
}

#[test]
fn exported_c_gives_the_folders_vectors() {
    let home = Home::new();
    home.success(&["dense", "--layers", "2,2", "--events", "8", "--no-verify", "--out", "rtl"]);
    let said = home.success(&["export", "rtl", "--lang", "c", "--out", "source"]);
    assert_eq!(said, "dense.h, dense.c in source\n");
    let text = fs::read_to_string(home.path("rtl/vectors/vectors.json")).unwrap();
    let vectors = serde_json::from_str(&text).unwrap();
    let ((events, x), (_, y)) = (port(&vectors, "inputs", "x"), port(&vectors, "outputs", "y"));
    let header = fs::read_to_string(home.path("source/dense.h")).unwrap();
    let line = header.lines().find(|line| line.starts_with("size_t dense_run")).unwrap();
    let kinds: Vec<&str> = line.split([' ', '(']).filter(|word| word.starts_with("int")).collect();
    let [in_kind, out_kind] = kinds[..] else { panic!("{line}") };
    let program = format!(
        "#include \"dense.h\"\nstatic const {in_kind} x[] = {{{x}}};\nstatic const {out_kind} y[] = {{{y}}};\n\
         int main(void)\n{{\n{out_kind} r[sizeof y / sizeof *y];\nif (dense_run({events}, x, r) != {events}) return 2;\n\
         for (size_t k = 0; k < sizeof y / sizeof *y; k++) if (r[k] != y[k]) return 1;\nreturn 0;\n}}\n"
    );
    home.write("source/main.c", program);
    let mut compiler = Command::new("cc");
    let options = ["-std=c99", "-Wall", "-Wextra", "-Werror", "dense.c", "main.c", "-o", "program"];
    assert!(compiler.args(options).current_dir(home.path("source")).status().unwrap().success());
    assert!(Command::new(home.path("source/program")).status().unwrap().success());
}

#[test]
fn edits_stay_and_what_is_no_model_is_refused() {
    let home = Home::new();
    home.success(&["dense", "--layers", "2,2", "--events", "4", "--no-verify", "--out", "rtl"]);
    let export = ["export", "rtl", "--lang", "c", "--out", "source"];
    home.success(&export);
    let first = home.tree();
    home.success(&export);
    assert_eq!(home.tree(), first);
    home.write("source/dense.c", "int main(void) { return 0; }\n");
    assert_eq!(home.run(&export).status.code(), Some(2));
    assert_eq!(home.run(&["export", ".", "--lang", "c", "--out", "other"]).status.code(), Some(2));
    assert!(!home.path("other").exists());
}
