//! `hwgen verify`: what it must not say of a sound folder, of a changed one, and of Verilog that is none of ours.

use std::fs;

use super::support::Home;

const OUT: &str = "assign y = ";

/// A small network whose last assignment is this instead, and what is said of it.
fn verified(last: Option<&str>) -> (Option<i32>, String) {
    let home = Home::new();
    let size = ["--layers", "4,4,3", "--bits", "4", "--input-format", "s4.0", "--events", "16", "--target", "xcup"];
    home.success(&[&["dense", "--out", "rtl"][..], &size].concat());
    if let Some(last) = last {
        let text = fs::read_to_string(home.path("rtl/network.v")).unwrap();
        let (before, after) = text.split_once(OUT).unwrap();
        let (_, after) = after.split_once('\n').unwrap();
        home.write("rtl/network.v", format!("{before}{OUT}{last};\n{after}"));
    }
    let args = ["verify", "rtl"];
    let output = home.run(&args);
    (output.status.code(), home.transcript(&args, &output))
}

#[test]
fn a_sound_folder_is_proved() {
    let (code, said) = verified(None);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("proved for every input") && !said.contains("NOT PROVED"), "{said}");
}

#[test]
fn outputs_that_are_zero_are_refuted() {
    let (code, said) = verified(Some("34'd0"));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("REFUTED") && said.contains("of `y` is 0"), "{said}");
}

#[test]
fn other_verilog_is_refused_with_its_line() {
    let (code, said) = verified(Some("$random"));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("network.v:") && !said.contains("PROVED"), "{said}");
}
