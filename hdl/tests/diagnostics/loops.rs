//! Combinational loops.

use expect_test::expect;
use hdl::dfg::ModuleBuilder;

use super::{assert_error, s8};

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
