//! Earliest and latest stages under a clock, and the least clock for a latency.

use super::problem::{Problem, Role};
use crate::dfg::NodeId;
use crate::passes::delay::Arrival;

/// A stage for each node, and the time in that stage at which it settles.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    pub stage: Vec<u32>,
    pub arrival: Vec<Arrival>,
}

/// A node that takes longer than a whole stage, and how long it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooSlow {
    pub node: NodeId,
    pub time: u64,
}

/// Every node as early as it can be where a stage takes `budget` picoseconds.
///
/// The stage of a node never gets later if an operand settles earlier, so taking the earliest for each in turn is best.
pub(super) fn earliest(problem: &Problem<'_>, budget: u64) -> Result<Schedule, TooSlow> {
    let len = problem.role.len();
    let mut schedule = Schedule { stage: vec![0; len], arrival: vec![Arrival::default(); len] };
    for n in problem.nodes() {
        let stage = match problem.role(n) {
            Role::Register => continue,
            Role::Timeless => 0,
            Role::Pinned(stage) => stage,
            Role::Free => first_stage(problem, &schedule, n),
        };
        let arrival = schedule.arrival_in(problem, n, stage);
        let free = problem.role(n) == Role::Free;
        let (stage, arrival) = if free && arrival.last() > budget {
            (stage + 1, schedule.arrival_in(problem, n, stage + 1))
        } else {
            (stage, arrival)
        };
        if arrival.last() > budget {
            return Err(TooSlow { node: n, time: arrival.last() });
        }
        schedule.stage[n.index()] = stage;
        schedule.arrival[n.index()] = arrival;
    }
    Ok(schedule)
}

/// The least stage that `n`'s operands allow.
fn first_stage(problem: &Problem<'_>, schedule: &Schedule, n: NodeId) -> u32 {
    problem
        .operands(n)
        .iter()
        .filter(|e| problem.is_timed(e.from))
        .map(|e| problem.usable_from(e.from, schedule.stage[e.from.index()]))
        .max()
        .unwrap_or(0)
}

impl Schedule {
    /// When `n` settles in stage `stage`, its operands being placed.
    pub fn arrival_in(&self, problem: &Problem<'_>, n: NodeId, stage: u32) -> Arrival {
        let mut arrival = problem.source_arrival(n);
        for edge in problem.operands(n) {
            let from = edge.from.index();
            let here = !problem.is_timed(edge.from) || self.stage[from] == stage;
            let operand = if here { self.arrival[from] } else { Arrival::default() };
            arrival = arrival.join(operand.through(edge.delay));
        }
        arrival
    }

    /// The cycle of the outputs: as early as the nodes that they show, and the registers before them, allow.
    pub fn latency(&self, problem: &Problem<'_>, budget: u64) -> u32 {
        let shown = problem.nodes().filter(|n| problem.is_output[n.index()] && problem.is_timed(*n));
        shown
            .map(|n| {
                let stage = problem.usable_from(n, self.stage[n.index()]);
                let late = self.arrival[n.index()].last() + problem.output_tail().last() > budget;
                stage + problem.output_registers().max(u32::from(late))
            })
            .max()
            .unwrap_or(0)
    }

    /// Recomputes all times for the stages as they are; `None` if one of them breaks the budget or the order.
    pub fn settle(&mut self, problem: &Problem<'_>, budget: u64, latency: u32) -> Option<()> {
        for n in problem.nodes() {
            if problem.role(n) == Role::Register {
                continue;
            }
            let stage = self.stage[n.index()];
            let arrival = self.arrival_in(problem, n, stage);
            self.arrival[n.index()] = arrival;
            let early = problem.role(n) == Role::Free && first_stage(problem, self, n) > stage;
            if early || arrival.last() > budget {
                return None;
            }
        }
        (self.latency(problem, budget) <= latency).then_some(())
    }
}

/// Every free node as late as it can be where the outputs are in cycle `latency`. The times are those from the node's
/// end to the end of its stage.
///
/// `earliest` must be feasible for the same budget and latency.
pub(super) fn latest(problem: &Problem<'_>, budget: u64, latency: u32, earliest: &Schedule) -> Vec<u32> {
    let mut stage = earliest.stage.clone();
    let mut tail = vec![Arrival::default(); stage.len()];
    for n in problem.nodes().rev() {
        if problem.role(n) != Role::Free {
            continue;
        }
        let shown = problem.is_output[n.index()].then(|| latency - problem.output_registers());
        let read = problem.readers(n).iter().map(|(r, _)| stage[r.index()]);
        let mut last = read.chain(shown).min().unwrap_or(latency);
        let mut after = tail_in(problem, &stage, &tail, n, last, latency);
        while last > earliest.stage[n.index()] && !fits(problem, earliest, n, last, after, budget) {
            last -= 1;
            after = tail_in(problem, &stage, &tail, n, last, latency);
        }
        stage[n.index()] = last;
        tail[n.index()] = after;
    }
    stage
}

/// What follows `n` in stage `last`, its readers being placed.
fn tail_in(problem: &Problem<'_>, stage: &[u32], tail: &[Arrival], n: NodeId, last: u32, latency: u32) -> Arrival {
    let mut after = Arrival::default();
    for (reader, delay) in problem.readers(n) {
        if stage[reader.index()] == last {
            after = after.join(tail[reader.index()].before(*delay));
        }
    }
    if problem.is_output[n.index()] && last == latency {
        after = after.join(problem.output_tail());
    }
    after
}

/// Whether the paths that begin at the registers, pinned nodes and timeless nodes before `n` reach the end of stage
/// `stage` in time, if `after` follows `n`.
pub(super) fn fits(
    problem: &Problem<'_>,
    sources: &Schedule,
    n: NodeId,
    stage: u32,
    after: Arrival,
    budget: u64,
) -> bool {
    problem.operands(n).iter().all(|edge| {
        let from = edge.from.index();
        let start = match problem.role(edge.from) {
            Role::Timeless => sources.arrival[from],
            Role::Pinned(own) if own == stage => sources.arrival[from],
            _ => Arrival::default(),
        };
        let rest = after.before(edge.delay);
        start.low + rest.low <= budget && start.high + rest.high <= budget
    })
}

/// The least budget under which the outputs can be in cycle `latency`, by bisection; `None` if there is none.
pub(super) fn least_budget(problem: &Problem<'_>, latency: u32) -> Option<u64> {
    let shown = match problem.output_registers() {
        0 => problem.output_tail().last(),
        _ => 0,
    };
    let reaches =
        |budget: u64| budget >= shown && earliest(problem, budget).is_ok_and(|s| s.latency(problem, budget) <= latency);
    let all = earliest(problem, u64::MAX / 2).ok()?;
    let longest = all.arrival.iter().map(|a| a.last()).max().unwrap_or(0);
    let mut enough = longest + shown;
    if !reaches(enough) {
        return None;
    }
    let mut short = 0;
    if reaches(0) {
        return Some(0);
    }
    while enough - short > 1 {
        let middle = short + (enough - short) / 2;
        if reaches(middle) {
            enough = middle;
        } else {
            short = middle;
        }
    }
    Some(enough)
}
