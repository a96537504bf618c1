//! How far results can move when sums inside a network are off by a few integers.
//!
//! Each tensor gets a bound for every element. Linear layers pass it on times the magnitude of their weights; a step
//! function moves by the heights of the steps that it can pass.

use hdl::diag::Diagnostic;
use hdl::num::{Overflow, Rounding};

use super::array::Array;
use super::graph::{Decode, Graph, Layer, TensorInfo};
use super::op::Op;
use super::requantise::{Limit, Requantise};
use super::step::StepFunction;

impl Graph {
    /// For each output a bound of the distance of its integers, if the operand of layers `name` is off by so many
    /// integers as the array says, which stretches over it.
    pub fn deviation(&self, offsets: &[(&str, &Array<i64>)]) -> Vec<Vec<i64>> {
        let mut moved: Vec<Vec<i64>> =
            self.inputs().iter().map(|input| vec![0; input.shape.iter().product()]).collect();
        for (k, layer) in self.layers().iter().enumerate() {
            let info = self.info(self.result(k));
            let mut operands: Vec<Vec<i64>> = layer.inputs.iter().map(|t| moved[t.index()].clone()).collect();
            if let (true, Some(x)) = (rounds(&layer.op), operands.first_mut()) {
                let of_layer = |(name, _): &&(&str, &Array<i64>)| *name == layer.name;
                for (_, offsets) in offsets.iter().filter(of_layer) {
                    let most = offsets.values.iter().copied().max().unwrap_or(0);
                    let each = offsets.stretched(&info.shape);
                    let each = each.unwrap_or_else(|| vec![most; x.len()]);
                    x.iter_mut().zip(each).for_each(|(x, off)| *x = x.saturating_add(off));
                }
            }
            let bounds = self.passed_on(layer, &operands, info);
            let span = info.range.hi().abs_diff(info.range.lo()) as i64;
            moved.push(bounds.into_iter().map(|b| b.clamp(0, span)).collect());
        }
        self.outputs().iter().map(|o| moved[o.tensor.index()].clone()).collect()
    }

    /// For each output the greatest distance of its numbers that was seen over `events`, with the operands of the layers
    /// that `offsets` names moved at random, each element down, up or not, by as much as [`Graph::deviation`] takes.
    ///
    /// # Errors
    /// Events that do not fit the inputs.
    pub fn seen_deviation(
        &self,
        offsets: &[(&str, &Array<i64>)],
        events: &[Vec<Vec<i64>>],
        seed: u64,
    ) -> Result<Vec<f64>, Diagnostic> {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut worst = vec![0f64; self.outputs().len()];
        for event in events {
            let own = self.evaluate(event)?;
            let moved = self.evaluate_moved(event, &mut |layer, x| {
                let of_layer = |(name, _): &&(&str, &Array<i64>)| rounds(&layer.op) && *name == layer.name;
                let info = self.info(layer.inputs[0]);
                let (lo, hi) = (info.range.lo() as i64, info.range.hi() as i64);
                offsets.iter().filter(of_layer).fold(None, |moved: Option<Vec<i64>>, (_, offsets)| {
                    let most = offsets.values.iter().copied().max().unwrap_or(0);
                    let each = offsets.stretched(&info.shape).unwrap_or_else(|| vec![most; x.len()]);
                    let x = moved.unwrap_or_else(|| x.to_vec());
                    let other = x.iter().zip(each);
                    Some(other.map(|(x, off)| x.saturating_add(random.i64(-1..=1) * off).clamp(lo, hi)).collect())
                })
            })?;
            for (k, (own, moved)) in own.outputs().iter().zip(moved.outputs()).enumerate() {
                let numbers = self.decode(k, own).into_iter().zip(self.decode(k, moved));
                worst[k] = numbers.fold(worst[k], |worst, (a, b)| worst.max((f64::from(a) - f64::from(b)).abs()));
            }
        }
        Ok(worst)
    }

    /// Bounds of a layer's result from those of its operands.
    fn passed_on(&self, layer: &Layer, operands: &[Vec<i64>], info: &TensorInfo) -> Vec<i64> {
        let still = operands.iter().flatten().all(|e| *e == 0);
        let elements = info.shape.iter().product();
        if still {
            return vec![0; elements];
        }
        let input = |k: usize| self.info(layer.inputs[k]);
        let x = &operands[0];
        let each = |f: &dyn Fn(i64) -> i64| x.iter().map(|e| f(*e)).collect::<Vec<_>>();
        // the same layer on bounds, all of whose parts only add up
        let with = |op: Op| {
            let layer = Layer { op, ..layer.clone() };
            self.layer_on(&layer, operands, info)
        };
        let magnitudes = |weights: &Array<i64>| weights.map(|w| w.abs());
        let greatest = |k: usize| {
            let range = input(k).range;
            range.lo().unsigned_abs().max(range.hi().unsigned_abs()) as i64
        };
        match &layer.op {
            Op::Dense { weights, bias, multiplication } => {
                let exact = with(Op::dense(magnitudes(weights), vec![0; bias.len()]));
                floored(exact, multiplication.cut(), &weights.shape)
            }
            Op::Convolution { weights, bias, window, groups, multiplication } => {
                let (weights, bias) = (magnitudes(weights), vec![0; bias.len()]);
                let exact = with(Op::convolution(weights.clone(), bias, window.clone(), *groups));
                floored(exact, multiplication.cut(), &weights.shape)
            }
            Op::Pool { .. } | Op::Reduce { .. } | Op::Add | Op::Concat { .. } => with(layer.op.clone()),
            Op::Reshape { .. } | Op::Transpose { .. } | Op::Slice { .. } | Op::Gather { .. } => with(layer.op.clone()),
            Op::Pad { begin, end, .. } => with(Op::Pad { begin: begin.clone(), end: end.clone(), value: 0 }),
            Op::Sub => with(Op::Add),
            Op::Min | Op::Max => with(Op::Max),
            Op::Relu | Op::Clamp { .. } => x.clone(),
            Op::LeakyRelu { positive, negative } => {
                let steepest = positive.abs().max(negative.abs());
                each(&|e| e.saturating_mul(steepest))
            }
            Op::Mul | Op::MatMul => {
                let most = |k: usize| operands[k].iter().copied().max().unwrap_or(0);
                let (a, b) = (most(0), most(1));
                let product = a
                    .saturating_mul(greatest(1))
                    .saturating_add(b.saturating_mul(greatest(0)))
                    .saturating_add(a.saturating_mul(b));
                let terms = match layer.op {
                    Op::MatMul => input(0).shape.last().copied().unwrap_or(1) as i64,
                    _ => 1,
                };
                vec![product.saturating_mul(terms); elements]
            }
            Op::Requantise(r) => each(&|e| rounded(r, e, input(0))),
            Op::RequantiseEach { formats } => {
                let formats = formats.stretched(&info.shape).expect("checked when built");
                let pairs = formats.iter().zip(x);
                pairs.map(|(r, e)| rounded(r, *e, input(0))).collect()
            }
            Op::Threshold { functions } => {
                let rows = functions.indices(&info.shape).expect("checked when built");
                let pairs = rows.iter().zip(x);
                pairs.map(|(k, e)| passed_steps(&functions.values[*k as usize], *e)).collect()
            }
            Op::Table { first, values } => {
                let steps = (1..).map(|k| first + k).zip(values[1..].iter().copied());
                let function = StepFunction { first: values[0], steps: steps.collect() };
                each(&|e| passed_steps(&function, e))
            }
            // anything may happen
            Op::And | Op::Or | Op::Xor | Op::ArgMax { .. } | Op::Softmax(_) | Op::Block(_) | Op::Constant(_) => {
                vec![i64::MAX; elements]
            }
        }
    }

    /// The layer's result for these operands.
    fn layer_on(&self, layer: &Layer, operands: &[Vec<i64>], info: &TensorInfo) -> Vec<i64> {
        let last = layer.inputs.iter().map(|t| t.index()).max().unwrap_or(0);
        let mut tensors = vec![Vec::new(); last + 1];
        for (t, values) in layer.inputs.iter().zip(operands) {
            tensors[t.index()].clone_from(values);
        }
        self.layer(layer, &tensors, Some(info))
    }

    /// A bound of the distance of output `k`'s decoded numbers, if its integers are off by as many as `bounds` says and
    /// the float in front of the last steps by `noise`; none if those have no greatest steepness.
    pub fn decoded_deviation(&self, k: usize, bounds: &[i64], noise: f64) -> Option<f64> {
        let output = &self.outputs()[k];
        let identity = Decode { unit: Array::scalar(1.0), steps: Vec::new(), softmax: None };
        let decode = output.decode.as_ref().unwrap_or(&identity);
        let shape = &self.info(output.tensor).shape;
        let units = decode.unit.stretched(shape)?;
        let mut worst = 0f64;
        for (i, bound) in bounds.iter().enumerate() {
            worst = worst.max(*bound as f64 * units[i] + noise);
        }
        for step in &decode.steps {
            let values = step.parameters().first().map_or_else(|| vec![0.0], |p| p.values.clone());
            let steepness = values.iter().map(|v| step.with(|_| *v).steepness());
            worst *= steepness.collect::<Option<Vec<f64>>>()?.into_iter().fold(0.0, f64::max);
        }
        Some(match decode.softmax {
            Some(_) => (worst / 2.0).min(1.0),
            None => worst,
        })
    }
}

/// Whether the layer is a quantiser, whose steps may be doubtful.
fn rounds(op: &Op) -> bool {
    matches!(op, Op::Threshold { .. } | Op::Requantise(_) | Op::RequantiseEach { .. })
}

/// Bounds of sums of products that are each floored by `cut` bits, from those of exact sums: each of the products of an
/// output, which has weights of this shape, can pass one more step than it is wide.
fn floored(exact: Vec<i64>, cut: u32, shape: &[usize]) -> Vec<i64> {
    let terms = match cut {
        0 => 0,
        _ => shape[1..].iter().product::<usize>() as i64,
    };
    exact.into_iter().map(|e| if e == 0 { 0 } else { (e >> cut).saturating_add(terms) }).collect()
}

/// Bound of a requantised number whose operand is off by up to `e`.
fn rounded(r: &Requantise, e: i64, x: &TensorInfo) -> i64 {
    if e == 0 {
        return 0;
    }
    let off = match u32::try_from(r.drop) {
        Ok(0) => e,
        // both neighbours of zero lie two apart when rounded away from it
        Ok(drop) => (e >> drop) + 1 + i64::from(r.rounding == Rounding::AwayFromZero),
        Err(_) => e.saturating_mul(1 << r.drop.unsigned_abs().min(62)),
    };
    match r.limit {
        Limit::Saturate { lo, hi } => off.min(hi.saturating_sub(lo)),
        Limit::Wrap { width, signed } | Limit::Zero { width, signed } => {
            let limits = Overflow::Wrap.limits(width, signed);
            let wide = Requantise { limit: Limit::Saturate { lo: i64::MIN, hi: i64::MAX }, ..*r };
            let ends = [x.range.lo() - i128::from(e), x.range.hi() + i128::from(e)];
            match ends.iter().all(|n| limits.contains(wide.apply(*n))) {
                true => off,
                false => (1 << width) - 1,
            }
        }
    }
}

/// The greatest sum of heights of steps that lie within `e` of each other.
fn passed_steps(function: &StepFunction, e: i64) -> i64 {
    let mut below = function.first;
    let mut heights = Vec::with_capacity(function.steps.len());
    for (_, value) in &function.steps {
        heights.push((value - below).abs());
        below = *value;
    }
    let (mut first, mut sum, mut most) = (0, 0i64, 0);
    for (k, height) in heights.iter().enumerate() {
        sum += height;
        while function.steps[k].0 - function.steps[first].0 >= e {
            sum -= heights[first];
            first += 1;
            if first > k {
                break;
            }
        }
        most = most.max(sum);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Input, Output, TensorId};

    fn function(steps: &[(i64, i64)]) -> StepFunction {
        StepFunction { first: 0, steps: steps.to_vec() }
    }

    #[test]
    fn steps_are_passed_within_reach() {
        let f = function(&[(0, 1), (1, 2), (10, 5), (12, 4)]);
        let passed = [0, 1, 2, 3, 11, 13].map(|e| passed_steps(&f, e));
        assert_eq!(passed, [0, 3, 3, 4, 5, 6]);
    }

    /// Every pair of neighbouring operands through every rounding.
    #[test]
    fn roundings_stay_within_their_bound() {
        let info = TensorInfo { shape: vec![1], range: hdl::num::Interval::new(-40, 40).unwrap() };
        for rounding in Rounding::ALL {
            for drop in [-1, 0, 1, 2, 3] {
                for limit in [
                    Limit::Saturate { lo: -3, hi: 4 },
                    Limit::Saturate { lo: -99, hi: 99 },
                    Limit::Wrap { width: 3, signed: true },
                ] {
                    let r = Requantise { drop, rounding, limit };
                    for e in 0..9 {
                        let bound = i128::from(rounded(&r, e, &info));
                        for n in -40..40 {
                            let off = r.apply(n + i128::from(e)) - r.apply(n);
                            assert!(off.abs() <= bound, "{r:?} {n} {e}");
                        }
                    }
                }
            }
        }
    }

    /// A sum that is off at a step, through the layer behind it.
    #[test]
    fn a_doubtful_step_moves_what_follows() {
        let input = Input { name: "x".into(), shape: vec![1, 2], range: (-8, 7), encode: None };
        let mut graph = Graph::new("doubt", vec![input]).unwrap();
        let layer =
            |name: &str, op, from: u32| Layer { name: name.into(), op, inputs: vec![TensorId(from)], scale: None };
        let functions = Array::scalar(function(&[(-2, 1), (3, 2)]));
        graph.push(layer("quant", Op::Threshold { functions }, 0)).unwrap();
        let weights = Array { shape: vec![2, 2], values: vec![3, -4, 0, 2] };
        let dense = Op::dense(weights, vec![1, 1]);
        graph.push(layer("dense", dense, 1)).unwrap();
        let decode = Decode { unit: Array::scalar(0.5), steps: Vec::new(), softmax: None };
        let output = Output { name: "y".into(), tensor: TensorId(2), decode: Some(decode) };
        graph.output(output).unwrap();
        let both = Array::scalar(1);
        let second = Array { shape: vec![2], values: vec![0, 1] };
        assert_eq!(graph.deviation(&[]), [[0, 0]]);
        assert_eq!(graph.deviation(&[("quant", &both)]), [[7, 2]]);
        assert_eq!(graph.deviation(&[("quant", &second)]), [[4, 2]]);
        assert_eq!(graph.deviation(&[("dense", &both)]), [[0, 0]]);
        let events: Vec<_> = (-8..8).map(|x| vec![vec![x, -x.max(-7)]]).collect();
        let seen = |offsets: &[(&str, &Array<i64>)]| graph.seen_deviation(offsets, &events, 1).unwrap()[0];
        assert_eq!((seen(&[]), seen(&[("dense", &both)])), (0.0, 0.0));
        let moved = seen(&[("quant", &both)]);
        assert!(moved > 0.0 && moved <= 3.5, "{moved}");
        assert_eq!(graph.decoded_deviation(0, &[7, 2], 0.25), Some(3.75));
    }
}
