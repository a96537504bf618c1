//! Conditions, and what is known only under them.

use expect_test::expect;
use hdl::{ModuleBuilder, u};

use super::{accumulator, assert_error};

#[test]
fn a_branch_value_stays_in_its_branch() {
    let m = ModuleBuilder::new("m");
    let x = m.input("x", 0..=9);
    let mut less = x;
    m.when(x.differs(0), || {
        less = x - 1;
    });
    m.output("y", less);
    assert_error(
        m.finish(),
        expect![[r#"
        error[branch-value]: a value that is right only in its branch is used outside of it
          --> `less = x - 1;`: made here, where a condition bounds its operands
          --> `m.output("y", less);`: used here, whether or not the condition holds
          help: assign it to a signal with `set`, or make it outside of the branch"#]],
    );
}

#[test]
fn what_no_condition_bounds_does_not_fit() {
    let m = ModuleBuilder::new("m");
    let (x, left) = (m.input("x", 0..=1), m.reg("left", 0..=9));
    m.when(x, || {
        left.set(left - 1);
    });
    m.output("y", left);
    assert_error(
        m.finish(),
        expect![[r#"
        error[range-overflow]: register `left` cannot hold its value
          --> `left.set(left - 1);`: this can be anything in [-1, 8]
          --> `left.set(left - 1);`: `left` holds [0, 9]
          help: saturate, wrap or quantise the value explicitly, or widen the declaration"#]],
    );
}

#[test]
fn a_late_branch() {
    let m = ModuleBuilder::new("m");
    let (x, y) = (m.input("x", 0..=1), m.reg("y", 0..=9));
    let branch = m.when(x, || y.set(1));
    y.set(2);
    branch.otherwise(|| y.set(3));
    m.output("y", y);
    assert_error(
        m.finish(),
        expect![[r#"
        error[late-branch]: this branch does not follow directly on the others of its chain
          --> `branch.otherwise(|| y.set(3));`: added here
          help: write `when`, `elif` and `otherwise` as one expression"#]],
    );
}

#[test]
fn an_unreachable_case() {
    let m = ModuleBuilder::new("m");
    let (x, y) = (m.input("x", u(2)), m.reg("y", 0..=9));
    m.switch(x).case(0..=2, || y.set(1)).case([1, 2], || y.set(2)).otherwise(|| y.set(3));
    m.output("y", y);
    assert_error(
        m.finish(),
        expect![[r#"
        error[unreachable-case]: this case can never be taken
          --> `m.switch(x).case(0..=2, || y.set(1)).case([1, 2], || y.set(2)).otherwise(|| y.set(3));`: the selector lies in [0, 3]
          --> `m.switch(x).case(0..=2, || y.set(1)).case([1, 2], || y.set(2)).otherwise(|| y.set(3));`: earlier cases or its range leave nothing for this one
          help: remove the case, or give the selector a wider range"#]],
    );
}

#[test]
fn a_register_that_is_set_and_driven() {
    let m = ModuleBuilder::new("m");
    let y = m.reg("y", 0..=9);
    y.set_next(1);
    y.set(2);
    m.output("y", y);
    assert_error(
        m.finish(),
        expect![[r#"
        error[multiply-driven]: register `y` is driven twice
          --> `y.set_next(1);`: driven here first
          --> `y.set(2);`: driven again here
          help: use either `set` or `set_next`"#]],
    );
}

#[test]
fn an_empty_range() {
    let m = ModuleBuilder::new("m");
    let y = m.reg("y", 0..0);
    y.set(0);
    m.output("y", y);
    assert_error(
        m.finish(),
        expect![[r#"
        error[bad-range]: `y` can hold no number: its range is empty or too wide
          --> `let y = m.reg("y", 0..0);`: declared here
          help: give the least number first, and no more than 120 bits"#]],
    );
}

#[test]
fn an_assignment_later_than_its_condition() {
    let m = ModuleBuilder::new("m");
    let (go, x, y) = (m.input("go", 0..=1), m.input("x", u(4)), m.reg("y", u(4)));
    let late = x.delay(1);
    m.when(go, || {
        y.set(late);
    });
    m.output("y", y);
    assert_error(
        m.finish(),
        expect![[r#"
        error[cycle-mismatch]: the operands belong to different cycles
          --> `let (go, x, y) = (m.input("go", 0..=1), m.input("x", u(4)), m.reg("y", u(4)));`: available in cycle 0
          --> `let late = x.delay(1);`: available in cycle 1
          --> `m.when(go, || {`: used together here
          help: delay the earlier one, or set Balance::Automatic"#]],
    );
}

hdl::states! {
    enum Phase { Idle, Busy, Lost }
}

#[test]
fn an_unreachable_state() {
    let m = ModuleBuilder::new("m");
    let go = m.input("go", 0..=1);
    let phase = m.machine::<Phase>("phase", hdl::lang::Encoding::Binary);
    phase.arms(|now| match now {
        Phase::Idle => {
            m.when(go, || phase.go(Phase::Busy));
        }
        Phase::Busy | Phase::Lost => phase.go(Phase::Idle),
    });
    m.output("idle", phase.is(Phase::Idle));
    assert_error(
        m.finish(),
        expect![[r#"
        error[unreachable-state]: nothing leads to the state `Lost` of machine `phase`
          --> `let phase = m.machine::<Phase>("phase", hdl::lang::Encoding::Binary);`: it starts in `Idle`
          help: let another state `go` there, or remove it"#]],
    );
}

#[test]
fn a_branch_value_is_not_delayed() {
    let m = ModuleBuilder::new("m");
    let (x, y) = (m.input("x", 0..=9), m.reg("y", 0..=9));
    m.when(x.differs(0), || {
        let less = x - 1;
        y.set(less.delay(1));
    });
    m.output("y", y);
    let error = m.finish().unwrap_err();
    assert_eq!(error.0[0].code, "branch-value");
}

#[test]
fn a_branch_value_is_not_handed_to_an_instance() {
    let inner = accumulator();
    let m = ModuleBuilder::new("m");
    let x = m.input("x", 0..=9);
    m.when(x.differs(0), || {
        m.output("y", m.instance(&inner, "u0", &[x - 1])[0]);
    });
    assert_eq!(m.finish().unwrap_err().0[0].code, "branch-value");
}

#[test]
fn a_signal_that_is_never_set() {
    let m = ModuleBuilder::new("m");
    let y = m.signal("y", 0..=9, 3);
    m.output("y", y);
    assert_error(
        m.finish(),
        expect![[r#"
        error[undriven]: wire `y` is never driven
          --> `let y = m.signal("y", 0..=9, 3);`: declared here
          help: give it a value with `drive`, or with `set` if it is a signal"#]],
    );
}
