//! Matrices to measure the optimiser on: the same for the same seed, on every machine.

use crate::arith::problem::{ArithError, Matrix, Problem};
use hdl::num::Interval;

/// A matrix to be optimised, and what it is called.
#[derive(Debug, Clone)]
pub struct Case {
    /// Such as `square16_w6`.
    pub name: String,
    /// Inputs and outputs.
    pub shape: (usize, usize),
    /// Bits of a weight.
    pub weight_bits: u32,
    /// Share of weights that are 0, in percent.
    pub sparsity: u32,
    /// Bits of an input.
    pub input_bits: u32,
    /// Whether inputs have a sign.
    pub signed: bool,
}

/// Square matrices without zeros, shapes as trained networks have them (sparse, with few large weights), and inputs of
/// one or two bits.
pub fn cases() -> Vec<Case> {
    let square = |n: usize, weight_bits: u32| Case {
        name: format!("square{n}_w{weight_bits}"),
        shape: (n, n),
        weight_bits,
        sparsity: 0,
        input_bits: 8,
        signed: true,
    };
    let sparse = |inputs: usize, outputs: usize, sparsity: u32| Case {
        name: format!("sparse{sparsity}_{inputs}x{outputs}"),
        shape: (inputs, outputs),
        sparsity,
        ..square(inputs, 6)
    };
    let few_bits = |input_bits: u32, n: usize, weight_bits: u32| Case {
        name: format!("bits{input_bits}_{n}_w{weight_bits}"),
        input_bits,
        signed: false,
        ..square(n, weight_bits)
    };
    let squares = [8, 16, 32, 64].into_iter().flat_map(|n| [4, 6, 8].map(|bits| square(n, bits)));
    squares
        .chain([
            sparse(16, 64, 50),
            sparse(16, 64, 80),
            sparse(64, 32, 85),
            sparse(64, 64, 90),
            few_bits(1, 8, 6),
            few_bits(1, 16, 6),
            few_bits(1, 32, 6),
            few_bits(1, 16, 2),
            few_bits(2, 16, 6),
        ])
        .collect()
}

impl Case {
    /// The matrix, one row for each input.
    pub fn rows(&self, seed: u64) -> Vec<Vec<i64>> {
        let mut random = fastrand::Rng::with_seed(
            seed ^ (self.shape.0 as u64) << 32 ^ u64::from(self.weight_bits * 101 + self.sparsity),
        );
        let half = 1i64 << (self.weight_bits - 1);
        let weight = |random: &mut fastrand::Rng| {
            if random.u32(0..100) < self.sparsity {
                return 0;
            }
            let full = random.i64(-half..half);
            // trained weights crowd around zero
            if self.sparsity == 0 { full } else { full >> random.u32(0..self.weight_bits - 1) }
        };
        (0..self.shape.0).map(|_| (0..self.shape.1).map(|_| weight(&mut random)).collect()).collect()
    }

    /// The problem; inputs take all values of their width.
    ///
    /// # Errors
    /// None for the cases of [`cases`].
    pub fn problem(&self, seed: u64) -> Result<Problem, ArithError> {
        let inputs = vec![Interval::of_width(self.input_bits, self.signed).expect("few bits"); self.shape.0];
        Ok(Problem::new(Matrix::from_rows(&self.rows(seed))?, inputs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_what_they_are_called() {
        for case in cases() {
            let rows = case.rows(1);
            let weights: Vec<i64> = rows.concat();
            let zeros = 100 * weights.iter().filter(|w| **w == 0).count() / weights.len();
            assert_eq!((rows.len(), rows[0].len()), case.shape, "{}", case.name);
            assert!(zeros + 12 >= case.sparsity as usize, "{} has {zeros} % zeros", case.name);
            assert_eq!(rows, case.rows(1));
            assert_ne!(rows, case.rows(2));
        }
    }
}
