//! Folders that were edited: what a check says of files that it would not read, of expected outputs that are gone, and
//! of what lies beside the design; and that nothing of the user's is lost.

use std::fs;

use serde_json::Value as Json;

use crate::support::{Home, available};

/// A matrix of two numbers in the folder `rtl`.
fn tiny() -> Home {
    let home = Home::new();
    home.write("m.json", "[[3], [5]]");
    home.success(&["cmvm", "m.json", "--effort", "fast", "--out", "rtl"]);
    home
}

/// What the program says, and its exit code.
fn said(home: &Home, args: &[&str]) -> (i32, String) {
    let output = home.run(args);
    let transcript = home.transcript(args, &output);
    (output.status.code().unwrap_or_else(|| panic!("{transcript}")), transcript)
}

/// The product is 0, whatever goes in.
fn break_verilog(home: &Home) {
    let sound = fs::read_to_string(home.path("rtl/cmvm.v")).unwrap();
    let at = sound.find("assign y = ").expect("an output");
    let end = at + sound[at..].find(';').unwrap();
    home.write("rtl/cmvm.v", format!("{}assign y = 0{}", &sound[..at], &sound[end..]));
}

#[test]
fn the_batch_simulator_does_not_vouch_for_verilog_that_it_has_not_read() {
    let home = tiny();
    let (code, text) = said(&home, &["sim", "rtl"]);
    assert!(code == 0 && text.contains("| design.dfg |"), "{text}");
    break_verilog(&home);
    for engine in ["batch", "all"] {
        let (code, text) = said(&home, &["sim", "rtl", "--engine", engine]);
        assert_eq!(code, 1, "{text}");
        assert!(text.contains("rtl/cmvm.v: was edited") && text.contains("--engine icarus"), "{text}");
        assert!(!text.contains("bit-exact"), "{text}");
    }
    fs::remove_file(home.path("rtl/cmvm.v")).unwrap();
    for engine in ["batch", "icarus"] {
        let (code, text) = said(&home, &["sim", "rtl", "--engine", engine]);
        assert!(code == 1 && text.contains("gone") && !text.contains("bit-exact"), "{text}");
    }
}

#[test]
fn a_simulator_of_verilog_reads_what_is_there_and_says_that_it_was_edited() {
    if !available("iverilog", "-V") {
        return;
    }
    let home = tiny();
    let icarus = ["sim", "rtl", "--engine", "icarus"];
    let (code, text) = said(&home, &icarus);
    assert!(code == 0 && text.contains("| Verilog |") && !text.contains("edited"), "{text}");
    break_verilog(&home);
    let (code, text) = said(&home, &icarus);
    assert!(code == 1 && text.contains("MISMATCH"), "{text}");
    assert!(text.contains("note: rtl/cmvm.v was edited since hwgen wrote it"), "{text}");
    home.success(&["cmvm", "m.json", "--effort", "fast", "--out", "rtl", "--force"]);
    let graph = fs::read_to_string(home.path("rtl/design.dfg")).unwrap();
    home.write("rtl/design.dfg", graph + "\n");
    let (code, text) = said(&home, &icarus);
    assert!(code == 1 && text.contains("design.dfg: was edited") && text.contains("--engine batch"), "{text}");
}

#[test]
fn a_bench_that_has_not_seen_every_sample_proves_nothing() {
    if !available("iverilog", "-V") {
        return;
    }
    let home = tiny();
    let bench = "module cmvm_tb; parameter VECTORS = 1; initial $display(\"PASS 3 vectors, latency 0\"); endmodule";
    home.write("rtl/cmvm_tb.v", bench);
    let (code, text) = said(&home, &["sim", "rtl", "--engine", "icarus"]);
    assert!(code == 1 && text.contains("compared 3 samples"), "{text}");
}

#[test]
fn expected_outputs_that_are_missing_or_empty_are_an_error() {
    let home = tiny();
    let path = home.path("rtl/vectors/vectors.json");
    let sound = fs::read_to_string(&path).unwrap();
    let changed = |change: &dyn Fn(&mut Json)| {
        let mut json: Json = serde_json::from_str(&sound).unwrap();
        change(&mut json);
        fs::write(&path, json.to_string()).unwrap();
    };
    let changes: [&dyn Fn(&mut Json); 4] = [
        &|json| json["outputs"] = serde_json::json!({}),
        &|json| json["outputs"]["y"] = serde_json::json!([]),
        &|json| json["inputs"] = serde_json::json!({}),
        &|json| *json = serde_json::json!({"inputs": {"x": []}, "outputs": {"y": []}}),
    ];
    for change in changes {
        changed(change);
        let (code, text) = said(&home, &["sim", "rtl"]);
        assert!(code == 2 && !text.contains("bit-exact"), "{text}");
    }
    fs::write(&path, &sound).unwrap();
    home.write("rtl/vectors/expected.hex", "");
    let (code, text) = said(&home, &["sim", "rtl"]);
    assert!(code == 1 && text.contains("expected.hex: was edited") && text.contains("--vectors"), "{text}");
    let (code, text) = said(&home, &["sim", "rtl", "--random", "50"]);
    assert!(code == 0, "random vectors are not the folder's: {text}");
    home.write("some.json", r#"{"x": [[1, 2]]}"#);
    let (code, text) = said(&home, &["sim", "rtl", "--vectors", "some.json"]);
    assert!(code == 2 && text.contains("no output to compare with"), "{text}");
}

/// An output of several that a user's file does not have is not compared, and that is said.
#[test]
fn what_is_not_compared_is_said() {
    let home = Home::new();
    home.success(&["dense", "--layers", "2,2", "--reuse", "2", "--events", "4", "--out", "rtl"]);
    let vectors: Json =
        serde_json::from_str(&fs::read_to_string(home.path("rtl/vectors/vectors.json")).unwrap()).unwrap();
    let mut columns = vectors["inputs"].as_object().unwrap().clone();
    columns.insert("valid".into(), vectors["outputs"]["valid"].clone());
    home.write("some.json", Json::Object(columns).to_string());
    let (code, text) = said(&home, &["sim", "rtl", "--vectors", "some.json"]);
    assert!(code == 0 && text.contains("note: no values of `"), "{text}");
}

#[test]
fn verilog_that_hwgen_did_not_write_is_not_read() {
    let home = tiny();
    home.write("rtl/a; exec -- touch harmed.v", "module cmvm(); endmodule");
    home.write("rtl/zz.v", "no Verilog at all");
    let (code, text) = said(&home, &["sim", "rtl"]);
    assert!(code == 0 && text.contains("note: rtl/zz.v is not read"), "{text}");
    if available("iverilog", "-V") {
        home.success(&["sim", "rtl", "--engine", "icarus"]);
    }
    if available("yosys", "-V") {
        let args = ["synth", "rtl", "--target", "xcup", "--steps", "map", "--out", "mapped"];
        home.success(&args);
        let report = fs::read_to_string(home.path("mapped/report.md")).unwrap();
        assert!(report.contains("zz.v is not read: hwgen did not write it"), "{report}");
        assert!(!home.path("mapped/rtl/zz.v").exists());
        assert!(
            !home.tree().keys().any(|path| path.ends_with("harmed.v") && path.parent().unwrap().ends_with("mapped"))
        );
    }
}

#[test]
fn edits_are_not_overwritten_silently() {
    let home = tiny();
    break_verilog(&home);
    home.write("rtl/notes.txt", "mine");
    let edited = fs::read_to_string(home.path("rtl/cmvm.v")).unwrap();
    let generate = ["cmvm", "m.json", "--effort", "fast", "--out", "rtl"];
    let (code, text) = said(&home, &generate);
    assert!(code == 2 && text.contains("notes.txt"), "{text}");
    fs::remove_file(home.path("rtl/notes.txt")).unwrap();
    let (code, text) = said(&home, &generate);
    assert!(
        code == 2 && text.contains("`cmvm.v` was edited since hwgen wrote it") && text.contains("--force"),
        "{text}"
    );
    assert_eq!(fs::read_to_string(home.path("rtl/cmvm.v")).unwrap(), edited);
    home.write("rtl/notes.txt", "mine");
    let (code, text) = said(&home, &[&generate[..], &["--force"]].concat());
    assert!(code == 0 && text.contains("note: cmvm.v had been edited; the edits are lost"), "{text}");
    assert!(text.contains("note: notes.txt stays"), "{text}");
    assert_eq!(fs::read_to_string(home.path("rtl/notes.txt")).unwrap(), "mine");
    home.success(&["sim", "rtl"]);
}

/// The folder that a shell is in is filled, not exchanged for another one.
#[test]
fn the_folder_that_one_is_in_can_be_written_again() {
    let home = tiny();
    let mut command = home.command(&["cmvm", "../m.json", "--effort", "fast", "--out", "."]);
    command.current_dir(home.path("rtl"));
    for _ in 0..2 {
        assert!(command.output().unwrap().status.success());
        let mut shell = std::process::Command::new("sh");
        assert!(shell.args(["-c", "ls cmvm.v"]).current_dir(home.path("rtl")).output().unwrap().status.success());
    }
    let again = std::process::Command::new("sh")
        .args(["-c", &format!("{} cmvm ../m.json --effort fast --out . && ls cmvm.v", env!("CARGO_BIN_EXE_hwgen"))])
        .current_dir(home.path("rtl"))
        .output()
        .unwrap();
    assert!(again.status.success(), "{again:?}");
}

/// A list of files of a version without sums says nothing of what was edited.
#[test]
fn a_list_of_files_without_sums_is_refused() {
    let home = tiny();
    home.write("rtl/.hwgen-files", "cmvm.v\ndesign.dfg\nmodel.json\n");
    for args in [&["sim", "rtl"][..], &["cmvm", "m.json", "--effort", "fast", "--out", "rtl"]] {
        let (code, text) = said(&home, args);
        assert!(code == 2 && text.contains("generate the design again"), "{text}");
    }
}
