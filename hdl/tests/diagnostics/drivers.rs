//! What drives nothing, and what is driven twice.

use expect_test::expect;
use hdl::dfg::{ModuleBuilder, RegisterStyle};

use super::{assert_error, s8, upto};

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
          help: give it a value with `set` or `set_next`"#]],
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
          help: give it a value with `drive`, or with `set` if it is a signal"#]],
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
