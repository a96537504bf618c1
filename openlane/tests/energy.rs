//! Energy of a small netlist by the library's tables, held against OpenSTA and against sums by hand.

use std::path::Path;
use std::process::Command;

use constraints::timing::Limits;
use openlane::delays::{Mapped, NetDelays};
use openlane::energy::{Energy, EnergyModel};
use openlane::liberty::electrical::Electrical;
use openlane::liberty::{Library, functions};
use sim::gates::{Activity, Circuit};
use sim::netlist::Netlist;

const LIBERTY: &str = "/usr/share/qflow/tech/osu018/osu018_stdcells.lib";
const NETLIST: &str = "module t(clk, a, b, y);\n  input clk;\n  input a;\n  input b;\n  output y;\n  wire n;\n  wire s;\n  \
    NAND2X1 g (\n    .A(a),\n    .B(b),\n    .Y(n)\n  );\n  XOR2X1 x (\n    .A(n),\n    .B(a),\n    .Y(s)\n  );\n  \
    INVX1 i (\n    .A(s),\n    .Y(y)\n  );\nendmodule\n";

/// The energy if every net moves `moves` times a cycle; `None` if the library is not installed.
fn energy(moves: u64) -> Option<(Energy, NetDelays)> {
    if !Path::new(LIBERTY).is_file() {
        println!("skipped: qflow-tech-osu018 is not installed");
        return None;
    }
    let text = std::fs::read_to_string(LIBERTY).unwrap();
    let (library, electrical) = (Library::parse(&text).unwrap(), Electrical::parse(&text).unwrap());
    let netlist = Netlist::read(NETLIST.as_bytes()).unwrap();
    let circuit = Circuit::new(&netlist, &functions(&library), "clk").unwrap();
    let mapped = Mapped { netlist: &netlist, circuit: &circuit, library: &library, electrical: &electrical };
    let nets = NetDelays::of(&mapped, &Limits::default()).unwrap();
    let model = EnergyModel::of(&mapped, &nets).unwrap();
    let settled = vec![moves; circuit.nets()];
    let held = vec![0; model.conditions().len()];
    let activity = Activity { settled, inertial: None, held, cycles: 1 };
    Some((model.of_activity(&activity.settled, &activity), nets))
}

#[test]
fn nothing_moves_and_only_leakage_is_left() {
    let Some((still, nets)) = energy(0) else { return };
    assert_eq!((still.switching, still.internal, still.clock), (0.0, 0.0, 0.0));
    assert!(still.leakage > 0.0);
    let (twice, once) = (energy(2).unwrap().0, energy(1).unwrap().0);
    assert!((twice.logic() / once.logic() - 2.0).abs() < 1e-9);
    assert_eq!(nets.delay_ps.iter().filter(|delay| **delay > 0.0).count(), 3, "three nets are driven");
}

#[test]
fn switching_is_what_opensta_says_within_five_percent() {
    let Some((energy, _)) = energy(1) else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t.v"), NETLIST).unwrap();
    let script = format!(
        "read_liberty {LIBERTY}\nread_verilog t.v\nlink_design t\ncreate_clock -name clk -period 10 [get_ports clk]\n\
         set_input_delay 0 -clock clk [all_inputs]\nset_output_delay 0 -clock clk [all_outputs]\n\
         set_load 0.02 [all_outputs]\nset_input_transition 0.1 [all_inputs]\n\
         set_power_activity -global -activity 1.0 -duty 0.5\nreport_power -digits 6\n"
    );
    std::fs::write(folder.path().join("t.tcl"), script).unwrap();
    let mut command = Command::new("sta");
    let Ok(done) = command.args(["-no_splash", "-exit", "t.tcl"]).current_dir(folder.path()).output() else {
        println!("skipped: sta is not installed");
        return;
    };
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let total = said.lines().find(|line| line.starts_with("Total")).expect(&said);
    let watts: Vec<f64> = total.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [internal, switching] = [watts[0], watts[1]].map(|watt| watt * 10e-9);
    assert!((energy.switching / switching - 1.0).abs() < 0.05, "{energy:?} {said}");
    assert!(internal > energy.internal, "OpenSTA 2.0.17 multiplies it: {energy:?} {said}");
}
