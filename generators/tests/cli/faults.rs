//! `hwgen faults`: campaigns of upsets in a small network, what they write, and what is refused.

use std::fs;

use super::support::Home;

/// A small network, up to the folder and what is hardened.
const DENSE: [&str; 15] = [
    "dense",
    "--no-verify",
    "--effort",
    "fast",
    "--layers",
    "3,3,2",
    "--bits",
    "4",
    "--input-format",
    "s4.0",
    "--events",
    "16",
    "--target",
    "xcup",
    "--out",
];

/// The network in the folder `rtl`.
fn home() -> Home {
    let home = Home::new();
    home.success(&[&DENSE[..], &["rtl"]].concat());
    home
}

#[test]
fn upsets_are_counted_ranked_and_drawn() {
    let home = home();
    let files = ["--ranking", "worst.txt", "--top", "3", "--heatmap", "upsets.svg"];
    let said = home.success(&[&["faults", "rtl", "--state", "a.state"][..], &files].concat());
    assert!(said.contains("exhaustive") && said.contains("| all "), "{said}");
    let worst = fs::read_to_string(home.path("worst.txt")).unwrap();
    assert!(worst.lines().count() == 3 && worst.lines().all(|name| name.ends_with(']')), "{worst}");
    // what is ranked can be triplicated, and is masked then
    home.success(&[&DENSE[..], &["hardened", "--tmr", "list:worst.txt"]].concat());
    let hardened: serde_json::Value = serde_json::from_str(&home.success(&["faults", "hardened", "--json"])).unwrap();
    let register = worst.lines().next().unwrap().rsplit_once('[').unwrap().0;
    let copy = format!("{register}_tmr_a");
    let names = |group: &str| -> Vec<&str> {
        hardened[group].as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect()
    };
    assert!(names("registers").contains(&&*copy), "{hardened}");
    assert!(!names("ranking").iter().any(|name| name.starts_with(register)), "{hardened}");
    assert!(fs::read_to_string(home.path("upsets.svg")).unwrap().contains("<rect"));
    // what is done is not done again, and another campaign does not go on from it
    assert_eq!(home.success(&["faults", "rtl", "--state", "a.state"]), said);
    let other = home.run(&["faults", "rtl", "--state", "a.state", "--campaign", "double"]);
    assert_eq!(other.status.code(), Some(2));

    let drawn = ["faults", "rtl", "--injections", "100", "--json", "--seed", "3"];
    let json = home.success(&drawn);
    assert!(json.contains("\"exhaustive\": false") && json.contains("\"interval\""), "{json}");
    assert_eq!(home.success(&drawn), json);
    for campaign in ["double", "rate=0.001"] {
        let said = home.success(&["faults", "rtl", "--campaign", campaign, "--injections", "50"]);
        assert!(said.contains("95 % interval"), "{said}");
    }
}

#[test]
fn a_bound_that_does_not_hold_is_exit_code_1_and_bad_input_2() {
    let home = home();
    for (args, code, message) in [
        (&["--require-masked"][..], 1, "faults are masked, 100 % were required"),
        (&["--require-masked", "0"], 0, ""),
        (&["--campaign", "set"], 2, "give one with --netlist"),
        (&["--campaign", "triple"], 2, "a campaign is single"),
        (&["--campaign", "rate=0.1", "--heatmap", "x.svg"], 2, "--heatmap is of register bits"),
        (&["--campaign", "stuck", "--ranking", "x"], 2, "--ranking takes another campaign"),
        (&["--detect", "alarm"], 2, "no output port `alarm`"),
        (&["--events", "1"], 2, "do not fill a pipeline"),
        (&["--cycles", "0..900"], 2, "faults strike in some of the cycles"),
        (&["--netlist", "none.v"], 2, "none.v"),
        (&["--netlist", "rtl/network.v"], 2, "network.v"),
    ] {
        let args = [&["faults", "rtl"], args].concat();
        let output = home.run(&args);
        let said = home.transcript(&args, &output);
        assert!(output.status.code() == Some(code) && said.contains(message), "{said}");
    }
}
