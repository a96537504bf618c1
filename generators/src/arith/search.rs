//! Searching for a cheaper plan: large neighbourhoods, taken apart and shared anew.

use std::time::Instant;

use rayon::prelude::*;

use super::cse::{Engine, Score};
use super::graph::{NodeId, Term};
use super::plan::{Plan, Shared};
use super::problem::Problem;
use super::rng::Rng;
use super::trees;

/// A plan with its cost.
#[derive(Clone, Debug)]
pub struct Scored {
    /// The plan.
    pub plan: Plan,
    /// Adder bits of each output's tree.
    tree_bits: Vec<u64>,
    /// Adder bits of everything.
    pub bits: u64,
}

impl Scored {
    /// Rates a plan from scratch.
    pub fn new(plan: Plan, problem: &Problem) -> Self {
        let tree_bits = vec![0; plan.columns.len()];
        let all: Vec<u32> = (0..plan.columns.len() as u32).collect();
        Self::update(plan, tree_bits, &all, problem)
    }

    fn update(plan: Plan, mut tree_bits: Vec<u64>, changed: &[u32], problem: &Problem) -> Self {
        for &j in changed {
            tree_bits[j as usize] = trees::sum(&plan, j as usize, &problem.inputs, problem.max_depth).bits;
        }
        let bits = plan.shared_bits() + tree_bits.iter().sum::<u64>();
        Self { plan, tree_bits, bits }
    }
}

/// The score weights that do well over matrices of all sizes, tried one after another.
pub const SCORES: [Score; 4] = [
    Score { base: 1.0, per_overlap: 1.0, per_width: 0.3, eagerness: 0.0, noise: 0.0, seed: 0 },
    Score { base: 4.0, per_overlap: 1.0, per_width: 0.3, eagerness: 1.0, noise: 0.0, seed: 0 },
    Score { base: 16.0, per_overlap: 1.0, per_width: 0.0, eagerness: 0.0, noise: 0.0, seed: 0 },
    Score { base: 1.0, per_overlap: 1.0, per_width: 0.0, eagerness: 0.0, noise: 0.0, seed: 0 },
];

/// Greedy sharing from nothing.
pub fn greedy(problem: &Problem, score: Score) -> Scored {
    let plan = Engine::new(Plan::unshared(problem), &problem.inputs, problem.max_depth, score).run();
    Scored::new(plan, problem)
}

/// One chain of a large-neighbourhood search.
pub struct Chain<'a> {
    problem: &'a Problem,
    /// Where the chain stands.
    pub current: Scored,
    /// The best it has seen.
    pub best: Scored,
    rng: Rng,
    /// Accepts a plan worse by up to this many bits.
    pub temperature: f64,
    pub stats: [[u32; 3]; 3],
}

impl<'a> Chain<'a> {
    /// A chain that starts from `start`.
    pub fn new(problem: &'a Problem, start: Scored, seed: u64) -> Self {
        Self { problem, best: start.clone(), current: start, rng: Rng::new(seed), temperature: std::env::var("T").map_or(0.0, |s| s.parse().unwrap()), stats: Default::default() }
    }

    /// Takes a part of the plan apart, shares it anew, and keeps the result if it is good enough.
    pub fn step(&mut self) {
        let mut plan = self.current.plan.clone();
        let kind = usize::from(self.rng.below(16) == 0);
        let changed = if kind == 0 { self.dissolve_nodes(&mut plan) } else { self.unroll_columns(&mut plan) };
        if changed.is_empty() {
            return;
        }
        let score = self.noisy_score();
        let plan = reshare(plan, &changed, self.problem, score);
        let next = Scored::update(plan, self.current.tree_bits.clone(), &changed, self.problem);
        let allowed = self.current.bits as f64 - self.temperature * self.rng.unit().max(1e-9).ln();
        self.stats[kind][0] += 1;
        if next.bits < self.current.bits { self.stats[kind][1] += 1; }
        if next.bits as f64 <= allowed {
            if next.bits < self.best.bits {
                self.stats[kind][2] += 1;
                self.best = next.clone();
            }
            self.current = next;
        }
    }

    fn noisy_score(&mut self) -> Score {
        let base = SCORES[self.rng.below(SCORES.len())];
        Score { noise: (self.rng.unit() * 0.6) as f32, seed: self.rng.next(), ..base }
    }

    /// Dissolves a few shared nodes and what is built on them.
    fn dissolve_nodes(&mut self, plan: &mut Plan) -> Vec<u32> {
        let first = self.problem.inputs.len();
        let count = plan.nodes.len() - first;
        if count == 0 {
            return Vec::new();
        }
        let mut gone = vec![false; plan.nodes.len()];
        for _ in 0..1 + self.rng.below(std::env::var("ND").map_or(4, |s| s.parse().unwrap())) {
            gone[first + self.rng.below(count)] = true;
        }
        plan.dissolve(&mut gone)
    }

    /// Writes a few outputs out as sums of inputs, each shared node in them kept with a random probability.
    fn unroll_columns(&mut self, plan: &mut Plan) -> Vec<u32> {
        let columns = plan.columns.len();
        let mut chosen: Vec<u32> = (0..1 + self.rng.below(std::env::var("NC").map_or(4, |s| s.parse().unwrap()))).map(|_| self.rng.below(columns) as u32).collect();
        chosen.sort_unstable();
        chosen.dedup();
        let keep = self.rng.unit();
        for &j in &chosen {
            let rng = &mut self.rng;
            plan.unroll(j as usize, |_: NodeId| rng.unit() < keep);
        }
        plan.prune();
        chosen
    }
}

/// Shares anew within the changed columns only, then drops what is no longer used.
///
/// The engine sees the nodes in those columns and those that can be built from them, so that a step's time
/// depends on what changed and not on the size of the plan.
fn reshare(mut plan: Plan, changed: &[u32], problem: &Problem, score: Score) -> Plan {
    let mut local = vec![NodeId::MAX; plan.nodes.len()];
    for &j in changed {
        for &(n, _) in &plan.columns[j as usize] {
            local[n as usize] = 0;
        }
    }
    let mut nodes = Vec::new();
    let mut global = Vec::new();
    for (n, node) in plan.nodes.iter().enumerate() {
        let recipe = node.recipe.and_then(|(a, b)| {
            let (x, y) = (local[a.node as usize], local[b.node as usize]);
            (x != NodeId::MAX && y != NodeId::MAX).then_some((Term { node: x, ..a }, Term { node: y, ..b }))
        });
        if local[n] == 0 || recipe.is_some() {
            local[n] = nodes.len() as NodeId;
            global.push(n as NodeId);
            nodes.push(Shared { recipe, ..node.clone() });
        }
    }
    let known = nodes.len();
    let localise = |j: &u32| plan.columns[*j as usize].iter().map(|&(n, c)| (local[n as usize], c)).collect();
    let columns = changed.iter().map(localise).collect();
    let part = Engine::new(Plan { nodes, columns }, &problem.inputs, problem.max_depth, score).run();
    for node in part.nodes.into_iter().skip(known) {
        let (a, b) = node.recipe.expect("the engine makes sums only");
        let lift = |t: Term| Term { node: global[t.node as usize], ..t };
        let recipe = Some((lift(a), lift(b)));
        global.push(plan.nodes.len() as NodeId);
        plan.nodes.push(Shared { recipe, ..node });
    }
    for (&j, column) in changed.iter().zip(part.columns) {
        plan.columns[j as usize] = column.into_iter().map(|(n, c)| (global[n as usize], c)).collect();
    }
    plan.prune();
    plan
}

/// How long to search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Effort {
    /// One greedy pass for each score.
    Fast,
    /// A search of about ten times that.
    Normal,
    /// A thorough search.
    High,
    /// As long as this; the only level whose result depends on the machine's speed.
    Seconds(f64),
}

/// Searches for a plan of few adder bits.
pub fn search(problem: &Problem, effort: Effort, seed: u64) -> Scored {
    let starts: Vec<Scored> = SCORES.par_iter().map(|&s| greedy(problem, s)).collect();
    let best = starts.into_iter().min_by_key(|s| s.bits).expect("at least one score");
    let Effort::Seconds(seconds) = effort else { return best };
    let mut chains: Vec<Chain> = (0..2).map(|k| Chain::new(problem, best.clone(), seed ^ (k << 32))).collect();
    chains.par_iter_mut().for_each(|chain| {
        let (t0, t1) = (chain.temperature, 1.0f64);
        let start = Instant::now();
        loop {
            let done = start.elapsed().as_secs_f64() / seconds;
            if done >= 1.0 { break; }
            chain.temperature = t0 * (t1 / t0).powf(done);
            chain.step();
        }
    });
    for c in &chains { eprintln!("{:?} {}", c.stats, c.best.bits); }
    chains.into_iter().map(|c| c.best).min_by_key(|s| s.bits).expect("at least one chain")
}
