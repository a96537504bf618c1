//! When each pass begins, and how many words each memory holds.

use std::collections::BTreeMap;

use hdl::diag::Diagnostic;

use super::plan::{Pass, Place, Plan, Source};
use crate::model::Graph;
use crate::network::stages::{MAX_MULTIPLIERS, MAX_STAGES};

/// Cycles from a beat to the one in which its operands and weights are in registers.
pub(super) const OPERANDS: u32 = 3;
/// Most words of a memory.
const MAX_DEPTH: u64 = 1 << 24;

/// The passes of a network over its tensors in memory, and when each begins.
///
/// Nothing depends on data: a pass begins so many cycles after another that every word that it reads has been written, and
/// a memory has so many words that none is overwritten before it was last read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Cycles from one event to the next.
    pub interval: u32,
    /// Cycles from the first word of an event to its result.
    pub latency: u32,
    /// Multipliers.
    pub multipliers: usize,
    /// For each pass the register stages of its products and of the layers behind them.
    pub(super) stages: Vec<u32>,
    pub(super) plan: Plan,
    /// For each pass, and for the outputs, its first cycle.
    pub(super) starts: Vec<u32>,
    /// Words of each tensor in memory, a power of two.
    pub(super) depths: BTreeMap<usize, u32>,
}

impl Schedule {
    /// The schedule of `graph` with passes of at most `reuse` beats, and with two numbers of register stages for each pass;
    /// none stands for one each.
    ///
    /// # Errors
    /// A network that is not computed on a stream, or that needs too much; stages that are not those of its passes.
    pub fn of(graph: &Graph, reuse: u32, stages: &[u32]) -> Result<Self, Diagnostic> {
        let plan = Plan::of(graph, reuse)?;
        let stages = match stages {
            [] => vec![1; 2 * plan.passes.len()],
            _ => stages.to_vec(),
        };
        if stages.len() != 2 * plan.passes.len() || !stages.iter().all(|s| (1..=MAX_STAGES).contains(s)) {
            let message = format!("{stages:?} are no stages of {} passes", plan.passes.len());
            let help = format!("each pass has two numbers of 1 to {MAX_STAGES} stages");
            return Err(Diagnostic::error("folding", message).help(help));
        }
        let windows = plan.passes.iter().filter_map(|pass| match &pass.source {
            Source::Window(_, sweep) => Some(sweep.multipliers()),
            Source::Port => None,
        });
        let multipliers = windows.sum();
        let most = (0..plan.passes.len()).map(|p| plan.beats(p)).max().unwrap_or(1);
        if multipliers > MAX_MULTIPLIERS || most > 1 << 28 {
            let message = format!("{multipliers} multipliers and {most} beats are too many");
            return Err(Diagnostic::error("folding", message).help("choose another --reuse"));
        }
        let mut schedule = Self {
            interval: most as u32,
            latency: 0,
            multipliers,
            stages,
            plan,
            starts: Vec::new(),
            depths: BTreeMap::new(),
        };
        for pass in 0..schedule.plan.passes.len() {
            let start = schedule.earliest(pass);
            schedule.starts.push(start);
        }
        let readers = schedule.plan.stored.iter().filter(|(_, readers)| readers.contains(&schedule.starts.len()));
        let ready = readers.map(|(root, _)| schedule.written(*root, 0) + 1).max();
        schedule.starts.push(ready.unwrap_or(1).max(1));
        schedule.latency = schedule.starts[schedule.starts.len() - 1] + 2;
        for root in schedule.plan.stored.keys() {
            let depth = schedule.depth(*root)?;
            schedule.depths.insert(*root, depth);
        }
        Ok(schedule)
    }

    /// Cycle, after the start of a pass, of its first beat.
    pub(super) fn lead(&self, pass: usize) -> u32 {
        u32::from(self.plan.passes[pass].source != Source::Port)
    }

    /// Cycle in which word `word` of a pass is computed but for the layers behind, before its start is added.
    fn summed(&self, pass: usize, word: usize) -> u32 {
        match &self.plan.passes[pass].source {
            Source::Port => word as u32,
            Source::Window(_, sweep) => ((word + 1) * sweep.parts()) as u32 + OPERANDS + 1 + self.stages[2 * pass],
        }
    }

    /// Cycle at whose end a word of tensor `root` is written.
    fn written(&self, root: usize, word: usize) -> u32 {
        let pass = self.plan.pass_of(root);
        self.starts[pass] + self.summed(pass, word) + self.stages[2 * pass + 1]
    }

    /// The first cycle in which a pass may begin: all that it reads was written before.
    fn earliest(&self, pass: usize) -> u32 {
        let Source::Window(operand, sweep) = &self.plan.passes[pass].source else { return 0 };
        let windows = sweep.reads().map(|(word, beat)| i64::from(self.written(*operand, word)) - 1 - beat as i64);
        let beside = self.plan.stored.iter().filter(|(_, readers)| readers.contains(&pass));
        let beside = beside.flat_map(|(root, _)| {
            let of_word = |word| i64::from(self.written(*root, word)) + 2 - i64::from(self.summed(pass, word));
            (0..self.plan.passes[pass].words).map(of_word)
        });
        windows.chain(beside).max().unwrap_or(1).max(1) as u32
    }

    /// The least power of two of words of tensor `root` with which none is overwritten before it was last read.
    fn depth(&self, root: usize) -> Result<u32, Diagnostic> {
        let words = self.plan.passes[self.plan.pass_of(root)].words;
        let mut last = vec![0u64; words];
        for (pass, Pass { source, .. }) in self.plan.passes.iter().enumerate() {
            if let Source::Window(operand, sweep) = source
                && *operand == root
            {
                let cycle = |beat: usize| u64::from(self.starts[pass]) + 2 + beat as u64;
                sweep.reads().for_each(|(word, beat)| last[word] = last[word].max(cycle(beat)));
            }
        }
        for &pass in &self.plan.stored[&root] {
            for (word, last) in last.iter_mut().enumerate() {
                let cycle = match pass == self.plan.passes.len() {
                    true => self.starts[pass],
                    false => self.starts[pass] + self.summed(pass, word) - 1,
                };
                *last = (*last).max(cycle.into());
            }
        }
        // words of the events behind come at the earliest an interval later each
        let write = |word: u64| {
            let (event, word) = (word / words as u64, word % words as u64);
            event * u64::from(self.interval) + u64::from(self.written(root, word as usize))
        };
        let holds = |depth: &u64| (0u64..).zip(&last).all(|(word, last)| write(word + depth) >= *last);
        let depth = (1..).map(|bits| 1u64 << bits).take_while(|depth| *depth <= MAX_DEPTH).find(holds);
        depth.map(|depth| depth as u32).ok_or_else(|| {
            let message = format!("a tensor needs a memory of more than {MAX_DEPTH} words");
            Diagnostic::error("folding", message).help("choose a smaller --reuse")
        })
    }

    /// Lanes that are written, read or chosen from in one cycle.
    pub fn lanes(&self) -> u64 {
        let of = |pass: &Pass| match &pass.source {
            Source::Port => self.plan.lanes(pass.first),
            Source::Window(operand, sweep) => self.plan.lanes(*operand) * sweep.at_once + self.plan.lanes(pass.first),
        };
        self.plan.passes.iter().map(|pass| of(pass) as u64).sum()
    }

    /// Elements of tensors in memory.
    pub fn elements(&self) -> u64 {
        self.depths.iter().map(|(root, depth)| u64::from(*depth) * self.plan.lanes(*root) as u64).sum()
    }

    /// The words of input `k` of an event, in the order in which they come.
    pub fn words_of(&self, k: usize, elements: &[i64]) -> Vec<Vec<Vec<i64>>> {
        let Place::Words { layout, .. } = &self.plan.places[k] else { return Vec::new() };
        let word = |number: usize| layout.word(number).iter().map(|&e| elements[e as usize]).collect();
        (0..layout.words()).map(|number| vec![word(number)]).collect()
    }

    /// The pass whose beat, and the beat, so many cycles after which pass `pass` (or the outputs) begins: the least delay.
    pub(super) fn trigger(&self, pass: usize) -> (usize, u32, u32) {
        let start = self.starts[pass];
        let after = |k: usize| {
            let first = self.starts[k] + self.lead(k);
            let beat = (start.checked_sub(first + 1)?).min(self.plan.beats(k) as u32 - 1);
            Some((k, beat, start - first - beat))
        };
        let best = (0..pass).filter_map(after).min_by_key(|(.., delay)| *delay);
        best.expect("a pass begins after the first word of an event")
    }
}

impl Plan {
    /// Beats of a pass.
    pub(super) fn beats(&self, pass: usize) -> usize {
        match &self.passes[pass].source {
            Source::Port => self.passes[pass].words,
            Source::Window(_, sweep) => sweep.beats(),
        }
    }

    /// The pass that computes tensor `root`.
    pub(super) fn pass_of(&self, root: usize) -> usize {
        match &self.places[root] {
            Place::Words { pass, .. } => *pass,
            Place::Constant(_) => 0,
        }
    }
}
