//! A perceptron of several layers as integers, and as operators of an integer graph.

use hdl::diag::Diagnostic;
use hdl::num::{Format, Interval, Quantiser};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Array, Op, Requantise};

/// Widest accumulator, in bits: sums stay within 64-bit integers.
const MAX_ACCUMULATOR: u32 = 62;

/// One layer: `y = relu(pre(b + Σ w·x))` with `pre` and `relu` its quantisers; the sum is exact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// Format of weights and biases.
    pub weight: Quantiser,
    /// One row for each output, one weight for each input.
    pub weights: Vec<Vec<i64>>,
    /// One bias for each output.
    pub bias: Vec<i64>,
    /// Quantiser of the accumulator.
    pub pre_activation: Quantiser,
    /// Quantiser of `max(pre-activation, 0)`; none for a layer without ReLU.
    pub relu: Option<Quantiser>,
}

/// Layers in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Mlp {
    /// First to last.
    pub layers: Vec<Layer>,
}

impl Layer {
    /// Inputs of each neuron.
    pub fn inputs(&self) -> usize {
        self.weights.first().map_or(0, Vec::len)
    }

    /// Neurons.
    pub fn outputs(&self) -> usize {
        self.weights.len()
    }

    /// The format of its outputs.
    pub fn output(&self) -> Format {
        self.relu.unwrap_or(self.pre_activation).format()
    }

    /// The layer on integers of these formats, whose shape and size were validated: sums, their quantiser, ReLU and its
    /// quantiser.
    pub fn operators(&self, inputs: &[Format]) -> Vec<Op> {
        let (accumulator, weight) = (self.accumulator_frac(inputs), self.weight.frac);
        // what is shifted out has no bits
        let up = |value: i64, frac: i32| value.checked_shl((accumulator - frac).unsigned_abs()).unwrap_or(0);
        let row = |row: &Vec<i64>| row.iter().zip(inputs).map(|(w, x)| up(*w, weight + x.frac)).collect::<Vec<_>>();
        let weights =
            Array { shape: vec![self.outputs(), inputs.len()], values: self.weights.iter().flat_map(row).collect() };
        let bias = self.bias.iter().map(|bias| up(*bias, weight)).collect();
        let sums = [Op::dense(weights, bias), Op::Requantise(Requantise::of(&self.pre_activation, accumulator))];
        let relu = self.relu.iter().flat_map(|relu| {
            let requantise = Requantise::of(relu, self.pre_activation.frac);
            [Op::Relu, Op::Requantise(requantise)]
        });
        sums.into_iter().chain(relu).collect()
    }

    /// Fraction bits of its sums for inputs of these formats.
    pub fn accumulator_frac(&self, inputs: &[Format]) -> i32 {
        let point = inputs.iter().map(|f| f.frac).max().unwrap_or(0);
        accumulator_frac(point, self.weight.frac)
    }

    /// The format of the sums for inputs of these formats, whose shape and size were validated.
    pub fn sum_format(&self, inputs: &[Format]) -> Option<Format> {
        let frac = self.accumulator_frac(inputs);
        let mut all = Interval::point(0).ok()?;
        for (row, &bias) in self.weights.iter().zip(&self.bias) {
            let scaled = |range: Interval, by: i64, point: i32| {
                let product = range.mul(Interval::point(i128::from(by)).ok()?).ok()?;
                product.shl(u32::try_from(frac - point).ok()?).ok()
            };
            let one = Interval::point(1).ok()?;
            let mut sum = scaled(one, bias, self.weight.frac)?;
            for (&w, format) in row.iter().zip(inputs) {
                let product = scaled(format.range, w, format.frac + self.weight.frac)?;
                sum = sum.add(product).ok()?;
            }
            all = all.union(sum);
        }
        Some(Format { range: all, frac })
    }

    /// Whether the layer is `b + Σ w·x` for inputs of these formats: no ReLU, and a quantiser that changes nothing.
    pub fn is_linear(&self, inputs: &[Format]) -> bool {
        let Some(sum) = self.sum_format(inputs) else {
            return false;
        };
        let format = self.pre_activation.format();
        let up = u32::try_from(format.frac - sum.frac).ok();
        let moved = up.and_then(|up| sum.range.shl(up).ok());
        self.relu.is_none() && moved.is_some_and(|range| format.range.covers(range))
    }

    fn validate(&self, inputs: &[Format]) -> Result<Vec<Format>, String> {
        let outputs = self.outputs();
        if outputs == 0 || self.bias.len() != outputs {
            return Err(format!("{outputs} rows of weights, {} biases", self.bias.len()));
        }
        if let Some((k, row)) = (0..).zip(&self.weights).find(|(_, r)| r.len() != inputs.len()) {
            return Err(format!("row {k} has {} weights for {} inputs", row.len(), inputs.len()));
        }
        let (lo, hi) = self.weight.limits();
        let mut integers = self.weights.iter().flatten().chain(&self.bias);
        if let Some(bad) = integers.find(|w| !(lo..=hi).contains(*w)) {
            return Err(format!("weight {bad} does not fit {} ({lo}…{hi})", self.weight));
        }
        let accumulator = self.accumulator_frac(inputs);
        for (row, &bias) in self.weights.iter().zip(&self.bias) {
            let terms = row.iter().zip(inputs);
            let terms = terms.map(|(&w, f)| (w, f.range, accumulator - f.frac - self.weight.frac));
            let bias = (bias, Interval::new(1, 1).expect("one"), accumulator - self.weight.frac);
            let magnitude: u128 = terms.chain([bias]).map(magnitude).fold(0, u128::saturating_add);
            if magnitude >= 1 << (MAX_ACCUMULATOR - 1) {
                return Err(format!("a sum needs more than {MAX_ACCUMULATOR} bits"));
            }
        }
        Ok(vec![self.output(); outputs])
    }
}

/// The greatest magnitude of `weight · x · 2^shift` for `x` in an interval.
fn magnitude((weight, range, shift): (i64, Interval, i32)) -> u128 {
    let x = range.lo().unsigned_abs().max(range.hi().unsigned_abs());
    let product = x.saturating_mul(u128::from(weight.unsigned_abs()));
    match product {
        0 => 0,
        _ if shift.unsigned_abs() >= product.leading_zeros() => u128::MAX,
        _ => product << shift,
    }
}

/// Fraction bits of the sum of products and bias.
fn accumulator_frac(input_frac: i32, weight_frac: i32) -> i32 {
    weight_frac + input_frac.max(0)
}

impl Mlp {
    /// The formats of the outputs for inputs of these formats.
    ///
    /// # Errors
    /// Shapes that do not fit, integers out of their format, sums beyond 62 bits; `name` says which block it is.
    pub fn validate(&self, name: &str, inputs: &[Format]) -> Result<Vec<Format>, Diagnostic> {
        let mut formats = inputs.to_vec();
        if self.layers.is_empty() {
            return Err(Diagnostic::error("model", format!("`{name}` has no layers")));
        }
        for (k, layer) in self.layers.iter().enumerate() {
            formats = layer
                .validate(&formats)
                .map_err(|reason| Diagnostic::error("model", format!("layer {k} of `{name}`: {reason}")))?;
        }
        Ok(formats)
    }

    /// The format of every output; a validated perceptron has a last layer that says it.
    pub fn output_format(&self) -> Format {
        self.layers.last().map_or(Format::BIT, Layer::output)
    }

    /// Numbers that it takes.
    pub fn inputs(&self) -> usize {
        self.layers.first().map_or(0, Layer::inputs)
    }

    /// Numbers that it gives.
    pub fn outputs(&self) -> usize {
        self.layers.last().map_or(0, Layer::outputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Graph, Input, TensorId};

    fn layer() -> Layer {
        Layer {
            weight: "ap_fixed<4,2>".parse().unwrap(),
            weights: vec![vec![3, -4]],
            bias: vec![1],
            pre_activation: "ap_fixed<5,3>".parse().unwrap(),
            relu: Some("ap_ufixed<2,1,RND,SAT>".parse().unwrap()),
        }
    }

    #[test]
    fn a_neuron_by_hand() {
        // 0.75 · 1.5 − 1 · 0.5 + 0.25 = 0.875 → floor to quarters 0.75 → nearest half, up: 1
        let inputs = [Format::signed(4, 1).unwrap(), Format::signed(4, 2).unwrap()];
        let input = Input { name: "x".into(), shape: vec![2], range: (-8, 7), encode: None };
        let mut graph = Graph::new("neuron", vec![input]).unwrap();
        let mut last = TensorId(0);
        for op in layer().operators(&inputs) {
            last =
                graph.push(crate::model::Layer { name: "layer0".into(), op, inputs: vec![last], scale: None }).unwrap();
        }
        assert_eq!(graph.evaluate(&[vec![3, 2]]).unwrap().tensor(last), [2]);
    }

    #[test]
    fn a_linear_layer_is_known() {
        let inputs = [Format::signed(4, 1).unwrap(); 2];
        let mut layer = Layer { relu: None, ..layer() };
        // 3·x − 4·y + 2 in eighths: from −24 − 28 + 2 to 21 + 32 + 2, 7 bits
        let sum = layer.sum_format(&inputs).unwrap();
        assert_eq!((sum.range.lo(), sum.range.hi(), sum.frac), (-50, 55, 3));
        for (format, linear) in [("ap_fixed<7,4>", true), ("ap_fixed<6,3>", false), ("ap_fixed<7,5>", false)] {
            layer.pre_activation = format.parse().unwrap();
            assert_eq!(layer.is_linear(&inputs), linear, "{format}");
        }
        layer.pre_activation = "ap_fixed<9,5>".parse().unwrap();
        assert!(layer.is_linear(&inputs));
        layer.relu = Some(layer.pre_activation);
        assert!(!layer.is_linear(&inputs));
    }

    #[test]
    fn mistakes_are_named() {
        let wide = [Format::signed(4, 1).unwrap(); 2];
        let error = |change: &dyn Fn(&mut Layer)| {
            let mut layer = layer();
            change(&mut layer);
            Mlp { layers: vec![layer] }.validate("f", &wide).unwrap_err().message
        };
        assert!(Mlp { layers: vec![layer()] }.validate("f", &wide).is_ok());
        assert!(error(&|l| l.bias.clear()).contains("0 biases"));
        assert!(error(&|l| l.weights[0].push(1)).contains("3 weights for 2 inputs"));
        assert!(error(&|l| l.weights[0][0] = 8).contains("does not fit"));
        assert!(Mlp { layers: vec![] }.validate("f", &wide).is_err());
        let far = [Format::signed(4, 70).unwrap(), Format::signed(4, 0).unwrap()];
        assert!(Mlp { layers: vec![layer()] }.validate("f", &far).is_err());
    }
}
