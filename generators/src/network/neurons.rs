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

#[cfg(test)]
mod tests {
    use constraints::Target;
    use hdl::dfg::{ModuleBuilder, eval};

    use crate::arith::multiply::Multiplier;
    use crate::arith::{Arithmetic, Effort, Fabric};
    use crate::model::{
        Array, Graph, Input, Layer, Multiplication, Op, Output, ProductRule, TensorId, WeightStore, Window,
    };
    use crate::network::design::NetworkDesign;
    use crate::network::{self, ports::Ports};

    const REGISTERS: WeightStore = WeightStore::Registers { width: 5, bias_shift: -1 };

    /// Grouped filters over two images of two channels, and a dense layer over their rows.
    fn network(product: ProductRule, store: WeightStore) -> Graph {
        let mut random = fastrand::Rng::with_seed(7);
        let mut weights = |shape: &[usize]| {
            let values = (0..shape.iter().product()).map(|_| random.i64(-16..16)).collect();
            Array { shape: shape.to_vec(), values }
        };
        let multiplication = Multiplication { product, store };
        let window = Window {
            kernel: vec![2, 2],
            strides: vec![1, 2],
            dilations: vec![1, 1],
            pads_begin: vec![0, 1],
            pads_end: vec![1, 0],
        };
        let filters = Op::Convolution {
            weights: weights(&[4, 1, 2, 2]),
            bias: vec![3, -16, 15, 0],
            window,
            groups: 2,
            multiplication,
        };
        let dense = Op::Dense { weights: weights(&[3, 2]), bias: vec![-5, 7, 11], multiplication };
        let input = Input { name: "x".into(), shape: vec![2, 2, 3, 3], range: (-9, 12), encode: None };
        let mut graph = Graph::new("cut", vec![input]).unwrap();
        for (k, op) in [filters, dense].into_iter().enumerate() {
            graph.push(Layer { name: format!("layer{k}"), op, inputs: vec![TensorId(k as u32)], scale: None }).unwrap();
        }
        graph.output(Output { name: "y".into(), tensor: TensorId(2), decode: None }).unwrap();
        graph
    }

    /// The network of values is the graph, with what its registers hold as further inputs.
    #[test]
    fn hardware_is_the_model_for_every_rule_and_store() {
        let cells = Fabric::of(&Target::load("nangate45").unwrap());
        let rules = [ProductRule::Exact, ProductRule::Floored { bits: 3 }];
        let stores = [WeightStore::Fixed, REGISTERS];
        let cases = rules.into_iter().flat_map(|rule| stores.map(|store| (rule, store)));
        for ((product, store), fabric) in cases.flat_map(|case| [cells, Fabric::default()].map(|f| (case, f))) {
            let graph = network(product, store);
            let m = ModuleBuilder::new("cut");
            let ports = Ports::of(&graph, "cut");
            let arithmetic = Arithmetic::of(fabric, Multiplier::Booth);
            let tensors = network::tensors(&m, &graph, &ports, Some(Effort::Fast), arithmetic).unwrap();
            m.output_array("y", &tensors[2]);
            let module = m.finish().unwrap();
            let registers: Vec<i64> =
                graph.layers().iter().flat_map(|l| l.op.registers()).flat_map(|array| array.values).collect();
            let mut random = fastrand::Rng::with_seed(1);
            for _ in 0..20 {
                let x: Vec<i64> = (0..36).map(|_| random.i64(-9..=12)).collect();
                let expected = graph.evaluate(std::slice::from_ref(&x)).unwrap();
                let inputs: Vec<i128> = x.iter().chain(&registers).map(|v| i128::from(*v)).collect();
                let expected: Vec<i128> = expected.outputs()[0].iter().map(|v| i128::from(*v)).collect();
                assert_eq!(eval::evaluate(&module, &inputs).unwrap(), expected, "{product:?} {store:?}");
                let range = graph.info(TensorId(2)).range;
                assert!(expected.iter().all(|v| range.contains(*v)), "{product:?} {store:?}");
            }
        }
    }

    /// Where no port writes registers, and where matrices take beats.
    #[test]
    fn what_cannot_be_built_is_refused() {
        let stored = network(ProductRule::Exact, REGISTERS);
        let refused = network::build(&stored, "stored").unwrap_err().to_string();
        assert!(refused.contains("layer0") && refused.contains("registers"), "{refused}");
        let network = network(ProductRule::Floored { bits: 3 }, WeightStore::Fixed);
        let design = NetworkDesign { top: "folded".into(), reuse: Some(2), stages: Vec::new(), network };
        let refused = design.validate().unwrap_err().to_string();
        assert!(refused.contains("layer0") && refused.contains("cuts its products"), "{refused}");
    }

    #[test]
    fn integers_that_no_register_holds_are_refused() {
        let text = network(ProductRule::Floored { bits: 3 }, REGISTERS).to_json();
        assert_eq!(Graph::from_json(&text).unwrap().to_json(), text);
        for (from, to, why) in [
            ("\"width\": 5", "\"width\": 4", "does not fit a register of 4 bits"),
            ("\"width\": 5", "\"width\": 0", "registers of 0 bits"),
            ("\"bits\": 3", "\"bits\": 63", "63 bits cannot be cut off"),
        ] {
            let refused = Graph::from_json(&text.replace(from, to)).unwrap_err();
            assert!(refused.message.contains(why), "{refused}");
        }
    }
}
