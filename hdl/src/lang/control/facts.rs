//! What a condition says of the values that it compares.

use super::Place;
use crate::dfg::{Graph, Inner, NodeId, Op};
use crate::num::Interval;

impl Inner {
    /// What `n` is known as here: itself, or itself in the range that the conditions around leave.
    pub(crate) fn known(&self, n: NodeId) -> NodeId {
        let mut branches = self.control.branches.iter().rev();
        branches.find_map(|b| b.known.get(&n).copied()).unwrap_or(n)
    }

    /// Notes that `n`, just made of `op`, is right only where its operands are; `first` is the first new node.
    pub(crate) fn mark_as_operands(&mut self, n: NodeId, op: Op, first: usize) {
        let known = &mut self.control.only_in;
        if known.is_empty() || n.index() < first && !known.contains_key(&n) {
            return;
        }
        if let Some(id) = op.operands().filter_map(|a| known.get(&a).copied()).max() {
            known.insert(n, id);
        }
    }

    /// Whether the closure of branch `id` is running.
    pub(super) fn is_open(&self, id: u32) -> bool {
        self.control.branches.iter().any(|b| b.id == id)
    }

    /// Narrows, in the innermost branch, what its conditions compare.
    pub(super) fn narrow(&mut self, place: Place) {
        let conditions = self.control.branches.last().expect("a branch is open").conditions.clone();
        let mut facts = Vec::new();
        conditions.iter().for_each(|(c, value)| learn(&self.module.graph, *c, *value, &mut facts));
        for (n, range) in facts {
            let known = self.known(n);
            let left = intersection(self.module.graph.range(known), range);
            let Some(left) = left else {
                self.control.branches.last_mut().expect("a branch is open").dead = true;
                continue;
            };
            if left == self.module.graph.range(known) {
                continue;
            }
            let graph = &mut self.module.graph;
            let [lo, hi] = [left.lo(), left.hi()].map(|end| graph.constant(end).expect("ends are in range"));
            let narrow = graph.add(Op::Narrow(known, lo, hi)).expect("a part of a range is in range");
            self.record(place);
            // a branch further out may have found the same
            let elsewhere = self.control.only_in.get(&narrow).is_some_and(|id| self.is_open(*id));
            let open = self.control.branches.last_mut().expect("a branch is open");
            open.known.insert(n, narrow);
            if left.as_point().is_none() && !elsewhere {
                self.control.only_in.insert(narrow, open.id);
            }
        }
    }
}

/// The ranges that follow from `condition` being 1, or 0.
fn learn(graph: &Graph, condition: NodeId, value: bool, facts: &mut Vec<(NodeId, Interval)>) {
    let (range, one) = (|n| graph.range(n), |n| graph.as_constant(n) == Some(1));
    note(graph, condition, Interval::point(i128::from(value)).ok(), facts);
    match (graph.op(condition), value) {
        (Op::Xor(c, k), _) | (Op::Xor(k, c), _) if one(k) && Interval::BIT.covers(range(c)) => {
            learn(graph, c, !value, facts);
        }
        (Op::And(a, b), true) | (Op::Or(a, b), false) => {
            learn(graph, a, value, facts);
            learn(graph, b, value, facts);
        }
        (Op::Or(a, b), true) | (Op::And(a, b), false) => either(graph, [a, b], value, facts),
        (Op::Lt(a, b), true) => {
            note(graph, a, at_most(range(b).hi() - 1), facts);
            note(graph, b, at_least(range(a).lo() + 1), facts);
        }
        (Op::Lt(a, b), false) => {
            note(graph, a, at_least(range(b).lo()), facts);
            note(graph, b, at_most(range(a).hi()), facts);
        }
        (Op::Eq(a, b), true) => {
            note(graph, a, Some(range(b)), facts);
            note(graph, b, Some(range(a)), facts);
        }
        (Op::Eq(a, b), false) => {
            note(graph, a, without(range(a), graph.as_constant(b)), facts);
            note(graph, b, without(range(b), graph.as_constant(a)), facts);
        }
        _ => {}
    }
}

/// What follows whichever of both is `value`: the union, for those nodes of which both say something.
fn either(graph: &Graph, both: [NodeId; 2], value: bool, facts: &mut Vec<(NodeId, Interval)>) {
    let [first, second] = both.map(|c| {
        let mut facts = Vec::new();
        learn(graph, c, value, &mut facts);
        facts
    });
    for (n, range) in &first {
        // several facts of one node all hold; any one of them is a safe bound
        if let Some((_, other)) = second.iter().find(|(m, _)| m == n) {
            facts.push((*n, range.union(*other)));
        }
    }
}

/// Notes that `n` lies in `range`, and so what `n` is a narrowed or shifted form of.
fn note(graph: &Graph, n: NodeId, range: Option<Interval>, facts: &mut Vec<(NodeId, Interval)>) {
    let Some(range) = range else { return };
    facts.push((n, range));
    match graph.op(n) {
        Op::Narrow(a, ..) => note(graph, a, Some(range), facts),
        Op::Shl(a, s) if s < 100 => {
            let up = |v: i128| -((-v) >> s);
            note(graph, a, Interval::new(up(range.lo()), range.hi() >> s).ok(), facts);
        }
        _ => {}
    }
}

fn at_most(hi: i128) -> Option<Interval> {
    Interval::new(LEAST, hi).ok()
}

fn at_least(lo: i128) -> Option<Interval> {
    Interval::new(lo, -(LEAST + 1)).ok()
}

/// The least number of any range.
const LEAST: i128 = -(1 << (crate::num::MAX_BITS - 1));

/// `range` without `value`, if that is one of its ends.
fn without(range: Interval, value: Option<i128>) -> Option<Interval> {
    match value? {
        v if v == range.lo() => Interval::new(v + 1, range.hi()).ok(),
        v if v == range.hi() => Interval::new(range.lo(), v - 1).ok(),
        _ => None,
    }
}

fn intersection(a: Interval, b: Interval) -> Option<Interval> {
    Interval::new(a.lo().max(b.lo()), a.hi().min(b.hi())).ok()
}
