//! Choosing the sign of every partial sum of a tree.
//!
//! Each adder of a tree may deliver its sum or the negated sum, as long as not both operands are subtracted.
//! The choice decides whether an operand's low bits can be copied, may save a bit of width, and must make the
//! output positive where its sign is not free. A dynamic programme over the tree finds the cheapest choice.
//!
//! Shared differences can be turned round too, which turns the sign of every use.

use crate::arith::graph::{NodeId, Term};
use crate::arith::optimise::plan::Plan;
use crate::arith::optimise::tree::Tree;
use crate::arith::problem::Objective;
use crate::arith::problem::Problem;

/// Cost of one sign of one adder's sum, with the signs chosen for its operands' sums.
#[derive(Clone, Copy)]
struct Choice {
    cost: u64,
    turned: [bool; 2],
}

const IMPOSSIBLE: u64 = u64::MAX / 4;

/// Costs compare by the objective first, by the other objective next.
const MAJOR: u64 = 1 << 20;

/// Turns the tree's adders round, sets its cost, and makes the root positive if `free` is false and it is possible.
pub fn orient(tree: &mut Tree, plan: &Plan, objective: Objective, free: bool) {
    let Some(root) = tree.root else { return };
    let first = plan.nodes.len() as NodeId;
    if root.node < first {
        return;
    }
    let mut choices: Vec<[Choice; 2]> = Vec::with_capacity(tree.steps.len());
    for step in 0..tree.steps.len() {
        choices.push([false, true].map(|turned| best(tree, plan, &choices, step, turned, objective)));
    }
    let top = &choices[(root.node - first) as usize];
    let positive = root.neg;
    let turned =
        if free || top[usize::from(positive)].cost >= IMPOSSIBLE { top[1].cost < top[0].cost } else { positive };
    tree.cost = top[usize::from(turned)].cost / MAJOR;
    tree.root = Some(Term { neg: root.neg != turned, ..root });
    let mut turn = vec![false; tree.steps.len()];
    turn[(root.node - first) as usize] = turned;
    for step in (0..tree.steps.len()).rev() {
        apply(tree, &choices, &mut turn, step, first);
    }
}

fn best(tree: &Tree, plan: &Plan, choices: &[[Choice; 2]], step: usize, turned: bool, objective: Objective) -> Choice {
    let first = plan.nodes.len() as NodeId;
    let (a, b) = tree.steps[step];
    let (lo, hi, _) = tree.nodes[step];
    let result = if turned { (-hi, -lo) } else { (lo, hi) };
    // A term's options: the sum below as it is, or turned with the sign made good.
    let options = |t: Term| {
        [false, true].map(|flip| {
            let sign = t.neg != turned;
            if t.node < first {
                let range = plan.nodes[t.node as usize].range();
                return (Term { neg: sign, ..t }, range, if flip { IMPOSSIBLE } else { 0 });
            }
            let k = (t.node - first) as usize;
            let (lo, hi, _) = tree.nodes[k];
            let range = if flip { (-hi, -lo) } else { (lo, hi) };
            (Term { neg: sign != flip, ..t }, range, choices[k][usize::from(flip)].cost)
        })
    };
    let (left, right) = (options(a), options(b));
    let mut best = Choice { cost: IMPOSSIBLE, turned: [false; 2] };
    for (i, &(ta, ra, ca)) in left.iter().enumerate() {
        for (j, &(tb, rb, cb)) in right.iter().enumerate() {
            if ta.neg && tb.neg {
                continue;
            }
            let other = match objective {
                Objective::AdderBits => Objective::LogicBits,
                Objective::LogicBits | Objective::Luts => Objective::AdderBits,
            };
            let own = |o: Objective| u64::from(o.adder((ta, ra), (tb, rb), result));
            let cost = ca + cb + own(objective) * MAJOR + own(other);
            if cost < best.cost {
                best = Choice { cost, turned: [i == 1, j == 1] };
            }
        }
    }
    best
}

/// Rewrites one adder as chosen and tells its operands' adders which way to turn.
fn apply(tree: &mut Tree, choices: &[[Choice; 2]], turn: &mut [bool], step: usize, first: NodeId) {
    let turned = turn[step];
    let flips = choices[step][usize::from(turned)].turned;
    let (a, b) = tree.steps[step];
    let rewrite = |t: Term, flip: bool| Term { neg: (t.neg != turned) != flip, ..t };
    for (t, flip) in [(a, flips[0]), (b, flips[1])] {
        if t.node >= first {
            turn[(t.node - first) as usize] = flip;
        }
    }
    let (a, b) = (rewrite(a, flips[0]), rewrite(b, flips[1]));
    tree.steps[step] = if a.neg { (b, a) } else { (a, b) };
    if turned {
        let (lo, hi, depth) = tree.nodes[step];
        tree.nodes[step] = (-hi, -lo, depth);
    }
}

/// Turns shared differences round wherever that leaves fewer outputs with nothing but negative terms, each of
/// which would take an adder more to negate.
pub fn settle(plan: &mut Plan, problem: &Problem) {
    if problem.free_output_signs {
        return;
    }
    let mut users: Vec<Vec<NodeId>> = vec![Vec::new(); plan.nodes.len()];
    let mut columns: Vec<Vec<u32>> = vec![Vec::new(); plan.nodes.len()];
    for (n, node) in plan.nodes.iter().enumerate() {
        for t in node.recipe.iter().flat_map(|(a, b)| [a, b]) {
            // a sum of a node with its own multiple reads it twice, and is turned once
            let users = &mut users[t.node as usize];
            if users.last() != Some(&(n as NodeId)) {
                users.push(n as NodeId);
            }
        }
    }
    for (j, column) in plan.columns.iter().enumerate() {
        if !problem.takes_negation(j) {
            column.iter().for_each(|t| columns[t.0 as usize].push(j as u32));
        }
    }
    // Each turn leaves fewer negative outputs, so this ends; one pass finds nearly all.
    for node in (0..plan.nodes.len()).rev() {
        let difference = plan.nodes[node].recipe.is_some_and(|(a, b)| a.neg != b.neg);
        if !difference || columns[node].is_empty() {
            continue;
        }
        let negative = |plan: &Plan| {
            columns[node].iter().filter(|&&j| all_negative(plan, j as usize, problem.counts_negations())).count()
        };
        let before = negative(plan);
        if before == 0 {
            continue;
        }
        turn_node(plan, node as NodeId, &users[node]);
        let sound = |&u: &NodeId| plan.nodes[u as usize].recipe.is_none_or(|(a, b)| !(a.neg && b.neg));
        if negative(plan) >= before || !users[node].iter().all(sound) {
            turn_node(plan, node as NodeId, &users[node]);
        }
    }
}

fn all_negative(plan: &Plan, column: usize, counted: bool) -> bool {
    plan.terms(column, counted).iter().all(|t| t.neg)
}

/// Makes a difference `a - b` the difference `b - a`, everywhere.
fn turn_node(plan: &mut Plan, node: NodeId, users: &[NodeId]) {
    let n = &mut plan.nodes[node as usize];
    if let Some((a, b)) = n.recipe {
        n.recipe = Some((Term { neg: !b.neg, ..b }, Term { neg: !a.neg, ..a }));
    }
    (n.lo, n.hi) = (-n.hi, -n.lo);
    n.form = n.form.negated().into();
    for &user in users {
        if let Some((a, b)) = &mut plan.nodes[user as usize].recipe {
            for t in [a, b] {
                t.neg ^= t.node == node;
            }
        }
    }
    for (n, c) in plan.columns.iter_mut().flatten() {
        if *n == node {
            *c = -*c;
        }
    }
}
