//! From the search's plan to the adder graph.

use rayon::prelude::*;

use crate::arith::graph::{AdderGraph, Node, NodeId, Op, Term};
use crate::arith::optimise::plan::{Plan, Shared};
use crate::arith::optimise::signs;
use crate::arith::optimise::summation;
use crate::arith::optimise::tree::Tree;
use crate::arith::problem::Problem;

/// Builds the graph: inputs, shared nodes, then each output's tree, its bias and its sign.
pub fn assemble(mut plan: Plan, problem: &Problem) -> AdderGraph {
    signs::settle(&mut plan, problem);
    let plan = &plan;
    let mut graph = AdderGraph::default();
    for (index, node) in plan.nodes.iter().enumerate() {
        graph.push(shared_node(index, node));
    }
    let sum = |column| summation::sum(plan, column, problem);
    let trees: Vec<Tree> = (0..plan.columns.len()).into_par_iter().map(sum).collect();
    for (column, tree) in trees.into_iter().enumerate() {
        let root = append(&mut graph, &tree, plan.nodes.len() as NodeId);
        let bias = problem.bias.as_ref().map_or(0, |b| b[column]);
        let output = finish(&mut graph, root, bias, problem.free_output_signs);
        graph.outputs.push(output);
    }
    graph
}

fn shared_node(index: usize, node: &Shared) -> Node {
    let op = match node.recipe {
        None => Op::Input { index: index as u32 },
        Some((a, b)) => Op::Add { a, b },
    };
    Node { op, lo: node.lo, hi: node.hi, depth: node.depth }
}

/// Appends a tree whose own nodes are numbered from `first` up; returns its sum.
fn append(graph: &mut AdderGraph, tree: &Tree, first: NodeId) -> Option<Term> {
    let offset = graph.nodes.len() as NodeId - first;
    let place = |t: Term| {
        if t.node >= first { Term { node: t.node + offset, ..t } } else { t }
    };
    for (&(a, b), &(lo, hi, depth)) in tree.steps.iter().zip(&tree.nodes) {
        graph.push(Node { op: Op::Add { a: place(a), b: place(b) }, lo, hi, depth });
    }
    tree.root.map(place)
}

/// Adds the bias, and turns a negative sum round if the output's sign is not free. Both at once cost one adder.
fn finish(graph: &mut AdderGraph, root: Option<Term>, bias: i64, free_sign: bool) -> Option<Term> {
    let Some(root) = root else {
        return (bias != 0).then(|| Term::plain(constant(graph, bias)));
    };
    if bias == 0 && (!root.neg || free_sign) {
        return Some(root);
    }
    let (from, depth) = {
        let n = &graph.nodes[root.node as usize];
        (root.range((n.lo, n.hi)), n.depth)
    };
    let c = Term::plain(constant(graph, bias));
    let (a, b) = if root.neg { (c, root) } else { (root, c) };
    let sum = graph.push(Node { op: Op::Add { a, b }, lo: from.0 + bias, hi: from.1 + bias, depth });
    Some(Term::plain(sum))
}

fn constant(graph: &mut AdderGraph, value: i64) -> NodeId {
    graph.push(Node { op: Op::Constant { value }, lo: value, hi: value, depth: 0 })
}
