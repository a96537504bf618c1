//! Sums of products with weights in registers that are written at run time.

use hdl::dfg::{ModuleBuilder, Value};

use super::at_most;
use super::neurons::{Neuron, Weights};
use crate::arith::multiply::DotProduct;
use crate::model::filter_fastest;

/// `bias + Σ ⌊x·w⌋` for every neuron: a multiplier for each product, recoded by its weight, which many products have in
/// common. The registers hold weights and then biases.
pub(super) fn sums<'m>(
    m: &'m ModuleBuilder,
    layer: Weights<'_>,
    neurons: &[Neuron],
    inputs: &[Value<'m>],
    registers: &[Value<'m>],
    bias_shift: i32,
    dot_product: DotProduct,
) -> Vec<Value<'m>> {
    let places = register_of_weight(&layer.weights.shape);
    let (terms, rows) = (layer.row(0).len(), layer.bias.len());
    let cut = layer.multiplication.cut();
    let sum = |neuron: &Neuron| {
        m.scope(&neuron.scope, || {
            let bias = registers[rows * terms + neuron.row].with_frac(-bias_shift);
            let factors = |&(input, place): &(usize, usize)| {
                let weight = registers[places[neuron.row * terms + place]];
                (inputs[input], weight.with_frac(cut as i32))
            };
            let products: Vec<_> = neuron.terms.iter().map(factors).collect();
            dot_product.sum(m, &products, &[at_most(bias, 0)], Some(0)).extended(0)
        })
    };
    neurons.iter().map(sum).collect()
}

/// For each weight of a matrix or of filters of this shape its register.
fn register_of_weight(shape: &[usize]) -> Vec<usize> {
    let count = shape.iter().product();
    if shape.len() == 2 {
        return (0..count).collect();
    }
    let mut registers = vec![0; count];
    filter_fastest(shape).enumerate().for_each(|(register, weight)| registers[weight] = register);
    registers
}
