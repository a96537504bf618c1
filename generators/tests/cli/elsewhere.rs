//! What is emitted works in tools that know nothing of hwgen: every file of the folder is taken by what it is for.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::support::{Home, available};

/// Targets of each kind whose Verilog differs, and what their folders are synthesised for by others.
const TARGETS: [(&str, &str); 5] =
    [("osu018", "synth_xilinx"), ("lp65", "synth"), ("sky130", "synth"), ("xc7", "synth"), ("xcup", "synth_xilinx")];

/// The Verilog files that the FuseSoC core of a folder lists.
fn sources(folder: &Path) -> Vec<String> {
    let core = fs::read_to_string(folder.join("design.core")).unwrap();
    let names = core.lines().filter_map(|line| line.trim().strip_prefix("- "));
    names.filter(|name| name.ends_with(".v")).map(str::to_owned).collect()
}

fn design(home: &Home, target: &str) {
    let size = [
        "--layers",
        "3,3",
        "--bits",
        "3",
        "--input-format",
        "s4.0",
        "--events",
        "8",
        "--effort",
        "fast",
        "--clock-ns",
        "10",
    ];
    home.success(&[&["dense", "--target", target, "--out", target][..], &size].concat());
}

/// What Yosys says to a script, which must go well.
fn yosys(folder: &Path, script: &str) -> String {
    let output = Command::new("yosys").args(["-p", script]).current_dir(folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn every_folder_is_synthesised_without_a_library() {
    if !available("yosys", "-V") {
        return;
    }
    for (target, command) in TARGETS {
        let home = Home::new();
        design(&home, target);
        let folder = home.path(target);
        let files = sources(&folder).join(" ");
        let synthesis = format!("hierarchy -check -top network; {command} -top network; check -assert");
        yosys(&folder, &format!("read_verilog {files}; {synthesis}"));
    }
}

/// Synthesis and simulation take other bodies; a proof by SAT says that they are one function.
#[test]
fn both_bodies_are_one_function() {
    if !available("yosys", "-V") {
        return;
    }
    let home = Home::new();
    let size = ["--layers", "3,3", "--bits", "3", "--input-format", "s4.0", "--events", "8"];
    home.success(&[&["dense", "--target", "osu018", "--latency", "0", "--out", "rtl"][..], &size].concat());
    let folder = home.path("rtl");
    assert!(fs::read_to_string(folder.join("network.v")).unwrap().starts_with("`ifdef SYNTHESIS\n"));
    let files = sources(&folder).join(" ");
    // `-formal` is what Yosys calls reading without `SYNTHESIS`
    let script = format!(
        "read_verilog {files}; hierarchy -top network; proc; flatten; rename network cells; design -stash cells; \
         read_verilog -formal {files}; hierarchy -top network; proc; flatten; rename network words; \
         design -copy-from cells cells; miter -equiv -flatten -make_assert cells words miter; \
         sat -verify -prove-asserts -set-def-inputs miter"
    );
    let said = yosys(&folder, &script);
    assert!(said.contains("SAT proof finished - no model found: SUCCESS"), "{said}");
}

/// Set `HWGEN_FUSESOC` to FuseSoC's program to run this.
#[test]
fn fusesoc_runs_the_test_bench_on_the_folder_s_vectors() {
    let Some(fusesoc) = std::env::var_os("HWGEN_FUSESOC") else {
        eprintln!("skipped: HWGEN_FUSESOC is not set");
        return;
    };
    let home = Home::new();
    design(&home, "osu018");
    let folder = home.path("osu018");
    let run = || {
        let output = Command::new(&fusesoc)
            .args(["--cores-root=osu018", "run", "--target=sim", "hwgen:design:network:0"])
            .current_dir(home.path("."))
            .env("XDG_CONFIG_HOME", home.path("."))
            .output()
            .unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    let said = run();
    assert!(said.contains("PASS 8 vectors"), "{said}");
    let expected = folder.join("vectors/expected.hex");
    let text = fs::read_to_string(&expected).unwrap();
    let wrong = if text.starts_with('0') { "1" } else { "0" };
    fs::write(&expected, format!("{wrong}{}", &text[1..])).unwrap();
    let said = run();
    assert!(said.contains("FAIL 1 mismatches in 8 vectors"), "{said}");
}

/// Commands of a vendor's tool as procedures that write down what they are called with.
fn stubs(commands: &[&str]) -> String {
    let mut text = String::from("set calls [open calls.txt w]\n");
    for command in commands {
        text += &format!("proc {command} args {{ global calls; puts $calls \"{command} $args\"; flush $calls }}\n");
    }
    text
}

/// What a script of the folder `openlane/` calls.
fn calls(home: &Home, folder: &str, script: &str, stubs: &str, arguments: &[&str]) -> Vec<String> {
    let openlane = home.path(folder).join("openlane");
    let text = fs::read_to_string(openlane.join(script)).unwrap();
    fs::write(openlane.join("stubbed.tcl"), format!("{stubs}{text}")).unwrap();
    let output = Command::new("tclsh").arg("stubbed.tcl").args(arguments).current_dir(&openlane).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let calls = fs::read_to_string(openlane.join("calls.txt")).unwrap();
    calls.lines().map(str::to_owned).collect()
}

#[test]
fn vivado_s_script_names_files_that_exist() {
    if Command::new("tclsh").arg("/dev/null").output().is_err() {
        eprintln!("skipped: tclsh is not installed");
        return;
    }
    let home = Home::new();
    design(&home, "xcup");
    let commands = [
        "read_verilog",
        "read_xdc",
        "synth_design",
        "report_utilization",
        "opt_design",
        "place_design",
        "phys_opt_design",
        "route_design",
        "report_timing_summary",
        "report_power",
        "write_checkpoint",
        "get_timing_paths",
    ];
    let found = calls(&home, "xcup", "vivado.tcl", &stubs(&commands), &[]);
    let read = found.iter().find_map(|call| call.strip_prefix("read_verilog ")).unwrap();
    let read: Vec<&str> = read.trim_matches(['{', '}']).split_whitespace().collect();
    assert!(read.iter().any(|name| name.ends_with("hwgen_add3.v")), "{read:?}");
    let openlane = home.path("xcup/openlane");
    assert!(read.iter().all(|name| openlane.join(name).is_file()), "{read:?}");
    let synthesis = found.iter().find(|call| call.starts_with("synth_design")).unwrap();
    assert!(synthesis.contains("-top network") && synthesis.contains("-verilog_define HWGEN_AMD_CELLS"), "{synthesis}");
    let adder = fs::read_to_string(home.path("xcup/hwgen_add3.v")).unwrap();
    assert!(adder.contains("`ifdef HWGEN_AMD_CELLS"));
    let xdc = found.iter().find(|call| call.starts_with("read_xdc")).unwrap();
    assert!(openlane.join(xdc.rsplit(' ').next().unwrap()).is_file(), "{xdc}");
}

#[test]
fn quartus_s_script_names_files_that_exist() {
    if Command::new("tclsh").arg("/dev/null").output().is_err() {
        eprintln!("skipped: tclsh is not installed");
        return;
    }
    let home = Home::new();
    design(&home, "osu018");
    let commands = [
        "load_package",
        "project_new",
        "set_global_assignment",
        "set_instance_assignment",
        "execute_flow",
        "project_close",
    ];
    let found = calls(&home, "osu018", "quartus.tcl", &stubs(&commands), &["Agilex 7"]);
    let files = ["VERILOG_FILE", "SDC_FILE"];
    let files = found.iter().filter(|call| files.iter().any(|kind| call.contains(kind)));
    let files: Vec<&str> = files.map(|call| call.rsplit(' ').next().unwrap()).collect();
    assert!(files.len() > 2 && files.iter().all(|name| Path::new(name).is_file()), "{files:?}");
    assert!(found.iter().any(|call| call == "set_global_assignment -name FAMILY {Agilex 7}"), "{found:?}");
    assert_eq!(found.last().map(String::as_str), Some("project_close "));
}
