//! What constant products are made of, and one product made of it.

use constraints::Target;
use hdl::dfg::{ModuleBuilder, Value};

use crate::arith::cells::CellCosts;
use crate::arith::cells::front::{Front, Wanted};
use crate::arith::cells::lower as cell_lower;
use crate::arith::cells::sums::CellSums;
use crate::arith::certify::adders::{Refuted, check, check_cells};
use crate::arith::cost;
use crate::arith::graph::AdderGraph;
use crate::arith::problem::Objective;
use crate::arith::problem::{ArithError, Problem};
use crate::arith::products::operators;
use crate::arith::{Effort, optimise};

/// What sums are made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fabric {
    /// Operators of two operands, for the synthesis tool to build; the search makes this small.
    Operators(Objective),
    /// Full adders of a library with these costs, in the structure that is wanted of each product.
    Cells(CellCosts, Wanted),
}

impl Default for Fabric {
    fn default() -> Self {
        Self::Operators(Objective::default())
    }
}

impl Fabric {
    /// What a target is best served with.
    pub fn of(target: &Target) -> Self {
        match CellCosts::on(target) {
            Some(costs) => Self::Cells(costs, Wanted::BALANCED),
            None => Self::Operators(Objective::of(target)),
        }
    }

    /// The same without cells.
    #[must_use]
    pub fn operators(self) -> Self {
        match self {
            Self::Operators(_) => self,
            Self::Cells(..) => Self::Operators(Objective::AdderBits),
        }
    }

    /// The sums of one product.
    ///
    /// # Errors
    /// Those of [`Problem::validate`].
    pub fn solve(&self, mut problem: Problem, effort: Effort) -> Result<Sums, ArithError> {
        match self {
            Self::Operators(objective) => {
                problem.objective = *objective;
                let graph = optimise(&problem, effort, 0)?;
                let cover = (*objective == Objective::Luts).then(|| cost::cover(&graph));
                Ok(Sums::Operators(graph, cover))
            }
            Self::Cells(costs, wanted) => {
                let front = Front::search(&problem, costs, true, effort, 0)?;
                front.choose(*wanted).map(Sums::Cells)
            }
        }
    }
}

/// The sums of a product, to be built as often as it is needed.
#[derive(Clone, Debug)]
pub enum Sums {
    /// Operators, and which of them are taken into others.
    Operators(AdderGraph, Option<hdl::lower::Cover>),
    /// Cells.
    Cells(CellSums),
}

impl Sums {
    /// The linear certificate: they are the sums of `problem`, for every input.
    ///
    /// # Errors
    /// The first violation found.
    pub fn certify(&self, problem: &Problem) -> Result<(), Refuted> {
        match self {
            Self::Operators(graph, _) => check(problem, graph),
            Self::Cells(cells) => check_cells(problem, cells),
        }
    }

    /// The outputs on `inputs`, as integers.
    pub fn build<'m>(&self, m: &'m ModuleBuilder, inputs: &[Value<'m>]) -> Vec<Value<'m>> {
        match self {
            Self::Operators(graph, cover) => operators::build(m, inputs, graph, cover.as_ref()),
            Self::Cells(sums) => cell_lower::build(m, inputs, sums),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arith::Matrix;
    use hdl::dfg::{Module, Op, eval};
    use hdl::num::Format;
    use hdl::num::Interval;
    use std::sync::Arc;

    const BIAS: [i64; 3] = [5, -70, 0];

    fn problem() -> Problem {
        let rows = [vec![3, -7, 0], vec![-5, 11, 1], vec![0, 6, -8]];
        let inputs = vec![Interval::of_width(5, true).unwrap(); 3];
        let mut problem = Problem::new(Matrix::from_rows(&rows).unwrap(), inputs);
        problem.bias = Some(BIAS.to_vec());
        problem
    }

    fn module(target: &str) -> Arc<Module> {
        let fabric = Fabric::of(&Target::load(target).unwrap());
        let m = ModuleBuilder::new("product");
        let x = m.input_array("x", 3, Format::signed(5, 0).unwrap());
        let sums = fabric.solve(problem(), Effort::Fast).unwrap();
        m.output_array("y", &sums.build(&m, &x));
        m.finish().unwrap()
    }

    #[test]
    fn a_product_is_the_same_out_of_cells_and_of_operators() {
        let [cells, operators] = ["osu018", "ecp5-45k"].map(module);
        let has = |module: &Module, wanted: fn(Op) -> bool| module.graph.nodes().any(|n| wanted(module.graph.op(n)));
        let full_adder = |op: Op| matches!(op, Op::FullAdder(..));
        assert!(has(&cells, full_adder) && !has(&operators, full_adder));
        assert!(!has(&cells, |op| matches!(op, Op::Add(..) | Op::Sub(..))));
        for x in [[0, 0, 0], [15, -16, 15], [-16, -16, -16], [-1, 7, -3]] {
            let [a, b, c] = x;
            let y = [3 * a - 5 * b, -7 * a + 11 * b + 6 * c, b - 8 * c];
            let expected = [0, 1, 2].map(|j| y[j] + i128::from(BIAS[j]));
            assert_eq!(eval::evaluate(&cells, &x).unwrap(), expected);
            assert_eq!(eval::evaluate(&operators, &x).unwrap(), expected);
        }
    }

    #[test]
    fn the_sums_of_another_product_have_no_certificate() {
        for target in ["osu018", "ecp5-45k"] {
            let fabric = Fabric::of(&Target::load(target).unwrap());
            let sums = fabric.solve(problem(), Effort::Fast).unwrap();
            assert_eq!(sums.certify(&problem()), Ok(()));
            let mut other = problem();
            other.bias = Some(vec![BIAS[0], BIAS[1] + 1, BIAS[2]]);
            assert!(sums.certify(&other).is_err());
        }
    }

    #[test]
    fn only_libraries_with_a_full_adder_get_cells() {
        let cells = |name| matches!(Fabric::of(&Target::load(name).unwrap()), Fabric::Cells(..));
        assert!(["osu018", "lp65", "nangate45", "sky130"].into_iter().all(cells));
        assert!(!["generic", "xcup", "ice40-hx8k"].into_iter().any(cells));
    }
}
