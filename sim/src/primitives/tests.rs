//! Every primitive against the model of it that comes with Yosys, in Icarus.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use super::models;
use super::*;
use crate::cell::STATE;
use crate::netlist::CONSTANTS;
use crate::tools::Engine;

/// Type, parameters as they are written, input pins with what is on them (empty for an input of its own), output pins.
type Case = (&'static str, &'static str, &'static str, &'static str);

/// The pin on which all clocks are.
const CLOCK: &str = "x[0]";
const STEPS: usize = 400;

const AMD: [Case; 20] = [
    ("GND", "", "", "G"),
    ("VCC", "", "", "P"),
    ("INV", "", "I", "O"),
    ("LUT1", "INIT=2'h1", "I0", "O"),
    ("LUT3", "INIT=8'hd2", "I0 I1 I2", "O"),
    ("LUT4", "INIT=16'h35a9", "I0 I1 I2 I3", "O"),
    ("LUT6", "INIT=64'h0123456789abcdef", "I0 I1 I2 I3 I4 I5", "O"),
    ("LUT6_2", "INIT=64'h6996699617e8817e", "I0 I1 I2 I3 I4 I5", "O5 O6"),
    ("MUXF7", "", "I0 I1 S", "O"),
    ("CARRY4", "", "CI CYINIT=1'h0 DI[4] S[4]", "O[4] CO[4]"),
    ("CARRY8", "CARRY_TYPE=\"SINGLE_CY8\"", "CI DI[8] S[8] CI_TOP=1'h0", "O[8] CO[8]"),
    ("CARRY8", "", "CI=1'h1 DI[8] S[8] CI_TOP=1'h0", "O[8]"),
    ("FDRE", "INIT=1'h0", "C=x[0] CE D R", "Q"),
    ("FDRE", "INIT=1'h1", "C=x[0] CE=1'h1 D R=1'h0", "Q"),
    ("FDSE", "INIT=1'h1", "C=x[0] CE D S", "Q"),
    ("FDCE", "INIT=1'h0", "C=x[0] CE D CLR", "Q"),
    ("FDPE", "INIT=1'h1", "C=x[0] CE D PRE", "Q"),
    ("SRL16E", "INIT=16'h0005", "A0=1'h1 A1=1'h0 A2=1'h1 A3=1'h0 CLK=x[0] CE D", "Q"),
    ("SRL16E", "", "A0=1'h0 A1=1'h0 A2=1'h0 A3=1'h0 CLK=x[0] CE=1'h1 D", "Q"),
    ("SRLC32E", "INIT=32'h80000000", "A=5'h1f CLK=x[0] CE D", "Q"),
];

const ICE40: [Case; 12] = [
    ("SB_LUT4", "LUT_INIT=16'h35a9", "I0 I1 I2 I3", "O"),
    ("SB_CARRY", "", "I0 I1 CI", "CO"),
    ("SB_DFF", "", "C=x[0] D", "Q"),
    ("SB_DFFE", "", "C=x[0] D E", "Q"),
    ("SB_DFFSR", "", "C=x[0] D R", "Q"),
    ("SB_DFFSS", "", "C=x[0] D S", "Q"),
    ("SB_DFFESR", "", "C=x[0] D E R", "Q"),
    ("SB_DFFESS", "", "C=x[0] D E S", "Q"),
    ("SB_DFFR", "", "C=x[0] D R", "Q"),
    ("SB_DFFES", "", "C=x[0] D E S", "Q"),
    ("SB_DFFNER", "", "C=x[0] D E R", "Q"),
    ("SB_DFFN", "", "C=x[0] D", "Q"),
];

const ECP5: [Case; 12] = [
    ("LUT4", "INIT=16'h35a9", "A B C D", "Z"),
    ("PFUMX", "", "ALUT BLUT C0", "Z"),
    ("L6MUX21", "", "D0 D1 SD", "Z"),
    (
        "CCU2C",
        "INIT0=16'h96aa INIT1=16'h5a9c INJECT1_0=\"NO\" INJECT1_1=\"NO\"",
        "CIN A0 B0 C0 D0 A1 B1 C1 D1",
        "S0 S1 COUT",
    ),
    (
        "CCU2C",
        "INIT0=16'h96ab INIT1=16'h5a97 INJECT1_0=\"YES\" INJECT1_1=\"NO\"",
        "CIN A0 B0 C0 D0 A1 B1 C1 D1",
        "S0 S1 COUT",
    ),
    (
        "CCU2C",
        "INIT0=16'h96ab INIT1=16'h5a97 INJECT1_0=\"NO\" INJECT1_1=\"YES\"",
        "CIN A0 B0 C0 D0 A1 B1 C1 D1",
        "S0 S1 COUT",
    ),
    ("TRELLIS_FF", "", "CLK=x[0] DI LSR", "Q"),
    ("TRELLIS_FF", "CEMUX=\"CE\" REGSET=\"SET\" LSRMUX=\"INV\"", "CLK=x[0] CE DI LSR", "Q"),
    ("TRELLIS_FF", "CEMUX=\"INV\" CLKMUX=\"INV\" GSR=\"DISABLED\"", "CLK=x[0] CE DI LSR", "Q"),
    ("TRELLIS_FF", "CEMUX=\"0\" REGSET=\"SET\"", "CLK=x[0] DI LSR=1'h0", "Q"),
    ("TRELLIS_FF", "CEMUX=\"CE\" SRMODE=\"ASYNC\"", "CLK=x[0] CE DI LSR", "Q"),
    ("TRELLIS_FF", "SRMODE=\"ASYNC\" REGSET=\"SET\" LSRMODE=\"LSR\"", "CLK=x[0] DI LSR", "Q"),
];

/// The cases as a netlist, all on the inputs `x`; each output bit is one of `y`.
/// Multipliers, whose factors are their first inputs.
const MULTIPLIERS: [Case; 2] = [
    (
        "DSP48E2",
        "ACASCREG=32'sd0 ADREG=32'sd0 ALUMODEREG=32'sd0 AREG=32'sd0 BCASCREG=32'sd0 BREG=32'sd0 CARRYINREG=32'sd0 CARRYINSELREG=32'sd0 CREG=32'sd0 DREG=32'sd0 INMODEREG=32'sd0 MREG=32'sd0 OPMODEREG=32'sd0 PREG=32'sd0 USE_MULT=\"MULTIPLY\" USE_SIMD=\"ONE48\"",
        "A[30] B[18] C=48'h0 D=27'h0 OPMODE=9'h5 ALUMODE=4'h0 INMODE=5'h0 CARRYINSEL=3'h0 CARRYIN=1'h0",
        "P[48]",
    ),
    (
        "MULT18X18D",
        "",
        "A0 A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13 A14 A15 A16 A17 B0 B1 B2 B3 B4 B5 B6 B7 B8 B9 B10 B11 B12 B13 B14 B15 B16 B17 SIGNEDA=1'h1 SIGNEDB=1'h0 SOURCEA=1'h0 SOURCEB=1'h0",
        "P0 P1 P2 P3 P4 P5 P6 P7 P8 P9 P10 P11 P12 P13 P14 P15 P16 P17 P18 P19 P20 P21 P22 P23 P24 P25 P26 P27 P28 P29 P30 P31 P32 P33 P34 P35",
    ),
];

struct Text {
    instances: String,
    inputs: usize,
    outputs: usize,
}

fn text(cases: &[Case]) -> Text {
    let mut text = String::new();
    let (mut most, mut outputs) = (1, 0);
    for (number, (cell, parameters, inputs, driven)) in cases.iter().enumerate() {
        let parameters = parameters.split(' ').filter_map(|p| p.split_once('='));
        let parameters: Vec<String> = parameters.map(|(n, v)| format!(".{n}({v})")).collect();
        match parameters.is_empty() {
            true => text += &format!("{cell} u{number} (\n"),
            false => {
                let _ = writeln!(text, "{cell} #(\n{}\n) u{number} (", parameters.join(",\n"));
            }
        }
        let mut taken = 1;
        let mut pins = Vec::new();
        for pin in inputs.split(' ').filter(|pin| !pin.is_empty()) {
            pins.push(match pin.split_once('=') {
                Some((pin, net)) => format!(".{pin}({net})"),
                None => connection(pin, "x", &mut taken),
            });
        }
        pins.extend(driven.split(' ').map(|pin| connection(pin, "y", &mut outputs)));
        let _ = writeln!(text, "{}\n);", pins.join(",\n"));
        most = most.max(taken);
    }
    Text { instances: text, inputs: most, outputs }
}

/// `PIN` or `PIN[4]` on the next bits of a bus.
fn connection(pin: &str, bus: &str, next: &mut usize) -> String {
    let (name, width) = match pin.split_once('[') {
        Some((name, width)) => (name, width.trim_end_matches(']').parse().unwrap()),
        None => (pin, 1),
    };
    let bits: Vec<String> = (*next..*next + width).rev().map(|bit| format!("{bus}[{bit}]")).collect();
    *next += width;
    match width {
        1 => format!(".{name}({})", bits[0]),
        _ => format!(".{name}({{ {} }})", bits.join(", ")),
    }
}

/// The clock moves in every second step, everything else in the others.
fn stimulus(inputs: usize) -> Vec<Vec<bool>> {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut x = vec![false; inputs];
    let mut steps = Vec::new();
    for step in 0..STEPS {
        if step % 2 == 0 {
            for bit in &mut x[1..] {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                *bit = random & 0x300 == 0x300 || random & 0x400 == 0;
            }
        } else {
            x[0] = !x[0];
        }
        steps.push(x.clone());
    }
    steps
}

/// What the models give in Icarus, the bits of `y` from the highest, step by step.
fn icarus(models: &str, text: &Text, steps: &[Vec<bool>]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = format!(
        "{models}\nmodule bench;\nreg [{}:0] x = 0;\nwire [{}:0] y;\n{}initial begin\n",
        text.inputs - 1,
        text.outputs - 1,
        text.instances
    );
    for x in steps {
        let bits: String = x.iter().rev().map(|bit| if *bit { '1' } else { '0' }).collect();
        let _ = writeln!(bench, "x = {}'b{bits}; #1 $display(\"%b\", y);", text.inputs);
    }
    let path = folder.path().join("bench.v");
    fs::write(&path, bench + "end\nendmodule\n").unwrap();
    let program = folder.path().join("bench.vvp");
    let compiled = Command::new("iverilog")
        .arg("-g2005-sv")
        .arg("-s")
        .arg("bench")
        .arg("-o")
        .arg(&program)
        .arg(&path)
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let said = Command::new("vvp").arg("-n").arg(&program).output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    said.lines().filter(|line| line.len() == text.outputs).map(str::to_owned).collect()
}

/// Levels of nets, and what registers hold.
struct Simple<'n> {
    netlist: &'n Netlist,
    cells: &'n Cells,
    levels: HashMap<&'n str, bool>,
    states: Vec<bool>,
}

impl<'n> Simple<'n> {
    fn new(netlist: &'n Netlist, cells: &'n Cells) -> Self {
        let initial = |i: &Instance| cells[&i.cell].register.as_ref().and_then(|r| r.initial);
        Self {
            netlist,
            cells,
            levels: CONSTANTS.into_iter().zip([false, true]).collect(),
            states: netlist.instances.iter().map(|i| initial(i) == Some(true)).collect(),
        }
    }

    fn value(&self, instance: usize, function: &Function) -> bool {
        let instance_ = &self.netlist.instances[instance];
        let level = |pin: &String| match pin == STATE {
            true => self.states[instance],
            false => {
                let (_, net) = instance_.pins.iter().find(|(name, _)| name == pin).expect(pin);
                self.levels.get(net.as_str()).copied().unwrap_or_default()
            }
        };
        let k: u64 = function.pins.iter().zip(0..).map(|(pin, i)| u64::from(level(pin)) << i).sum();
        function.table >> k & 1 == 1
    }

    fn clocks(&self) -> Vec<bool> {
        let numbered = self.netlist.instances.iter().enumerate();
        let clock = |(i, instance): (usize, &Instance)| {
            let register = self.cells[&instance.cell].register.as_ref();
            register.is_some_and(|r| self.value(i, &r.clock))
        };
        numbered.map(clock).collect()
    }

    fn step(&mut self, inputs: &'n [String], x: &[bool]) {
        let (before, old) = (self.clocks(), x[0] != self.levels.get(CLOCK).copied().unwrap_or_default());
        let instances = self.netlist.instances.iter().enumerate();
        let registers: Vec<_> =
            instances.filter_map(|(i, instance)| Some((i, self.cells[&instance.cell].register.as_ref()?))).collect();
        let loads: Vec<bool> = registers.iter().map(|(i, r)| self.value(*i, &r.next)).collect();
        self.levels.extend(inputs.iter().map(String::as_str).zip(x.iter().copied()));
        let after = self.clocks();
        for ((i, _), load) in registers.iter().zip(loads) {
            if old && after[*i] && !before[*i] {
                self.states[*i] = load;
            }
        }
        // as many passes as the longest way has cells
        for _ in 0..40 {
            for (i, register) in &registers {
                if self.value(*i, &register.clear) {
                    self.states[*i] = false;
                } else if self.value(*i, &register.preset) {
                    self.states[*i] = true;
                }
            }
            for (i, instance) in self.netlist.instances.iter().enumerate() {
                for (pin, function) in &self.cells[&instance.cell].outputs {
                    let value = self.value(i, function);
                    if let Some((_, net)) = instance.pins.iter().find(|(name, _)| name == pin) {
                        self.levels.insert(net, value);
                    }
                }
            }
        }
    }

    fn outputs(&self, count: usize) -> String {
        let bit = |i: usize| self.levels[format!("y[{i}]").as_str()];
        (0..count).rev().map(|i| if bit(i) { '1' } else { '0' }).collect()
    }
}

/// The steps in which a family's primitives differ from their models; none without Icarus.
fn differences(synthesis: &str, cases: &[Case], spoil: impl Fn(&mut Cells)) -> Option<usize> {
    let found = Engine::Icarus.find().is_ok().then(|| models::of_family(synthesis).ok());
    let Some(models) = found.flatten() else {
        println!("skipped: Icarus or Yosys is not installed");
        return None;
    };
    let text = text(cases);
    let steps = stimulus(text.inputs);
    let expected = icarus(&models, &text, &steps);
    assert_eq!(expected.len(), STEPS);
    let mut netlist = Netlist::read(text.instances.as_bytes()).unwrap();
    let mut cells = Primitives::of(synthesis).unwrap().resolve(&mut netlist);
    spoil(&mut cells);
    let inputs: Vec<String> = (0..text.inputs).map(|bit| format!("x[{bit}]")).collect();
    let mut simple = Simple::new(&netlist, &cells);
    let mut differences = 0;
    for (x, expected) in steps.iter().zip(&expected) {
        simple.step(&inputs, x);
        differences += usize::from(simple.outputs(text.outputs) != *expected);
    }
    Some(differences)
}

#[test]
fn all_primitives_do_what_their_models_do() {
    for (synthesis, cases) in [("synth_xilinx -family xcup", &AMD[..]), ("synth_ice40", &ICE40), ("synth_ecp5", &ECP5)]
    {
        assert!(differences(synthesis, cases, |_| ()).is_none_or(|n| n == 0), "{synthesis}");
        for case in cases {
            let alone = differences(synthesis, &[*case], |_| ());
            assert!(alone.is_none_or(|n| n == 0), "{case:?}");
        }
    }
}

/// The models of multipliers against integers; the functions of the cells are held against integers beside their code.
#[test]
fn models_of_multipliers_multiply() {
    let Ok(models) = models::of_family("synth_ecp5") else {
        println!("skipped: Yosys is not installed");
        return;
    };
    if Engine::Icarus.find().is_err() {
        println!("skipped: Icarus is not installed");
        return;
    }
    for (case, bits, signed) in
        [(MULTIPLIERS[0], [27, 3, 18], [true, true]), (MULTIPLIERS[1], [18, 0, 18], [true, false])]
    {
        let text = text(&[case]);
        let steps = stimulus(text.inputs);
        let said = icarus(&models, &text, &steps);
        assert_eq!(said.len(), STEPS);
        for (x, said) in steps.iter().zip(said) {
            let number = |from: usize, bits: usize, signed: bool| {
                let value: i64 = (0..bits).map(|i| i64::from(x[1 + from + i]) << i).sum();
                value - (i64::from(signed && x[from + bits]) << bits)
            };
            let a = number(0, bits[0], signed[0]);
            let b = number(bits[0] + bits[1], bits[2], signed[1]);
            let product = (0..text.outputs).rev().map(|i| (a * b) >> i & 1);
            let product: String = product.map(|bit| bit.to_string()).collect();
            assert_eq!(said, product, "{} {a} {b}", case.0);
        }
    }
}

#[test]
fn another_function_is_noticed() {
    let spoil = |cells: &mut Cells| {
        for cell in cells.values_mut() {
            cell.outputs.iter_mut().for_each(|(_, f)| f.table ^= 1);
        }
    };
    let spoilt = differences("synth_ice40", &ICE40[..1], spoil);
    assert!(spoilt.is_none_or(|n| n > 0));
}

#[test]
fn what_is_not_understood_is_left_alone() {
    for (primitives, line) in [
        (Primitives::Amd, "LUT3 u (\n.I0(a),\n.O(b)\n);"),
        (Primitives::Amd, "LUT7 #(\n.INIT(1'h1)\n) u (\n.I0(a),\n.O(b)\n);"),
        (Primitives::Amd, "CARRY8 #(\n.CARRY_TYPE(\"DUAL_CY4\")\n) u (\n.CI(a)\n);"),
        (Primitives::Amd, "FDRE #(\n.IS_C_INVERTED(1'h1)\n) u (\n.C(a)\n);"),
        (Primitives::Amd, "SRL16E u (\n.A0(a),\n.D(b)\n);"),
        (Primitives::Amd, "DSP48E2 #(\n.AREG(32'sd1)\n) u (\n.A(a)\n);"),
        (Primitives::Ecp5, "MULT18X18D u (\n.SOURCEA(1'h1)\n);"),
        (Primitives::Ice40, "SB_DFFX u (\n.C(a)\n);"),
        (Primitives::Ecp5, "TRELLIS_FF #(\n.LSRMODE(\"PRLD\")\n) u (\n.CLK(a)\n);"),
    ] {
        let mut netlist = Netlist::read(line.as_bytes()).unwrap();
        let before = netlist.clone();
        assert!(primitives.resolve(&mut netlist).is_empty(), "{line}");
        assert_eq!(netlist, before);
    }
    assert_eq!(Primitives::of("synth_gowin"), None);
}
