//! Registers of networks that share multipliers over beats.

use hdl::dfg::{ModuleBuilder, RegisterStyle, Reset, StateHandle, Value};
use hdl::num::{Format, Interval};

/// Starts at 0.
pub(super) fn reset() -> RegisterStyle {
    RegisterStyle { reset: Reset::Synchronous, ..RegisterStyle::default() }
}

/// `value` one cycle later; 0 after a reset.
pub(super) fn register<'m>(m: &'m ModuleBuilder, name: &str, value: Value<'m>) -> Value<'m> {
    let state = m.state(name, Format::BIT, reset());
    state.set_next(value);
    state.value()
}

/// A register for `value`, unknown at first.
pub(super) fn plain<'m>(m: &'m ModuleBuilder, name: &str, value: Value<'m>) -> StateHandle<'m> {
    let range = value.range().union(Interval::BIT);
    m.state(name, Format::integer(range), RegisterStyle::default())
}

/// `value` one cycle later, unknown at first.
pub(super) fn moved<'m>(m: &'m ModuleBuilder, name: &str, value: Value<'m>) -> Value<'m> {
    let state = plain(m, name, value);
    state.set_next(value.with_frac(0));
    state.value()
}

/// A signal some cycles later; 0 after a reset.
pub(super) fn later<'m>(m: &'m ModuleBuilder, name: &str, value: Value<'m>, cycles: u32) -> Value<'m> {
    (0..cycles).fold(value.wrap(1, false), |value, k| register(m, &format!("{name}{k}"), value))
}

/// The values of an output port in registers, written when `done` is 1; 0 after a reset.
pub(super) fn hold<'m>(m: &'m ModuleBuilder, port: &str, values: &[Value<'m>], done: Value<'m>, frac: i32) {
    let held = |(i, value): (usize, &Value<'m>)| {
        let format = Format::integer(value.range().union(Interval::BIT));
        let held = m.state(&format!("{port}_{i}"), format, reset());
        held.set_next_when(done, *value);
        held.value().with_frac(frac)
    };
    let held: Vec<Value<'m>> = values.iter().enumerate().map(held).collect();
    m.output_array(port, &held);
}
