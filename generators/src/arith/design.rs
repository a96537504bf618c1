//! A constant matrix-vector product as a design: the matrix and the inputs' ranges, and vectors for it.

use std::collections::BTreeMap;

use hdl::diag::Diagnostic;
use hdl::num::Interval;
use serde::{Deserialize, Serialize};
use sim::vectors::{Rows, Vectors};

use crate::arith::problem::{Matrix, Problem, ends};
use crate::size::Size;

/// `y[j] = Σ_i x[i]·W[i][j]`, the content of a matrix's `model.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatrixDesign {
    /// The matrix, one row for each input.
    #[serde(rename = "W")]
    pub rows: Vec<Vec<i64>>,
    /// Least and greatest value of each input.
    pub ranges: Vec<(i64, i64)>,
}

/// What a problem becomes without any sharing: a product a weight that is not 0, one LUT for each bit of each sum.
pub fn size(problem: &Problem) -> Size {
    let (mut products, mut luts) = (0, 0u64);
    for j in 0..problem.matrix.columns() {
        let (mut count, mut most) = (0u64, 0u128);
        for (i, weight) in problem.matrix.column(j) {
            let (lo, hi) = ends(problem.inputs[i as usize]);
            count += 1;
            let product = u128::from(lo.unsigned_abs().max(hi.unsigned_abs())) * u128::from(weight.unsigned_abs());
            most = most.saturating_add(product);
        }
        products += count;
        luts = luts.saturating_add(count * u64::from(u128::BITS - most.leading_zeros() + 1));
    }
    Size::Unrolled { products, luts }
}

/// Samples at the corners of the input ranges.
const CORNERS: usize = 32;

impl MatrixDesign {
    /// The design of a problem.
    pub fn of(problem: &Problem) -> Self {
        let matrix = &problem.matrix;
        Self {
            rows: (0..matrix.rows()).map(|i| matrix.row(i).to_vec()).collect(),
            ranges: problem.inputs.iter().map(|range| ends(*range)).collect(),
        }
    }

    /// An error unless it is a problem that can be solved.
    pub fn validate(&self) -> Result<(), Diagnostic> {
        let wrong = |message: String| Diagnostic::error("matrix", message);
        let matrix = Matrix::from_rows(&self.rows).map_err(|e| wrong(e.to_string()))?;
        let inputs = self.ranges.iter().map(|&(lo, hi)| Interval::new(lo.into(), hi.into()));
        let inputs = inputs.collect::<Result<_, _>>().map_err(|e| wrong(e.to_string()))?;
        Problem::new(matrix, inputs).validate().map_err(|e| wrong(e.to_string()))
    }

    /// Corners of the input ranges, then random inputs, with what the matrix makes of them.
    pub fn vectors(&self, samples: usize, seed: u64) -> Vectors {
        let mut random = fastrand::Rng::with_seed(seed);
        let columns = self.rows.first().map_or(0, Vec::len);
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        for sample in 0..samples {
            let value = |&(lo, hi): &(i64, i64)| match sample {
                0 => lo,
                1 => hi,
                2..CORNERS if random.bool() => lo,
                2..CORNERS => hi,
                _ => random.i64(lo..=hi),
            };
            let x: Vec<i128> = self.ranges.iter().map(value).map(i128::from).collect();
            let product = |j: usize| self.rows.iter().zip(&x).map(|(row, x)| i128::from(row[j]) * x).sum::<i128>();
            outputs.extend((0..columns).map(product));
            inputs.extend(x);
        }
        let column = |name: &str, width, values| {
            BTreeMap::from([(name.to_owned(), Rows::new(width, values).expect("whole rows"))])
        };
        Vectors { inputs: column("x", self.rows.len(), inputs), outputs: column("y", columns, outputs) }
    }
}
