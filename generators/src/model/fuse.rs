//! The same network with less to compute: what follows a matrix goes into its bias, what nothing depends on into no row.

use std::collections::HashMap;

use hdl::diag::Diagnostic;
use hdl::num::Rounding;

use super::array::Array;
use super::graph::{Graph, Layer, TensorId};
use super::op::Op;
use super::requantise::Requantise;

/// Magnitude that a bias must stay below.
const MAX_BIAS: i64 = 1 << 60;

/// What is done with a layer.
enum Change {
    /// These numbers are added to its bias, one an output.
    Bias(Vec<i64>),
    /// Its weights and bias are multiplied by these numbers, one an output, and a step of its result is worth that.
    Factors(Vec<i64>, Option<f64>),
    /// It is what another layer gives.
    Alias(usize),
    /// It does this instead.
    Instead(Op),
}

/// A matrix whose only reader rounds, perhaps behind a ReLU.
pub(crate) struct Rounded {
    /// The matrix's layer.
    pub matrix: usize,
    /// The layer that rounds.
    pub reader: usize,
    /// What it adds, one number an output; stretches to the matrix's result.
    pub added: Array<i64>,
}

impl Graph {
    /// The same network with every constant that is added to a dense or convolution layer, one number an output, in
    /// the layer's bias, and every power of two by which one is multiplied in its weights; layers that no output needs are
    /// left out.
    ///
    /// # Errors
    /// None for a graph that was built by [`Graph::push`].
    pub fn fused(&self) -> Result<Self, Diagnostic> {
        // more weight may be more bits than a value can have
        let scaled = self.changed(self.row_factors()).ok();
        let scaled = scaled.as_ref().unwrap_or(self);
        scaled.changed(scaled.added_biases())
    }

    /// A network with the same outputs and less to compute, where tensors in between may differ: [`Graph::fused`], and
    ///
    /// - rounding takes no adder: `⌊(x + h) / 2^d⌋` behind a matrix, with a ReLU or without, has `h` in the bias.
    /// - outputs of a matrix that no output of the network depends on are constants.
    ///
    /// # Errors
    /// None for a graph that was built by [`Graph::push`].
    pub fn simplified(&self) -> Result<Self, Diagnostic> {
        // more bias may be more bits than a value can have
        let rounded = self.changed(self.rounded_biases()).ok();
        let rounded = rounded.as_ref().unwrap_or(self);
        rounded.changed(rounded.idle_rows())
    }

    /// The network with other layers; those that no output needs are left out.
    fn changed(&self, mut changes: HashMap<usize, Change>) -> Result<Self, Diagnostic> {
        let mut changed = Self::new(&self.name, self.inputs.clone())?;
        let mut new: Vec<TensorId> = (0..self.inputs.len() as u32).map(TensorId).collect();
        for (k, layer) in self.layers.iter().enumerate() {
            let mut layer = Layer { inputs: layer.inputs.iter().map(|t| new[t.index()]).collect(), ..layer.clone() };
            match changes.remove(&k) {
                Some(Change::Alias(computed)) => {
                    new.push(new[self.inputs.len() + computed]);
                    continue;
                }
                Some(Change::Instead(op)) => layer.op = op,
                Some(Change::Bias(added)) => {
                    if let Op::Dense { bias, .. } | Op::Convolution { bias, .. } = &mut layer.op {
                        bias.iter_mut().zip(added).for_each(|(b, a)| *b += a);
                    }
                }
                Some(Change::Factors(factors, scale)) => {
                    scale_rows(&mut layer.op, &factors);
                    layer.scale = scale;
                }
                None => {}
            }
            new.push(changed.push(layer)?);
        }
        for output in &self.outputs {
            let mut output = output.clone();
            output.tensor = new[output.tensor.index()];
            changed.output(output)?;
        }
        Ok(changed.pruned())
    }

    /// How often each tensor is read.
    fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.info.len()];
        let reads = self.layers.iter().flat_map(|l| l.inputs.iter().copied());
        reads.chain(self.outputs.iter().map(|o| o.tensor)).for_each(|t| uses[t.index()] += 1);
        uses
    }

    fn layer_of(&self, tensor: TensorId) -> Option<usize> {
        tensor.index().checked_sub(self.inputs.len())
    }

    /// Constants that are added to matrix products as their biases.
    fn added_biases(&self) -> HashMap<usize, Change> {
        self.constants_behind(&Op::Add, |k, added| self.takes(k, added), |added, _| Change::Bias(added))
    }

    /// Powers of two that matrix products are multiplied by, as factors of their rows.
    fn row_factors(&self) -> HashMap<usize, Change> {
        let powers = |_, factors: &[i64]| factors.iter().all(|f| *f == 0 || f.unsigned_abs().is_power_of_two());
        self.constants_behind(&Op::Mul, powers, Change::Factors)
    }

    /// Matrices whose only reader is `operator` with a constant, one number an output, that it `takes`.
    fn constants_behind(
        &self,
        operator: &Op,
        takes: impl Fn(usize, &[i64]) -> bool,
        change: fn(Vec<i64>, Option<f64>) -> Change,
    ) -> HashMap<usize, Change> {
        let uses = self.uses();
        let mut changes = HashMap::new();
        for (reader, layer) in self.layers.iter().enumerate().filter(|(_, layer)| layer.op == *operator) {
            let [a, b] = [layer.inputs[0], layer.inputs[1]];
            for (product, constant) in [(a, b), (b, a)] {
                let (Some(k), Some(c)) = (self.layer_of(product), self.layer_of(constant)) else {
                    continue;
                };
                let Op::Constant(constant) = &self.layers[c].op else {
                    continue;
                };
                let numbers = self.an_output(k, constant).map(|array| array.values);
                if let Some(numbers) = numbers.filter(|n| uses[product.index()] == 1 && takes(k, n)) {
                    changes.insert(k, change(numbers, layer.scale));
                    changes.insert(reader, Change::Alias(k));
                    break;
                }
            }
        }
        changes
    }

    /// What rounding adds, in the bias of the matrix in front of it; what is left of it is a floor.
    fn rounded_biases(&self) -> HashMap<usize, Change> {
        let mut changes = HashMap::new();
        for Rounded { matrix, reader, added } in self.rounded() {
            let op = match &self.layers[reader].op {
                Op::Requantise(format) => Op::Requantise(in_front(*format).1),
                Op::RequantiseEach { formats } => Op::RequantiseEach { formats: formats.map(|f| in_front(*f).1) },
                _ => continue,
            };
            changes.insert(matrix, Change::Bias(added.values));
            changes.insert(reader, Change::Instead(op));
        }
        changes
    }

    /// The matrices that are built with what rounding adds in their bias.
    pub(crate) fn rounded(&self) -> Vec<Rounded> {
        let uses = self.uses();
        let single = |t: TensorId| self.layer_of(t).filter(|_| uses[t.index()] == 1);
        let mut all = Vec::new();
        for (reader, layer) in self.layers.iter().enumerate() {
            let formats = match &layer.op {
                Op::Requantise(format) => Array::scalar(*format),
                Op::RequantiseEach { formats } => formats.clone(),
                _ => continue,
            };
            let Some(mut matrix) = single(layer.inputs[0]) else {
                continue;
            };
            if self.layers[matrix].op == Op::Relu {
                let Some(before) = single(self.layers[matrix].inputs[0]) else {
                    continue;
                };
                matrix = before;
            }
            let Some(each) = self.an_output(matrix, &formats) else {
                continue;
            };
            let added = each.map(|format| in_front(*format).0);
            if added.values.iter().any(|a| *a != 0) && self.takes(matrix, &added.values) {
                all.push(Rounded { matrix, reader, added });
            }
        }
        all
    }

    /// Matrices whose outputs that nothing depends on are constants: numbers that they can be, since of an output that
    /// is always in one step of a quantiser behind it, the step is what remains.
    fn idle_rows(&self) -> HashMap<usize, Change> {
        let (ranges, mut changes) = (self.element_ranges(), HashMap::new());
        let needed = self.needed_elements(&ranges);
        for (k, layer) in self.layers.iter().enumerate() {
            let mut op = layer.op.clone();
            let (Some(axis), Op::Dense { weights, bias, .. } | Op::Convolution { weights, bias, .. }) =
                (self.output_axis(k), &mut op)
            else {
                continue;
            };
            let result = self.result(k);
            let inner: usize = self.info(result).shape[axis + 1..].iter().product();
            let mut idle: Vec<Option<(i128, i128)>> = vec![Some((i128::MIN, i128::MAX)); bias.len()];
            for (i, range) in ranges[result.index()].iter().enumerate() {
                let output = &mut idle[i / inner % bias.len()];
                let common = output.map(|(lo, hi)| (lo.max(range.lo()), hi.min(range.hi())));
                *output = common.filter(|(lo, hi)| lo <= hi && !needed[result.index()][i]);
            }
            let row = weights.values.len() / bias.len().max(1);
            for (o, (lo, hi)) in idle.iter().enumerate().filter_map(|(o, common)| Some((o, (*common)?))) {
                weights.values[o * row..(o + 1) * row].fill(0);
                bias[o] = 0.clamp(lo, hi) as i64;
            }
            if idle.iter().any(Option::is_some) {
                changes.insert(k, Change::Instead(op));
            }
        }
        changes
    }

    /// The axis along which the outputs of matrix `k` lie, if it is one whose products are added as they are.
    fn output_axis(&self, k: usize) -> Option<usize> {
        match &self.layers[k].op {
            Op::Dense { multiplication, .. } if multiplication.is_plain() => {
                Some(self.info(self.result(k)).shape.len() - 1)
            }
            Op::Convolution { multiplication, .. } if multiplication.is_plain() => Some(1),
            _ => None,
        }
    }

    /// One value for each output of matrix `k`, if `array` differs along that axis only.
    fn an_output<V: Clone + PartialEq>(&self, k: usize, array: &Array<V>) -> Option<Array<V>> {
        let axis = self.output_axis(k)?;
        let shape = &self.info(self.result(k)).shape;
        let mut along = vec![1; shape.len()];
        along[axis] = shape[axis];
        let compact = array.clone().compact();
        let missing = shape.len().checked_sub(compact.shape.len())?;
        let only = (0..compact.shape.len()).all(|a| compact.shape[a] == 1 || a + missing == axis);
        let values = only.then(|| compact.stretched(&along)).flatten()?;
        Some(Array { shape: along, values })
    }

    /// Whether the biases of matrix `k` stay within bounds with what is added.
    fn takes(&self, k: usize, added: &[i64]) -> bool {
        let (Op::Dense { bias, .. } | Op::Convolution { bias, .. }) = &self.layers[k].op else {
            return false;
        };
        added.iter().zip(bias).all(|(a, b)| a.checked_add(*b).is_some_and(|sum| sum.abs() < MAX_BIAS))
    }
}

/// Multiplies each row of a matrix, and its bias, by a number of its own.
fn scale_rows(op: &mut Op, factors: &[i64]) {
    if let Op::Dense { weights, bias, .. } | Op::Convolution { weights, bias, .. } = op {
        let row = (weights.values.len() / bias.len().max(1)).max(1);
        let rows = weights.values.chunks_mut(row).zip(bias).zip(factors);
        // what leaves 64 bits is refused where the range is asked
        rows.for_each(|((row, bias), f)| row.iter_mut().chain([bias]).for_each(|w| *w = w.saturating_mul(*f)));
    }
}

/// What rounding adds in front of a floor, and the floor: from 0 to less than a step, so that a ReLU may stand between.
fn in_front(format: Requantise) -> (i64, Requantise) {
    let step = match format.drop {
        1..=59 => 1i64 << format.drop,
        _ => return (0, format),
    };
    let added = match format.rounding {
        Rounding::HalfUp => step / 2,
        Rounding::HalfDown => step / 2 - 1,
        Rounding::Ceil => step - 1,
        _ => return (0, format),
    };
    (added, Requantise { rounding: Rounding::Floor, ..format })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Input, Limit, Output};

    fn graph(constant: Array<i64>, twice: bool) -> Graph {
        let input = Input { name: "x".into(), shape: vec![2, 2], range: (-4, 3), encode: None };
        let layer = |op, inputs: &[u32]| Layer {
            name: "layer".into(),
            op,
            inputs: inputs.iter().map(|t| TensorId(*t)).collect(),
            scale: None,
        };
        let weights = Array { shape: vec![2, 2], values: vec![1, 2, 3, -4] };
        let mut graph = Graph::new("fuse", vec![input]).unwrap();
        let dense = Op::dense(weights, vec![5, 6]);
        graph.push(layer(dense, &[0])).unwrap();
        graph.push(layer(Op::Constant(constant), &[])).unwrap();
        graph.push(layer(Op::Add, &[2, 1])).unwrap();
        let outputs = if twice { vec![3, 1] } else { vec![3] };
        for tensor in outputs {
            let name = format!("y{tensor}");
            graph.output(Output { name, tensor: TensorId(tensor), decode: None }).unwrap();
        }
        graph
    }

    #[test]
    fn only_a_number_an_output_is_a_bias() {
        let row = Array { shape: vec![2], values: vec![10, 20] };
        let column = Array { shape: vec![2, 1], values: vec![10, 20] };
        for (constant, twice, layers) in [(row.clone(), false, 1), (column, false, 3), (row, true, 3)] {
            let plain = graph(constant, twice);
            let fused = plain.fused().unwrap();
            assert_eq!(fused.layers().len(), layers);
            let x = [vec![1, -4, 3, 2]];
            assert_eq!(fused.evaluate(&x).unwrap().outputs(), plain.evaluate(&x).unwrap().outputs());
        }
    }

    /// Two matrices with what trained networks have between them: formats of each element, some of no bits.
    fn random_network(random: &mut fastrand::Rng) -> Graph {
        let input = Input { name: "x".into(), shape: vec![2, 4], range: (-8, 7), encode: None };
        let mut graph = Graph::new("random", vec![input]).unwrap();
        let mut tensor = TensorId(0);
        for (inputs, outputs) in [(4, 6), (6, 5), (5, 2)] {
            let weights = (0..inputs * outputs).map(|_| random.i64(-3..4) * random.i64(0..2)).collect();
            let weights = Array { shape: vec![outputs, inputs], values: weights };
            let dense = Op::dense(weights, (0..outputs).map(|_| random.i64(-20..20)).collect());
            let format = |_| {
                let limit = match random.u8(0..4) {
                    0 => Limit::Saturate { lo: 0, hi: 0 },
                    1 => Limit::Saturate { lo: -3, hi: 5 },
                    2 => Limit::Wrap { width: 2, signed: false },
                    _ => Limit::Zero { width: 3, signed: true },
                };
                let rounding = Rounding::ALL[random.usize(0..Rounding::ALL.len())];
                Requantise { drop: random.i32(-1..4), rounding, limit }
            };
            let formats = Array { shape: vec![outputs], values: (0..outputs).map(format).collect() };
            let factors = (0..outputs).map(|_| [0, -4, 1, 2][random.usize(0..4)]).collect();
            let factors = Op::Constant(Array { shape: vec![1, outputs], values: factors });
            let relu = random.bool().then_some(Op::Relu);
            let mut push = |op, inputs| graph.push(Layer { name: "layer".into(), op, inputs, scale: None }).unwrap();
            let factors = push(factors, vec![]);
            tensor = push(dense, vec![tensor]);
            tensor = push(Op::Mul, vec![factors, tensor]);
            for op in relu.into_iter().chain([Op::RequantiseEach { formats }]) {
                tensor = push(op, vec![tensor]);
            }
        }
        graph.output(Output { name: "y".into(), tensor, decode: None }).unwrap();
        graph
    }

    /// It has no operand in front of it that could take a bias.
    #[test]
    fn a_rounded_constant_stays() {
        let mut graph = Graph::new("fuse", Vec::new()).unwrap();
        let limit = Limit::Saturate { lo: -8, hi: 7 };
        let rounding = Op::Requantise(Requantise { drop: 1, rounding: Rounding::HalfUp, limit });
        let mut push = |op, inputs| graph.push(Layer { name: "layer".into(), op, inputs, scale: None }).unwrap();
        let constant = push(Op::Constant(Array { shape: vec![2], values: vec![3, -3] }), vec![]);
        let tensor = push(rounding, vec![constant]);
        graph.output(Output { name: "y".into(), tensor, decode: None }).unwrap();
        assert_eq!(graph.simplified().unwrap().evaluate(&[]).unwrap().outputs(), [[2, -1]]);
    }

    #[test]
    fn outputs_are_what_they_were() {
        let mut random = fastrand::Rng::with_seed(5);
        let (mut rounded, mut idle) = (0, 0);
        for _ in 0..300 {
            let plain = random_network(&mut random);
            let simplified = plain.simplified().unwrap();
            for _ in 0..20 {
                let x = [(0..8).map(|_| random.i64(-8..8)).collect::<Vec<_>>()];
                let [expected, found] = [&plain, &simplified].map(|graph| graph.evaluate(&x).unwrap());
                assert_eq!(found.outputs(), expected.outputs());
            }
            let fused = plain.fused().unwrap();
            assert!(fused.layers().iter().all(|layer| layer.op != Op::Mul));
            rounded += fused.rounded_biases().len();
            idle += simplified.idle_rows().len();
        }
        assert!(rounded > 300 && idle > 300, "{rounded} {idle}");
    }
}
