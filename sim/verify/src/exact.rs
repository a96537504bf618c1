//! Which words hold their sum exactly: intervals that show that nothing wraps.

use rustc_hash::FxHashMap;

use crate::frame::{Frame, Support};
use crate::graph::{Gate, Lit, Word};

/// Least and greatest value.
pub type Interval = (i128, i128);

/// How a word is read, and its operands: which of them are two's complement, so that the word is their exact sum.
#[derive(Debug, Clone)]
struct Reading {
    interval: Interval,
    operands: Option<Vec<bool>>,
}

/// Intervals of words in a frame, each worked out once.
#[derive(Debug)]
pub struct Exact<'f, 'g> {
    frame: &'f Frame<'g>,
    known: FxHashMap<(u32, bool), Reading>,
}

/// Most operands of a sum whose readings are tried.
const OPERANDS: usize = 4;

impl<'f, 'g> Exact<'f, 'g> {
    /// Nothing known yet.
    pub fn new(frame: &'f Frame<'g>) -> Self {
        Self { frame, known: FxHashMap::default() }
    }

    /// How the operands of word `w`, read as two's complement if `signed`, are to be read so that it is exactly their sum
    /// or product; none if it may wrap.
    pub fn operands(&mut self, w: u32, signed: bool) -> Option<Vec<bool>> {
        self.reading(w, signed).operands
    }

    fn reading(&mut self, w: u32, signed: bool) -> Reading {
        if let Some(known) = self.known.get(&(w, signed)) {
            return known.clone();
        }
        let graph = self.frame.graph;
        let (word, _, width) = &graph.words[w as usize];
        let window = window(*width, signed);
        let mut reading = Reading { interval: window, operands: None };
        if let Word::Sum(terms) = word
            && terms.len() <= OPERANDS
        {
            for choice in 0..1u32 << terms.len() {
                let signs: Vec<bool> = (0..terms.len()).map(|t| choice >> t & 1 == 1).collect();
                let mut total = (0, 0);
                for ((bits, minus), signed) in terms.iter().zip(&signs) {
                    let (lo, hi) = self.interval(bits, *signed);
                    let (lo, hi) = if *minus { (-hi, -lo) } else { (lo, hi) };
                    total = (total.0 + lo, total.1 + hi);
                }
                let fits = window.0 <= total.0 && total.1 <= window.1;
                let tighter = total.1 - total.0 < reading.interval.1 - reading.interval.0;
                if fits && (reading.operands.is_none() || tighter) {
                    reading = Reading { interval: total, operands: Some(signs) };
                }
            }
        }
        self.known.insert((w, signed), reading.clone());
        reading
    }

    /// The interval of the number on `bits`.
    pub fn interval(&mut self, bits: &[Lit], signed: bool) -> Interval {
        let mut bits = bits;
        if signed {
            while let [.., a, b] = bits
                && a == b
            {
                bits = &bits[..bits.len() - 1];
            }
        }
        let signed = signed && bits.last().is_some_and(|top| *top != Lit::FALSE);
        while let [rest @ .., Lit::FALSE] = bits
            && !signed
        {
            bits = rest;
        }
        let Some(&top) = bits.last() else { return (0, 0) };
        let run = self.run(bits);
        let (low, high) = bits.split_at(bits.len() - run);
        let part = match (self.frame.support(top.node()), self.frame.graph.gate(top.node())) {
            _ if top.is_constant() => self.constant(high, signed),
            (Support::One(w), _) if self.frame.is_tabulated(w) => self.tabulated(w, high, signed),
            (Support::One(w), _)
                if self.frame.is_leaf(top.node()) && high.len() == self.frame.words[w as usize].bits.len() =>
            {
                let known = self.frame.words[w as usize];
                match known.is_signed() == signed {
                    true => (known.range.0.into(), known.range.1.into()),
                    false => window(high.len() as u32, signed),
                }
            }
            (_, Gate::Bit(w, _)) if high.len() > 1 => {
                let (lo, hi) = self.reading(w, signed).interval;
                let dropped = self.frame.graph.words[w as usize].2 as usize - high.len();
                (lo >> dropped, hi >> dropped)
            }
            _ => window(high.len() as u32, signed),
        };
        if low.is_empty() {
            return part;
        }
        let (lo, hi) = self.interval(low, false);
        ((part.0 << low.len()) + lo, (part.1 << low.len()) + hi)
    }

    /// How many of the top bits belong together: of one tabulated word, of one word of the frame, or of one sum up to its
    /// top.
    fn run(&self, bits: &[Lit]) -> usize {
        let top = bits[bits.len() - 1];
        let graph = self.frame.graph;
        let same = |ok: &dyn Fn(usize, Lit) -> bool| {
            (0..bits.len()).take_while(|&k| ok(k, bits[bits.len() - 1 - k])).count().max(1)
        };
        if top.is_constant() {
            return same(&|_, l| l.is_constant());
        }
        match self.frame.support(top.node()) {
            Support::One(w) if self.frame.is_tabulated(w) => {
                same(&|_, l| l.is_constant() || self.frame.support(l.node()) == Support::One(w))
            }
            Support::One(w) if self.frame.is_leaf(top.node()) => {
                let own = &self.frame.words[w as usize].bits;
                same(&|k, l| k < own.len() && own[own.len() - 1 - k] == l)
            }
            _ => match graph.gate(top.node()) {
                Gate::Bit(w, bit) if bit + 1 == graph.words[w as usize].2 && !top.is_complement() => same(&|k, l| {
                    k <= bit as usize && !l.is_complement() && graph.gate(l.node()) == Gate::Bit(w, bit - k as u32)
                }),
                _ => 1,
            },
        }
    }

    fn constant(&self, bits: &[Lit], signed: bool) -> Interval {
        let top = bits.len() - 1;
        let weight = |k: usize| if signed && k == top { -(1i128 << k) } else { 1 << k };
        let value = (0..bits.len()).filter(|&k| bits[k] == Lit::TRUE).map(weight).sum();
        (value, value)
    }

    fn tabulated(&self, w: u32, bits: &[Lit], signed: bool) -> Interval {
        let table = self.frame.table();
        if bits.len() > 62 {
            return window(bits.len() as u32, signed);
        }
        let values = (0..self.frame.situations(w)).map(|v| i128::from(table.value(bits, signed, v)));
        values.fold((i128::MAX, i128::MIN), |(lo, hi), v| (lo.min(v), hi.max(v)))
    }
}

/// All numbers of that many bits.
fn window(width: u32, signed: bool) -> Interval {
    match signed {
        true => (-(1 << (width - 1)), (1 << (width - 1)) - 1),
        false => (0, (1 << width) - 1),
    }
}
