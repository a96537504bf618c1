//! Sums of products as identities of integers: the number on some bits is rewritten backwards through adders, full adders
//! and gates until it is a sum of functions of one word each.
//!
//! Everything holds modulo two to the power of the bits. A word inside that is narrower is replaced by a sum only where
//! intervals show that it [is exactly that](crate::exact).

use std::collections::BinaryHeap;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use crate::deadline::Deadline;
use crate::exact::{Exact, Exactness};
use crate::frame::{Frame, Support};
use crate::graph::{Gate, Lit, Word};
use crate::signs;

/// Gates of the same two nodes.
pub type Pairs = FxHashMap<(usize, usize), Vec<usize>>;

/// The gates of `graph` by their operands.
pub fn pairs(graph: &crate::graph::Graph) -> Pairs {
    let mut pairs = Pairs::default();
    for n in 0..graph.len() {
        if let Gate::And(a, b) | Gate::Xor(a, b) = graph.gate(n) {
            pairs.entry(key(a, b)).or_default().push(n);
        }
    }
    pairs
}

/// The nodes of a gate, in order.
pub fn key(a: Lit, b: Lit) -> (usize, usize) {
    (a.node().min(b.node()), a.node().max(b.node()))
}

/// A number as a sum of functions of one word each, modulo `2^bits`.
#[derive(Debug, Default)]
pub struct Form {
    /// Added.
    pub constant: u64,
    /// For each word that is tabulated, the value for each of its values.
    pub tables: FxHashMap<u32, Vec<u64>>,
    /// For each other word, the factor of each bit.
    pub factors: FxHashMap<u32, Vec<u64>>,
}

impl Form {
    /// Adds `other` times `factor`.
    fn add(&mut self, other: &Self, factor: u64) {
        self.constant = self.constant.wrapping_add(other.constant.wrapping_mul(factor));
        let all = [(&mut self.tables, &other.tables), (&mut self.factors, &other.factors)];
        for (own, other) in all {
            for (w, values) in other {
                let own = own.entry(*w).or_insert_with(|| vec![0; values.len()]);
                own.iter_mut().zip(values).for_each(|(own, v)| *own = own.wrapping_add(v.wrapping_mul(factor)));
            }
        }
    }
}

/// Numbers that a rewriting is at.
#[derive(Debug)]
struct State {
    factors: Vec<u64>,
    queued: Vec<bool>,
    queue: BinaryHeap<(u32, usize)>,
    form: Form,
    mask: u64,
}

impl State {
    fn new(nodes: usize) -> Self {
        let (factors, queued) = (vec![0; nodes], vec![false; nodes]);
        Self { factors, queued, queue: BinaryHeap::new(), form: Form::default(), mask: 0 }
    }

    /// Forgets what is still queued.
    fn clear(&mut self) {
        for (_, n) in self.queue.drain() {
            self.factors[n] = 0;
            self.queued[n] = false;
        }
        self.form = Form::default();
    }
}

/// Rewrites numbers in a frame.
#[derive(Debug)]
pub struct Rewriter<'f, 'g> {
    frame: &'f Frame<'g>,
    pairs: &'f Pairs,
    exact: Exact<'f, 'g>,
    /// What numbers are exactly, by their highest bit and whether it is a sign.
    inner: FxHashMap<(usize, bool), Option<Rc<Form>>>,
    state: State,
    /// Empty states for numbers inside numbers.
    spare: Vec<State>,
    deadline: Deadline,
}

impl<'f, 'g> Rewriter<'f, 'g> {
    /// In this frame, until `deadline`.
    pub fn new(frame: &'f Frame<'g>, pairs: &'f Pairs, deadline: Deadline) -> Self {
        let state = State::new(frame.graph.len());
        Self { frame, pairs, exact: Exact::new(frame), inner: FxHashMap::default(), state, spare: Vec::new(), deadline }
    }

    fn add(&mut self, l: Lit, factor: u64) {
        let n = l.node();
        if l.is_complement() {
            self.state.form.constant = self.state.form.constant.wrapping_add(factor);
        }
        if n == 0 {
            return;
        }
        let factor = if l.is_complement() { factor.wrapping_neg() } else { factor };
        let state = &mut self.state;
        state.factors[n] = state.factors[n].wrapping_add(factor);
        if !std::mem::replace(&mut state.queued[n], true) {
            state.queue.push((self.frame.graph.level(n), n));
        }
    }

    fn take(&mut self, n: usize) -> u64 {
        std::mem::take(&mut self.state.factors[n]) & self.state.mask
    }

    /// The number on `bits`.
    ///
    /// # Errors
    /// Something on the way that is no linear identity.
    pub fn form(&mut self, bits: &[Lit]) -> Result<Form, String> {
        self.deadline.check()?;
        let fresh = self.spare.pop().unwrap_or_else(|| State::new(self.frame.graph.len()));
        let outer = std::mem::replace(&mut self.state, fresh);
        self.state.mask = if bits.len() >= 64 { u64::MAX } else { (1 << bits.len()) - 1 };
        bits.iter().enumerate().for_each(|(k, l)| self.add(*l, 1 << k));
        let mut result = Ok(());
        while result.is_ok()
            && let Some((_, n)) = self.state.queue.pop()
        {
            self.state.queued[n] = false;
            result = self.rewrite(n);
            if result.is_err() {
                self.state.factors[n] = 0;
            }
        }
        let mut done = std::mem::replace(&mut self.state, outer);
        let mut form = std::mem::take(&mut done.form);
        form.constant &= done.mask;
        done.clear();
        self.spare.push(done);
        result.map(|()| form)
    }

    /// The number on `bits`, two's complement if `signed`, as it is exactly: what it is modulo two to the power of its bits,
    /// where that has a range which such numbers can have.
    fn inner(&mut self, bits: &[Lit], signed: bool) -> Option<Rc<Form>> {
        let top = bits.last().filter(|_| bits.len() <= signs::BITS)?;
        let key = (top.node(), signed);
        if let Some(known) = self.inner.get(&key) {
            return known.clone();
        }
        let form = self.form(bits).ok();
        let exact = form.and_then(|form| signs::exact(self.frame, &form, bits.len(), signed)).map(Rc::new);
        self.inner.insert(key, exact.clone());
        exact
    }

    /// Node `n`, times `factor`, as the highest bit of a number whose last carry is left out: the number less its other bits.
    fn sign(&mut self, n: usize, factor: u64) -> Option<()> {
        let bits = signs::number(self.frame, self.pairs, n);
        let top = bits.len() - 1;
        if top == 0 || bits.len() > signs::BITS || factor & ((1 << top) - 1) != 0 {
            return None;
        }
        let negative = self.inner(&bits, true).map(|form| (form, (factor >> top).wrapping_neg()));
        let (form, factor) = match negative {
            Some(negative) => negative,
            None => (self.inner(&bits, false)?, factor >> top),
        };
        self.state.form.add(&form, factor);
        bits[..top].iter().enumerate().for_each(|(k, l)| self.add(*l, (factor << k).wrapping_neg()));
        Some(())
    }

    fn rewrite(&mut self, n: usize) -> Result<(), String> {
        if self.state.factors[n] & self.state.mask == 0 {
            self.state.factors[n] = 0;
            return Ok(());
        }
        match self.frame.support(n) {
            Support::Foreign => Err("it depends on something that is no operand of the layer".into()),
            Support::Constant => {
                let factor = self.take(n);
                let bit = self.frame.table().bit(Lit::of(n, false), 0);
                self.state.form.constant = self.state.form.constant.wrapping_add(factor * u64::from(bit));
                Ok(())
            }
            Support::One(w) if self.frame.is_tabulated(w) => {
                let factor = self.take(n);
                let row = self.frame.table().row(n);
                let situations = self.frame.situations(w);
                let table = self.state.form.tables.entry(w).or_insert_with(|| vec![0; situations]);
                for (v, slot) in table.iter_mut().enumerate() {
                    *slot = slot.wrapping_add(factor * (row[v / 64] >> (v % 64) & 1));
                }
                Ok(())
            }
            _ => match self.frame.place(n) {
                Some((w, bit, is_complement)) => {
                    let factor = self.take(n);
                    let own = self.frame.words[w as usize];
                    let factor = match is_complement {
                        true => {
                            self.state.form.constant = self.state.form.constant.wrapping_add(factor);
                            factor.wrapping_neg()
                        }
                        false => factor,
                    };
                    let factors = self.state.form.factors.entry(w).or_insert_with(|| vec![0; own.bits.len()]);
                    factors[bit] = factors[bit].wrapping_add(factor);
                    Ok(())
                }
                None => self.gate(n),
            },
        }
    }

    fn gate(&mut self, n: usize) -> Result<(), String> {
        match self.frame.graph.gate(n) {
            Gate::And(a, b) | Gate::Xor(a, b) => self.pair(key(a, b)),
            Gate::Parity(k) | Gate::Carry(k) => self.full_adder(n, k),
            Gate::Bit(w, _) => self.word(w),
            Gate::Zero | Gate::Leaf => Err("it depends on something that is no operand of the layer".into()),
        }
    }

    /// All gates of two nodes at once: together they must not contain the nodes' product.
    fn pair(&mut self, (p, q): (usize, usize)) -> Result<(), String> {
        let mut product = 0u64;
        let pairs = self.pairs;
        let factors: Vec<u64> = pairs[&(p, q)].iter().map(|n| self.take(*n)).collect();
        let excess = self.excess(&pairs[&(p, q)], &factors);
        for (&n, factor) in pairs[&(p, q)].iter().zip(factors) {
            let factor = match excess {
                Some((of, excess)) if of == n && self.sign(n, excess).is_some() => factor.wrapping_sub(excess),
                _ => factor,
            } & self.state.mask;
            if factor == 0 {
                continue;
            }
            let [p, q] = [p, q].map(|n| Lit::of(n, false));
            match self.frame.graph.gate(n) {
                Gate::Xor(..) => {
                    self.add(p, factor);
                    self.add(q, factor);
                    product = product.wrapping_sub(factor << 1);
                }
                Gate::And(a, b) => {
                    let (a, b) = if a.node() == p.node() { (a, b) } else { (b, a) };
                    match (a.is_complement(), b.is_complement()) {
                        (false, false) => product = product.wrapping_add(factor),
                        (true, false) => {
                            self.add(q, factor);
                            product = product.wrapping_sub(factor);
                        }
                        (false, true) => {
                            self.add(p, factor);
                            product = product.wrapping_sub(factor);
                        }
                        (true, true) => {
                            self.state.form.constant = self.state.form.constant.wrapping_add(factor);
                            self.add(p, factor.wrapping_neg());
                            self.add(q, factor.wrapping_neg());
                            product = product.wrapping_add(factor);
                        }
                    }
                }
                _ => unreachable!("pairs are gates"),
            }
        }
        match product & self.state.mask {
            0 => Ok(()),
            _ => Err("a product of two of its bits is left".into()),
        }
    }

    /// What the parity among gates of the same two nodes has more than the carries beside it ask for.
    fn excess(&self, gates: &[usize], factors: &[u64]) -> Option<(usize, u64)> {
        let graph = self.frame.graph;
        let carried = gates.iter().zip(factors).fold(0u64, |sum, (n, factor)| match graph.gate(*n) {
            Gate::And(a, b) if a.is_complement() != b.is_complement() => sum.wrapping_sub(*factor),
            Gate::And(..) => sum.wrapping_add(*factor),
            _ => sum,
        });
        let is_parity = |n: &usize| matches!(graph.gate(*n), Gate::Xor(..));
        let (&n, factor) = gates.iter().zip(factors).find(|(n, _)| is_parity(n))?;
        let excess = factor.wrapping_sub(carried >> 1) & self.state.mask;
        (carried & 1 == 0 && (excess << 1) & self.state.mask != 0).then_some((n, excess))
    }

    fn full_adder(&mut self, n: usize, k: u32) -> Result<(), String> {
        let graph = self.frame.graph;
        // parity and carry are neighbours
        let (parity, carry) = match graph.gate(n) {
            Gate::Parity(_) => (n, n + 1),
            _ => (n - 1, n),
        };
        let [of_parity, of_carry] = [parity, carry].map(|n| self.take(n));
        let mut of_parity = of_parity;
        if of_carry != (of_parity << 1) & self.state.mask {
            let excess = of_parity.wrapping_sub(of_carry >> 1);
            if of_carry & 1 == 1 || self.sign(parity, excess).is_none() {
                return Err("a full adder's carry does not have twice the weight of its sum".into());
            }
            of_parity = of_carry >> 1;
        }
        graph.adders[k as usize].into_iter().for_each(|l| self.add(l, of_parity));
        Ok(())
    }

    fn word(&mut self, w: u32) -> Result<(), String> {
        let graph = self.frame.graph;
        let (word, first, width) = &graph.words[w as usize];
        let Word::Sum(terms) = word else {
            return Err("a product of two words is left".into());
        };
        let width = *width as usize;
        let factors: Vec<u64> = (0..width).map(|k| self.take(first + k)).collect();
        let (factor, top) = (factors[0], width - 1);
        let shifted = |k: usize| if k < 64 { (factor << k) & self.state.mask } else { 0 };
        if (0..top).any(|k| factors[k] != shifted(k)) {
            return Err("only some bits of a sum are used".into());
        }
        let wraps = shifted(width) != 0;
        let signed = factors[top] != shifted(top);
        if signed && factors[top] != shifted(top).wrapping_neg() & self.state.mask {
            return Err("the bits of a sum do not have the weights of a number".into());
        }
        let signs = match wraps {
            false => vec![false; terms.len()],
            true => match self.exact.sum_of(w, signed) {
                None => {
                    let bits: Vec<Lit> = (*first..first + width).map(|n| Lit::of(n, false)).collect();
                    let form = self.inner(&bits, signed).ok_or("a sum inside it may wrap")?;
                    self.state.form.add(&form, factor);
                    return Ok(());
                }
                Some(Exactness::Operands(signs)) => signs,
                Some(Exactness::Form(form)) => {
                    let constant = form.times(factor, |l, weight| self.add(l, weight));
                    let constant = constant.ok_or("the bits below a sum do not have its weights")?;
                    self.state.form.constant = self.state.form.constant.wrapping_add(constant);
                    return Ok(());
                }
            },
        };
        for ((bits, minus), signed) in terms.iter().zip(signs) {
            for (k, l) in bits.iter().enumerate() {
                let negative = *minus != (signed && k == top);
                let weight = if k < 64 { factor << k } else { 0 };
                self.add(*l, if negative { weight.wrapping_neg() } else { weight });
            }
        }
        Ok(())
    }

    /// Whether `form` of so many `bits` is `bias + Σ ⌊weight · word / 2^cut⌋`, words by their position in the frame.
    ///
    /// # Errors
    /// What is different.
    pub fn check(&self, form: &Form, bits: usize, bias: i64, terms: &[(u32, i64)], cut: u32) -> Result<(), String> {
        let mask = if bits >= 64 { u64::MAX } else { (1 << bits) - 1 };
        let mut wanted: FxHashMap<u32, Vec<i64>> = FxHashMap::default();
        for &(w, weight) in terms {
            wanted.entry(w).or_default().push(weight);
        }
        let mut constant = form.constant.wrapping_sub(bias as u64);
        let all = form.tables.keys().chain(form.factors.keys()).chain(wanted.keys());
        let mut all: Vec<u32> = all.copied().collect();
        all.sort_unstable();
        all.dedup();
        for w in all {
            let weights = wanted.get(&w).map_or(&[][..], Vec::as_slice);
            let known = self.frame.words[w as usize];
            if self.frame.is_tabulated(w) {
                let lo = known.range.0;
                let want = |v: usize| weights.iter().map(|f| (f * (lo + v as i64)) >> cut).sum::<i64>() as u64;
                let got = |v: usize| form.tables.get(&w).map_or(0, |table| table[v]);
                let differ = |v: usize| got(v).wrapping_sub(want(v)) & mask;
                let Some(first) = self.frame.possible(w).next() else { continue };
                if let Some(v) = self.frame.possible(w).find(|&v| differ(v) != differ(first)) {
                    return Err(format!("it is wrong where operand {w} is {}", lo + v as i64));
                }
                constant = constant.wrapping_add(differ(first));
                continue;
            }
            if cut > 0 {
                return Err(format!("operand {w} has too many values to try them all"));
            }
            let top = known.bits.len() - 1;
            for k in 0..=top {
                let weight = weights.iter().sum::<i64>() as u64;
                let want = if k < 64 { weight << k } else { 0 };
                let want = if known.is_signed() && k == top { want.wrapping_neg() } else { want };
                let got = form.factors.get(&w).map_or(0, |factors| factors[k]);
                // a bit that never turns is part of the constant
                if known.bits[k].is_constant() {
                    let is_set = u64::from(known.bits[k] == Lit::TRUE);
                    constant = constant.wrapping_sub(want.wrapping_mul(is_set));
                    continue;
                }
                if got.wrapping_sub(want) & mask != 0 {
                    return Err(format!("bit {k} of operand {w} has another weight"));
                }
            }
        }
        match constant & mask {
            0 => Ok(()),
            _ => Err("its constant is another one".into()),
        }
    }
}
