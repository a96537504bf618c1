//! Dense networks by themselves, for design studies: matrices with biases, between them ReLU and a change of format.

use clap::ValueEnum;
use hdl::diag::Diagnostic;
use hdl::num::Rounding;

use crate::model::{Array, Graph, Input, Layer, Limit, Op, Output, Requantise, TensorId};

/// How a hidden activation becomes an unsigned number of its width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Requantiser {
    /// Round half up and saturate, `ap_ufixed<W, I, AP_RND, AP_SAT>`
    #[value(name = "rs")]
    RoundSaturate,
    /// Drop bits and wrap, `ap_ufixed<W, I, AP_TRN, AP_WRAP>`
    #[value(name = "tw")]
    TruncateWrap,
}

/// A chain of dense layers. All but the last end in ReLU, a shift to the right and `activation_bits` unsigned bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DenseNetwork {
    /// Least and greatest input.
    pub input: (i64, i64),
    /// The layers in order.
    pub layers: Vec<DenseLayer>,
    /// Bits dropped behind each layer but the last.
    pub shifts: Vec<u32>,
    /// Bits of a hidden activation.
    pub activation_bits: u32,
    /// How they come about.
    pub requantiser: Requantiser,
}

/// `y[o] = bias[o] + Σ_i weights[o][i] · x[i]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DenseLayer {
    /// One row an output.
    pub weights: Vec<Vec<i64>>,
    /// One an output.
    pub bias: Vec<i64>,
}

/// Most inputs or outputs of a layer.
const MAX_WIDTH: usize = 1 << 16;
/// Random events that shifts are chosen by.
const CALIBRATION: usize = 1024;
/// Share of the activations, in thousandths, that the format behind a chosen shift must hold.
const HELD: usize = 995;

impl DenseLayer {
    /// Weights of `bits` bits, each zero with probability `sparsity`, else uniform; biases as large as a product of such
    /// a weight and an activation of `activation_bits`, divided by 16.
    pub fn random(
        random: &mut fastrand::Rng,
        (inputs, outputs): (usize, usize),
        bits: u32,
        activation_bits: u32,
        sparsity: f64,
    ) -> Self {
        let half = 1i64 << (bits - 1);
        let mut weight = |_| match random.f64() < sparsity {
            true => 0,
            false => random.i64(-half..half),
        };
        let weights = (0..outputs).map(|_| (0..inputs).map(&mut weight).collect()).collect();
        let reach = ((half << activation_bits) >> 4).max(1);
        let bias = (0..outputs).map(|_| random.i64(-reach..=reach)).collect();
        Self { weights, bias }
    }

    fn op(&self) -> Op {
        let inputs = self.weights.first().map_or(0, Vec::len);
        let weights = Array { shape: vec![self.weights.len(), inputs], values: self.weights.concat() };
        Op::dense(weights, self.bias.clone())
    }
}

/// `16,64,5` as sizes.
///
/// # Errors
/// Less than two sizes, or one that is 0 or too large.
pub fn sizes(text: &str) -> Result<Vec<usize>, String> {
    let size = |text: &str| match text.trim().parse() {
        Ok(size @ 1..=MAX_WIDTH) => Ok(size),
        _ => Err(format!("expected sizes from 1 to {MAX_WIDTH}, such as 16,64,5")),
    };
    let sizes: Vec<usize> = text.split(',').map(size).collect::<Result<_, _>>()?;
    match sizes.len() {
        0 | 1 => Err("expected the inputs and at least one layer, such as 16,64,5".into()),
        _ => Ok(sizes),
    }
}

impl DenseNetwork {
    /// A network whose shifts are the least for which 99.5 % of the activations over random inputs are held.
    ///
    /// # Errors
    /// As [`DenseNetwork::graph`].
    pub fn calibrated(mut self, seed: u64) -> Result<Self, Diagnostic> {
        let (lo, hi) = self.input;
        let inputs = self.layers.first().and_then(|l| l.weights.first());
        let inputs = inputs.map_or(0, Vec::len);
        let mut random = fastrand::Rng::with_seed(seed);
        let events: Vec<Vec<i64>> =
            (0..CALIBRATION).map(|_| (0..inputs).map(|_| random.i64(lo..=hi)).collect()).collect();
        self.shifts.clear();
        for k in 1..self.layers.len() {
            let front = Self { layers: self.layers[..k].to_vec(), shifts: self.shifts.clone(), ..self.clone() };
            let graph = front.graph("calibration")?;
            let mut sums = Vec::new();
            for event in &events {
                let evaluation = graph.evaluate(std::slice::from_ref(event))?;
                sums.extend(evaluation.outputs().concat().iter().map(|v| *v.max(&0)));
            }
            sums.sort_unstable();
            let held = sums[(sums.len() - 1) * HELD / 1000];
            let bits = i64::BITS - held.leading_zeros();
            self.shifts.push(bits.saturating_sub(self.activation_bits));
        }
        Ok(self)
    }

    /// The network as a model; its input is `x`, its output `y`.
    ///
    /// # Errors
    /// Layers that do not fit together, numbers of shifts that do not, numbers beyond 62 bits.
    pub fn graph(&self, name: &str) -> Result<Graph, Diagnostic> {
        if self.shifts.len() + 1 != self.layers.len() {
            let message = format!(
                "{} layers need {} shifts between them, found {}",
                self.layers.len(),
                self.layers.len().saturating_sub(1),
                self.shifts.len()
            );
            return Err(Diagnostic::error("dense", message));
        }
        let inputs = self.layers[0].weights.first().map_or(0, Vec::len);
        let input = Input { name: "x".into(), shape: vec![inputs], range: self.input, encode: None };
        let mut graph = Graph::new(name, vec![input])?;
        let mut tensor = TensorId(0);
        let push = |graph: &mut Graph, name: String, op, tensor: &mut TensorId| {
            let layer = Layer { name, op, inputs: vec![*tensor], scale: None };
            graph.push(layer).map(|t| *tensor = t)
        };
        for (k, layer) in self.layers.iter().enumerate() {
            push(&mut graph, format!("dense{k}"), layer.op(), &mut tensor)?;
            if let Some(shift) = self.shifts.get(k) {
                push(&mut graph, format!("relu{k}"), Op::Relu, &mut tensor)?;
                let requantise = Op::Requantise(self.requantise(*shift));
                push(&mut graph, format!("requantise{k}"), requantise, &mut tensor)?;
            }
        }
        graph.output(Output { name: "y".into(), tensor, decode: None })?;
        Ok(graph)
    }

    fn requantise(&self, shift: u32) -> Requantise {
        let drop = shift as i32;
        match self.requantiser {
            Requantiser::RoundSaturate => Requantise {
                drop,
                rounding: Rounding::HalfUp,
                limit: Limit::Saturate { lo: 0, hi: (1 << self.activation_bits) - 1 },
            },
            Requantiser::TruncateWrap => Requantise {
                drop,
                rounding: Rounding::Floor,
                limit: Limit::Wrap { width: self.activation_bits, signed: false },
            },
        }
    }
}

/// Inputs of the first layer and outputs of every one.
pub fn dimensions(network: &Graph) -> Vec<usize> {
    let inputs: usize = network.inputs().iter().flat_map(|i| &i.shape).product();
    let outputs = network.layers().iter().filter_map(|layer| match &layer.op {
        Op::Dense { bias, .. } => Some(bias.len()),
        _ => None,
    });
    std::iter::once(inputs).chain(outputs).collect()
}

/// Layers of these sizes with random weights.
pub fn random_layers(sizes: &[usize], bits: u32, activation_bits: u32, sparsity: f64, seed: u64) -> Vec<DenseLayer> {
    let mut random = fastrand::Rng::with_seed(seed);
    let layer = |pair: &[usize]| DenseLayer::random(&mut random, (pair[0], pair[1]), bits, activation_bits, sparsity);
    sizes.windows(2).map(layer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(requantiser: Requantiser) -> DenseNetwork {
        let layer = |weights: &[&[i64]], bias: &[i64]| DenseLayer {
            weights: weights.iter().map(|row| row.to_vec()).collect(),
            bias: bias.to_vec(),
        };
        DenseNetwork {
            input: (-8, 7),
            layers: vec![layer(&[&[3, -1], &[-2, 5]], &[1, 0]), layer(&[&[1, -1]], &[4])],
            shifts: vec![2],
            activation_bits: 3,
            requantiser,
        }
    }

    #[test]
    fn both_ways_to_requantise() {
        for (requantiser, expected) in
            [(Requantiser::RoundSaturate, [9, -3, 2]), (Requantiser::TruncateWrap, [9, 0, 3])]
        {
            let graph = network(requantiser).graph("small").unwrap();
            // sums: (20, −4), (−30, 51), (−8, 6)
            for (x, y) in [[7, 2], [-8, 7], [-3, 0]].iter().zip(expected) {
                let got = graph.evaluate(&[x.to_vec()]).unwrap();
                assert_eq!(got.outputs()[0], [y], "{requantiser:?} {x:?}");
            }
        }
    }

    #[test]
    fn shifts_hold_nearly_all_activations() {
        let mut random = fastrand::Rng::with_seed(1);
        let layers = [(16, 32), (32, 32), (32, 4)].map(|shape| DenseLayer::random(&mut random, shape, 6, 8, 0.5));
        let network = DenseNetwork {
            input: (-128, 127),
            layers: layers.to_vec(),
            shifts: Vec::new(),
            activation_bits: 8,
            requantiser: Requantiser::RoundSaturate,
        };
        let network = network.calibrated(1).unwrap();
        assert_eq!(network.shifts.len(), 2);
        assert!(network.shifts.iter().all(|s| (4..12).contains(s)));
        assert!(network.graph("calibrated").is_ok());
    }

    #[test]
    fn sizes_are_read() {
        assert_eq!(sizes("16, 64,5"), Ok(vec![16, 64, 5]));
        for wrong in ["", "16", "16,0", "16,-1", "1,99999999", "a,b"] {
            assert!(sizes(wrong).is_err(), "{wrong}");
        }
    }
}
