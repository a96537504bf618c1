//! `hwgen synth` on a reduced encoder: every step, and what happens when something is wrong.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use openlane::equivalence::{self, Proof};
use openlane::liberty::{Library, functions};
use serde_json::Value as Json;
use sim::functions::Functions;
use sim::gates::{self, Circuit, Delays, Outcome, Stimulus, Watch};
use sim::netlist::Netlist;
use sim::tools::{Engine, Job, Meter, Verdict};

use crate::support::{Home, available};

/// Whether the tools and the library of osu018 are there.
fn has_tools() -> bool {
    let library = Path::new("/usr/share/qflow/tech/osu018/osu018_stdcells.lib").is_file();
    if !library {
        println!("skipped: the library of qflow-tech-osu018 is not installed");
    }
    let tools = [("yosys", "-V"), ("sta", "-version"), ("iverilog", "-V")];
    library && tools.iter().all(|(tool, argument)| available(tool, argument))
}

/// A home with a reduced encoder in the folder `rtl`: three bits everywhere.
fn reduced_encoder() -> Home {
    let home = Home::new();
    home.success(&["encoder", "--no-verify", "--bits", "3", "--weight-bits", "3", "--out", "rtl"]);
    home
}

fn report(home: &Home, folder: &str) -> Json {
    let text = fs::read_to_string(home.path(folder).join("report.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn state<'r>(report: &'r Json, step: &str) -> &'r str {
    let steps = report["steps"].as_array().unwrap();
    let step = steps.iter().find(|s| s["name"] == step).unwrap();
    step["state"].as_str().unwrap()
}

/// The emitted test bench on the netlist in the folder `mapped`.
fn gate_level(home: &Home) -> Verdict {
    let mapped = home.path("mapped");
    let job = Job {
        top: "encoder",
        sources: &["rtl/encoder_tb.v", "netlist.v", "cells.v"].map(|file| mapped.join(file)),
        vectors: &home.path("rtl/vectors"),
        samples: 256,
        blocks: &[],
        waves: None,
        limit: Duration::from_secs(300),
    };
    Engine::Icarus.run(&job).unwrap().verdict
}

/// What our own simulator finds in the netlist in the folder `mapped`.
fn simulated(home: &Home) -> Outcome {
    let mapped = home.path("mapped");
    let netlist = fs::read(mapped.join("netlist.v")).unwrap();
    let netlist = Netlist::read(netlist.as_slice()).unwrap();
    let library = Library::read(&mapped.join(openlane::LIBERTY)).unwrap();
    let design = fs::read_to_string(home.path("rtl/design.dfg")).unwrap();
    let modules = hdl::dfg::text::parse(&design).unwrap();
    let top = modules.last().unwrap();
    let vectors = fs::read_to_string(home.path("rtl/vectors/vectors.json")).unwrap();
    let vectors = serde_json::from_str(&vectors).unwrap();
    let circuit = Circuit::new(&netlist, &functions(&library), "clk").unwrap();
    let stimulus = Stimulus::new(top, &vectors, None).unwrap();
    gates::check(&circuit, top, &stimulus, Watch { delays: Some(&Delays::unit(&circuit)), conditions: &[] }).unwrap()
}

/// ABC's verdict on the netlist in the folder `mapped`.
fn compare(home: &Home) -> Proof {
    let mapped = home.path("mapped");
    let read = |name: &str| fs::read_to_string(mapped.join(name)).unwrap();
    let library = Library::read(&mapped.join(openlane::LIBERTY)).unwrap();
    let meter = Meter::new(Duration::from_secs(300));
    let sides = [&*read(openlane::FRONT), &*read(openlane::NETLIST)];
    let cells = functions(&library);
    equivalence::compare(&mapped, sides, Functions::Cells(&cells), &meter).unwrap()
}

#[test]
fn every_step_passes_and_a_changed_gate_is_found() {
    if !has_tools() {
        return;
    }
    let home = reduced_encoder();
    home.success(&["synth", "rtl", "--target", "osu018", "--out", "mapped"]);
    let report = report(&home, "mapped");
    for step in ["map", "sta", "gates", "equiv", "power"] {
        assert_eq!(state(&report, step), "done", "{step}");
    }
    assert!(report["cells"]["FAX1"].as_u64().unwrap() > 100, "full adders became cells");
    let layers = report["layers"].as_object().unwrap();
    assert!(layers.contains_key("conv") && layers.contains_key("dense"), "{layers:?}");
    for figure in report["figures"].as_array().unwrap() {
        assert!(!figure["tool"].as_str().unwrap().is_empty(), "{figure}");
        assert!(figure["value"].as_f64().unwrap().is_finite(), "{figure}");
    }
    assert!(matches!(gate_level(&home), Verdict::Pass { vectors: 256, latency: 2 }));
    let outcome = simulated(&home);
    assert_eq!(outcome.mismatches, 0, "{:?}", outcome.shown);
    let energy = |name: &str| {
        let mut figures = report["figures"].as_array().unwrap().iter();
        let figure = figures.find(|f| f["name"] == name).unwrap();
        figure["value"].as_f64().unwrap()
    };
    let settled = energy("energy per inference, settled");
    let inertial = energy("energy per inference");
    assert!(settled > 0.0 && inertial > settled && inertial < 15.0 * settled, "{settled} {inertial}");
    let path = home.path("mapped/netlist.v");
    let netlist = fs::read_to_string(&path).unwrap();
    let adder = netlist.find("  FAX1 ").expect("checked above");
    let changed =
        netlist[adder..].replacen(".YS(", ".YC_(", 1).replacen(".YC(", ".YS(", 1).replacen(".YC_(", ".YC(", 1);
    fs::write(&path, netlist[..adder].to_owned() + &changed).unwrap();
    assert!(matches!(gate_level(&home), Verdict::Fail(_)), "sum and carry of one adder are swapped");
    assert!(simulated(&home).mismatches > 0, "here too");
    match compare(&home) {
        Proof::Different(outputs) => assert!(!outputs.is_empty()),
        proof => panic!("{proof:?}"),
    }
}

#[test]
fn small_designs_pass_the_script_of_the_shipped_ones() {
    if !has_tools() {
        return;
    }
    let home = Home::new();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../openlane/shipped.sh");
    let run = |size: &str| {
        let mut command = Command::new("sh");
        command
            .arg(&script)
            .arg("out")
            .current_dir(home.path("."))
            .env("HWGEN", env!("CARGO_BIN_EXE_hwgen"))
            .env("SIZE", size);
        command.output().unwrap()
    };
    let done = run("small");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{said}");
    for design in ["encoder-fixed", "interaction"] {
        let config = home.path(&format!("out/{design}-mapped/openlane/config.json"));
        let config: Json = serde_json::from_str(&fs::read_to_string(config).unwrap()).unwrap();
        assert!(config.get("DIE_AREA").is_some(), "{design}: {config}");
    }
    assert_eq!(run("huge").status.code(), Some(2));
}

#[test]
fn kept_modules_are_timed_simulated_and_proved_one_by_one() {
    if !has_tools() {
        return;
    }
    let home = Home::new();
    home.two_node_interaction(&["--target", "osu018"]);
    home.success(&["synth", "rtl", "--target", "osu018", "--hierarchy", "keep", "--effort", "fast", "--out", "mapped"]);
    let report = report(&home, "mapped");
    let steps = report["steps"].as_array().unwrap();
    let names: Vec<&str> = steps.iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["map", "sta", "gates", "equiv", "power"], "all of them succeeded");
    let proved = steps[3]["result"].as_str().unwrap();
    assert!(proved.contains("module by module (4;") && proved.contains("not part of the proof"), "{proved}");
    let notes = report["notes"].to_string();
    assert!(notes.contains("mapped once each"), "{notes}");
    let netlist = fs::read_to_string(home.path("mapped/netlist.v")).unwrap();
    assert_eq!(netlist.matches("\nmodule interaction_relation(").count(), 1);

    // one of two nodes gets the other's inputs
    let second = netlist.find(" node1 (").expect("an instance");
    let start = netlist[second..].find(".inputs(").unwrap() + second;
    let end = start + netlist[start..].find('\n').unwrap();
    let line = &netlist[start..end];
    let (first, rest) = line.split_once(", ").expect("a port of many bits");
    let (swapped, rest) = rest.split_once(", ").expect("a port of many bits");
    let bit = first.trim_start_matches(".inputs({ ");
    let changed = format!(".inputs({{ {swapped}, {bit}, {rest}");
    fs::write(home.path("mapped/netlist.v"), netlist.replacen(line, &changed, 2)).unwrap();
    match compare(&home) {
        Proof::Different(outputs) => {
            assert!(outputs[0].contains(" of node"), "{outputs:?}");
        }
        proof => panic!("{proof:?}"),
    }
}

#[test]
fn a_clock_that_is_too_fast_is_reported_with_its_path() {
    if !has_tools() {
        return;
    }
    let home = reduced_encoder();
    let done =
        home.run(&["synth", "rtl", "--target", "osu018", "--steps", "sta", "--clock-ns", "1", "--out", "mapped"]);
    assert_eq!(done.status.code(), Some(1));
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(said.contains("VIOLATED") && said.contains('→'), "{said}");
    let report = report(&home, "mapped");
    assert_eq!((state(&report, "map"), state(&report, "sta")), ("done", "failed"));
}

#[test]
fn a_step_that_runs_out_of_time_leaves_a_report() {
    if !has_tools() {
        return;
    }
    let home = reduced_encoder();
    let done = home.run(&["synth", "rtl", "--target", "osu018", "--limit", "1", "--steps", "sta", "--out", "mapped"]);
    assert_eq!(done.status.code(), Some(1));
    let report = report(&home, "mapped");
    assert_eq!((state(&report, "map"), state(&report, "sta")), ("timed-out", "skipped"));
    assert!(home.path("mapped/map.ys").is_file(), "the scripts stay for a try by hand");
}

#[test]
fn a_truncated_library_is_a_clear_error() {
    let home = reduced_encoder();
    home.write("cut.lib", "library (cut) { cell (A) { area : 1;");
    let done = home.run(&["synth", "rtl", "--target", "custom", "--liberty", "cut.lib"]);
    assert_eq!(done.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&done.stderr).contains("cut.lib"));
    assert!(!home.path("rtl-custom").exists(), "no half report");
}

#[test]
fn the_shipped_encoder_meets_40_mhz_in_two_cycles() {
    if std::env::var_os("HWGEN_FULL_SYNTHESIS").is_none() {
        println!("skipped: set HWGEN_FULL_SYNTHESIS to map the whole encoder, which takes minutes");
        return;
    }
    if !has_tools() {
        return;
    }
    let home = Home::new();
    home.success(&["encoder", "--no-verify", "--latency", "2", "--out", "rtl"]);
    home.success(&["synth", "rtl", "--target", "osu018", "--out", "mapped"]);
    let report = report(&home, "mapped");
    assert_eq!(report["latency"], 2);
    let seconds: f64 =
        report["steps"].as_array().unwrap().iter().map(|step| step["cpu_seconds"].as_f64().unwrap()).sum();
    assert!(seconds < 600.0, "{seconds} s of processors: more than five minutes of two cores");
}

#[test]
fn a_file_name_in_the_folder_is_no_command() {
    if !has_tools() {
        return;
    }
    let home = reduced_encoder();
    for name in ["x.v; !touch owned; .v", "!touch owned.v", "-lib.v", "[exec touch owned].v", "$(touch owned).v"] {
        home.write(&format!("rtl/{name}"), "module x; endmodule\n");
    }
    // such files are refused or left out, never run
    home.run(&["synth", "rtl", "--target", "osu018", "--steps", "map", "--effort", "fast", "--out", "mapped"]);
    let owned = home.tree().into_keys().find(|path| path.ends_with("owned"));
    assert_eq!(owned, None);
}
