use hdl::dfg::eval::Stepper;
use hdl::passes::delay::UnitDelay;
use sim::stream::stream;
use sim::vectors::Held;

use super::*;
use crate::arith::Fabric;
use crate::arith::multiply::Multiplier;
use crate::model::{Array, Op, PoolKind, TensorId};
use crate::network::design::NetworkDesign;
use crate::network::small::{convolution, input, output, push, requantise, residual, weights, window};

/// Events as close as they may come, at several reuse factors and numbers of stages.
fn same_when_streamed(graph: &Graph, factors: &[u32]) {
    for &reuse in factors {
        let passes = Schedule::of(graph, reuse, &[]).unwrap().plan.passes.len() as u32;
        for several in [1, 3] {
            let stages: Vec<u32> = (0..2 * passes).map(|k| 1 + (k * 2) % several).collect();
            streams(graph, reuse, stages, Arithmetic::default());
        }
    }
}

fn streams(graph: &Graph, reuse: u32, stages: Vec<u32>, arithmetic: Arithmetic) {
    let schedule = Schedule::of(graph, reuse, &stages).unwrap();
    assert!(schedule.interval <= reuse, "{schedule:?}");
    let module = build(graph, "streamed", &schedule, arithmetic, &UnitDelay).unwrap();
    let network = graph.clone();
    let design = NetworkDesign { top: "streamed".into(), reuse: Some(reuse), streamed: true, stages, network };
    let vectors = design.vectors(&design.random_events(6, 1)).unwrap();
    let mut stepper = Stepper::new(&module).unwrap();
    let wrong = stream(&module, &mut stepper, &vectors, &Held::new(), |_| {}).unwrap();
    assert_eq!(wrong, [], "reuse {reuse}, stages {:?}", design.stages);
}

/// A residual trunk with a flat head and a sum in between.
fn with_heads() -> Graph {
    let (mut graph, [first, _, third]) = residual();
    let flat = push(&mut graph, "flat", Op::Reshape { shape: vec![1, 8] }, &[third]);
    let head = push(&mut graph, "head", Op::dense(weights(&[3, 8], 9), vec![1, 0, -1]), &[flat]);
    output(&mut graph, "head", head);
    let early = Op::Reduce { kind: PoolKind::Sum, axes: vec![2, 3] };
    let early = push(&mut graph, "early", early, &[first]);
    output(&mut graph, "early", early);
    graph
}

#[test]
fn convolutions_and_branches_are_streamed() {
    let graph = with_heads();
    same_when_streamed(&graph, &[20, 57, 120, 480, 2000]);
    let multipliers = |reuse| Schedule::of(&graph, reuse, &[]).unwrap().multipliers;
    assert!(multipliers(480) * 3 < multipliers(20));
    let cells = Fabric::of(&constraints::Target::load("osu018").unwrap());
    streams(&graph, 120, Vec::new(), Arithmetic::of(cells, Multiplier::Booth));
}

/// Channels last, pooling with padding, a constant by channel, two dense layers.
#[test]
fn pools_and_other_orders_are_streamed() {
    let mut graph = input(&[1, 6, 6, 3]);
    let x = push(&mut graph, "first", Op::Transpose { axes: vec![0, 3, 1, 2] }, &[TensorId(0)]);
    let pool = Op::Pool { kind: PoolKind::Max, window: window([3, 3], 2, 1, [1, 0, 0, 1]) };
    let x = push(&mut graph, "max", pool, &[x]);
    let offset = Op::Constant(Array { shape: vec![3, 1, 1], values: vec![5, -7, 2] });
    let offset = push(&mut graph, "offset", offset, &[]);
    let x = push(&mut graph, "moved", Op::Sub, &[x, offset]);
    let x = push(&mut graph, "wide", convolution(&[5, 3, 2, 2], window([2, 2], 1, 1, [0, 1, 1, 0]), 1), &[x]);
    let x = push(&mut graph, "quant", Op::Requantise(requantise(3)), &[x]);
    let average = Op::Pool { kind: PoolKind::Sum, window: window([2, 2], 1, 1, [1, 0, 0, 0]) };
    let x = push(&mut graph, "average", average, &[x]);
    let x = push(&mut graph, "last", Op::Transpose { axes: vec![0, 2, 3, 1] }, &[x]);
    let size = graph.info(x).shape.iter().product::<usize>();
    let x = push(&mut graph, "flat", Op::Reshape { shape: vec![1, size] }, &[x]);
    let x = push(&mut graph, "hidden", Op::dense(weights(&[4, size], 5), vec![0, 1, -1, 9]), &[x]);
    let x = push(&mut graph, "clamp", Op::Requantise(requantise(4)), &[x]);
    let x = push(&mut graph, "head", Op::dense(weights(&[3, 4], 6), vec![1, 0, -1]), &[x]);
    output(&mut graph, "y", x);
    same_when_streamed(&graph, &[36, 100, 700]);
}

/// A memory of one word less overwrites what is still read: the depths that are found are needed.
#[test]
fn a_memory_too_small_is_seen() {
    let graph = with_heads();
    let mut schedule = Schedule::of(&graph, 120, &[]).unwrap();
    let depth = schedule.depths.values_mut().max().unwrap();
    *depth /= 2;
    let module = build(&graph, "streamed", &schedule, Arithmetic::default(), &UnitDelay).unwrap();
    let design =
        NetworkDesign { top: "s".into(), reuse: Some(120), streamed: true, stages: Vec::new(), network: graph };
    let vectors = design.vectors(&design.random_events(6, 1)).unwrap();
    let mut stepper = Stepper::new(&module).unwrap();
    assert_ne!(stream(&module, &mut stepper, &vectors, &Held::new(), |_| {}).unwrap(), []);
}

#[test]
fn what_does_not_come_word_by_word_is_refused() {
    let refused = |graph: &Graph, reuse| Schedule::of(graph, reuse, &[]).unwrap_err().to_string();
    let graph = with_heads();
    assert!(refused(&graph, 19).contains("20 positions"));
    let mut graph = input(&[1, 2, 4, 4]);
    let y = push(&mut graph, "same", convolution(&[2, 2, 1, 1], window([1, 1], 1, 1, [0; 4]), 1), &[TensorId(0)]);
    let turned = push(&mut graph, "turned", Op::Transpose { axes: vec![0, 1, 3, 2] }, &[y]);
    let sum = push(&mut graph, "sum", Op::Add, &[y, turned]);
    output(&mut graph, "y", sum);
    assert!(refused(&graph, 16).contains("same order"));
    let mut graph = input(&[1, 3]);
    let y = push(&mut graph, "relu", Op::Relu, &[TensorId(0)]);
    output(&mut graph, "y", y);
    assert!(refused(&graph, 2).contains("no dense"));
}
