//! Nodes by what they are in the situations that were tried: a guess at which bit is which.

use std::hash::{Hash, Hasher};

use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

use crate::frame::Frame;
use crate::graph::{Gate, Graph, Lit};
use crate::lanes::Lanes;

/// Nodes by their rows; a row and its complement are one.
#[derive(Debug)]
pub struct Index {
    nodes: FxHashMap<u64, Vec<u32>>,
}

fn hash(row: impl Iterator<Item = u64>) -> u64 {
    let mut hasher = FxHasher::default();
    row.for_each(|word| word.hash(&mut hasher));
    hasher.finish()
}

impl Index {
    /// All nodes, in order.
    pub fn new(graph: &Graph, lanes: &Lanes) -> Self {
        let mut nodes: FxHashMap<u64, Vec<u32>> = FxHashMap::default();
        for n in 0..graph.len() {
            let row = lanes.row(n);
            let flip = if row[0] & 1 == 1 { u64::MAX } else { 0 };
            nodes.entry(hash(row.iter().map(|word| word ^ flip))).or_default().push(n as u32);
        }
        Self { nodes }
    }

    /// The literals that are `row` in every situation, those nearest to the inputs first. A bit that never turned is like
    /// everything else that never did, so that there may be many.
    pub fn candidates(&self, graph: &Graph, lanes: &Lanes, row: &[u64]) -> Vec<Lit> {
        let flip = if row[0] & 1 == 1 { u64::MAX } else { 0 };
        let Some(nodes) = self.nodes.get(&hash(row.iter().map(|word| word ^ flip))) else {
            return Vec::new();
        };
        let literal = |n: &u32| {
            let complement = lanes.row(*n as usize)[0] != row[0];
            Lit::of(*n as usize, complement)
        };
        let same = |l: &Lit| row.iter().enumerate().all(|(k, word)| lanes.word(*l, k) == *word);
        let mut found: Vec<Lit> = nodes.iter().map(literal).filter(same).collect();
        found.sort_by_key(|l| (graph.level(l.node()), *l));
        found
    }
}

/// One candidate for each bit of a sum: where there are several, such as the lowest bits of a sum and of a difference, the
/// one that the sum's top bit depends on.
pub fn near(frame: &Frame<'_>, candidates: &[Vec<Lit>]) -> Option<Vec<Lit>> {
    let together = together(frame.graph, candidates);
    let candidates = together.as_deref().unwrap_or(candidates);
    let first = choose(candidates)?;
    if candidates.iter().all(|bit| bit.len() == 1) {
        return Some(first);
    }
    let graph = frame.graph;
    let mut seen: FxHashSet<usize> = FxHashSet::default();
    let mut open = vec![first.last()?.node()];
    while let Some(n) = open.pop() {
        let family = match graph.gate(n) {
            Gate::Bit(w, _) => {
                let (_, first, width) = graph.words[w as usize];
                first..first + width as usize
            }
            Gate::Parity(_) => n..n + 2,
            Gate::Carry(_) => n - 1..n + 1,
            _ => n..n + 1,
        };
        if !seen.insert(n) {
            continue;
        }
        seen.extend(family);
        if !frame.is_leaf(n) {
            graph.operands(n, |l| {
                if !seen.contains(&l.node()) {
                    open.push(l.node());
                }
            });
        }
    }
    let inside = |bit: &Vec<Lit>| -> Vec<Lit> {
        let inside: Vec<Lit> = bit.iter().copied().filter(|l| seen.contains(&l.node())).collect();
        if inside.is_empty() { bit.clone() } else { inside }
    };
    let mut chosen = choose(&candidates.iter().map(inside).collect::<Vec<_>>())?;
    // neighbours in one word stay together
    for k in (0..chosen.len() - 1).rev() {
        let above = chosen[k + 1];
        if let Gate::Bit(_, 1..) = graph.gate(above.node())
            && !above.is_complement()
            && let below = Lit::of(above.node() - 1, false)
            && candidates[k].contains(&below)
        {
            chosen[k] = below;
        }
    }
    Some(chosen)
}

/// The candidates without those beside the word that most of the bits are neighbours in.
fn together(graph: &Graph, candidates: &[Vec<Lit>]) -> Option<Vec<Vec<Lit>>> {
    let place = |k: usize, l: &Lit| match graph.gate(l.node()) {
        Gate::Bit(w, bit) if !l.is_complement() => Some((w, i64::from(bit) - k as i64)),
        _ => None,
    };
    let mut counts: FxHashMap<(u32, i64), usize> = FxHashMap::default();
    for (k, bit) in candidates.iter().enumerate() {
        bit.iter().filter_map(|l| place(k, l)).for_each(|place| *counts.entry(place).or_default() += 1);
    }
    let level = |w: u32| graph.level(graph.words[w as usize].1);
    let most =
        counts.into_iter().max_by_key(|((w, offset), count)| (*count, std::cmp::Reverse((level(*w), *w, *offset))));
    let (best, _) = most.filter(|(_, count)| *count > 1)?;
    let cut = |(k, bit): (usize, &Vec<Lit>)| match bit.iter().find(|l| place(k, l) == Some(best)) {
        Some(l) => vec![*l],
        None => bit.clone(),
    };
    Some(candidates.iter().enumerate().map(cut).collect())
}

/// Most other choices that are tried.
const ALTERNATIVES: usize = 16;

/// `chosen` with one bit exchanged for another candidate, from the highest bit down: what is rarely different is alike in
/// all situations that were tried.
pub fn alternatives(chosen: &[Lit], candidates: &[Vec<Lit>]) -> impl Iterator<Item = Vec<Lit>> + use<> {
    let others = |k: usize| candidates[k].iter().filter(move |l| **l != chosen[k]).map(move |l| (k, *l));
    let all: Vec<(usize, Lit)> = (0..chosen.len()).rev().flat_map(others).take(ALTERNATIVES).collect();
    let chosen = chosen.to_vec();
    all.into_iter().map(move |(k, l)| {
        let mut bits = chosen.clone();
        bits[k] = l;
        bits
    })
}

/// What may go on above a number on `bits`: the rest of the word that its highest one is of, or what is like that one.
pub fn above(graph: &Graph, bits: &[Lit], candidates: &[Vec<Lit>]) -> Vec<Lit> {
    let (Some(top), Some(like)) = (bits.last(), candidates.last()) else { return Vec::new() };
    match graph.gate(top.node()) {
        Gate::Bit(w, _) if !top.is_complement() => {
            let (_, first, width) = graph.words[w as usize];
            (top.node() + 1..first + width as usize).map(|n| Lit::of(n, false)).collect()
        }
        _ => like.iter().skip_while(|l| *l != top).skip(1).take(2).copied().collect(),
    }
}

/// One candidate for each bit: bits that are alike in every situation get different ones, as far as there are.
fn choose(candidates: &[Vec<Lit>]) -> Option<Vec<Lit>> {
    let mut chosen: Vec<Lit> = Vec::with_capacity(candidates.len());
    for (k, bit) in candidates.iter().enumerate() {
        let before = (0..k).rev().take_while(|&j| candidates[j] == *bit).count();
        chosen.push(*bit.get(before).or(bit.last())?);
    }
    Some(chosen)
}
