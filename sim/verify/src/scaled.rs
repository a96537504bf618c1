//! Numbers scaled by the leading one of a sum: one proof for each place of that one, bits below it unknown.

use rustc_hash::FxHashMap;

use crate::cone::Cone;
use crate::frame::Known;
use crate::graph::{Gate, Graph, Lit, Word};
use crate::spec::Source;

/// What is known of a bit: a value, a bit of an operand or its complement, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Symbol {
    Is(bool),
    Bit(Source, bool),
    Any,
}

impl Symbol {
    fn not(self) -> Self {
        match self {
            Self::Is(bit) => Self::Is(!bit),
            Self::Bit(source, complement) => Self::Bit(source, !complement),
            Self::Any => Self::Any,
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Is(false), _) | (_, Self::Is(false)) => Self::Is(false),
            (Self::Is(true), x) | (x, Self::Is(true)) => x,
            (a, b) if a == b => a,
            (a @ Self::Bit(..), b) if a == b.not() => Self::Is(false),
            _ => Self::Any,
        }
    }

    fn or(self, other: Self) -> Self {
        self.not().and(other.not()).not()
    }

    fn xor(self, other: Self) -> Self {
        match (self, other) {
            (Self::Is(a), b) | (b, Self::Is(a)) => {
                if a {
                    b.not()
                } else {
                    b
                }
            }
            (Self::Bit(a, x), Self::Bit(b, y)) if a == b => Self::Is(x != y),
            _ => Self::Any,
        }
    }
}

/// Of the candidates for each bit of a number `x`, or of nothing, scaled by `sum`, those that are it in every case.
///
/// # Errors
/// A bit for which no candidate is found to be what it should be.
pub fn check(
    graph: &Graph,
    x: Option<&Known>,
    sum: &Known,
    cases: &[Vec<Source>],
    candidates: &[Vec<Lit>],
) -> Result<Vec<Vec<Lit>>, String> {
    let operand = x.iter().flat_map(|x| x.bits.iter().enumerate()).map(|(k, l)| (*l, Source::Operand(k as u32)));
    let leaves: Vec<(Lit, Source)> =
        sum.bits.iter().enumerate().map(|(k, l)| (*l, Source::Sum(k as u32))).chain(operand).collect();
    let mut cone = Cone::above(leaves.iter().map(|(l, _)| l.node()), []);
    let mut right: Vec<Vec<Lit>> =
        candidates.iter().map(|bit| bit.iter().copied().filter(|l| cone.reach(graph, l.node())).collect()).collect();
    if let Some(k) = right.iter().position(Vec::is_empty) {
        return Err(format!("bit {k} depends on more than its operands"));
    }
    cone.sort();
    let highest = 64 - sum.range.1.leading_zeros() as usize;
    for case in 0..=highest {
        // the leading one is bit `case - 1`; no part of the sum has a bit above it
        let known = |source: Source| match source {
            Source::Sum(k) if k as usize + 1 == case => Symbol::Is(true),
            Source::Sum(k) | Source::Operand(k) if k as usize >= case => Symbol::Is(false),
            Source::Operand(k) if k as usize >= x.map_or(0, |x| x.bits.len()) => Symbol::Is(false),
            Source::Known(bit) => Symbol::Is(bit),
            other => Symbol::Bit(other, false),
        };
        let mut values: FxHashMap<usize, Symbol> = FxHashMap::default();
        values.insert(0, Symbol::Is(false));
        for (l, source) in &leaves {
            let value = known(*source);
            values.insert(l.node(), if l.is_complement() { value.not() } else { value });
        }
        for &n in &cone.nodes {
            if !values.contains_key(&n) {
                evaluate(graph, n, &mut values);
            }
        }
        for (k, right) in right.iter_mut().enumerate() {
            let wanted = cases.get(case).and_then(|bits| bits.get(k)).map_or(Symbol::Is(false), |s| known(*s));
            right.retain(|l| read(&values, *l) == wanted);
            if right.is_empty() {
                return Err(format!("bit {k} is not what it should be where the sum has {case} bits"));
            }
        }
    }
    Ok(right)
}

fn read(values: &FxHashMap<usize, Symbol>, l: Lit) -> Symbol {
    let value = values.get(&l.node()).copied().unwrap_or(Symbol::Any);
    if l.is_complement() { value.not() } else { value }
}

fn evaluate(graph: &Graph, n: usize, values: &mut FxHashMap<usize, Symbol>) {
    let majority = |a: Symbol, b: Symbol, c: Symbol| a.and(b).or(c.and(a.or(b)));
    let value = match graph.gate(n) {
        Gate::Zero => Symbol::Is(false),
        Gate::Leaf => Symbol::Any,
        Gate::And(a, b) => read(values, a).and(read(values, b)),
        Gate::Xor(a, b) => read(values, a).xor(read(values, b)),
        Gate::Parity(k) => {
            let [a, b, c] = graph.adders[k as usize].map(|l| read(values, l));
            a.xor(b).xor(c)
        }
        Gate::Carry(k) => {
            let [a, b, c] = graph.adders[k as usize].map(|l| read(values, l));
            majority(a, b, c)
        }
        Gate::Bit(w, _) => {
            let (word, first, width) = &graph.words[w as usize];
            let mut total = vec![Symbol::Is(false); *width as usize];
            let Word::Sum(terms) = word else { return };
            for (bits, minus) in terms {
                let mut carry = Symbol::Is(*minus);
                for (slot, l) in total.iter_mut().zip(bits) {
                    let (a, b) = (*slot, read(values, l.xor(*minus)));
                    *slot = a.xor(b).xor(carry);
                    carry = majority(a, b, carry);
                }
            }
            for (k, value) in total.into_iter().enumerate() {
                values.entry(first + k).or_insert(value);
            }
            return;
        }
    };
    values.insert(n, value);
}
