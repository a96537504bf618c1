//! Greedy sharing of two-term patterns.
//!
//! A pattern is `a·2^p ± b·2^q`. It occurs in a column at shift `s` if both digits can be taken out of their
//! coefficients, each lowering its coefficient's weight by one; replacing them by one digit of a new node
//! saves one adder there. All signed-digit forms of least weight are considered at once (see
//! [`digits::alternatives`]).
//!
//! For every node, digit sign and digit shift a bit set over the columns says where that digit may be taken.
//! Counting a pattern is then a few AND and population-count instructions. Only patterns with a new node can
//! become more frequent, so a heap of upper bounds, corrected when popped, finds the best pattern without
//! keeping counts up to date.

use std::collections::BinaryHeap;
use std::sync::LazyLock;

use hdl::num::Interval;
use rustc_hash::FxHashMap;

use crate::arith::cost::width;
use crate::arith::digits::{self, Digits};
use crate::arith::graph::{NodeId, Term};
use crate::arith::optimise::pattern::Pattern;
use crate::arith::optimise::plan::{Part, Plan};
use crate::arith::rng::mix;

/// Weights of the pattern score, `(uses - 1 + eagerness) · (base + overlap·per_overlap - width·per_width)`, and
/// the noise on it.
#[derive(Clone, Copy, Debug)]
pub struct Score {
    /// Constant part of a use's worth.
    pub base: f32,
    /// Worth of each bit position in which the two terms overlap.
    pub per_overlap: f32,
    /// Penalty for each result bit.
    pub per_width: f32,
    /// Added to the number of adders saved.
    pub eagerness: f32,
    /// Penalty for terms of different depth: for what they use up of the mean slack that is left.
    pub per_slack: f32,
    /// Relative amplitude of the pseudo-random factor.
    pub noise: f32,
    /// Chooses the pseudo-random factors.
    pub seed: u64,
}

/// A place where a pattern can be replaced.
#[derive(Clone, Copy, Debug)]
struct Hit {
    column: u32,
    shift: u8,
    neg: bool,
}

/// Counts of the patterns that join one node with the others.
#[derive(Default)]
struct Tally {
    counts: Vec<u32>,
    touched: Vec<u32>,
}

impl Plan {
    /// Shares patterns anew among the terms of some columns for which `wanted` holds.
    ///
    /// The engine sees the nodes in those columns and those that can be built from them, so that the time
    /// depends on what may change and not on the size of the plan. `slack` is one entry for each column of
    /// `changed`, or empty.
    pub fn share(
        &mut self,
        changed: &[u32],
        wanted: impl Fn(NodeId) -> bool,
        inputs: &[Interval],
        slack: Vec<u64>,
        score: Score,
    ) {
        let part = Part::cut(self, changed, wanted);
        let done = part.share(inputs, slack, score);
        self.merge(changed, done);
    }
}

impl Part {
    /// Runs the sharing engine on the part.
    pub fn share(mut self, inputs: &[Interval], slack: Vec<u64>, score: Score) -> Self {
        self.plan = Engine::new(self.plan, inputs, slack, score).run();
        self
    }
}

/// The sharing engine at work on a plan.
pub struct Engine<'a> {
    plan: Plan,
    inputs: &'a [Interval],
    score: Score,
    /// What each column may still add to its `Σ weight·2^depth`; empty without depth bound.
    slack: Vec<u64>,
    /// Sum of `slack`.
    slack_left: u64,
    shifts: usize,
    words: usize,
    /// `[node][sign][shift][word]`: columns in which the digit may be taken.
    planes: Vec<u64>,
    heap: BinaryHeap<(u32, u64)>,
    tally: Tally,
    hits: Vec<Hit>,
    /// Nodes that a node which the plan came with is built on.
    extended: Vec<bool>,
    /// The node of each pattern that has one, and whether it is the pattern negated.
    known: FxHashMap<u64, (NodeId, bool)>,
}

const CACHED: i64 = 1 << 9;

/// [`digits::alternatives`], looked up for small values.
fn alternatives(v: i64) -> Digits {
    static SMALL: LazyLock<Vec<Digits>> = LazyLock::new(|| (-CACHED..=CACHED).map(digits::alternatives).collect());
    if v.abs() <= CACHED { SMALL[(v + CACHED) as usize] } else { digits::alternatives(v) }
}

impl<'a> Engine<'a> {
    /// Sets up the digit sets of `plan`.
    ///
    /// `slack` says by how much each column's `Σ weight·2^depth` may still grow (see [`Plan::kraft`]); every
    /// replacement keeps within it. Empty means that depth does not matter.
    pub fn new(plan: Plan, inputs: &'a [Interval], slack: Vec<u64>, score: Score) -> Self {
        let top = plan.columns.iter().flatten().map(|t| 67 - t.1.unsigned_abs().leading_zeros()).max().unwrap_or(1);
        let (shifts, words) = (top as usize, plan.columns.len().div_ceil(64));
        let mut engine = Self {
            inputs,
            score,
            slack_left: slack.iter().sum(),
            slack,
            shifts,
            words,
            planes: vec![0; plan.nodes.len() * 2 * shifts * words],
            heap: BinaryHeap::new(),
            tally: Tally::default(),
            hits: Vec::new(),
            extended: vec![false; plan.nodes.len()],
            known: FxHashMap::default(),
            plan,
        };
        for j in 0..engine.plan.columns.len() {
            for k in 0..engine.plan.columns[j].len() {
                let (n, c) = engine.plan.columns[j][k];
                engine.mark(n, j as u32, c);
            }
        }
        engine
    }

    /// Shares the best pattern again and again until none occurs twice, nor once if a node for it exists.
    pub fn run(mut self) -> Plan {
        self.queue_known();
        self.queue_all();
        while let Some((bound, key)) = self.heap.pop() {
            let pattern = Pattern::from_key(key);
            self.find(pattern);
            let uses = self.hits.len() as u32 + u32::from(self.known.contains_key(&key));
            if uses < 2 || self.hits.is_empty() {
                continue;
            }
            let score = self.rate(pattern, uses);
            if score < bound && self.heap.peek().is_some_and(|&(next, k)| (next, k) > (score, key)) {
                self.heap.push((score, key));
                continue;
            }
            self.replace(pattern);
        }
        self.plan
    }

    fn plane(&self, node: NodeId, neg: bool, shift: usize) -> usize {
        ((node as usize * 2 + usize::from(neg)) * self.shifts + shift) * self.words
    }

    /// Flips the bits of `coefficient`'s digits for one column.
    fn mark(&mut self, node: NodeId, column: u32, coefficient: i64) {
        let (word, bit) = (column as usize / 64, 1u64 << (column % 64));
        for (shift, neg) in alternatives(coefficient).iter() {
            let at = self.plane(node, neg, usize::from(shift)) + word;
            self.planes[at] ^= bit;
        }
    }

    /// Queues the patterns of the nodes that the plan came with: they cost nothing more.
    fn queue_known(&mut self) {
        for node in 0..self.plan.nodes.len() as NodeId {
            let Some((ta, tb)) = self.plan.nodes[node as usize].recipe else {
                continue;
            };
            let (pattern, turned) = Pattern::of(ta, tb);
            let key = pattern.key();
            self.known.insert(key, (node, turned));
            self.extended[ta.node as usize] = true;
            self.extended[tb.node as usize] = true;
            self.find(pattern);
            if !self.hits.is_empty() {
                let score = self.rate(pattern, self.hits.len() as u32 + 1);
                self.heap.push((score, key));
            }
        }
    }

    fn queue_all(&mut self) {
        let mut users: Vec<Vec<u32>> = vec![Vec::new(); self.plan.nodes.len()];
        for (j, column) in self.plan.columns.iter().enumerate() {
            for &(n, _) in column {
                users[n as usize].push(j as u32);
            }
        }
        for (node, columns) in users.iter().enumerate() {
            if !columns.is_empty() {
                self.queue(node as NodeId, columns, node as NodeId);
            }
        }
    }

    /// Queues every pattern of `node` with partners from `first` up that occurs at least twice.
    fn queue(&mut self, node: NodeId, columns: &[u32], first: NodeId) {
        let span = 4 * self.shifts;
        self.tally.counts.resize(self.plan.nodes.len() * span, 0);
        for &j in columns {
            let column = &self.plan.columns[j as usize];
            let own = column.iter().find(|t| t.0 == node).map_or(0, |t| t.1);
            let own_digits = alternatives(own);
            for &(other, c) in column {
                if other < first {
                    continue;
                }
                let base = other as usize * span;
                for (t, other_neg) in alternatives(c).iter() {
                    for (s, neg) in own_digits.iter() {
                        if other == node && (t <= s || !pair_of_one(own, s, neg, t, other_neg)) {
                            continue;
                        }
                        let offset = usize::from(t) + self.shifts - usize::from(s);
                        let at = base + 2 * offset + usize::from(neg != other_neg);
                        if self.tally.counts[at] == 0 {
                            self.tally.touched.push(at as u32);
                        }
                        self.tally.counts[at] += 1;
                    }
                }
            }
        }
        let mut touched = std::mem::take(&mut self.tally.touched);
        for at in touched.drain(..) {
            let uses = std::mem::take(&mut self.tally.counts[at as usize]);
            if uses < 2 && !self.extended[node as usize] {
                continue;
            }
            let other = at / span as u32;
            let slot = at % span as u32;
            let (offset, minus) = ((slot / 2) as i32 - self.shifts as i32, slot & 1 == 1);
            let pattern = if other < node {
                Pattern::new(other, node, -offset, minus)
            } else {
                Pattern::new(node, other, offset, minus)
            };
            let key = pattern.key();
            let known = self.extended[node as usize] && self.known.contains_key(&key);
            if uses + u32::from(known) >= 2 {
                let score = self.rate(pattern, uses + u32::from(known));
                self.heap.push((score, key));
            }
        }
        self.tally.touched = touched;
    }

    /// The order in the heap; positive floats compare like their bit patterns.
    fn rate(&self, p: Pattern, uses: u32) -> u32 {
        let (a, b) = (&self.plan.nodes[p.a as usize], &self.plan.nodes[p.b as usize]);
        let (wa, wb) = (width(a.lo, a.hi) as i32, width(b.lo, b.hi) as i32);
        let (sa, sb) = (i32::from(p.sa), i32::from(p.sb));
        let overlap = ((wa + sa).min(wb + sb) - sa.max(sb)).max(0) as f32;
        let total = (wa + sa).max(wb + sb) as f32 + 1.0;
        let s = &self.score;
        let worth = (s.base + s.per_overlap * overlap - s.per_width * total).max(1e-3);
        let cost = self.depth_cost(p);
        let worth = if cost == 0 {
            worth
        } else {
            // Terms of different depth use up what the depth bound leaves; the less is left, the dearer it is.
            let mean = (self.slack_left as f32 + 1.0) / self.slack.len() as f32;
            worth / (1.0 + s.per_slack * cost as f32 / mean)
        };
        let noise = 1.0 + s.noise * (mix(p.key() ^ s.seed) >> 40) as f32 / (1u32 << 24) as f32;
        ((uses as f32 - 1.0 + s.eagerness) * worth * noise).to_bits()
    }

    /// Fills `hits` with occurrences that do not use a digit twice and keep every column within its depth.
    fn find(&mut self, p: Pattern) {
        self.hits.clear();
        let (sa, sb) = (usize::from(p.sa), usize::from(p.sb));
        // A node that the plan came with may span more digits than any column still has.
        let room = self.shifts.saturating_sub(sa.max(sb));
        let cost = self.depth_cost(p);
        for word in 0..self.words {
            let (mut once, mut twice) = (0u64, 0u64);
            let mut found = 0;
            for neg in [false, true] {
                let pa = self.plane(p.a, neg, sa) + word;
                let pb = self.plane(p.b, neg != p.minus, sb) + word;
                for s in 0..room {
                    let both = self.planes[pa + s * self.words] & self.planes[pb + s * self.words];
                    twice |= once & both;
                    once |= both;
                    found += usize::from(both != 0);
                }
            }
            if found == 0 {
                continue;
            }
            let same = p.a == p.b;
            for neg in [false, true] {
                let pa = self.plane(p.a, neg, sa) + word;
                let pb = self.plane(p.b, neg != p.minus, sb) + word;
                for s in 0..room {
                    let mut both = self.planes[pa + s * self.words] & self.planes[pb + s * self.words];
                    if !same {
                        both &= !twice;
                    }
                    while both != 0 {
                        let column = (word * 64) as u32 + both.trailing_zeros();
                        both &= both - 1;
                        let hit = Hit { column, shift: s as u8, neg };
                        if !same && self.affordable(column, cost) {
                            self.hits.push(hit);
                        } else if same && twice >> (column % 64) & 1 == 0 {
                            self.find_in_column(p, column, cost);
                        }
                    }
                }
            }
            while twice != 0 {
                let column = (word * 64) as u32 + twice.trailing_zeros();
                twice &= twice - 1;
                self.find_in_column(p, column, cost);
            }
        }
    }

    /// By how much one replacement raises a column's `Σ weight·2^depth`.
    fn depth_cost(&self, p: Pattern) -> u64 {
        if self.slack.is_empty() {
            return 0;
        }
        let (da, db) = (self.plan.nodes[p.a as usize].depth, self.plan.nodes[p.b as usize].depth);
        (1u64 << da.max(db)) - (1u64 << da.min(db))
    }

    fn affordable(&self, column: u32, cost: u64) -> bool {
        cost == 0 || self.slack[column as usize] >= cost
    }

    /// Occurrences in one column, one after another on its coefficients.
    fn find_in_column(&mut self, p: Pattern, column: u32, cost: u64) {
        let terms = &self.plan.columns[column as usize];
        let get = |n: NodeId| terms.iter().find(|t| t.0 == n).map_or(0, |t| t.1);
        let (mut ca, mut cb) = (get(p.a), get(p.b));
        let mut spent = 0;
        for s in 0..self.shifts - usize::from(p.sa.max(p.sb)) {
            for neg in [false, true] {
                let (da, db) = digit_values(p, s as u8, neg);
                let fits = if p.a == p.b {
                    digits::weight(ca - da - db) + 2 <= digits::weight(ca)
                } else {
                    digits::weight(ca - da) < digits::weight(ca) && digits::weight(cb - db) < digits::weight(cb)
                };
                if !fits || !self.affordable(column, spent + cost) {
                    continue;
                }
                if p.a == p.b {
                    ca -= da + db;
                } else {
                    ca -= da;
                    cb -= db;
                }
                spent += cost;
                self.hits.push(Hit { column, shift: s as u8, neg });
            }
        }
    }

    /// Makes the pattern a node and puts it in place of all `hits`.
    fn replace(&mut self, p: Pattern) {
        let (node, flipped) = match self.known.get(&p.key()) {
            Some(&known) => known,
            None => {
                let made = self.create(p);
                self.extended.push(false);
                self.known.insert(p.key(), made);
                made
            }
        };
        self.planes.resize(self.plan.nodes.len() * 2 * self.shifts * self.words, 0);
        let mut hits = std::mem::take(&mut self.hits);
        hits.sort_unstable_by_key(|h| h.column);
        let mut columns: Vec<u32> = Vec::with_capacity(hits.len());
        for group in hits.chunk_by(|x, y| x.column == y.column) {
            let column = group[0].column;
            let (mut da, mut db, mut own) = (0, 0, 0);
            for h in group {
                let (x, y) = digit_values(p, h.shift, h.neg);
                da += x;
                db += y;
                own += if h.neg != flipped { -(1i64 << h.shift) } else { 1 << h.shift };
            }
            self.change(column, p.a, -da);
            self.change(column, p.b, -db);
            if own != 0 {
                self.change(column, node, own);
                columns.push(column);
            }
            if !self.slack.is_empty() {
                let spent = self.depth_cost(p) * group.len() as u64;
                self.slack[column as usize] -= spent;
                self.slack_left -= spent;
            }
        }
        hits.clear();
        self.hits = hits;
        self.queue(node, &columns, 0);
    }

    /// The new node, turned so that the narrower of its two signs is kept, or else the one whose lower operand
    /// is not subtracted; the flag says that it was turned.
    fn create(&mut self, p: Pattern) -> (NodeId, bool) {
        let a = Term { node: p.a, shift: p.sa, neg: false };
        let b = Term { node: p.b, shift: p.sb, neg: p.minus };
        let node = self.plan.push(a, b, self.inputs);
        let n = &self.plan.nodes[node as usize];
        let upright = (width(n.lo, n.hi), p.sb < p.sa);
        let turned = (width(-n.hi, -n.lo), p.sa < p.sb);
        if !p.minus || upright <= turned {
            return (node, false);
        }
        self.plan.nodes.pop();
        (self.plan.push(Term { neg: false, ..b }, Term { neg: true, ..a }, self.inputs), true)
    }

    /// Adds `delta` to a node's coefficient in a column.
    fn change(&mut self, column: u32, node: NodeId, delta: i64) {
        let terms = &mut self.plan.columns[column as usize];
        let at = match terms.iter().position(|t| t.0 == node) {
            Some(at) => at,
            None => {
                terms.push((node, 0));
                terms.len() - 1
            }
        };
        let old = terms[at].1;
        let new = old + delta;
        if new == 0 {
            terms.swap_remove(at);
        } else {
            terms[at].1 = new;
        }
        self.mark(node, column, old);
        self.mark(node, column, new);
    }
}

/// What an occurrence at `shift` takes from the two coefficients.
fn digit_values(p: Pattern, shift: u8, neg: bool) -> (i64, i64) {
    let (a, b) = (1i64 << (shift + p.sa), 1i64 << (shift + p.sb));
    (if neg { -a } else { a }, if neg != p.minus { -b } else { b })
}

/// Whether two digits of one coefficient can both be taken.
fn pair_of_one(c: i64, s: u8, s_neg: bool, t: u8, t_neg: bool) -> bool {
    let value = |shift: u8, neg: bool| if neg { -(1i64 << shift) } else { 1 << shift };
    digits::weight(c - value(s, s_neg) - value(t, t_neg)) + 2 <= digits::weight(c)
}
