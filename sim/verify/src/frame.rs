//! The words that a layer is computed of, and what of the graph depends on which of them.

use rustc_hash::FxHashMap;

use crate::graph::{Gate, Graph, Lit};
use crate::lanes::Lanes;
use crate::spec::width;

/// What a node depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// Nothing.
    Constant,
    /// One word.
    One(u32),
    /// Several words.
    Several,
    /// Something that is no word of the frame.
    Foreign,
}

/// A word that is known: an input, or a number that has been proved.
#[derive(Debug, Clone)]
pub struct Known {
    /// Its bits; the number goes on with its top bit, or with zeros if it is never negative.
    pub bits: Vec<Lit>,
    /// Further literals that have been proved to be one of the bits.
    pub aliases: Vec<(Lit, usize)>,
    /// Least and greatest value.
    pub range: (i64, i64),
}

/// Nodes that have been proved to be the same for every input, and what they are.
pub type Constants = FxHashMap<usize, bool>;

impl Known {
    /// A number of that range, all of which literals have been proved to be what it has at their place: the first of a place
    /// stands for it. Those above what the range needs repeat the sign, or are zero, which is noted in `constants`.
    pub fn new(proved: impl IntoIterator<Item = Vec<Lit>>, range: (i64, i64), constants: &mut Constants) -> Self {
        let (width, signed) = width(range);
        let width = width as usize;
        let mut known = Self { bits: Vec::with_capacity(width), aliases: Vec::new(), range };
        for (k, literals) in proved.into_iter().enumerate() {
            let mut literals = literals.into_iter();
            if k < width {
                known.bits.extend(literals.next());
            }
            let further = literals.filter(|l| !l.is_constant() && !known.bits.contains(l));
            match k >= width && !signed {
                true => constants.extend(further.map(|l| (l.node(), l.is_complement()))),
                false => known.aliases.extend(further.map(|l| (l, k.min(width - 1)))),
            }
        }
        known
    }

    /// In which of some situations the number can be: not where a bit that never turns would have to.
    pub fn possible(&self, rows: &[Vec<u64>]) -> Vec<u64> {
        let mut possible = vec![u64::MAX; rows.first().map_or(0, Vec::len)];
        for (l, row) in self.bits.iter().zip(rows).filter(|(l, _)| l.is_constant()) {
            let flip = if *l == Lit::TRUE { 0 } else { u64::MAX };
            possible.iter_mut().zip(row).for_each(|(all, word)| *all &= word ^ flip);
        }
        possible
    }

    /// Whether the top bit is a sign.
    pub fn is_signed(&self) -> bool {
        self.range.0 < 0
    }
}

/// Most values of a word of which all are tried.
const TABULATED: i64 = 1 << 12;

/// Words and what depends on them.
#[derive(Debug)]
pub struct Frame<'g> {
    /// The graph.
    pub graph: &'g Graph,
    /// The words.
    pub words: Vec<&'g Known>,
    support: Vec<Support>,
    /// Word and bit of each node that is one, and whether it is the bit's complement.
    leaves: FxHashMap<usize, (u32, usize, bool)>,
    tabulated: Vec<bool>,
    table: Lanes,
    /// In which of its situations each tabulated word can be.
    possible: Vec<Vec<u64>>,
    constants: &'g Constants,
}

impl<'g> Frame<'g> {
    /// The frame of these words.
    ///
    /// # Errors
    /// A node that is a bit of two words.
    pub fn new(graph: &'g Graph, words: Vec<&'g Known>, constants: &'g Constants) -> Result<Self, String> {
        let mut frame = Self::bare(graph, words, constants)?;
        frame.tabulate();
        Ok(frame)
    }

    /// What each node depends on of these words.
    ///
    /// # Errors
    /// A node that is a bit of two words.
    pub fn supports_of(
        graph: &'g Graph,
        words: Vec<&'g Known>,
        constants: &'g Constants,
    ) -> Result<Vec<Support>, String> {
        Ok(Self::bare(graph, words, constants)?.support)
    }

    fn bare(graph: &'g Graph, words: Vec<&'g Known>, constants: &'g Constants) -> Result<Self, String> {
        let mut leaves = FxHashMap::default();
        for (w, word) in words.iter().enumerate() {
            let bits = word.bits.iter().enumerate().map(|(k, l)| (*l, k));
            for (l, k) in bits.chain(word.aliases.iter().copied()).filter(|(l, _)| !l.is_constant()) {
                let place = (w as u32, k, l.is_complement());
                if leaves.insert(l.node(), place).is_some_and(|known| known != place) {
                    return Err("two of its operands share a bit".into());
                }
            }
        }
        let mut frame = Self {
            graph,
            support: Vec::new(),
            leaves,
            tabulated: words.iter().map(|w| w.range.1 - w.range.0 < TABULATED).collect(),
            table: Lanes::new(0, 0),
            possible: vec![Vec::new(); words.len()],
            constants,
            words,
        };
        frame.supports();
        Ok(frame)
    }

    fn supports(&mut self) {
        self.support = Vec::with_capacity(self.graph.len());
        for n in 0..self.graph.len() {
            let support = match (self.leaves.get(&n), self.graph.gate(n)) {
                (Some((w, ..)), _) => Support::One(*w),
                _ if self.constants.contains_key(&n) => Support::Constant,
                (None, Gate::Leaf) => Support::Foreign,
                (None, Gate::Bit(_, bit)) if bit > 0 && !self.is_fixed(n - 1) => self.support[n - 1],
                _ => {
                    let mut all = Support::Constant;
                    self.graph.operands(n, |l| all = joined(all, self.support[l.node()]));
                    all
                }
            };
            self.support.push(support);
        }
    }

    /// The values of what depends on one word: in situation `v` every word has its least value plus `v`.
    fn tabulate(&mut self) {
        let spans = self.words.iter().zip(&self.tabulated).filter(|(_, t)| **t).map(|(w, _)| w.range.1 - w.range.0 + 1);
        let situations = spans.max().unwrap_or(1) as usize;
        self.table = Lanes::new(self.graph.len(), situations.div_ceil(64));
        for w in 0..self.words.len() {
            if self.tabulated[w] {
                let Known { range: (lo, hi), .. } = *self.words[w];
                let rows = planes(self.words[w].bits.len(), situations, |v| (lo + v as i64).min(hi));
                let word = self.words[w];
                self.possible[w] = word.possible(&rows);
                let bits = word.bits.iter().enumerate().map(|(k, l)| (*l, k));
                for (l, k) in bits.chain(word.aliases.iter().copied()).filter(|(l, _)| !l.is_constant()) {
                    let flip = if l.is_complement() { u64::MAX } else { 0 };
                    let row: Vec<u64> = rows[k].iter().map(|word| word ^ flip).collect();
                    self.table.set(l.node(), &row);
                }
            }
        }
        for (&n, &value) in self.constants.iter().filter(|(n, _)| !self.leaves.contains_key(n)) {
            self.table.set(n, &vec![if value { u64::MAX } else { 0 }; self.table.words()]);
        }
        let (leaves, constants) = (&self.leaves, self.constants);
        self.table.evaluate_all(self.graph, |n| leaves.contains_key(&n) || constants.contains_key(&n));
    }

    /// What node `n` depends on.
    pub fn support(&self, n: usize) -> Support {
        self.support[n]
    }

    /// Whether node `n` is a bit of a word.
    pub fn is_leaf(&self, n: usize) -> bool {
        self.leaves.contains_key(&n)
    }

    /// Those situations of a tabulated word that it can be in.
    pub fn possible(&self, w: u32) -> impl Iterator<Item = usize> + '_ {
        let rows = &self.possible[w as usize];
        (0..self.situations(w)).filter(move |v| rows.get(v / 64).is_none_or(|row| row >> (v % 64) & 1 == 1))
    }

    fn is_fixed(&self, n: usize) -> bool {
        self.is_leaf(n) || self.constants.contains_key(&n)
    }

    /// Which bit of its word node `n` is, and whether its complement.
    pub fn place(&self, n: usize) -> Option<(u32, usize, bool)> {
        self.leaves.get(&n).copied()
    }

    /// Whether all values of word `w` are tried.
    pub fn is_tabulated(&self, w: u32) -> bool {
        self.tabulated[w as usize]
    }

    /// What `l` is in each situation of the word that it depends on.
    pub fn table(&self) -> &Lanes {
        &self.table
    }

    /// Situations of word `w`.
    pub fn situations(&self, w: u32) -> usize {
        let (lo, hi) = self.words[w as usize].range;
        (hi - lo + 1) as usize
    }
}

fn joined(a: Support, b: Support) -> Support {
    match (a, b) {
        (Support::Foreign, _) | (_, Support::Foreign) => Support::Foreign,
        (Support::Constant, other) | (other, Support::Constant) => other,
        (Support::One(a), Support::One(b)) if a == b => Support::One(a),
        _ => Support::Several,
    }
}

/// The bits of `value(0)`, `value(1)`, …, one row a bit; situations beyond the last repeat it.
pub fn planes(bits: usize, situations: usize, value: impl Fn(usize) -> i64) -> Vec<Vec<u64>> {
    let words = situations.div_ceil(64);
    let mut rows = vec![vec![0u64; words]; bits];
    for word in 0..words {
        let mut block: [u64; 64] = std::array::from_fn(|lane| value((word * 64 + lane).min(situations - 1)) as u64);
        transpose(&mut block);
        for (k, row) in rows.iter_mut().enumerate() {
            row[word] = block[k.min(63)];
        }
    }
    rows
}

/// Exchanges rows and columns: halves of halves of ever smaller squares change places.
fn transpose(block: &mut [u64; 64]) {
    let (mut half, mut mask) = (32, u64::from(u32::MAX));
    while half > 0 {
        for k in (0..64).filter(|k| k & half == 0) {
            let exchanged = (block[k] >> half ^ block[k + half]) & mask;
            block[k] ^= exchanged << half;
            block[k + half] ^= exchanged;
        }
        half /= 2;
        mask ^= mask << half;
    }
}
