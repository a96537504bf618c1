//! Folded networks: each matrix has one multiplier for several weights, which are read from tables beat by beat.
//!
//! A layer of `P` positions (1 for a dense layer on one vector), `K` inputs a position and `F` filters at reuse factor `N`
//! takes in `l` inputs a beat for all filters at once, `l · F` multipliers, and works through its positions one after
//! another; `l` is the least for which `P · ⌈K / l⌉ ≤ N`. With more positions than `N` it has several such units.
//!
//! Layers stand on one time line of steps: a step is a matrix, or layers that are no matrices. What a step computes has one
//! register stage behind it, or several inside it where the clock is too fast for one. Each matrix works on another event,
//! so that a new one may begin every [`Schedule::interval`] cycles. A tensor that is used later than in the next step, such
//! as the short way of a residual connection, is carried along from step to step.
//!
//! | cycle after its start | a matrix of `b` beats and `s` stages |
//! |---|---|
//! | 0 | takes its inputs into a buffer |
//! | 1 … b | beat: inputs are chosen, weights are read |
//! | 2 … b + s | products and their sum |
//! | s + 2 … b + s + 1 | accumulation |
//! | b + s + 2 | sums are there, for this one cycle; the next step starts |

mod control;
mod matrix;
mod stages;
mod timeline;

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use hdl::dfg::{Module, ModuleBuilder, RegisterStyle, Reset, Value};
use hdl::diag::Diagnostics;
use hdl::names::quoted;
use hdl::num::{Format, Interval};
use hdl::passes::delay::DelayModel;
use hdl::passes::flatten;

use control::Control;
pub(super) use control::later;
pub(super) use stages::Cut;
pub use stages::SLOWER;
use timeline::Step;
pub use timeline::{MAX_REUSE, Schedule};

use super::linear::Products;
use super::ports::{Ports, START, VALID};
use super::{check_fixed, check_size, fraction_bits, identifier, input_values, layer_values};
use crate::arith::{Arithmetic, Effort};
use crate::model::{Graph, Layer, TensorId};
use crate::progress;

/// The folded network: `start` is 1 in cycles in which an event is there, at least [`Schedule::interval`] apart; in the
/// cycle in which its result appears `valid` is 1, and the result stays until the next one.
///
/// Where the schedule has several register stages in a step, they are cut at equal delays. Products are made of
/// `arithmetic`; none has a factor that is constant.
///
/// # Errors
/// As [`build`](super::build), and of cutting.
pub fn build(
    graph: &Graph,
    name: &str,
    schedule: &Schedule,
    arithmetic: Arithmetic,
    delays: &dyn DelayModel,
) -> Result<Arc<Module>, Diagnostics> {
    built(graph, name, schedule, arithmetic, &Cut::Scheduled(delays))
}

/// Register stages that each step needs for a clock period in picoseconds.
///
/// # Errors
/// As [`build`], and an operator that takes longer.
pub fn stages_for(
    graph: &Graph,
    name: &str,
    schedule: &Schedule,
    arithmetic: Arithmetic,
    delays: &dyn DelayModel,
    clock: u32,
) -> Result<Vec<u32>, Diagnostics> {
    let needed = RefCell::new(vec![1; schedule.steps.len()]);
    let cut = Cut::Measured { delays, clock, needed };
    built(graph, name, schedule, arithmetic, &cut)?;
    match cut {
        Cut::Measured { needed, .. } => Ok(needed.into_inner()),
        Cut::Scheduled(_) => unreachable!("made above"),
    }
}

fn built(
    graph: &Graph,
    name: &str,
    schedule: &Schedule,
    arithmetic: Arithmetic,
    cut: &Cut<'_>,
) -> Result<Arc<Module>, Diagnostics> {
    graph.check()?;
    check_fixed(graph)?;
    check_size(graph)?;
    let m = ModuleBuilder::new(name);
    let products = Products::new(&m, Some(Effort::Fast), arithmetic);
    let ports = Ports::of(graph, name);
    let start = m.input(START, Format::BIT);
    let mut tensors = Tensors {
        m: &m,
        schedule,
        controls: control::controls(&m, &schedule.steps, &schedule.stages, start)?,
        construction: Construction { arithmetic, cut },
        values: HashMap::new(),
    };
    for (k, (input, port)) in graph.inputs().iter().zip(&ports.inputs).enumerate() {
        tensors.values.insert((k, 0), input_values(&m, input, port));
    }
    for (k, layer) in graph.layers().iter().enumerate() {
        progress::at(format_args!("layer {} of {}: {}", k + 1, graph.layers().len(), quoted(&layer.name)));
        let values = tensors.layer(&products, graph, k, layer)?;
        let result = graph.result(k).index();
        tensors.values.insert((result, schedule.at[result]), values);
    }
    let end = schedule.steps.len();
    let done = tensors.controls[end].start;
    for (output, port) in graph.outputs().iter().zip(&ports.outputs) {
        let frac = output.decode.as_ref().map_or(0, fraction_bits);
        let held: Vec<Value<'_>> = tensors
            .at(output.tensor, end)
            .iter()
            .enumerate()
            .map(|(i, v)| {
                let format = Format::integer(v.range().union(Interval::BIT));
                let held = m.state(&format!("{port}_{i}"), format, reset());
                held.set_next_when(done, *v);
                held.value().with_frac(frac)
            })
            .collect();
        m.output_array(port, &held);
    }
    m.output(VALID, register(&m, "done", done));
    let module = m.finish()?;
    match module.instances.is_empty() {
        true => Ok(module),
        false => Ok(Arc::new(flatten(&module)?)),
    }
}

/// How everything between registers is made.
#[derive(Clone, Copy)]
pub(super) struct Construction<'a> {
    /// What its products are made of.
    pub arithmetic: Arithmetic,
    /// How it is cut into stages.
    pub cut: &'a Cut<'a>,
}

/// The tensors that have been built, at the steps at which they are there.
struct Tensors<'a, 'm> {
    m: &'m ModuleBuilder,
    schedule: &'a Schedule,
    /// One a step, and the end.
    controls: Vec<Control<'m>>,
    construction: Construction<'a>,
    /// By tensor and step.
    values: HashMap<(usize, usize), Vec<Value<'m>>>,
}

impl<'m> Tensors<'_, 'm> {
    /// The result of layer `k`, at the step at which it is there.
    fn layer(
        &mut self,
        products: &Products<'m>,
        graph: &Graph,
        k: usize,
        layer: &Layer,
    ) -> Result<Vec<Value<'m>>, Diagnostics> {
        let result = graph.result(k).index();
        let step = self.schedule.starts[result];
        let operands: Vec<Vec<Value<'m>>> = layer.inputs.iter().map(|t| self.at(*t, step).to_vec()).collect();
        let operands: Vec<&[Value<'m>]> = operands.iter().map(Vec::as_slice).collect();
        let m = self.m;
        if self.schedule.at[result] == step {
            return Ok(layer_values(m, products, graph, k, &operands, &[])?);
        }
        let control = &self.controls[step];
        match &self.schedule.steps[step] {
            Step::Matrix(matrix) => m.scope(&identifier(&layer.name), || {
                matrix.build(m, step, layer, operands[0], control, self.construction)
            }),
            Step::Stage => {
                let sizes: Vec<usize> = operands.iter().map(|x| x.len()).collect();
                let (stages, name) = ((step, control.stages), format!("stage{step}_{k}"));
                let Construction { arithmetic, cut } = self.construction;
                cut.staged(m, stages, &name, &operands.concat(), &|m, mut all| {
                    let products = Products::new(m, Some(Effort::Fast), arithmetic);
                    let mut operands = Vec::new();
                    for size in &sizes {
                        let (operand, others) = all.split_at(*size);
                        operands.push(operand);
                        all = others;
                    }
                    layer_values(m, &products, graph, k, &operands, &[])
                })
            }
        }
    }

    /// The tensor at a step, carried there from where it was made.
    fn at(&mut self, tensor: TensorId, step: usize) -> &[Value<'m>] {
        let t = tensor.index();
        let mut known = step;
        while known > self.schedule.at[t] && !self.values.contains_key(&(t, known)) {
            known -= 1;
        }
        // what does not change is there at any time
        let constant = self.schedule.constant[t];
        for from in known..step {
            let before = self.values[&(t, from)].clone();
            let values = match constant {
                true => before,
                false => self.controls[from].carried(self.m, &format!("carried{t}_{from}"), &before),
            };
            self.values.insert((t, from + 1), values);
        }
        &self.values[&(t, step)]
    }
}

/// Starts at 0.
pub(super) fn reset() -> RegisterStyle {
    RegisterStyle { reset: Reset::Synchronous, ..RegisterStyle::default() }
}

/// `value` one cycle later; 0 after a reset.
fn register<'m>(m: &'m ModuleBuilder, name: &str, value: Value<'m>) -> Value<'m> {
    let state = m.state(name, Format::BIT, reset());
    state.set_next(value);
    state.value()
}

/// A register for `value`, unknown at first.
fn plain<'m>(m: &'m ModuleBuilder, name: &str, value: Value<'m>) -> hdl::dfg::StateHandle<'m> {
    let range = value.range().union(Interval::BIT);
    m.state(name, Format::integer(range), RegisterStyle::default())
}

/// `value` one cycle later, unknown at first.
pub(super) fn moved<'m>(m: &'m ModuleBuilder, name: &str, value: Value<'m>) -> Value<'m> {
    let state = plain(m, name, value);
    state.set_next(value.with_frac(0));
    state.value()
}

#[cfg(test)]
mod tests {
    use constraints::Target;
    use hdl::dfg::eval::Stepper;

    use hdl::num::Rounding;
    use hdl::passes::delay::{GenericDelay, UnitDelay};
    use hdl::passes::pipeline::{Goal, Options};

    use super::*;
    use crate::arith::Fabric;
    use crate::arith::multiply::Multiplier;
    use crate::model::{Array, Input, Limit, Op, Output, Requantise, Window};
    use crate::network::dense::{DenseLayer, DenseNetwork, Requantiser};
    use crate::network::design::NetworkDesign;
    use sim::stream::stream;
    use sim::vectors::Held;

    fn network(sizes: &[usize]) -> Graph {
        let mut random = fastrand::Rng::with_seed(3);
        let layers = sizes.windows(2).map(|p| DenseLayer::random(&mut random, (p[0], p[1]), 5, 4, 0.3)).collect();
        let network = DenseNetwork {
            input: (-8, 7),
            layers,
            shifts: Vec::new(),
            activation_bits: 4,
            requantiser: Requantiser::RoundSaturate,
        };
        network.calibrated(1).unwrap().graph("folded").unwrap()
    }

    /// Every reuse factor from unrolled to one input a beat, events as close as they may come.
    #[test]
    fn folded_is_unrolled() {
        let cells = Fabric::of(&Target::load("osu018").unwrap());
        let cells = Arithmetic::of(cells, Multiplier::Booth);
        for (reuse, arithmetic) in [1, 2, 3, 5, 7, 11].into_iter().flat_map(|reuse| {
            let each = [Arithmetic::default(), cells];
            each.map(|arithmetic| (reuse, arithmetic))
        }) {
            let network = network(&[7, 9, 4]);
            let schedule = Schedule::of(&network, reuse, &[]).unwrap();
            assert!(schedule.interval <= reuse.min(9));
            let design = NetworkDesign {
                top: "folded".into(),
                reuse: Some(reuse),
                streamed: false,
                stages: Vec::new(),
                network,
            };
            let module = build(&design.network, "folded", &schedule, arithmetic, &UnitDelay).unwrap();
            let vectors = design.vectors(&design.random_events(40, 1)).unwrap();
            let mut stepper = Stepper::new(&module).unwrap();
            let wrong = stream(&module, &mut stepper, &vectors, &Held::new(), |_| {}).unwrap();
            assert_eq!(wrong, [], "reuse {reuse}");
        }
    }

    /// A graph in integers at several reuse factors, with one register stage in each step and with several, events as
    /// close as they may come.
    fn same_when_folded(graph: &Graph, factors: &[u32]) {
        for &reuse in factors {
            let steps = Schedule::of(graph, reuse, &[]).unwrap().steps.len();
            for several in [1, 3] {
                let stages: Vec<u32> = (0..steps as u32).map(|k| 1 + (k * 2) % several).collect();
                streams(graph, reuse, stages);
            }
        }
    }

    fn streams(graph: &Graph, reuse: u32, stages: Vec<u32>) {
        let schedule = Schedule::of(graph, reuse, &stages).unwrap();
        assert!(schedule.interval <= reuse, "{schedule:?}");
        let module = build(graph, "folded", &schedule, Arithmetic::default(), &UnitDelay).unwrap();
        let design =
            NetworkDesign { top: "folded".into(), reuse: Some(reuse), streamed: false, stages, network: graph.clone() };
        let vectors = design.vectors(&design.random_events(12, 1)).unwrap();
        let mut stepper = Stepper::new(&module).unwrap();
        let wrong = stream(&module, &mut stepper, &vectors, &Held::new(), |_| {}).unwrap();
        assert_eq!(wrong, [], "reuse {reuse}, stages {:?}", design.stages);
    }

    /// Products, activations and the steps between keep to the clock; one below what accumulation needs is refused.
    #[test]
    fn stages_follow_the_clock() {
        let design = NetworkDesign {
            top: "folded".into(),
            reuse: Some(3),
            streamed: false,
            stages: Vec::new(),
            network: network(&[32, 9, 4]),
        };
        let at = |clock| {
            let options = Options::new(Goal::Clock(clock));
            design.build(None, Arithmetic::default(), &GenericDelay::default(), &options)
        };
        let (_, slow, one) = at(20_000).unwrap();
        assert!(one.stages.is_empty());
        let (module, fast, cut) = at(2_300).unwrap();
        println!("{slow}\n{fast}");
        assert!(slow.clock > 2_300 && fast.clock <= 2_300);
        assert!(fast.latency > slow.latency);
        assert!(cut.stages.iter().any(|s| *s > 1), "{:?}", cut.stages);
        let vectors = cut.vectors(&cut.random_events(40, 1)).unwrap();
        let mut stepper = Stepper::new(&module).unwrap();
        let wrong = stream(&module, &mut stepper, &vectors, &Held::new(), |_| {}).unwrap();
        assert_eq!(wrong, []);
        let text = serde_json::to_string(&cut).unwrap();
        assert_eq!(serde_json::from_str::<NetworkDesign>(&text).unwrap(), cut);
        let refused = at(1_000).unwrap_err();
        assert_eq!(refused.0[0].code, "impossible-clock");
    }

    #[test]
    fn stages_that_do_not_fit_are_refused() {
        let network = network(&[3, 2]);
        for stages in [&[1, 1][..], &[0], &[65]] {
            let refused = Schedule::of(&network, 1, stages).unwrap_err();
            assert!(refused.message.contains("stages"), "{refused}");
        }
    }

    fn input(shape: &[usize]) -> Graph {
        let input = Input { name: "x".into(), shape: shape.to_vec(), range: (-8, 7), encode: None };
        Graph::new("folded", vec![input]).unwrap()
    }

    fn push(graph: &mut Graph, name: &str, op: Op, inputs: &[TensorId]) -> TensorId {
        let layer = Layer { name: name.into(), op, inputs: inputs.to_vec(), scale: None };
        graph.push(layer).unwrap()
    }

    fn weights(shape: &[usize], seed: u64) -> Array<i64> {
        let mut random = fastrand::Rng::with_seed(seed);
        let values = (0..shape.iter().product()).map(|_| random.i64(-5..=5));
        Array { shape: shape.to_vec(), values: values.collect() }
    }

    fn requantise(drop: i32) -> Requantise {
        Requantise { drop, rounding: Rounding::HalfEven, limit: Limit::Saturate { lo: -8, hi: 7 } }
    }

    fn output(graph: &mut Graph, name: &str, tensor: TensorId) {
        graph.output(Output { name: name.into(), tensor, decode: None }).unwrap();
    }

    /// Stride, dilation, uneven padding and groups, a short way around a convolution, two heads.
    #[test]
    fn convolutions_and_branches_are_folded() {
        let mut graph = input(&[1, 2, 5, 4]);
        let window = |strides: usize, dilations: usize, pads: [usize; 4]| Window {
            kernel: vec![3, 2],
            strides: vec![strides; 2],
            dilations: vec![dilations, 1],
            pads_begin: pads[..2].to_vec(),
            pads_end: pads[2..].to_vec(),
        };
        let convolution = |shape: &[usize], window: Window, groups: usize| {
            let bias = (0..shape[0] as i64).map(|f| 3 * f - 4).collect();
            Op::convolution(weights(shape, shape[0] as u64), bias, window, groups)
        };
        let first = convolution(&[4, 1, 3, 2], window(1, 1, [1, 1, 1, 0]), 2);
        let first = push(&mut graph, "first", first, &[TensorId(0)]);
        let first = push(&mut graph, "quant", Op::Requantise(requantise(3)), &[first]);
        let second = convolution(&[4, 4, 3, 2], window(1, 2, [2, 0, 2, 1]), 1);
        let second = push(&mut graph, "second", second, &[first]);
        let second = push(&mut graph, "relu", Op::Relu, &[second]);
        let sum = push(&mut graph, "residual", Op::Add, &[second, first]);
        let formats = Array { shape: vec![4, 1, 1], values: (2..6).map(requantise).collect() };
        let each = Op::RequantiseEach { formats };
        let sum = push(&mut graph, "each", each, &[sum]);
        let third = convolution(&[2, 4, 3, 2], window(2, 1, [0; 4]), 1);
        let third = push(&mut graph, "third", third, &[sum]);
        output(&mut graph, "plane", third);
        let flat = push(&mut graph, "flat", Op::Reshape { shape: vec![4, 20] }, &[sum]);
        let head = Op::dense(weights(&[3, 20], 9), vec![1, 0, -1]);
        let head = push(&mut graph, "head", head, &[flat]);
        output(&mut graph, "head", head);
        output(&mut graph, "early", first);
        same_when_folded(&graph, &[1, 2, 7, 20, 45, 480]);
        let most = Schedule::of(&graph, 1, &[]).unwrap().multipliers;
        let least = Schedule::of(&graph, 480, &[]).unwrap().multipliers;
        assert!(least * 40 < most, "{least} {most}");
    }

    #[test]
    fn a_vector_in_time_is_folded() {
        let mut graph = input(&[1, 3, 9]);
        let window =
            Window { kernel: vec![3], strides: vec![1], dilations: vec![2], pads_begin: vec![4], pads_end: vec![0] };
        let op = Op::convolution(weights(&[2, 3, 3], 1), vec![0, 5], window, 1);
        let y = push(&mut graph, "causal", op, &[TensorId(0)]);
        output(&mut graph, "y", y);
        same_when_folded(&graph, &[4, 9, 30, 81]);
    }

    #[test]
    fn what_has_no_matrix_is_refused() {
        let mut graph = input(&[1, 3]);
        let y = push(&mut graph, "relu", Op::Relu, &[TensorId(0)]);
        output(&mut graph, "y", y);
        let refused = Schedule::of(&graph, 2, &[]).unwrap_err();
        assert!(refused.message.contains("no dense"), "{refused}");
    }
}
