//! Fewest register bits: all boundaries between stages in one least cut, or each in a cut of its own.
//!
//! A value of `w` bits that is made in stage `s` and last read in stage `t` costs `w · (t - s)` register bits, that is
//! `w` for every boundary between the two. So the cost is a sum over boundaries, and [`joint`] finds the least of all
//! schedules. Where a module is too large for that, boundaries are cut one at a time: the others held fixed, the best
//! one is a least cut. A node stands before or after it, operands of a node before stand before, and a node before that
//! has a reader after pays its width. Which nodes must stand before or after follows from the delays of the two stages
//! that the boundary divides, because delays only grow along paths.
//!
//! First each boundary is cut with all freedom that the others leave, from the first to the last and from the last to
//! the first, then boundaries are cut again between their neighbours until nothing improves. The same is done from the
//! earliest and the latest schedule, and the best result stays. It is no proof: moving several boundaries at once might
//! gain more. It does on one in a hundred small random modules, and on large ones whose clock leaves them
//! freedom the result may hold a third more bits.

use std::ops::Range;

use super::boundary::{Ends, Place, charge};
use super::bounds::{Schedule, earliest, fits, latest};
use super::joint;
use super::problem::{Problem, Role};
use crate::dfg::NodeId;
use crate::passes::delay::Arrival;
use crate::passes::max_flow::{Network, Side, UNLIMITED};

/// Rounds over all boundaries after which a result is taken as it is.
const ROUNDS: usize = 24;

/// Free nodes beyond which boundaries stay where the earliest or the latest schedule puts them.
///
/// A cut takes a few seconds and about 200 bytes a node there.
pub(super) const MOST_CUT_NODES: usize = 400_000;

/// Free nodes times boundaries beyond which boundaries are only cut between their neighbours.
const MOST_SWEPT_NODES: u64 = 20_000_000;

/// Free nodes beyond which the earliest and the latest schedule are not cut as well.
const MOST_STARTS_NODES: usize = 30_000;

/// The stages under which the registers hold the fewest bits, for a budget and a latency that are feasible.
pub(super) fn fewest_bits(problem: &Problem<'_>, budget: u64, latency: u32) -> Option<Schedule> {
    let early = earliest(problem, budget).ok()?;
    let late = latest(problem, budget, latency, &early);
    let candidates = match joint::fewest_bits(problem, budget, latency, &early, &late) {
        Some(stage) => vec![stage],
        None => cut_one_by_one(problem, budget, latency, &early, &late),
    };
    let settled = |stage| {
        let mut schedule = Schedule { stage, arrival: early.arrival.clone() };
        schedule.settle(problem, budget, latency)?;
        Some((register_bits(problem, &schedule.stage, latency), schedule))
    };
    let best = candidates.into_iter().filter_map(settled);
    let best = best.min_by_key(|(bits, _)| *bits);
    best.map(|(_, schedule)| schedule)
}

/// Schedules that cuts of one boundary after the other lead to.
pub(super) fn cut_one_by_one(
    problem: &Problem<'_>,
    budget: u64,
    latency: u32,
    early: &Schedule,
    late: &[u32],
) -> Vec<Vec<u32>> {
    let free = problem.role.iter().filter(|r| **r == Role::Free).count();
    let mut candidates = vec![early.stage.clone(), late.to_vec()];
    let cutter = |stage: &[u32]| Cutter::new(problem, budget, latency, early, stage.to_vec());
    let sweeps = free as u64 * u64::from(latency) <= MOST_SWEPT_NODES;
    if free <= MOST_CUT_NODES && (free <= MOST_STARTS_NODES || !sweeps) {
        candidates.push(cutter(&early.stage).settled());
        candidates.push(cutter(late).settled());
    }
    if free <= MOST_CUT_NODES && sweeps {
        let mut forward = cutter(late);
        (0..latency).for_each(|b| forward.cut(b, Freedom::AllLater, Side::LargestSource));
        candidates.push(forward.settled());
        let mut backward = cutter(&early.stage);
        (0..latency).rev().for_each(|b| backward.cut(b, Freedom::AllEarlier, Side::SmallestSource));
        candidates.push(backward.settled());
    }
    candidates
}

/// Bits of all pipeline registers, where each value waits in one chain for all its readers.
pub(super) fn register_bits(problem: &Problem<'_>, stage: &[u32], latency: u32) -> u64 {
    problem
        .nodes()
        .filter(|n| problem.is_timed(*n))
        .map(|n| {
            let own = stage[n.index()];
            let waits = last_read(problem, stage, latency, n).saturating_sub(own);
            u64::from(problem.width[n.index()]) * u64::from(waits)
        })
        .sum()
}

/// The last stage in which something reads `n`; 0 if nothing does.
fn last_read(problem: &Problem<'_>, stage: &[u32], latency: u32, n: NodeId) -> u32 {
    let shown = problem.is_output[n.index()].then_some(latency);
    let readers = problem.readers(n).iter().map(|(r, _)| stage[r.index()]);
    readers.chain(shown).max().unwrap_or(0)
}

/// Which nodes may cross a boundary that is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Freedom {
    /// Those of the two stages beside it.
    Neighbours,
    /// Those of all later stages may come before it; those of the stage before it stay.
    AllLater,
    /// Those of all earlier stages may go behind it; those of the stage behind it stay.
    AllEarlier,
}

struct Cutter<'a> {
    problem: &'a Problem<'a>,
    budget: u64,
    latency: u32,
    /// Times of the pinned and timeless nodes.
    sources: &'a Schedule,
    stage: Vec<u32>,
    /// Free nodes of each stage, operands first.
    members: Vec<Vec<NodeId>>,
    /// Scratch: times from the boundary before, or to the boundary behind.
    time: Vec<Arrival>,
    /// Places of the open nodes during a cut; `None` for all others.
    place: Vec<Option<Place>>,
}

impl<'a> Cutter<'a> {
    fn new(problem: &'a Problem<'a>, budget: u64, latency: u32, sources: &'a Schedule, stage: Vec<u32>) -> Self {
        let mut members = vec![Vec::new(); latency as usize + 1];
        for n in problem.nodes().filter(|n| problem.role(*n) == Role::Free) {
            members[stage[n.index()] as usize].push(n);
        }
        Self {
            time: vec![Arrival::default(); stage.len()],
            place: vec![None; stage.len()],
            problem,
            budget,
            latency,
            sources,
            stage,
            members,
        }
    }

    /// Cuts boundaries again between their neighbours, from front to back and from back to front, until neither of the
    /// two ways to settle a tie gains anything.
    fn settled(mut self) -> Vec<u32> {
        let cost = |c: &Self| register_bits(c.problem, &c.stage, c.latency);
        let mut bits = cost(&self);
        let mut idle = 0;
        for round in 0..ROUNDS {
            let side = if round % 2 == 0 { Side::SmallestSource } else { Side::LargestSource };
            let boundaries = 0..self.latency;
            for b in boundaries.clone().chain(boundaries.rev()) {
                self.cut(b, Freedom::Neighbours, side);
            }
            let now = cost(&self);
            idle = if now < bits { 0 } else { idle + 1 };
            if idle == 2 {
                break;
            }
            bits = now;
        }
        self.stage
    }

    /// Moves nodes between the stages on both sides of boundary `b`, which stands behind stage `b`, so that the
    /// registers at the boundary hold the fewest bits.
    fn cut(&mut self, b: u32, freedom: Freedom, side: Side) {
        let open = self.open_nodes(b, freedom);
        self.force(b, freedom, &open);
        let mut network = Network::default();
        let ends = Ends { source: network.vertex(), sink: network.vertex() };
        for n in &open {
            if let Some(Place::Open(vertex)) = &mut self.place[n.index()] {
                *vertex = network.vertex();
            }
        }
        for n in self.payers(b, &open) {
            charge(&mut network, ends, self.problem, n, |n| self.side_of(n, b));
        }
        for &n in &open {
            self.order(&mut network, n);
        }
        let before = network.least_cut(ends.source, ends.sink, side);
        self.apply(b, freedom, &open, &before);
    }

    /// The stages that the freedom is about.
    fn stages(&self, b: u32, freedom: Freedom) -> Range<usize> {
        let b = b as usize;
        match freedom {
            Freedom::Neighbours => b..b + 2,
            Freedom::AllLater => b..self.members.len(),
            Freedom::AllEarlier => 0..b + 2,
        }
    }

    /// The free nodes of those stages, operands first.
    fn open_nodes(&self, b: u32, freedom: Freedom) -> Vec<NodeId> {
        let mut open: Vec<NodeId> = self.members[self.stages(b, freedom)].concat();
        open.sort_unstable();
        open
    }

    /// Finds which of the open nodes must stand before and after the boundary.
    fn force(&mut self, b: u32, freedom: Freedom, open: &[NodeId]) {
        for &n in open {
            self.place[n.index()] = Some(Place::Open(0));
        }
        if freedom != Freedom::AllEarlier {
            self.force_after(b, open);
        }
        if freedom != Freedom::AllLater {
            self.force_before(b, open);
        }
        for &n in open {
            let stage = self.stage[n.index()];
            match freedom {
                Freedom::AllLater if stage == b => self.place[n.index()] = Some(Place::Before),
                Freedom::AllEarlier if stage == b + 1 => self.place[n.index()] = Some(Place::After),
                _ => {}
            }
        }
    }

    /// A node that would settle too late if all open nodes before it were in stage `b` stands after the boundary.
    fn force_after(&mut self, b: u32, open: &[NodeId]) {
        for &n in open {
            let mut arrival = Arrival::default();
            let mut too_early = false;
            for edge in self.problem.operands(n) {
                let from = edge.from.index();
                let operand = match self.problem.role(edge.from) {
                    Role::Timeless => self.sources.arrival[from],
                    Role::Pinned(own) => {
                        too_early |= self.problem.usable_from(edge.from, own) > b;
                        if own == b { self.sources.arrival[from] } else { Arrival::default() }
                    }
                    _ if self.stage[from] < b => Arrival::default(),
                    _ => {
                        too_early |= self.place[from] == Some(Place::After);
                        self.time[from]
                    }
                };
                arrival = arrival.join(operand.through(edge.delay));
            }
            self.time[n.index()] = arrival;
            if too_early || arrival.last() > self.budget {
                self.place[n.index()] = Some(Place::After);
            }
        }
    }

    /// A node behind which too much would follow if all open nodes after it were in stage `b + 1` stands before it.
    fn force_before(&mut self, b: u32, open: &[NodeId]) {
        let last = self.latency - self.problem.output_registers();
        for &n in open.iter().rev() {
            let mut after = Arrival::default();
            let mut too_late = self.problem.is_output[n.index()] && b + 1 > last;
            for (reader, delay) in self.problem.readers(n) {
                if self.stage[reader.index()] <= b + 1 {
                    after = after.join(self.time[reader.index()].before(*delay));
                    too_late |= self.place[reader.index()] == Some(Place::Before);
                }
            }
            if self.problem.is_output[n.index()] && b + 1 == self.latency {
                after = after.join(self.problem.output_tail());
            }
            self.time[n.index()] = after;
            if too_late || !fits(self.problem, self.sources, n, b + 1, after, self.budget) {
                self.place[n.index()] = Some(Place::Before);
            }
        }
    }

    /// The open nodes, and the others before the boundary that an open node reads, each once.
    fn payers(&self, b: u32, open: &[NodeId]) -> Vec<NodeId> {
        let outside = |n: &NodeId| {
            let waiting = self.place[n.index()].is_none() && self.stage[n.index()] <= b;
            waiting && self.problem.is_timed(*n)
        };
        let operands = open.iter().flat_map(|n| self.problem.operands(*n));
        let mut payers: Vec<NodeId> = operands.map(|e| e.from).filter(outside).collect();
        payers.extend(open);
        payers.sort_unstable();
        payers.dedup();
        payers
    }

    /// Keeps the open operands of `n` before the boundary if `n` is.
    fn order(&self, network: &mut Network, n: NodeId) {
        let Some(Place::Open(vertex)) = self.place[n.index()] else {
            return;
        };
        for edge in self.problem.operands(n) {
            if let Some(Place::Open(operand)) = self.place[edge.from.index()] {
                network.edge(vertex, operand, UNLIMITED);
            }
        }
    }

    /// Where `n` stands, which need not be open.
    fn side_of(&self, n: NodeId, b: u32) -> Place {
        self.place[n.index()].unwrap_or(if self.stage[n.index()] <= b { Place::Before } else { Place::After })
    }

    /// Gives the open nodes their stages, and ends the cut.
    fn apply(&mut self, b: u32, freedom: Freedom, open: &[NodeId], before: &[bool]) {
        let stages = self.stages(b, freedom);
        self.members[stages].iter_mut().for_each(Vec::clear);
        for &n in open {
            let is_before = match self.place[n.index()].take() {
                Some(Place::Open(vertex)) => before[vertex as usize],
                place => place == Some(Place::Before),
            };
            let stage = &mut self.stage[n.index()];
            *stage = if is_before { (*stage).min(b) } else { (*stage).max(b + 1) };
            self.members[*stage as usize].push(n);
        }
    }
}
