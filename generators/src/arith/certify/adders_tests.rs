//! The certificate refuses every graph that is not the matrix.

use super::*;
use crate::arith::{Effort, Matrix, optimise};
use hdl::num::Interval;

fn sample() -> (Problem, AdderGraph) {
    let matrix = Matrix::from_rows(&[vec![5, -3, 0], vec![7, 11, 1], vec![-6, 20, 0]]).unwrap();
    let mut problem = Problem::new(matrix, vec![Interval::of_width(8, true).unwrap(); 3]);
    problem.bias = Some(vec![100, 0, -3]);
    let graph = optimise(&problem, Effort::Fast, 0).unwrap();
    assert_eq!(check(&problem, &graph), Ok(()));
    (problem, graph)
}

/// Every adder of the sample, changed in one way, must be refuted.
fn refutes(change: impl Fn(&mut Term) -> bool) {
    let (problem, graph) = sample();
    let mut tried = 0;
    for id in 0..graph.nodes.len() {
        for side in 0..2 {
            let mut wrong = graph.clone();
            let Op::Add { a, b } = &mut wrong.nodes[id].op else {
                continue;
            };
            if change(if side == 0 { a } else { b }) {
                tried += 1;
                assert!(check(&problem, &wrong).is_err(), "node {id}: {:?}", wrong.nodes[id]);
            }
        }
    }
    assert!(tried > 5);
}

#[test]
fn refutes_a_changed_shift() {
    refutes(|t| {
        t.shift += 1;
        true
    });
    refutes(|t| {
        t.shift = 63;
        true
    });
}

#[test]
fn refutes_a_changed_sign() {
    refutes(|t| {
        t.neg = !t.neg;
        true
    });
}

#[test]
fn refutes_a_changed_wire() {
    refutes(|t| {
        t.node = if t.node == 0 { 1 } else { t.node - 1 };
        true
    });
    refutes(|t| {
        t.node = 1000;
        true
    });
}

#[test]
fn refutes_a_changed_constant() {
    let (problem, mut graph) = sample();
    let id = graph.nodes.iter().position(|n| n.op == Op::Constant { value: 100 }).unwrap();
    graph.nodes[id].op = Op::Constant { value: 101 };
    (graph.nodes[id].lo, graph.nodes[id].hi) = (0, 1000);
    assert!(check(&problem, &graph).is_err());
}

#[test]
fn refutes_a_range_that_would_wrap() {
    let (problem, graph) = sample();
    for id in 0..graph.nodes.len() {
        for narrow in [|n: &mut Node| n.lo += 1, |n: &mut Node| n.hi -= 1] {
            let mut wrong = graph.clone();
            narrow(&mut wrong.nodes[id]);
            assert!(matches!(check(&problem, &wrong), Err(Refuted::Range { node, .. }) if node == id));
        }
    }
}

#[test]
fn refutes_wrong_levels_outputs_and_inputs() {
    let (mut problem, graph) = sample();
    let mut wrong = graph.clone();
    wrong.nodes.last_mut().unwrap().depth += 1;
    assert!(matches!(check(&problem, &wrong), Err(Refuted::Depth { .. })));
    wrong = graph.clone();
    wrong.outputs.swap(0, 1);
    assert!(matches!(check(&problem, &wrong), Err(Refuted::Bias { output: 0, .. })));
    wrong = graph.clone();
    wrong.outputs[2] = None;
    assert!(check(&problem, &wrong).is_err());
    wrong.outputs.pop();
    assert_eq!(check(&problem, &wrong), Err(Refuted::Outputs { found: 2, expected: 3 }));
    wrong = graph.clone();
    wrong.nodes[0].op = Op::Input { index: 7 };
    assert!(matches!(check(&problem, &wrong), Err(Refuted::Input { input: 7, .. })));
    problem.max_depth = Some(graph.depth() - 1);
    assert!(matches!(check(&problem, &graph), Err(Refuted::Late { .. })));
}
