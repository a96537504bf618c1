//! Quantisers: a chain of float steps and what rounds it at its end become one integer function.

use std::sync::atomic::{AtomicBool, Ordering};

use hdl::diag::Diagnostic;
use hdl::num::Rounding;
use rayon::prelude::*;

use super::array::{is_power_of_two, rank_aligned};
use super::settle::Move;
use super::{Doubt, Lift, Noise, Real, at};
use crate::model::{Array, Encode, Growth, Limit, Op, Quantiser, Requantise, Step, StepFunction, broadcast, of_chain};

/// Most steps of one function. A wider quantiser must have a scale that is a power of two.
const MAX_STEPS: usize = 1 << 12;

/// Most thresholds that the model itself lists for one function.
const MAX_LISTED: usize = 1 << 16;

/// Most steps of all functions of one layer.
const MAX_ALL_STEPS: usize = 1 << 23;

/// Below this many steps, comparisons that take constants in are cheaper than adding those and rounding.
const FEW_LEVELS: f64 = 4.0;

/// Widest range over which a function that neither rises nor falls is tabulated.
const MAX_TABLE: i128 = 1 << 20;

/// What a quantiser's integers mean: `steps(unit · n)`.
#[derive(Debug, Clone)]
pub struct Meaning {
    /// Value of one step.
    pub unit: Array<f64>,
    /// Applied in 32-bit floats.
    pub steps: Vec<Step>,
}

impl Lift {
    /// The integers of `quantiser` behind `real`.
    ///
    /// # Errors
    /// Parameters that make no quantiser or do not fit; more steps than can be tabulated.
    pub fn quantise(
        &mut self,
        name: &str,
        real: Real,
        quantiser: Quantiser,
        meaning: Meaning,
    ) -> Result<Real, Diagnostic> {
        self.no_softmax(name, &real)?;
        self.check_quantiser(name, &real, &quantiser)?;
        let tensor = if let Some(k) = real.raw {
            self.encode_input(name, k, &real, quantiser)?
        } else if let Some(uniform) = self.uniform(&real, &quantiser) {
            let tensor = self.perform(name, real.tensor, &uniform.before, &uniform.unit)?;
            let tensor = self.push(name, Op::Requantise(uniform.requantise), vec![tensor], &meaning.unit)?;
            self.perform(name, tensor, uniform.behind.as_slice(), &meaning.unit)?
        } else if let Some(each) = self.formats(&real, &quantiser) {
            if each.doubtful > 0 {
                self.doubts.push(Doubt {
                    layer: name.to_owned(),
                    steps: each.doubtful,
                    of: each.doubtful,
                    offsets: each.unit.map(|u| integers_off(each.noise, *u)),
                });
            }
            let tensor = self.perform(name, real.tensor, &each.before, &each.unit)?;
            self.push(name, each.op(), vec![tensor], &meaning.unit)?
        } else {
            let functions = self.step_functions(name, &real, &quantiser)?;
            self.push(name, Op::Threshold { functions }, vec![real.tensor], &meaning.unit)?
        };
        Ok(Real { steps: meaning.steps, ..Real::plain(tensor, meaning.unit, Noise::NONE) })
    }

    fn check_quantiser(&self, name: &str, real: &Real, quantiser: &Quantiser) -> Result<(), Diagnostic> {
        let shape = self.shape(real);
        for p in quantiser.parameters() {
            if rank_aligned(p, shape).is_none() {
                return Err(at(name, format!("a parameter of shape {:?} does not stretch to {shape:?}", p.shape)));
            }
            if p.values.iter().any(|v| !v.is_finite()) {
                return Err(at(name, "a parameter is not finite"));
            }
        }
        let positive = |p: &Array<f32>| p.values.iter().all(|v| *v > 0.0);
        let integral = |p: &Array<f32>| p.values.iter().all(|v| v.fract() == 0.0);
        match quantiser {
            Quantiser::Integer { scale, zero, .. } | Quantiser::Linear { scale, zero, .. } => {
                if !positive(scale) {
                    return Err(at(name, "the scale of a quantiser is positive"));
                }
                if !integral(zero) {
                    return Err(at(name, "the zero point of a quantiser is an integer"));
                }
            }
            Quantiser::Sign { scale, .. } | Quantiser::Wrapping { scale, .. } if !positive(scale) => {
                return Err(at(name, "the scale of a quantiser is positive"));
            }
            Quantiser::Truncate { scale, zero, divisor, .. } => {
                if !positive(scale) || !positive(divisor) {
                    return Err(at(name, "the scale of a quantiser is positive"));
                }
                if !zero.zip(divisor, |z, d| z / d).is_some_and(|z| integral(&z)) {
                    return Err(at(name, "the zero point of a quantiser is an integer"));
                }
            }
            Quantiser::Levels { .. } if !quantiser.has_a_code_a_level() => {
                return Err(at(name, "the codes of a quantiser rise, and are one more than its thresholds"));
            }
            _ => {}
        }
        Ok(())
    }

    /// The input takes the format of its first quantiser, and what is in front of that happens outside.
    fn encode_input(
        &mut self,
        name: &str,
        k: usize,
        real: &Real,
        quantiser: Quantiser,
    ) -> Result<crate::model::TensorId, Diagnostic> {
        let (steps, quantiser) = self.at_the_input(name, k, real, quantiser)?;
        let encode = Encode { steps, quantiser };
        if let Some((first, _)) = &self.encodings[k] {
            if *first != encode {
                let input = &self.graph.inputs()[k].name;
                return Err(at(name, "this input is quantised in two different ways")
                    .help(format!("give its own format, such as --input-format {input}=s8.4")));
            }
            return Ok(real.tensor);
        }
        let shape = self.graph.inputs()[k].shape.clone();
        let parameters = encode.quantiser.with(|p| p.clone());
        let group = parameters.parameters().into_iter().try_fold(Vec::new(), |shape, p| broadcast(&shape, &p.shape));
        let group = group.filter(|g| g.len() <= shape.len()).ok_or_else(|| at(name, "its parameters do not fit"))?;
        let indexed = parameters.with(|p| p.stretched(&group).expect("stretches to the common shape"));
        let count: usize = group.iter().product();
        let codes = (0..count).map(|i| indexed.with(|p| p[i]).codes());
        let range = codes.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or((0, 0));
        self.graph.set_input(k, range, Some(encode.clone()))?;
        self.encodings[k] = Some((encode, real.clone()));
        Ok(real.tensor)
    }

    /// Parameters in the coordinates of input `k` instead of those of `real`, whose elements are the input's in some order.
    fn at_the_input(
        &mut self,
        name: &str,
        k: usize,
        real: &Real,
        quantiser: Quantiser,
    ) -> Result<(Vec<Step>, Quantiser), Diagnostic> {
        let single = |p: &&Array<f32>| p.values.len() == 1;
        let mut all = real.steps.iter().flat_map(Step::parameters).chain(quantiser.parameters());
        if real.tensor.index() == k || all.all(|p| single(&p)) {
            let flat = |p: &Array<f32>| {
                if p.values.len() == 1 { Array::scalar(p.values[0]) } else { p.clone() }
            };
            let steps = real.steps.iter().map(|s| s.with(flat)).collect();
            return Ok((steps, quantiser.with(flat)));
        }
        let sources = self.sources(k, real)?;
        let (shape, input) = (self.shape(real).to_vec(), self.graph.inputs()[k].shape.clone());
        let mut conflict = false;
        let mut back = |p: &Array<f32>| {
            let there = p.stretched(&shape).expect("checked to stretch");
            let mut here: Vec<Option<f32>> = vec![None; input.iter().product()];
            for (value, &source) in there.iter().zip(&sources) {
                let place = &mut here[source as usize];
                conflict |= place.is_some_and(|v| v != *value);
                *place = Some(*value);
            }
            let fill = there.first().copied().unwrap_or(1.0);
            Array { shape: input.clone(), values: here.into_iter().map(|v| v.unwrap_or(fill)).collect() }.compact()
        };
        let steps = real.steps.iter().map(|s| s.with(&mut back)).collect();
        let quantiser = quantiser.with(&mut back);
        if conflict {
            return Err(at(name, "elements of the input are quantised in two different ways")
                .help("give the input's format with --input-format"));
        }
        Ok((steps, quantiser))
    }

    /// For each element of `real` the element of input `k` that it is.
    fn sources(&mut self, k: usize, real: &Real) -> Result<Vec<i64>, Diagnostic> {
        let old = self.graph.inputs()[k].range;
        let count = self.graph.inputs()[k].shape.iter().product::<usize>() as i64;
        self.graph.set_input(k, (0, (count - 1).max(0)), None)?;
        let numbered = |(i, input): (usize, &crate::model::Input)| {
            let ranges = input.ranges().into_iter();
            if i == k { (0..ranges.len() as i64).collect() } else { ranges.map(|(lo, _)| lo).collect() }
        };
        let inputs: Vec<Vec<i64>> = self.graph.inputs().iter().enumerate().map(numbered).collect();
        let sources = self.graph.evaluate(&inputs)?.tensor(real.tensor).to_vec();
        self.graph.set_input(k, old, None)?;
        Ok(sources)
    }

    /// Rounding and saturation, if all scales are powers of two and every float is exact.
    fn uniform(&self, real: &Real, quantiser: &Quantiser) -> Option<Uniform> {
        let (scale, zero, low, high, rounding, shifted) = match quantiser {
            Quantiser::Integer { scale, zero, low, high, rounding } => (scale, zero, low, high, *rounding, true),
            Quantiser::Linear { scale, zero, low, high } => (scale, zero, low, high, Rounding::HalfEven, false),
            Quantiser::Truncate { .. }
            | Quantiser::Wrapping { .. }
            | Quantiser::Sign { .. }
            | Quantiser::Count { .. }
            | Quantiser::Levels { .. } => return None,
        };
        let (scale, zero) = (f64::from(*scale.as_scalar()?), f64::from(*zero.as_scalar()?));
        let (low, high) = (f64::from(*low.as_scalar()?), f64::from(*high.as_scalar()?));
        let plan = self.plan(real).ok()?;
        let unit = *plan.unit.as_scalar()?;
        if !plan.moves.is_empty() && high - low < FEW_LEVELS {
            return None;
        }
        let exact = plan.noise.is_none() && is_power_of_two(unit) && is_power_of_two(scale);
        let drop = (scale / unit).log2() as i32;
        // the framework adds zero point and one half in floats: both must leave room in 24 bits
        let bound = plan.bound / unit + scale / unit * (zero.abs() + 1.0);
        if !exact || !(-24..=22).contains(&drop) || bound >= f64::from(1 << 22) || low > high {
            return None;
        }
        let offset = if shifted { zero } else { 0.0 };
        let taken = zero - offset;
        let requantise = Requantise {
            drop,
            rounding: rounding,
            limit: Limit::Saturate { lo: (low - taken) as i64, hi: (high - taken) as i64 },
        };
        let mut before = plan.moves;
        if before.last() == Some(&Move::Relu) && offset == 0.0 && low - taken >= 0.0 {
            before.pop();
        }
        let in_front = offset * scale / unit;
        if in_front.fract() != 0.0 {
            return None;
        }
        let shift = |by: f64| Move::Add(Array::scalar(by as i64));
        before.extend((offset != 0.0).then(|| shift(in_front)));
        Some(Uniform { before, requantise, behind: (offset != 0.0).then(|| shift(-offset)), unit: plan.unit })
    }

    fn step_functions(
        &mut self,
        name: &str,
        real: &Real,
        quantiser: &Quantiser,
    ) -> Result<Array<StepFunction>, Diagnostic> {
        let shape = self.shape(real).to_vec();
        let aligned = |p: &Array<f32>| rank_aligned(p, &shape).expect("checked to stretch");
        let unit = rank_aligned(&real.unit, &shape)
            .ok_or_else(|| at(name, "the scale of its operand does not fit its shape"))?;
        let steps: Vec<Step> = real.steps.iter().map(|s| s.with(aligned)).collect();
        let quantiser = quantiser.with(aligned);
        let mut group = unit.shape.clone();
        for p in steps.iter().flat_map(Step::parameters).chain(quantiser.parameters()) {
            group = broadcast(&group, &p.shape).expect("all stretch to the tensor");
        }
        let count: usize = group.iter().product();
        let full = |p: &Array<f32>| p.stretched(&group).expect("stretches to the common shape");
        let units = unit.stretched(&group).expect("stretches to the common shape");
        let steps: Vec<Step<Vec<f32>>> = steps.iter().map(|s| s.with(full)).collect();
        let quantiser = quantiser.with(full);
        let range = self.range(real.tensor);
        let undefined = AtomicBool::new(false);
        let functions: Vec<Option<(StepFunction, usize, i64)>> = (0..count)
            .into_par_iter()
            .map(|g| {
                let quantiser = quantiser.with(|p| p[g]);
                let element = Element {
                    unit: units[g],
                    steps: steps.iter().map(|s| s.with(|p| p[g])).collect(),
                    counted: sorted(&quantiser),
                    quantiser,
                    noise: real.noise.typical,
                };
                let monotone = element.growth() != Growth::Mixed;
                if !monotone && range.hi() - range.lo() > MAX_TABLE {
                    return None;
                }
                let limit = if element.counted.is_some() { MAX_LISTED } else { MAX_STEPS };
                let code = |n| {
                    element.code(n).unwrap_or_else(|| {
                        undefined.store(true, Ordering::Relaxed);
                        0
                    })
                };
                let function = StepFunction::of(code, range, monotone, limit)?;
                let doubtful = element.doubts(&function);
                let off = match doubtful {
                    0 => 0,
                    _ => integers_off(real.noise, element.unit).max(1),
                };
                Some((function, doubtful, off))
            })
            .collect();
        if undefined.into_inner() {
            return Err(at(name, "a number in front of this quantiser is not defined: a logarithm or root of a negative number, or 0 / 0")
                .help("limit the operand: a Relu, a Clip or an added constant"));
        }
        let too_many = || {
            let limit = if matches!(quantiser, Quantiser::Count { .. }) { MAX_LISTED } else { MAX_STEPS };
            at(name, format!("this quantiser would need more than {limit} thresholds"))
                .help("use fewer bits, or a scale that is a power of two with parameters on its grid")
        };
        let functions: Option<Vec<_>> = functions.into_iter().collect();
        let functions = functions.ok_or_else(too_many)?;
        let of: usize = functions.iter().map(|(f, ..)| f.steps.len()).sum();
        if of > MAX_ALL_STEPS {
            return Err(too_many());
        }
        let doubtful: usize = functions.iter().map(|(_, doubts, _)| doubts).sum();
        if doubtful > 0 {
            self.doubts.push(Doubt {
                layer: name.to_owned(),
                steps: doubtful,
                of,
                offsets: Array { shape: group.clone(), values: functions.iter().map(|(.., off)| *off).collect() },
            });
        }
        let values = functions.into_iter().map(|(f, ..)| f).collect();
        Ok(Array { shape: group, values }.compact())
    }
}

/// A quantiser as rounding and saturation of integers.
struct Uniform {
    before: Vec<Move>,
    requantise: Requantise,
    behind: Option<Move>,
    /// Value of one step in front of the rounding.
    unit: Array<f64>,
}

/// One element's way from its integer to the quantiser's.
struct Element {
    unit: f64,
    steps: Vec<Step<f32>>,
    quantiser: Quantiser<f32>,
    /// Its thresholds by size, if it counts them.
    counted: Option<Counted>,
    noise: f64,
}

/// Thresholds that are counted: there may be as many as steps, so each count is a search.
struct Counted {
    rising: Vec<f32>,
    first: i64,
    step: i64,
}

fn sorted(quantiser: &Quantiser<f32>) -> Option<Counted> {
    let Quantiser::Count { thresholds, first, step } = quantiser else {
        return None;
    };
    let mut rising = thresholds.clone();
    rising.sort_by(f32::total_cmp);
    Some(Counted { rising, first: *first, step: *step })
}

impl Element {
    fn growth(&self) -> Growth {
        if matches!(self.quantiser, Quantiser::Wrapping { .. }) {
            return Growth::Mixed;
        }
        of_chain(&self.steps)
    }

    /// The code of integer `n`; none where the chain gives no number.
    fn code(&self, n: i64) -> Option<i64> {
        let x = self.moved(n, 0.0);
        (!x.is_nan()).then(|| self.code_of(x))
    }

    /// The code if the framework's floats are off by `direction` times what they may be off.
    fn shifted_code(&self, n: i64, direction: f64) -> i64 {
        let x = self.moved(n, direction);
        self.code_of(x * (1.0 + self.quantiser.uncertainty() * direction as f32))
    }

    /// The chain's result if the framework's floats are off by `direction` times what they may be off.
    fn moved(&self, n: i64, direction: f64) -> f32 {
        let start = (n as f64 * self.unit + direction * self.noise) as f32;
        self.steps.iter().fold(start, |x, step| step.moved(x, direction as f32))
    }

    fn code_of(&self, x: f32) -> i64 {
        match &self.counted {
            Some(Counted { rising, first, step }) => first + step * rising.partition_point(|t| x >= *t) as i64,
            None => self.quantiser.code(x),
        }
    }

    /// Steps that lie elsewhere if the framework's floats are off.
    fn doubts(&self, function: &StepFunction) -> usize {
        let approximate = self.steps.iter().any(Step::is_approximate) || self.quantiser.uncertainty() > 0.0;
        if self.noise == 0.0 && !approximate {
            return 0;
        }
        let moves = |n: i64| [-1.0, 1.0].iter().any(|d| self.shifted_code(n, *d) != function.at(n));
        function.steps.iter().filter(|(place, _)| moves(*place) || moves(place - 1)).count()
    }
}

/// By how many integers of one step `unit` a sum may be off.
fn integers_off(noise: Noise, unit: f64) -> i64 {
    (noise.worst / unit).ceil() as i64
}
