//! The hardening folder of a design: what LibreLane/OpenLane 2, Vivado, Quartus and FuseSoC need to take it further.
//!
//! What is the same for every design stands in the repository's `openlane/` folder and is part of the program; what
//! depends on the design comes from its [`Constraints`].

use std::fmt::Write as _;

use hdl::diag::{Diagnostic, Diagnostics};
use hdl::names::quoted;
use hdl::verilog::AMD_CELLS;
use serde::Serialize;

use constraints::targets::{Target, Technology};
use constraints::timing::{Constraints, Dialect, Units};

/// Starts LibreLane or OpenLane, or says what is missing.
const RUN_SH: &str = include_str!("../run.sh");
/// Out-of-context synthesis and implementation in Vivado.
const VIVADO_TCL: &str = include_str!("../vivado.tcl");
/// Synthesis, fitting and timing in Quartus, every data pin virtual.
const QUARTUS_TCL: &str = include_str!("../quartus.tcl");
/// Checks `config.json` with LibreLane's own loader.
const CHECK_PY: &str = include_str!("../check.py");

/// Name of the folder, in the design's own.
pub const FOLDER: &str = "openlane";
/// Name of the core description, which stands in the design's folder: FuseSoC wants a core above its files.
pub const CORE: &str = "design.core";

/// A file of the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Name, without a folder.
    pub name: &'static str,
    /// Content.
    pub text: String,
    /// Whether it is a program.
    pub executable: bool,
}

/// A design to be hardened.
#[derive(Debug, Clone, Copy)]
pub struct Design<'d> {
    /// Clock, ports and limits.
    pub constraints: &'d Constraints,
    /// Verilog files relative to the design's folder, such as `encoder.v`.
    pub verilog: &'d [String],
    /// The test bench `<top>_tb` and the files that it reads, relative to the design's folder; with none there is no
    /// target that simulates.
    pub bench: &'d [String],
    /// Cell area in µm² in the target process, if it is known: the floor plan is drawn for it.
    pub cell_area_um2: Option<f64>,
    /// Share of the core that cells fill, from 0 to 1.
    pub utilisation: f64,
    /// FPGA part for Vivado.
    pub part: &'d str,
}

/// LibreLane's configuration, in the names of version 3.
#[derive(Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
struct Config<'c> {
    #[serde(rename = "meta")]
    meta: Meta,
    design_name: &'c str,
    verilog_files: Vec<String>,
    clock_port: Option<&'c str>,
    clock_net: Option<&'c str>,
    clock_period: f64,
    pnr_sdc_file: &'static str,
    signoff_sdc_file: &'static str,
    fallback_sdc: &'static str,
    io_pin_order_cfg: &'static str,
    fp_sizing: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    die_area: Option<[f64; 4]>,
    fp_core_util: f64,
    pl_target_density_pct: f64,
    synth_strategy: &'static str,
    run_cts: bool,
}

#[derive(Serialize)]
struct Meta {
    version: u32,
    flow: &'static str,
}

/// Space in µm between the die's edge and the core, on each side, as LibreLane leaves it by default and more.
const MARGIN_UM: f64 = 20.0;

/// Density beyond utilisation that the placer is given, in percent.
const DENSITY_SLACK: f64 = 10.0;

/// All files of the folder, sorted by name.
///
/// # Errors
/// Those of [`Constraints::check`], and `openlane` if a path, the part, the area or the utilisation cannot be used.
pub fn files(design: &Design<'_>) -> Result<Vec<File>, Diagnostics> {
    check(design)?;
    let c = design.constraints;
    let file = |name, text, executable| File { name, text, executable };
    Ok(vec![
        file("check.py", CHECK_PY.to_owned(), true),
        file("config.json", config(design)?, false),
        file("constraints.sdc", c.to_sdc(Dialect::Cells(Units::default()))?, false),
        file("constraints.xdc", c.to_sdc(Dialect::Vivado)?, false),
        file("design.tcl", tcl(design), false),
        file("pin_order.cfg", pin_order(c), false),
        file("quartus.sdc", c.to_sdc(Dialect::Quartus)?, false),
        file("quartus.tcl", QUARTUS_TCL.to_owned(), false),
        file("run.sh", RUN_SH.to_owned(), true),
        file("vivado.tcl", VIVADO_TCL.to_owned(), false),
    ])
}

/// The text of [`CORE`].
///
/// # Errors
/// As [`files`].
pub fn core(design: &Design<'_>) -> Result<String, Diagnostics> {
    check(design)?;
    let top = &design.constraints.top;
    let sources: String = design.verilog.iter().map(|path| format!("      - {path}\n")).collect();
    let (bench, sim) = match design.bench {
        [] => Default::default(),
        files => (bench(files), simulation(top)),
    };
    Ok(format!(
        "CAPI=2:\nname: {VENDOR}:{top}:0\ndescription: {top}, emitted by hwgen\nlicense: Apache-2.0\nfilesets:\n  rtl:\n    \
         files:\n{sources}    file_type: verilogSource\n{bench}  xdc:\n    files: [{FOLDER}/constraints.xdc]\n    \
         file_type: xdc\ntargets:\n  default: &default\n    filesets: [rtl]\n    toplevel: {top}\n{sim}  vivado:\n    \
         <<: *default\n    filesets: [rtl, xdc]\n    parameters: [{AMD_CELLS}]\n    flow: vivado\n    \
         flow_options: {{part: {}}}\n  lint:\n    <<: *default\n    flow: lint\n    flow_options: {{tool: verilator}}\n\
         parameters:\n  {AMD_CELLS}:\n    datatype: bool\n    paramtype: vlogdefine\n    default: true\n",
        design.part
    ))
}

/// Vendor and library of all cores; the name is the top module's.
const VENDOR: &str = "hwgen:design";

/// The file set of a test bench. What it reads is copied to where it looks: below the folder that it is run in.
fn bench(files: &[String]) -> String {
    let line = |path: &String| match path.ends_with(".v") {
        true => format!("      - {path}: {{file_type: verilogSource}}\n"),
        false => format!("      - {path}: {{file_type: user, copyto: {path}}}\n"),
    };
    let lines: String = files.iter().map(line).collect();
    format!("  bench:\n    files:\n{lines}")
}

/// The target that runs the test bench of `top` in Icarus.
fn simulation(top: &str) -> String {
    format!(
        "  sim:\n    <<: *default\n    filesets: [rtl, bench]\n    toplevel: {top}_tb\n    flow: sim\n    \
         flow_options: {{tool: icarus}}\n"
    )
}

/// The part of `target` that a design goes to if the user names none: the family's first.
pub fn default_part(target: &Target) -> Option<&str> {
    match &target.technology {
        Technology::Fpga { parts, .. } => parts.first().map(|p| p.name.as_str()),
        Technology::Asic { .. } => None,
    }
}

fn check(design: &Design<'_>) -> Result<(), Diagnostics> {
    design.constraints.check()?;
    let wrong = |why: String| Err(Diagnostic::error("openlane", why).into());
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    if let Some(bad) = design.verilog.iter().chain(design.bench).find(|p| p.is_empty() || !p.chars().all(plain)) {
        return wrong(format!("path {} holds more than letters, digits and `_-./`", quoted(bad)));
    }
    if design.verilog.is_empty() {
        return wrong(String::from("there is no Verilog file"));
    }
    if design.part.is_empty() || !design.part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return wrong(format!("{} is no FPGA part", quoted(design.part)));
    }
    if !(0.05..=0.95).contains(&design.utilisation) {
        return wrong(format!("utilisation {} is not from 0.05 to 0.95", design.utilisation));
    }
    match design.cell_area_um2 {
        Some(area) if !(area > 0.0 && area < 1e12) => wrong(format!("{area} is no cell area in µm²")),
        _ => Ok(()),
    }
}

fn config(design: &Design<'_>) -> Result<String, Diagnostics> {
    let c = design.constraints;
    let percent = (design.utilisation * 100.0).round();
    let die = design.cell_area_um2.map(|area| {
        let side = ((area / design.utilisation).sqrt() + 2.0 * MARGIN_UM).ceil();
        [0.0, 0.0, side, side]
    });
    let config = Config {
        meta: Meta { version: 2, flow: "Classic" },
        design_name: &c.top,
        verilog_files: design.verilog.iter().map(|path| format!("dir::../{path}")).collect(),
        clock_port: c.clock.port.as_deref(),
        clock_net: c.clock.port.as_deref(),
        clock_period: c.clock.period.ns(),
        pnr_sdc_file: "dir::constraints.sdc",
        signoff_sdc_file: "dir::constraints.sdc",
        fallback_sdc: "dir::constraints.sdc",
        io_pin_order_cfg: "dir::pin_order.cfg",
        fp_sizing: if die.is_some() { "absolute" } else { "relative" },
        die_area: die,
        fp_core_util: percent,
        pl_target_density_pct: (percent + DENSITY_SLACK).min(100.0),
        synth_strategy: "AREA 0",
        run_cts: c.clock.port.is_some(),
    };
    serde_json::to_string_pretty(&config)
        .map(|text| text + "\n")
        .map_err(|e| Diagnostic::bug("openlane", e.to_string()).into())
}

/// Data flows from west to east; clock and reset enter from the south.
fn pin_order(c: &Constraints) -> String {
    let mut text = String::from("#S\n");
    let reset = c.reset.as_ref().map(|r| &r.port);
    for name in c.clock.port.iter().chain(reset) {
        let _ = writeln!(text, "{name}");
    }
    for (side, ports) in [("W", &c.inputs), ("E", &c.outputs)] {
        let _ = writeln!(text, "\n#{side}");
        for port in ports {
            let bits = if port.width > 1 { "\\[.*\\]" } else { "" };
            let _ = writeln!(text, "{}{bits}", port.name);
        }
    }
    text
}

/// The variables that the vendor scripts read.
fn tcl(design: &Design<'_>) -> String {
    let c = design.constraints;
    let clock = c.clock.port.as_deref().unwrap_or_default();
    let sources: Vec<String> = design.verilog.iter().map(|path| format!("../{path}")).collect();
    format!(
        "set top {{{}}}\nset clock {{{clock}}}\nset part {{{}}}\nset sources {{{}}}\n",
        c.top,
        design.part,
        sources.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use expect_test::expect;
    use hdl::dfg::{Module, ModuleBuilder, RegisterStyle, Reset};
    use hdl::num::Format;

    use super::*;
    use constraints::timing::{Budget, Picoseconds};

    /// `y = x0 + x1 + carry_in`, a cycle later if `registered`.
    fn adder(registered: bool, reset: Reset) -> Arc<Module> {
        let b = ModuleBuilder::new("adder");
        let x = b.input_array("x", 2, Format::unsigned(4, 0).unwrap());
        let sum = x[0] + x[1] + b.input("carry_in", Format::BIT);
        let style = RegisterStyle { reset, ..RegisterStyle::default() };
        b.output("y", if registered { sum.registered(style) } else { sum });
        b.finish().unwrap()
    }

    fn constraints(registered: bool) -> Constraints {
        let module = adder(registered, Reset::None);
        Constraints::of(&module, Picoseconds(25_000), &Budget::default(), &[]).unwrap()
    }

    fn text(design: &Design<'_>, name: &str) -> String {
        let files = files(design).unwrap();
        files.into_iter().find(|f| f.name == name).unwrap().text
    }

    #[test]
    fn generated_files() {
        let (c, verilog) = (constraints(true), [String::from("adder.v")]);
        let design = Design {
            constraints: &c,
            verilog: &verilog,
            bench: &["adder_tb.v".to_owned(), "vectors/inputs.hex".to_owned()],
            cell_area_um2: Some(2450.0),
            utilisation: 0.5,
            part: "xcvu13p-flga2577-2-e",
        };
        expect![[r#"
            {
              "meta": {
                "version": 2,
                "flow": "Classic"
              },
              "DESIGN_NAME": "adder",
              "VERILOG_FILES": [
                "dir::../adder.v"
              ],
              "CLOCK_PORT": "clk",
              "CLOCK_NET": "clk",
              "CLOCK_PERIOD": 25.0,
              "PNR_SDC_FILE": "dir::constraints.sdc",
              "SIGNOFF_SDC_FILE": "dir::constraints.sdc",
              "FALLBACK_SDC": "dir::constraints.sdc",
              "IO_PIN_ORDER_CFG": "dir::pin_order.cfg",
              "FP_SIZING": "absolute",
              "DIE_AREA": [
                0.0,
                0.0,
                110.0,
                110.0
              ],
              "FP_CORE_UTIL": 50.0,
              "PL_TARGET_DENSITY_PCT": 60.0,
              "SYNTH_STRATEGY": "AREA 0",
              "RUN_CTS": true
            }
        "#]]
        .assert_eq(&text(&design, "config.json"));
        expect![[r#"
            #S
            clk

            #W
            x\[.*\]
            carry_in

            #E
            y\[.*\]
        "#]]
        .assert_eq(&text(&design, "pin_order.cfg"));
        expect![[r#"
            set top {adder}
            set clock {clk}
            set part {xcvu13p-flga2577-2-e}
            set sources {../adder.v}
        "#]]
        .assert_eq(&text(&design, "design.tcl"));
        expect![[r#"
            CAPI=2:
            name: hwgen:design:adder:0
            description: adder, emitted by hwgen
            license: Apache-2.0
            filesets:
              rtl:
                files:
                  - adder.v
                file_type: verilogSource
              bench:
                files:
                  - adder_tb.v: {file_type: verilogSource}
                  - vectors/inputs.hex: {file_type: user, copyto: vectors/inputs.hex}
              xdc:
                files: [openlane/constraints.xdc]
                file_type: xdc
            targets:
              default: &default
                filesets: [rtl]
                toplevel: adder
              sim:
                <<: *default
                filesets: [rtl, bench]
                toplevel: adder_tb
                flow: sim
                flow_options: {tool: icarus}
              vivado:
                <<: *default
                filesets: [rtl, xdc]
                parameters: [HWGEN_AMD_CELLS]
                flow: vivado
                flow_options: {part: xcvu13p-flga2577-2-e}
              lint:
                <<: *default
                flow: lint
                flow_options: {tool: verilator}
            parameters:
              HWGEN_AMD_CELLS:
                datatype: bool
                paramtype: vlogdefine
                default: true
        "#]]
        .assert_eq(&core(&design).unwrap());
    }

    #[test]
    fn what_could_break_a_script_is_refused() {
        let (c, good) = (constraints(false), [String::from("adder.v")]);
        let design =
            Design { constraints: &c, verilog: &good, bench: &[], cell_area_um2: None, utilisation: 0.5, part: "xc7" };
        assert!(files(&design).is_ok());
        let bad = [String::from("a.v; rm -rf")];
        for (design, reason) in [
            (Design { verilog: &bad, ..design }, "`a.v; rm -rf`"),
            (Design { verilog: &[], ..design }, "no Verilog file"),
            (Design { part: "x}", ..design }, "no FPGA part"),
            (Design { utilisation: f64::NAN, ..design }, "utilisation NaN"),
            (Design { cell_area_um2: Some(-1.0), ..design }, "no cell area"),
        ] {
            let error = files(&design).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
