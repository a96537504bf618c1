//! `hwgen synth` on a reduced encoder: every step, and what happens when something is wrong.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sim::synth::{self, Program, equivalence, mapping};

/// The program under test.
fn hwgen(arguments: &[&str]) -> Output {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let program = ["release", "debug"].map(|profile| program.join(profile).join("hwgen"));
    let program = program.iter().find(|path| path.is_file());
    let program = program.expect("build the program first: cargo build --release");
    Command::new(program).args(arguments).output().unwrap()
}

/// Whether the tools and the library of osu018 are there.
fn has_tools() -> bool {
    let found = [Program::Yosys, Program::OpenSta, Program::Abc]
        .iter()
        .all(|p| p.find().is_ok());
    let library = Path::new("/usr/share/qflow/tech/osu018/osu018_stdcells.lib").is_file();
    if !(found && library) {
        eprintln!("skipped: needs yosys, yosys-abc, opensta and qflow-tech-osu018");
    }
    found && library
}

/// A reduced encoder in `home`: three bits everywhere.
fn encoder(home: &Path) -> PathBuf {
    let out = home.join("rtl");
    let made = hwgen(&[
        "encoder",
        "--bits",
        "3",
        "--weight-bits",
        "3",
        "--out",
        out.to_str().unwrap(),
    ]);
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    out
}

fn report(out: &Path) -> serde_json::Value {
    serde_json::from_str(&fs::read_to_string(out.join("report.json")).unwrap()).unwrap()
}

fn state<'r>(report: &'r serde_json::Value, step: &str) -> &'r str {
    let steps = report["steps"].as_array().unwrap();
    let step = steps.iter().find(|s| s["name"] == step).unwrap();
    step["state"].as_str().unwrap()
}

#[test]
fn every_step_passes_and_a_changed_gate_is_found() {
    if !has_tools() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let rtl = encoder(home.path());
    let out = home.path().join("netlist");
    let [rtl, to] = [&rtl, &out].map(|path| path.to_str().unwrap());
    let done = hwgen(&["synth", rtl, "--target", "osu018", "--out", to]);
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let report = report(&out);
    for step in ["map", "sta", "gates", "equivalence", "power"] {
        assert_eq!(state(&report, step), "passed", "{step}");
    }
    assert!(
        report["cells"]["FAX1"].as_u64().unwrap() > 100,
        "full adders became cells"
    );
    for figure in report["figures"].as_array().unwrap() {
        assert!(!figure["tool"].as_str().unwrap().is_empty(), "{figure}");
        assert!(figure["value"].as_f64().unwrap().is_finite(), "{figure}");
    }
    change_one_gate(&out);
    let limit = std::time::Duration::from_secs(300);
    assert_eq!(
        equivalence::prove(&out, limit).unwrap(),
        equivalence::Verdict::Different
    );
}

/// An exclusive OR becomes its complement.
fn change_one_gate(out: &Path) {
    let path = out.join(synth::NETLIST);
    let netlist = fs::read_to_string(&path).unwrap();
    assert!(netlist.contains("  XOR2X1 "));
    fs::write(path, netlist.replacen("  XOR2X1 ", "  XNOR2X1 ", 1)).unwrap();
}

#[test]
fn a_clock_that_is_too_fast_is_reported_with_its_path() {
    if !has_tools() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let rtl = encoder(home.path());
    let out = home.path().join("netlist");
    let [rtl, to] = [&rtl, &out].map(|path| path.to_str().unwrap());
    let done = hwgen(&[
        "synth",
        rtl,
        "--target",
        "osu018",
        "--steps",
        "sta",
        "--clock-ns",
        "1",
        "--out",
        to,
    ]);
    assert_eq!(done.status.code(), Some(1));
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(said.contains("VIOLATED") && said.contains("→"), "{said}");
    let report = report(&out);
    assert_eq!(
        (state(&report, "map"), state(&report, "sta")),
        ("passed", "failed")
    );
}

#[test]
fn a_step_that_runs_out_of_time_leaves_a_report() {
    if !has_tools() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let rtl = encoder(home.path());
    let out = home.path().join("netlist");
    let [rtl, to] = [&rtl, &out].map(|path| path.to_str().unwrap());
    let done = hwgen(&[
        "synth", rtl, "--target", "osu018", "--limit", "1", "--steps", "sta", "--out", to,
    ]);
    assert_eq!(done.status.code(), Some(1));
    let report = report(&out);
    assert_eq!(
        (state(&report, "map"), state(&report, "sta")),
        ("broken", "skipped")
    );
    assert!(
        out.join(mapping::SCRIPT).is_file(),
        "the scripts stay for a try by hand"
    );
}

#[test]
fn a_truncated_library_is_a_clear_error() {
    let home = tempfile::tempdir().unwrap();
    let rtl = encoder(home.path());
    let library = home.path().join("cut.lib");
    fs::write(&library, "library (cut) { cell (A) { area : 1;").unwrap();
    let done = hwgen(&[
        "synth",
        rtl.to_str().unwrap(),
        "--target",
        "custom",
        "--liberty",
        library.to_str().unwrap(),
    ]);
    assert_eq!(done.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&done.stderr).contains("cut.lib"));
    assert!(!home.path().join("rtl-custom").exists(), "no half report");
}
