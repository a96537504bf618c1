//! Functions of single numbers that a model has of its own, as step functions of the integers.

use hdl::diag::Diagnostic;
use hdl::num::Rounding;
use rayon::prelude::*;

use super::array::rank_aligned;
use super::{Doubt, Lift, Meaning, Noise, Real, at};
use crate::model::{Array, Limit, Op, Quantiser, Requantise, Step, StepFunction, broadcast};

/// Most integers that are asked for all functions of one layer.
const MAX_CALLS: i64 = 1 << 28;

/// Most steps of one function.
const MAX_STEPS: usize = 1 << 16;

/// A number that a framework computes in floats.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct About {
    /// The number.
    pub value: f32,
    /// By how much the framework's may differ.
    pub off: f32,
}

/// A function for each element.
pub(crate) struct Functions<'f> {
    /// Which function each element has; stretches to the tensor's shape.
    pub which: Array<usize>,
    /// The least and the greatest integer of each element, in front of the operand's steps; stretches likewise.
    pub ranges: Array<(i64, i64)>,
    /// Function `k` of a number.
    pub of: &'f (dyn Fn(usize, f32) -> About + Sync),
}

/// One element's step function, at how many of its integers the framework's code may be another one, and by how much.
type Tabulated = (StepFunction, usize, i64);

impl Lift {
    /// The integers of `quantiser` behind functions of the numbers of `x`.
    ///
    /// # Errors
    /// Numbers whose floats are not exact, parameters that do not stretch, tables that are too large.
    pub(crate) fn tabulate(
        &mut self,
        name: &str,
        x: Real,
        functions: &Functions,
        quantiser: &Quantiser,
        meaning: Meaning,
    ) -> Result<Real, Diagnostic> {
        if !self.planned(name, &x)?.noise.is_none() {
            return Err(at(name, "it tabulates numbers that the framework does not compute exactly")
                .help("give the layer a quantiser of its operand"));
        }
        let tabulated = self.tables(name, &x, functions, quantiser)?;
        let doubtful: usize = tabulated.values.iter().map(|(_, doubtful, _)| doubtful).sum();
        let of = tabulated.values.iter().map(|(f, ..)| f.steps.len() + 1).sum();
        let offsets = tabulated.map(|(.., off)| *off);
        let functions = tabulated.map(|(f, ..)| f.clone()).compact();
        if doubtful == 0 {
            let tensor = self.push(name, Op::Threshold { functions }, vec![x.tensor], &meaning.unit)?;
            return Ok(Real { steps: meaning.steps, ..Real::plain(tensor, meaning.unit, Noise::NONE) });
        }
        // an entry in doubt may be off though its neighbours are equal, so that the doubt is that of a rounding behind
        self.doubts.push(Doubt { layer: name.to_owned(), steps: doubtful, of, offsets });
        let table = self.push(&format!("{name}_table"), Op::Threshold { functions }, vec![x.tensor], &meaning.unit)?;
        let range = self.range(table);
        let limit = Limit::Saturate { lo: range.lo() as i64, hi: range.hi() as i64 };
        let same = Op::Requantise(Requantise { drop: 0, rounding: Rounding::HalfEven, limit });
        let tensor = self.push(name, same, vec![table], &meaning.unit)?;
        Ok(Real { steps: meaning.steps, ..Real::plain(tensor, meaning.unit, Noise::NONE) })
    }

    fn tables(
        &self,
        name: &str,
        x: &Real,
        functions: &Functions,
        quantiser: &Quantiser,
    ) -> Result<Array<Tabulated>, Diagnostic> {
        let shape = self.shape(x).to_vec();
        let misfit = || at(name, "its tables do not fit its operand");
        let which = rank_aligned(&functions.which, &shape).ok_or_else(misfit)?;
        let ranges = rank_aligned(&functions.ranges, &shape).ok_or_else(misfit)?;
        let unit = rank_aligned(&x.unit, &shape).ok_or_else(misfit)?;
        let parameters = x.steps.iter().flat_map(Step::parameters).chain(quantiser.parameters());
        if parameters.into_iter().any(|p| rank_aligned(p, &shape).is_none()) {
            return Err(misfit());
        }
        let aligned = |p: &Array<f32>| rank_aligned(p, &shape).expect("checked to stretch");
        let quantiser = quantiser.with(aligned);
        let steps: Vec<Step> = x.steps.iter().map(|s| s.with(aligned)).collect();
        let mut group = broadcast(&which.shape, &ranges.shape).ok_or_else(misfit)?;
        let parameters = steps.iter().flat_map(Step::parameters).chain(quantiser.parameters());
        for other in [&unit.shape].into_iter().chain(parameters.map(|p| &p.shape)) {
            group = broadcast(&group, other).ok_or_else(misfit)?;
        }
        let full = "stretches to the common shape";
        let which = which.stretched(&group).expect(full);
        let units = unit.stretched(&group).expect(full);
        let range = self.range(x.tensor);
        let limit = |n: i64| n.clamp(range.lo() as i64, range.hi() as i64);
        let ranges: Vec<(i64, i64)> = ranges.stretched(&group).expect(full);
        let ranges: Vec<(i64, i64)> = ranges.into_iter().map(|(lo, hi)| (limit(lo), limit(hi))).collect();
        if ranges.iter().map(|(lo, hi)| hi - lo + 1).sum::<i64>() > MAX_CALLS {
            return Err(at(name, format!("its tables have more than {MAX_CALLS} entries")).help("use fewer bits"));
        }
        let stretched = |p: &Array<f32>| p.stretched(&group).expect(full);
        let quantiser = quantiser.with(stretched);
        let steps: Vec<Step<Vec<f32>>> = steps.iter().map(|s| s.with(stretched)).collect();
        let one = |g: usize| {
            let quantiser = quantiser.with(|p| p[g]);
            let steps: Vec<Step<f32>> = steps.iter().map(|s| s.with(|p| p[g])).collect();
            let of = |x| (functions.of)(which[g], steps.iter().fold(x, |x, s| s.apply(x)));
            tabulated(&of, &quantiser, units[g], ranges[g])
        };
        let values: Option<Vec<Tabulated>> = (0..group.iter().product()).into_par_iter().map(one).collect();
        let values = values
            .ok_or_else(|| at(name, format!("a table of it has more than {MAX_STEPS} steps")).help("use fewer bits"))?;
        Ok(Array { shape: group, values })
    }
}

/// The function of one element, whose integers are worth `unit`; none if it has too many steps.
fn tabulated(
    of: &dyn Fn(f32) -> About,
    quantiser: &Quantiser<f32>,
    unit: f64,
    (lo, hi): (i64, i64),
) -> Option<Tabulated> {
    let (mut doubtful, mut off) = (0, 0);
    let codes: Vec<i64> = (lo..=hi)
        .map(|n| {
            let about = of((n as f64 * unit) as f32);
            let code = quantiser.code(about.value);
            let others = [-about.off, about.off].map(|o| quantiser.code(about.value + o).abs_diff(code) as i64);
            let farthest = others[0].max(others[1]);
            doubtful += usize::from(farthest > 0);
            off = off.max(farthest);
            code
        })
        .collect();
    let at = |n: i64| codes[(n.clamp(lo, hi) - lo) as usize];
    let range = hdl::num::Interval::new(lo.into(), hi.into()).ok()?;
    Some((StepFunction::of(at, range, false, MAX_STEPS)?, doubtful, off))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::lift::InputFormat;
    use hdl::num::Rounding;

    fn eighths() -> Quantiser {
        let number = |v: f32| Array::scalar(v);
        Quantiser::Integer {
            scale: number(0.125),
            zero: number(0.0),
            low: number(-8.0),
            high: number(7.0),
            rounding: Rounding::HalfEven,
        }
    }

    fn lifted(of: &(dyn Fn(usize, f32) -> About + Sync)) -> crate::import::lift::Imported {
        let format = InputFormat::parse("s4.2").unwrap();
        let (mut lift, mut x) = Lift::new("n", vec![("x".into(), vec![1, 2])], &[format]).unwrap();
        let functions = Functions {
            which: Array { shape: vec![1, 2], values: vec![0, 1] },
            ranges: Array { shape: vec![1, 2], values: vec![(-4, 3), (-8, 7)] },
            of,
        };
        let meaning = Meaning { unit: Array::scalar(0.125), steps: Vec::new() };
        let y = lift.tabulate("t", x.remove(0), &functions, &eighths(), meaning).unwrap();
        lift.output("y", &y).unwrap();
        lift.finish().unwrap()
    }

    #[test]
    fn each_element_has_its_own_function() {
        let imported = lifted(&|k, x| About { value: if k == 0 { x * x } else { -x / 2.0 }, off: 0.0 });
        assert!(imported.require_exact().is_ok());
        for (x, y) in [([-0.75, 1.0], [0.5625f32, -0.5]), ([0.25, -1.5], [0.0625, 0.75])] {
            let wanted: Vec<f32> = y.iter().map(|y| (y * 8.0).round_ties_even() / 8.0).collect();
            assert_eq!(imported.graph.predict(&[x.to_vec()]).unwrap()[0], wanted);
        }
    }

    /// The ranges are those of the integers, whatever is added to them.
    #[test]
    fn steps_in_front_are_part_of_the_function() {
        let format = InputFormat::parse("s4.2").unwrap();
        let (mut lift, mut x) = Lift::new("n", vec![("x".into(), vec![1, 2])], &[format]).unwrap();
        let x = lift.step("s", x.remove(0), Step::Mul(Array::scalar(2.0))).unwrap();
        let x = lift.step("s", x, Step::Add(Array::scalar(0.5))).unwrap();
        let functions = Functions {
            which: Array::scalar(0),
            ranges: Array::scalar((-8, 7)),
            of: &|_, x| About { value: x / 8.0, off: 0.0 },
        };
        let meaning = Meaning { unit: Array::scalar(0.125), steps: Vec::new() };
        let y = lift.tabulate("t", x, &functions, &eighths(), meaning).unwrap();
        lift.output("y", &y).unwrap();
        let imported = lift.finish().unwrap();
        assert_eq!(imported.graph.predict(&[vec![1.75, -2.0]]).unwrap()[0], [0.5, -0.5]);
    }

    #[test]
    fn an_entry_that_may_round_to_either_side_is_in_doubt() {
        let imported = lifted(&|_, x| About { value: if x < 0.0 { 0.187 } else { 0.5 }, off: 0.001 });
        assert!(imported.require_exact().is_err());
        assert_eq!(imported.bounds(), [Some(0.125)]);
    }
}
