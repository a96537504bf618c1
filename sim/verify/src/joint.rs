//! Numbers as sums of bits: what depends on one word is added up before it is bounded, so that operands that share words
//! are not taken for independent.

use rustc_hash::FxHashMap;

use crate::exact::Interval;
use crate::frame::{Frame, Support};
use crate::graph::Lit;

/// Most bits of a number and its fraction, so that nothing here leaves 128 bits.
const BITS: u32 = 90;

/// `(constant + Σ weight · node) / 2^fraction`, nodes in order.
#[derive(Debug, Clone, Default)]
pub struct Form {
    fraction: u32,
    constant: i128,
    nodes: Vec<(u32, i128)>,
}

impl Form {
    /// Adds bits with their weights, which are powers of two or such with a minus.
    pub fn add_bits(&mut self, bits: impl Iterator<Item = (Lit, i128)>) {
        let mut other = Self::default();
        for (l, weight) in bits {
            if l.is_complement() {
                other.constant += weight;
            }
            if l.node() != 0 {
                other.nodes.push((l.node() as u32, if l.is_complement() { -weight } else { weight }));
            }
        }
        other.nodes.sort_unstable_by_key(|(node, _)| *node);
        other.nodes.dedup_by(|later, first| {
            let same = later.0 == first.0;
            if same {
                first.1 += later.1;
            }
            same
        });
        self.add(&other, 0, false);
    }

    /// Adds `other · 2^shift`, or subtracts it.
    pub fn add(&mut self, other: &Self, shift: u32, minus: bool) {
        let fraction = self.fraction.max(other.fraction);
        let own = fraction - self.fraction;
        let their = fraction - other.fraction + shift;
        let theirs = |v: i128| if minus { -(v << their) } else { v << their };
        self.fraction = fraction;
        self.constant = (self.constant << own) + theirs(other.constant);
        let mut merged = Vec::with_capacity(self.nodes.len() + other.nodes.len());
        let (mut a, mut b) = (self.nodes.iter().peekable(), other.nodes.iter().peekable());
        loop {
            let (node, weight) = match (a.peek(), b.peek()) {
                (None, None) => break,
                (Some(x), Some(y)) if x.0 == y.0 => {
                    let weight = (x.1 << own) + theirs(y.1);
                    let node = x.0;
                    a.next();
                    b.next();
                    (node, weight)
                }
                (Some(x), y) if y.is_none_or(|y| x.0 < y.0) => {
                    let taken = (x.0, x.1 << own);
                    a.next();
                    taken
                }
                (_, Some(y)) => {
                    let taken = (y.0, theirs(y.1));
                    b.next();
                    taken
                }
                (Some(_), None) => unreachable!("the arm before takes it"),
            };
            if weight != 0 {
                merged.push((node, weight));
            }
        }
        self.nodes = merged;
    }

    /// This divided by `2^dropped`, its lowest bits, on `low`, dropped.
    #[must_use]
    pub fn floored(&self, low: &[Lit]) -> Self {
        let mut floored = self.clone();
        floored.add_bits(low.iter().enumerate().map(|(k, l)| (*l, -(1i128 << k))));
        floored.fraction += low.len() as u32;
        floored
    }

    /// Calls `visit` with every node and its weight, all times `factor`, and gives the constant times it, modulo `2^64`; none
    /// if something that is no whole number is left.
    pub fn times(&self, factor: u64, mut visit: impl FnMut(Lit, u64)) -> Option<u64> {
        // a fraction goes out with the factor's trailing zeros
        let zeros = factor.trailing_zeros().min(self.fraction);
        let (factor, fraction) = (factor >> zeros, self.fraction - zeros);
        let whole = |v: i128| (v & ((1 << fraction) - 1) == 0).then_some((v >> fraction) as u64);
        for (node, weight) in &self.nodes {
            visit(Lit::of(*node as usize, false), whole(*weight)?.wrapping_mul(factor));
        }
        Some(whole(self.constant)?.wrapping_mul(factor))
    }

    /// Whether shifting by so much leaves room.
    pub fn fits(&self, shift: u32) -> bool {
        self.fraction + shift <= BITS
    }

    /// Least and greatest value, words independent of each other.
    pub fn range(&self, frame: &Frame<'_>) -> Interval {
        let mut tables: FxHashMap<u32, Vec<i128>> = FxHashMap::default();
        let mut whole: FxHashMap<u32, Vec<i128>> = FxHashMap::default();
        let mut ends = Vec::new();
        let (mut lo, mut hi) = (self.constant, self.constant);
        let mut free = |weight: i128| if weight < 0 { lo += weight } else { hi += weight };
        for &(node, weight) in &self.nodes {
            let node = node as usize;
            match (frame.support(node), frame.place(node)) {
                (Support::Constant, _) => {
                    let value = weight * i128::from(frame.table().bit(Lit::of(node, false), 0));
                    ends.push((value, value));
                }
                (Support::One(w), _) if frame.is_tabulated(w) => {
                    let table = tables.entry(w).or_insert_with(|| vec![0; frame.situations(w)]);
                    let row = frame.table().row(node);
                    for (slots, bits) in table.chunks_mut(64).zip(row) {
                        slots.iter_mut().enumerate().for_each(|(v, slot)| *slot += weight * i128::from(bits >> v & 1));
                    }
                }
                (_, Some((w, bit, false))) => {
                    whole.entry(w).or_insert_with(|| vec![0; frame.words[w as usize].bits.len()])[bit] += weight;
                }
                _ => free(weight),
            }
        }
        for (w, weights) in whole {
            let word = frame.words[w as usize];
            let top = weights.len() - 1;
            let signed = |k: usize| if word.is_signed() && k == top { -1 } else { 1 };
            if (0..=top).all(|k| weights[k] == (weights[0] << k) * signed(k)) {
                let both = [word.range.0, word.range.1].map(|v| weights[0] * i128::from(v));
                ends.push((both[0].min(both[1]), both[0].max(both[1])));
            } else {
                weights.into_iter().for_each(&mut free);
            }
        }
        ends.extend(
            tables
                .values()
                .map(|table| table.iter().fold((i128::MAX, i128::MIN), |(lo, hi), v| (lo.min(*v), hi.max(*v)))),
        );
        for (least, most) in ends {
            lo += least;
            hi += most;
        }
        // a number is whole
        (-(-lo >> self.fraction), hi >> self.fraction)
    }
}
