use constraints::Target;
use hdl::dfg::eval::Stepper;
use hdl::passes::delay::{GenericDelay, UnitDelay};
use hdl::passes::pipeline::{Goal, Options};

use super::*;
use crate::arith::Fabric;
use crate::arith::multiply::Multiplier;
use crate::model::{Op, TensorId, Window};
use crate::network::dense::{DenseLayer, DenseNetwork, Requantiser};
use crate::network::design::NetworkDesign;
use crate::network::small::{input, output, push, residual, weights};
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
        let design =
            NetworkDesign { top: "folded".into(), reuse: Some(reuse), streamed: false, stages: Vec::new(), network };
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

/// A residual trunk with two heads and an output in between.
#[test]
fn convolutions_and_branches_are_folded() {
    let (mut graph, [first, sum, third]) = residual();
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
