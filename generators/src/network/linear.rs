//! Products of constant matrices with computed vectors, and what is made of them.

use std::rc::Rc;

use hdl::dfg::{ModuleBuilder, Value};
use rustc_hash::FxHashMap;

use crate::arith::{self, Arithmetic, Effort};
use crate::model::{Array, Window};

/// The products of an unrolled network.
pub(super) struct Products<'m> {
    m: &'m ModuleBuilder,
    all: Rc<arith::Products>,
}

impl<'m> Products<'m> {
    /// Without an effort it depends on the matrix.
    pub(super) fn new(m: &'m ModuleBuilder, effort: Option<Effort>, arithmetic: Arithmetic) -> Self {
        Self::shared(m, Rc::new(arith::Products::new(arithmetic, effort)))
    }

    /// Products that other modules have in common.
    pub(super) fn shared(m: &'m ModuleBuilder, all: Rc<arith::Products>) -> Self {
        Self { m, all }
    }

    /// The products of all modules.
    pub(super) fn all(&self) -> &arith::Products {
        &self.all
    }

    /// What products are made of.
    pub(super) fn arithmetic(&self) -> Arithmetic {
        *self.all.arithmetic()
    }

    /// `bias + matrix · inputs`, one value for each row of the matrix.
    fn matrix_vector(&self, inputs: &[Value<'m>], matrix: &[Vec<i64>], bias: &[i64]) -> Vec<Value<'m>> {
        self.all.linear(self.m, inputs, matrix, bias, 0)
    }

    /// `x·y`. A constant factor is a matrix of one weight.
    pub(super) fn product(&self, x: Value<'m>, y: Value<'m>) -> Value<'m> {
        let constant = |v: Value<'m>| v.range().as_point().and_then(|factor| i64::try_from(factor).ok());
        match (constant(x), constant(y)) {
            (_, Some(factor)) => self.matrix_vector(&[x], &[vec![factor]], &[0])[0],
            (Some(factor), _) => self.matrix_vector(&[y], &[vec![factor]], &[0])[0],
            _ => self.dot(&[(x, y)]),
        }
    }

    /// `Σ x·y` of computed values. Rows are made of the narrower factors, which have fewer digits.
    pub(super) fn dot(&self, factors: &[(Value<'m>, Value<'m>)]) -> Value<'m> {
        let width = |v: Value<'m>| v.range().width();
        let turned = |&(x, y): &(Value<'m>, Value<'m>)| match width(x) < width(y) {
            true => (y, x),
            false => (x, y),
        };
        let factors: Vec<_> = factors.iter().map(turned).collect();
        let variables = self.all.arithmetic().variables;
        variables.sum(self.m, &factors, &[], None)
    }
}

/// Most entries of the one matrix that several products become.
const JOINT: usize = 1 << 16;

/// One of several products: `bias + matrix · inputs`.
struct Product<'m> {
    scope: Option<String>,
    inputs: Vec<Value<'m>>,
    matrix: Vec<Vec<i64>>,
    bias: Vec<i64>,
}

impl<'m> Products<'m> {
    /// Several products, each in its scope if it has one. Those that read the same values, as windows that overlap or pairs with one
    /// node in common do, become one matrix, so that they share adders.
    fn several(&self, products: Vec<Product<'m>>) -> Vec<Vec<Value<'m>>> {
        match Self::joint(&products) {
            Some((inputs, matrix)) => {
                let bias: Vec<i64> = products.iter().flat_map(|p| p.bias.clone()).collect();
                let mut sums = self.matrix_vector(&inputs, &matrix, &bias).into_iter();
                let of = |p: &Product<'m>| sums.by_ref().take(p.bias.len()).collect();
                products.iter().map(of).collect()
            }
            None => {
                let alone = |p: Product<'m>| {
                    let sums = || self.matrix_vector(&p.inputs, &p.matrix, &p.bias);
                    match &p.scope {
                        Some(scope) => self.m.scope(scope, sums),
                        None => sums(),
                    }
                };
                products.into_iter().map(alone).collect()
            }
        }
    }

    /// The products as one matrix on all their inputs, unless they have none in common or it would be too large.
    fn joint(products: &[Product<'m>]) -> Option<(Vec<Value<'m>>, Vec<Vec<i64>>)> {
        let mut places = FxHashMap::default();
        let mut inputs: Vec<Value<'m>> = Vec::new();
        for x in products.iter().flat_map(|p| &p.inputs) {
            places.entry((x.node(), x.frac())).or_insert_with(|| {
                inputs.push(*x);
                inputs.len() - 1
            });
        }
        let read: usize = products.iter().map(|p| p.inputs.len()).sum();
        let outputs: usize = products.iter().map(|p| p.bias.len()).sum();
        if products.len() < 2 || inputs.len() == read || inputs.len() * outputs > JOINT {
            return None;
        }
        let row = |p: &Product<'m>, weights: &[i64]| {
            let mut row = vec![0; inputs.len()];
            for (x, w) in p.inputs.iter().zip(weights) {
                row[places[&(x.node(), x.frac())]] += w;
            }
            row
        };
        let rows = products.iter().flat_map(|p| p.matrix.iter().map(|weights| row(p, weights))).collect();
        Some((inputs, rows))
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
    let vectors: Vec<&[Value<'m>]> = x.chunks(inputs).collect();
    if let &[x] = vectors.as_slice() {
        return products.matrix_vector(x, &matrix, bias);
    }
    let product =
        |x: &[Value<'m>]| Product { scope: None, inputs: x.to_vec(), matrix: matrix.clone(), bias: bias.to_vec() };
    let each = vectors.into_iter().map(product).collect();
    products.several(each).into_iter().flatten().collect()
}

/// A matrix for each position and group: columns that see padding are left out.
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
        let mut parts = Vec::with_capacity(positions.len() * groups);
        for (p, position) in positions.iter().enumerate() {
            for group in 0..groups {
                let seen = |c: usize| position.iter().map(move |&(tap, pixel)| (c, tap as usize, pixel as usize));
                let columns: Vec<_> = (0..channels).flat_map(seen).collect();
                let inputs: Vec<_> =
                    columns.iter().map(|&(c, _, pixel)| image[(group * channels + c) * pixels + pixel]).collect();
                let first = group * per_group;
                let row = |f: usize| {
                    columns.iter().map(|&(c, tap, _)| weights.values[(f * channels + c) * taps + tap]).collect()
                };
                let matrix: Vec<Vec<i64>> = (first..first + per_group).map(row).collect();
                parts.push(Product {
                    scope: Some(format!("position{p}_group{group}")),
                    inputs,
                    matrix,
                    bias: bias[first..first + per_group].to_vec(),
                });
            }
        }
        // filters run slowest in the result, positions slowest here
        let mut planes = vec![Vec::with_capacity(positions.len()); filters];
        for (part, sums) in products.several(parts).into_iter().enumerate() {
            let first = part % groups * per_group;
            let sums = sums.into_iter().enumerate();
            sums.for_each(|(f, sum)| planes[first + f].push(sum));
        }
        results.extend(planes.into_iter().flatten());
    }
    Ok(results)
}

/// The product of two computed matrices, or of stacks of them.
pub(super) fn matrix_product<'m>(
    products: &Products<'m>,
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
        let numbers = Array { shape, values: (0..count).collect() };
        numbers.stretched(outer).expect("checked when the graph was built")
    };
    let mut results = Vec::with_capacity(out.iter().product());
    for (i, j) in blocks(a).into_iter().zip(blocks(b)) {
        let (x, y) = (&x[i * rows * depth..], &y[j * depth * columns..]);
        for row in 0..*rows {
            for column in 0..*columns {
                let factors = |k: usize| (x[row * depth + k], y[k * columns + column]);
                let factors: Vec<_> = (0..depth).map(factors).collect();
                results.push(products.dot(&factors));
            }
        }
    }
    results
}

#[cfg(test)]
mod tests {
    use hdl::num::Format;

    use super::*;

    /// Additions of two windows of three values, which overlap by two or not at all.
    fn additions(overlap: bool) -> usize {
        let m = ModuleBuilder::new("windows");
        let x = m.input_array("x", 6, Format::signed(8, 0).unwrap());
        let windows = match overlap {
            true => [x[0], x[1], x[2], x[1], x[2], x[3]],
            false => [x[0], x[1], x[2], x[3], x[4], x[5]],
        };
        let products = Products::new(&m, Some(Effort::Fast), Arithmetic::default());
        let weights = Array { shape: vec![1, 3], values: vec![1, 1, 1] };
        let sums = dense(&products, &windows, &weights, &[7]);
        m.output_array("y", &sums);
        let module = m.finish().unwrap();
        let graph = &module.graph;
        let adds = |n: &hdl::dfg::NodeId| matches!(graph.op(*n), hdl::dfg::Op::Add(..) | hdl::dfg::Op::Sub(..));
        graph.nodes().filter(adds).count()
    }

    #[test]
    fn products_that_read_the_same_values_share_adders() {
        assert!(additions(true) < additions(false));
    }
}
