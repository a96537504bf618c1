//! Branches by the value of one selector.

use std::ops::RangeInclusive;
use std::panic::Location;

use super::{Branch, Place};
use crate::dfg::Value;
use crate::diag::Diagnostic;

/// Which numbers a case is for: one, `lo..=hi`, or an array of several.
pub trait Pattern {
    /// Inclusive ranges, in any order.
    fn ranges(&self) -> Vec<(i128, i128)>;
}

impl Pattern for i128 {
    fn ranges(&self) -> Vec<(i128, i128)> {
        vec![(*self, *self)]
    }
}

impl Pattern for RangeInclusive<i128> {
    fn ranges(&self) -> Vec<(i128, i128)> {
        vec![(*self.start(), *self.end())]
    }
}

impl<const K: usize> Pattern for [i128; K] {
    fn ranges(&self) -> Vec<(i128, i128)> {
        self.iter().map(|k| (*k, *k)).collect()
    }
}

/// Cases of a selector, of which the first that holds it is taken.
///
/// In a case the selector has the range of the case. A case that can never be taken is an error: what the selector
/// cannot be, or what earlier cases take.
///
/// ```
/// use hdl::{ModuleBuilder, dfg::eval, u};
///
/// let m = ModuleBuilder::new("unit");
/// let [op, a, b] = [("op", 3), ("a", 8), ("b", 8)].map(|(name, width)| m.input(name, u(width)));
/// let y = m.signal("y", -255..=510, 0);
/// m.switch(op)
///     .case(0, || y.set(a + b))
///     .case(1, || y.set(a - b))
///     .case([2, 3], || y.set(a & b))
///     .case(4..=6, || y.set(op)) // here `op` lies from 4 to 6
///     .otherwise(|| y.set(1));
/// m.output("y", y);
/// let module = m.finish().unwrap();
/// let results: Vec<i128> = (0..8).map(|op| eval::evaluate(&module, &[op, 6, 9]).unwrap()[0]).collect();
/// assert_eq!(results, [15, -3, 0, 0, 4, 5, 6, 1]);
/// ```
#[derive(Debug)]
pub struct Switch<'m> {
    selector: Value<'m>,
    place: Place,
    branches: Option<Branch<'m>>,
    /// What earlier cases take.
    taken: Vec<(i128, i128)>,
}

impl<'m> Switch<'m> {
    pub(super) fn new(selector: Value<'m>, place: Place) -> Self {
        Self { selector, place, branches: None, taken: Vec::new() }
    }

    /// `body` while the selector, in units of its last place, is in `pattern` and in that of no earlier case.
    #[track_caller]
    #[must_use = "a switch takes effect with its cases; end it with `otherwise` or `done`"]
    pub fn case(mut self, pattern: impl Pattern, body: impl FnOnce()) -> Self {
        let place = Location::caller();
        let (ranges, possible) = (pattern.ranges(), self.selector.range());
        let left = ranges.iter().any(|&(lo, hi)| self.leaves(lo.max(possible.lo()), hi.min(possible.hi())));
        if !left {
            let error = Diagnostic::error("unreachable-case", "this case can never be taken")
                .label(Some(self.place), format!("the selector lies in {possible}"))
                .label(Some(place), "earlier cases or its range leave nothing for this one")
                .help("remove the case, or give the selector a wider range");
            self.selector.builder().inner.borrow_mut().errors.push(error);
            return self;
        }
        let selector = self.selector.with_frac(0);
        let hits: Vec<Value<'m>> = ranges.iter().map(|&(lo, hi)| inside(selector, lo, hi)).collect();
        self.taken.extend(ranges);
        let hit = Value::tree(&hits, |a, b| a | b).expect("a case that can be taken has a range");
        self.branches = Some(match self.branches.take() {
            None => selector.builder().when_at(hit, body, place),
            Some(branches) => branches.elif_at(hit, body, place),
        });
        self
    }

    /// `body` while the selector is in none of the cases.
    #[track_caller]
    pub fn otherwise(self, body: impl FnOnce()) {
        match self.branches {
            Some(branches) => branches.otherwise(body),
            None => body(),
        }
    }

    /// Ends the switch: for other values nothing is assigned.
    pub fn done(self) {}

    /// Whether earlier cases leave a number from `lo` to `hi`.
    fn leaves(&self, lo: i128, hi: i128) -> bool {
        let mut next = lo;
        while next <= hi {
            match self.taken.iter().find(|(from, to)| (*from..=*to).contains(&next)) {
                Some((_, to)) => next = to + 1,
                None => return true,
            }
        }
        false
    }
}

/// 1 if `selector` lies from `lo` to `hi`.
#[track_caller]
fn inside<'m>(selector: Value<'m>, lo: i128, hi: i128) -> Value<'m> {
    if lo == hi { selector.equals(lo) } else { selector.ge(lo) & selector.le(hi) }
}
