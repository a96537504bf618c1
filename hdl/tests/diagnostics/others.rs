//! Names, black boxes, imported modules, and several mistakes at once.

use expect_test::expect;
use hdl::dfg::eval::Stepper;
use hdl::dfg::{ModuleBuilder, RegisterStyle, Stamp, Value, check};
use hdl::diag::Diagnostics;
use hdl::import;
use hdl::num::Format;

use super::{assert_error, s8, upto, with_lines};

#[test]
fn unused_input() {
    let m = ModuleBuilder::new("m");
    let x = m.input_array("x", 3, s8());
    let _spare = m.input("spare", s8());
    m.output("y", x[0] + x[2]);
    let warnings = Diagnostics(check(&m.finish().unwrap()));
    expect![[r#"
        warning[unused-input]: input `x[1]` is never read
          --> `let x = m.input_array("x", 3, s8());`: declared here
        warning[unused-input]: input `spare` is never read
          --> `let _spare = m.input("spare", s8());`: declared here"#]]
    .assert_eq(&with_lines(&warnings.to_string()));
}

#[test]
fn bad_names() {
    let long = "x".repeat(10_000);
    let m = ModuleBuilder::new("module");
    let x = m.input("a b", s8());
    let y = m.input("a;b", s8()).named("endmodule");
    let z = m.input(&long, s8()).named("");
    let w = m.wire("9lives", s8());
    m.drive(w, z);
    let held = m.state("a\nb", s8(), RegisterStyle::default());
    held.set_next(w);
    m.output("$finish", x + y + held.value());
    assert_error(
        m.finish(),
        expect![[r#"
        error[bad-name]: module name `module`: this is a reserved word of Verilog
          --> `let m = ModuleBuilder::new("module");`: named here
        error[bad-name]: port name `a b`: ' ' is no letter, digit or underscore
          --> `let x = m.input("a b", s8());`: named here
        error[bad-name]: port name `a;b`: ';' is no letter, digit or underscore
          --> `let y = m.input("a;b", s8()).named("endmodule");`: named here
        error[bad-name]: value name `endmodule`: this is a reserved word of Verilog
          --> `let y = m.input("a;b", s8()).named("endmodule");`: named here
        error[bad-name]: port name `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…`: 10000 characters are too many, 255 are allowed
          --> `let z = m.input(&long, s8()).named("");`: named here
        error[bad-name]: value name ``: a name cannot be empty
          --> `let z = m.input(&long, s8()).named("");`: named here
        error[bad-name]: wire name `9lives`: a name begins with a letter or an underscore
          --> `let w = m.wire("9lives", s8());`: named here
        error[bad-name]: register name `a\nb`: '\n' is no letter, digit or underscore
          --> `let held = m.state("a\nb", s8(), RegisterStyle::default());`: named here
        error[bad-name]: port name `$finish`: a name begins with a letter or an underscore
          --> `m.output("$finish", x + y + held.value());`: named here"#]],
    );
}

#[test]
fn black_box_without_behaviour() {
    let source = "module pad (input a, output y);\n  assign y = a;\nendmodule\n";
    let pad = import::import(source, "pad", &import::Options::default()).unwrap();
    let m = ModuleBuilder::new("m");
    let x = m.input("x", Format::BIT);
    m.output("y", m.instance(&pad, "pad0", &[x])[0]);
    let module = m.finish().unwrap();
    assert_error(
        Stepper::new(&module).map(|_| ()),
        expect![[r#"
        error[black-box]: `pad` is a black box: nothing says what it does
          help: give the evaluator its behaviour"#]],
    );
}

/// Building goes on after a mistake, so that one run shows them all.
#[test]
fn all_mistakes_come_at_once() {
    let m = ModuleBuilder::new("m");
    let x = m.input_port("x", vec![s8()], Stamp::at(0))[0];
    let index: Value<'_> = x.lookup(&[1, 2], 0);
    m.output_port("y", &[x + index], &[upto(1)]);
    let never = m.state("never", s8(), RegisterStyle::default());
    m.output("z", never.value());
    assert_error(
        m.finish(),
        expect![[r#"
            error[table-index]: the index range [-128, 127] leaves the table of 2 entries
              --> `let index: Value<'_> = x.lookup(&[1, 2], 0);`: looked up here
              help: saturate or wrap the index, or give the table an entry for each
            error[range-overflow]: output `y` cannot hold its value
              --> `let x = m.input_port("x", vec![s8()], Stamp::at(0))[0];`: this can be anything in [-128, 127]
              --> `m.output_port("y", &[x + index], &[upto(1)]);`: the port holds [0, 1]
              help: saturate, wrap or quantise the value explicitly, or widen the port
            error[undriven]: register `never` is never driven
              --> `let never = m.state("never", s8(), RegisterStyle::default());`: declared here
              help: give it a value with `set` or `set_next`"#]],
    );
}
