//! Proved-optimal search for small blocks: the least number of adders.
//!
//! Node values are taken up to sign and powers of two. Every distinct output that is not an input costs at
//! least one adder, so what is searched for is the least number of *further* nodes, by iterative deepening.
//! An output that one adder can make from what is there is made at once: its adder is needed in any case,
//! and having it earlier never hurts. Hence only the further nodes are branched over.
//! (The scheme of exact multiple-constant-multiplication searches such as Aksoy, Günes, Flores, 2010.)

use rustc_hash::FxHashMap;

use crate::arith::graph::{NodeId, Term};
use crate::arith::optimise::plan::Plan;
use crate::arith::problem::Problem;

/// Blocks of more inputs are not searched.
const INPUTS: usize = 8;

/// Blocks of more outputs are not searched.
const OUTPUTS: usize = 16;

/// A linear form over the inputs.
type Value = [i64; INPUTS];

/// What the search found.
#[derive(Clone, Debug)]
pub struct Exact {
    /// No adder graph has fewer adders.
    pub lower_bound: usize,
    /// Plans of exactly that many adders, as far as the budget lasted.
    pub plans: Vec<Plan>,
}

/// Plans kept at most; they differ in width only.
const KEPT: usize = 64;

/// Searches for the least number of adders, spending no more than `budget` table look-ups, some tens
/// of nanoseconds each.
///
/// `None` if the block is too large to try. The depth bound is not looked at.
pub fn least_adders(problem: &Problem, budget: u64) -> Option<Exact> {
    let matrix = &problem.matrix;
    if matrix.rows() > INPUTS || matrix.columns() > OUTPUTS {
        return None;
    }
    let mut search = Search::new(problem, budget);
    let outputs = search.targets.len();
    for extra in 0.. {
        if search.deepen(extra) || !search.complete {
            let lower_bound = outputs + search.proved_extra;
            return Some(Exact { lower_bound, plans: search.found });
        }
        search.proved_extra = extra + 1;
    }
    None
}

struct Search<'a> {
    problem: &'a Problem,
    /// Distinct outputs that need an adder, normalised.
    targets: Vec<Value>,
    done: Vec<bool>,
    missing: usize,
    values: Vec<Value>,
    index: FxHashMap<Value, NodeId>,
    recipes: Vec<Option<(Term, Term)>>,
    shifts: u8,
    /// No coefficient beyond this is tried.
    limit: i64,
    budget: u64,
    /// Look-ups that one candidate node costs.
    look_ups: u64,
    /// Whether the budget has lasted so far.
    complete: bool,
    proved_extra: usize,
    found: Vec<Plan>,
}

/// Divides out the power of two and the sign: `(value, shift, negated)`; `None` for zero.
fn normalise(mut v: Value) -> Option<(Value, u8, bool)> {
    let shift = v.iter().fold(0, |bits, c| bits | c).trailing_zeros();
    let neg = *v.iter().find(|c| **c != 0)? < 0;
    for c in &mut v {
        *c = if neg { -(*c >> shift) } else { *c >> shift };
    }
    Some((v, shift as u8, neg))
}

/// `a + (b << shift)`, or minus.
fn combine(a: &Value, b: &Value, shift: u8, minus: bool) -> Value {
    let mut out = *a;
    for (o, c) in out.iter_mut().zip(b) {
        *o += if minus { -(c << shift) } else { c << shift };
    }
    out
}

impl<'a> Search<'a> {
    fn new(problem: &'a Problem, budget: u64) -> Self {
        let matrix = &problem.matrix;
        let mut search = Self {
            problem,
            targets: Vec::new(),
            done: Vec::new(),
            missing: 0,
            values: Vec::new(),
            index: FxHashMap::default(),
            recipes: Vec::new(),
            shifts: 0,
            limit: 0,
            budget,
            look_ups: 1,
            complete: true,
            proved_extra: 0,
            found: Vec::new(),
        };
        for i in 0..matrix.rows() {
            let mut unit = [0; INPUTS];
            unit[i] = 1;
            search.push(unit, None);
        }
        for j in 0..matrix.columns() {
            let Some((value, ..)) = normalise(column(problem, j)) else {
                continue;
            };
            if !search.index.contains_key(&value) && !search.targets.contains(&value) {
                search.targets.push(value);
            }
        }
        let largest = search.targets.iter().flatten().map(|c| c.abs()).max().unwrap_or(1);
        search.limit = 2 * largest;
        search.shifts = (65 - largest.leading_zeros()) as u8;
        search.missing = search.targets.len();
        search.look_ups = 1 + 2 * u64::from(search.shifts) * search.missing as u64;
        search.done = vec![false; search.missing];
        for node in 0..search.values.len() {
            search.close(node);
        }
        search
    }

    fn push(&mut self, value: Value, recipe: Option<(Term, Term)>) {
        self.index.insert(value, self.values.len() as NodeId);
        self.values.push(value);
        self.recipes.push(recipe);
    }

    /// Makes every target that one adder makes from `node` and the others, and so on from those.
    fn close(&mut self, node: usize) {
        let mut next = node;
        while next < self.values.len() {
            for k in 0..self.targets.len() {
                if self.done[k] {
                    continue;
                }
                if let Some(recipe) = self.one_adder(&self.targets[k], next) {
                    self.done[k] = true;
                    self.missing -= 1;
                    self.push(self.targets[k], Some(recipe));
                }
            }
            next += 1;
        }
    }

    /// The adder that makes `target` out of `node` and another one, if there is one.
    fn one_adder(&self, target: &Value, node: usize) -> Option<(Term, Term)> {
        for shift in 0..=self.shifts {
            for minus in [false, true] {
                let rest = combine(target, &self.values[node], shift, !minus);
                let Some((value, other_shift, neg)) = normalise(rest) else {
                    continue;
                };
                if let Some(&other) = self.index.get(&value) {
                    let a = Term { node: node as NodeId, shift, neg: minus };
                    let b = Term { node: other, shift: other_shift, neg };
                    return Some((a, b));
                }
            }
        }
        None
    }

    /// Tries all ways to add `extra` further nodes; collects plans; says whether there is any.
    fn deepen(&mut self, extra: usize) -> bool {
        if self.missing == 0 {
            self.keep();
            return true;
        }
        if extra == 0 {
            return false;
        }
        let count = self.values.len();
        let mut any = false;
        for i in 0..count {
            for j in 0..=i {
                for shift in 0..=self.shifts {
                    for minus in [false, true] {
                        any |= self.try_node(i, j, shift, minus, extra);
                        if i != j && shift > 0 {
                            any |= self.try_node(j, i, shift, minus, extra);
                        }
                        if !self.complete {
                            return any;
                        }
                    }
                }
            }
        }
        any
    }

    /// Adds `values[i] ± (values[j] << shift)` and what follows from it, goes on, and takes it all back.
    fn try_node(&mut self, i: usize, j: usize, shift: u8, minus: bool, extra: usize) -> bool {
        let sum = combine(&self.values[i], &self.values[j], shift, minus);
        let Some((value, low, neg)) = normalise(sum) else {
            return false;
        };
        if low != 0 || self.index.contains_key(&value) || value.iter().any(|c| c.abs() > self.limit) {
            return false;
        }
        if self.budget == 0 {
            self.complete = false;
            return false;
        }
        self.budget = self.budget.saturating_sub(self.look_ups);
        let (count, missing, done) = (self.values.len(), self.missing, self.done.clone());
        let a = Term { node: i as NodeId, shift: 0, neg };
        let b = Term { node: j as NodeId, shift, neg: minus != neg };
        self.push(value, Some((a, b)));
        self.close(count);
        let any = self.deepen(extra - 1);
        for value in self.values.drain(count..) {
            self.index.remove(&value);
        }
        self.recipes.truncate(count);
        (self.missing, self.done) = (missing, done);
        any
    }

    /// Turns the nodes into a plan.
    fn keep(&mut self) {
        if self.found.len() >= KEPT {
            return;
        }
        let inputs = &self.problem.inputs;
        let mut plan = Plan::unshared(self.problem);
        // Nodes of a plan may be the negative of the normalised value, so that they have a positive operand.
        let mut turned = vec![false; inputs.len()];
        for recipe in self.recipes.iter().skip(inputs.len()) {
            let &(a, b) = recipe.as_ref().expect("inputs come first");
            let sign = |t: Term| Term { neg: t.neg != turned[t.node as usize], ..t };
            let (a, b) = (sign(a), sign(b));
            let turn = a.neg && b.neg;
            let (a, b) = if turn { (Term { neg: false, ..a }, Term { neg: false, ..b }) } else { (a, b) };
            let (a, b) = if a.neg { (b, a) } else { (a, b) };
            plan.push(a, b, inputs);
            turned.push(turn);
        }
        for j in 0..self.problem.matrix.columns() {
            plan.columns[j] = match normalise(column(self.problem, j)) {
                None => Vec::new(),
                Some((value, shift, neg)) => {
                    let node = self.index[&value];
                    let digit = 1i64 << shift;
                    vec![(node, if neg != turned[node as usize] { -digit } else { digit })]
                }
            };
        }
        plan.prune();
        self.found.push(plan);
    }
}

fn column(problem: &Problem, j: usize) -> Value {
    let mut value = [0; INPUTS];
    for (i, w) in problem.matrix.column(j) {
        value[i as usize] = w;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arith::Matrix;
    use hdl::num::Interval;

    fn least(rows: &[Vec<i64>]) -> (usize, usize) {
        let inputs = vec![Interval::of_width(8, true).unwrap(); rows.len()];
        let problem = Problem::new(Matrix::from_rows(rows).unwrap(), inputs);
        let exact = least_adders(&problem, 20_000_000).unwrap();
        let counts = exact.plans.iter().map(|p| p.nodes.len() - rows.len());
        (exact.lower_bound, counts.min().unwrap_or(usize::MAX))
    }

    /// 11, 43 and 683 are the least constants that need two, three and four adders (Gustafsson, Dempster,
    /// Wanhammar, 2002).
    #[test]
    fn single_constants() {
        for (constant, adders) in
            [(1, 0), (8, 0), (-1, 0), (3, 1), (7, 1), (11, 2), (45, 2), (51, 2), (-45, 2), (43, 3), (683, 4)]
        {
            assert_eq!(least(&[vec![constant]]), (adders, adders), "{constant}");
        }
    }

    #[test]
    fn shared_outputs() {
        // 3x, 5x, 15x: one adder each. x + y, 3(x + y), x - y: one each.
        assert_eq!(least(&[vec![3, 5, 15, -6, 0]]), (3, 3));
        assert_eq!(least(&[vec![1, 3, 1], vec![1, 3, -1]]), (3, 3));
    }

    #[test]
    fn a_spent_budget_leaves_a_bound() {
        let rows = vec![vec![683, 1001], vec![-345, 777]];
        let problem = Problem::new(Matrix::from_rows(&rows).unwrap(), vec![Interval::of_width(8, true).unwrap(); 2]);
        let exact = least_adders(&problem, 100).unwrap();
        assert!(exact.plans.is_empty() && exact.lower_bound >= 2);
    }
}
