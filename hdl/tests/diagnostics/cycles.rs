//! Values of different cycles together.

use expect_test::expect;
use hdl::dfg::{Balance, ModuleBuilder};
use hdl::num::Format;

use super::{accumulator, assert_error, s8, upto};

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
