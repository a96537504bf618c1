//! What lies between some bits and a result: functions of one word, for each of its values.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::deadline::Deadline;
use crate::frame::{Constants, Known, planes};
use crate::graph::{Gate, Graph, Lit};
use crate::lanes::Lanes;

/// Most values of a word that are tried one by one.
pub const MOST: i64 = 1 << 22;
/// Machine words that are evaluated at once.
pub const WORDS: usize = 32;

/// Nodes between leaves and results, operands first.
#[derive(Debug, Default)]
pub struct Cone {
    /// The nodes.
    pub nodes: Vec<usize>,
    closed: FxHashMap<usize, bool>,
    leaves: FxHashSet<usize>,
}

impl Cone {
    /// The cone above `leaves` and `constants` with nothing in it.
    pub fn above(leaves: impl IntoIterator<Item = usize>, constants: impl IntoIterator<Item = usize>) -> Self {
        let leaves: FxHashSet<usize> = leaves.into_iter().collect();
        let closed = leaves.iter().copied().chain(constants).chain([0]).map(|n| (n, true)).collect();
        Self { nodes: Vec::new(), closed, leaves }
    }

    /// Adds what `root` depends on; whether that is nothing but the leaves.
    pub fn reach(&mut self, graph: &Graph, root: usize) -> bool {
        let mut open = vec![(root, false)];
        while let Some((n, seen)) = open.pop() {
            if self.closed.contains_key(&n) && !seen {
                continue;
            }
            let mut all = !matches!(graph.gate(n), Gate::Leaf);
            if !seen {
                open.push((n, true));
                graph.operands(n, |l| {
                    if !self.closed.contains_key(&l.node()) {
                        open.push((l.node(), false));
                    }
                });
                continue;
            }
            if self.closed.contains_key(&n) {
                continue;
            }
            graph.operands(n, |l| all &= self.closed.get(&l.node()).copied().unwrap_or(false));
            self.closed.insert(n, all);
            // the bits of a word are worked out with its first one, which must not overwrite a leaf
            match graph.gate(n) {
                Gate::Bit(w, _) => {
                    let (_, first, width) = graph.words[w as usize];
                    if (first..first + width as usize).any(|bit| self.leaves.contains(&bit)) {
                        self.closed.insert(n, false);
                    }
                    self.nodes.push(first);
                }
                _ => self.nodes.push(n),
            }
        }
        self.closed[&root]
    }

    /// Operands first.
    pub fn sort(&mut self) {
        self.nodes.sort_unstable();
        self.nodes.dedup();
    }
}

/// What a function of words is looked for among.
#[derive(Debug)]
pub struct Candidates<'a> {
    /// For each bit of the result.
    pub bits: &'a [Vec<Lit>],
    /// What may always be 0.
    pub zeros: &'a [Lit],
    /// What is known to be always the same.
    pub constants: &'a Constants,
    /// Until when.
    pub deadline: Deadline,
}

/// Of the candidates for each bit of `function(words)` those that are it for all values that the words can have, and those for zeros
/// that are.
///
/// # Errors
/// Too many values, or a bit for which no candidate is right.
pub fn map(
    graph: &Graph,
    words: &[&Known],
    function: &dyn Fn(&[i64]) -> i64,
    candidates: &Candidates<'_>,
    scratch: &mut Lanes,
) -> Result<(Vec<Vec<Lit>>, Vec<Lit>), String> {
    let Candidates { bits: candidates, zeros, constants, deadline } = *candidates;
    let spans: Vec<i64> = words.iter().map(|w| w.range.1.saturating_sub(w.range.0).saturating_add(1)).collect();
    let all = spans.iter().try_fold(1i64, |all, span| all.checked_mul(*span)).unwrap_or(i64::MAX);
    if all > MOST {
        let bits = i64::BITS - all.leading_zeros();
        return Err(format!("its operands have too many values to try them all: {bits} bits"));
    }
    // the value of word `w` in situation `v`; situations beyond the last repeat it
    let value = |w: usize, v: i64| {
        let inner: i64 = spans[..w].iter().product();
        words[w].range.0 + v.min(all - 1) / inner % spans[w]
    };
    let mut leaves: Vec<(usize, Lit, usize)> = Vec::new();
    for (w, word) in words.iter().enumerate() {
        let bits = word.bits.iter().enumerate().map(|(k, l)| (*l, k)).chain(word.aliases.iter().copied());
        leaves.extend(bits.filter(|(l, _)| !l.is_constant()).map(|(l, k)| (w, l, k)));
    }
    let mut owners: FxHashMap<usize, (usize, usize)> = FxHashMap::default();
    for (w, l, k) in &leaves {
        if owners.insert(l.node(), (*w, *k)).is_some_and(|owner| owner != (*w, *k)) {
            return Err("its operands share a bit".into());
        }
    }
    // what other candidates depend on is not worked out below
    let constants: Vec<(usize, bool)> =
        constants.iter().map(|(n, value)| (*n, *value)).filter(|(n, _)| !owners.contains_key(n)).collect();
    let empty = || Cone::above(owners.keys().copied(), constants.iter().map(|(n, _)| *n));
    let mut all_cones = empty();
    let mut inside = |l: &Lit| all_cones.reach(graph, l.node());
    let mut right: Vec<Vec<Lit>> =
        candidates.iter().map(|bit| bit.iter().copied().filter(&mut inside).collect()).collect();
    if let Some(k) = right.iter().position(Vec::is_empty) {
        return Err(format!("bit {k} depends on more than what it is a function of"));
    }
    let mut zeros: Vec<Lit> = zeros.iter().copied().filter(&mut inside).collect();
    let mut cone = empty();
    right.iter().flatten().chain(&zeros).for_each(|l| _ = cone.reach(graph, l.node()));
    cone.sort();
    for (n, value) in &constants {
        scratch.set(*n, &[if *value { u64::MAX } else { 0 }; WORDS]);
    }
    let step = (WORDS * 64) as i64;
    for begin in (0..all).step_by(step as usize) {
        deadline.check()?;
        let mut possible = vec![u64::MAX; WORDS];
        for (w, word) in words.iter().enumerate() {
            let rows = planes(word.bits.len(), step as usize, |lane| value(w, begin + lane as i64));
            possible.iter_mut().zip(word.possible(&rows)).for_each(|(all, own)| *all &= own);
            for (_, l, k) in leaves.iter().filter(|(owner, ..)| *owner == w) {
                let flip = if l.is_complement() { u64::MAX } else { 0 };
                let row: Vec<u64> = rows[*k].iter().map(|word| word ^ flip).collect();
                scratch.set(l.node(), &row);
            }
        }
        for &n in &cone.nodes {
            scratch.evaluate(graph, n);
        }
        zeros.retain(|l| (0..WORDS).all(|word| scratch.word(*l, word) & possible[word] == 0));
        let operands = |lane: usize| -> Vec<i64> { (0..words.len()).map(|w| value(w, begin + lane as i64)).collect() };
        let wanted = planes(candidates.len(), step as usize, |lane| function(&operands(lane)));
        for (k, (right, wanted)) in right.iter_mut().zip(&wanted).enumerate() {
            right.retain(|l| (0..WORDS).all(|word| (scratch.word(*l, word) ^ wanted[word]) & possible[word] == 0));
            if right.is_empty() {
                return Err(format!("bit {k} is wrong for some value of what it is a function of"));
            }
        }
    }
    Ok((right, zeros))
}
