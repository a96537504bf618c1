//! A constant matrix-vector product as cells: shared sums, and what is left of each output, as trees.

use hdl::lower::Fan;
use rustc_hash::FxHashMap;

use crate::arith::cells::CellCosts;
use crate::arith::cells::compress::{CarrySave, FinalAdder, Summand, Wire, compress};
use crate::arith::cells::prefix::Shape;
use crate::arith::cost::width;
use crate::arith::digits;
use crate::arith::graph::{AdderGraph, Linear, Node, NodeId, Op, Term};
use crate::arith::optimise::plan::{Plan, Shared};
use crate::arith::problem::Problem;

/// Shared sums and outputs as trees of cells.
#[derive(Clone, Debug, PartialEq)]
pub struct CellSums {
    /// Inputs and shared sums; it has no outputs of its own.
    pub graph: AdderGraph,
    /// How each node of the graph is summed; `None` for inputs.
    pub sums: Vec<Option<CarrySave>>,
    /// How each output is summed.
    pub outputs: Vec<CarrySave>,
    /// Estimated cell area in µm².
    pub area: f64,
    /// Estimated time from the inputs to the last output bit, in ps, wires not counted.
    pub delay: u32,
}

/// Every sum but the outputs' ends in a ripple chain unless that takes it beyond a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::arith) struct SharedAdders {
    /// In ps; sums that ripple until later end in `fast`.
    pub slow_after: u32,
    /// How those end.
    pub fast: Ending,
}

/// A final adder for sums of any width.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::arith) struct Ending {
    /// How carries run.
    pub shape: Shape,
    /// Share of the bits that ripple before that.
    pub rippling: f64,
}

impl Ending {
    /// For a sum of so many bits.
    pub fn adder(self, bits: usize) -> FinalAdder {
        FinalAdder { shape: self.shape, from: (bits as f64 * self.rippling) as usize }
    }
}

/// The shared sums of a plan as trees.
pub(in crate::arith) struct SharedSums {
    /// When each bit of each node is where it is read.
    pub arrivals: Vec<Vec<u32>>,
    sums: Vec<Option<CarrySave>>,
}

impl SharedSums {
    /// Those of `plan`.
    pub fn of(plan: &Plan, costs: &CellCosts, adders: SharedAdders) -> Self {
        let loads = loads(plan, costs);
        let mut shared =
            Self { arrivals: Vec::with_capacity(plan.nodes.len()), sums: Vec::with_capacity(plan.nodes.len()) };
        for (index, node) in plan.nodes.iter().enumerate() {
            let range = (node.lo, node.hi);
            let bits = width(node.lo, node.hi) as usize;
            let sum = node.recipe.map(|(a, b)| {
                let terms = [a, b].map(|t| summand(plan, &shared.arrivals, t));
                let tree = |adder| compress(&terms, 0, range, adder, costs);
                let slow = tree(FinalAdder::RIPPLE);
                match slow.delay() > adders.slow_after {
                    true => tree(adders.fast.adder(bits)),
                    false => slow,
                }
            });
            let own = match &sum {
                Some(sum) => sum.arrivals.clone(),
                None => vec![node.depth * costs.full_adder.delay; bits],
            };
            let read = own.iter().map(|time| time + loads[index]);
            shared.arrivals.push(read.collect());
            shared.sums.push(sum);
        }
        shared
    }

    /// When each sum is there, in ps.
    pub fn delays(&self) -> Vec<u32> {
        self.sums.iter().flatten().map(CarrySave::delay).collect()
    }

    /// Cell area in µm², that of the outputs included.
    pub fn area(&self, plan: &Plan, outputs: &[CarrySave], costs: &CellCosts) -> f64 {
        let trees = || self.sums.iter().flatten().chain(outputs);
        let cells: f64 = trees().map(|tree| tree.area(costs)).sum();
        cells + inverters(plan, trees(), costs)
    }

    /// Together with the outputs' sums.
    pub fn with(self, plan: &Plan, outputs: Vec<CarrySave>, costs: &CellCosts) -> CellSums {
        let area = self.area(plan, &outputs, costs);
        let node = |(index, node): (usize, &Shared)| Node {
            op: match node.recipe {
                None => Op::Input { index: index as u32 },
                Some((a, b)) => Op::Add { a, b },
            },
            lo: node.lo,
            hi: node.hi,
            depth: node.depth,
        };
        CellSums {
            area,
            delay: outputs.iter().map(CarrySave::delay).max().unwrap_or(0),
            graph: AdderGraph { nodes: plan.nodes.iter().enumerate().map(node).collect(), ..AdderGraph::default() },
            sums: self.sums,
            outputs,
        }
    }
}

/// What the readers of each node beyond the first add to its delay: their load, or the inverters that spare it that.
fn loads(plan: &Plan, costs: &CellCosts) -> Vec<u32> {
    let mut readers = vec![0u32; plan.nodes.len()];
    for t in plan.nodes.iter().filter_map(|n| n.recipe).flat_map(|(a, b)| [a, b]) {
        readers[t.node as usize] += 1;
    }
    for &(node, coefficient) in plan.columns.iter().flatten() {
        readers[node as usize] += digits::weight(coefficient);
    }
    let load = |(node, readers): (usize, &u32)| match (plan.nodes[node].recipe, *readers) {
        (None, _) => 0,
        (_, readers) if Fan::plain(readers).leaves > 0 => 2 * costs.driver.delay,
        (_, readers) => costs.load * readers.saturating_sub(1),
    };
    readers.iter().enumerate().map(load).collect()
}

fn summand(plan: &Plan, arrivals: &[Vec<u32>], term: Term) -> Summand {
    let node = &plan.nodes[term.node as usize];
    Summand { term, lo: node.lo, hi: node.hi, arrivals: arrivals[term.node as usize].clone() }
}

/// What an output sums up, its bias and its range.
pub(in crate::arith) fn output(
    plan: &Plan,
    problem: &Problem,
    column: usize,
    arrivals: &[Vec<u32>],
) -> (Vec<Summand>, i64, (i64, i64)) {
    let mut terms = Vec::new();
    for &(node, coefficient) in &plan.columns[column] {
        for (shift, neg) in digits::narrowest(coefficient).iter() {
            terms.push(summand(plan, arrivals, Term { node, shift, neg }));
        }
    }
    let bias = problem.bias.as_ref().map_or(0, |b| b[column]);
    let (lo, hi) = Linear(problem.matrix.column(column).collect()).range(&problem.inputs);
    (terms, bias, (lo + bias, hi + bias))
}

/// Area of the inverters between the nodes' bits and what reads them or their complements.
fn inverters<'a>(plan: &Plan, trees: impl Iterator<Item = &'a CarrySave>, costs: &CellCosts) -> f64 {
    let mut readers: FxHashMap<(NodeId, u8, bool), u32> = FxHashMap::default();
    for tree in trees {
        for wire in &tree.wires {
            if let Wire::Source { term, bit, inverted } = *wire {
                let node = tree.summands[term as usize].term.node;
                *readers.entry((node, bit, inverted)).or_default() += 1;
            }
        }
    }
    let area = |(&(node, _, inverted), &readers): (&(NodeId, u8, bool), &u32)| {
        let fan = match (inverted, plan.nodes[node as usize].recipe) {
            (true, _) => Fan::inverted(readers),
            (false, Some(_)) => Fan::plain(readers),
            (false, None) => Fan::default(),
        };
        match fan.leaves + fan.roots {
            0 if inverted => costs.inverter.area,
            drivers => f64::from(drivers) * costs.driver.area,
        }
    };
    // exact binary fractions of µm² are not promised: the order of the sum must not depend on the hash
    let mut areas: Vec<f64> = readers.iter().map(area).collect();
    areas.sort_by(f64::total_cmp);
    areas.into_iter().sum()
}

impl CellSums {
    /// The value of every output for one input vector, by way of the cells.
    ///
    /// # Panics
    /// If `x` is shorter than an input index.
    pub fn eval(&self, x: &[i64]) -> Vec<i64> {
        let mut values: Vec<i64> = Vec::with_capacity(self.graph.nodes.len());
        let of = |tree: &CarrySave, values: &[i64]| {
            let terms = tree.summands.iter();
            tree.eval(&terms.map(|s| values[s.term.node as usize]).collect::<Vec<_>>())
        };
        for (node, sum) in self.graph.nodes.iter().zip(&self.sums) {
            let value = match (node.op, sum) {
                (_, Some(tree)) => of(tree, &values),
                (Op::Input { index }, None) => x[index as usize],
                (Op::Constant { value }, None) => value,
                (Op::Add { a, b }, None) => a.apply(values[a.node as usize]) + b.apply(values[b.node as usize]),
                (Op::Table { table }, None) => self.graph.tables[table as usize].eval(x),
            };
            values.push(value);
        }
        self.outputs.iter().map(|tree| of(tree, &values)).collect()
    }

    /// All trees, those of the shared sums first.
    pub fn trees(&self) -> impl Iterator<Item = &CarrySave> {
        self.sums.iter().flatten().chain(&self.outputs)
    }

    /// The node that each shared sum is.
    pub fn shared(&self) -> impl Iterator<Item = (NodeId, &CarrySave)> {
        let sums = (0..).zip(&self.sums);
        sums.filter_map(|(id, sum)| Some((id, sum.as_ref()?)))
    }
}
