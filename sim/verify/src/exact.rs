//! Which words hold their sum exactly: intervals that show that nothing wraps.
//!
//! An interval of a sum is that of its operands' intervals, as if they had nothing to do with each other. Where that is too
//! wide, the sum is bounded as a [form](Form) of the bits that it comes from.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use crate::frame::{Frame, Support};
use crate::graph::{Gate, Lit, Word};
use crate::joint::Form;

/// Least and greatest value.
pub type Interval = (i128, i128);

/// Why a word is an exact sum.
#[derive(Debug, Clone)]
pub enum Exactness {
    /// It is the sum of its operands, of which these are read as two's complement.
    Operands(Vec<bool>),
    /// It is this, whatever its operands wrap to.
    Form(Rc<Form>),
}

#[derive(Debug, Clone)]
struct Reading {
    interval: Interval,
    exact: Option<Exactness>,
}

/// Intervals of words in a frame, each worked out once.
#[derive(Debug)]
pub struct Exact<'f, 'g> {
    frame: &'f Frame<'g>,
    known: FxHashMap<(u32, bool), Reading>,
    forms: FxHashMap<(u32, bool), Option<Rc<Form>>>,
    ideals: FxHashMap<(u32, bool), Option<Rc<Form>>>,
}

/// Most operands of a sum whose readings are tried.
const OPERANDS: usize = 4;
/// Bits of the widest sum that is bounded as a form.
const WIDTH: u32 = 40;

impl<'f, 'g> Exact<'f, 'g> {
    /// Nothing known yet.
    pub fn new(frame: &'f Frame<'g>) -> Self {
        Self { frame, known: FxHashMap::default(), forms: FxHashMap::default(), ideals: FxHashMap::default() }
    }

    /// Why word `w`, read as two's complement if `signed`, is exactly a sum; none if it may wrap.
    pub fn sum_of(&mut self, w: u32, signed: bool) -> Option<Exactness> {
        self.reading(w, signed).exact
    }

    fn reading(&mut self, w: u32, signed: bool) -> Reading {
        if let Some(known) = self.known.get(&(w, signed)) {
            return known.clone();
        }
        let graph = self.frame.graph;
        let (word, _, width) = &graph.words[w as usize];
        let window = window(*width, signed);
        let mut reading = Reading { interval: window, exact: None };
        if let Word::Sum(terms) = word
            && terms.len() <= OPERANDS
        {
            if let Some((interval, signs, ())) =
                self.fitting(terms, window, |exact, signs| (exact.total(terms, signs), ()))
            {
                reading = Reading { interval, exact: Some(Exactness::Operands(signs)) };
            } else if *width <= WIDTH {
                let form = |exact: &mut Self, signs: &[bool]| {
                    let form = exact.sum(terms, signs);
                    (form.range(exact.frame), form)
                };
                if let Some((interval, _, form)) = self.fitting(terms, window, form) {
                    reading = Reading { interval, exact: Some(Exactness::Form(Rc::new(form))) };
                }
            }
        }
        self.known.insert((w, signed), reading.clone());
        reading
    }

    /// The way to read the operands of a sum for which its interval is the least that fits into `window`.
    fn fitting<T>(
        &mut self,
        terms: &[(Vec<Lit>, bool)],
        window: Interval,
        mut interval: impl FnMut(&mut Self, &[bool]) -> (Interval, T),
    ) -> Option<(Interval, Vec<bool>, T)> {
        let mut best: Option<(Interval, Vec<bool>, T)> = None;
        for choice in 0..1u32 << terms.len() {
            let signs: Vec<bool> = (0..terms.len()).map(|t| choice >> t & 1 == 1).collect();
            // what ends in a zero has no sign
            if terms.iter().zip(&signs).any(|((bits, _), signed)| *signed && bits.last() == Some(&Lit::FALSE)) {
                continue;
            }
            let (total, what) = interval(self, &signs);
            let fits = window.0 <= total.0 && total.1 <= window.1;
            if fits && best.as_ref().is_none_or(|(best, ..)| total.1 - total.0 < best.1 - best.0) {
                best = Some((total, signs, what));
            }
        }
        best
    }

    fn total(&mut self, terms: &[(Vec<Lit>, bool)], signs: &[bool]) -> Interval {
        terms.iter().zip(signs).fold((0, 0), |total, ((bits, minus), signed)| {
            let (lo, hi) = self.interval(bits, *signed);
            let (lo, hi) = if *minus { (-hi, -lo) } else { (lo, hi) };
            (total.0 + lo, total.1 + hi)
        })
    }

    fn sum(&mut self, terms: &[(Vec<Lit>, bool)], signs: &[bool]) -> Form {
        let mut sum = Form::default();
        for ((bits, minus), signed) in terms.iter().zip(signs) {
            sum.add(&self.vector(bits, *signed), 0, *minus);
        }
        sum
    }

    /// The exact sum that word `w` holds, if it holds one.
    fn form(&mut self, w: u32, signed: bool) -> Option<Rc<Form>> {
        if let Some(known) = self.forms.get(&(w, signed)) {
            return known.clone();
        }
        let form = match (&self.frame.graph.words[w as usize].0, self.reading(w, signed).exact) {
            (Word::Sum(terms), Some(Exactness::Operands(signs))) => Some(Rc::new(self.sum(terms, &signs))),
            (_, Some(Exactness::Form(form))) => Some(form),
            _ => None,
        };
        self.forms.insert((w, signed), form.clone());
        form
    }

    /// A sum that is word `w` modulo two to the power of its width, whether it wraps or not.
    fn ideal(&mut self, w: u32, signed: bool) -> Option<Rc<Form>> {
        if let Some(known) = self.ideals.get(&(w, signed)) {
            return known.clone();
        }
        let exact = self.form(w, signed).or_else(|| self.form(w, !signed));
        let form = match (&self.frame.graph.words[w as usize].0, exact) {
            (_, Some(form)) => Some(form),
            (Word::Sum(terms), None) => {
                let signs: Vec<bool> = terms.iter().map(|(bits, _)| bits.last() != Some(&Lit::FALSE)).collect();
                Some(Rc::new(self.sum(terms, &signs)))
            }
            (Word::Product(..), None) => None,
        };
        self.ideals.insert((w, signed), form.clone());
        form
    }

    /// A form that is the number on `bits` modulo two to the power of their count: of the bits themselves, or of what the
    /// words that they belong to are sums of. Only where bits above a word repeat its sign, or are zero, must it be exact.
    fn vector(&mut self, bits: &[Lit], signed: bool) -> Form {
        let count = bits.len();
        let bits = self.plain(bits);
        let (bits, mut signed) = bare(&bits, signed);
        let graph = self.frame.graph;
        let mut form = Form::default();
        let mut rest = bits;
        while let Some(top) = rest.last() {
            // what goes on above these bits does not matter where nothing stands above them here
            let is_modular = rest.len() == count;
            let (low, run) = rest.split_at(rest.len() - self.run(rest, is_modular));
            let inner = match (self.frame.support(top.node()), graph.gate(top.node())) {
                (Support::One(w), _) if self.frame.is_tabulated(w) => None,
                (_, Gate::Bit(w, _)) if run.len() > 1 && !self.frame.is_leaf(top.node()) => {
                    let form = if is_modular { self.ideal(w, signed) } else { self.form(w, signed) };
                    form.map(|form| (w, form))
                }
                _ => None,
            };
            match inner {
                Some((w, inner)) if inner.fits(low.len() as u32 + graph.words[w as usize].2) => {
                    let first = graph.words[w as usize].1;
                    let dropped: Vec<Lit> = (first..run[0].node()).map(|n| Lit::of(n, false)).collect();
                    form.add(&inner.floored(&self.plain(&dropped)), low.len() as u32, false);
                }
                _ => {
                    let weight = |k: usize| if signed && k + 1 == rest.len() { -(1i128 << k) } else { 1 << k };
                    form.add_bits((low.len()..rest.len()).map(|k| (rest[k], weight(k))));
                }
            }
            signed = false;
            rest = low;
        }
        form
    }

    /// The interval of the number on `bits`.
    pub fn interval(&mut self, bits: &[Lit], signed: bool) -> Interval {
        let bits = self.plain(bits);
        let (bits, signed) = bare(&bits, signed);
        let Some(&top) = bits.last() else { return (0, 0) };
        let run = self.run(bits, false);
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

    /// What is known never to turn as a constant.
    fn plain(&self, bits: &[Lit]) -> Vec<Lit> {
        let value = |l: &Lit| match self.frame.support(l.node()) {
            Support::Constant => Lit::FALSE.xor(self.frame.table().bit(*l, 0)),
            _ => *l,
        };
        bits.iter().map(value).collect()
    }

    /// How many of the top bits belong together: of one tabulated word, of one word of the frame, or of one sum, up to its
    /// top unless only what they are modulo two to the power of their count is asked for.
    fn run(&self, bits: &[Lit], is_modular: bool) -> usize {
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
                Gate::Bit(w, bit) if (is_modular || bit + 1 == graph.words[w as usize].2) && !top.is_complement() => {
                    same(&|k, l| {
                        k <= bit as usize && !l.is_complement() && graph.gate(l.node()) == Gate::Bit(w, bit - k as u32)
                    })
                }
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

/// Without copies of the sign, or zeros on top.
fn bare(mut bits: &[Lit], signed: bool) -> (&[Lit], bool) {
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
    (bits, signed)
}

/// All numbers of that many bits.
fn window(width: u32, signed: bool) -> Interval {
    match signed {
        true => (-(1 << (width - 1)), (1 << (width - 1)) - 1),
        false => (0, (1 << width) - 1),
    }
}
