//! From sums of cells to the data-flow graph of a module: full adders as cells, the rest as gates.

use hdl::dfg::{ModuleBuilder, Value};

use crate::arith::cells::compress::{CarrySave, Wire};
use crate::arith::cells::prefix::Prefix;
use crate::arith::cells::sums::CellSums;
use crate::arith::cost::width;
use crate::arith::graph::Op;

/// The outputs of `sums` on `inputs`, as integers; simulators add words instead.
pub fn build<'m>(m: &'m ModuleBuilder, inputs: &[Value<'m>], sums: &CellSums) -> Vec<Value<'m>> {
    let mut nodes: Vec<Vec<Value<'m>>> = Vec::with_capacity(sums.graph.nodes.len());
    for (node, sum) in sums.graph.nodes.iter().zip(&sums.sums) {
        let bits = match (sum, node.op) {
            (Some(tree), _) => tree_bits(m, tree, &nodes),
            (None, Op::Input { index }) => {
                let bits = width(node.lo, node.hi);
                (0..bits).map(|k| inputs[index as usize].bit(k)).collect()
            }
            (None, _) => Vec::new(),
        };
        nodes.push(bits);
    }
    let words = words(m, inputs, sums);
    let outputs = sums.outputs.iter().zip(words);
    outputs.map(|(tree, words)| m.same(word(m, &tree_bits(m, tree, &nodes), tree.lo < 0), words)).collect()
}

/// The outputs of `sums` on `inputs` by adding words.
fn words<'m>(m: &'m ModuleBuilder, inputs: &[Value<'m>], sums: &CellSums) -> Vec<Value<'m>> {
    let mut values: Vec<Value<'m>> = Vec::with_capacity(sums.graph.nodes.len());
    for (node, sum) in sums.graph.nodes.iter().zip(&sums.sums) {
        let value = match (sum, node.op) {
            (Some(tree), _) => added(m, tree, &values),
            (None, Op::Input { index }) => inputs[index as usize].with_frac(0),
            (None, _) => m.constant(0, 0),
        };
        values.push(value);
    }
    sums.outputs.iter().map(|tree| added(m, tree, &values)).collect()
}

/// What a tree sums, as one word of as many bits as the tree gives.
fn added<'m>(m: &'m ModuleBuilder, tree: &CarrySave, values: &[Value<'m>]) -> Value<'m> {
    let total = |negative: bool| {
        let terms = tree.summands.iter().map(|s| s.term).filter(|t| t.neg == negative);
        let terms = terms.map(|t| (values[t.node as usize] << u32::from(t.shift)).extended(0));
        Value::sum(&terms.collect::<Vec<_>>())
    };
    let sum = match (total(false), total(true)) {
        (Some(plus), Some(minus)) => plus - minus,
        (Some(plus), None) => plus,
        (None, Some(minus)) => -minus,
        (None, None) => m.constant(0, 0),
    };
    (sum + m.constant(tree.bias.into(), 0)).wrap(width(tree.lo, tree.hi), tree.lo < 0)
}

/// The bits of a tree's result, given the bits of the nodes that it sums.
fn tree_bits<'m>(m: &'m ModuleBuilder, tree: &CarrySave, nodes: &[Vec<Value<'m>>]) -> Vec<Value<'m>> {
    let source = |term: u32, bit: u8| nodes[tree.summands[term as usize].term.node as usize][usize::from(bit)];
    bits(m, tree, source)
}

/// The bits of a tree's result; `source` gives the bits of its summands.
pub fn bits<'m>(m: &'m ModuleBuilder, tree: &CarrySave, source: impl Fn(u32, u8) -> Value<'m>) -> Vec<Value<'m>> {
    let (zero, one) = (m.constant(0, 0), m.constant(1, 0));
    let carries_used = tree.carries_used();
    let mut wires: Vec<Value<'m>> = Vec::with_capacity(tree.wires.len());
    let mut cells: Vec<Option<[Value<'m>; 2]>> = vec![None; tree.cells.len()];
    for wire in &tree.wires {
        let mut cell = |index: u32| {
            let index = index as usize;
            *cells[index].get_or_insert_with(|| {
                let inputs = tree.cells[index].0;
                let constants = inputs.map(|w| tree.wires[w as usize]);
                adder(m, inputs.map(|w| wires[w as usize]), constants, carries_used[index])
            })
        };
        let value = match *wire {
            Wire::Zero => zero,
            Wire::One => one,
            Wire::Source { term, bit, inverted: false } => source(term, bit),
            Wire::Source { term, bit, inverted: true } => source(term, bit) ^ one,
            Wire::Sum(index) => cell(index)[0],
            Wire::Carry(index) => cell(index)[1],
        };
        wires.push(value);
    }
    let row = |k: usize, row: usize| tree.rows[k][row].map_or(zero, |w| wires[w as usize]);
    let from = tree.rows.len() - tree.adder.as_ref().map_or(0, |network| network.bits);
    let mut result: Vec<Value<'m>> = (0..from).map(|k| row(k, 0)).collect();
    if let Some(network) = &tree.adder {
        let pairs: Vec<_> = (from..tree.rows.len()).map(|k| (row(k, 0), row(k, 1))).collect();
        result.extend(prefix_sum(network, &pairs));
    }
    result
}

/// Sum and carry of one cell. Constants make gates of it, and so does a carry that nothing reads.
fn adder<'m>(m: &'m ModuleBuilder, inputs: [Value<'m>; 3], wires: [Wire; 3], carry_used: bool) -> [Value<'m>; 2] {
    let ones = wires.iter().filter(|w| **w == Wire::One).count();
    let constant = |w: &Wire| matches!(w, Wire::Zero | Wire::One);
    let variables: Vec<Value<'m>> =
        inputs.into_iter().zip(&wires).filter(|(_, w)| !constant(w)).map(|(value, _)| value).collect();
    match (variables.as_slice(), ones) {
        (&[a, b, c], _) if carry_used => {
            let both = m.full_adder(a, b, c);
            [both.bit(0), both.bit(1)]
        }
        (&[a, b, c], _) => [a ^ b ^ c, m.constant(0, 0)],
        (&[a, b], 0) => [a ^ b, a & b],
        (&[a, b], _) => [a ^ b ^ m.constant(1, 0), a | b],
        (&[a], 1) => [a ^ m.constant(1, 0), a],
        (&[a], ones) => [a, m.constant(i128::from(ones == 2), 0)],
        (_, ones) => [ones & 1, ones >> 1].map(|bit| m.constant(bit as i128, 0)),
    }
}

/// The sum bits of pairs of wires, with the carries that the network gives.
fn prefix_sum<'m>(network: &Prefix, pairs: &[(Value<'m>, Value<'m>)]) -> Vec<Value<'m>> {
    let mut spans: Vec<[Value<'m>; 2]> = pairs.iter().map(|&(a, b)| [a & b, a ^ b]).collect();
    for &(high, low) in &network.joins {
        let ([g, p], [g_low, p_low]) = (spans[high as usize], spans[low as usize]);
        spans.push([g | (p & g_low), p & p_low]);
    }
    let sum = |k: usize| match k {
        0 => spans[0][1],
        _ => spans[k][1] ^ spans[network.carries[k - 1] as usize][0],
    };
    (0..pairs.len()).map(sum).collect()
}

/// The integer that the bits are, least significant first.
pub fn word<'m>(m: &'m ModuleBuilder, bits: &[Value<'m>], signed: bool) -> Value<'m> {
    let mut high_first = bits.iter().rev();
    let Some(&top) = high_first.next() else {
        return m.constant(0, 0);
    };
    let pattern = high_first.fold(top, |high, &bit| high.concat(bit, 1));
    pattern.wrap(bits.len() as u32, signed)
}
