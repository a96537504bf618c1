//! Sums of a graph of adders whose inputs together have so few bits that a look-up table makes each of their bits: no
//! carry chain, nothing inverted before one, and nothing below that is not read elsewhere.

use crate::arith::cost::{self, width};
use crate::arith::graph::{AdderGraph, Linear, Node, NodeId, Op, TableTerm, Term};
use crate::arith::problem::{Problem, ends};

/// A sum of weighted inputs and a constant.
type Sum = (Vec<TableTerm>, i64);

/// `adders` with tables of at most `index_bits` bits for the sums that fit them, if there are any.
pub fn tabulated(problem: &Problem, index_bits: u32, adders: &AdderGraph) -> Option<AdderGraph> {
    let sums = small(problem, index_bits, adders);
    let needed = needed(adders, &sums);
    if !(0..sums.len()).any(|n| needed[n] && sums[n].is_some()) {
        return None;
    }
    let mut graph = AdderGraph::default();
    let mut place: Vec<NodeId> = vec![0; adders.nodes.len()];
    let placed = |place: &[NodeId], t: Term| Term { node: place[t.node as usize], ..t };
    for (n, node) in adders.nodes.iter().enumerate().filter(|(n, _)| needed[*n]) {
        place[n] = match (&sums[n], node.op) {
            (Some((terms, bias)), _) => graph.push_table(terms.clone(), *bias, &problem.inputs),
            (None, Op::Add { a, b }) => {
                let (a, b) = (placed(&place, a), placed(&place, b));
                let depth = |t: Term| graph.nodes[t.node as usize].depth;
                let level = u32::from(!cost::adds_constant(&graph, a, b));
                let depth = depth(a).max(depth(b)) + level;
                let op = Op::Add { a, b };
                graph.push(Node { op, depth, ..*node })
            }
            (None, _) => graph.push(*node),
        };
    }
    let outputs = adders.outputs.iter();
    graph.outputs = outputs.map(|t| t.map(|t| placed(&place, t))).collect();
    Some(graph)
}

/// The adders that are small sums.
fn small(problem: &Problem, index_bits: u32, adders: &AdderGraph) -> Vec<Option<Sum>> {
    let bits = |input: u32| {
        let (lo, hi) = ends(problem.inputs[input as usize]);
        width(lo, hi)
    };
    let fits = |form: &Linear| form.0.iter().map(|t| bits(t.0)).sum::<u32>() <= index_bits;
    let mut forms: Vec<Option<(Linear, i64)>> = Vec::with_capacity(adders.nodes.len());
    let mut sums = Vec::with_capacity(adders.nodes.len());
    for node in &adders.nodes {
        let form = match node.op {
            Op::Input { index } => Some((Linear::input(index), 0)),
            Op::Constant { value } => Some((Linear::default(), value)),
            Op::Add { a, b } => match (&forms[a.node as usize], &forms[b.node as usize]) {
                (Some((x, c)), Some((y, d))) => Some((Linear::sum(x, a, y, b), a.apply(*c) + b.apply(*d))),
                _ => None,
            },
            Op::Table { .. } => None,
        };
        let form = form.filter(|(form, _)| fits(form));
        let is_adder = matches!(node.op, Op::Add { .. });
        sums.push(form.as_ref().filter(|_| is_adder).map(|(form, bias)| {
            let term = |&(input, weight): &(u32, i64)| TableTerm { input, bits: bits(input), weight };
            (form.0.iter().map(term).collect(), *bias)
        }));
        forms.push(form);
    }
    sums
}

/// The nodes that outputs come from when small sums are tables; every input among them.
fn needed(adders: &AdderGraph, sums: &[Option<Sum>]) -> Vec<bool> {
    let is_input = |node: &Node| matches!(node.op, Op::Input { .. });
    let mut needed: Vec<bool> = adders.nodes.iter().map(is_input).collect();
    let outputs = adders.outputs.iter().flatten();
    outputs.for_each(|t| needed[t.node as usize] = true);
    for (n, node) in adders.nodes.iter().enumerate().rev() {
        if let (Op::Add { a, b }, true, None) = (node.op, needed[n], &sums[n]) {
            needed[a.node as usize] = true;
            needed[b.node as usize] = true;
        }
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arith::certify::adders::check;
    use crate::arith::optimise::{assemble, search};
    use crate::arith::{Effort, Matrix, Objective};
    use hdl::num::Interval;

    fn problem(bits: u32) -> Problem {
        let mut random = fastrand::Rng::with_seed(3);
        let row = |_| (0..16).map(|_| random.i64(-1..2)).collect();
        let rows: Vec<Vec<i64>> = (0..16).map(row).collect();
        let inputs = vec![Interval::of_width(bits, false).unwrap(); 16];
        let mut problem = Problem::new(Matrix::from_rows(&rows).unwrap(), inputs);
        problem.objective = Objective::LogicBits;
        problem.bias = Some((0..16).map(|j| j % 3).collect());
        problem
    }

    #[test]
    fn small_sums_become_tables_and_take_no_more() {
        let problem = problem(1);
        let adders = assemble::assemble(search::search(&problem, Effort::Fast, 0).plan, &problem);
        let graph = tabulated(&problem, 4, &adders).unwrap();
        assert_eq!(check(&problem, &graph), Ok(()));
        assert!(graph.tables.len() > 10 && graph.adders().count() < adders.adders().count());
        assert!(graph.tables.iter().all(|t| t.index_bits() <= 4));
        let luts = |graph| cost::luts(graph, Objective::LogicBits);
        assert!(luts(&graph) <= luts(&adders) && graph.depth() <= adders.depth());
    }

    #[test]
    fn wide_sums_stay() {
        let problem = problem(3);
        let adders = assemble::assemble(search::search(&problem, Effort::Fast, 0).plan, &problem);
        assert_eq!(tabulated(&problem, 4, &adders), None);
    }
}
