//! What the builder says of values, drivers and ranges.

use std::panic::Location;

use crate::dfg::Stamp;
use crate::diag::Diagnostic;
use crate::num::Interval;

/// When a value is there, for a message.
pub(crate) fn available(stamp: Stamp) -> String {
    match stamp.cycle() {
        Some(cycle) => format!("available in cycle {cycle}"),
        None => "available at any time".into(),
    }
}

/// What a value can be, for a message.
pub(crate) fn anything_in(range: Interval) -> String {
    match range.as_point() {
        Some(value) => format!("this is {value}"),
        None => format!("this can be anything in {range}"),
    }
}

/// The error of no driver.
pub(crate) fn undriven(what: &str, name: &str, method: &str) -> Diagnostic {
    Diagnostic::error("undriven", format!("{what} `{name}` is never driven"))
        .help(format!("give it a value with `{method}`"))
}

/// The error of a second driver.
pub(crate) fn multiply_driven(
    what: &str,
    name: &str,
    first: &'static Location<'static>,
    second: &'static Location<'static>,
) -> Diagnostic {
    Diagnostic::error("multiply-driven", format!("{what} `{name}` is driven twice"))
        .label(Some(first), "driven here first")
        .label(Some(second), "driven again here")
        .help("select between the two values with `mux`")
}

/// The error of a driver that can leave the declared range.
pub(crate) fn range_overflow(
    what: &str,
    name: &str,
    declared: Interval,
    range: Interval,
    made: Option<&'static Location<'static>>,
    place: &'static Location<'static>,
) -> Diagnostic {
    Diagnostic::error("range-overflow", format!("{what} `{name}` cannot hold its value"))
        .label(made, anything_in(range))
        .label(Some(place), format!("`{name}` holds {declared}"))
        .help("saturate, wrap or quantise the value explicitly, or widen the declaration")
}
