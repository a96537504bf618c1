//! What is to be optimised: a constant matrix, the inputs' ranges, a bias, a depth bound.

use hdl::num::Interval;
use thiserror::Error;

/// A dense integer matrix, `rows` inputs by `columns` outputs, row-major: `y[j] = Σ_i x[i]·W[i][j]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matrix {
    rows: usize,
    columns: usize,
    entries: Vec<i64>,
}

impl Matrix {
    /// A matrix from its rows, one for each input.
    ///
    /// # Errors
    /// [`ArithError::Ragged`] if the rows differ in length.
    pub fn from_rows(rows: &[Vec<i64>]) -> Result<Self, ArithError> {
        let columns = rows.first().map_or(0, Vec::len);
        if let Some(row) = rows.iter().position(|r| r.len() != columns) {
            return Err(ArithError::Ragged { row, found: rows[row].len(), expected: columns });
        }
        Ok(Self { rows: rows.len(), columns, entries: rows.concat() })
    }

    /// Number of inputs.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of outputs.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The weight of input `row` in output `column`.
    pub fn at(&self, row: usize, column: usize) -> i64 {
        self.entries[row * self.columns + column]
    }

    /// The weights of one input.
    pub fn row(&self, row: usize) -> &[i64] {
        &self.entries[row * self.columns..(row + 1) * self.columns]
    }

    /// The non-zero weights of one output as `(input, weight)`.
    pub fn column(&self, column: usize) -> impl Iterator<Item = (u32, i64)> + '_ {
        (0..self.rows).map(move |i| (i as u32, self.at(i, column))).filter(|&(_, w)| w != 0)
    }
}

/// Least and greatest value of an input of a valid problem.
pub(crate) fn ends(input: Interval) -> (i64, i64) {
    (input.lo() as i64, input.hi() as i64)
}

/// What the optimiser makes small.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Objective {
    /// Result widths of the two-operand adders and subtractors, summed.
    #[default]
    AdderBits,
    /// Result bits that take logic, see [`logic_bits`](super::cost::logic_bits).
    LogicBits,
    /// The same where one look-up table a bit adds three operands, see [`cover`](super::cost::cover).
    Luts,
}

/// A constant matrix-vector multiplication to be built out of adders.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The weights.
    pub matrix: Matrix,
    /// The exact range of each input, one for each row of the matrix.
    pub inputs: Vec<Interval>,
    /// A constant added to each output.
    pub bias: Option<Vec<i64>>,
    /// Greatest number of adder levels from time zero to any output, the bias adder not counted.
    pub max_depth: Option<u32>,
    /// Whether the consumer can take an output negated at no cost (a following quantiser or sum may).
    pub free_output_signs: bool,
    /// What is to be made small.
    pub objective: Objective,
}

/// Why a problem cannot be solved as posed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ArithError {
    /// Matrix rows of different lengths.
    #[error("matrix row {row} has {found} entries, expected {expected} as in row 0")]
    Ragged {
        /// The offending row.
        row: usize,
        /// Its length.
        found: usize,
        /// The first row's length.
        expected: usize,
    },
    /// The inputs or the bias do not fit the matrix.
    #[error("the matrix has {expected} {axis}, but {found} {what} were given")]
    Shape {
        /// `rows` or `columns`.
        axis: &'static str,
        /// What was given.
        what: &'static str,
        /// Entries along the axis.
        expected: usize,
        /// Entries given.
        found: usize,
    },
    /// An input beyond the 60 bits that exact arithmetic is kept in.
    #[error("input {input} takes more than {WIDEST_INPUT} bits")]
    WideInput {
        /// Which input.
        input: usize,
    },
    /// The depth bound is below what any adder graph can reach.
    #[error("a depth of {asked} is impossible: output {output} needs at least {least} adder levels")]
    TooDeep {
        /// The bound given.
        asked: u32,
        /// The least possible depth over all outputs.
        least: u32,
        /// The output that needs it.
        output: usize,
    },
    /// The delay bound is below what any structure that was tried reaches.
    #[error("a delay of {asked_ps} ps is out of reach: the fastest structure takes {least_ps} ps")]
    TooSlow {
        /// The bound given, in ps.
        asked_ps: u32,
        /// The least delay that was found, in ps.
        least_ps: u32,
    },
    /// The area bound is below what any structure that was tried takes.
    #[error("an area of {asked_um2} µm² is out of reach: the smallest structure takes {least_um2} µm²")]
    TooSmall {
        /// The bound given, in µm².
        asked_um2: u64,
        /// The least area that was found, in µm².
        least_um2: u64,
    },
    /// Values beyond the 60 bits that exact arithmetic is kept in.
    #[error("output {output} may reach beyond ±2^60; scale the weights or narrow the inputs")]
    TooWide {
        /// Which output.
        output: usize,
    },
}

/// Most bits of an input.
const WIDEST_INPUT: u32 = 60;

/// Magnitudes stay below this, so that an intermediate digit form (at most four thirds, doubled) fits an `i64`.
const WIDEST: i128 = 1 << 60;

impl Problem {
    /// A problem without bias, without depth bound, every output to be delivered with its own sign.
    pub fn new(matrix: Matrix, inputs: Vec<Interval>) -> Self {
        Self { matrix, inputs, bias: None, max_depth: None, free_output_signs: false, objective: Objective::default() }
    }

    /// Whether an output's negated sum serves as well: its sign is free, or the adder of its bias turns it round.
    pub fn takes_negation(&self, output: usize) -> bool {
        self.free_output_signs || self.bias.as_ref().is_some_and(|b| b[output] != 0)
    }

    /// Whether the objective counts what turns a sum round. Adder bits, as other tools count them, are only those of sums
    /// and differences of two operands.
    pub fn counts_negations(&self) -> bool {
        self.objective != Objective::AdderBits
    }

    /// Checks shapes, ranges and widths, and that the depth bound can be met.
    pub fn validate(&self) -> Result<(), ArithError> {
        let (rows, columns) = (self.matrix.rows(), self.matrix.columns());
        if self.inputs.len() != rows {
            return Err(ArithError::Shape { axis: "rows", what: "inputs", expected: rows, found: self.inputs.len() });
        }
        if let Some(bias) = &self.bias
            && bias.len() != columns
        {
            return Err(ArithError::Shape { axis: "columns", what: "biases", expected: columns, found: bias.len() });
        }
        if let Some(input) = self.inputs.iter().position(|range| range.width() > WIDEST_INPUT) {
            return Err(ArithError::WideInput { input });
        }
        for output in 0..columns {
            let bias = self.bias.as_ref().map_or(0, |b| i128::from(b[output]).abs());
            let reach = self.matrix.column(output).map(|(i, w)| {
                let input = self.inputs[i as usize];
                // A zero-valued input still carries its weight through the coefficient arithmetic.
                i128::from(w).abs() * input.lo().abs().max(input.hi().abs()).max(1)
            });
            if bias + reach.sum::<i128>() >= WIDEST {
                return Err(ArithError::TooWide { output });
            }
        }
        if let Some(asked) = self.max_depth
            && let Some((output, least)) = self.least_depth()
            && least > asked
        {
            return Err(ArithError::TooDeep { asked, least, output });
        }
        Ok(())
    }

    /// The output that takes longest at the least possible depth, and that depth; `None` without outputs.
    ///
    /// A tree of two-input adders of depth `d` joins at most `2^d` terms, and an output of weights `w` needs at least
    /// `weight(w)` terms of each input however it is written.
    pub fn least_depth(&self) -> Option<(usize, u32)> {
        let depth = |j: usize| {
            let sum: u64 = self.matrix.column(j).map(|(_, w)| u64::from(crate::arith::digits::weight(w))).sum();
            if sum == 0 { 0 } else { 64 - (sum - 1).leading_zeros() }
        };
        (0..self.matrix.columns()).map(|j| (j, depth(j))).max_by_key(|&(j, d)| (d, std::cmp::Reverse(j)))
    }
}
