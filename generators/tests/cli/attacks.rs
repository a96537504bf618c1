//! Attacks on the program: each is answered by a clear error or does no harm; nothing panics, hangs, or stays behind.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::{Home, available};

/// A matrix of two numbers in the folder `rtl`, and an empty folder `bin` for programs.
fn tiny() -> Home {
    let home = Home::new();
    home.write("m.json", "[[3], [5]]");
    home.success(&GENERATE);
    fs::create_dir(home.path("bin")).unwrap();
    fs::create_dir(home.path("tmp")).unwrap();
    home
}

const GENERATE: [&str; 6] = ["cmvm", "m.json", "--effort", "fast", "--out", "rtl"];

/// What the program says on both streams; it must end by itself, with this exit code, and without a panic.
fn said(home: &Home, args: &[&str], code: i32) -> String {
    checked(home, args, &home.run(args), code)
}

fn checked(home: &Home, args: &[&str], output: &Output, code: i32) -> String {
    let text = home.transcript(args, output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(!text.contains("panicked"), "{text}");
    text
}

/// A program of that name that runs `script`.
fn fake(home: &Home, name: &str, script: &str) {
    home.write(&format!("bin/{name}"), format!("#!/bin/sh\n{script}\n"));
    fs::set_permissions(home.path(&format!("bin/{name}")), fs::Permissions::from_mode(0o755)).unwrap();
}

/// The command with the programs in `bin` before all others, and temporary files in `tmp`.
fn prepared(home: &Home, args: &[&str]) -> Command {
    let mut folders = vec![home.path("bin")];
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let mut command = home.command(args);
    command.env("PATH", std::env::join_paths(folders).unwrap()).env("TMPDIR", home.path("tmp"));
    command
}

/// Commands that print something, after [`tiny`].
const PRINTING: [&[&str]; 7] = [
    &["schema"],
    &["target", "list"],
    &["target", "show", "lp65"],
    &["sim", "rtl"],
    &["sim", "rtl", "--json"],
    &["cmvm", "m.json", "--effort", "fast"],
    &["cmvm", "m.json", "--effort", "fast", "--json"],
];

#[test]
fn a_full_disk_behind_the_output_is_reported() {
    let home = tiny();
    for args in PRINTING {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = home.command(args).stdout(full).output().unwrap();
        let text = checked(&home, args, &output, 1);
        assert!(text.contains("cannot write the result: No space left on device"), "{text}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let home = tiny();
    for args in PRINTING {
        let mut child = home.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        checked(&home, args, &child.wait_with_output().unwrap(), 0);
    }
}

#[test]
fn a_synthesis_that_nobody_follows_ends_as_it_should() {
    let home = tiny();
    fake(&home, "yosys", "echo 'Yosys 0.1'; [ $1 = -V ] || exit 1");
    let args = ["synth", "rtl", "--target", "xcup", "--steps", "map", "--out", "mapped"];
    let mut child = prepared(&home, &args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(home.path("mapped/report.json").is_file());
}

#[test]
fn waveforms_are_there_whole_or_not_at_all() {
    let home = tiny();
    let text = said(&home, &["sim", "rtl", "--waves", "none/x.vcd"], 2);
    assert!(text.contains("cannot write the file"), "{text}");
    said(&home, &["sim", "rtl", "--waves", "/dev/full"], 2);
    // no file may grow beyond a block; with the signal ignored, writing fails as it does on a full disk
    let args = ["sim", "rtl", "--waves", "x.vcd"];
    let script = "trap '' XFSZ; ulimit -f 1; exec \"$@\"";
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_hwgen")]).args(args).current_dir(home.path("."));
    let text = checked(&home, &args, &command.output().unwrap(), 2);
    assert!(text.contains("cannot write the file") && !home.path("x.vcd").exists(), "{text}");
    home.success(&args);
    assert!(fs::read_to_string(home.path("x.vcd")).unwrap().contains("$enddefinitions"));
}

#[test]
fn a_top_module_is_not_called_like_one_of_ours() {
    let home = Home::new();
    for top in ["hwgen_full_adder", "hwgen_add3", "hwgen_inverter", "Hwgen_Full_Adder"] {
        for command in [&["dense", "--layers", "2,2"][..], &["interaction", "--nodes", "2", "--edges", "1"]] {
            let text = said(&home, &[command, &["--top", top, "--out", "rtl"]].concat(), 2);
            assert!(text.contains("are those of modules that hwgen adds") && text.contains("--top"), "{text}");
        }
    }
    let long = "x".repeat(200);
    let text = said(&home, &["interaction", "--nodes", "2", "--edges", "1", "--top", &long, "--out", "rtl"], 2);
    assert!(text.contains("200 characters are too many"), "{text}");
}

#[test]
fn a_layer_may_have_a_name_of_any_length() {
    let home = Home::new();
    home.success(&["dense", "--layers", "2,2", "--effort", "fast", "--events", "4", "--out", "rtl"]);
    let model: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(home.path("rtl/model.json")).unwrap()).unwrap();
    let mut network = model["network"].clone();
    let names = network["layers"].as_array_mut().expect("layers");
    names[0]["name"] = "x".repeat(65_536).into();
    home.write("long.json", network.to_string());
    let args = ["build", "long.json", "--effort", "fast", "--events", "4", "--out", "long"];
    let output = home.run(&args);
    let text = home.transcript(&args, &output);
    assert!(matches!(output.status.code(), Some(0 | 2)) && !text.contains("panicked"), "{text}");
}

#[test]
fn numbers_beyond_all_measure_are_refused() {
    let home = tiny();
    for clock in ["1e308", "-1", "0", "inf", "nan", "1e-300"] {
        said(&home, &["dense", "--layers", "2,2", &format!("--clock-ns={clock}"), "--out", "x"], 2);
    }
    said(&home, &["dense", "--layers", "2,2", "--effort", "fast", "--latency", "4294967295", "--out", "x"], 2);
    let wide = "-9223372036854775808:9223372036854775807,0:1";
    said(&home, &["cmvm", "m.json", &format!("--input-ranges={wide}"), "--out", "x"], 2);
    said(&home, &["cmvm", "m.json", "--input-ranges", "5:1,0:1", "--out", "x"], 2);
    said(&home, &["sim", "rtl", "--first", "0"], 2);
    assert!(!home.path("x").exists());
}

#[test]
fn files_that_are_none_are_not_waited_for() {
    let home = tiny();
    let start = Instant::now();
    for name in ["cmvm.v", "design.dfg", "model.json", "vectors/vectors.json", ".hwgen-files"] {
        let path = home.path(&format!("rtl/{name}"));
        let sound = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        for args in [&["sim", "rtl"][..], &GENERATE] {
            let output = home.run(args);
            let text = home.transcript(args, &output);
            assert!(matches!(output.status.code(), Some(1 | 2)), "{name}: {text}");
        }
        fs::remove_file(&path).unwrap();
        fs::write(&path, sound).unwrap();
    }
    for file in ["/dev/zero", ".", "/proc/self/mem"] {
        said(&home, &["sim", "rtl", "--vectors", file], 2);
    }
    assert!(start.elapsed() < Duration::from_secs(120));
    home.success(&["sim", "rtl"]);
}

#[test]
fn a_list_of_files_does_not_lead_out_of_its_folder() {
    let home = tiny();
    home.write("precious.v", "mine");
    let list = fs::read_to_string(home.path("rtl/.hwgen-files")).unwrap();
    for name in ["../precious.v", "/etc/passwd", "a/../../precious.v", ""] {
        home.write("rtl/.hwgen-files", format!("{list}{}  {name}\n", "0".repeat(64)));
        said(&home, &["sim", "rtl", "--engine", "icarus"], 2);
        said(&home, &[&GENERATE[..], &["--force"]].concat(), 2);
    }
    assert_eq!(fs::read_to_string(home.path("precious.v")).unwrap(), "mine");
}

#[test]
fn links_are_not_followed_out_of_the_folder() {
    let home = tiny();
    home.write("elsewhere/inputs.hex", "mine");
    let vectors = home.path("rtl/vectors");
    fs::remove_dir_all(&vectors).unwrap();
    symlink(home.path("elsewhere"), &vectors).unwrap();
    said(&home, &GENERATE, 2);
    said(&home, &[&GENERATE[..], &["--force"]].concat(), 2);
    assert_eq!(fs::read_to_string(home.path("elsewhere/inputs.hex")).unwrap(), "mine");
    assert_eq!(fs::read_dir(home.path("elsewhere")).unwrap().count(), 1);
    symlink(home.path("elsewhere"), home.path("link")).unwrap();
    said(&home, &["cmvm", "m.json", "--effort", "fast", "--out", "link"], 2);
    said(&home, &["cmvm", "m.json", "--effort", "fast", "--out", ""], 2);
    said(&home, &["cmvm", "m.json", "--effort", "fast", "--out", "/dev/null/x"], 2);
}

#[test]
fn names_of_files_may_have_anything_in_them() {
    let home = Home::new();
    // Icarus reads its files from a list with a name a line
    for (name, has_lines) in [("a b;$(touch harmed)`touch harmed`'\"", false), ("a\nb; touch harmed", true)] {
        home.write(&format!("{name}.json"), "[[3], [5]]");
        home.success(&["cmvm", &format!("{name}.json"), "--effort", "fast", "--out", name]);
        home.success(&["sim", name]);
        if !has_lines && available("iverilog", "-V") {
            home.success(&["sim", name, "--engine", "icarus"]);
        }
    }
    assert!(!home.tree().keys().any(|path| path.ends_with("harmed")));
}

#[test]
fn a_folder_for_temporary_files_that_is_not_there_is_named() {
    let home = tiny();
    let args = ["sim", "rtl", "--engine", "icarus"];
    let output = home.command(&args).env("TMPDIR", home.path("none")).output().unwrap();
    let text = checked(&home, &args, &output, 2);
    assert!(text.contains("cannot write temporary files") && text.contains("none"), "{text}");
}

#[test]
fn a_compiler_that_makes_nothing_is_named() {
    let home = tiny();
    for (program, engine) in [("verilator", "verilator"), ("iverilog", "icarus")] {
        fake(&home, program, "echo 'Simulator 1'");
        let args = ["sim", "rtl", "--engine", engine];
        let text = checked(&home, &args, &prepared(&home, &args).output().unwrap(), 1);
        assert!(text.contains("ended well, but made no simulation") && !text.contains("apt install"), "{text}");
    }
}

/// The limit is that of all that a program starts.
#[test]
fn a_compiler_below_a_simulator_is_limited_too() {
    let home = tiny();
    fake(&home, "verilator", "[ $1 = --version ] && echo 'Verilator 1' && exit; sh -c 'sleep 3217' & wait");
    let args = ["sim", "rtl", "--engine", "verilator", "--limit", "1"];
    let start = Instant::now();
    let text = checked(&home, &args, &prepared(&home, &args).output().unwrap(), 1);
    assert!(text.contains("did not end within 1 s"), "{text}");
    assert!(start.elapsed() < Duration::from_secs(60));
    assert!(ends("sleep 3217"), "what it started has ended");
}

/// Whether no program with this command line runs, at the latest after a while.
fn ends(command: &str) -> bool {
    let wanted: Vec<u8> = command.bytes().map(|b| if b == b' ' { 0 } else { b }).chain([0]).collect();
    let runs = || {
        let programs = fs::read_dir("/proc").unwrap().flatten();
        programs.filter_map(|p| fs::read(p.path().join("cmdline")).ok()).any(|line| line == wanted)
    };
    let deadline = Instant::now() + Duration::from_secs(30);
    while runs() && Instant::now() < deadline {
        sleep(Duration::from_millis(50));
    }
    !runs()
}

/// A simulation that hangs in a program below the simulator, which sleeps so many seconds.
fn hanging(home: &Home, seconds: &str) -> Child {
    let started = home.path("started");
    let hang = format!(
        "[ $1 = -V ] && echo 'Icarus Verilog 1' && exit; sh -c 'sleep {seconds}' & touch '{}'; wait",
        started.display()
    );
    fake(home, "iverilog", &hang);
    let child = prepared(home, &["sim", "rtl", "--engine", "icarus"]).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !started.exists() && Instant::now() < deadline {
        sleep(Duration::from_millis(20));
    }
    assert!(started.exists());
    child
}

#[test]
fn an_interrupt_ends_what_was_started_and_leaves_nothing_behind() {
    for (signal, seconds) in [("INT", "3218"), ("TERM", "3219")] {
        let home = tiny();
        let mut child = hanging(&home, seconds);
        assert!(Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), None, "it ends by the signal");
        assert!(ends(&format!("sleep {seconds}")), "{signal}");
        assert_eq!(fs::read_dir(home.path("tmp")).unwrap().count(), 0, "{signal}");
    }
}

#[test]
fn what_a_killed_program_leaves_behind_goes() {
    let home = tiny();
    let mut child = hanging(&home, "3220");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(ends("sleep 3220"), "the programs end at once");
    assert!(fs::read_dir(home.path("tmp")).unwrap().count() > 0);
    fake(&home, "iverilog", "echo 'Icarus Verilog 1'");
    let next = prepared(&home, &["sim", "rtl", "--engine", "icarus"]).output().unwrap();
    assert_eq!(next.status.code(), Some(1));
    assert_eq!(fs::read_dir(home.path("tmp")).unwrap().count(), 0, "the folders when the next one starts");
}

/// Folders of the same beginning that are not ours are left alone.
#[test]
fn a_folder_beside_the_output_is_not_taken_for_a_temporary_one() {
    let home = tiny();
    home.write(".hwgen-tmp-notes/thesis.tex", "years of work");
    home.success(&GENERATE);
    assert!(home.path(".hwgen-tmp-notes/thesis.tex").is_file());
}

/// Two that write the same folder at the same time: one of them stands there, whole.
#[test]
fn two_at_once_leave_one_whole_folder() {
    let home = tiny();
    home.write("n.json", "[[7], [9]]");
    let other = ["cmvm", "n.json", "--effort", "fast", "--out", "rtl"];
    for _ in 0..3 {
        let running: Vec<Child> = [&GENERATE, &other]
            .map(|args| home.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
            .into();
        let codes: Vec<Option<i32>> = running.into_iter().map(|mut child| child.wait().unwrap().code()).collect();
        assert!(codes.iter().all(|code| matches!(code, Some(0 | 2))) && codes.contains(&Some(0)), "{codes:?}");
        home.success(&["sim", "rtl"]);
    }
}
