//! The products of a design: each matrix is solved once, however often it occurs.

use std::cell::RefCell;
use std::rc::Rc;

use hdl::dfg::{ModuleBuilder, NodeId, Value};
use hdl::diag::Diagnostic;
use hdl::num::Interval;
use rustc_hash::FxHashMap;

use crate::arith::Effort;
use crate::arith::problem::{ArithError, Matrix, Problem};
use crate::arith::products::arithmetic::Arithmetic;
use crate::arith::products::fabric::Sums;

/// Most weights of a matrix that is searched without being asked to; a larger one gets the greedy pass alone.
const SEARCHED: usize = 1 << 12;

/// Bits that weights and biases stay within.
const MAX_BITS: u32 = 62;

/// Rows of weights, biases, and the ranges of the operands.
type Key = (Vec<Vec<i64>>, Vec<i64>, Vec<Interval>);

/// Builder of products.
#[derive(Debug)]
pub struct Products {
    arithmetic: Arithmetic,
    effort: Option<Effort>,
    solved: RefCell<FxHashMap<Key, Option<Rc<Sums>>>>,
}

impl Products {
    /// Without an effort it depends on the matrix.
    pub fn new(arithmetic: Arithmetic, effort: Option<Effort>) -> Self {
        Self { arithmetic, effort, solved: RefCell::default() }
    }

    /// What products are made of.
    pub fn arithmetic(&self) -> &Arithmetic {
        &self.arithmetic
    }

    /// `bias + Σ inputs·weights` for each row of `weights`, exactly; `bias` counts in units of the products' last place.
    ///
    /// Sums that leave the optimiser's 60 bits are made of multipliers. All others have the linear certificate: a module with
    /// sums that have none is refused.
    ///
    /// # Panics
    /// If a row is not as long as `inputs`, or there are not as many biases as rows.
    pub fn linear<'m>(
        &self,
        m: &'m ModuleBuilder,
        inputs: &[Value<'m>],
        weights: &[Vec<i64>],
        bias: &[i64],
        weight_frac: i32,
    ) -> Vec<Value<'m>> {
        assert_eq!(weights.len(), bias.len(), "one bias a row");
        assert!(weights.iter().all(|row| row.len() == inputs.len()), "one weight an input");
        let input_frac = inputs.iter().map(Value::frac).max().unwrap_or(0);
        let integers = inputs.iter().map(|x| x.extended(input_frac).with_frac(0)).collect();
        let System { inputs, weights, bias } =
            System { inputs: integers, weights: weights.to_vec(), bias: bias.to_vec() }.reduced();
        let ranges = inputs.iter().map(Value::range).collect();
        let sums = match self.solved(m, (weights.clone(), bias.clone(), ranges)) {
            Some(sums) => sums.build(m, &inputs),
            None => multiplied(m, &inputs, &weights, &bias),
        };
        sums.into_iter().map(|sum| sum.with_frac(input_frac + weight_frac)).collect()
    }

    /// The sums of a matrix; `None` if they leave the optimiser's 60 bits.
    fn solved(&self, m: &ModuleBuilder, key: Key) -> Option<Rc<Sums>> {
        if let Some(known) = self.solved.borrow().get(&key) {
            return known.clone();
        }
        let size = key.0.iter().flatten().filter(|w| **w != 0).count();
        let effort = self.effort.unwrap_or(match size <= SEARCHED {
            true => Effort::Normal,
            false => Effort::Fast,
        });
        let problem = problem(&key).ok();
        let sums = problem.as_ref().and_then(|p| self.arithmetic.constants.solve(p.clone(), effort).ok()).map(Rc::new);
        if let (Some(problem), Some(sums)) = (&problem, &sums)
            && let Err(refuted) = sums.certify(problem)
        {
            m.refuse(Diagnostic::bug("certificate", format!("the sums of a product are wrong: {refuted}")));
        }
        self.solved.borrow_mut().insert(key, sums.clone());
        sums
    }
}

/// `bias + weights · inputs`, a row of weights for each sum.
struct System<'m> {
    inputs: Vec<Value<'m>>,
    weights: Vec<Vec<i64>>,
    bias: Vec<i64>,
}

impl System<'_> {
    /// The same sums with constants in the bias, shifts in the weights, and one column for each value that is read: what
    /// is known of an operand must not hide from the search. Unchanged if a number would leave 62 bits.
    fn reduced(self) -> Self {
        let mut places: FxHashMap<NodeId, usize> = FxHashMap::default();
        let mut reduced =
            Self { inputs: Vec::new(), weights: vec![Vec::new(); self.bias.len()], bias: self.bias.clone() };
        for (column, x) in self.inputs.iter().enumerate() {
            let (source, shift) = x.unshifted();
            let place = match x.range().as_point() {
                Some(_) => None,
                None => Some(*places.entry(source.node()).or_insert_with(|| {
                    reduced.inputs.push(source);
                    reduced.weights.iter_mut().for_each(|row| row.push(0));
                    reduced.inputs.len() - 1
                })),
            };
            let factor = x.range().as_point().unwrap_or(1 << shift.min(MAX_BITS));
            for (row, weights) in self.weights.iter().enumerate() {
                let term = i128::from(weights[column]).checked_mul(factor);
                let sum = match place {
                    Some(place) => &mut reduced.weights[row][place],
                    None => &mut reduced.bias[row],
                };
                match term
                    .and_then(|term| term.checked_add((*sum).into()))
                    .filter(|sum| sum.unsigned_abs() < 1 << MAX_BITS)
                {
                    Some(total) => *sum = total as i64,
                    None => return self,
                }
            }
        }
        reduced
    }
}

/// As the optimiser takes it.
///
/// # Errors
/// Those of [`Matrix::from_rows`].
fn problem((weights, bias, ranges): &Key) -> Result<Problem, ArithError> {
    let rows: Vec<Vec<i64>> = (0..ranges.len()).map(|i| weights.iter().map(|row| row[i]).collect()).collect();
    let mut problem = Problem::new(Matrix::from_rows(&rows)?, ranges.clone());
    problem.bias = Some(bias.clone());
    Ok(problem)
}

/// The sums out of multipliers, for numbers of any width.
fn multiplied<'m>(m: &'m ModuleBuilder, inputs: &[Value<'m>], weights: &[Vec<i64>], bias: &[i64]) -> Vec<Value<'m>> {
    let sum = |(row, bias): (&Vec<i64>, &i64)| {
        let products = row.iter().zip(inputs).filter(|(w, _)| **w != 0).map(|(w, x)| *x * m.constant((*w).into(), 0));
        let addends: Vec<Value<'m>> = products.chain([m.constant((*bias).into(), 0)]).collect();
        Value::sum(&addends).expect("there is a bias")
    };
    weights.iter().zip(bias).map(sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdl::dfg::eval;
    use hdl::num::Format;

    fn products() -> Products {
        Products::new(Arithmetic::default(), Some(Effort::Fast))
    }

    #[test]
    fn the_module_is_the_matrix() {
        let weights = vec![vec![3, -7, 0], vec![-5, -1, -2], vec![0, 0, 0], vec![31, 29, -128]];
        let bias = [4, 0, -9, 1];
        let m = ModuleBuilder::new("matrix");
        let x = m.input_array("x", 3, Format::signed(6, 2).unwrap());
        let y = products().linear(&m, &x, &weights, &bias, 3);
        assert!(y.iter().all(|v| v.frac() == 5));
        m.output_array("y", &y);
        let module = m.finish().unwrap();
        for x in [[0, 0, 0], [31, -32, 5], [-32, -32, -32], [-1, 17, 30]] {
            let expected: Vec<i128> = weights
                .iter()
                .zip(bias)
                .map(|(row, b)| i128::from(row.iter().zip(x).map(|(w, x)| w * x).sum::<i64>() + b))
                .collect();
            assert_eq!(eval::evaluate(&module, &x.map(i128::from)).unwrap(), expected);
        }
    }

    #[test]
    fn no_inputs_and_wide_inputs_are_summed_too() {
        let (m, products) = (ModuleBuilder::new("wide"), products());
        let x = m.input("x", Format::signed(64, 0).unwrap());
        let wide = products.linear(&m, &[x, x << 1], &[vec![3, -1]], &[5], 0);
        let none = products.linear(&m, &[], &[vec![]], &[7], 0);
        m.output_array("y", &[wide[0], none[0]]);
        let module = m.finish().unwrap();
        assert_eq!(eval::evaluate(&module, &[1 << 62]).unwrap(), [(1i128 << 62) + 5, 7]);
    }

    #[test]
    fn what_is_known_of_operands_is_used() {
        let m = ModuleBuilder::new("known");
        let x = m.input_array("x", 3, Format::signed(6, 0).unwrap());
        let operands = [x[0] << 3, x[1], m.constant(-9, 0), x[0], x[2].with_frac(1), m.constant(0, 0)];
        let weights = vec![vec![3, 1, 2, -24, 7, 5], vec![1, 0, -1, 1, -5, 0]];
        let products = products();
        m.output_array("y", &products.linear(&m, &operands, &weights, &[4, -2], 0));
        let module = m.finish().unwrap();
        for x in [[0, 0, 0], [31, -32, 5], [-32, 17, -31]] {
            let operands = [16 * x[0], 2 * x[1], -18, 2 * x[0], x[2], 0];
            let sum = |row: &Vec<i64>| row.iter().zip(operands).map(|(w, x)| i128::from(*w) * x).sum::<i128>();
            let expected: Vec<i128> = weights.iter().zip([4, -2]).map(|(row, bias)| sum(row) + bias).collect();
            assert_eq!(eval::evaluate(&module, &x).unwrap(), expected);
        }
        let solved = products.solved.borrow();
        let (weights, bias, _) = solved.keys().next().unwrap();
        assert_eq!((&weights[0][..], bias[0]), (&[0, 2, 7][..], -32));
    }

    #[test]
    fn a_matrix_is_solved_once_for_each_range_of_its_operands() {
        let (m, products) = (ModuleBuilder::new("copies"), products());
        let x = m.input_array("x", 3, Format::signed(6, 2).unwrap());
        let y = m.input_array("y", 3, Format::signed(6, 1).unwrap());
        let z = m.input_array("z", 3, Format::signed(5, 2).unwrap());
        for inputs in [&x, &y, &z, &x] {
            products.linear(&m, inputs, &[vec![3, -7, 5]], &[1], 0);
        }
        assert_eq!(products.solved.borrow().len(), 2);
    }
}
