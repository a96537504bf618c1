//! Products of constant matrices with computed vectors, and what is made of them.

use hdl::dfg::{ModuleBuilder, Value};

use crate::model::{Array, Window};

/// `bias + matrix · inputs`, one value for each row of the matrix.
///
/// # Panics
/// If a row is not as long as `inputs`, or there are not as many biases as rows.
pub fn matrix_vector<'m>(
    m: &'m ModuleBuilder,
    inputs: &[Value<'m>],
    matrix: &[Vec<i64>],
    bias: &[i64],
) -> Vec<Value<'m>> {
    assert_eq!(matrix.len(), bias.len(), "one bias a row");
    let row = |(row, bias): (&Vec<i64>, &i64)| {
        assert_eq!(row.len(), inputs.len(), "one weight an input");
        let products = row
            .iter()
            .zip(inputs)
            .filter(|(w, _)| **w != 0)
            .map(|(w, x)| *x * m.constant((*w).into(), 0));
        let bias = Some(m.constant((*bias).into(), 0)).filter(|_| *bias != 0);
        let addends: Vec<Value<'m>> = products.chain(bias).collect();
        Value::sum(&addends).unwrap_or_else(|| m.constant(0, 0))
    };
    matrix.iter().zip(bias).map(row).collect()
}

fn rows(weights: &[i64], len: usize) -> Vec<Vec<i64>> {
    weights.chunks(len.max(1)).map(<[i64]>::to_vec).collect()
}

/// The same matrix for every vector along the last axis.
pub(super) fn dense<'m>(
    m: &'m ModuleBuilder,
    x: &[Value<'m>],
    weights: &Array<i64>,
    bias: &[i64],
) -> Vec<Value<'m>> {
    let inputs = weights.shape[1];
    let matrix = rows(&weights.values, inputs);
    x.chunks(inputs)
        .flat_map(|x| matrix_vector(m, x, &matrix, bias))
        .collect()
}

/// One matrix for each position and group: columns that see padding are left out.
pub(super) fn convolution<'m>(
    m: &'m ModuleBuilder,
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
                let sums = m.scope(&name, || {
                    matrix_vector(m, &inputs, &matrix, &bias[first..first + per_group])
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
