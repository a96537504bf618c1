//! Numbers that do not fit.

use expect_test::expect;
use hdl::dfg::{ModuleBuilder, RegisterStyle};
use hdl::num::Format;

use super::{accumulator, assert_error, s8, upto};

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
