//! Perceptrons as data paths.

use hdl::dfg::{ModuleBuilder, Value};
use hdl::num::Quantiser;

use super::mlp::{Layer, Mlp};
use crate::arith::Products;

/// `bias + Σ weight·input`, exactly, one sum for each row of `weights`.
///
/// Weights and biases are integers of the format `format`. Every product of a network with fixed weights is made here.
pub fn linear<'m>(
    m: &'m ModuleBuilder,
    products: &Products,
    inputs: &[Value<'m>],
    weights: &[Vec<i64>],
    bias: &[i64],
    format: Quantiser,
) -> Vec<Value<'m>> {
    let frac = inputs.iter().map(Value::frac).max().unwrap_or(0);
    let bias: Vec<i64> = bias.iter().map(|bias| bias << frac).collect();
    products.linear(m, inputs, weights, &bias, format.frac)
}

/// A layer's outputs for its exact sums.
pub fn activate<'m>(layer: &Layer, sums: &[Value<'m>]) -> Vec<Value<'m>> {
    let activated = |sum: &Value<'m>| {
        let value = sum.quantise(&layer.pre_activation);
        layer.relu.map_or(value, |relu| value.relu().quantise(&relu))
    };
    sums.iter().map(activated).collect()
}

/// A perceptron's outputs.
pub fn perceptron<'m>(m: &'m ModuleBuilder, products: &Products, mlp: &Mlp, inputs: &[Value<'m>]) -> Vec<Value<'m>> {
    continued(m, products, &mlp.layers, inputs)
}

/// The outputs of `layers` in a row.
pub fn continued<'m>(
    m: &'m ModuleBuilder,
    products: &Products,
    layers: &[Layer],
    inputs: &[Value<'m>],
) -> Vec<Value<'m>> {
    let mut values = inputs.to_vec();
    for (k, layer) in layers.iter().enumerate() {
        values = m.scope(&format!("layer{k}"), || {
            let sums = linear(m, products, &values, &layer.weights, &layer.bias, layer.weight);
            activate(layer, &sums)
        });
    }
    values
}

/// A first layer on `[a, b]` split into what `a` and what `b` adds to its sums: `W·[a, b] = W_a·a + W_b·b`, exactly.
///
/// Where many pairs share an end, each part is computed once an end instead of once a pair.
#[derive(Debug, Clone)]
pub struct Split<'l> {
    layer: &'l Layer,
    first: Vec<Vec<i64>>,
    second: Vec<Vec<i64>>,
}

impl<'l> Split<'l> {
    /// The layer, split after its first `at` inputs.
    pub fn of(layer: &'l Layer, at: usize) -> Self {
        let part = |columns: std::ops::Range<usize>| {
            let cut = |row: &Vec<i64>| row[columns.clone()].to_vec();
            layer.weights.iter().map(cut).collect()
        };
        Self { layer, first: part(0..at), second: part(at..layer.inputs()) }
    }

    /// What an element adds at the first place, bias included, then what it adds at the second.
    pub fn parts<'m>(&self, m: &'m ModuleBuilder, products: &Products, element: &[Value<'m>]) -> Vec<Value<'m>> {
        let format = self.layer.weight;
        let mut sums = linear(m, products, element, &self.first, &self.layer.bias, format);
        let none = vec![0; self.layer.outputs()];
        sums.extend(linear(m, products, element, &self.second, &none, format));
        sums
    }

    /// The layer's outputs for the first part of one element and the second part of another.
    pub fn joined<'m>(&self, first: &[Value<'m>], second: &[Value<'m>]) -> Vec<Value<'m>> {
        let sums: Vec<Value<'m>> = first.iter().zip(second).map(|(a, b)| *a + *b).collect();
        activate(self.layer, &sums)
    }
}
