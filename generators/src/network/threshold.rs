//! Step functions in hardware, in the cheapest of five forms.

use hdl::dfg::{ModuleBuilder, Value};

use crate::model::StepFunction;

/// Up to so many steps each has a comparator of its own; more are found by successive approximation.
const MAX_COMPARATORS: usize = 3;

/// `function(x)`.
///
/// One value at a single place and another everywhere else is a test for equality; steps at equal distances of a power
/// of two and of equal height are a shift and a clamp; up to three steps are comparisons whose results are added; any
/// other function is a binary search, one comparison a level with a threshold that the levels before choose.
pub(super) fn step_function<'m>(m: &'m ModuleBuilder, x: Value<'m>, function: &StepFunction) -> Value<'m> {
    let range = x.range();
    let first = function.at(range.lo() as i64);
    let steps: Vec<(i64, i64)> = function
        .steps
        .iter()
        .copied()
        .filter(|(place, _)| i128::from(*place) > range.lo() && i128::from(*place) <= range.hi())
        .collect();
    if steps.len() > MAX_COMPARATORS {
        return uniform(m, x, first, &steps).unwrap_or_else(|| search(m, x, first, &steps));
    }
    let constant = |v: i64| m.constant(v.into(), 0);
    if let [(place, inside), (behind, outside)] = *steps
        && behind == place + 1
        && outside == first
    {
        let there = x.equals(constant(place));
        return there.mux(constant(inside), constant(outside));
    }
    let mut addends = vec![constant(first)];
    let mut below = first;
    for (place, value) in steps {
        addends.push(x.ge(constant(place)) * constant(value - below));
        below = value;
    }
    Value::sum(&addends).expect("there is a constant")
}

/// `first + height · clamp((x - place + distance) >> log2(distance))`.
fn uniform<'m>(m: &'m ModuleBuilder, x: Value<'m>, first: i64, steps: &[(i64, i64)]) -> Option<Value<'m>> {
    let (distance, height) = (steps[1].0 - steps[0].0, steps[0].1 - first);
    let alike = |pair: &[(i64, i64)]| pair[1].0 - pair[0].0 == distance && pair[1].1 - pair[0].1 == height;
    if !distance.unsigned_abs().is_power_of_two() || !steps.windows(2).all(alike) {
        return None;
    }
    let constant = |v: i64| m.constant(v.into(), 0);
    let moved = x - constant(steps[0].0 - distance);
    let count = moved.with_frac(distance.trailing_zeros() as i32).truncate(0);
    let count = count.max(constant(0)).min(constant(steps.len() as i64));
    Some(count * constant(height) + constant(first))
}

/// Number of steps passed, bit by bit from the top, then the value by its number.
fn search<'m>(m: &'m ModuleBuilder, x: Value<'m>, first: i64, steps: &[(i64, i64)]) -> Value<'m> {
    let levels = usize::BITS - steps.len().leading_zeros();
    let highest = steps.last().expect("there are several").0;
    // thresholds beyond the last are never reached: x stays below the range's end plus one
    let beyond = i64::try_from(x.range().hi() + 1).unwrap_or(i64::MAX).max(highest);
    let place = |k: usize| steps.get(k).map_or(beyond, |(place, _)| *place);
    let mut index = m.constant(0, 0);
    for level in (0..levels).rev() {
        let choices: Vec<i128> = (0..1usize << (levels - 1 - level))
            .map(|prefix| place((prefix << (level + 1)) + (1 << level) - 1).into())
            .collect();
        let threshold = if choices.len() == 1 { m.constant(choices[0], 0) } else { index.lookup(&choices, 0) };
        let bit = x.ge(threshold);
        index = index.concat(bit, 1);
    }
    let mut values = vec![i128::from(first)];
    values.extend(steps.iter().map(|(_, value)| i128::from(*value)));
    let last = values[values.len() - 1];
    values.resize(1 << levels, last);
    let counts = values.iter().enumerate().all(|(k, v)| *v == i128::from(first) + (k.min(steps.len())) as i128);
    if counts && steps.len() + 1 == 1 << levels {
        return index + m.constant(first.into(), 0);
    }
    index.lookup(&values, 0)
}

#[cfg(test)]
mod tests {
    use hdl::dfg::eval;
    use hdl::num::{Format, Interval};

    use super::*;

    /// Every form, on every argument.
    #[test]
    fn hardware_is_the_function() {
        let range = Interval::new(-50, 60).unwrap();
        let functions: [fn(i64) -> i64; 10] = [
            |_| 3,
            |n| i64::from(n != 0),
            |n| if n == -1 { 5 } else { -2 },
            |n| if n >= 7 { 1 } else { -1 },
            |n| (n / 20).clamp(-1, 1),
            |n| (n + 2).div_euclid(4).clamp(-3, 4),
            |n| -((n + 2).div_euclid(8).clamp(-5, 5)),
            |n| (n * n / 100) - 4,
            |n| (n + 60) / 7,
            |n| [5, -2, 9, 0, 1, 7][(n + 50) as usize / 20],
        ];
        for (k, f) in functions.into_iter().enumerate() {
            let function = StepFunction::of(f, range, false, 200).unwrap();
            let m = ModuleBuilder::new("steps");
            let x = m.input("x", Format::integer(range));
            m.output("y", step_function(&m, x, &function));
            let module = m.finish().unwrap();
            for n in -50..=60 {
                assert_eq!(eval::evaluate(&module, &[n]).unwrap(), [i128::from(f(n as i64))], "function {k} at {n}");
            }
        }
    }
}
