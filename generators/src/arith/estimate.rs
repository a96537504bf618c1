//! What an adder graph costs on a target, by the target's closed formulas.

use constraints::Target;
use constraints::target::{Cost, Operation, Technology};
use hdl::lower::Cover;
use hdl::passes::delay::{Arrival, EdgeDelay};
use serde::Serialize;

use super::cost::{self, Objective};
use super::graph::{AdderGraph, Op, Term};

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

/// Estimated cost of a graph as combinational logic. What a technology does not have is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Estimate {
    /// Look-up tables; one with two outputs counts as one.
    pub luts: f64,
    /// Cell area in µm².
    pub area_um2: f64,
    /// Dynamic energy of one operation in fJ, see [`Cost::energy_fj`].
    pub energy_fj: f64,
    /// From the inputs to the last bit of the latest output in ps; carries of successive adders overlap.
    pub delay_ps: u64,
}

/// The cost of `graph` on `target`, with three-operand adders where the target has them.
pub fn estimate(graph: &AdderGraph, target: &Target) -> Estimate {
    let cover = match target.carry_cell() {
        Some(_) => cost::cover(graph),
        None => Cover {
            takes: vec![None; graph.nodes.len()],
            cost: 0,
        },
    };
    let mut inside = vec![false; graph.nodes.len()];
    let mut total = Estimate::default();
    let mut arrival = vec![Arrival::default(); graph.nodes.len()];
    // Whether a node is taken into another is known only once its reader has been seen.
    for n in (0..graph.nodes.len()).rev() {
        let Op::Add { a, b } = graph.nodes[n].op else {
            continue;
        };
        if let Some(side) = cover.takes[n].filter(|_| !inside[n]) {
            inside[[a, b][usize::from(side)].node as usize] = true;
        }
    }
    total.luts += cost::tables_beside(graph, &cover) as f64;
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
        let (operation, bits, operands): (fn(u32) -> Operation, u32, Vec<Term>) =
            match cover.takes[n] {
                _ if inside[n] => continue,
                None => {
                    let bits = cost::logic_bits(operand(a), operand(b), (node.lo, node.hi));
                    if target.carry_cell().is_some() {
                        total.luts -= f64::from(bits.min(extended_bits(graph, n, a, b)));
                    }
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
        let Cost {
            luts,
            area_um2,
            energy_fj,
            delay_ps,
            ..
        } = target.cost(operation(bits));
        total.luts += luts;
        total.area_um2 += area_um2;
        total.energy_fj += energy_fj;
        let first = target.cost(operation(bits.min(1))).delay_ps;
        let chain = EdgeDelay {
            low_to_high: delay_ps.round() as u32,
            ..EdgeDelay::bitwise(first.round() as u32)
        };
        let ready = operands
            .iter()
            .map(|t| arrival[t.node as usize])
            .fold(Arrival::default(), Arrival::join);
        arrival[n] = ready.through(chain);
    }
    if let Technology::Fpga { model, .. } = &target.technology
        && model.inverters
    {
        total.luts += f64::from(inverted_bits(graph));
    }
    let outputs = graph.outputs.iter().flatten();
    total.delay_ps = outputs
        .map(|t| arrival[t.node as usize].last())
        .max()
        .unwrap_or(0);
    total
}

/// Result bits of the adder `n` above the tops of both operands. What goes onto the carry chain there is what goes onto it
/// at the top, or a constant, and Yosys makes it once. None of an adder that computes a table in its own.
fn extended_bits(graph: &AdderGraph, n: usize, a: Term, b: Term) -> u32 {
    let is_table = |t: Term| matches!(graph.nodes[t.node as usize].op, Op::Table { .. });
    if is_table(a) || is_table(b) {
        return 0;
    }
    let bits = |n: usize| cost::width(graph.nodes[n].lo, graph.nodes[n].hi);
    let top = |t: Term| bits(t.node as usize) + u32::from(t.shift);
    bits(n).saturating_sub(top(a).max(top(b)))
}

/// Bits of the values that are needed inverted besides as they are. An adder or a table whose sum is only subtracted
/// delivers it inverted at no cost.
fn inverted_bits(graph: &AdderGraph) -> u32 {
    let mut uses = vec![[false; 2]; graph.nodes.len()];
    for (_, a, b) in graph.adders() {
        for t in [a, b] {
            uses[t.node as usize][usize::from(t.neg)] = true;
        }
    }
    for t in graph.outputs.iter().flatten() {
        uses[t.node as usize][0] = true;
    }
    let nodes = graph.nodes.iter().zip(uses);
    nodes
        .filter(|(node, [plain, inverted])| match node.op {
            Op::Input { .. } => *inverted,
            Op::Constant { .. } => false,
            Op::Add { .. } | Op::Table { .. } => *plain && *inverted,
        })
        .map(|(node, _)| cost::width(node.lo, node.hi))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arith::{Effort, InputSpec, Matrix, Problem, optimise};

    fn graph(rows: &[Vec<i64>]) -> AdderGraph {
        let inputs = vec![InputSpec::bits(8, true); rows.len()];
        let mut problem = Problem::new(Matrix::from_rows(rows).unwrap(), inputs);
        problem.objective = Objective::Luts;
        optimise(&problem, Effort::Fast, 0).unwrap()
    }

    #[test]
    fn a_sum_of_three_takes_one_table_a_bit_where_tables_have_two_outputs() {
        let graph = graph(&[vec![1], vec![1], vec![1]]);
        let on = |name| estimate(&graph, &Target::load(name).unwrap());
        assert_eq!(on("xcup").luts, 10.0);
        // carry cells of two bits
        assert_eq!(on("ecp5-45k").luts, 10.0 + 10.0);
        assert!(on("osu018").area_um2 > 0.0 && on("osu018").luts == 0.0);
        assert!(on("xcup").delay_ps > 0);
    }

    #[test]
    fn inverters_before_the_carry_chain_take_tables() {
        let on = |rows: &[Vec<i64>]| {
            let graph = graph(rows);
            estimate(&graph, &Target::load("ice40-hx8k").unwrap()).luts
        };
        assert_eq!(on(&[vec![1], vec![1]]), 9.0);
        assert_eq!(on(&[vec![1], vec![-1]]), 9.0 + 8.0);
    }

    #[test]
    fn the_estimate_is_the_cover_but_for_extended_bits() {
        let rows: Vec<Vec<i64>> = (1..9)
            .map(|i| (1..9).map(|j| (i * 7 + j * 13) % 31 - 15).collect())
            .collect();
        let graph = graph(&rows);
        let luts = estimate(&graph, &Target::load("xcup").unwrap()).luts;
        let cover = cost::cover(&graph).cost as f64;
        assert!((0.9 * cover..cover).contains(&luts), "{luts} of {cover}");
    }

    #[test]
    fn no_sum_is_turned_round_where_a_digit_can_be_positive() {
        let on = |rows: &[Vec<i64>]| estimate(&graph(rows), &Target::load("xcup").unwrap()).luts;
        // x - 4x, and b - 2a - 4b in one row of tables
        assert_eq!(on(&[vec![-3]]), 8.0);
        assert_eq!(on(&[vec![-2], vec![-3]]), 10.0);
    }

    #[test]
    fn nothing_costs_nothing() {
        let target = Target::load("xcup").unwrap();
        assert_eq!(estimate(&graph(&[vec![4]]), &target), Estimate::default());
    }
}
