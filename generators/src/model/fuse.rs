//! Constants that follow a matrix become its bias.

use std::collections::HashMap;

use hdl::diag::Diagnostic;

use super::graph::{Graph, Layer, TensorId};
use super::op::Op;

impl Graph {
    /// The same network with every constant that is added to a dense or convolution layer, one number an output, in
    /// the layer's bias; layers that no output needs are left out.
    ///
    /// # Errors
    /// None for a graph that was built by [`Graph::push`].
    pub fn fused(&self) -> Result<Self, Diagnostic> {
        let biases = self.added_biases();
        let aliases: HashMap<usize, usize> = biases.iter().map(|(k, (add, _))| (*add, *k)).collect();
        let mut fused = Self::new(&self.name, self.inputs.clone())?;
        let mut new: Vec<TensorId> = (0..self.inputs.len() as u32).map(TensorId).collect();
        for (k, layer) in self.layers.iter().enumerate() {
            if let Some(computed) = aliases.get(&k) {
                new.push(new[self.inputs.len() + computed]);
                continue;
            }
            let mut layer = Layer { inputs: layer.inputs.iter().map(|t| new[t.index()]).collect(), ..layer.clone() };
            if let (Some((_, added)), Op::Dense { bias, .. } | Op::Convolution { bias, .. }) =
                (biases.get(&k), &mut layer.op)
            {
                bias.iter_mut().zip(added).for_each(|(b, a)| *b += a);
            }
            new.push(fused.push(layer)?);
        }
        for output in &self.outputs {
            let mut output = output.clone();
            output.tensor = new[output.tensor.index()];
            fused.output(output)?;
        }
        Ok(fused.pruned())
    }

    /// For each layer that takes a bias in: the layer that adds it, and the bias.
    fn added_biases(&self) -> HashMap<usize, (usize, Vec<i64>)> {
        let mut uses = vec![0; self.info.len()];
        let reads = self.layers.iter().flat_map(|l| l.inputs.iter().copied());
        reads.chain(self.outputs.iter().map(|o| o.tensor)).for_each(|t| uses[t.index()] += 1);
        let layer_of = |t: TensorId| t.index().checked_sub(self.inputs.len());
        let mut biases = HashMap::new();
        for (add, layer) in self.layers.iter().enumerate() {
            let [a, b] = *layer.inputs.as_slice() else {
                continue;
            };
            for (sum, constant) in [(a, b), (b, a)] {
                let (Op::Add, Some(k), Some(c)) = (&layer.op, layer_of(sum), layer_of(constant)) else {
                    continue;
                };
                if uses[sum.index()] != 1 {
                    continue;
                }
                if let Some(bias) = self.as_bias(k, c) {
                    biases.insert(k, (add, bias));
                    break;
                }
            }
        }
        biases
    }

    /// Constant layer `c` as a bias of layer `k`, if it is one number an output and the sum stays in 62 bits.
    fn as_bias(&self, k: usize, c: usize) -> Option<Vec<i64>> {
        let Op::Constant(constant) = &self.layers[c].op else {
            return None;
        };
        let shape = &self.info(self.result(k)).shape;
        let (axis, bias) = match &self.layers[k].op {
            Op::Dense { multiplication, .. } | Op::Convolution { multiplication, .. } if multiplication.is_stored() => {
                return None;
            }
            Op::Dense { bias, .. } => (shape.len() - 1, bias),
            Op::Convolution { bias, .. } => (1, bias),
            _ => return None,
        };
        let mut along = vec![1; shape.len()];
        along[axis] = bias.len();
        let added = constant.clone().compact();
        let missing = shape.len().checked_sub(added.shape.len())?;
        let only = (0..added.shape.len()).all(|a| added.shape[a] == 1 || a + missing == axis);
        let added = only.then(|| added.stretched(&along)).flatten()?;
        let fits = |(a, b): (&i64, &i64)| a.checked_add(*b).is_some_and(|s| s.abs() < 1 << 60);
        added.iter().zip(bias).all(fits).then_some(added)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Array, Input, Output};

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
}
