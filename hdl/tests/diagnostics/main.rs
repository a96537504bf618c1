//! What the named checks of the language say, word for word.
//!
//! A message names source lines by number. Here the line's own text stands in place of the number, so that each test
//! shows that the right line is named, and none breaks when another moves.

mod branches;
mod cycles;
mod drivers;
mod loops;
mod others;
mod ranges;

use std::sync::Arc;

use expect_test::Expect;
use hdl::dfg::{Module, ModuleBuilder, RegisterStyle};
use hdl::diag::Diagnostics;
use hdl::num::{Format, Interval};

/// The files of tests, by name.
const SOURCES: [(&str, &str); 6] = [
    ("branches.rs", include_str!("branches.rs")),
    ("drivers.rs", include_str!("drivers.rs")),
    ("loops.rs", include_str!("loops.rs")),
    ("cycles.rs", include_str!("cycles.rs")),
    ("ranges.rs", include_str!("ranges.rs")),
    ("others.rs", include_str!("others.rs")),
];

/// `text` with every place in one of the files replaced by the line that stands there.
fn with_lines(text: &str) -> String {
    let shown = text.lines().map(|line| {
        let named = |(file, source)| Some((line.strip_prefix("  --> ")?.split_once(file)?.1, source));
        let Some((place, source)): Option<(&str, &str)> = SOURCES.into_iter().find_map(named) else {
            return line.to_owned();
        };
        let mut parts = place.splitn(4, ':').skip(1);
        let number: usize = parts.next().and_then(|n| n.parse().ok()).expect("a line number");
        let says = parts.nth(1).expect("what happens there");
        let there = source.lines().nth(number - 1).expect("a line of the file");
        format!("  --> `{}`:{says}", there.trim())
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
