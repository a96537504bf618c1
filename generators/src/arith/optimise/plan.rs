//! The search's picture of a solution: shared two-term nodes, and what each output still sums up.
//!
//! Each output is `Σ coefficient·node`; a coefficient stands for all its signed-digit forms at once, so which
//! form to use is decided only where a digit is shared or, at last, when the remaining terms are summed.

use std::sync::Arc;

use hdl::lower::{Adder, Cover};
use hdl::num::Interval;

use crate::arith::cost;
use crate::arith::digits;
use crate::arith::graph::{Linear, NodeId, Term};
use crate::arith::problem::Objective;
use crate::arith::problem::{Problem, ends};

/// A node that the search knows: an input or a shared sum of two terms.
#[derive(Clone, Debug)]
pub struct Shared {
    /// Operands; `None` for an input.
    pub recipe: Option<(Term, Term)>,
    /// What the node means.
    pub form: Arc<Linear>,
    /// Least value.
    pub lo: i64,
    /// Greatest value.
    pub hi: i64,
    /// Adder level.
    pub depth: u32,
}

impl Shared {
    /// Least and greatest value.
    pub fn range(&self) -> (i64, i64) {
        (self.lo, self.hi)
    }
}

/// Depth bounds beyond this are not told apart: no sum that fits 64-bit coefficients needs as much.
pub const DEEPEST: u32 = 60;

/// One output as `Σ coefficient·node`, unsorted, no zero coefficients.
pub type Column = Vec<(NodeId, i64)>;

/// A solution as the search sees it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Inputs first (node id = input index), then shared nodes after their operands.
    pub nodes: Vec<Shared>,
    /// One for each output.
    pub columns: Vec<Column>,
}

impl Plan {
    /// Nothing shared yet: every output a sum of the inputs.
    pub fn unshared(problem: &Problem) -> Self {
        let node = |(index, range): (usize, &Interval)| {
            let (lo, hi) = ends(*range);
            Shared { recipe: None, form: Arc::new(Linear::input(index as u32)), lo, hi, depth: 0 }
        };
        Self {
            nodes: problem.inputs.iter().enumerate().map(node).collect(),
            columns: (0..problem.matrix.columns()).map(|j| problem.matrix.column(j).collect()).collect(),
        }
    }

    /// Appends the node `a + b`.
    pub fn push(&mut self, a: Term, b: Term, inputs: &[Interval]) -> NodeId {
        let (na, nb) = (&self.nodes[a.node as usize], &self.nodes[b.node as usize]);
        let form = Linear::sum(&na.form, a, &nb.form, b);
        let (lo, hi) = form.range(inputs);
        let depth = na.depth.max(nb.depth) + 1;
        self.nodes.push(Shared { recipe: Some((a, b)), form: Arc::new(form), lo, hi, depth });
        self.nodes.len() as NodeId - 1
    }

    /// What the shared nodes cost.
    pub fn shared_cost(&self, objective: Objective) -> u64 {
        let operand = |t: Term| (t, self.nodes[t.node as usize].range());
        if objective == Objective::Luts {
            return self.covered_cost();
        }
        let cost = |n: &Shared| n.recipe.map_or(0, |(a, b)| objective.adder(operand(a), operand(b), n.range()));
        self.nodes.iter().map(|n| u64::from(cost(n))).sum()
    }

    /// The look-up tables of the shared nodes where they may be three-operand adders.
    fn covered_cost(&self) -> u64 {
        let mut readers = vec![0u32; self.nodes.len()];
        for t in self.nodes.iter().filter_map(|n| n.recipe).flat_map(|(a, b)| [a, b]) {
            readers[t.node as usize] += 1;
        }
        // what a column reads is summed elsewhere
        for (n, _) in self.columns.iter().flatten() {
            readers[*n as usize] += 2;
        }
        let operand = |t: Term| (t, self.nodes[t.node as usize].range());
        let made = |t: Term| {
            let (a, b) = self.nodes[t.node as usize].recipe?;
            (readers[t.node as usize] == 1).then_some((t.node, [a, b]))
        };
        let adder = |n: &Shared| {
            n.recipe.map_or_else(Adder::default, |(a, b)| {
                cost::choice([operand(a), operand(b)], n.range(), [made(a), made(b)])
            })
        };
        let adders: Vec<Adder> = self.nodes.iter().map(adder).collect();
        Cover::cheapest(&adders).cost
    }

    /// What a column sums up. Coefficients are in the narrowest of the forms of least weight; but where all digits would
    /// be negative and turning the sum round costs something (`counted`), the first coefficient that can has a positive one.
    pub fn terms(&self, column: usize, counted: bool) -> Vec<Term> {
        let column = &self.columns[column];
        let mut forms: Vec<_> = column.iter().map(|&(_, c)| digits::narrowest(c)).collect();
        if counted && forms.iter().all(|form| form.plus == 0) {
            let other = |(form, &(_, c)): (_, &(NodeId, i64))| Some((form, digits::with_plus(c)?));
            if let Some((form, positive)) = forms.iter_mut().zip(column).find_map(other) {
                *form = positive;
            }
        }
        let terms = |(&(node, _), form): (&(NodeId, i64), digits::Digits)| {
            form.iter().map(move |(shift, neg)| Term { node, shift, neg })
        };
        column.iter().zip(forms).flat_map(terms).collect()
    }

    /// `Σ weight·2^depth` over a column's terms: at most `2^d` if the column can be summed in depth `d` (Kraft).
    pub fn kraft(&self, column: usize) -> u64 {
        self.columns[column].iter().map(|&(n, c)| u64::from(digits::weight(c)) << self.nodes[n as usize].depth).sum()
    }

    /// By how much each column's [`Plan::kraft`] may still grow; empty without depth bound.
    ///
    /// The bound must be within reach, see [`Problem::validate`].
    pub fn slack(&self, max_depth: Option<u32>) -> Vec<u64> {
        max_depth.map_or(Vec::new(), |d| {
            let limit = 1u64 << d.min(DEEPEST);
            (0..self.columns.len()).map(|j| limit - self.kraft(j)).collect()
        })
    }

    /// Puts a shared part back in place.
    pub fn merge(&mut self, changed: &[u32], mut part: Part) {
        for node in part.plan.nodes.drain(..).skip(part.global.len()) {
            let (a, b) = node.recipe.expect("the engine makes sums only");
            let lift = |t: Term| Term { node: part.global[t.node as usize], ..t };
            let recipe = Some((lift(a), lift(b)));
            part.global.push(self.nodes.len() as NodeId);
            self.nodes.push(Shared { recipe, ..node });
        }
        for (&j, column) in changed.iter().zip(&part.plan.columns) {
            let column = column.iter().map(|&(n, c)| (part.global[n as usize], c));
            self.columns[j as usize].retain(|&(n, _)| !part.taken.get(n as usize).is_some_and(|t| *t));
            self.columns[j as usize].extend(column);
        }
    }

    /// Drops shared nodes that neither an output nor another node uses.
    pub fn prune(&mut self) {
        let mut used = vec![false; self.nodes.len()];
        for &(n, _) in self.columns.iter().flatten() {
            used[n as usize] = true;
        }
        for i in (0..self.nodes.len()).rev() {
            match self.nodes[i].recipe {
                None => used[i] = true,
                Some((a, b)) if used[i] => {
                    used[a.node as usize] = true;
                    used[b.node as usize] = true;
                }
                Some(_) => {}
            }
        }
        self.retain(&used);
    }

    /// Keeps the marked nodes only; nothing kept may use one that is not.
    fn retain(&mut self, keep: &[bool]) {
        let mut map = vec![NodeId::MAX; self.nodes.len()];
        for (next, (slot, _)) in map.iter_mut().zip(keep).filter(|(_, k)| **k).enumerate() {
            *slot = next as NodeId;
        }
        let mut index = 0;
        self.nodes.retain(|_| {
            index += 1;
            keep[index - 1]
        });
        for node in &mut self.nodes {
            if let Some((a, b)) = &mut node.recipe {
                a.node = map[a.node as usize];
                b.node = map[b.node as usize];
            }
        }
        for (n, _) in self.columns.iter_mut().flatten() {
            *n = map[*n as usize];
        }
    }

    /// Dissolves the marked nodes and every node built on one of them; outputs that used them go back to
    /// sums of what remains. Returns which columns changed.
    pub fn dissolve(&mut self, gone: &mut [bool]) -> Vec<u32> {
        for (i, node) in self.nodes.iter().enumerate() {
            if let Some((a, b)) = node.recipe {
                gone[i] |= gone[a.node as usize] || gone[b.node as usize];
            }
        }
        let mut changed = Vec::new();
        let mut dense = vec![0i64; self.nodes.len()];
        for (j, column) in self.columns.iter_mut().enumerate() {
            let Some(top) = column.iter().map(|t| t.0).filter(|&n| gone[n as usize]).max() else {
                continue;
            };
            changed.push(j as u32);
            for &(n, c) in column.iter() {
                dense[n as usize] = c;
            }
            let last = column.iter().map(|t| t.0).max().unwrap_or(top);
            column.clear();
            for n in (0..=last as usize).rev() {
                let c = std::mem::take(&mut dense[n]);
                if c == 0 {
                    continue;
                }
                match self.nodes[n].recipe {
                    Some((a, b)) if gone[n] => {
                        dense[a.node as usize] += a.apply(c);
                        dense[b.node as usize] += b.apply(c);
                    }
                    _ => column.push((n as NodeId, c)),
                }
            }
        }
        let keep: Vec<bool> = gone.iter().map(|g| !g).collect();
        self.retain(&keep);
        changed
    }

    /// Writes one output as a sum of inputs and of those nodes for which `keep` holds.
    pub fn unroll(&mut self, column: usize, mut keep: impl FnMut(NodeId) -> bool) {
        let terms = std::mem::take(&mut self.columns[column]);
        let Some(last) = terms.iter().map(|t| t.0).max() else {
            return;
        };
        let mut dense = vec![0i64; last as usize + 1];
        for (n, c) in terms {
            dense[n as usize] = c;
        }
        for n in (0..=last).rev() {
            let c = dense[n as usize];
            match self.nodes[n as usize].recipe {
                _ if c == 0 => {}
                Some((a, b)) if !keep(n) => {
                    dense[a.node as usize] += a.apply(c);
                    dense[b.node as usize] += b.apply(c);
                }
                _ => self.columns[column].push((n, c)),
            }
        }
    }
}

/// A part of a plan with node numbers of its own, so that it can be shared by itself.
pub struct Part {
    pub plan: Plan,
    /// The whole plan's number of each node that the part was cut with.
    global: Vec<NodeId>,
    /// By whole-plan number: terms of this node went into the part.
    taken: Vec<bool>,
}

impl Part {
    /// Takes the terms for which `wanted` holds out of some columns, with every node that can be built from them.
    pub fn cut(whole: &Plan, columns: &[u32], wanted: impl Fn(NodeId) -> bool) -> Self {
        let mut taken = vec![false; whole.nodes.len()];
        for &j in columns {
            for &(n, _) in whole.columns[j as usize].iter().filter(|t| wanted(t.0)) {
                taken[n as usize] = true;
            }
        }
        let mut local = vec![NodeId::MAX; whole.nodes.len()];
        let (mut nodes, mut global) = (Vec::new(), Vec::new());
        for (n, node) in whole.nodes.iter().enumerate() {
            let recipe = node.recipe.and_then(|(a, b)| {
                let (x, y) = (local[a.node as usize], local[b.node as usize]);
                let known = x != NodeId::MAX && y != NodeId::MAX;
                known.then_some((Term { node: x, ..a }, Term { node: y, ..b }))
            });
            if taken[n] || recipe.is_some() {
                local[n] = nodes.len() as NodeId;
                global.push(n as NodeId);
                nodes.push(Shared { recipe, ..node.clone() });
            }
        }
        let localise = |j: &u32| {
            let terms = whole.columns[*j as usize].iter().filter(|t| taken[t.0 as usize]);
            terms.map(|&(n, c)| (local[n as usize], c)).collect()
        };
        let columns = columns.iter().map(localise).collect();
        Self { plan: Plan { nodes, columns }, global, taken }
    }
}
