//! Carry-propagate adders that are made of gates, as full adders in a row.
//!
//! A position of such an adder generates a carry where both of its bits are set, and passes one where just one is. Spans of
//! positions join: `g | p & g_low`, where `p` is all propagates of the high span. Whatever the order of joining, the carry
//! out of a span is that of a full adder for each of its positions, the carry into the lowest being what is left:
//! `maj(a, b, c) = a & b | (a ^ b) & c`.

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::graph::{Gate, Graph, Lit};

/// The two bits of each position of a span, the lowest first.
type Span = Rc<Vec<[Lit; 2]>>;

/// `graph` with full adders for its carries of gates, and what each of its nodes is there.
pub fn recognised(graph: &Graph) -> (Graph, Vec<Lit>) {
    let mut spans = Spans { graph, known: FxHashMap::default() };
    let mut made: Vec<Gate> = Vec::new();
    let (carried, to_carried) = graph.rebuilt(|new, map, n| {
        let (low, span) = spans.carry(Lit::of(n, true))?;
        let moved = |l: Lit| map[l.node()].xor(l.is_complement());
        let mut add = |carry: Lit, [a, b]: &[Lit; 2]| {
            let [_, carry] = new.adder([moved(*a), moved(*b), carry]);
            made.push(new.gate(carry.node()));
            carry
        };
        Some(!span.iter().fold(moved(low), &mut add))
    });
    // the parity of a full adder is `(a ^ b) ^ c`
    let nodes = |lits: &[Lit]| {
        let mut nodes: Vec<usize> = lits.iter().map(|l| l.node()).collect();
        nodes.sort_unstable();
        nodes
    };
    let is_adder = |gate: &Gate| match gate {
        Gate::Carry(k) => Some((nodes(&carried.adders[*k as usize]), *k as usize)),
        _ => None,
    };
    let adders: FxHashMap<Vec<usize>, usize> = made.iter().filter_map(is_adder).collect();
    if adders.is_empty() {
        return (carried, to_carried);
    }
    let (result, to_result) = carried.rebuilt(|new, map, n| {
        let Gate::Xor(x, y) = carried.gate(n) else { return None };
        let parity = |half: Lit, c: Lit| match carried.gate(half.node()) {
            Gate::Xor(a, b) => adders.get(&nodes(&[a, b, c])),
            _ => None,
        };
        let operands = carried.adders[*parity(x, y).or_else(|| parity(y, x))?];
        let complement = operands.iter().fold(false, |all, l| all ^ l.is_complement());
        let [parity, _] = new.adder(operands.map(|l| map[l.node()].xor(l.is_complement())));
        Some(parity.xor(complement))
    });
    let both = to_carried.into_iter().map(|l| to_result[l.node()].xor(l.is_complement())).collect();
    (result, both)
}

/// Most spans that one carry is taken for.
const READINGS: usize = 4;

/// The spans of a graph, each worked out once.
struct Spans<'g> {
    graph: &'g Graph,
    known: FxHashMap<Lit, Rc<Vec<Span>>>,
}

impl Spans<'_> {
    fn and(&self, l: Lit) -> Option<[Lit; 2]> {
        match self.graph.gate(l.node()) {
            Gate::And(a, b) if !l.is_complement() => Some([a, b]),
            _ => None,
        }
    }

    /// The spans whose carry `l` is where nothing is carried into them.
    fn generated(&mut self, l: Lit) -> Rc<Vec<Span>> {
        if let Some(known) = self.known.get(&l) {
            return known.clone();
        }
        let mut spans: Vec<Span> = Vec::new();
        match self.and(l) {
            Some([a, b]) => {
                spans.extend(self.graph.known_xor(a, b).map(|_| Rc::new(vec![[a, b]])));
                // a position of one bit generates nothing, and passes what the span below it does
                for (bit, low) in [(a, b), (b, a)] {
                    let low = self.generated(low);
                    spans.extend(low.iter().map(|low| Rc::new([&low[..], &[[bit, Lit::FALSE]]].concat())));
                }
            }
            None => {
                if let Some((high, low)) = self.joined(l) {
                    let low = self.generated(low);
                    spans.extend(low.iter().map(|low| Rc::new([&low[..], &high[..]].concat())));
                }
            }
        }
        spans.truncate(READINGS);
        let spans = Rc::new(spans);
        self.known.insert(l, spans.clone());
        spans
    }

    /// A span, and what is carried into it where `l` is the carry out of it.
    fn joined(&mut self, l: Lit) -> Option<(Span, Lit)> {
        let [x, y] = self.and(!l)?.map(|l| !l);
        for (generate, passed) in [(x, y), (y, x)] {
            let Some([u, v]) = self.and(passed) else { continue };
            // a position that has a bit and a one generates what the bit is
            let one = Rc::new(vec![[generate, Lit::TRUE]]);
            let spans = self.generated(generate);
            for span in spans.iter().chain([&one]) {
                for (propagate, low) in [(u, v), (v, u)] {
                    if self.propagates(propagate, span) {
                        return Some((span.clone(), low));
                    }
                }
            }
        }
        None
    }

    /// Whether `l` is all propagates of a span.
    fn propagates(&self, l: Lit, span: &Span) -> bool {
        let wanted: Option<FxHashSet<Lit>> = span.iter().map(|[a, b]| self.graph.known_xor(*a, *b)).collect();
        let Some(mut wanted) = wanted else { return false };
        let all = wanted.clone();
        let mut open = vec![l];
        while let Some(l) = open.pop() {
            if all.contains(&l) {
                wanted.remove(&l);
                continue;
            }
            match self.and(l) {
                Some(both) => open.extend(both),
                None => return false,
            }
        }
        wanted.is_empty()
    }

    /// The carry into the lowest position, and the positions, if `l` is the carry out of some.
    fn carry(&mut self, l: Lit) -> Option<(Lit, Vec<[Lit; 2]>)> {
        let (high, low) = self.joined(l)?;
        let (base, mut span) = self.carry(low).unwrap_or((low, Vec::new()));
        span.extend(high.iter());
        Some((base, span))
    }
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::*;
    use crate::lanes::Lanes;

    /// Sum bits of two words by joins in random order; if `strange`, with constant bits and wrong gates now and then.
    fn adder(graph: &mut Graph, random: &mut Rng, bits: usize, strange: bool) -> Vec<Lit> {
        let pair = |k: usize| match (k, random.u8(..8)) {
            (2.., 0) if strange => [graph.leaf(), Lit::FALSE],
            (2.., 1) if strange => [graph.leaf(), Lit::TRUE],
            _ => [graph.leaf(), graph.leaf().xor(random.bool())],
        };
        let pairs: Vec<[Lit; 2]> = (0..bits).map(pair).collect();
        let mut spans: Vec<Vec<Option<[Lit; 2]>>> = vec![vec![None; bits]; bits];
        for (k, [a, b]) in pairs.iter().enumerate() {
            spans[k][k] = Some([graph.and(*a, *b), graph.xor(*a, *b)]);
        }
        for length in 1..bits {
            for low in 0..bits - length {
                let (high, middle) = (low + length, random.usize(low..low + length));
                let ([g, p], [g_low, p_low]) = (spans[middle + 1][high].unwrap(), spans[low][middle].unwrap());
                let own = if strange && random.u8(..12) == 0 { p_low } else { p };
                let passed = graph.and(own, g_low);
                let all = if strange && random.u8(..12) == 0 { p } else { graph.and(p, p_low) };
                spans[low][high] = Some([graph.or(g, passed), all]);
            }
        }
        let sum = |k: usize, graph: &mut Graph| match k {
            0 => spans[0][0].unwrap()[1],
            _ => graph.xor(spans[k][k].unwrap()[1], spans[0][k - 1].unwrap()[0]),
        };
        (0..bits).map(|k| sum(k, graph)).collect()
    }

    fn rows(graph: &Graph, leaves: &[Lit], bits: &[Lit]) -> Vec<Vec<u64>> {
        let mut lanes = Lanes::new(graph.len(), 16);
        let mut random = Rng::with_seed(3);
        for leaf in leaves {
            lanes.set(leaf.node(), &(0..16).map(|_| random.u64(..)).collect::<Vec<_>>());
        }
        lanes.evaluate_all(graph, |_| false);
        bits.iter().map(|l| (0..16).map(|k| lanes.word(*l, k)).collect()).collect()
    }

    fn check(seed: u64, strange: bool) -> usize {
        let mut random = Rng::with_seed(seed);
        let mut graph = Graph::new();
        let bits = adder(&mut graph, &mut random, 6, strange);
        let (new, map) = recognised(&graph);
        let leaves: Vec<Lit> =
            (0..graph.len()).filter(|n| matches!(graph.gate(*n), Gate::Leaf)).map(|n| Lit::of(n, false)).collect();
        let moved = |lits: &[Lit]| lits.iter().map(|l| map[l.node()].xor(l.is_complement())).collect::<Vec<_>>();
        let (old, got) = (rows(&graph, &leaves, &bits), rows(&new, &moved(&leaves), &moved(&bits)));
        assert_eq!(old, got, "seed {seed}");
        let is_parity = |l: &Lit| matches!(new.gate(l.node()), Gate::Parity(_));
        moved(&bits).iter().filter(|l| is_parity(l)).count()
    }

    #[test]
    fn adders_of_any_shape_become_full_adders() {
        (0..50).for_each(|seed| assert_eq!(check(seed, false), 5, "seed {seed}"));
    }

    #[test]
    fn what_is_no_adder_stays_what_it_is() {
        let found: usize = (0..200).map(|seed| check(seed, true)).sum();
        assert!(found < 200 * 5, "some are no adders");
    }
}
