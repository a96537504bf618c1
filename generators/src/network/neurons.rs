//! The sums that a dense or convolution layer consists of, one by one.

use hdl::dfg::Value;

use crate::model::{Array, Multiplication, Window};

/// One output of a layer: which elements it sees through which of its weights.
#[derive(Debug)]
pub(super) struct Neuron {
    /// Scope of its own.
    pub scope: String,
    /// Row of the layer's weights, and entry of its biases.
    pub row: usize,
    /// (element of the operand, weight in the row).
    pub terms: Vec<(usize, usize)>,
    /// Its place in the result.
    pub place: usize,
}

/// The integers of a layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weights<'a> {
    /// A row for each entry of the bias.
    pub weights: &'a Array<i64>,
    /// One a row.
    pub bias: &'a [i64],
    /// What of a product is added.
    pub multiplication: Multiplication,
}

impl Weights<'_> {
    /// The weights of a row.
    pub fn row(&self, row: usize) -> &[i64] {
        let len = self.weights.values.len() / self.bias.len();
        &self.weights.values[row * len..(row + 1) * len]
    }
}

/// The outputs of a dense layer on an operand of so many elements.
pub(super) fn of_dense(weights: &Array<i64>, elements: usize) -> Vec<Neuron> {
    let (outputs, inputs) = (weights.shape[0], weights.shape[1]);
    let vectors = elements / inputs;
    let neuron = move |v: usize, o: usize| Neuron {
        scope: if vectors == 1 { format!("output{o}") } else { format!("vector{v}_output{o}") },
        row: o,
        terms: (0..inputs).map(|i| (v * inputs + i, i)).collect(),
        place: v * outputs + o,
    };
    (0..vectors).flat_map(|v| (0..outputs).map(move |o| neuron(v, o))).collect()
}

/// The outputs of a convolution on an operand of this shape, position by position.
///
/// # Errors
/// None for a layer that was checked.
pub(super) fn of_convolution(
    weights: &Array<i64>,
    shape: &[usize],
    window: &Window,
    groups: usize,
) -> Result<Vec<Neuron>, String> {
    let (extents, positions) = (window.output(&shape[2..])?, window.positions(&shape[2..])?);
    let pixels: usize = shape[2..].iter().product();
    let taps: usize = window.kernel.iter().product();
    let (filters, channels) = (weights.shape[0], weights.shape[1]);
    let mut neurons = Vec::with_capacity(shape[0] * positions.len() * filters);
    for image in 0..shape[0] {
        for (p, position) in positions.iter().enumerate() {
            for filter in 0..filters {
                let first = image * shape[1] + filter / (filters / groups) * channels;
                let seen = |c: usize| {
                    let term = move |&(tap, pixel): &(u32, u32)| {
                        ((first + c) * pixels + pixel as usize, c * taps + tap as usize)
                    };
                    position.iter().map(term)
                };
                let place = match extents[..] {
                    [_, columns] => format!("row{}_column{}_filter{filter}", p / columns, p % columns),
                    _ => format!("position{p}_filter{filter}"),
                };
                neurons.push(Neuron {
                    scope: if shape[0] == 1 { place } else { format!("image{image}_{place}") },
                    row: filter,
                    terms: (0..channels).flat_map(seen).collect(),
                    place: (image * filters + filter) * positions.len() + p,
                });
            }
        }
    }
    Ok(neurons)
}

/// The sums of neurons in the order of the result.
pub(super) fn in_place<'m>(neurons: &[Neuron], sums: Vec<Value<'m>>) -> Vec<Value<'m>> {
    let mut placed: Vec<(usize, Value<'m>)> = neurons.iter().map(|neuron| neuron.place).zip(sums).collect();
    placed.sort_unstable_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, sum)| sum).collect()
}
