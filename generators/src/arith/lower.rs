//! From an adder graph to the data-flow graph of a module.

use hdl::dfg::{ModuleBuilder, Value};
use hdl::lower::Cover;

use super::fabric::{Fabric, Sums};
use super::graph::{AdderGraph, Op, Table, Term};
use super::problem::{ArithError, InputSpec, Matrix, Problem};
use super::{Effort, cost, optimise};

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
                sum_of_three(
                    &values,
                    [cost::inside(inner, a), cost::inside(inner, b), other],
                )
            }
        };
        let width = cost::width(node.lo, node.hi);
        values.push(if !inside[n] && value.range().width() > width {
            value.wrap(width, node.lo < 0)
        } else {
            value
        });
    }
    let output = |term: &Option<Term>| match term {
        Some(term) if term.neg => -shifted(&values, *term),
        Some(term) => shifted(&values, *term),
        None => m.constant(0, 0),
    };
    graph.outputs.iter().map(output).collect()
}

/// `bias + Σ inputs·weights` for each row of `weights`, exactly; `bias` counts in units of the products' last place.
///
/// The adders are shared by the optimiser, at its fast effort. Sums that leave its 60 bits are made of multipliers.
///
/// # Panics
/// If a row is not as long as `inputs`, or there are not as many biases as rows.
pub fn linear<'m>(
    m: &'m ModuleBuilder,
    inputs: &[Value<'m>],
    weights: &[Vec<i64>],
    bias: &[i64],
    weight_frac: i32,
    fabric: &Fabric,
) -> Vec<Value<'m>> {
    assert_eq!(weights.len(), bias.len(), "one bias a row");
    assert!(
        weights.iter().all(|row| row.len() == inputs.len()),
        "one weight an input"
    );
    let input_frac = inputs.iter().map(Value::frac).max().unwrap_or(0);
    let inputs: Vec<Value<'m>> = inputs
        .iter()
        .map(|x| x.extended(input_frac).with_frac(0))
        .collect();
    let sums = match shared(&inputs, weights, bias, Effort::Fast, fabric) {
        Ok(sums) => sums.build(m, &inputs),
        Err(_) => multiplied(m, &inputs, weights, bias),
    };
    sums.into_iter()
        .map(|sum| sum.with_frac(input_frac + weight_frac))
        .collect()
}

/// The sums `bias + Σ inputs·weights` for each row of `weights`, for integers in the inputs' ranges.
///
/// # Errors
/// Rows of different lengths; sums beyond the optimiser's 60 bits, for which there is [`multiplied`].
pub fn shared(
    inputs: &[Value<'_>],
    weights: &[Vec<i64>],
    bias: &[i64],
    effort: Effort,
    fabric: &Fabric,
) -> Result<Sums, ArithError> {
    let rows: Vec<Vec<i64>> = (0..inputs.len())
        .map(|i| weights.iter().map(|row| row[i]).collect())
        .collect();
    let mut problem = Problem::new(
        Matrix::from_rows(&rows)?,
        inputs.iter().map(specification).collect(),
    );
    problem.bias = Some(bias.to_vec());
    fabric.solve(problem, effort)
}

/// The same out of multipliers, for numbers of any width.
pub fn multiplied<'m>(
    m: &'m ModuleBuilder,
    inputs: &[Value<'m>],
    weights: &[Vec<i64>],
    bias: &[i64],
) -> Vec<Value<'m>> {
    let sum = |(row, bias): (&Vec<i64>, &i64)| {
        let products = row
            .iter()
            .zip(inputs)
            .filter(|(w, _)| **w != 0)
            .map(|(w, x)| *x * m.constant((*w).into(), 0));
        let addends: Vec<Value<'m>> = products.chain([m.constant((*bias).into(), 0)]).collect();
        Value::sum(&addends).expect("there is a bias")
    };
    weights.iter().zip(bias).map(sum).collect()
}

/// `input · c` for each of `constants`, exactly, with shared adders.
///
/// # Errors
/// As for [`linear`].
pub fn multiples<'m>(
    m: &'m ModuleBuilder,
    input: Value<'m>,
    constants: &[i64],
) -> Result<Vec<Value<'m>>, ArithError> {
    let problem = Problem::new(
        Matrix::from_rows(&[constants.to_vec()])?,
        vec![specification(&input)],
    );
    let graph = optimise(&problem, Effort::Fast, 0)?;
    Ok(build(m, &[input], &graph, None))
}

/// The range of a value as the optimiser takes it.
fn specification(value: &Value<'_>) -> InputSpec {
    let range = value.range();
    let bound = |v: i128| i64::try_from(v).unwrap_or(if v < 0 { i64::MIN } else { i64::MAX });
    InputSpec {
        lo: bound(range.lo()),
        hi: bound(range.hi()),
        arrival: 0,
    }
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
    use crate::arith::Objective;
    use hdl::dfg::eval;
    use hdl::num::Format;

    #[test]
    fn the_module_is_the_matrix() {
        let weights = vec![
            vec![3, -7, 0],
            vec![-5, -1, -2],
            vec![0, 0, 0],
            vec![31, 29, -128],
        ];
        let bias = [4, 0, -9, 1];
        let m = ModuleBuilder::new("matrix");
        let x = m.input_array("x", 3, Format::signed(6, 2).unwrap());
        let y = linear(&m, &x, &weights, &bias, 3, &Fabric::default());
        assert!(y.iter().all(|v| v.frac() == 5));
        m.output_array("y", &y);
        let module = m.finish().unwrap();
        for x in [[0, 0, 0], [31, -32, 5], [-32, -32, -32], [-1, 17, 30]] {
            let expected: Vec<i128> = weights
                .iter()
                .zip(bias)
                .map(|(row, b)| i128::from(row.iter().zip(x).map(|(w, x)| w * x).sum::<i64>() + b))
                .collect();
            assert_eq!(
                eval::evaluate(&module, &x.map(i128::from)).unwrap(),
                expected
            );
        }
    }

    #[test]
    fn sums_of_three_are_the_matrix_too() {
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..20 {
            let rows: Vec<Vec<i64>> = (0..6)
                .map(|_| (0..4).map(|_| random.i64(-20..20)).collect())
                .collect();
            let inputs = vec![InputSpec::bits(5, true); 6];
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

    #[test]
    fn no_inputs_and_wide_inputs_are_summed_too() {
        let m = ModuleBuilder::new("wide");
        let x = m.input("x", Format::signed(64, 0).unwrap());
        let y = linear(
            &m,
            &[x, x << 1],
            &[vec![3, -1]],
            &[5],
            0,
            &Fabric::default(),
        );
        m.output_array(
            "y",
            &[
                y[0],
                linear(&m, &[], &[vec![]], &[7], 0, &Fabric::default())[0],
            ],
        );
        let module = m.finish().unwrap();
        assert_eq!(
            eval::evaluate(&module, &[1 << 62]).unwrap(),
            [(1i128 << 62) + 5, 7]
        );
    }

    #[test]
    fn multiples_share_and_are_exact() {
        let m = ModuleBuilder::new("multiples");
        let x = m.input("x", Format::unsigned(8, 0).unwrap());
        let constants = [5, -5, 0, 1, -1, 21, 32, -32];
        m.output_array("y", &multiples(&m, x, &constants).unwrap());
        let module = m.finish().unwrap();
        for x in [0i64, 1, 77, 255] {
            let expected: Vec<i128> = constants.iter().map(|c| i128::from(c * x)).collect();
            assert_eq!(eval::evaluate(&module, &[i128::from(x)]).unwrap(), expected);
        }
    }
}
