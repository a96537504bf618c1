//! Fewest register bits over all boundaries at once.
//!
//! "Node `n` stands before boundary `b`" is one unknown for every boundary that `n` may stand on either side of. All that
//! binds the unknowns are implications: what stands before a boundary stands before the next one too, and so do its
//! operands. Two nodes between which a path takes longer than a stage are in different stages, so that if the later one
//! stands before a boundary, the earlier one stands before the boundary in front of it: the constraints of minimum-area
//! retiming (Leiserson and Saxe 1991). With the register bits, which are a sum over nodes and boundaries, that is one
//! least cut, and its result is the best of all schedules.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::boundary::{Ends, Place, charge};
use super::bounds::Schedule;
use super::problem::{Problem, Role};
use crate::dfg::NodeId;
use crate::passes::delay::Arrival;
use crate::passes::max_flow::{Network, Side, UNLIMITED};

/// Unknowns beyond which no joint cut is tried: it would take more than a few seconds.
const MOST_UNKNOWNS: usize = 150_000;

/// Nodes visited in search of paths that take too long, and implications from them, beyond which it is not tried either.
const MOST_VISITS: usize = 20_000_000;
const MOST_IMPLICATIONS: usize = 1_500_000;

/// The stages under which the registers hold the fewest bits; `None` if the module is too large for that.
///
/// `early` and `late` are the earliest and the latest stages for the budget and the latency.
pub(super) fn fewest_bits(
    problem: &Problem<'_>,
    budget: u64,
    latency: u32,
    early: &Schedule,
    late: &[u32],
) -> Option<Vec<u32>> {
    let unknowns = Unknowns::new(problem, latency, early, late)?;
    let slow = SlowPaths::new(problem, budget, early, late).search()?;
    let mut network = Network::default();
    (0..unknowns.count).for_each(|_| _ = network.vertex());
    let ends = Ends { source: network.vertex(), sink: network.vertex() };
    for n in problem.nodes().filter(|n| problem.is_timed(*n)) {
        unknowns.order(&mut network, n);
        for b in 0..latency {
            charge(&mut network, ends, problem, n, |n| unknowns.place(n, b));
        }
    }
    for (earlier, later) in slow {
        unknowns.separate(&mut network, earlier, later);
    }
    let before = network.least_cut(ends.source, ends.sink, Side::SmallestSource);
    Some(unknowns.stages(&before))
}

/// One unknown for each node and boundary from the node's earliest stage to before its latest.
struct Unknowns<'a> {
    problem: &'a Problem<'a>,
    early: &'a [u32],
    late: &'a [u32],
    /// The node's first unknown.
    first: Vec<u32>,
    count: usize,
}

impl<'a> Unknowns<'a> {
    fn new(problem: &'a Problem<'a>, latency: u32, early: &'a Schedule, late: &'a [u32]) -> Option<Self> {
        let early = &early.stage;
        let mut first = vec![0; early.len()];
        let mut count = 0usize;
        for n in problem.nodes().filter(|n| problem.role(*n) == Role::Free) {
            first[n.index()] = count as u32;
            count += (late[n.index()] - early[n.index()]) as usize;
            if count > MOST_UNKNOWNS || count.saturating_mul(latency as usize) > MOST_VISITS {
                return None;
            }
        }
        Some(Self { problem, early, late, first, count })
    }

    /// The side of boundary `b`, which stands behind stage `b`, on which `n` stands.
    fn place(&self, n: NodeId, b: u32) -> Place {
        let i = n.index();
        if b < self.early[i] {
            Place::After
        } else if self.problem.role(n) != Role::Free || b >= self.late[i] {
            Place::Before
        } else {
            Place::Open(self.first[i] + b - self.early[i])
        }
    }

    /// The node's boundaries in their order, its operands not behind it.
    fn order(&self, network: &mut Network, n: NodeId) {
        for b in self.early[n.index()]..self.late[n.index()] {
            let Place::Open(own) = self.place(n, b) else {
                return;
            };
            if let Place::Open(next) = self.place(n, b + 1) {
                network.edge(own, next, UNLIMITED);
            }
            for edge in self.problem.operands(n) {
                if let Place::Open(operand) = self.place(edge.from, b) {
                    network.edge(own, operand, UNLIMITED);
                }
            }
        }
    }

    /// `later` in a later stage than `earlier`.
    fn separate(&self, network: &mut Network, earlier: NodeId, later: NodeId) {
        for b in self.early[later.index()].max(1)..self.late[later.index()] {
            if let (Place::Open(own), Place::Open(other)) = (self.place(later, b), self.place(earlier, b - 1)) {
                network.edge(own, other, UNLIMITED);
            }
        }
    }

    /// Each node's stage, from which unknowns stand before their boundaries.
    fn stages(&self, before: &[bool]) -> Vec<u32> {
        let stage = |n: NodeId| {
            let i = n.index();
            let behind = |b: &u32| match self.place(n, *b) {
                Place::Open(own) => !before[own as usize],
                _ => false,
            };
            self.early[i] + (self.early[i]..self.late[i]).filter(behind).count() as u32
        };
        self.problem.nodes().map(stage).collect()
    }
}

/// The search for pairs of nodes that cannot be in one stage.
struct SlowPaths<'a> {
    problem: &'a Problem<'a>,
    budget: u64,
    early: &'a Schedule,
    late: &'a [u32],
    /// When a node settles that is reached from the start, while it waits in `queue`.
    time: Vec<Option<Arrival>>,
    queue: BinaryHeap<Reverse<NodeId>>,
    visits: usize,
}

impl<'a> SlowPaths<'a> {
    fn new(problem: &'a Problem<'a>, budget: u64, early: &'a Schedule, late: &'a [u32]) -> Self {
        Self { problem, budget, early, late, time: vec![None; late.len()], queue: BinaryHeap::new(), visits: 0 }
    }

    /// Pairs, the earlier node first, that together keep every path within a stage; `None` if they are too many.
    fn search(mut self) -> Option<Vec<(NodeId, NodeId)>> {
        let mut pairs = Vec::new();
        let mut implications = 0;
        let mut from: Vec<Vec<NodeId>> = vec![Vec::new(); self.late.len()];
        let free = |n: &NodeId| self.problem.role(*n) == Role::Free;
        let starts: Vec<NodeId> = self.problem.nodes().rev().filter(free).collect();
        for n in starts {
            let ends = self.too_late_after(n);
            // a reader that is too far away as well says the same and more
            let implied = |end: &NodeId| {
                let readers = self.problem.readers(n).iter();
                readers.clone().any(|(r, _)| from[r.index()].binary_search(end).is_ok())
            };
            for &end in ends.iter().filter(|end| !implied(end)) {
                let boundaries = self.boundaries(n, end);
                implications += boundaries;
                if boundaries > 0 {
                    pairs.push((n, end));
                }
            }
            from[n.index()] = ends;
            if implications > MOST_IMPLICATIONS || self.visits > MOST_VISITS {
                return None;
            }
        }
        Some(pairs)
    }

    /// Boundaries before which `later` may stand or not, `earlier` likewise before the ones in front of them.
    fn boundaries(&self, earlier: NodeId, later: NodeId) -> usize {
        let (early, late) = (&self.early.stage, self.late);
        let first = early[later.index()].max(early[earlier.index()] + 1);
        let end = late[later.index()].min(late[earlier.index()] + 1);
        end.saturating_sub(first) as usize
    }

    /// The first nodes of all paths from `start` on that settle too late if they are in its stage, sorted.
    fn too_late_after(&mut self, start: NodeId) -> Vec<NodeId> {
        let problem = self.problem;
        let operand = |from: NodeId| match problem.role(from) {
            Role::Timeless => self.early.arrival[from.index()],
            _ => Arrival::default(),
        };
        let operands = problem.operands(start).iter();
        let settled = operands.map(|e| operand(e.from).through(e.delay)).fold(Arrival::default(), Arrival::join);
        self.time[start.index()] = Some(settled);
        self.queue.push(Reverse(start));
        let mut ends = Vec::new();
        while let Some(Reverse(n)) = self.queue.pop() {
            let settled = self.time[n.index()].take().expect("set when it was queued");
            self.visits += 1;
            if settled.last() > self.budget {
                ends.push(n);
                continue;
            }
            for (reader, delay) in problem.readers(n) {
                // nodes that no schedule has in one stage need no implication
                if self.early.stage[reader.index()] <= self.late[start.index()] {
                    let next = settled.through(*delay);
                    let time = &mut self.time[reader.index()];
                    if time.is_none() {
                        self.queue.push(Reverse(*reader));
                    }
                    *time = Some(time.map_or(next, |t| t.join(next)));
                }
            }
        }
        ends
    }
}
