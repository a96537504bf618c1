//! Piecewise constant functions of an integer: any quantiser behind any chain of real arithmetic, exactly.

use hdl::num::Interval;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `first` below the first step, and from each step's place on its value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepFunction {
    /// The value below all steps.
    pub first: i64,
    /// (least argument, value from there on), by rising argument.
    pub steps: Vec<(i64, i64)>,
}

impl StepFunction {
    /// The value at `n`.
    pub fn at(&self, n: i64) -> i64 {
        match self.steps.partition_point(|&(place, _)| place <= n) {
            0 => self.first,
            k => self.steps[k - 1].1,
        }
    }

    /// Whether the places rise.
    pub fn is_ordered(&self) -> bool {
        self.steps.windows(2).all(|pair| pair[0].0 < pair[1].0)
    }

    /// The values for arguments in `range`.
    pub fn values(&self, range: Interval) -> impl Iterator<Item = i64> + '_ {
        let low = self.at(range.lo() as i64);
        let inside = move |place: i64| range.contains(place.into()) && i128::from(place) > range.lo();
        let steps = self.steps.iter().filter(move |(place, _)| inside(*place));
        std::iter::once(low).chain(steps.map(|&(_, value)| value))
    }

    /// The exact step function of `f` over `range`, or `None` if it has more than `limit` steps.
    ///
    /// A monotone `f` is searched by bisection, `steps · log2(range)` calls; any other is asked at every argument.
    pub fn of(f: impl Fn(i64) -> i64, range: Interval, monotone: bool, limit: usize) -> Option<Self> {
        let (lo, hi) = (range.lo() as i64, range.hi() as i64);
        let first = f(lo);
        let mut steps = Vec::new();
        if !monotone {
            let mut last = first;
            for n in lo + 1..=hi {
                let value = f(n);
                if value != last {
                    steps.push((n, value));
                    last = value;
                }
                if steps.len() > limit {
                    return None;
                }
            }
            return Some(Self { first, steps });
        }
        let mut open = vec![(lo, first, hi, f(hi))];
        while let Some((a, at_a, b, at_b)) = open.pop() {
            if at_a == at_b {
                continue;
            }
            if b - a == 1 {
                steps.push((b, at_b));
                if steps.len() > limit {
                    return None;
                }
                continue;
            }
            let middle = a + (b - a) / 2;
            let at_middle = f(middle);
            open.push((middle, at_middle, b, at_b));
            open.push((a, at_a, middle, at_middle));
        }
        Some(Self { first, steps })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_reproduce_the_function() {
        let range = Interval::new(-100, 90).unwrap();
        for (f, monotone) in [
            ((|n| (n + 3) / 7) as fn(i64) -> i64, true),
            (|n| -(n.clamp(-20, 9)), true),
            (|n| (n * n) % 11, false),
            (|_| 4, true),
        ] {
            let found = StepFunction::of(f, range, monotone, 200).unwrap();
            assert!(found.is_ordered());
            assert!((-100..=90).all(|n| found.at(n) == f(n)));
        }
        assert_eq!(StepFunction::of(|n| n, range, true, 10), None);
        assert_eq!(StepFunction::of(|n| n, range, false, 10), None);
    }
}
