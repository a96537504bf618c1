//! What the named checks of the language say, word for word.
//!
//! A message names source lines by number. Here the line's own text stands in place of the number, so that each test
//! shows that the right line is named, and none breaks when another moves.

use std::sync::Arc;

use expect_test::{Expect, expect};
use hdl::dfg::eval::Stepper;
use hdl::dfg::{Balance, Module, ModuleBuilder, RegisterStyle, Stamp, Value, check};
use hdl::diag::Diagnostics;
use hdl::import;
use hdl::num::{Format, Interval};

const SOURCE: &str = include_str!("diagnostics.rs");

/// `text` with every `…/diagnostics.rs:line:column` replaced by that line of this file.
fn with_lines(text: &str) -> String {
    let lines: Vec<&str> = SOURCE.lines().collect();
    let shown = text.lines().map(|line| {
        let place = line.strip_prefix("  --> ").and_then(|rest| rest.split_once("diagnostics.rs:"));
        let Some((_, rest)) = place else {
            return line.to_owned();
        };
        let mut parts = rest.splitn(3, ':');
        let number: usize = parts.next().and_then(|n| n.parse().ok()).expect("a line number");
        let says = parts.nth(1).expect("what happens there");
        format!("  --> `{}`:{says}", lines[number - 1].trim())
    });
    shown.collect::<Vec<_>>().join("\n")
}

fn assert_error<T: std::fmt::Debug>(result: Result<T, Diagnostics>, expected: Expect) {
    expected.assert_eq(&with_lines(&result.unwrap_err().to_string()));
}

fn s8() -> Format {
    Format::signed(8, 0).unwrap()
}

fn upto(last: i128) -> Format {
    Format::integer(Interval::new(0, last).unwrap())
}

/// A sound module with one input and one register.
fn accumulator() -> Arc<Module> {
    let m = ModuleBuilder::new("accumulator");
    let x = m.input("x", s8());
    let sum = m.state("sum", Format::signed(16, 0).unwrap(), RegisterStyle::default());
    sum.set_next((sum.value() + x).saturate(sum.value().range()));
    m.output("y", sum.value());
    m.finish().unwrap()
}

#[test]
fn undriven_register() {
    let m = ModuleBuilder::new("m");
    let count = m.state("count", s8(), RegisterStyle::default());
    m.output("y", count.value());
    assert_error(
        m.finish(),
        expect![[r#"
        error[undriven]: register `count` is never driven
          --> `let count = m.state("count", s8(), RegisterStyle::default());`: declared here
          help: give it a value with `set_next`"#]],
    );
}

#[test]
fn undriven_register_file() {
    let m = ModuleBuilder::new("m");
    let words = m.memory("words", 4, s8());
    m.output("y", words.read(m.input("address", upto(3))));
    assert_error(
        m.finish(),
        expect![[r#"
        error[undriven]: register file `words` is never driven
          --> `let words = m.memory("words", 4, s8());`: declared here
          help: give it a value with `write`"#]],
    );
}

#[test]
fn undriven_wire() {
    let m = ModuleBuilder::new("m");
    let later = m.wire("later", s8());
    m.output("y", later);
    assert_error(
        m.finish(),
        expect![[r#"
        error[undriven]: wire `later` is never driven
          --> `let later = m.wire("later", s8());`: declared here
          help: give it a value with `drive`"#]],
    );
}

#[test]
fn register_driven_twice() {
    let m = ModuleBuilder::new("m");
    let x = m.input("x", s8());
    let count = m.state("count", s8(), RegisterStyle::default());
    count.set_next(x);
    count.set_next_when(x.gt(m.constant(0, 0)), count.value());
    m.output("y", count.value());
    assert_error(
        m.finish(),
        expect![[r#"
        error[multiply-driven]: register `count` is driven twice
          --> `count.set_next(x);`: driven here first
          --> `count.set_next_when(x.gt(m.constant(0, 0)), count.value());`: driven again here
          help: select between the two values with `mux`"#]],
    );
}

#[test]
fn register_file_driven_twice() {
    let m = ModuleBuilder::new("m");
    let (x, at) = (m.input("x", s8()), m.input("at", upto(3)));
    let words = m.memory("words", 4, s8());
    words.write(m.constant(1, 0), at, x);
    words.write(m.constant(1, 0), at, m.constant(0, 0));
    m.output("y", words.read(at));
    assert_error(
        m.finish(),
        expect![[r#"
        error[multiply-driven]: register file `words` is driven twice
          --> `words.write(m.constant(1, 0), at, x);`: driven here first
          --> `words.write(m.constant(1, 0), at, m.constant(0, 0));`: driven again here
          help: select between the two values with `mux`"#]],
    );
}

#[test]
fn wire_driven_twice() {
    let m = ModuleBuilder::new("m");
    let x = m.input("x", s8());
    let later = m.wire("later", s8());
    m.drive(later, x);
    m.drive(later, m.constant(3, 0));
    m.output("y", later);
    assert_error(
        m.finish(),
        expect![[r#"
        error[multiply-driven]: wire `later` is driven twice
          --> `m.drive(later, x);`: driven here first
          --> `m.drive(later, m.constant(3, 0));`: driven again here
          help: select between the two values with `mux`"#]],
    );
}

#[test]
fn port_declared_twice() {
    let m = ModuleBuilder::new("m");
    let x = m.input("x", s8());
    m.output("x", x);
    m.output("clk", x);
    assert_error(
        m.finish(),
        expect![[r#"
            error[port-name]: there already is a port `x`
              --> `m.output("x", x);`: declared again here
              help: choose another name
            error[port-name]: `clk` is kept for modules with registers, which get that port by themselves
              --> `m.output("clk", x);`: declared here
              help: choose another name"#]],
    );
}

#[test]
fn only_wires_are_driven() {
    let m = ModuleBuilder::new("m");
    let x = m.input("x", s8());
    let sum = x + m.constant(1, 0);
    m.drive(sum, x);
    m.output("y", sum);
    assert_error(
        m.finish(),
        expect![[r#"
        error[not-a-wire]: only a forward reference can be driven
          --> `let sum = x + m.constant(1, 0);`: this value is computed here
          --> `m.drive(sum, x);`: driven here
          help: declare it with `wire`"#]],
    );
}

#[test]
fn combinational_loop() {
    let m = ModuleBuilder::new("m");
    let x = m.input("x", s8());
    let later = m.wire("later", s8());
    let total = (later + x).named("total");
    let clamped = total.saturate(s8().range);
    let aside = (clamped * m.constant(3, 0)).wrap(8, true);
    m.drive(later, clamped);
    m.output_array("y", &[clamped, aside]);
    assert_error(
        m.finish(),
        expect![[r#"
        error[combinational-loop]: a value depends on itself within one cycle
          --> `let later = m.wire("later", s8());`: through this wire `later`
          --> `let total = (later + x).named("total");`: through this add `total`
          --> `let clamped = total.saturate(s8().range);`: through this max
          --> `let clamped = total.saturate(s8().range);`: through this min
          help: break the loop with a register (`state`)"#]],
    );
}

#[test]
fn loop_through_an_instance() {
    let adder = ModuleBuilder::new("adder");
    let (a, b) = (adder.input("a", s8()), adder.input("b", s8()));
    adder.output("y", (a + b).wrap(8, true));
    let adder = adder.finish().unwrap();
    let m = ModuleBuilder::new("m");
    let x = m.input("x", s8());
    let back = m.wire("back", s8());
    let sum = m.instance(&adder, "add", &[x, back])[0];
    m.drive(back, sum);
    m.output("y", sum);
    assert_error(
        m.finish(),
        expect![[r#"
        error[combinational-loop]: a value depends on itself within one cycle
          --> `let back = m.wire("back", s8());`: through this wire `back`
          --> `let sum = m.instance(&adder, "add", &[x, back])[0];`: through this instance `add`
          help: break the loop with a register (`state`)"#]],
    );
}

#[test]
fn feedback_through_a_pipeline_register() {
    let m = ModuleBuilder::new("m");
    let x = m.input("x", s8());
    let back = m.wire("back", s8());
    let sum = (x + back).wrap(8, true);
    m.drive(back, sum.delay(1));
    m.output("y", sum);
    assert_error(
        m.finish(),
        expect![[r#"
        error[feedback]: a value depends on itself through pipeline registers
          --> `let back = m.wire("back", s8());`: through this wire `back`
          --> `let sum = (x + back).wrap(8, true);`: through this add
          --> `let sum = (x + back).wrap(8, true);`: through this wrap
          --> `m.drive(back, sum.delay(1));`: through this delay
          help: hold what is fed back in a register (`state`)"#]],
    );
}

#[test]
fn a_long_loop_is_cut_short() {
    let m = ModuleBuilder::new("m");
    let x = m.input("x", s8());
    let back = m.wire("back", s8());
    let chain = (0..1000).fold(back, |sum, _| (sum + x).wrap(8, true));
    m.drive(back, chain);
    m.output("y", chain);
    let text = m.finish().unwrap_err().to_string();
    assert!(text.contains("and 1981 more") && text.lines().count() < 30, "{text}");
}

#[test]
fn cycles_mixed() {
    let m = ModuleBuilder::new("m");
    m.set_balance(Balance::Strict);
    let (a, b) = (m.input("a", s8()), m.input("b", s8()));
    let late = (a * b).delay(2);
    m.output("y", late + a);
    assert_error(
        m.finish(),
        expect![[r#"
            error[cycle-mismatch]: the operands belong to different cycles
              --> `let (a, b) = (m.input("a", s8()), m.input("b", s8()));`: available in cycle 0
              --> `let late = (a * b).delay(2);`: available in cycle 2
              --> `m.output("y", late + a);`: used together here
              help: delay the earlier one, or set Balance::Automatic"#]],
    );
}

#[test]
fn cycles_mixed_at_a_register_file() {
    let m = ModuleBuilder::new("m");
    m.set_balance(Balance::Strict);
    let (on, at, x) = (m.input("on", Format::BIT), m.input("at", upto(3)), m.input("x", s8()));
    let words = m.memory("words", 4, s8());
    words.write(on, at, x.delay(1));
    m.output("y", words.read(at));
    assert_error(
        m.finish(),
        expect![[r#"
            error[cycle-mismatch]: the operands belong to different cycles
              --> `let (on, at, x) = (m.input("on", Format::BIT), m.input("at", upto(3)), m.input("x", s8()));`: available in cycle 0
              --> `words.write(on, at, x.delay(1));`: available in cycle 1
              --> `words.write(on, at, x.delay(1));`: used together here
              help: delay the earlier one, or set Balance::Automatic"#]],
    );
}

#[test]
fn cycles_mixed_through_a_wire() {
    let m = ModuleBuilder::new("m");
    let x = m.input("x", s8());
    let later = m.wire("later", s8());
    let sum = later + x;
    m.drive(later, x.delay(1));
    m.output("y", sum);
    assert_error(
        m.finish(),
        expect![[r#"
            error[cycle-mismatch]: values of different cycles meet once the forward references are resolved
              --> `let x = m.input("x", s8());`: available in cycle 0
              --> `m.drive(later, x.delay(1));`: available in cycle 1
              --> `let sum = later + x;`: used together here
              help: drive a wire with values of the cycle in which it is used, or with registers (`state`)"#]],
    );
}

#[test]
fn cycles_mixed_at_an_output() {
    let m = ModuleBuilder::new("m");
    let x = m.input("x", s8());
    let later = m.wire("later", s8());
    m.drive(later, x.delay(1));
    m.output_array("y", &[x, later]);
    assert_error(
        m.finish(),
        expect![[r#"
            error[cycle-mismatch]: values of different cycles meet once the forward references are resolved
              --> `let x = m.input("x", s8());`: available in cycle 0
              --> `m.drive(later, x.delay(1));`: available in cycle 1
              help: drive a wire with values of the cycle in which it is used, or with registers (`state`)"#]],
    );
}

#[test]
fn cycles_mixed_at_an_instance() {
    let inner = accumulator();
    let m = ModuleBuilder::new("m");
    let later = m.wire("later", s8());
    m.output("y", m.instance(&inner, "inner", &[later])[0]);
    m.drive(later, m.input("x", s8()).delay(1));
    assert_error(
        m.finish(),
        expect![[r#"
            error[cycle-mismatch]: an input of instance `inner` comes in another cycle than wanted once the forward references are resolved
              --> `m.drive(later, m.input("x", s8()).delay(1));`: available in cycle 1, the instance knows of no cycle yet
              help: drive a wire with values of the cycle in which it is used, or with registers (`state`)"#]],
    );
}

#[test]
fn range_overflow_at_a_port() {
    let m = ModuleBuilder::new("m");
    let x = m.input("x", s8());
    let sum = x + x;
    m.output_port("y", &[sum], &[s8()]);
    assert_error(
        m.finish(),
        expect![[r#"
        error[range-overflow]: output `y` cannot hold its value
          --> `let sum = x + x;`: this can be anything in [-256, 254]
          --> `m.output_port("y", &[sum], &[s8()]);`: the port holds [-128, 127]
          help: saturate, wrap or quantise the value explicitly, or widen the port"#]],
    );
}

#[test]
fn range_overflow_at_a_register() {
    let m = ModuleBuilder::new("m");
    let x = m.input("x", s8());
    let sum = m.state("sum", s8(), RegisterStyle::default());
    let next = sum.value() + x;
    sum.set_next(next);
    m.output("y", sum.value());
    assert_error(
        m.finish(),
        expect![[r#"
        error[range-overflow]: register `sum` cannot hold its value
          --> `let next = sum.value() + x;`: this can be anything in [-256, 254]
          --> `sum.set_next(next);`: `sum` holds [-128, 127]
          help: saturate, wrap or quantise the value explicitly, or widen the declaration"#]],
    );
}

#[test]
fn range_overflow_of_an_initial_value() {
    let m = ModuleBuilder::new("m");
    let style = RegisterStyle { initial: 200, ..RegisterStyle::default() };
    let held = m.state("held", s8(), style);
    held.set_next(m.input("x", s8()));
    m.output("y", held.value());
    assert_error(
        m.finish(),
        expect![[r#"
            error[range-overflow]: register `held` cannot hold its value
              --> `let held = m.state("held", s8(), style);`: this is 200
              --> `let held = m.state("held", s8(), style);`: `held` holds [-128, 127]
              help: saturate, wrap or quantise the value explicitly, or widen the declaration"#]],
    );
}

#[test]
fn range_overflow_at_a_wire() {
    let m = ModuleBuilder::new("m");
    let x = m.input("x", s8());
    let few = m.wire("few", upto(3));
    m.drive(few, x);
    m.output("y", few);
    assert_error(
        m.finish(),
        expect![[r#"
            error[range-overflow]: wire `few` cannot hold its value
              --> `let x = m.input("x", s8());`: this can be anything in [-128, 127]
              --> `m.drive(few, x);`: `few` holds [0, 3]
              help: saturate, wrap or quantise the value explicitly, or widen the declaration"#]],
    );
}

#[test]
fn range_overflow_at_an_instance() {
    let inner = accumulator();
    let m = ModuleBuilder::new("m");
    let wide = m.input("wide", Format::signed(9, 0).unwrap());
    m.output("y", m.instance(&inner, "inner", &[wide])[0]);
    assert_error(
        m.finish(),
        expect![[r#"
            error[range-overflow]: input `inner.x` cannot hold its value
              --> `let wide = m.input("wide", Format::signed(9, 0).unwrap());`: this can be anything in [-256, 255]
              --> `m.output("y", m.instance(&inner, "inner", &[wide])[0]);`: `inner.x` holds [-128, 127]
              help: saturate, wrap or quantise the value explicitly, or widen the declaration"#]],
    );
}

#[test]
fn wrong_number_of_instance_inputs() {
    let inner = accumulator();
    let m = ModuleBuilder::new("m");
    let x = m.input("x", s8());
    m.output("y", m.instance(&inner, "inner", &[x, x])[0]);
    assert_error(
        m.finish(),
        expect![[r#"
            error[instance-inputs]: `inner` is given 2 inputs, `accumulator` has 1
              --> `m.output("y", m.instance(&inner, "inner", &[x, x])[0]);`: instance made here
              help: give one value for each input element, in the order of the ports"#]],
    );
}

#[test]
fn range_overflow_at_an_address() {
    let m = ModuleBuilder::new("m");
    let at = m.input("at", upto(4));
    let words = m.memory("words", 4, s8());
    words.write(m.constant(1, 0), at, m.constant(1, 0));
    m.output("y", words.read(at));
    assert_error(
        m.finish(),
        expect![[r#"
            error[range-overflow]: an address of register file `words` lies past its last word
              --> `let at = m.input("at", upto(4));`: this can be anything in [0, 4]
              --> `words.write(m.constant(1, 0), at, m.constant(1, 0));`: `words` has the addresses [0, 3]
              help: saturate or wrap the address, or give the register file more words
            error[range-overflow]: an address of register file `words` lies past its last word
              --> `let at = m.input("at", upto(4));`: this can be anything in [0, 4]
              --> `m.output("y", words.read(at));`: `words` has the addresses [0, 3]
              help: saturate or wrap the address, or give the register file more words"#]],
    );
}

#[test]
fn range_overflow_of_a_word() {
    let m = ModuleBuilder::new("m");
    let at = m.input("at", upto(3));
    let words = m.memory("words", 4, s8());
    words.write(m.constant(1, 0), at, m.constant(128, 0));
    m.output("y", words.read(at));
    assert_error(
        m.finish(),
        expect![[r#"
            error[range-overflow]: register file `words` cannot hold its value
              --> `words.write(m.constant(1, 0), at, m.constant(128, 0));`: this is 128
              --> `words.write(m.constant(1, 0), at, m.constant(128, 0));`: `words` holds [-128, 127]
              help: saturate, wrap or quantise the value explicitly, or widen the declaration"#]],
    );
}

#[test]
fn register_file_without_words() {
    let m = ModuleBuilder::new("m");
    let words = m.memory("words", 0, s8());
    words.write(m.constant(1, 0), m.constant(0, 0), m.constant(1, 0));
    m.output("y", words.read(m.constant(0, 0)));
    assert_error(
        m.finish(),
        expect![[r#"
        error[empty-memory]: register file `words` has no words
          --> `let words = m.memory("words", 0, s8());`: declared here"#]],
    );
}

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
fn fraction_lost() {
    let m = ModuleBuilder::new("m");
    let x = m.input("x", Format::signed(8, 4).unwrap());
    let square = x * x;
    m.output_port("y", &[square], &[Format::signed(16, 4).unwrap()]);
    assert_error(
        m.finish(),
        expect![[r#"
        error[fraction-lost]: 8 fraction bits do not fit 4
          --> `let square = x * x;`: made here
          --> `m.output_port("y", &[square], &[Format::signed(16, 4).unwrap()]);`: used here
          help: round or truncate the value explicitly"#]],
    );
}

#[test]
fn table_index() {
    let m = ModuleBuilder::new("m");
    let x = m.input("x", upto(4));
    m.output("y", x.lookup(&[1, 4, 9, 16], 0));
    assert_error(
        m.finish(),
        expect![[r#"
            error[table-index]: the index range [0, 4] leaves the table of 4 entries
              --> `m.output("y", x.lookup(&[1, 4, 9, 16], 0));`: looked up here
              help: saturate or wrap the index, or give the table an entry for each"#]],
    );
}

#[test]
fn too_wide() {
    let m = ModuleBuilder::new("m");
    let x = m.input("x", Format::signed(64, 0).unwrap());
    m.output("y", x * x);
    assert_error(
        m.finish(),
        expect![[r#"
        error[too-wide]: the exact result needs more than 120 bits
          --> `m.output("y", x * x);`: computed here
          help: quantise an operand first"#]],
    );
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
              help: give it a value with `set_next`"#]],
    );
}
