//! What an adder costs.

use hdl::lower::{Adder, Cover};
use rustc_hash::FxHashSet;

use crate::arith::graph::{AdderGraph, Node, NodeId, Op, Table, Term};
use crate::arith::problem::Objective;

/// Bits needed for every value of `lo..=hi`, two's complement if `lo < 0`.
pub fn width(lo: i64, hi: i64) -> u32 {
    // The complement of a negative value has the value's width without the sign bit.
    let reach = (lo ^ (lo >> 63)) | (hi ^ (hi >> 63));
    64 - reach.leading_zeros() + u32::from(lo < 0)
}

impl Objective {
    /// Inputs of a look-up table where sums of few bits may become tables; an adder of [`Self::Luts`] computes one of its
    /// operands in its own tables, out of all their inputs but one.
    pub fn table_inputs(self) -> Option<u32> {
        match self {
            Self::AdderBits => None,
            Self::LogicBits => Some(4),
            Self::Luts => Some(6),
        }
    }

    /// The cost of an adder with operands `(term, least, greatest)` (the node's range, unshifted) and a result range.
    pub fn adder(self, a: Operand, b: Operand, result: (i64, i64)) -> u32 {
        match self {
            Self::AdderBits => width(result.0, result.1),
            Self::LogicBits | Self::Luts => logic_bits(a, b, result),
        }
    }
}

/// An adder's operand: how it is used, and the range of the node used.
pub type Operand = (Term, (i64, i64));

/// Result bits that are computed rather than copied: one six-input LUT each on an FPGA with a carry chain.
///
/// Bits of the lower operand below the higher one's last bit are copies, unless the lower one is subtracted:
/// then its two's complement carries through them. A non-negative lower operand that ends below the higher one
/// makes the sum a concatenation.
pub fn logic_bits(a: Operand, b: Operand, result: (i64, i64)) -> u32 {
    let ((low, (lo, hi)), (high, _)) = if a.0.shift <= b.0.shift { (a, b) } else { (b, a) };
    let gap = u32::from(high.shift - low.shift);
    let total = width(result.0, result.1);
    if low.neg {
        total
    } else if lo >= 0 && width(lo, hi) <= gap && !high.neg {
        0
    } else {
        total.saturating_sub(gap)
    }
}

/// Result bits that a three-operand adder computes: those above the lowest bit of all but the lowest operand, or all
/// if that one is subtracted.
pub fn logic_bits_of_three(mut terms: [Term; 3], result: (i64, i64)) -> u32 {
    terms.sort_unstable_by_key(|t| (t.shift, !t.neg));
    let first = if terms[0].neg { terms[0] } else { terms[1] };
    width(result.0, result.1).saturating_sub(first.shift.into())
}

/// One adder for the choice of three-operand adders: its operands, its result's range, and for each operand the adder
/// that makes it, with that one's operands, if nothing else reads it.
pub fn choice([a, b]: [Operand; 2], result: (i64, i64), made: [Option<(u32, [Term; 2])>; 2]) -> Adder {
    let mut adder = Adder { alone: logic_bits(a, b, result), ..Adder::default() };
    for (side, inner) in made.into_iter().enumerate() {
        let (outer, other) = if side == 0 { (a.0, b.0) } else { (b.0, a.0) };
        if let Some((k, inner)) = inner {
            let [x, y] = inner.map(|t| inside(outer, t));
            adder.operands[side] = Some(k);
            adder.taking[side] = logic_bits_of_three([x, y, other], result);
        }
    }
    adder
}

/// The term `inner` of the node that `outer` uses, as a term of what uses `outer`.
pub fn inside(outer: Term, inner: Term) -> Term {
    Term { node: inner.node, shift: inner.shift + outer.shift, neg: inner.neg != outer.neg }
}

/// Which adders of the graph become three-operand adders on an FPGA whose look-up tables add three bits each, by
/// node, and the look-up tables of all.
pub fn cover(graph: &AdderGraph) -> Cover {
    let readers = readers(graph);
    let operand = |t: Term| {
        let n = &graph.nodes[t.node as usize];
        (t, (n.lo, n.hi))
    };
    let made = |t: Term| match graph.nodes[t.node as usize].op {
        Op::Add { a, b } if readers[t.node as usize] == 1 => Some((t.node, [a, b])),
        _ => None,
    };
    let own = |t: Term| match graph.nodes[t.node as usize].op {
        Op::Table { table } if joins(graph, &readers, t) => own_bits(&graph.tables[table as usize]),
        _ => 0,
    };
    let adder = |n: &Node| {
        let Op::Add { a, b } = n.op else {
            return Adder::default();
        };
        let made = [made(a), made(b)];
        let mut adder = choice([operand(a), operand(b)], (n.lo, n.hi), made);
        // with three operands there is no room for a table in the adder's own
        for (side, other) in [b, a].into_iter().enumerate() {
            let inner = made[side].map(|(_, terms)| terms).into_iter().flatten();
            adder.taking[side] += inner.chain([other]).map(own).sum::<u32>();
        }
        adder
    };
    let adders: Vec<Adder> = graph.nodes.iter().map(adder).collect();
    let mut cover = Cover::cheapest(&adders);
    cover.cost += separate_tables(graph, &readers);
    cover
}

/// Whether the adder that subtracts `t` computes it in its own look-up tables: it is a table that nothing else reads.
fn joins(graph: &AdderGraph, readers: &[u32], t: Term) -> bool {
    let room = Objective::Luts.table_inputs().map_or(0, |inputs| inputs - 1);
    match graph.nodes[t.node as usize].op {
        Op::Table { table } => {
            t.neg && readers[t.node as usize] == 1 && graph.tables[table as usize].index_bits() <= room
        }
        _ => false,
    }
}

/// Look-up tables of the tables that no adder could compute in its own; equal bits of the same inputs count once.
fn separate_tables(graph: &AdderGraph, readers: &[u32]) -> u64 {
    let mut joined = vec![false; graph.nodes.len()];
    for (_, a, b) in graph.adders() {
        for t in [a, b] {
            joined[t.node as usize] |= joins(graph, readers, t);
        }
    }
    let nodes = graph.nodes.iter().zip(joined);
    let tables = nodes.filter_map(|(node, joined)| match node.op {
        Op::Table { table } if !joined => Some(&graph.tables[table as usize]),
        _ => None,
    });
    let bits: FxHashSet<_> = tables
        .flat_map(|t| bit_functions(t).map(|f| (t.terms.iter().map(|t| t.input).collect::<Vec<_>>(), f)))
        .collect();
    bits.len() as u64
}

/// Look-up tables of a table by itself.
fn own_bits(table: &Table) -> u32 {
    bit_functions(table).collect::<FxHashSet<_>>().len() as u32
}

/// For each bit of the table's entries that is neither constant nor a bit of the index, which entries have it.
fn bit_functions(table: &Table) -> impl Iterator<Item = Vec<bool>> + '_ {
    let range = table.entries.iter().fold((0, 0), |(lo, hi), &e| (e.min(lo), e.max(hi)));
    let column = |k: u32| table.entries.iter().map(move |e| e >> k & 1 == 1).collect();
    (0..width(range.0, range.1)).map(column).filter(|column: &Vec<bool>| {
        let copies = |k: u32| (0..).zip(column).all(|(i, c): (usize, _)| (i >> k & 1 == 1) == *c);
        let constant = column.iter().all(|c| *c == column[0]);
        !constant && !(0..table.index_bits()).any(copies)
    })
}

/// Look-up tables of the graph's tables on an FPGA where adders compute none of them.
pub fn table_luts(graph: &AdderGraph) -> u64 {
    separate_tables(graph, &vec![u32::MAX; graph.nodes.len()])
}

/// Look-up tables that the graph takes, by the objective's way of building adders.
pub fn luts(graph: &AdderGraph, objective: Objective) -> u64 {
    match objective {
        Objective::Luts => cover(graph).cost,
        Objective::AdderBits | Objective::LogicBits => lut_estimate(graph) + table_luts(graph),
    }
}

/// How often each node is read; an output counts as two readers, since no adder can take over from it.
fn readers(graph: &AdderGraph) -> Vec<u32> {
    let mut readers = vec![0; graph.nodes.len()];
    let mut read = |node: NodeId, times| readers[node as usize] += times;
    for (_, a, b) in graph.adders() {
        read(a.node, 1);
        read(b.node, 1);
    }
    graph.outputs.iter().flatten().for_each(|t| read(t.node, 2));
    readers
}

/// Six-input LUTs of all adders with a carry chain each, see [`logic_bits`].
pub fn lut_estimate(graph: &AdderGraph) -> u64 {
    let operand = |t: Term| {
        let n = &graph.nodes[t.node as usize];
        (t, (n.lo, n.hi))
    };
    graph.adders().map(|(n, a, b)| u64::from(logic_bits(operand(a), operand(b), (n.lo, n.hi)))).sum()
}

/// Whether an adder of the two terms adds a constant: a bias, or the zero of a negation.
pub fn adds_constant(graph: &AdderGraph, a: Term, b: Term) -> bool {
    [a, b].iter().any(|t| matches!(graph.nodes[t.node as usize].op, Op::Constant { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_of_ranges() {
        let cases = [
            ((0, 0), 0),
            ((0, 1), 1),
            ((0, 255), 8),
            ((0, 256), 9),
            ((-1, 0), 1),
            ((-128, 127), 8),
            ((-129, 0), 9),
            ((-5, 128), 9),
        ];
        for ((lo, hi), bits) in cases {
            assert_eq!(width(lo, hi), bits, "{lo}..={hi}");
        }
    }
}
