//! The written files as the tools read them. A tool or library that is not installed is said and skipped.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use constraints::targets::{Target, model_text};
use constraints::timing::{Budget, Constraints, Dialect, Picoseconds, Pins};
use hdl::dfg::{Module, ModuleBuilder, RegisterStyle, Reset};
use hdl::num::Format;
use openlane::fetch::{self, Programs};
use openlane::liberty::{Library, Role};
use openlane::{calibrate, hardening};

/// Whether `program` runs at all.
fn installed(program: &str, argument: &str) -> bool {
    let found = Command::new(program).arg(argument).output().is_ok();
    if !found {
        println!("skipped: {program} is not installed");
    }
    found
}

fn osu018() -> Option<fetch::Fetched> {
    let cache = tempfile::tempdir().unwrap();
    let offline = Programs { apt_get: "no-such-apt-get".into(), ..Programs::default() };
    let fetched = fetch::library(&Target::load("osu018").unwrap(), cache.path(), &offline);
    if fetched.is_err() {
        println!("skipped: qflow-tech-osu018 is not installed");
    }
    fetched.ok()
}

/// One full adder before a register.
fn full_adder() -> Arc<Module> {
    let b = ModuleBuilder::new("adder");
    let x = b.input_array("x", 3, Format::BIT);
    let style = RegisterStyle { reset: Reset::Synchronous, ..RegisterStyle::default() };
    let sum = x[0] + x[1] + x[2];
    b.output("y", sum.registered(style));
    b.finish().unwrap()
}

/// The same as a netlist of library cells.
const NETLIST: &str = "module adder (clk, rst, x, y); input clk, rst; input [2:0] x; output [1:0] y;
wire s, c, n, d0, d1;
FAX1 add (.A(x[0]), .B(x[1]), .C(x[2]), .YS(s), .YC(c));
INVX1 inv (.A(rst), .Y(n));
AND2X1 and0 (.A(s), .B(n), .Y(d0));
AND2X1 and1 (.A(c), .B(n), .Y(d1));
DFFPOSX1 q0 (.D(d0), .CLK(clk), .Q(y[0]));
DFFPOSX1 q1 (.D(d1), .CLK(clk), .Q(y[1]));
endmodule
";

/// What OpenSTA says about the netlist at `period`.
fn opensta(liberty: &Path, period: Picoseconds) -> String {
    let library = Library::read(liberty).unwrap();
    let c = Constraints::of(&full_adder(), period, &Budget::default(), &[]).unwrap();
    let sdc = c.to_sdc(Dialect::Cells(library.units())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("a.v", NETLIST);
    write("a.sdc", &sdc);
    write(
        "a.tcl",
        &format!(
            "read_liberty {{{}}}\nread_verilog a.v\nlink_design adder\nread_sdc a.sdc\n\
             if {{[check_setup -verbose]}} {{puts SETUP_OK}}\nreport_checks -path_delay max\n",
            liberty.display()
        ),
    );
    let output =
        Command::new("sta").args(["-no_splash", "-exit", "a.tcl"]).current_dir(folder.path()).output().unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn opensta_reads_the_sdc_and_sees_a_clock_that_is_too_fast() {
    let Some(library) = osu018().filter(|_| installed("sta", "-version")) else {
        return;
    };
    let report = opensta(&library.liberty, Picoseconds(25_000));
    assert!(report.contains("SETUP_OK") && report.contains("slack (MET)"), "{report}");
    assert!(!report.contains("Error") && !report.contains("Warning"), "{report}");
    let report = opensta(&library.liberty, Picoseconds(300));
    assert!(report.contains("slack (VIOLATED)"), "{report}");
}

#[test]
fn the_shipped_model_is_what_opensta_measures() {
    let Some(library) = osu018().filter(|_| installed("sta", "-version")) else {
        return;
    };
    let measured = calibrate::measure(&library.liberty, Path::new("sta")).unwrap();
    assert!(Target::text("osu018").unwrap().ends_with(&model_text(&measured)));
}

#[test]
fn calibration_fails_with_reasons() {
    let Some(library) = osu018() else { return };
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(&library.liberty).unwrap();
    let spoilt = folder.path().join("spoilt.lib");
    let reason = |text: &str, sta: &str| {
        std::fs::write(&spoilt, text).unwrap();
        calibrate::measure(&spoilt, Path::new(sta)).unwrap_err().to_string()
    };
    assert!(reason(&text[..text.len() / 2], "sta").contains("the file ends inside"));
    assert!(reason(&text.replace("(A^B)", "(A+B)"), "sta").contains("no cell is a Xor2"));
    assert!(reason(&text.replace("(XOR2X1)", "(\"X;exit\")"), "sta").contains("cannot be used"));
    assert!(reason(&text, "no-such-sta").contains("no-such-sta is not installed"));
    assert!(reason(&text, "true").contains("reported no"));
}

#[test]
fn the_cells_of_osu018_are_recognised() {
    let Some(library) = osu018() else { return };
    let library = Library::read(&library.liberty).unwrap();
    let found: Vec<String> =
        Role::ALL.iter().map(|&role| library.find(role).map_or_else(|| "-".into(), |m| m.cell)).collect();
    assert_eq!(
        found.join(" "),
        "INVX1 BUFX2 NAND2X1 NOR2X1 AND2X1 OR2X1 XOR2X1 XNOR2X1 MUX2X1 HAX1 FAX1 DFFPOSX1 - - -"
    );
}

#[test]
fn nextpnr_takes_pins_and_frequency_of_the_pcf() {
    if !installed("nextpnr-ice40", "--version") || !installed("yosys", "-V") {
        return;
    }
    let c = Constraints::of(&full_adder(), Picoseconds(20_000), &Budget::default(), &[]).unwrap();
    let pins = Pins([("clk".into(), "J3".into()), ("x[1]".into(), "A1".into())].into());
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "a.v",
        "module adder (input clk, rst, input [2:0] x, output reg [1:0] y);
         always @(posedge clk) if (rst) y <= 0; else y <= y + x[0] + x[1] + x[2]; endmodule",
    );
    write("a.pcf", &c.to_pcf(&pins).unwrap());
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(folder.path()).output();
        let output = output.unwrap();
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{log}");
        log
    };
    run("yosys", &["-q", "-p", "read_verilog a.v; synth_ice40 -top adder -json a.json"]);
    let log = run(
        "nextpnr-ice40",
        &["--hx8k", "--package", "ct256", "--json", "a.json", "--pcf", "a.pcf", "--pcf-allow-unconstrained"],
    );
    assert!(log.contains("PASS at 50.00 MHz"), "{log}");
}

/// The folder of `full_adder`, and the hardening folder in it, whose path is given back.
fn harden(folder: &Path, period: Picoseconds) -> PathBuf {
    let c = Constraints::of(&full_adder(), period, &Budget::default(), &[]).unwrap();
    let design = hardening::Design {
        constraints: &c,
        verilog: &["adder.v".to_owned()],
        bench: &[],
        cell_area_um2: Some(500.0),
        utilisation: 0.5,
        part: "xc7k325tffg900-2",
    };
    let inner = folder.join(hardening::FOLDER);
    std::fs::create_dir(&inner).unwrap();
    for file in hardening::files(&design).unwrap() {
        std::fs::write(inner.join(file.name), file.text).unwrap();
    }
    let core = hardening::core(&design).unwrap();
    std::fs::write(folder.join(hardening::CORE), core).unwrap();
    std::fs::write(folder.join("adder.v"), NETLIST).unwrap();
    inner
}

/// Set `HWGEN_FUSESOC` to FuseSoC's program to run this.
#[test]
fn fusesoc_sets_up_every_target_and_misses_a_file() {
    let Some(fusesoc) = std::env::var_os("HWGEN_FUSESOC") else {
        println!("skipped: HWGEN_FUSESOC is not set");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    harden(folder.path(), Picoseconds(25_000));
    let set_up = |target: &str| {
        let output = Command::new(&fusesoc)
            .args(["--cores-root=.", "run", "--setup", "--target", target, "hwgen:design:adder:0"])
            .current_dir(folder.path())
            .env("XDG_CONFIG_HOME", folder.path())
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    };
    for target in ["lint", "vivado"] {
        let (fine, text) = set_up(target);
        assert!(fine && !text.contains("WARNING"), "{text}");
    }
    std::fs::remove_file(folder.path().join("adder.v")).unwrap();
    let (fine, text) = set_up("lint");
    assert!(!fine && text.contains("adder.v"), "{text}");
}

#[test]
fn run_sh_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let inner = harden(folder.path(), Picoseconds(25_000));
    let run = |path: &str, harden: &str| {
        let output =
            Command::new("/bin/sh").arg(inner.join("run.sh")).env("PATH", path).env("HARDEN", harden).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), text)
    };
    // `dirname` is the only program that the script needs before it looks for others.
    let tools = folder.path().join("bin");
    std::fs::create_dir(&tools).unwrap();
    std::os::unix::fs::symlink("/usr/bin/dirname", tools.join("dirname")).unwrap();
    let tools = tools.display().to_string();
    let (code, text) = run(&tools, "");
    assert_eq!(code, Some(1));
    assert!(text.contains("neither librelane nor openlane is installed"), "{text}");
    let (code, text) = run(&tools, "no-such-flow");
    assert!(code == Some(1) && text.contains("no-such-flow, which is not installed"), "{text}");
    let (code, text) = run(&tools, "dirname");
    assert!(code == Some(1) && text.contains("missing: yosys openroad"), "{text}");
}

/// Set `HWGEN_LIBRELANE_PYTHON` to a Python that has `librelane` to run this.
#[test]
fn librelane_s_loader_accepts_the_configuration_and_only_that() {
    let Some(python) = std::env::var_os("HWGEN_LIBRELANE_PYTHON") else {
        println!("skipped: HWGEN_LIBRELANE_PYTHON is not set");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let inner = harden(folder.path(), Picoseconds(25_000));
    let check = || {
        let output = Command::new(&python).args(["check.py", "config.json"]).current_dir(&inner).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), text)
    };
    let (code, text) = check();
    assert_eq!(code, Some(0), "{text}");
    let path = inner.join("config.json");
    let config = std::fs::read_to_string(&path).unwrap();
    for (from, to, reason) in [
        ("FP_CORE_UTIL", "FP_CORE_FILL", "Unknown key 'FP_CORE_FILL'"),
        ("25.0", "\"fast\"", "CLOCK_PERIOD"),
        ("dir::../adder.v", "dir::../gone.v", "gone.v"),
    ] {
        std::fs::write(&path, config.replace(from, to)).unwrap();
        let (code, text) = check();
        assert_eq!(code, Some(1), "{from} -> {to}");
        assert!(text.contains(reason), "{text}");
    }
}
