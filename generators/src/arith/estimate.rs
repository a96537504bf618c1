//! How long an adder graph takes on a target and what energy, by the target's closed formulas.
//!
//! What it takes of look-up tables or cells is read off the emitted design instead (`output::estimate`), which no longer
//! tells how carries of successive adders overlap.

use constraints::Target;
use constraints::targets::{Cost, Operation, Technology};
use hdl::passes::delay::{Arrival, EdgeDelay};
use serde::Serialize;

use crate::arith::cost;
use crate::arith::graph::{AdderGraph, Op, Term};
use crate::arith::problem::Objective;

impl Objective {
    /// What is worth making small on a target: cells are paid for by the adder bit, look-up tables only where bits are
    /// computed, and some look-up tables add three.
    pub fn of(target: &Target) -> Self {
        match &target.technology {
            Technology::Asic { .. } => Self::AdderBits,
            Technology::Fpga { model, .. } if model.carry_cell.is_some() => Self::Luts,
            Technology::Fpga { .. } => Self::LogicBits,
        }
    }
}

/// Energy and delay of a graph as combinational logic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Estimate {
    /// Dynamic energy of one operation in fJ, see [`Cost::energy_fj`]; 0 on FPGAs.
    pub energy_fj: f64,
    /// From the inputs to the last bit of the latest output in ps; carries of successive adders overlap.
    pub delay_ps: u64,
}

/// The estimate for `graph` on `target`, with three-operand adders where the target has them.
pub fn estimate(graph: &AdderGraph, target: &Target) -> Estimate {
    let takes = match target.carry_cell() {
        Some(_) => cost::cover(graph).takes,
        None => vec![None; graph.nodes.len()],
    };
    let mut inside = vec![false; graph.nodes.len()];
    // Whether a node is taken into another is known only once its reader has been seen.
    for n in (0..graph.nodes.len()).rev() {
        let Op::Add { a, b } = graph.nodes[n].op else {
            continue;
        };
        if let Some(side) = takes[n].filter(|_| !inside[n]) {
            inside[[a, b][usize::from(side)].node as usize] = true;
        }
    }
    let mut total = Estimate::default();
    let mut arrival = vec![Arrival::default(); graph.nodes.len()];
    let level = target.cost(Operation::And(1)).delay_ps;
    for n in 0..graph.nodes.len() {
        if let Op::Table { .. } = graph.nodes[n].op {
            arrival[n] = Arrival::at(level.round() as u64);
        }
        let Op::Add { a, b } = graph.nodes[n].op else {
            continue;
        };
        let operand = |t: Term| {
            let n = &graph.nodes[t.node as usize];
            (t, (n.lo, n.hi))
        };
        let node = &graph.nodes[n];
        let (operation, bits, operands): (fn(u32) -> Operation, u32, Vec<Term>) = match takes[n] {
            _ if inside[n] => continue,
            None => {
                let bits = cost::logic_bits(operand(a), operand(b), (node.lo, node.hi));
                (Operation::Add, bits, vec![a, b])
            }
            Some(side) => {
                let (inner, other) = if side == 0 { (a, b) } else { (b, a) };
                let Op::Add { a, b } = graph.nodes[inner.node as usize].op else {
                    unreachable!("only an adder is taken into another")
                };
                let terms = [cost::inside(inner, a), cost::inside(inner, b), other];
                let bits = cost::logic_bits_of_three(terms, (node.lo, node.hi));
                (Operation::Add3, bits, terms.to_vec())
            }
        };
        let Cost { energy_fj, delay_ps, .. } = target.cost(operation(bits));
        total.energy_fj += energy_fj;
        let first = target.cost(operation(bits.min(1))).delay_ps;
        let chain = EdgeDelay { low_to_high: delay_ps.round() as u32, ..EdgeDelay::bitwise(first.round() as u32) };
        let ready = operands.iter().map(|t| arrival[t.node as usize]).fold(Arrival::default(), Arrival::join);
        arrival[n] = ready.through(chain);
    }
    let outputs = graph.outputs.iter().flatten();
    total.delay_ps = outputs.map(|t| arrival[t.node as usize].last()).max().unwrap_or(0);
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arith::{Effort, Matrix, Problem, optimise};
    use hdl::num::Interval;

    fn graph(rows: &[Vec<i64>]) -> AdderGraph {
        let inputs = vec![Interval::of_width(8, true).unwrap(); rows.len()];
        let mut problem = Problem::new(Matrix::from_rows(rows).unwrap(), inputs);
        problem.objective = Objective::Luts;
        optimise(&problem, Effort::Fast, 0).unwrap()
    }

    #[test]
    fn no_sum_is_turned_round_where_a_digit_can_be_positive() {
        let on = |rows: &[Vec<i64>]| cost::luts(&graph(rows), Objective::Luts);
        // x - 4x, and b - 2a - 4b in one row of tables
        assert_eq!(on(&[vec![-3]]), 8);
        assert_eq!(on(&[vec![-2], vec![-3]]), 10);
    }

    #[test]
    fn carries_of_successive_adders_overlap() {
        let target = Target::load("xcup").unwrap();
        let delay = |rows: usize| estimate(&graph(&vec![vec![1]; rows]), &target).delay_ps;
        let [two, three, nine] = [2, 3, 9].map(delay);
        assert!(0 < two && two < three && three < nine && nine < 3 * three);
    }

    #[test]
    fn cells_take_energy_and_nothing_takes_none() {
        let sum = graph(&[vec![1], vec![1]]);
        let of = |graph, name| estimate(graph, &Target::load(name).unwrap());
        assert!(of(&sum, "osu018").energy_fj > 0.0);
        assert_eq!(of(&sum, "xcup").energy_fj, 0.0);
        assert_eq!(of(&graph(&[vec![4]]), "xcup"), Estimate::default());
    }
}
