//! Small netlists that are the same, and some that are not.

use std::time::Duration;

use super::*;

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
    inverted.outputs = vec![(
        "QN".into(),
        Function {
            pins: vec![STATE.into()],
            table: 0b01,
        },
    )];
    let named = [("XNOR", "$_XNOR_"), ("INV", "$_NOT_"), ("OR", "$_OR_")];
    let mut cells: Cells = named
        .map(|(name, gate)| (name.to_owned(), gates[gate].clone()))
        .into();
    cells.insert("FF".into(), inverted);
    cells
}

/// The verdict on the gate-level text, or `None` without ABC.
fn verdict(golden: &str, gate: &str) -> Option<Result<Proof, Diagnostics>> {
    if Program::Abc.find().is_err() {
        println!("skipped: yosys-abc is not installed");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let [golden, gate] = [golden, gate].map(|text| Netlist::read(text.as_bytes()).unwrap());
    let meter = Meter::new(Duration::from_secs(60));
    let cells = [&gates(), &library()];
    Some(compare(folder.path(), [&golden, &gate], cells, &meter))
}

#[test]
fn the_same_function_is_proved() {
    let Some(found) = verdict(GOLDEN, GATE) else {
        return;
    };
    let proof = Proof::Equivalent {
        registers: 1,
        dropped: 0,
        outputs: 6,
    };
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
            ".QN(nq)" => GATE.replace(from, to).replace(
                "INV _3_ (\n    .A(nq),\n    .Y(s)",
                "INV _3_ (\n    .A(s),\n    .Y(nq)",
            ),
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
    let spare =
        "  \\$_DFF_P_  register_1_ (\n    .C(clk),\n    .D(e),\n    .Q(spare)\n  );\nendmodule";
    let golden = GOLDEN.replace("endmodule", spare);
    let Some(found) = verdict(&golden, GATE) else {
        return;
    };
    assert!(matches!(
        found.unwrap(),
        Proof::Equivalent { dropped: 1, .. }
    ));
    let needed = golden.replace("assign s = q", "assign s = spare");
    let found = verdict(&needed, GATE).unwrap().unwrap();
    assert!(matches!(found, Proof::Different(_)), "{found:?}");
    let error = verdict(GOLDEN, &GATE.replace("register_0_", "register_9_"));
    assert_eq!(error.unwrap().unwrap_err().0[0].code, "netlist");
}

#[test]
fn loose_nets_double_drivers_and_unknown_cells_are_errors() {
    for (from, to, reason) in [
        (
            "OR _2_",
            "NOVEL _2_",
            "`NOVEL`, whose function is not known",
        ),
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
