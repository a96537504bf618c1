//! Summing what an output still consists of, by a tree of two-input adders.
//!
//! Like Huffman's algorithm: the pair whose sum is narrowest is joined first. With a depth bound `D` a pair is
//! joined only if `Σ 2^depth` over what remains stays within `2^D` (Kraft), which always leaves a way to go on:
//! joining the two earliest terms never breaks the bound.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use hdl::lower::{Adder, Cover};
use hdl::num::Interval;

use crate::arith::cost::{self, Operand, width};
use crate::arith::graph::{Linear, NodeId, Term};
use crate::arith::optimise::plan::{DEEPEST, Plan};
use crate::arith::optimise::signs;
use crate::arith::optimise::tree::Tree;
use crate::arith::problem::{Objective, Problem};

/// A term of a sum: a shared node, or the sum made by an earlier step.
#[derive(Clone, Debug)]
struct Item {
    /// The shared node, or, from the plan's node count up, the step that made it.
    term: Term,
    form: Arc<Linear>,
    /// Range of the node.
    node: (i64, i64),
    width: u32,
    depth: u32,
}

/// What pairing needs to know of an item.
#[derive(Clone, Copy, Debug)]
struct Shape {
    /// Range of the term.
    lo: i64,
    hi: i64,
    width: u8,
    shift: u8,
    depth: u8,
    neg: bool,
}

/// Sums a column of `plan`; `max_depth` must be within reach, see [`Plan::kraft`].
pub fn sum(plan: &Plan, column: usize, problem: &Problem) -> Tree {
    let Problem { inputs, max_depth, objective, .. } = problem;
    let mut items: Vec<Item> = Vec::new();
    let counted = problem.counts_negations() && !problem.takes_negation(column);
    for term in plan.terms(column, counted) {
        let n = &plan.nodes[term.node as usize];
        items.push(Item::new(term, n.form.clone(), (n.lo, n.hi), n.depth));
    }
    items.sort_unstable_by_key(|i| (i.top(), i.term));
    let first = plan.nodes.len() as NodeId;
    let mut slack = max_depth.map(|d| (1u64 << d.min(DEEPEST)) - items.iter().map(|i| 1u64 << i.depth).sum::<u64>());
    let mut tree = Tree::default();
    // With three-operand adders every second adder goes on from the one before; an odd one stands alone, at the
    // beginning where sums are narrow.
    let by_three = *objective == Objective::Luts;
    let mut go_on = by_three && items.len() % 2 == 1;
    let mut pairing = Pairing::new(items, slack);
    let mut next = pairing.take_best(slack);
    while let Some((a, b)) = next {
        if let Some(s) = &mut slack {
            *s -= kraft_cost(a.depth, b.depth);
        }
        let id = first + tree.steps.len() as NodeId;
        let joined = join(&a, &b, id, inputs, &mut tree);
        pairing.add(joined);
        pairing.fill(WINDOW, slack);
        let third = if go_on { pairing.take_last(slack) } else { None };
        go_on = by_three && third.is_none();
        next = third.or_else(|| pairing.take_best(slack));
    }
    tree.root = pairing.items.iter().flatten().next().map(|i| i.term);
    signs::orient(&mut tree, plan, *objective, problem.free_output_signs);
    let negation = (tree.root).filter(|root| counted && root.neg).map(|root| negation(root, &tree, plan));
    match by_three {
        true => tree.cost = covered_cost(&tree, plan, negation),
        false => tree.cost += negation.map_or(0, |n| u64::from(n.alone)),
    }
    tree
}

/// The adder that makes `root` positive.
fn negation(root: Term, tree: &Tree, plan: &Plan) -> Adder {
    let operand = operand(root, tree, plan);
    let (lo, hi) = root.range(operand.1);
    let zero = (Term::plain(root.node), (0, 0));
    cost::choice([zero, operand], (lo, hi), [None, made(root, tree, plan)])
}

/// A term with the range of its node.
fn operand(t: Term, tree: &Tree, plan: &Plan) -> Operand {
    match t.node.checked_sub(plan.nodes.len() as NodeId) {
        None => (t, plan.nodes[t.node as usize].range()),
        Some(k) => {
            let (lo, hi, _) = tree.nodes[k as usize];
            (t, (lo, hi))
        }
    }
}

/// The step that makes a term, and its operands.
fn made(t: Term, tree: &Tree, plan: &Plan) -> Option<(u32, [Term; 2])> {
    let k = t.node.checked_sub(plan.nodes.len() as NodeId)?;
    let (a, b) = tree.steps[k as usize];
    Some((k, [a, b]))
}

/// The tree's look-up tables where its adders may have three operands, with the one that turns its sum round.
fn covered_cost(tree: &Tree, plan: &Plan, negation: Option<Adder>) -> u64 {
    let adder = |(&(a, b), &(lo, hi, _)): (&(Term, Term), &(i64, i64, u32))| {
        let operands = [a, b].map(|t| operand(t, tree, plan));
        cost::choice(operands, (lo, hi), [a, b].map(|t| made(t, tree, plan)))
    };
    let steps = tree.steps.iter().zip(&tree.nodes).map(adder);
    Cover::cheapest(&steps.chain(negation).collect::<Vec<_>>()).cost
}

impl Item {
    fn new(term: Term, form: Arc<Linear>, node: (i64, i64), depth: u32) -> Self {
        Self { term, form, node, width: width(node.0, node.1), depth }
    }

    /// Highest bit position.
    fn top(&self) -> u32 {
        self.width + u32::from(self.term.shift)
    }

    fn shape(&self) -> Shape {
        let (lo, hi) = self.term.range(self.node);
        let Term { shift, neg, .. } = self.term;
        Shape { lo, hi, width: self.width as u8, shift, depth: self.depth.min(255) as u8, neg }
    }
}

/// By how much joining terms of these depths raises `Σ 2^depth`.
fn kraft_cost(a: u32, b: u32) -> u64 {
    (1 << a.max(b)) - (1 << a.min(b))
}

/// What a pair is chosen by, smallest first: the width of the sum, then how little width the operands have.
///
/// It serves every objective: the logic bits of a tree hardly depend on its shape, since every full adder takes
/// one bit away, but wide partial sums add carries.
fn pair_key(a: &Shape, b: &Shape, slack: Option<u64>) -> u32 {
    if slack.is_some_and(|s| kraft_cost(a.depth.into(), b.depth.into()) > s) {
        return NEVER;
    }
    let (lo, hi) = (a.lo + b.lo, a.hi + b.hi);
    let bits = if a.neg && b.neg { width(-hi, -lo) } else { width(lo, hi) };
    let low = u32::from(a.shift.min(b.shift));
    // a sum that is always 0 has no bits above its shift
    (bits.saturating_sub(low) << 8) + 128 - u32::from(a.width) - u32::from(b.width)
}

const NEVER: u32 = u32::MAX;

/// Pairs are looked for among this many items, those that reach up least; keeps the time linear in the terms.
const WINDOW: usize = 48;

/// The items still to be joined.
///
/// Each active item knows its best partner. The slack only shrinks, so a cached partner that is still
/// affordable is still the best one.
struct Pairing {
    items: Vec<Option<Item>>,
    active: Vec<Active>,
    /// Items outside the window by their highest bit.
    waiting: BinaryHeap<Reverse<(u32, u32)>>,
}

struct Active {
    item: u32,
    shape: Shape,
    key: u32,
    partner: u32,
}

impl Pairing {
    fn new(items: Vec<Item>, slack: Option<u64>) -> Self {
        let mut pairing = Self {
            items: Vec::with_capacity(2 * items.len()),
            active: Vec::with_capacity(items.len().min(WINDOW)),
            waiting: BinaryHeap::with_capacity(items.len()),
        };
        for item in items {
            pairing.add(item);
        }
        pairing.fill(WINDOW, slack);
        pairing
    }

    fn add(&mut self, item: Item) {
        self.waiting.push(Reverse((item.top(), self.items.len() as u32)));
        self.items.push(Some(item));
    }

    /// Moves waiting items into the window.
    fn fill(&mut self, window: usize, slack: Option<u64>) {
        while self.active.len() < window
            && let Some(Reverse((_, item))) = self.waiting.pop()
        {
            let Some(shape) = self.items[item as usize].as_ref().map(Item::shape) else {
                continue;
            };
            let mut new = Active { item, shape, key: NEVER, partner: item };
            for other in &mut self.active {
                let key = pair_key(&other.shape, &shape, slack);
                if key < other.key {
                    (other.key, other.partner) = (key, item);
                }
                if key < new.key {
                    (new.key, new.partner) = (key, other.item);
                }
            }
            self.active.push(new);
        }
    }

    /// Takes out the best pair that the slack affords, if two items are left.
    fn take_best(&mut self, slack: Option<u64>) -> Option<(Item, Item)> {
        loop {
            let at = (0..self.active.len()).min_by_key(|&k| self.active[k].key)?;
            let Active { item, shape, key, partner } = self.active[at];
            if key == NEVER {
                if self.waiting.is_empty() {
                    return None;
                }
                // Nothing within the window is affordable: look everywhere.
                self.fill(usize::MAX, slack);
                continue;
            }
            let other = self.active.iter().position(|x| x.item == partner);
            if other.is_some_and(|k| pair_key(&shape, &self.active[k].shape, slack) == key) {
                self.active.retain(|x| x.item != item && x.item != partner);
                let (i, j) = (item.min(partner) as usize, item.max(partner) as usize);
                return Some((self.items[i].take()?, self.items[j].take()?));
            }
            let (key, partner) = self.best_partner(at, slack);
            self.active[at].key = key;
            self.active[at].partner = partner;
        }
    }

    /// Takes out the item that was added last with its best partner, if the slack affords one.
    fn take_last(&mut self, slack: Option<u64>) -> Option<(Item, Item)> {
        let item = self.items.len() as u32 - 1;
        let at = self.active.iter().position(|x| x.item == item)?;
        let (key, partner) = self.best_partner(at, slack);
        if key == NEVER {
            return None;
        }
        self.active.retain(|x| x.item != item && x.item != partner);
        let other = self.items[partner as usize].take()?;
        Some((other, self.items[item as usize].take()?))
    }

    fn best_partner(&self, at: usize, slack: Option<u64>) -> (u32, u32) {
        let own = &self.active[at];
        let others = self.active.iter().filter(|x| x.item != own.item);
        others.map(|x| (pair_key(&own.shape, &x.shape, slack), x.item)).min().unwrap_or((NEVER, own.item))
    }
}

fn join(a: &Item, b: &Item, id: NodeId, inputs: &[Interval], tree: &mut Tree) -> Item {
    let shift = a.term.shift.min(b.term.shift);
    let neg = a.term.neg && b.term.neg;
    let lower = |t: Term| Term { shift: t.shift - shift, neg: t.neg != neg, ..t };
    // The positive operand stands left.
    let (a, b) = if lower(a.term).neg { (b, a) } else { (a, b) };
    let (ta, tb) = (lower(a.term), lower(b.term));
    let form = Arc::new(Linear::sum(&a.form, ta, &b.form, tb));
    let (lo, hi) = form.range(inputs);
    let depth = a.depth.max(b.depth) + 1;
    tree.steps.push((ta, tb));
    tree.nodes.push((lo, hi, depth));
    Item::new(Term { node: id, shift, neg }, form, (lo, hi), depth)
}
