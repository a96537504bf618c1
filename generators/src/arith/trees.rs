//! Summing what an output still consists of, by a tree of two-input adders.
//!
//! Like Huffman's algorithm: the pair whose sum is narrowest is joined first. With a depth bound `D` a pair is
//! joined only if `Σ 2^depth` over what remains stays within `2^D` (Kraft), which always leaves a way to go on:
//! joining the two earliest terms never breaks the bound.

use std::sync::Arc;

use super::cost::width;
use super::digits;
use super::graph::{Linear, NodeId, Term};
use super::plan::{DEEPEST, Plan};
use super::problem::InputSpec;

/// A term of a sum: a shared node, or the sum made by an earlier step.
#[derive(Clone, Debug)]
struct Item {
    /// The shared node, or, from the plan's node count up, the step that made it.
    term: Term,
    form: Arc<Linear>,
    /// Range of the node.
    node: (i64, i64),
    /// Range of the term.
    range: (i64, i64),
    width: u32,
    depth: u32,
}

/// How one output is summed: adders in order, step `k` being node `first + k`.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// Operands of each adder.
    pub steps: Vec<(Term, Term)>,
    /// Range and depth of each step's result.
    pub nodes: Vec<(i64, i64, u32)>,
    /// The sum, or `None` if there is nothing to sum.
    pub root: Option<Term>,
    /// Result widths, summed.
    pub bits: u64,
}

/// Sums a column of `plan`; `max_depth` must be within reach, see [`Plan::kraft`].
pub fn sum(plan: &Plan, column: usize, inputs: &[InputSpec], max_depth: Option<u32>) -> Tree {
    let mut items: Vec<Item> = Vec::new();
    for &(node, coefficient) in &plan.columns[column] {
        let n = &plan.nodes[node as usize];
        for (shift, neg) in digits::narrowest(coefficient).iter() {
            items.push(Item::new(Term { node, shift, neg }, n.form.clone(), (n.lo, n.hi), n.depth));
        }
    }
    items.sort_by_key(|i| (i.width + u32::from(i.term.shift), i.term));
    let first = plan.nodes.len() as NodeId;
    let mut slack = max_depth.map(|d| (1u64 << d.min(DEEPEST)) - items.iter().map(|i| 1u64 << i.depth).sum::<u64>());
    let mut tree = Tree::default();
    let mut pairing = Pairing::new(items, slack);
    while let Some((a, b)) = pairing.take_best(slack) {
        if let Some(s) = &mut slack {
            *s -= kraft_cost(&a, &b);
        }
        let joined = join(&a, &b, first + tree.steps.len() as NodeId, inputs, &mut tree);
        pairing.add(joined, slack);
    }
    tree.root = pairing.items.iter().flatten().next().map(|i| i.term);
    tree
}

/// By how much joining raises `Σ 2^depth`.
fn kraft_cost(a: &Item, b: &Item) -> u64 {
    (1 << a.depth.max(b.depth)) - (1 << a.depth.min(b.depth))
}

impl Item {
    fn new(term: Term, form: Arc<Linear>, node: (i64, i64), depth: u32) -> Self {
        Self { term, form, node, range: term.range(node), width: width(node.0, node.1), depth }
    }
}

/// What a pair is chosen by, smallest first: the width of the sum, then how little width the operands have.
type Key = (u32, u32);

const NEVER: Key = (u32::MAX, u32::MAX);

/// The items still to be joined, each with its best partner.
///
/// The slack only shrinks, so a cached partner that is still affordable is still the best one.
struct Pairing {
    items: Vec<Option<Item>>,
    partners: Vec<(Key, usize)>,
}

impl Pairing {
    fn new(items: Vec<Item>, slack: Option<u64>) -> Self {
        let mut pairing =
            Self { partners: vec![(NEVER, 0); items.len()], items: items.into_iter().map(Some).collect() };
        for i in 0..pairing.items.len() {
            pairing.partners[i] = pairing.best_partner(i, slack);
        }
        pairing
    }

    /// Takes out the best pair that the slack affords, if two items are left.
    fn take_best(&mut self, slack: Option<u64>) -> Option<(Item, Item)> {
        let (i, j) = loop {
            let (i, &(key, j)) = self.partners.iter().enumerate().min_by_key(|(_, p)| p.0)?;
            if key == NEVER {
                return None;
            }
            if self.key(i, j, slack) == key {
                break (i.min(j), i.max(j));
            }
            self.partners[i] = self.best_partner(i, slack);
        };
        let pair = (self.items[i].take()?, self.items[j].take()?);
        self.partners[i].0 = NEVER;
        self.partners[j].0 = NEVER;
        Some(pair)
    }

    fn add(&mut self, item: Item, slack: Option<u64>) {
        let new = self.items.len();
        self.items.push(Some(item));
        self.partners.push(self.best_partner(new, slack));
        for i in 0..new {
            if self.items[i].is_none() {
                continue;
            }
            if self.items[self.partners[i].1].is_none() || self.partners[i].0 == NEVER {
                self.partners[i] = self.best_partner(i, slack);
            } else {
                let key = self.key(i, new, slack);
                if key < self.partners[i].0 {
                    self.partners[i] = (key, new);
                }
            }
        }
    }

    fn best_partner(&self, i: usize, slack: Option<u64>) -> (Key, usize) {
        let others = (0..self.items.len()).filter(|&j| j != i && self.items[j].is_some());
        others.map(|j| (self.key(i, j, slack), j)).min().unwrap_or((NEVER, i))
    }

    fn key(&self, i: usize, j: usize, slack: Option<u64>) -> Key {
        let (Some(a), Some(b)) = (&self.items[i], &self.items[j]) else { return NEVER };
        if slack.is_some_and(|s| kraft_cost(a, b) > s) {
            return NEVER;
        }
        let (lo, hi) = (a.range.0 + b.range.0, a.range.1 + b.range.1);
        let bits = if a.term.neg && b.term.neg { width(-hi, -lo) } else { width(lo, hi) };
        (bits - u32::from(a.term.shift.min(b.term.shift)), 128 - a.width - b.width)
    }
}

fn join(a: &Item, b: &Item, id: NodeId, inputs: &[InputSpec], tree: &mut Tree) -> Item {
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
    tree.bits += u64::from(width(lo, hi));
    Item::new(Term { node: id, shift, neg }, form, (lo, hi), depth)
}
