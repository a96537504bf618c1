//! Whether a framework's float is the number that an output's integer stands for.
//!
//! A framework adds up products in 32-bit floats, in an order of its own, so its result need not be `unit · n` to the last
//! bit. Where the float's distance from `unit · n` is a rounding's, and no other integer is as near, it is still `n`.

use std::fmt;

use super::graph::Graph;
use super::real::Step;

/// Roundings of a sum that are taken for noise, of half a last place of the greatest number that the sum can be.
const ROUNDINGS: f64 = 64.0;
/// Half the relative distance of neighbouring 32-bit floats.
const HALF_ULP: f64 = 1.0 / 16_777_216.0;

/// What comparing one element came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Agreement {
    /// The same float.
    Equal,
    /// Another float that can only be the same integer, this far away.
    Noise(f64),
    /// Another float within a rounding of an approximate function, or of a sum with more bits than a float has: integers
    /// cannot be told from it.
    Approximate(f64),
    /// Another number.
    Differs {
        /// What the model gives.
        model: String,
        /// What the framework's number is.
        why: String,
    },
}

/// How close all elements were.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Closeness {
    numbers: usize,
    noisy: usize,
    approximate: usize,
    worst: f64,
}

impl Closeness {
    /// Counts one more element.
    pub fn count(&mut self, agreement: Agreement) {
        self.numbers += 1;
        match agreement {
            Agreement::Equal | Agreement::Differs { .. } => {}
            Agreement::Noise(distance) => {
                self.noisy += 1;
                self.worst = self.worst.max(distance);
            }
            Agreement::Approximate(distance) => {
                self.approximate += 1;
                self.worst = self.worst.max(distance);
            }
        }
    }
}

impl fmt::Display for Closeness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { numbers, noisy, approximate, worst } = self;
        match (noisy, approximate) {
            (0, 0) => write!(f, "all {numbers} numbers exactly equal"),
            (noisy, 0) => write!(
                f,
                "all {numbers} numbers are the same integers; the framework's float sums have noise in the last place in {noisy} of them, at most {worst:.1e}"
            ),
            (_, approximate) => write!(
                f,
                "all {numbers} numbers within the rounding of the framework's floats at the end, {approximate} of them not to the last place, at most {worst:.1e}"
            ),
        }
    }
}

impl Graph {
    /// For each element of output `k` how the framework's number `wanted` agrees with the model's integer.
    pub fn agreement(&self, k: usize, integers: &[i64], wanted: &[f64]) -> Vec<Agreement> {
        let moved = |by: i64| {
            let neighbours: Vec<i64> = integers.iter().map(|n| n.saturating_add(by)).collect();
            self.decode(k, &neighbours)
        };
        let (below, own, above) = (moved(-1), moved(0), moved(1));
        let output = &self.outputs[k];
        let range = self.info(output.tensor).range;
        let decode = output.decode.as_ref();
        let approximate = decode.is_some_and(|d| d.softmax.is_some() || d.steps.iter().any(Step::is_approximate));
        let ends = [range.lo(), range.hi()].map(|end| {
            let end = vec![end as i64; integers.len()];
            self.decode(k, &end)
        });
        let softmax = decode.is_some_and(|d| d.softmax.is_some());
        (0..integers.len())
            .map(|i| {
                let [own, below, above] = [&own, &below, &above].map(|reals| f64::from(reals[i]));
                let wanted = wanted[i];
                if wanted == own || wanted as f32 == own as f32 {
                    return Agreement::Equal;
                }
                let greatest = ends.iter().map(|e| f64::from(e[i]).abs()).fold(own.abs(), f64::max);
                let greatest = if softmax { 1.0 } else { greatest };
                let (distance, half_place) = ((wanted - own).abs(), greatest * HALF_ULP);
                let noise = half_place * ROUNDINGS;
                // a softmax of all scores moved alike is the same
                let gap = if softmax { 0.0 } else { (own - below).abs().min((above - own).abs()) };
                if distance <= noise.min(gap / 4.0) {
                    return Agreement::Noise(distance);
                }
                if (approximate || gap < 2.0 * half_place) && distance <= noise {
                    return Agreement::Approximate(distance);
                }
                Agreement::Differs { model: model(integers[i], own, decode.is_some()), why: self.why(k, i, wanted) }
            })
            .collect()
    }

    /// What the framework's number is in the output's integers.
    fn why(&self, k: usize, i: usize, wanted: f64) -> String {
        let output = &self.outputs[k];
        let Some(decode) = output.decode.as_ref().filter(|d| d.steps.is_empty() && d.softmax.is_none()) else {
            return "which no rounding explains".to_owned();
        };
        let units = decode.unit.stretched(&self.info(output.tensor).shape).expect("checked when built");
        let steps = wanted / units[i];
        match (steps - steps.round()).abs() < 0.25 {
            true => format!("which is the integer {}", steps.round()),
            false => format!("which is {steps:.3} steps of {}, no whole number of them", units[i]),
        }
    }
}

fn model(integer: i64, real: f64, decoded: bool) -> String {
    match decoded {
        true => format!("{real}, the integer {integer}"),
        false => integer.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Array, Decode, Input, Output, TensorId};

    fn graph(unit: f64, steps: Vec<Step>, softmax: Option<usize>) -> Graph {
        let input = Input { name: "x".into(), shape: vec![1, 2], range: (-4096, 4095), encode: None };
        let mut graph = Graph::new("agreement", vec![input]).unwrap();
        let decode = Decode { unit: Array::scalar(unit), steps, softmax };
        graph.output(Output { name: "y".into(), tensor: TensorId(0), decode: Some(decode) }).unwrap();
        graph
    }

    #[test]
    fn a_last_place_is_noise_and_a_step_is_not() {
        let unit = 1.0 / 255.0;
        let graph = graph(unit, Vec::new(), None);
        let own = f64::from((100.0 * unit) as f32);
        let beside = f64::from(f32::from_bits((own as f32).to_bits() + 1));
        let compared = |wanted: f64| graph.agreement(0, &[100, -3], &[wanted, -3.0 * unit]).remove(0);
        assert_eq!(compared(own), Agreement::Equal);
        assert_eq!(compared(beside), Agreement::Noise(beside - own));
        for (wanted, reason) in [(101.0 * unit, "integer 101"), (100.5 * unit, "no whole number")] {
            let Agreement::Differs { model, why } = compared(wanted) else {
                panic!("{wanted} is not {own}");
            };
            assert!(model.contains("the integer 100") && why.contains(reason), "{model} {why}");
        }
        // a scale that is a little off is no noise
        assert!(matches!(compared(100.05 * unit), Agreement::Differs { .. }));
    }

    #[test]
    fn sums_with_more_bits_than_a_float() {
        let input = Input { name: "x".into(), shape: vec![1], range: (-(1 << 30), (1 << 30) - 1), encode: None };
        let mut graph = Graph::new("agreement", vec![input]).unwrap();
        let decode = Decode { unit: Array::scalar(0.5f64.powi(27)), steps: Vec::new(), softmax: None };
        graph.output(Output { name: "y".into(), tensor: TensorId(0), decode: Some(decode) }).unwrap();
        let own = 428_046_862.0 * 0.5f64.powi(27);
        let compared = |wanted: f64| graph.agreement(0, &[428_046_862], &[wanted]).remove(0);
        let beside = f64::from((own as f32).next_up().next_up());
        assert!(matches!(compared(beside), Agreement::Approximate(distance) if distance < 1e-6));
        assert!(matches!(compared(own + 0.001), Agreement::Differs { .. }));
    }

    #[test]
    fn functions_at_the_end_are_within_a_rounding() {
        let sigmoid = graph(0.25, vec![Step::Sigmoid], None);
        let compared = |n: i64, wanted: f64| sigmoid.agreement(0, &[n, 0], &[wanted, 0.5]).remove(0);
        let half = 1.0 / (1.0 + (-0.25f64).exp());
        assert!(matches!(compared(1, half + 1e-7), Agreement::Noise(_) | Agreement::Equal));
        assert!(matches!(compared(400, 1.0 - 1e-6), Agreement::Approximate(_)));
        assert!(matches!(compared(1, half + 1e-3), Agreement::Differs { .. }));
        let softmax = graph(0.25, Vec::new(), Some(1));
        let shares = softmax.decode(0, &[4, 0]);
        let moved: Vec<f64> = shares.iter().map(|s| f64::from(*s) + 1e-6).collect();
        assert!(softmax.agreement(0, &[4, 0], &moved).iter().all(|a| matches!(a, Agreement::Approximate(_))));
        assert!(matches!(softmax.agreement(0, &[4, 0], &[0.5, 0.5])[0], Agreement::Differs { .. }));
    }

    #[test]
    fn closeness_says_what_was_seen() {
        let mut closeness = Closeness::default();
        closeness.count(Agreement::Equal);
        assert_eq!(closeness.to_string(), "all 1 numbers exactly equal");
        closeness.count(Agreement::Noise(1e-7));
        assert!(closeness.to_string().contains("noise in the last place in 1 of them"), "{closeness}");
        closeness.count(Agreement::Approximate(1e-6));
        assert!(closeness.to_string().contains("floats at the end"), "{closeness}");
    }
}
