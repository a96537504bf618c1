//! Sums of inputs of few bits by tables.
//!
//! Inputs that together have as many bits as a look-up table has inputs are summed by one table for each bit of the result,
//! whatever their weights. Where the carry chain takes the exclusive or of its operands from the look-up table, as on AMD
//! parts, an adder's own tables compute one of its operands out of all their inputs but one: `s - t(x)` costs no more than
//! `s - y`. The operand is the subtracted one, with its sign turned, since the other one goes to the carry chain as it is.
//!
//! A column's inputs of few bits are divided into tables in their order; a few tables in a row make a leg, legs and the
//! adders of the other inputs make a tree. Tables share nothing but their equals, so they win where inputs have one bit, or
//! where there are few outputs. Where adders win, the small ones among them still become tables ([`small_sums`]).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::FxHashMap;

use crate::arith::cost::{self, width};
use crate::arith::graph::{AdderGraph, Node, NodeId, Op, TableTerm, Term};
use crate::arith::optimise::assemble::assemble;
use crate::arith::optimise::search::{Effort, search};
use crate::arith::problem::{Matrix, Problem, ends};
use crate::arith::tables::small_sums;

/// Widest input that may go to a table.
const WIDEST: u32 = 3;

/// Tables in a row, the first of them not in an adder: a longer row would take more carry chains one after the other.
const LEG: usize = 3;

/// The graph with tables that takes the fewest look-up tables, if there is one that takes no more than `adders`.
///
/// The problem is valid. Inputs of one, of up to two and of up to three bits are tried.
pub fn cheaper(problem: &Problem, effort: Effort, seed: u64, adders: &AdderGraph) -> Option<AdderGraph> {
    let inputs = problem.objective.table_inputs()?;
    let luts = |graph: &AdderGraph| cost::luts(graph, problem.objective);
    let mut best = small_sums::tabulated(problem, inputs, adders).filter(|graph| luts(graph) <= luts(adders));
    let mut least = luts(best.as_ref().unwrap_or(adders));
    let mut tried = 0;
    for widest in 1..=WIDEST.min(inputs) {
        let few = few_bits(problem, widest);
        let count = few.iter().filter(|bits| bits.is_some()).count();
        if count == tried {
            continue;
        }
        tried = count;
        let graph = Builder::new(problem, &few, inputs, effort, seed).build();
        let cost = luts(&graph);
        let depth = problem.max_depth.is_none_or(|d| graph.depth() <= d);
        if depth && cost < least {
            (best, least) = (Some(graph), cost);
        }
    }
    best
}

/// The width of each input of at most `widest` bits.
fn few_bits(problem: &Problem, widest: u32) -> Vec<Option<u32>> {
    let few = |bits: u32| (1..=widest).contains(&bits).then_some(bits);
    let ranges = problem.inputs.iter().map(|range| ends(*range));
    ranges.map(|(lo, hi)| few(width(lo, hi))).collect()
}

/// A sum under construction, latest last: adder levels, width, and what is summed.
type Leg = Reverse<(u32, u32, u32, Term)>;

struct Builder<'a> {
    problem: &'a Problem,
    few: &'a [Option<u32>],
    /// Inputs of a look-up table.
    inputs: u32,
    graph: AdderGraph,
    /// Tables that adders do not compute, by what they sum.
    known: FxHashMap<(Vec<TableTerm>, i64), NodeId>,
}

impl<'a> Builder<'a> {
    /// The adders of the inputs that do not go to tables, with the biases of outputs without tables.
    fn new(problem: &'a Problem, few: &'a [Option<u32>], inputs: u32, effort: Effort, seed: u64) -> Self {
        let matrix = &problem.matrix;
        let row = |i: usize| match few[i] {
            Some(_) => vec![0; matrix.columns()],
            None => matrix.row(i).to_vec(),
        };
        let rows: Vec<Vec<i64>> = (0..matrix.rows()).map(row).collect();
        let has_table = |j: usize| matrix.column(j).any(|(i, _)| few[i as usize].is_some());
        let bias = |(j, b): (usize, &i64)| if has_table(j) { 0 } else { *b };
        let rest = Problem {
            matrix: Matrix::from_rows(&rows).expect("as long as the rows of the matrix"),
            inputs: problem.inputs.clone(),
            bias: problem.bias.as_ref().map(|b| b.iter().enumerate().map(bias).collect()),
            free_output_signs: true,
            ..*problem
        };
        Self {
            problem,
            few,
            inputs,
            graph: assemble(search(&rest, effort, seed).plan, &rest),
            known: FxHashMap::default(),
        }
    }

    fn build(mut self) -> AdderGraph {
        for column in 0..self.problem.matrix.columns() {
            let bias = self.problem.bias.as_ref().map_or(0, |b| b[column]);
            let weights = self.problem.matrix.column(column);
            let terms: Vec<TableTerm> = weights
                .filter_map(|(input, weight)| {
                    let bits = self.few[input as usize]?;
                    Some(TableTerm { input, bits, weight })
                })
                .collect();
            let sum = self.graph.outputs[column];
            self.graph.outputs[column] = match sum {
                _ if !terms.is_empty() => Some(self.column(&terms, bias, sum)),
                Some(sum) if sum.neg && !self.problem.free_output_signs => Some(self.negated(sum)),
                _ => sum,
            };
        }
        self.graph
    }

    /// The sum of `start`, which may be negative, and of `terms`.
    fn column(&mut self, terms: &[TableTerm], mut bias: i64, mut start: Option<Term>) -> Term {
        let joins = self.inputs > 4;
        let mut legs: BinaryHeap<Leg> = BinaryHeap::new();
        let mut rest = terms;
        while !rest.is_empty() || start.is_some() {
            let mut first = || self.table(taken(&mut rest, self.inputs), std::mem::take(&mut bias), false);
            let mut leg = match start.take() {
                None => first(),
                // a table that the sum is subtracted from takes less than an adder that turns it round
                Some(sum) if sum.neg => {
                    let table = first();
                    self.sum(table, sum)
                }
                Some(sum) => sum,
            };
            for _ in 1..LEG {
                if joins && !rest.is_empty() {
                    let table = self.table(taken(&mut rest, self.inputs - 1), std::mem::take(&mut bias), true);
                    leg = self.sum(leg, table);
                }
            }
            legs.push(self.leg(leg));
        }
        loop {
            let Reverse((.., first)) = legs.pop().expect("there is a table");
            let Some(Reverse((.., second))) = legs.pop() else {
                return first;
            };
            let sum = self.sum(first, second);
            legs.push(self.leg(sum));
        }
    }

    /// `0 - term`.
    fn negated(&mut self, term: Term) -> Term {
        let node = self.graph.nodes[term.node as usize];
        let (lo, hi) = term.range((node.lo, node.hi));
        let op = Op::Add {
            a: Term::plain(self.graph.push(Node { op: Op::Constant { value: 0 }, lo: 0, hi: 0, depth: 0 })),
            b: term,
        };
        Term::plain(self.graph.push(Node { op, lo, hi, depth: node.depth }))
    }

    fn leg(&self, term: Term) -> Leg {
        let node = &self.graph.nodes[term.node as usize];
        Reverse((node.depth, width(node.lo, node.hi), term.node, term))
    }

    /// The node of a table, negated if it is to be subtracted, and the term that is the sum of `terms` and `bias`.
    fn table(&mut self, terms: &[TableTerm], bias: i64, subtracted: bool) -> Term {
        let zeros = terms.iter().map(|t| t.weight).chain([bias].into_iter().filter(|b| *b != 0));
        let shift = zeros.map(i64::trailing_zeros).min().unwrap_or(0);
        let scaled = |w: i64| {
            if subtracted { -(w >> shift) } else { w >> shift }
        };
        let terms: Vec<TableTerm> = terms.iter().map(|t| TableTerm { weight: scaled(t.weight), ..*t }).collect();
        let key = (terms, scaled(bias));
        let known = self.known.get(&key).filter(|_| !subtracted).copied();
        let node = known.unwrap_or_else(|| {
            let node = self.graph.push_table(key.0.clone(), key.1, &self.problem.inputs);
            self.known.insert(key, node);
            node
        });
        Term { node, shift: shift as u8, neg: subtracted }
    }

    /// The sum of two terms of different inputs, of which at most one is negative.
    fn sum(&mut self, a: Term, b: Term) -> Term {
        let shift = a.shift.min(b.shift);
        let [a, b] = [a, b].map(|t| Term { shift: t.shift - shift, ..t });
        let node = |t: Term| self.graph.nodes[t.node as usize];
        let range = |t: Term| t.range((node(t).lo, node(t).hi));
        let (x, y) = (range(a), range(b));
        let depth = node(a).depth.max(node(b).depth) + 1;
        let node = self.graph.push(Node { op: Op::Add { a, b }, lo: x.0 + y.0, hi: x.1 + y.1, depth });
        Term { shift, ..Term::plain(node) }
    }
}

/// Takes the first terms that together have at most `inputs` bits.
fn taken<'t>(rest: &mut &'t [TableTerm], inputs: u32) -> &'t [TableTerm] {
    let mut bits = 0;
    let fits = |t: &&TableTerm| {
        bits += t.bits;
        bits <= inputs
    };
    let count = rest.iter().take_while(fits).count();
    let (first, others) = rest.split_at(count);
    *rest = others;
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arith::certify::adders::{Refuted, check};
    use crate::arith::graph::Table;
    use crate::arith::products::operators as lower;
    use crate::arith::{Objective, optimise};
    use hdl::dfg::{ModuleBuilder, eval};
    use hdl::num::{Format, Interval};

    fn problem(rows: usize, columns: usize, inputs: &[Interval], objective: Objective) -> Problem {
        let mut random = fastrand::Rng::with_seed(7);
        let weights: Vec<Vec<i64>> = (0..rows).map(|_| (0..columns).map(|_| random.i64(-32..32)).collect()).collect();
        let inputs = inputs.iter().cycle().take(rows).copied().collect();
        let mut problem = Problem::new(Matrix::from_rows(&weights).unwrap(), inputs);
        problem.bias = Some((0..columns as i64).map(|j| 5 * j - 9).collect());
        problem.objective = objective;
        problem
    }

    fn sample() -> (Problem, AdderGraph) {
        let ternary = Interval::new(-1, 1).unwrap();
        let inputs = [Interval::of_width(1, false).unwrap(), ternary, Interval::of_width(1, true).unwrap()];
        let problem = problem(12, 3, &inputs, Objective::Luts);
        let graph = optimise(&problem, Effort::Fast, 0).unwrap();
        assert!(!graph.tables.is_empty());
        assert_eq!(check(&problem, &graph), Ok(()));
        (problem, graph)
    }

    #[test]
    fn one_bit_inputs_go_to_tables_and_take_fewer() {
        let problem = problem(16, 16, &[Interval::of_width(1, false).unwrap()], Objective::Luts);
        let adders = assemble(search(&problem, Effort::Fast, 0).plan, &problem);
        let graph = optimise(&problem, Effort::Fast, 0).unwrap();
        let luts = |graph| cost::luts(graph, Objective::Luts);
        assert!(!graph.tables.is_empty() && 4 * luts(&graph) < 3 * luts(&adders));
    }

    #[test]
    fn wide_inputs_and_cells_take_no_tables() {
        let of = |bits, objective| {
            let problem = problem(6, 6, &[Interval::of_width(bits, true).unwrap()], objective);
            optimise(&problem, Effort::Fast, 0).unwrap().tables.len()
        };
        assert_eq!(of(8, Objective::Luts), 0);
        assert_eq!(of(1, Objective::AdderBits), 0);
    }

    #[test]
    fn the_module_is_the_graph() {
        let (problem, graph) = sample();
        let m = ModuleBuilder::new("matrix");
        let formats = problem.inputs.iter().map(|range| Format::integer(*range));
        let x = m.input_port("x", formats.collect::<Vec<_>>(), hdl::dfg::Stamp::at(0));
        let cover = cost::cover(&graph);
        m.output_array("y", &lower::build(&m, &x, &graph, Some(&cover)));
        let module = m.finish().unwrap();
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..200 {
            let x: Vec<i64> =
                problem.inputs.iter().map(|range| random.i64(range.lo() as i64..=range.hi() as i64)).collect();
            let expected: Vec<i128> = graph.eval(&x).into_iter().map(i128::from).collect();
            let x: Vec<i128> = x.into_iter().map(i128::from).collect();
            assert_eq!(eval::evaluate(&module, &x).unwrap(), expected);
        }
    }

    #[test]
    fn the_certificate_refutes_a_changed_entry() {
        let (problem, graph) = sample();
        let mut entries = 0;
        for table in 0..graph.tables.len() {
            for index in 0..graph.tables[table].entries.len() {
                let mut wrong = graph.clone();
                wrong.tables[table].entries[index] += 1;
                // only a pattern that no value of a ternary input has may hold anything
                let refuted = check(&problem, &wrong);
                let unused = graph.tables[table].terms.iter().any(|t| t.bits == 2);
                assert!(refuted.is_err() || unused, "table {table}, entry {index}");
                entries += usize::from(matches!(refuted, Err(Refuted::Entry { .. })));
            }
        }
        assert!(entries > 100, "{entries}");
    }

    #[test]
    fn the_certificate_refutes_changed_tables() {
        let (problem, graph) = sample();
        let changes: [fn(&mut Table); 6] = [
            |t| t.terms[0].weight += 1,
            |t| t.terms[0].input = 99,
            |t| t.terms[0].bits += 1,
            |t| t.terms.swap(0, 1),
            |t| t.bias += 1,
            |t| _ = t.entries.pop(),
        ];
        for change in changes {
            let mut wrong = graph.clone();
            change(&mut wrong.tables[0]);
            assert!(check(&problem, &wrong).is_err());
        }
        let mut wrong = graph.clone();
        wrong.tables.pop();
        assert!(matches!(check(&problem, &wrong), Err(Refuted::Patterns { .. })));
    }

    #[test]
    fn a_depth_bound_is_kept() {
        let mut problem = problem(16, 2, &[Interval::of_width(1, false).unwrap()], Objective::Luts);
        let free = optimise(&problem, Effort::Fast, 0).unwrap();
        for depth in problem.least_depth().unwrap().1..free.depth() + 3 {
            problem.max_depth = Some(depth);
            let graph = optimise(&problem, Effort::Fast, 0).unwrap();
            assert_eq!(check(&problem, &graph), Ok(()));
        }
    }
}
