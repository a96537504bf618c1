use super::*;

const TEXT: &str = "module top(clk, y);\n  input clk;\n  output [3:0] y;\n  wire _1_;\n  FAX1 _1_ (\n    .A(x),\n    \
    .YS(y[3])\n  );\n  \\$_INV_  \\u.v  (\n    .Y(\\a.b [2])\n  );\n  assign y[2:0] = { _1_, 2'h2 };\nendmodule\n";

#[test]
fn instances_have_their_nets() {
    let found = Netlist::read(TEXT.as_bytes()).unwrap().instances;
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].cell.as_str(), found[0].name.as_str()), ("FAX1", "_1_"));
    assert_eq!(found[0].pins[1], ("YS".into(), "y[3]".into()));
    assert_eq!((found[1].cell.as_str(), found[1].name.as_str()), ("$_INV_", "u.v"));
    assert_eq!(found[1].pins[0].1, "a.b[2]");
}

#[test]
fn ports_and_assignments_are_split_into_bits() {
    let found = Netlist::read(TEXT.as_bytes()).unwrap();
    assert_eq!(found.inputs, ["clk"]);
    assert_eq!(found.outputs, ["y[3]", "y[2]", "y[1]", "y[0]"]);
    let aliases: Vec<(&str, &str)> = found.aliases.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(aliases, [("y[2]", "_1_"), ("y[1]", "1'h1"), ("y[0]", "1'h0")]);
    let repeated = "output [2:0] y;\nassign y = { z, {2{z}} };\n";
    assert_eq!(Netlist::read(repeated.as_bytes()).unwrap().aliases[2].1, "z");
}

#[test]
fn sides_of_different_width_and_strange_constants_are_errors() {
    for line in [
        "assign y[1:0] = z;",
        "assign y[0] = 1'hy;",
        "assign y[0] = 9999999'h0;",
        "assign y[0] = 1'o7;",
        "wire [999999999:0] y;",
    ] {
        let error = Netlist::read(line.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(line), "{error}");
    }
}

#[test]
fn digits_may_be_unknown() {
    let netlist = Netlist::read("assign y[5:0] = 6'h3x;".as_bytes()).unwrap();
    let one = CONSTANTS[1];
    let drivers: Vec<&str> = netlist.aliases.iter().map(|(_, b)| &**b).collect();
    assert_eq!(drivers, [one, one, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN]);
    assert_eq!(number("3'b01"), Some(1));
    assert_eq!(number("70'd5"), None);
    assert_eq!(number("2'bx1"), None);
}

const FPGA: &str = "module top(clk, y);\n  wire [3:0] d;\n  LUT2 #(\n    .INIT(4'h8)\n  ) \\u.v  (\n    .I0(d[0]),\n    .O(_1_)\n  );\n  \
    CARRY4 c (\n    .DI({ d[3], 2'h2, _1_ }),\n    .O()\n  );\n  FDRE #(\n    .INIT(1'hx)\n  ) f (\n    .D(d)\n  );\nendmodule\n";

#[test]
fn parameters_and_pins_of_several_bits() {
    let found = Netlist::read(FPGA.as_bytes()).unwrap().instances;
    assert_eq!(found[0].parameters, [("INIT".into(), "4'h8".into())]);
    assert_eq!((found[0].cell.as_str(), found[0].name.as_str()), ("LUT2", "u.v"));
    let pins: Vec<String> = found[1].pins.iter().map(|(pin, net)| format!("{pin}={net}")).collect();
    assert_eq!(pins, ["DI[3]=d[3]", "DI[2]=1'h1", "DI[1]=1'h0", "DI[0]=_1_"]);
    let values = ["4'h8", "5'd17", "2'b10", "1'hx", "70'h0", "\"A\""].map(number);
    assert_eq!(values, [Some(8), Some(17), Some(2), None, None, None]);
    assert_eq!(found[2].pins[0], ("D[3]".into(), "d[3]".into()));
}

const NESTED: &str = "module leaf(a, y);\n  input [1:0] a;\n  output y;\n  AND2 g (\n    .A(a[0]),\n    .B(a[1]),\n    .Y(y)\n  );\nendmodule\n\
    module top(x, z);\n  input [2:0] x;\n  output z;\n  wire w;\n  leaf u (\n    .a(x[1:0]),\n    .y(w)\n  );\n  leaf v (\n    \
    .a({ w, 1'h1 }),\n    .y(z)\n  );\nendmodule\n";

#[test]
fn modules_are_dissolved() {
    let found = Netlist::read(NESTED.as_bytes()).unwrap();
    assert_eq!((found.inputs.len(), found.outputs.as_slice()), (3, ["z".to_owned()].as_slice()));
    let names: Vec<&str> = found.instances.iter().map(|i| i.name.as_str()).collect();
    assert_eq!(names, ["v.g", "u.g"]);
    assert_eq!(found.instances[1].pins[1], ("B".into(), "u.a[1]".into()));
    for (driven, driver) in [("u.a[1]", "x[1]"), ("w", "u.y"), ("v.a[0]", "1'h1"), ("z", "v.y")] {
        assert!(found.aliases.contains(&(driven.into(), driver.into())), "{driven}");
    }
}

#[test]
fn modules_that_do_not_fit_together_are_errors() {
    for (from, to, reason) in [
        ("leaf v", "other v", ""),
        (".a({", ".b({", "pins that module leaf lacks"),
        ("module leaf", "module loaf", "has 2: loaf, top"),
        ("AND2 g", "top g", "has 0"),
    ] {
        match Netlist::read(NESTED.replace(from, to).as_bytes()) {
            Ok(_) => assert!(reason.is_empty(), "{to}"),
            Err(error) => assert!(error.to_string().contains(reason) && !reason.is_empty(), "{error}"),
        }
    }
}

#[test]
fn a_netlist_that_is_cut_off_is_an_error() {
    for end in [NESTED.len() - 3, NESTED.len() / 2, 60] {
        let error = Netlist::read(&NESTED.as_bytes()[..end]).unwrap_err();
        assert!(error.to_string().contains("ends inside"), "{error}");
    }
}
