//! Outputs as plain fixed-point numbers: what the framework computes behind the last integers becomes a table.
//!
//! A sigmoid, a hyperbolic tangent, an exponential, a softmax or a scale at the end of a network is no integer
//! arithmetic, so it stays outside the hardware ([`Decode`]). Where a user wants it inside, it is rounded to a format.
//! How far that is off is found on every integer that can be; for a softmax it is a bound.

use hdl::diag::Diagnostic;
use hdl::names::quoted;
use hdl::num::Interval;

use super::array::Array;
use super::graph::{Decode, Graph, Layer};
use super::op::Op;
use super::softmax::Softmax;
use super::step::StepFunction;

/// Most (element, integer) pairs that are tabulated.
const MAX_ENTRIES: u128 = 1 << 24;

/// Bits of a softmax's scores that are rounded to a common step.
const SCORE_BITS: u32 = 40;

impl Graph {
    /// Output `k` rounded to the nearest multiple of `2^-frac`, half away from zero, with integers forced into `range`.
    ///
    /// Gives the greatest distance to the framework's number over all integers that the output can have been, or for a
    /// softmax a bound of it.
    ///
    /// # Errors
    /// Too many integers to tabulate, a softmax too fine or too large.
    pub fn quantise_output(&mut self, k: usize, range: Interval, frac: i32) -> Result<f64, Diagnostic> {
        let decode = self.outputs[k].decode.as_mut();
        match decode.and_then(|d| d.softmax.take()) {
            Some(axis) => self.quantise_softmax(k, axis, range, frac),
            None => self.tabulate_output(k, range, frac),
        }
    }

    /// Scores that are integers of one step go into the softmax as they are; others are rounded to as many fraction bits
    /// as the result has. A score that is off by `e` moves a share by at most `e / 2`.
    fn quantise_softmax(&mut self, k: usize, axis: usize, range: Interval, frac: i32) -> Result<f64, Diagnostic> {
        let name = self.outputs[k].name.clone();
        let refused = |why: String| {
            let message = format!("output {}: {why}", quoted(&name));
            Diagnostic::error("output-format", message)
                .help("take another format, or let an ArgMax stand in place of the softmax")
        };
        let wanted = u32::try_from(frac).map_err(|_| refused("a softmax needs fraction bits".to_owned()))?;
        let plain = |d: &Decode| d.unit.as_scalar().copied().filter(|_| d.steps.is_empty());
        let unit = self.outputs[k].decode.as_ref().map_or(Some(1.0), plain);
        let (unit, rounding) = match unit {
            Some(unit) => (unit, 0.0),
            None => {
                let range = Interval::of_width(SCORE_BITS, true).expect("few bits");
                (2f64.powi(-frac), self.tabulate_output(k, range, frac)? / 2.0)
            }
        };
        let scores = self.outputs[k].tensor;
        let info = self.info(scores).clone();
        let count = info.shape.get(axis).copied().unwrap_or(1);
        let built = Softmax::of(axis, count, info.range, unit, wanted);
        let (softmax, bound) = built.map_err(refused)?;
        let scale = 2f64.powi(-frac);
        let mut tensor = self.push(Layer {
            name: format!("{name}_softmax"),
            op: Op::Softmax(softmax),
            inputs: vec![scores],
            scale: Some(scale),
        })?;
        let mut cut = 0.0;
        if !range.covers(self.info(tensor).range) {
            let (lo, hi) = (range.lo() as i64, range.hi() as i64);
            cut = 1.0 - hi as f64 * scale;
            tensor = self.push(Layer {
                name: format!("{name}_limit"),
                op: Op::Clamp { lo, hi },
                inputs: vec![tensor],
                scale: Some(scale),
            })?;
        }
        self.outputs[k].tensor = tensor;
        self.outputs[k].decode = Some(Decode { unit: Array::scalar(scale), steps: Vec::new(), softmax: None });
        Ok(bound + rounding + cut)
    }

    fn tabulate_output(&mut self, k: usize, range: Interval, frac: i32) -> Result<f64, Diagnostic> {
        let output = self.outputs[k].clone();
        let info = self.info(output.tensor).clone();
        let (first, last) = (info.range.lo() as i64, info.range.hi() as i64);
        let single = output.decode.as_ref().is_none_or(|d| {
            let mut parameters = d.steps.iter().filter_map(super::Step::parameter);
            d.unit.values.len() == 1 && parameters.all(|p| p.values.len() == 1)
        });
        let elements = match single {
            true => 1,
            false => info.shape.iter().product::<usize>(),
        };
        if info.range.hi().abs_diff(info.range.lo()) * elements as u128 > MAX_ENTRIES {
            let message = format!(
                "output {}: {elements} elements of {} are too many for tables",
                quoted(&output.name),
                info.range
            );
            return Err(
                Diagnostic::error("output-format", message).help("quantise the tensor in front of it to fewer bits")
            );
        }
        let scale = 2f64.powi(frac);
        let (lo, hi) = (range.lo() as f64, range.hi() as f64);
        let mut functions = vec![StepFunction { first: 0, steps: Vec::new() }; elements];
        let mut distance = 0f64;
        let count = info.shape.iter().product();
        for n in first..=last {
            let reals = self.decode(k, &vec![n; count]);
            for (function, real) in functions.iter_mut().zip(reals) {
                let real = f64::from(real);
                let code = (real * scale).round().clamp(lo, hi);
                distance = distance.max((code / scale - real).abs());
                let before = function.steps.last().map_or(function.first, |s| s.1);
                if n == first {
                    function.first = code as i64;
                } else if code as i64 != before {
                    function.steps.push((n, code as i64));
                }
            }
        }
        let shape = if single { Vec::new() } else { info.shape };
        let functions = Array { shape, values: functions };
        let tensor = self.push(Layer {
            name: format!("{}_table", output.name),
            op: Op::Threshold { functions },
            inputs: vec![output.tensor],
            scale: Some(1.0 / scale),
        })?;
        self.outputs[k].tensor = tensor;
        self.outputs[k].decode = Some(Decode { unit: Array::scalar(1.0 / scale), steps: Vec::new(), softmax: None });
        Ok(distance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Input, Output, Step, TensorId};

    #[test]
    fn a_sigmoid_is_within_its_bound() {
        let input = Input { name: "x".into(), shape: vec![2], range: (-64, 63), encode: None };
        let mut graph = Graph::new("sigmoid", vec![input]).unwrap();
        let decode = Decode { unit: Array::scalar(0.125), steps: vec![Step::Sigmoid], softmax: None };
        let output = Output { name: "y".into(), tensor: TensorId(0), decode: Some(decode) };
        graph.output(output).unwrap();
        let range = Interval::of_width(8, false).unwrap();
        let bound = graph.quantise_output(0, range, 8).unwrap();
        // half a step, and the top of the range is one step below 1
        assert!(bound > 1.0 / 1024.0 && bound <= 1.0 / 256.0, "{bound}");
        let mut worst = 0f64;
        for n in -64..=63 {
            let got = graph.evaluate(&[vec![n, 0]]).unwrap();
            let real = 1.0 / (1.0 + (-0.125 * n as f64).exp());
            worst = worst.max((got.outputs()[0][0] as f64 / 256.0 - real).abs());
            assert_eq!(got.outputs()[0][1], 128);
        }
        assert!((worst - bound).abs() < 1e-7);
    }

    /// Five scores of one step, and of steps and offsets of their own.
    #[test]
    fn a_softmax_is_within_its_bound() {
        let offsets = |values: Vec<f32>| vec![Step::Add(Array { shape: vec![5], values })];
        let cases = [
            (Vec::new(), vec![0.21]),
            (Vec::new(), vec![0.3, 0.11, 0.2, 0.05, 0.7]),
            (offsets(vec![0.123, -2.0, 0.7, 0.01, 1.9]), vec![0.3]),
        ];
        for (steps, values) in cases {
            let input = Input { name: "x".into(), shape: vec![5], range: (-32, 31), encode: None };
            let mut graph = Graph::new("softmax", vec![input]).unwrap();
            let unit = Array { shape: vec![values.len()], values };
            let decode = Decode { unit, steps, softmax: Some(0) };
            let output = Output { name: "y".into(), tensor: TensorId(0), decode: Some(decode) };
            graph.output(output).unwrap();
            let float = graph.clone();
            let bound = graph.quantise_output(0, Interval::of_width(9, false).unwrap(), 8).unwrap();
            let mut random = fastrand::Rng::with_seed(5);
            let mut worst = 0f32;
            for k in 0..2000 {
                let spread = [2, 8, 32][k % 3];
                let x: Vec<i64> = (0..5).map(|_| random.i64(-spread..spread)).collect();
                let got = graph.evaluate(std::slice::from_ref(&x)).unwrap();
                let got = graph.decode(0, got.outputs()[0]);
                for (a, b) in got.iter().zip(float.decode(0, &x)) {
                    worst = worst.max((a - b).abs());
                }
            }
            assert!(bound < 1.5 / 256.0, "{bound}");
            assert!(f64::from(worst) <= bound && worst > 0.2 / 256.0, "{worst} {bound}");
        }
    }
}
