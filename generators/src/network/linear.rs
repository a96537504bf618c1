//! Products of constant matrices with computed vectors, and what is made of them.

use std::cell::RefCell;
use std::rc::Rc;

use hdl::dfg::{ModuleBuilder, Value};
use hdl::num::Interval;
use rustc_hash::FxHashMap;

use crate::arith::lower::{build, multiplied, shared};
use crate::arith::{AdderGraph, Effort, Objective, cost};
use crate::model::{Array, Window};

/// Most weights of a matrix that is searched without being asked to; a larger one gets the greedy pass alone.
const SEARCHED: usize = 1 << 12;

/// A matrix with its bias and the ranges of its operands.
type Problem = (Vec<Vec<i64>>, Vec<i64>, Vec<Interval>);

/// Builder of constant products. A convolution has the same one at many positions, so each is solved once.
pub(super) struct Products<'m> {
    m: &'m ModuleBuilder,
    effort: Option<Effort>,
    objective: Objective,
    solved: RefCell<FxHashMap<Problem, Option<Rc<AdderGraph>>>>,
}

impl<'m> Products<'m> {
    /// Without an effort it depends on the matrix.
    pub(super) fn new(m: &'m ModuleBuilder, effort: Option<Effort>, objective: Objective) -> Self {
        Self {
            m,
            effort,
            objective,
            solved: RefCell::default(),
        }
    }

    /// `bias + matrix · inputs`, one value for each row of the matrix.
    fn matrix_vector(
        &self,
        inputs: &[Value<'m>],
        matrix: Vec<Vec<i64>>,
        bias: &[i64],
    ) -> Vec<Value<'m>> {
        let ranges = inputs.iter().map(Value::range).collect();
        let problem = (matrix, bias.to_vec(), ranges);
        let known = self.solved.borrow().get(&problem).cloned();
        let graph = known.unwrap_or_else(|| {
            let size = problem.0.len() * inputs.len();
            let effort = self.effort.unwrap_or(match size <= SEARCHED {
                true => Effort::Normal,
                false => Effort::Fast,
            });
            let graph = shared(inputs, &problem.0, bias, effort, self.objective)
                .ok()
                .map(Rc::new);
            self.solved
                .borrow_mut()
                .insert(problem.clone(), graph.clone());
            graph
        });
        match graph {
            Some(graph) => {
                let cover = (self.objective == Objective::Luts).then(|| cost::cover(&graph));
                build(self.m, inputs, &graph, cover.as_ref())
            }
            None => multiplied(self.m, inputs, &problem.0, bias),
        }
    }
}

fn rows(weights: &[i64], len: usize) -> Vec<Vec<i64>> {
    weights.chunks(len.max(1)).map(<[i64]>::to_vec).collect()
}

/// The same matrix for every vector along the last axis.
pub(super) fn dense<'m>(
    products: &Products<'m>,
    x: &[Value<'m>],
    weights: &Array<i64>,
    bias: &[i64],
) -> Vec<Value<'m>> {
    let inputs = weights.shape[1];
    let matrix = rows(&weights.values, inputs);
    x.chunks(inputs)
        .flat_map(|x| products.matrix_vector(x, matrix.clone(), bias))
        .collect()
}

/// One matrix for each position and group: columns that see padding are left out.
pub(super) fn convolution<'m>(
    products: &Products<'m>,
    x: &[Value<'m>],
    shape: &[usize],
    weights: &Array<i64>,
    bias: &[i64],
    window: &Window,
    groups: usize,
) -> Result<Vec<Value<'m>>, String> {
    let positions = window.positions(&shape[2..])?;
    let pixels: usize = shape[2..].iter().product();
    let taps: usize = window.kernel.iter().product();
    let (filters, channels) = (weights.shape[0], weights.shape[1]);
    let per_group = filters / groups;
    let mut results = Vec::new();
    for image in x.chunks(shape[1] * pixels) {
        // filters run slowest in the result, positions slowest here
        let mut planes = vec![Vec::with_capacity(positions.len()); filters];
        for (p, position) in positions.iter().enumerate() {
            for group in 0..groups {
                let seen = |c: usize| {
                    position
                        .iter()
                        .map(move |&(tap, pixel)| (c, tap as usize, pixel as usize))
                };
                let columns: Vec<_> = (0..channels).flat_map(seen).collect();
                let inputs: Vec<_> = columns
                    .iter()
                    .map(|&(c, _, pixel)| image[(group * channels + c) * pixels + pixel])
                    .collect();
                let first = group * per_group;
                let row = |f: usize| {
                    columns
                        .iter()
                        .map(|&(c, tap, _)| weights.values[(f * channels + c) * taps + tap])
                        .collect()
                };
                let matrix: Vec<Vec<i64>> = (first..first + per_group).map(row).collect();
                let name = format!("position{p}_group{group}");
                let sums = products.m.scope(&name, || {
                    products.matrix_vector(&inputs, matrix, &bias[first..first + per_group])
                });
                sums.into_iter()
                    .enumerate()
                    .for_each(|(f, sum)| planes[first + f].push(sum));
            }
        }
        results.extend(planes.into_iter().flatten());
    }
    Ok(results)
}

/// The product of two computed matrices, or of stacks of them.
pub(super) fn matrix_product<'m>(
    m: &'m ModuleBuilder,
    x: &[Value<'m>],
    a: &[usize],
    y: &[Value<'m>],
    b: &[usize],
    out: &[usize],
) -> Vec<Value<'m>> {
    let (outer, [rows, columns]) = out.split_last_chunk::<2>().expect("a matrix has two axes");
    let depth = a[a.len() - 1];
    let blocks = |shape: &[usize]| {
        let shape = shape[..shape.len() - 2].to_vec();
        let count = shape.iter().product::<usize>();
        let numbers = Array {
            shape,
            values: (0..count).collect(),
        };
        numbers
            .stretched(outer)
            .expect("checked when the graph was built")
    };
    let mut results = Vec::with_capacity(out.iter().product());
    for (i, j) in blocks(a).into_iter().zip(blocks(b)) {
        let (x, y) = (&x[i * rows * depth..], &y[j * depth * columns..]);
        for row in 0..*rows {
            for column in 0..*columns {
                let product = |k: usize| x[row * depth + k] * y[k * columns + column];
                let products: Vec<_> = (0..depth).map(product).collect();
                results.push(Value::sum(&products).unwrap_or_else(|| m.constant(0, 0)));
            }
        }
    }
    results
}
