//! Values of all nodes in many situations at once, 64 to a machine word.

use crate::graph::{Gate, Graph, Lit, Word};

/// What every node is in each of some situations.
#[derive(Debug, Clone)]
pub struct Lanes {
    words: usize,
    bits: Vec<u64>,
}

impl Lanes {
    /// All nodes 0 in `64 · words` situations.
    pub fn new(nodes: usize, words: usize) -> Self {
        Self { words, bits: vec![0; nodes * words] }
    }

    /// Machine words a node.
    pub fn words(&self) -> usize {
        self.words
    }

    /// The row of node `n`.
    pub fn row(&self, n: usize) -> &[u64] {
        &self.bits[n * self.words..][..self.words]
    }

    /// Gives node `n` its values.
    pub fn set(&mut self, n: usize, row: &[u64]) {
        self.bits[n * self.words..][..self.words].copy_from_slice(row);
    }

    /// Word `k` of a literal's row.
    pub fn word(&self, l: Lit, k: usize) -> u64 {
        self.bits[l.node() * self.words + k] ^ if l.is_complement() { u64::MAX } else { 0 }
    }

    /// A literal in situation `lane`.
    pub fn bit(&self, l: Lit, lane: usize) -> bool {
        self.word(l, lane / 64) >> (lane % 64) & 1 == 1
    }

    /// The number on `bits` in situation `lane`, two's complement if `signed`.
    pub fn value(&self, bits: &[Lit], signed: bool, lane: usize) -> i64 {
        let top = bits.len().saturating_sub(1);
        let weight = |k: usize| if signed && k == top { -(1i64 << k) } else { 1 << k };
        (0..bits.len()).filter(|&k| self.bit(bits[k], lane)).map(weight).sum()
    }

    /// Works out node `n`; for the first bit of a word, all of them.
    pub fn evaluate(&mut self, graph: &Graph, n: usize) {
        for k in 0..self.words {
            let value = match graph.gate(n) {
                Gate::Zero => 0,
                Gate::Leaf => continue,
                Gate::And(a, b) => self.word(a, k) & self.word(b, k),
                Gate::Xor(a, b) => self.word(a, k) ^ self.word(b, k),
                Gate::Parity(f) => graph.adders[f as usize].iter().fold(0, |p, l| p ^ self.word(*l, k)),
                Gate::Carry(f) => {
                    let [a, b, c] = graph.adders[f as usize].map(|l| self.word(l, k));
                    a & b | c & (a ^ b)
                }
                Gate::Bit(w, 0) => {
                    self.evaluate_word(graph, w as usize, k);
                    continue;
                }
                Gate::Bit(..) => continue,
            };
            self.bits[n * self.words + k] = value;
        }
    }

    fn evaluate_word(&mut self, graph: &Graph, w: usize, k: usize) {
        let (word, first, width) = &graph.words[w];
        let width = *width as usize;
        let mut total = vec![0u64; width];
        match word {
            Word::Sum(terms) => {
                for (bits, minus) in terms {
                    add(&mut total, 0, bits.iter().map(|l| self.word(*l, k)), *minus);
                }
            }
            Word::Product(a, b) => {
                for (shift, l) in b.iter().enumerate() {
                    let mask = self.word(*l, k);
                    if mask != 0 {
                        add(&mut total, shift, a.iter().map(|l| self.word(*l, k) & mask), false);
                    }
                }
            }
        }
        for (bit, value) in total.into_iter().enumerate() {
            self.bits[(first + bit) * self.words + k] = value;
        }
    }

    /// Works out all nodes that are not fixed.
    pub fn evaluate_all(&mut self, graph: &Graph, is_fixed: impl Fn(usize) -> bool) {
        let mut kept: Vec<(usize, Vec<u64>)> = Vec::new();
        for n in 0..graph.len() {
            let fixed = is_fixed(n);
            match graph.gate(n) {
                Gate::Bit(w, 0) => {
                    let (_, first, width) = graph.words[w as usize];
                    let nodes = first..first + width as usize;
                    kept.extend(nodes.filter(|&n| is_fixed(n)).map(|n| (n, self.row(n).to_vec())));
                    self.evaluate(graph, n);
                    kept.drain(..).for_each(|(n, row)| self.set(n, &row));
                }
                _ if !fixed => self.evaluate(graph, n),
                _ => {}
            }
        }
    }
}

/// Adds a word, shifted up, to `total`, or subtracts it.
fn add(total: &mut [u64], shift: usize, bits: impl Iterator<Item = u64>, minus: bool) {
    let flip = if minus { u64::MAX } else { 0 };
    let mut carry = flip;
    for (slot, bit) in total[shift..].iter_mut().zip(bits) {
        let (a, b) = (*slot, bit ^ flip);
        *slot = a ^ b ^ carry;
        carry = a & b | carry & (a ^ b);
    }
}
