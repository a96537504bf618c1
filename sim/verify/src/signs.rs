//! Numbers whose last carry is left out: the bits that a carry-save tree gives below a sign, and what number they are.

use rustc_hash::FxHashSet;

use crate::frame::{Frame, Support};
use crate::graph::{Gate, Graph, Lit};
use crate::linear::{Form, Pairs, key};

/// Most bits of such a number.
pub const BITS: usize = 62;

/// The bits of the number that `top` is the highest bit of, as far as carries lead down, the lowest first. That is a guess.
pub fn number(frame: &Frame<'_>, pairs: &Pairs, top: usize) -> Vec<Lit> {
    let mut bits = vec![Lit::of(top, false)];
    while bits.len() < BITS
        && let Some(below) = below(frame, pairs, bits[bits.len() - 1])
    {
        bits.push(below);
    }
    bits.reverse();
    bits
}

/// The bit below `bit`: the parity, last in its column, of an adder whose carry is added where `bit` is.
fn below(frame: &Frame<'_>, pairs: &Pairs, bit: Lit) -> Option<Lit> {
    let graph = frame.graph;
    let mut seen = FxHashSet::default();
    let mut best: Option<Lit> = None;
    let mut open = vec![bit];
    while let Some(l) = open.pop() {
        let n = l.node();
        let is_source = frame.is_leaf(n) || matches!(frame.support(n), Support::Constant | Support::Foreign);
        if is_source || !seen.insert(n) {
            continue;
        }
        let parity = match graph.gate(n) {
            Gate::Parity(k) => {
                open.extend(graph.adders[k as usize].map(|operand| operand.xor(l.is_complement())));
                continue;
            }
            Gate::Xor(a, b) => {
                open.extend(halves(graph, pairs, a, b).map(|operand| operand.xor(l.is_complement())));
                continue;
            }
            // its parity stands before it
            Gate::Carry(_) => Some(Lit::of(n - 1, l.is_complement())),
            Gate::And(a, b) => graph.known_xor(a, b).map(|parity| parity.xor(l.is_complement())),
            _ => None,
        };
        let level = |l: Lit| (graph.level(l.node()), l);
        if let Some(parity) = parity.filter(|parity| best.is_none_or(|best| level(*parity) > level(best))) {
            best = Some(parity);
        }
    }
    best
}

/// The operands of a half adder with parity `a ^ b`: as its carry has them, if it has one.
fn halves(graph: &Graph, pairs: &Pairs, a: Lit, b: Lit) -> [Lit; 2] {
    let carry = pairs.get(&key(a, b)).into_iter().flatten().find_map(|n| match graph.gate(*n) {
        Gate::And(a, b) => Some([a, b]),
        _ => None,
    });
    let Some([a, b]) = carry else { return [a, b] };
    let complement = a.is_complement() ^ b.is_complement();
    [a.xor(complement), b.xor(complement)]
}

/// `form`, which is a number of so many bits modulo two to the power of them, as that number itself, two's complement if
/// `signed`: of all sums that are the same modulo this power the one that is in the range of such numbers, if what its
/// operands add cannot leave it.
pub fn exact(frame: &Frame<'_>, form: &Form, bits: usize, signed: bool) -> Option<Form> {
    let modulus = 1i128 << bits;
    let residue = |v: u64| i128::from(v) & (modulus - 1);
    let near = |v: u64| if residue(v) >= modulus / 2 { residue(v) - modulus } else { residue(v) };
    let mut exact = Form::default();
    // of the sum without its constant: the least that it adds, that as factors of bits have it, and what more it can be
    let (mut least, mut of_factors, mut span) = (residue(form.constant), 0i128, 0i128);
    for (&w, table) in &form.tables {
        let mut values: Vec<i128> = frame.possible(w).map(|v| residue(table[v])).collect();
        values.sort_unstable();
        values.dedup();
        let Some(&last) = values.last() else { continue };
        // all values lie behind the widest gap between neighbours on the circle
        let before = |k: usize| if k == 0 { last - modulus } else { values[k - 1] };
        let k = (0..values.len()).max_by_key(|k| values[*k] - before(*k))?;
        let first = values[k];
        least += first;
        span += before(k) + modulus - first;
        exact.tables.insert(w, table.iter().map(|v| ((residue(*v) - first) & (modulus - 1)) as u64).collect());
    }
    for (&w, factors) in &form.factors {
        let word = frame.words[w as usize];
        let top = factors.len() - 1;
        let unit = near(factors[0]);
        let weight = |k: usize| if word.is_signed() && k == top { -(unit << k) } else { unit << k };
        let is_whole = unit.abs() < 1 << 32 && (0..=top).all(|k| residue(factors[k]) == weight(k) & (modulus - 1));
        let weights: Vec<i128> = (0..=top).map(|k| if is_whole { weight(k) } else { near(factors[k]) }).collect();
        let (lo, hi) = match is_whole {
            true => {
                let ends = [word.range.0, word.range.1].map(|v| unit * i128::from(v));
                (ends[0].min(ends[1]), ends[0].max(ends[1]))
            }
            false => (weights.iter().map(|f| *f.min(&0)).sum(), weights.iter().map(|f| *f.max(&0)).sum()),
        };
        least += lo;
        of_factors += lo;
        span += hi - lo;
        exact.factors.insert(w, weights.into_iter().map(|f| f as u64).collect());
    }
    let window = if signed { -(modulus / 2) } else { 0 };
    let placed = ((least - window) & (modulus - 1)) + window;
    exact.constant = (placed - of_factors) as u64;
    (placed + span < window + modulus).then_some(exact)
}
