//! `hwgen verify`: what it must not say of a sound folder, of a changed one, and of Verilog that is none of ours.

use std::fs;
use std::path::Path;

use super::support::{Home, available};

const OUT: &str = "assign y = ";

/// A small network whose last assignment is this instead, and what is said of it.
fn verified(last: Option<&str>) -> (Option<i32>, String) {
    let home = Home::new();
    let size = ["--layers", "4,4,3", "--bits", "4", "--input-format", "s4.0", "--events", "16", "--target", "xcup"];
    home.success(&[&["dense", "--no-verify", "--effort", "fast", "--out", "rtl"][..], &size].concat());
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

/// Cells of two inputs that may be exchanged for one another.
const EXCHANGES: [(&str, &str); 3] = [("NAND2X1", "NOR2X1"), ("AND2X2", "OR2X2"), ("XNOR2X1", "XOR2X1")];

#[test]
fn a_netlist_is_proved_and_a_changed_one_is_refuted() {
    let library = "/usr/share/qflow/tech/osu018/osu018_stdcells.lib";
    if !available("yosys", "-V") || !Path::new(library).is_file() {
        println!("skipped: Yosys or the library of qflow-tech-osu018 is not installed");
        return;
    }
    let home = Home::new();
    let size = ["--layers", "3,3", "--bits", "3", "--input-format", "s3.0", "--events", "16", "--effort", "fast"];
    home.success(&[&["dense", "--no-verify", "--target", "osu018", "--out", "rtl"][..], &size].concat());
    home.success(&["synth", "rtl", "--steps", "map", "--effort", "fast", "--target", "osu018", "--out", "mapped"]);
    let compare = |file: &str| {
        let args = ["verify", "rtl", "--netlist", file, "--target", "osu018", "--counterexample", "wrong.json"];
        let output = home.run(&args);
        (output.status.code(), home.transcript(&args, &output))
    };
    for file in ["mapped/netlist.v", "mapped/netlist.json"] {
        let (code, said) = compare(file);
        assert!(code == Some(0) && said.contains("the netlist is the Verilog: proved"), "{said}");
    }
    let netlist = fs::read_to_string(home.path("mapped/netlist.v")).unwrap();
    let exchange = |(from, to): &(&str, &str)| {
        let (before, after) = netlist.split_once(&format!(" {from} "))?;
        Some(format!("{before} {to} {after}"))
    };
    let changed: Vec<String> = EXCHANGES.iter().filter_map(exchange).collect();
    assert!(!changed.is_empty());
    for text in changed {
        home.write("changed.v", &text);
        let (code, said) = compare("changed.v");
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("changed.v is not the Verilog: ") && said.contains("dense0"), "{said}");
        assert!(
            said.contains("gate-level simulation of random vectors") && home.path("wrong.json").is_file(),
            "{said}"
        );
    }
    let (code, said) = compare("rtl/network.v");
    assert!(code == Some(1) && !said.contains("proved"), "{said}");
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
