//! Inputs that make nodes what they never were in many random situations: where a change hides that waits for one input.

use rustc_hash::FxHashMap;

use crate::flatten::Flat;
use crate::graph::{Gate, Graph, Lit};
use crate::lanes::Lanes;
use crate::spec::Spec;

/// Most nodes for which inputs are looked for.
const NODES: usize = 256;

/// Events, each of which turns a node that was always the same in `lanes`; those nearest to the outputs first.
pub fn events(flat: &Flat, spec: &Spec, lanes: &Lanes) -> Vec<Vec<i64>> {
    let graph = &flat.graph;
    let constant = |n: &usize| {
        let row = lanes.row(*n);
        row.iter().all(|word| *word == 0) || row.iter().all(|word| *word == u64::MAX)
    };
    let is_gate = |n: &usize| matches!(graph.gate(*n), Gate::And(..) | Gate::Xor(..));
    let mut still: Vec<usize> = (1..graph.len()).filter(|n| is_gate(n) && constant(n)).collect();
    still.sort_by_key(|n| std::cmp::Reverse(graph.level(*n)));
    let wanted = still.iter().take(NODES).map(|n| (Lit::of(*n, false), lanes.row(*n)[0] == 0));
    let found = wanted.filter_map(|(l, value)| justify(graph, lanes, l, value));
    found.map(|bits| event(flat, spec, &bits)).collect()
}

/// Leaves that make `l` this value; choices are not taken back.
fn justify(graph: &Graph, lanes: &Lanes, l: Lit, value: bool) -> Option<FxHashMap<usize, bool>> {
    let mut values: FxHashMap<usize, bool> = FxHashMap::default();
    let mut leaves = FxHashMap::default();
    let mut open = vec![(l, value)];
    while let Some((l, value)) = open.pop() {
        let value = value ^ l.is_complement();
        if l.node() == 0 {
            if value {
                return None;
            }
            continue;
        }
        match values.insert(l.node(), value) {
            Some(known) if known != value => return None,
            Some(_) => continue,
            None => {}
        }
        let known = |l: Lit| values.get(&l.node()).map(|v| v ^ l.is_complement());
        match graph.gate(l.node()) {
            Gate::Leaf => {
                leaves.insert(l.node(), value);
            }
            Gate::And(a, b) if value => open.extend([(a, true), (b, true)]),
            Gate::And(a, b) => {
                let zero_somewhere = |l: Lit| (0..lanes.words()).any(|k| lanes.word(l, k) != u64::MAX);
                match (known(a), known(b)) {
                    (Some(false), _) | (_, Some(false)) => {}
                    (Some(true), _) => open.push((b, false)),
                    _ if zero_somewhere(a) => open.push((a, false)),
                    _ => open.push((b, false)),
                }
            }
            Gate::Xor(a, b) => match (known(a), known(b)) {
                (Some(a), _) => open.push((b, a ^ value)),
                (_, Some(b)) => open.push((a, b ^ value)),
                _ => {
                    let first = lanes.bit(a, 0);
                    open.extend([(a, first), (b, first ^ value)]);
                }
            },
            _ => return None,
        }
    }
    Some(leaves)
}

/// The event with these input bits; others are 0, and numbers are forced into their ranges.
fn event(flat: &Flat, spec: &Spec, bits: &FxHashMap<usize, bool>) -> Vec<i64> {
    let mut event = Vec::new();
    for port in &spec.inputs {
        let Some(found) = flat.inputs.iter().find(|p| p.name == port.name) else { continue };
        for element in &port.elements {
            let (lo, hi) = spec.numbers[element.number].range;
            let places = &found.bits[element.low as usize..(element.low + element.width) as usize];
            let top = places.len().saturating_sub(1);
            let weight = |k: usize| if lo < 0 && k == top { -(1i64 << k) } else { 1 << k };
            let is_set = |k: &usize| bits.get(&places[*k].lit.node()).copied().unwrap_or(false);
            let value: i64 = (0..places.len()).filter(is_set).map(weight).sum();
            event.push(value.clamp(lo, hi));
        }
    }
    event
}
