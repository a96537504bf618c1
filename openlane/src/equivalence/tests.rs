//! Small netlists that are the same, and some that are not.

use std::time::Duration;

use super::*;
use sim::cell::{Function, STATE};
use sim::primitives::Primitives;

/// A toggle with enable, and an adder.
const GOLDEN: &str = "module top(clk, e, a, s, y);\n  input clk;\n  input e;\n  input [1:0] a;\n  output s;\n  \
    output y;\n  \\$_XOR_  _1_ (\n    .A(q),\n    .B(e),\n    .Y(d)\n  );\n  \
    \\$_DFF_P_  register_0_ (\n    .C(clk),\n    .D(d),\n    .Q(q)\n  );\n  \
    hwgen_full_adder _2_ (\n    .A(a[0]),\n    .B(a[1]),\n    .C(1'h1),\n    .X(y)\n  );\n  assign s = q;\nendmodule\n";

/// The same with a register whose output is inverted.
const GATE: &str = "module top(clk, e, a, s, y);\n  input clk;\n  input e;\n  input [1:0] a;\n  output s;\n  \
    output y;\n  XNOR _1_ (\n    .A(nq),\n    .B(e),\n    .Y(d)\n  );\n  INV _3_ (\n    .A(nq),\n    .Y(s)\n  );\n  \
    FF register_0_ (\n    .CK(clk),\n    .D(d),\n    .QN(nq)\n  );\n  \
    OR _2_ (\n    .A(a[1]),\n    .B(a[0]),\n    .Y(y)\n  );\nendmodule\n";

fn library() -> Cells {
    let gates = gates();
    let mut inverted = gates["$_DFF_P_"].clone();
    let register = inverted.register.as_mut().unwrap();
    register.clock.pins = vec!["CK".into()];
    inverted.outputs = vec![("QN".into(), Function { pins: vec![STATE.into()], table: 0b01 })];
    let mut adder = gates["hwgen_full_adder"].clone();
    for ((pin, function), name) in adder.outputs.iter_mut().zip(["CO", "S"]) {
        *pin = name.into();
        function.pins = ["P", "Q", "R"].map(String::from).into();
    }
    let named = [("XNOR", "$_XNOR_"), ("INV", "$_NOT_"), ("OR", "$_OR_")];
    let mut cells: Cells = named.map(|(name, gate)| (name.to_owned(), gates[gate].clone())).into();
    cells.insert("FF".into(), inverted);
    cells.insert("FA".into(), adder);
    cells
}

/// The verdict on the gate-level text out of [`library`]'s cells, or `None` without ABC.
fn verdict(golden: &str, gate: &str) -> Option<Result<Proof, Diagnostics>> {
    verdict_by(golden, gate, Functions::Cells(&library()))
}

fn verdict_by(golden: &str, gate: &str, functions: Functions<'_>) -> Option<Result<Proof, Diagnostics>> {
    if Program::Abc.find().is_err() {
        println!("skipped: yosys-abc is not installed");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let meter = Meter::new(Duration::from_secs(60));
    Some(compare(folder.path(), [golden, gate], functions, &meter))
}

#[test]
fn the_same_function_is_proved() {
    let Some(found) = verdict(GOLDEN, GATE) else {
        return;
    };
    let proof = Proof::Equivalent(Proved {
        modules: 1,
        registers: 1,
        // s and y, and four parts of the register
        outputs: 6,
        ..Proved::default()
    });
    assert_eq!(found.unwrap(), proof);
}

#[test]
fn a_changed_gate_is_found_and_named() {
    for (from, to, output) in [
        ("XNOR", "OR", "next state of q"),
        (".QN(nq)", ".QN(s)", "s"),
        (".A(a[1])", ".A(e)", "y"),
        (".CK(clk)", ".CK(e)", "clock of q"),
    ] {
        let gate = match from {
            // the inverter then drives the net that the register drove
            ".QN(nq)" => {
                GATE.replace(from, to).replace("INV _3_ (\n    .A(nq),\n    .Y(s)", "INV _3_ (\n    .A(s),\n    .Y(nq)")
            }
            _ => GATE.replace(from, to),
        };
        let Some(found) = verdict(GOLDEN, &gate) else {
            return;
        };
        match found.unwrap() {
            Proof::Different(names) => assert!(names.contains(&output.to_owned()), "{names:?}"),
            proof => panic!("{from} became {to}: {proof:?}"),
        }
    }
}

#[test]
fn a_register_less_must_not_matter() {
    let spare = "  \\$_DFF_P_  register_1_ (\n    .C(clk),\n    .D(e),\n    .Q(spare)\n  );\nendmodule";
    let golden = GOLDEN.replace("endmodule", spare);
    let Some(found) = verdict(&golden, GATE) else {
        return;
    };
    assert!(matches!(found.unwrap(), Proof::Equivalent(Proved { dropped: 1, .. })));
    let needed = golden.replace("assign s = q", "assign s = spare");
    let found = verdict(&needed, GATE).unwrap().unwrap();
    assert!(matches!(found, Proof::Different(_)), "{found:?}");
    let error = verdict(GOLDEN, &GATE.replace("register_0_", "register_9_"));
    assert_eq!(error.unwrap().unwrap_err().0[0].code, "netlist");
}

#[test]
fn loose_nets_double_drivers_and_unknown_cells_are_errors() {
    for (from, to, reason) in [
        ("OR _2_", "NOVEL _2_", "`NOVEL`, whose function is not known"),
        (".A(a[1])", ".A(loose)", "nothing drives the net `loose`"),
        (".Y(s)", ".Y(d)", "has two drivers"),
        ("input e", "input f", "different ports"),
    ] {
        let Some(found) = verdict(GOLDEN, &GATE.replace(from, to)) else {
            return;
        };
        let error = found.unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

/// A module of a full adder behind a register, twice in the top: `p` is the sum of the second, whose `a` is the first's.
fn two_modules(adder: &str, flip_flop: &str) -> String {
    format!(
        "module inner(clk, a, b, y);\n  input clk;\n  input a;\n  input [1:0] b;\n  output y;\n{adder}{flip_flop}\
         endmodule\n\nmodule top(clk, a, b, p);\n  input clk;\n  input a;\n  input [1:0] b;\n  output p;\n  inner u0 (\n    \
         .clk(clk),\n    .a(a),\n    .b(b),\n    .y(mid)\n  );\n  inner u1 (\n    .clk(clk),\n    .a(mid),\n    \
         .b({{ b[0], b[1] }}),\n    .y(p)\n  );\nendmodule\n"
    )
}

const GOLDEN_ADDER: &str = "  hwgen_full_adder adder_0_ (\n    .A(a),\n    .B(b[1]),\n    .C(b[0]),\n    .X(c),\n    .Y(s)\n  );\n  \
    \\$_XOR_  _1_ (\n    .A(c),\n    .B(s),\n    .Y(d)\n  );\n";
const GATE_ADDER: &str = "  FA \\adder_0_.full  (\n    .P(b[0]),\n    .Q(a),\n    .R(b[1]),\n    .CO(k),\n    .S(t)\n  );\n  \
    XNOR _1_ (\n    .A(k),\n    .B(t),\n    .Y(e)\n  );\n  INV _2_ (\n    .A(e),\n    .Y(d)\n  );\n";
const GOLDEN_REGISTER: &str = "  \\$_DFF_P_  register_0_ (\n    .C(clk),\n    .D(d),\n    .Q(y)\n  );\n";
const GATE_REGISTER: &str =
    "  FF register_0_ (\n    .CK(clk),\n    .D(d),\n    .QN(ny)\n  );\n  INV _3_ (\n    .A(ny),\n    .Y(y)\n  );\n";

#[test]
fn modules_are_compared_one_by_one_and_cut_at_full_adders() {
    let golden = two_modules(GOLDEN_ADDER, GOLDEN_REGISTER);
    let gate = two_modules(GATE_ADDER, GATE_REGISTER);
    let Some(found) = verdict(&golden, &gate) else {
        return;
    };
    let proof = Proof::Equivalent(Proved {
        modules: 2,
        registers: 1,
        cuts: 2,
        // y, four parts of the register, sum and carry; p, and four inputs of each instance
        outputs: 7 + 9,
        dropped: 0,
    });
    assert_eq!(found.unwrap(), proof);
    for (from, to, output) in [
        (".CO(k)", ".CO(t2)", "next state of y"),
        (".P(b[0])", ".P(b[1])", "next state of y"),
        (".b({ b[0], b[1] })", ".b(b)", "b[1] of u1"),
        (".a(mid)", ".a(a)", "a of u1"),
    ] {
        let changed = gate.replace(from, to).replace(
            ".A(k)",
            match from {
                ".CO(k)" => ".A(a)",
                _ => ".A(k)",
            },
        );
        assert_ne!(changed, gate);
        match verdict(&golden, &changed).unwrap().unwrap() {
            Proof::Different(names) => assert!(names.contains(&output.to_owned()), "{names:?}"),
            proof => panic!("{from} became {to}: {proof:?}"),
        }
    }
}

#[test]
fn other_modules_and_combinational_loops_are_errors() {
    let golden = two_modules(GOLDEN_ADDER, GOLDEN_REGISTER);
    let gate = two_modules(GATE_ADDER, GATE_REGISTER);
    for (from, to, reason) in [
        ("module inner", "module other", "`inner` is not in the mapped netlist"),
        ("inner u1 (", "inner u2 (", "the instance `u2` of `inner` is in the mapped netlist only"),
        (".Q(a)", ".Q(d)", "depends on itself within a cycle"),
    ] {
        let Some(found) = verdict(&golden, &gate.replace(from, to)) else {
            return;
        };
        let error = found.unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

/// ABC's verdict on AMD's primitives, or `None` without ABC.
fn verdict_on_primitives(golden: &str, gate: &str) -> Option<Result<Proof, Diagnostics>> {
    verdict_by(golden, gate, Functions::Primitives(Primitives::Amd))
}

/// A module with the ports `clk`, `d` and `q`.
fn module(body: &str) -> String {
    format!("module top(clk, d, q);\n  input clk;\n  input d;\n  output [1:0] q;\n{body}endmodule\n")
}

/// A register of Yosys from `d` to `q`.
fn gate_register(name: &str, d: &str, q: &str) -> String {
    format!("  \\$_DFF_P_  {name} (\n    .C(clk),\n    .D({d}),\n    .Q({q})\n  );\n")
}

fn primitive_register(name: &str, d: &str, q: &str) -> String {
    format!("  FDRE {name} (\n    .C(clk),\n    .CE(1'h1),\n    .D({d}),\n    .Q({q}),\n    .R(1'h0)\n  );\n")
}

#[test]
fn registers_that_one_side_merged_have_one_state() {
    let two = |register: fn(&str, &str, &str) -> String| {
        module(&(register("_1_", "d", "q[0]") + &register("_2_", "d", "q[1]")))
    };
    let one =
        |register: fn(&str, &str, &str) -> String| module(&(register("_9_", "d", "q[0]") + "  assign q[1] = q[0];\n"));
    for (golden, gate) in [(two(gate_register), one(primitive_register)), (one(gate_register), two(primitive_register))]
    {
        let Some(found) = verdict_on_primitives(&golden, &gate) else {
            return;
        };
        let proof = found.unwrap();
        assert!(matches!(proof, Proof::Equivalent(Proved { registers: 1, .. })), "{proof:?}");
    }
    // merged, but they do not load the same
    let apart = two(gate_register).replacen(".D(d)", ".D(q[1])", 1);
    let found = verdict_on_primitives(&apart, &one(primitive_register));
    assert!(matches!(found.unwrap().unwrap(), Proof::Different(_)));
}

#[test]
fn the_stages_of_a_shift_register_correspond() {
    let golden = module(
        &(gate_register("_1_", "d", "a")
            + &gate_register("_2_", "a", "b")
            + &gate_register("_3_", "b", "q[0]")
            + &gate_register("_4_", "d", "q[1]")),
    );
    let shift = |last: usize| {
        module(&format!(
            "  SRL16E _5_ (\n    .A0(1'h{}),\n    .A1(1'h{}),\n    .A2(1'h0),\n    .A3(1'h0),\n    .CE(1'h1),\n    \
             .CLK(clk),\n    .D(d),\n    .Q(q[0])\n  );\n{}",
            last & 1,
            last >> 1,
            primitive_register("_6_", "d", "q[1]")
        ))
    };
    let Some(found) = verdict_on_primitives(&golden, &shift(2)) else {
        return;
    };
    let proof = found.unwrap();
    assert!(matches!(proof, Proof::Equivalent(Proved { registers: 4, .. })), "{proof:?}");
    // one stage too few loads something else, one too many has no partner
    let found = verdict_on_primitives(&golden, &shift(1)).unwrap().unwrap();
    assert!(matches!(found, Proof::Different(_)), "{found:?}");
    let error = verdict_on_primitives(&golden, &shift(3)).unwrap();
    assert_eq!(error.unwrap_err().0[0].code, "netlist");
}
