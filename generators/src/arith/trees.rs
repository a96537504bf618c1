//! Summing what an output still consists of, by a tree of two-input adders.
//!
//! Like Huffman's algorithm: the pair whose sum is narrowest is joined first. With a depth bound `D` a pair is
//! joined only if `Σ 2^depth` over what remains stays within `2^D` (Kraft), which always leaves a way to go on:
//! joining the two earliest terms never breaks the bound.

use super::cost::width;
use super::digits;
use super::graph::{Linear, NodeId, Term};
use super::plan::Plan;
use super::problem::InputSpec;

/// A term of a sum: a shared node, or the sum made by an earlier step.
#[derive(Clone, Debug)]
pub struct Item {
    /// The shared node, or, from the plan's node count up, the step that made it.
    pub term: Term,
    form: Linear,
    lo: i64,
    hi: i64,
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

/// More terms than this are joined within a window of the lowest-reaching ones only.
const WINDOW: usize = 48;

/// Sums a column of `plan`; `max_depth` must be within reach, see [`Plan::kraft`].
pub fn sum(plan: &Plan, column: usize, inputs: &[InputSpec], max_depth: Option<u32>) -> Tree {
    let mut items: Vec<Item> = Vec::new();
    for &(node, coefficient) in &plan.columns[column] {
        let n = &plan.nodes[node as usize];
        for (shift, neg) in digits::narrowest(coefficient).iter() {
            let term = Term { node, shift, neg };
            items.push(Item { term, form: n.form.clone(), lo: n.lo, hi: n.hi, depth: n.depth });
        }
    }
    let first = plan.nodes.len() as NodeId;
    let limit = max_depth.map_or(u64::MAX, |d| 1u64 << d.min(62));
    let mut kraft: u64 = if max_depth.is_some() { items.iter().map(|i| 1u64 << i.depth).sum() } else { 0 };
    let mut tree = Tree::default();
    items.sort_by_key(|i| (i.top(), i.term));
    while items.len() > 1 {
        let (i, j) = best_pair(&items, max_depth.is_some().then_some(limit - kraft));
        let (b, a) = (items.remove(j), items.remove(i));
        if max_depth.is_some() {
            kraft += kraft_cost(a.depth, b.depth);
        }
        let joined = join(&a, &b, first + tree.steps.len() as NodeId, inputs, &mut tree);
        let at = items.partition_point(|x| (x.top(), x.term) < (joined.top(), joined.term));
        items.insert(at, joined);
    }
    tree.root = items.first().map(|i| i.term);
    tree
}

fn kraft_cost(a: u32, b: u32) -> u64 {
    (1 << a.max(b)) - (1 << a.min(b))
}

impl Item {
    fn range(&self) -> (i64, i64) {
        self.term.range((self.lo, self.hi))
    }

    /// Highest bit position reached.
    fn top(&self) -> u32 {
        width(self.lo, self.hi) + u32::from(self.term.shift)
    }
}

fn best_pair(items: &[Item], slack: Option<u64>) -> (usize, usize) {
    let window = if slack.is_some() { items.len() } else { items.len().min(WINDOW) };
    let mut best = (u32::MAX, u32::MAX, 0, 1);
    for j in 1..window {
        for i in 0..j {
            let (a, b) = (&items[i], &items[j]);
            if slack.is_some_and(|s| kraft_cost(a.depth, b.depth) > s) {
                continue;
            }
            let low = a.term.shift.min(b.term.shift);
            let ((al, ah), (bl, bh)) = (a.range(), b.range());
            let bits = width(al + bl, ah + bh).max(width(-ah - bh, -al - bl)) - u32::from(low);
            let gap = u32::from(a.term.shift.abs_diff(b.term.shift));
            if (bits, gap) < (best.0, best.1) {
                best = (bits, gap, i, j);
            }
        }
    }
    (best.2, best.3)
}

fn join(a: &Item, b: &Item, id: NodeId, inputs: &[InputSpec], tree: &mut Tree) -> Item {
    let shift = a.term.shift.min(b.term.shift);
    let neg = a.term.neg && b.term.neg;
    let lower = |t: Term| Term { shift: t.shift - shift, neg: t.neg != neg, ..t };
    let (ta, tb) = (lower(a.term), lower(b.term));
    // The positive operand stands left.
    let (ta, tb, fa, fb) = if ta.neg { (tb, ta, &b.form, &a.form) } else { (ta, tb, &a.form, &b.form) };
    let form = Linear::sum(fa, ta, fb, tb);
    let (lo, hi) = form.range(inputs);
    let depth = a.depth.max(b.depth) + 1;
    tree.steps.push((ta, tb));
    tree.nodes.push((lo, hi, depth));
    tree.bits += u64::from(width(lo, hi));
    Item { term: Term { node: id, shift, neg }, form, lo, hi, depth }
}
