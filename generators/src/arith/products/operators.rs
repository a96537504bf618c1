//! From an adder graph to the data-flow graph of a module.

use hdl::dfg::{ModuleBuilder, Value};
use hdl::lower::Cover;

use crate::arith::cost;
use crate::arith::graph::{AdderGraph, Op, Table, Term};

/// The outputs of `graph` on `inputs`, as integers. Adders that `cover` takes into others are written as sums of three.
///
/// A node is cut to the width that its linear form needs. Nothing is lost by that: its range says that the value fits.
pub fn build<'m>(
    m: &'m ModuleBuilder,
    inputs: &[Value<'m>],
    graph: &AdderGraph,
    cover: Option<&Cover>,
) -> Vec<Value<'m>> {
    let taken = |n: usize| {
        let Op::Add { a, b } = graph.nodes[n].op else {
            return None;
        };
        let side = cover?.takes[n]?;
        Some(if side == 0 { (a, b) } else { (b, a) })
    };
    let mut inside = vec![false; graph.nodes.len()];
    for (inner, _) in (0..graph.nodes.len()).filter_map(taken) {
        inside[inner.node as usize] = true;
    }
    // Nothing reads the value of a node inside another, so any value may stand in its place.
    let nothing = m.constant(0, 0);
    let mut values: Vec<Value<'m>> = Vec::with_capacity(graph.nodes.len());
    for (n, node) in graph.nodes.iter().enumerate() {
        let value = match (node.op, taken(n)) {
            _ if inside[n] => nothing,
            (Op::Input { index }, _) => inputs[index as usize].with_frac(0),
            (Op::Constant { value }, _) => m.constant(i128::from(value), 0),
            (Op::Table { table }, _) => looked_up(m, inputs, &graph.tables[table as usize]),
            (Op::Add { a, b }, None) => sum(&values, a, b),
            (Op::Add { .. }, Some((inner, other))) => {
                let Op::Add { a, b } = graph.nodes[inner.node as usize].op else {
                    unreachable!("only an adder is taken into another")
                };
                sum_of_three(&values, [cost::inside(inner, a), cost::inside(inner, b), other])
            }
        };
        let width = cost::width(node.lo, node.hi);
        values.push(if !inside[n] && value.range().width() > width { value.wrap(width, node.lo < 0) } else { value });
    }
    let output = |term: &Option<Term>| match term {
        Some(term) if term.neg => -shifted(&values, *term),
        Some(term) => shifted(&values, *term),
        None => m.constant(0, 0),
    };
    graph.outputs.iter().map(output).collect()
}

/// The table's entry at the bits of its inputs.
fn looked_up<'m>(m: &'m ModuleBuilder, inputs: &[Value<'m>], table: &Table) -> Value<'m> {
    let (mut index, mut bits) = (m.constant(0, 0), 0);
    for term in table.terms.iter().filter(|t| t.bits > 0) {
        let pattern = inputs[term.input as usize].slice(term.bits - 1, 0);
        index = match bits {
            0 => pattern,
            _ => pattern.concat(index, bits),
        };
        bits += term.bits;
    }
    let entries: Vec<i128> = table.entries.iter().map(|e| i128::from(*e)).collect();
    index.lookup(&entries, 0)
}

fn shifted<'m>(values: &[Value<'m>], term: Term) -> Value<'m> {
    (values[term.node as usize] << u32::from(term.shift)).extended(0)
}

fn sum<'m>(values: &[Value<'m>], a: Term, b: Term) -> Value<'m> {
    let (x, y) = (shifted(values, a), shifted(values, b));
    match (a.neg, b.neg) {
        (false, false) => x + y,
        (false, true) => x - y,
        (true, false) => y - x,
        (true, true) => -(x + y),
    }
}

/// At most two of the terms are negative.
fn sum_of_three<'m>(values: &[Value<'m>], mut terms: [Term; 3]) -> Value<'m> {
    terms.sort_by_key(|t| t.neg);
    let [x, y, z] = terms;
    let (first, last) = (sum(values, x, y), shifted(values, z));
    if z.neg { first - last } else { first + last }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arith::{Effort, Matrix, Objective, Problem, optimise};
    use hdl::dfg::eval;
    use hdl::num::Format;
    use hdl::num::Interval;

    #[test]
    fn sums_of_three_are_the_matrix_too() {
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..20 {
            let rows: Vec<Vec<i64>> = (0..6).map(|_| (0..4).map(|_| random.i64(-20..20)).collect()).collect();
            let inputs = vec![Interval::of_width(5, true).unwrap(); 6];
            let mut problem = Problem::new(Matrix::from_rows(&rows).unwrap(), inputs);
            problem.objective = Objective::Luts;
            let graph = optimise(&problem, Effort::Fast, 0).unwrap();
            let cover = cost::cover(&graph);
            assert!(cover.takes.iter().any(Option::is_some));
            let m = ModuleBuilder::new("matrix");
            let x = m.input_array("x", 6, Format::signed(5, 0).unwrap());
            m.output_array("y", &build(&m, &x, &graph, Some(&cover)));
            let module = m.finish().unwrap();
            for _ in 0..20 {
                let x: Vec<i64> = (0..6).map(|_| random.i64(-16..16)).collect();
                let expected = graph.eval(&x).into_iter().map(i128::from);
                let x: Vec<i128> = x.into_iter().map(i128::from).collect();
                assert!(expected.eq(eval::evaluate(&module, &x).unwrap()));
            }
        }
    }
}
