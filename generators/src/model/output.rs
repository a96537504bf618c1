//! Outputs as plain fixed-point numbers: what the framework computes behind the last integers becomes a table.
//!
//! A sigmoid, a hyperbolic tangent, an exponential or a scale at the end of a network is no integer arithmetic, so it
//! stays outside the hardware ([`Decode`]). Where a user wants it inside, it is rounded to a format, and how far that is
//! off is found on every integer that can be.

use hdl::diag::Diagnostic;
use hdl::names::quoted;
use hdl::num::Interval;

use super::array::Array;
use super::graph::{Decode, Graph, Layer};
use super::op::Op;
use super::step::StepFunction;

/// Most (element, integer) pairs that are tabulated.
const MAX_ENTRIES: u128 = 1 << 24;

impl Graph {
    /// Output `k` rounded to the nearest multiple of `2^-frac`, half away from zero, with integers forced into `range`.
    ///
    /// Gives the greatest distance to the framework's number over all integers that the output can have been.
    ///
    /// # Errors
    /// Too many integers to tabulate.
    pub fn quantise_output(
        &mut self,
        k: usize,
        range: Interval,
        frac: i32,
    ) -> Result<f64, Diagnostic> {
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
            return Err(Diagnostic::error("output-format", message)
                .help("quantise the tensor in front of it to fewer bits"));
        }
        let scale = 2f64.powi(frac);
        let (lo, hi) = (range.lo() as f64, range.hi() as f64);
        let mut functions = vec![
            StepFunction {
                first: 0,
                steps: Vec::new(),
            };
            elements
        ];
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
        let functions = Array {
            shape,
            values: functions,
        };
        let tensor = self.push(Layer {
            name: format!("{}_table", output.name),
            op: Op::Threshold { functions },
            inputs: vec![output.tensor],
            scale: Some(1.0 / scale),
        })?;
        self.outputs[k].tensor = tensor;
        self.outputs[k].decode = Some(Decode {
            unit: Array::scalar(1.0 / scale),
            steps: Vec::new(),
        });
        Ok(distance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Input, Output, Step, T};

    #[test]
    fn a_sigmoid_is_within_its_bound() {
        let input = Input {
            name: "x".into(),
            shape: vec![2],
            range: (-64, 63),
            encode: None,
        };
        let mut graph = Graph::new("sigmoid", vec![input]).unwrap();
        let decode = Decode {
            unit: Array::scalar(0.125),
            steps: vec![Step::Sigmoid],
        };
        let output = Output {
            name: "y".into(),
            tensor: T(0),
            decode: Some(decode),
        };
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
}
