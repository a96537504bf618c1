//! Searching for a cheaper plan: parts of it are taken apart and shared anew, as in simulated annealing.

use std::time::{Duration, Instant};

use rayon::prelude::*;
use sim::tools::is_stopped;

use crate::arith::digits;
use crate::arith::graph::NodeId;
use crate::arith::optimise::cse::Score;
use crate::arith::optimise::exact::{self, Exact};
use crate::arith::optimise::plan::{DEEPEST, Part, Plan, Shared};
use crate::arith::optimise::summation;
use crate::arith::problem::Objective;
use crate::arith::problem::Problem;
use crate::arith::rng::Rng;

/// How long to search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Effort {
    /// One greedy pass.
    Fast,
    /// A few greedy passes and a short search, some tens of times as long.
    Normal,
    /// A search some twenty times longer still.
    High,
    /// A search of this many seconds; the only effort whose result depends on the machine's speed.
    Seconds(f64),
}

impl std::str::FromStr for Effort {
    type Err = String;

    /// Its name, or seconds.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "fast" => Ok(Self::Fast),
            "normal" => Ok(Self::Normal),
            "high" => Ok(Self::High),
            _ => match text.parse::<f64>() {
                Ok(seconds) if seconds > 0.0 && seconds <= 86_400.0 => Ok(Self::Seconds(seconds)),
                _ => Err("expected fast, normal, high, or a number of seconds".into()),
            },
        }
    }
}

/// Score weights that do well over matrices of all sizes, the best first.
const SCORES: [Score; 4] =
    [score(1.0, 0.3, 0.0, 4.0), score(4.0, 0.3, 1.0, 1.0), score(16.0, 0.0, 0.0, 0.0), score(1.0, 0.0, 0.0, 4.0)];

const fn score(base: f32, per_width: f32, eagerness: f32, per_slack: f32) -> Score {
    Score { base, per_overlap: 1.0, per_width, eagerness, per_slack, noise: 0.0, seed: 0 }
}

/// A search of more seconds than this ends here.
const LONGEST: f64 = 1e6;

/// Independent chains; a fixed number, so that the result does not depend on the number of cores.
const CHAINS: u64 = 4;

/// Adder bits by which a step may make things worse, typically, at the start and at the end of a search.
const HOT: f64 = 8.0;
const COLD: f64 = 1.0;

/// A plan with its cost.
#[derive(Clone, Debug)]
pub struct Scored {
    /// The plan.
    pub plan: Plan,
    /// Cost of everything, in the problem's objective.
    pub cost: u64,
    /// No adder graph has fewer adders; 0 if nothing is known.
    pub adders_at_least: usize,
    /// Cost of each output's tree.
    tree_costs: Vec<u64>,
}

impl Scored {
    fn new(plan: Plan, problem: &Problem) -> Self {
        let all = all_columns(problem);
        Self::update(plan, vec![0; all.len()], &all, problem)
    }

    /// Rates a plan of which only some columns changed.
    fn update(plan: Plan, mut tree_costs: Vec<u64>, changed: &[u32], problem: &Problem) -> Self {
        let rate = |&j: &u32| summation::sum(&plan, j as usize, problem).cost;
        for (&j, cost) in changed.iter().zip(changed.par_iter().map(rate).collect::<Vec<_>>()) {
            tree_costs[j as usize] = cost;
        }
        let cost = plan.shared_cost(problem.objective) + tree_costs.iter().sum::<u64>();
        Self { plan, cost, adders_at_least: 0, tree_costs }
    }
}

fn all_columns(problem: &Problem) -> Vec<u32> {
    (0..problem.matrix.columns() as u32).collect()
}

/// Searches for a plan of few adder bits. The problem must be valid.
pub fn search(problem: &Problem, effort: Effort, seed: u64) -> Scored {
    let start = Instant::now();
    // Without inputs or outputs there is nothing to search.
    if effort == Effort::Fast || problem.matrix.rows() * problem.matrix.columns() == 0 {
        return greedy(problem, SCORES[0], FAST_GROUP);
    }
    let budget = match effort {
        Effort::Seconds(s) => (s.clamp(0.0, LONGEST) * 1e6) as u64,
        Effort::High => 100_000_000,
        _ => 2_000_000,
    };
    let exact = exact::least_adders(problem, budget);
    let mut starts: Vec<Scored> = SCORES.par_iter().map(|&s| greedy(problem, s, GROUP)).collect();
    starts.sort_by_key(|s| s.cost);
    let end = match effort {
        Effort::Seconds(s) => End::At(start, Duration::from_secs_f64(s.clamp(0.0, LONGEST))),
        Effort::High => End::After(20 * normal_steps(problem)),
        _ => End::After(normal_steps(problem)),
    };
    let chain = |k: u64| {
        let mut chain = Chain::new(problem, starts[k as usize % starts.len()].clone(), seed.wrapping_add(k << 40));
        chain.run(end);
        chain.best
    };
    let best = (0..CHAINS).into_par_iter().map(chain).min_by_key(|s| s.cost);
    let best = best.expect("there is at least one chain");
    match exact {
        Some(exact) => refine(best, exact, problem),
        None => best,
    }
}

/// Takes the cheapest of the plans with fewest adders if it is cheaper and in time, and notes the proved bound.
fn refine(mut best: Scored, exact: Exact, problem: &Problem) -> Scored {
    let limit = problem.max_depth.map_or(u64::MAX, |d| 1 << d.min(DEEPEST));
    let in_time = |plan: &Plan| (0..plan.columns.len()).all(|j| plan.kraft(j) <= limit);
    for plan in exact.plans.into_iter().filter(in_time) {
        let rival = Scored::new(plan, problem);
        if rival.cost < best.cost {
            best = rival;
        }
    }
    Scored { adders_at_least: exact.lower_bound, ..best }
}

/// Steps of a normal search: fewer for large problems, whose steps take longer. Look-up tables reward patience: four
/// times the steps save 3 % of them on small matrices.
fn normal_steps(problem: &Problem) -> usize {
    let columns = 0..problem.matrix.columns();
    let digits: u64 = columns.flat_map(|j| problem.matrix.column(j)).map(|(_, w)| u64::from(digits::weight(w))).sum();
    let most = match problem.objective {
        Objective::Luts => 8000,
        Objective::AdderBits | Objective::LogicBits => 2000,
    };
    (10_000_000 / digits.max(1)).clamp(100, most) as usize
}

/// Inputs whose digits are shared among each other in one go, for the fast effort and for the others. The time of a
/// pass grows with the square of this, up to which it grows with the cube of a matrix's size and from where on with
/// the square; twice as many inputs save about 3 % of the adder bits.
const FAST_GROUP: usize = 32;
const GROUP: usize = 64;

/// Outputs that are shared among in one go: bounds the memory of the engine's bit sets.
const OUTPUTS: usize = 1024;

/// Up to this many inputs a last pass goes over all of them at once.
const WHOLE: usize = 128;

/// Greedy sharing from nothing: first within groups of inputs, in parallel, then what is left, unless it is too much.
fn greedy(problem: &Problem, score: Score, group_size: usize) -> Scored {
    let mut plan = Plan::unshared(problem);
    let columns = all_columns(problem);
    let groups = problem.matrix.rows().div_ceil(group_size);
    let blocks: Vec<(usize, &[u32])> = (0..groups).flat_map(|g| columns.chunks(OUTPUTS).map(move |c| (g, c))).collect();
    if blocks.len() > 1 {
        let slack = plan.slack(problem.max_depth);
        let parts: Vec<Part> = blocks
            .par_iter()
            .map(|&(group, columns)| {
                let share = columns.iter().filter_map(|&j| slack.get(j as usize)).map(|s| s / groups as u64).collect();
                let part = Part::cut(&plan, columns, |n| n as usize / group_size == group);
                part.share(&problem.inputs, share, score)
            })
            .collect();
        for (part, (_, columns)) in parts.into_iter().zip(&blocks) {
            plan.merge(columns, part);
        }
    }
    if problem.matrix.rows() <= WHOLE && columns.len() <= OUTPUTS {
        let slack = plan.slack(problem.max_depth);
        plan.share(&columns, |_| true, &problem.inputs, slack, score);
    }
    Scored::new(plan, problem)
}

/// When a chain ends.
#[derive(Clone, Copy)]
enum End {
    After(usize),
    At(Instant, Duration),
}

/// One chain of simulated annealing.
struct Chain<'a> {
    problem: &'a Problem,
    current: Scored,
    best: Scored,
    rng: Rng,
}

impl<'a> Chain<'a> {
    fn new(problem: &'a Problem, start: Scored, seed: u64) -> Self {
        Self { problem, best: start.clone(), current: start, rng: Rng::new(seed) }
    }

    fn run(&mut self, end: End) {
        for step in 0.. {
            let done = match end {
                End::After(steps) => step as f64 / steps as f64,
                End::At(start, limit) => start.elapsed().as_secs_f64() / limit.as_secs_f64(),
            };
            // Not a number if no time was given at all. Nobody uses the plan of a search that was interrupted.
            if done.is_nan() || done >= 1.0 || is_stopped() {
                return;
            }
            self.step(HOT * (COLD / HOT).powf(done));
        }
    }

    /// Takes a part of the plan apart, shares it anew, and keeps the result if it is good enough.
    fn step(&mut self, temperature: f64) {
        let mut plan = self.current.plan.clone();
        // Three-operand adders make little of a sum that two outputs share: those that cost more than they save go.
        if self.problem.objective == Objective::Luts && self.rng.below(4) == 0 {
            let changed = self.dissolve_last(&mut plan);
            return self.consider(plan, &changed, temperature);
        }
        let changed =
            if self.rng.below(2) == 0 { self.unroll_columns(&mut plan) } else { self.dissolve_nodes(&mut plan) };
        if changed.is_empty() {
            return;
        }
        let slack = plan.slack(self.problem.max_depth);
        let slack = if slack.is_empty() { slack } else { changed.iter().map(|&j| slack[j as usize]).collect() };
        let score = self.noisy_score();
        plan.share(&changed, |_| true, &self.problem.inputs, slack, score);
        plan.prune();
        self.consider(plan, &changed, temperature);
    }

    /// Goes on from a plan of which some columns changed if it is good enough.
    fn consider(&mut self, plan: Plan, changed: &[u32], temperature: f64) {
        if changed.is_empty() {
            return;
        }
        let tree_costs = self.current.tree_costs.clone();
        let next = Scored::update(plan, tree_costs, changed, self.problem);
        let allowed = self.current.cost as f64 - temperature * self.rng.unit().max(1e-9).ln();
        if next.cost as f64 <= allowed {
            if next.cost < self.best.cost {
                self.best = next.clone();
            }
            self.current = next;
        }
    }

    fn noisy_score(&mut self) -> Score {
        let base = SCORES[self.rng.below(SCORES.len())];
        Score { noise: (self.rng.unit() * 0.6) as f32, seed: self.rng.next(), ..base }
    }

    /// Dissolves one node that only outputs use.
    fn dissolve_last(&mut self, plan: &mut Plan) -> Vec<u32> {
        let first = self.problem.inputs.len();
        let count = plan.nodes.len() - first;
        if count == 0 {
            return Vec::new();
        }
        let node = (first + self.rng.below(count)) as NodeId;
        let uses = |n: &Shared| n.recipe.is_some_and(|(a, b)| a.node == node || b.node == node);
        if plan.nodes.iter().any(uses) {
            return Vec::new();
        }
        let mut gone = vec![false; plan.nodes.len()];
        gone[node as usize] = true;
        plan.dissolve(&mut gone)
    }

    /// Dissolves one to six shared nodes and what is built on them.
    fn dissolve_nodes(&mut self, plan: &mut Plan) -> Vec<u32> {
        let first = self.problem.inputs.len();
        let count = plan.nodes.len() - first;
        if count == 0 {
            return Vec::new();
        }
        let mut gone = vec![false; plan.nodes.len()];
        for _ in 0..1 + self.rng.below(6) {
            gone[first + self.rng.below(count)] = true;
        }
        plan.dissolve(&mut gone)
    }

    /// Writes up to three outputs as sums of inputs and of those shared nodes that are kept, most of them.
    fn unroll_columns(&mut self, plan: &mut Plan) -> Vec<u32> {
        let columns = plan.columns.len();
        let mut chosen: Vec<u32> = (0..1 + self.rng.below(3)).map(|_| self.rng.below(columns) as u32).collect();
        chosen.sort_unstable();
        chosen.dedup();
        let keep = 0.5 + 0.5 * self.rng.unit();
        for &j in &chosen {
            let rng = &mut self.rng;
            plan.unroll(j as usize, |_: NodeId| rng.unit() < keep);
        }
        plan.prune();
        chosen
    }
}
