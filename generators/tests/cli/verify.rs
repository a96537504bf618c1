//! `hwgen verify`: what it must not say of a sound folder, of a changed one, and of Verilog that is none of ours.

use std::fs;

use super::support::Home;

const OUT: &str = "assign y = ";

/// A small network whose last assignment is this instead, and what is said of it.
fn verified(last: Option<&str>) -> (Option<i32>, String) {
    let home = Home::new();
    let size = ["--layers", "4,4,3", "--bits", "4", "--input-format", "s4.0", "--events", "16", "--target", "xcup"];
    home.success(&[&["dense", "--no-verify", "--out", "rtl"][..], &size].concat());
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

/// What a generating command says of the Verilog at its end.
fn said_at_the_end(command: &[&str]) -> String {
    let output = Home::new().run(&[command, &["--out", "rtl"]].concat());
    assert_eq!(output.status.code(), Some(0));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn generating_commands_prove_what_they_write() {
    let dense = ["dense", "--layers", "2,2", "--bits", "3", "--events", "4"];
    let proved = "the Verilog is proved equal to its model for every input, in ";
    assert!(said_at_the_end(&dense).contains(proved));
    let folded = said_at_the_end(&[&dense[..], &["--reuse", "2"]].concat());
    assert!(folded.contains("is not proved equal to its model: folded networks"), "{folded}");
    assert!(!said_at_the_end(&[&dense[..], &["--no-verify"]].concat()).contains("Verilog"));
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
