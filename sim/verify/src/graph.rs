//! A design as one graph of bits: gates, full adders and sums of words, equal ones once.

use rustc_hash::FxHashMap;

/// A node or its complement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lit(u32);

impl Lit {
    /// Always 0.
    pub const FALSE: Self = Self(0);
    /// Always 1.
    pub const TRUE: Self = Self(1);

    /// `node`, or its complement.
    pub fn of(node: usize, complement: bool) -> Self {
        Self((node as u32) << 1 | u32::from(complement))
    }

    /// The node.
    pub fn node(self) -> usize {
        (self.0 >> 1) as usize
    }

    /// Whether it is the complement.
    pub fn is_complement(self) -> bool {
        self.0 & 1 == 1
    }

    /// Whether it is 0 or 1.
    pub fn is_constant(self) -> bool {
        self.0 < 2
    }

    /// This, complemented if `complement`.
    #[must_use]
    pub fn xor(self, complement: bool) -> Self {
        Self(self.0 ^ u32::from(complement))
    }
}

impl std::ops::Not for Lit {
    type Output = Self;

    fn not(self) -> Self {
        self.xor(true)
    }
}

/// What a node is. Node 0 is the constant 0; operands stand before their readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Gate {
    /// 0.
    Zero,
    /// Anything: an input, or what a register with feedback holds.
    Leaf,
    /// Both.
    And(Lit, Lit),
    /// One of both; no operand is a complement.
    Xor(Lit, Lit),
    /// The parity of full adder `k`.
    Parity(u32),
    /// The carry of full adder `k`.
    Carry(u32),
    /// Bit `.1` of word `.0`.
    Bit(u32, u32),
}

/// A word that is computed as a whole, modulo two to the power of its width.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Word {
    /// The sum of words, each of which is subtracted if it says so. All are as wide as the result.
    Sum(Vec<(Vec<Lit>, bool)>),
    /// A product; both are as wide as the result.
    Product(Vec<Lit>, Vec<Lit>),
}

impl Word {
    /// All bits that go in.
    pub fn operands(&self) -> impl Iterator<Item = Lit> + '_ {
        let (terms, product): (&[_], _) = match self {
            Self::Sum(terms) => (terms, None),
            Self::Product(a, b) => (&[], Some(a.iter().chain(b).copied())),
        };
        terms.iter().flat_map(|(bits, _)| bits.iter().copied()).chain(product.into_iter().flatten())
    }
}

/// The graph.
#[derive(Debug, Default)]
pub struct Graph {
    gates: Vec<Gate>,
    levels: Vec<u32>,
    known: FxHashMap<Gate, u32>,
    /// Operands of the full adders.
    pub adders: Vec<[Lit; 3]>,
    known_adders: FxHashMap<[Lit; 3], u32>,
    /// Words, each with its first node; the others follow it.
    pub words: Vec<(Word, usize, u32)>,
    known_words: FxHashMap<Word, u32>,
}

impl Graph {
    /// A graph of the constant alone.
    pub fn new() -> Self {
        Self { gates: vec![Gate::Zero], levels: vec![0], ..Self::default() }
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.gates.len()
    }

    /// Never: there is a constant.
    pub fn is_empty(&self) -> bool {
        self.gates.is_empty()
    }

    /// What node `n` is.
    pub fn gate(&self, n: usize) -> Gate {
        self.gates[n]
    }

    /// The longest way from a leaf to node `n`. All bits of a word, and both of a full adder, are on one level.
    pub fn level(&self, n: usize) -> u32 {
        self.levels[n]
    }

    /// Calls `visit` with every operand of node `n`.
    pub fn operands(&self, n: usize, mut visit: impl FnMut(Lit)) {
        match self.gates[n] {
            Gate::Zero | Gate::Leaf => {}
            Gate::And(a, b) | Gate::Xor(a, b) => [a, b].into_iter().for_each(visit),
            Gate::Parity(k) | Gate::Carry(k) => self.adders[k as usize].into_iter().for_each(visit),
            Gate::Bit(w, _) => self.words[w as usize].0.operands().for_each(&mut visit),
        }
    }

    fn push(&mut self, gate: Gate, level: u32) -> usize {
        self.gates.push(gate);
        self.levels.push(level);
        self.gates.len() - 1
    }

    fn above(&self, operands: impl IntoIterator<Item = Lit>) -> u32 {
        operands.into_iter().map(|l| self.levels[l.node()]).max().unwrap_or(0) + 1
    }

    fn gate_of(&mut self, gate: Gate, operands: [Lit; 2]) -> Lit {
        if let Some(&node) = self.known.get(&gate) {
            return Lit::of(node as usize, false);
        }
        let node = self.push(gate, self.above(operands));
        self.known.insert(gate, node as u32);
        Lit::of(node, false)
    }

    /// A leaf of its own.
    pub fn leaf(&mut self) -> Lit {
        Lit::of(self.push(Gate::Leaf, 0), false)
    }

    /// `a` and `b`.
    pub fn and(&mut self, a: Lit, b: Lit) -> Lit {
        let (a, b) = (a.min(b), a.max(b));
        match (a, b) {
            (Lit::FALSE, _) => Lit::FALSE,
            (Lit::TRUE, b) => b,
            _ if a == b => a,
            _ if a == !b => Lit::FALSE,
            _ => self.gate_of(Gate::And(a, b), [a, b]),
        }
    }

    /// `a` or `b`.
    pub fn or(&mut self, a: Lit, b: Lit) -> Lit {
        !self.and(!a, !b)
    }

    /// `a` or `b`, not both.
    pub fn xor(&mut self, a: Lit, b: Lit) -> Lit {
        let complement = a.is_complement() ^ b.is_complement();
        let (a, b) = (Lit::of(a.node(), false), Lit::of(b.node(), false));
        let (a, b) = (a.min(b), a.max(b));
        if a == b {
            return Lit::FALSE.xor(complement);
        }
        if a == Lit::FALSE {
            return b.xor(complement);
        }
        self.gate_of(Gate::Xor(a, b), [a, b]).xor(complement)
    }

    /// `a` where `s`, else `b`.
    pub fn mux(&mut self, s: Lit, a: Lit, b: Lit) -> Lit {
        if a == b {
            return a;
        }
        if a == !b {
            return !self.xor(s, a);
        }
        let (x, y) = (self.and(s, a), self.and(!s, b));
        self.or(x, y)
    }

    /// Parity and carry of three bits.
    pub fn full_adder(&mut self, mut operands: [Lit; 3]) -> [Lit; 2] {
        operands.sort_unstable();
        let next = self.adders.len() as u32;
        let [parity, carry] = [Gate::Parity, Gate::Carry];
        let k = *self.known_adders.entry(operands).or_insert(next);
        if k == next {
            self.adders.push(operands);
            let level = self.above(operands);
            for gate in [parity(k), carry(k)] {
                let node = self.push(gate, level);
                self.known.insert(gate, node as u32);
            }
        }
        [parity(k), carry(k)].map(|gate| Lit::of(self.known[&gate] as usize, false))
    }

    /// Parity and carry of three bits, of which some may be constants.
    pub fn adder(&mut self, mut operands: [Lit; 3]) -> [Lit; 2] {
        operands.sort_unstable();
        let [constant, a, b] = operands;
        match constant {
            Lit::FALSE => [self.xor(a, b), self.and(a, b)],
            Lit::TRUE => [!self.xor(a, b), self.or(a, b)],
            _ => self.full_adder(operands),
        }
    }

    /// One of `a` and `b`, if the graph has it.
    pub fn known_xor(&self, a: Lit, b: Lit) -> Option<Lit> {
        if b.is_constant() {
            return Some(a.xor(b == Lit::TRUE));
        }
        let complement = a.is_complement() ^ b.is_complement();
        let (a, b) = (Lit::of(a.node(), false), Lit::of(b.node(), false));
        let node = self.known.get(&Gate::Xor(a.min(b), a.max(b)))?;
        Some(Lit::of(*node as usize, complement))
    }

    /// This graph once more, with what `replaced` says for a node in its place, and what each node is in it. `replaced` is
    /// given the new graph, what nodes before this one are in it, and the node.
    pub fn rebuilt(&self, mut replaced: impl FnMut(&mut Self, &[Lit], usize) -> Option<Lit>) -> (Self, Vec<Lit>) {
        let mut new = Self::new();
        let mut map: Vec<Lit> = Vec::with_capacity(self.len());
        while map.len() < self.len() {
            let n = map.len();
            if let Some(lit) = replaced(&mut new, &map, n) {
                map.push(lit);
                continue;
            }
            let moved = |l: Lit| map[l.node()].xor(l.is_complement());
            let all = |bits: &[Lit]| bits.iter().map(|l| moved(*l)).collect::<Vec<_>>();
            let own = match self.gates[n] {
                Gate::Zero => vec![Lit::FALSE],
                Gate::Leaf => vec![new.leaf()],
                Gate::And(a, b) => vec![new.and(moved(a), moved(b))],
                Gate::Xor(a, b) => vec![new.xor(moved(a), moved(b))],
                // its carry follows
                Gate::Parity(k) => new.adder(self.adders[k as usize].map(moved)).to_vec(),
                Gate::Bit(w, _) => match &self.words[w as usize].0 {
                    Word::Sum(terms) => new.sum(terms.iter().map(|(bits, minus)| (all(bits), *minus)).collect()),
                    Word::Product(a, b) => new.product(all(a), all(b)),
                },
                Gate::Carry(_) => unreachable!("it follows its parity"),
            };
            map.extend(own);
        }
        (new, map)
    }

    /// The sum of words of one width, each subtracted if it says so. Low bits that only one word has, and that are added,
    /// pass.
    pub fn sum(&mut self, terms: Vec<(Vec<Lit>, bool)>) -> Vec<Lit> {
        let width = terms[0].0.len();
        let mut low = Vec::new();
        while low.len() < width {
            let k = low.len();
            let mut there = terms.iter().filter(|(bits, _)| bits[k] != Lit::FALSE);
            match (there.next(), there.next()) {
                (None, _) => low.push(Lit::FALSE),
                (Some((bits, false)), None) => low.push(bits[k]),
                _ => break,
            }
        }
        if low.len() == width {
            return low;
        }
        let cut = |(bits, minus): (Vec<Lit>, bool)| (bits[low.len()..].to_vec(), minus);
        let is_zero = |bits: &[Lit]| bits.iter().all(|l| *l == Lit::FALSE);
        let terms: Vec<_> = terms.into_iter().map(cut).filter(|(bits, _)| !is_zero(bits)).collect();
        match &terms[..] {
            [(bits, false)] => low.extend(bits),
            _ => {
                let high = self.word(Word::Sum(terms), width - low.len());
                low.extend(high);
            }
        }
        low
    }

    /// The product of words of one width.
    pub fn product(&mut self, a: Vec<Lit>, b: Vec<Lit>) -> Vec<Lit> {
        let width = a.len();
        self.word(Word::Product(a, b), width)
    }

    fn word(&mut self, word: Word, width: usize) -> Vec<Lit> {
        let next = self.words.len() as u32;
        let w = *self.known_words.entry(word.clone()).or_insert(next);
        if w == next {
            let level = self.above(word.operands());
            self.words.push((word, self.gates.len(), width as u32));
            for bit in 0..width as u32 {
                self.push(Gate::Bit(w, bit), level);
            }
        }
        let first = self.words[w as usize].1;
        (first..first + width).map(|node| Lit::of(node, false)).collect()
    }
}
