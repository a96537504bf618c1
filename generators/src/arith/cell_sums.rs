//! A constant matrix-vector product as cells: which sums are shared, and how each is compressed and finished.
//!
//! Sharing and compression pull against each other: a shared sum saves the full adders of all its uses but one, and
//! makes them wait for its carries. The search's plan is therefore cut at every depth, the rest being summed by one
//! carry-save tree an output; of all cuts, and of all ways to finish the trees, the smallest that meets the delay bound
//! is taken.

use hdl::lower::Fan;
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::cells::CellCosts;
use super::compress::{CarrySave, FinalAdder, Summand, Wire, compress};
use super::cost::{Objective, width};
use super::digits;
use super::graph::{AdderGraph, Linear, Node, NodeId, Op, Term};
use super::plan::Plan;
use super::prefix::Shape;
use super::problem::{ArithError, Problem};
use super::search::{self, Effort};

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

/// Ways to finish a sum, from small to fast; the fraction is the share of its bits that ripple before the network.
const FINISHES: [(Shape, f64); 9] = [
    (Shape::BrentKung, 0.75),
    (Shape::Earliest, 0.75),
    (Shape::BrentKung, 0.5),
    (Shape::Earliest, 0.5),
    (Shape::Sklansky, 0.25),
    (Shape::Earliest, 0.25),
    (Shape::BrentKung, 0.0),
    (Shape::KoggeStone, 0.0),
    (Shape::Earliest, 0.0),
];

/// Finds cells of little area that deliver every output within `max_delay_ps`, if it is given.
///
/// # Errors
/// Those of [`Problem::validate`]; [`ArithError::TooSlow`] with what can be reached if the bound cannot be met.
pub fn optimise_cells(
    problem: &Problem,
    costs: &CellCosts,
    max_delay_ps: Option<u32>,
    effort: Effort,
    seed: u64,
) -> Result<CellSums, ArithError> {
    problem.validate()?;
    let least = problem.least_depth().map_or(0, |d| d.1);
    let bounds = [problem.max_depth, Some(least + 1), Some(least)];
    let mut plans: Vec<Plan> = Vec::new();
    for max_depth in bounds {
        if problem
            .max_depth
            .is_some_and(|d| max_depth.is_some_and(|m| m > d))
        {
            continue;
        }
        let bounded = Problem {
            max_depth,
            objective: Objective::LogicBits,
            ..problem.clone()
        };
        plans.push(search::search(&bounded, effort, seed).plan);
        if max_delay_ps.is_none() {
            break;
        }
    }
    let cuts: Vec<(&Plan, u32)> = plans
        .iter()
        .flat_map(|plan| {
            let deepest = plan.nodes.iter().map(|n| n.depth).max().unwrap_or(0);
            (0..=deepest).map(move |depth| (plan, depth))
        })
        .collect();
    let build = |&(plan, depth): &(&Plan, u32)| {
        let plan = cut(plan, depth);
        let slow = finish(&plan, problem, costs, max_delay_ps, Shape::Ripple);
        match max_delay_ps {
            Some(bound) if slow.delay > bound => {
                let fast = finish(&plan, problem, costs, max_delay_ps, Shape::Earliest);
                if fast.delay < slow.delay { fast } else { slow }
            }
            _ => slow,
        }
    };
    let built: Vec<CellSums> = cuts.par_iter().map(build).collect();
    let meets = |sums: &&CellSums| max_delay_ps.is_none_or(|bound| sums.delay <= bound);
    let best = built
        .iter()
        .filter(meets)
        .min_by(|a, b| a.area.total_cmp(&b.area).then(a.delay.cmp(&b.delay)));
    best.cloned().ok_or_else(|| ArithError::TooSlow {
        asked_ps: max_delay_ps.unwrap_or(0),
        least_ps: built.iter().map(|sums| sums.delay).min().unwrap_or(0),
    })
}

/// The plan with every shared sum beyond `depth` dissolved into the outputs.
fn cut(plan: &Plan, depth: u32) -> Plan {
    let mut plan = plan.clone();
    let is_input: Vec<bool> = plan.nodes.iter().map(|n| n.recipe.is_none()).collect();
    let mut gone: Vec<bool> = plan
        .nodes
        .iter()
        .zip(is_input)
        .map(|(n, input)| !input && n.depth > depth)
        .collect();
    plan.dissolve(&mut gone);
    plan.prune();
    plan
}

/// The plan as cells; shared sums end in adders of shape `shared`.
fn finish(
    plan: &Plan,
    problem: &Problem,
    costs: &CellCosts,
    bound: Option<u32>,
    shared: Shape,
) -> CellSums {
    let loads = loads(plan, costs);
    let shared = FinalAdder {
        shape: shared,
        from: 0,
    };
    let mut arrivals: Vec<Vec<u32>> = Vec::with_capacity(plan.nodes.len());
    let mut sums = Vec::with_capacity(plan.nodes.len());
    let mut nodes = Vec::with_capacity(plan.nodes.len());
    for (index, node) in plan.nodes.iter().enumerate() {
        let bits = width(node.lo, node.hi) as usize;
        let (op, sum) = match node.recipe {
            None => (
                Op::Input {
                    index: index as u32,
                },
                None,
            ),
            Some((a, b)) => {
                let terms = [a, b].map(|t| summand(plan, &arrivals, t));
                let sum = compress(&terms, 0, (node.lo, node.hi), shared, costs);
                (Op::Add { a, b }, Some(sum))
            }
        };
        let own = sum.as_ref().map_or_else(
            || vec![node.depth * costs.full_adder.delay; bits],
            |sum| sum.arrivals.clone(),
        );
        arrivals.push(own.iter().map(|time| time + loads[index]).collect());
        sums.push(sum);
        nodes.push(Node {
            op,
            lo: node.lo,
            hi: node.hi,
            depth: node.depth,
        });
    }
    let output = |column: usize| output(plan, problem, column, &arrivals, costs, bound);
    let outputs: Vec<CarrySave> = (0..plan.columns.len())
        .into_par_iter()
        .map(output)
        .collect();
    let trees = || sums.iter().flatten().chain(&outputs);
    let cells: f64 = trees().map(|tree| tree.area(costs)).sum();
    CellSums {
        area: cells + inverters(plan, trees(), costs),
        delay: outputs.iter().map(CarrySave::delay).max().unwrap_or(0),
        graph: AdderGraph {
            nodes,
            ..AdderGraph::default()
        },
        sums,
        outputs,
    }
}

/// What the readers of each node beyond the first add to its delay: their load, or the inverters that spare it that.
fn loads(plan: &Plan, costs: &CellCosts) -> Vec<u32> {
    let mut readers = vec![0u32; plan.nodes.len()];
    for t in plan
        .nodes
        .iter()
        .filter_map(|n| n.recipe)
        .flat_map(|(a, b)| [a, b])
    {
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
    Summand {
        term,
        lo: node.lo,
        hi: node.hi,
        arrivals: arrivals[term.node as usize].clone(),
    }
}

/// One output's tree with the smallest final adder that meets the bound, or else the fastest.
fn output(
    plan: &Plan,
    problem: &Problem,
    column: usize,
    arrivals: &[Vec<u32>],
    costs: &CellCosts,
    bound: Option<u32>,
) -> CarrySave {
    let mut terms = Vec::new();
    for &(node, coefficient) in &plan.columns[column] {
        for (shift, neg) in digits::narrowest(coefficient).iter() {
            terms.push(summand(plan, arrivals, Term { node, shift, neg }));
        }
    }
    let bias = problem.bias.as_ref().map_or(0, |b| b[column]);
    let (lo, hi) = Linear(problem.matrix.column(column).collect()).range(&problem.inputs);
    smallest_within(&terms, bias, (lo + bias, hi + bias), costs, bound)
}

/// The tree of a sum with the smallest final adder that meets the bound, or else with the fastest.
pub fn smallest_within(
    terms: &[Summand],
    bias: i64,
    range: (i64, i64),
    costs: &CellCosts,
    bound: Option<u32>,
) -> CarrySave {
    let ripple = compress(terms, bias, range, FinalAdder::RIPPLE, costs);
    let Some(bound) = bound.filter(|bound| ripple.delay() > *bound) else {
        return ripple;
    };
    let bits = ripple.rows.len();
    let mut best = ripple;
    for (shape, share) in FINISHES {
        let from = (bits as f64 * share) as usize;
        let tree = compress(terms, bias, range, FinalAdder { shape, from }, costs);
        let better = match (tree.delay() <= bound, best.delay() <= bound) {
            (true, true) => tree.area(costs) < best.area(costs),
            (true, false) => true,
            (false, true) => false,
            (false, false) => tree.delay() < best.delay(),
        };
        if better {
            best = tree;
        }
    }
    best
}

/// Area of the inverters between the nodes' bits and what reads them or their complements.
fn inverters<'a>(
    plan: &Plan,
    trees: impl Iterator<Item = &'a CarrySave>,
    costs: &CellCosts,
) -> f64 {
    let mut readers: FxHashMap<(NodeId, u8, bool), u32> = FxHashMap::default();
    for tree in trees {
        for wire in &tree.wires {
            if let Wire::Source {
                term,
                bit,
                inverted,
            } = *wire
            {
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
            tree.eval(
                &terms
                    .map(|s| values[s.term.node as usize])
                    .collect::<Vec<_>>(),
            )
        };
        for (node, sum) in self.graph.nodes.iter().zip(&self.sums) {
            let value = match (node.op, sum) {
                (_, Some(tree)) => of(tree, &values),
                (Op::Input { index }, None) => x[index as usize],
                (Op::Constant { value }, None) => value,
                (Op::Add { a, b }, None) => {
                    a.apply(values[a.node as usize]) + b.apply(values[b.node as usize])
                }
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
