//! What an adder costs.

use hdl::lower::{Adder, Cover};

use super::graph::{AdderGraph, NodeId, Op, Term};

/// Bits needed for every value of `lo..=hi`, two's complement if `lo < 0`.
pub fn width(lo: i64, hi: i64) -> u32 {
    // The complement of a negative value has the value's width without the sign bit.
    let reach = (lo ^ (lo >> 63)) | (hi ^ (hi >> 63));
    64 - reach.leading_zeros() + u32::from(lo < 0)
}

/// What the optimiser makes small.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Objective {
    /// Result widths of the two-operand adders and subtractors, summed.
    #[default]
    AdderBits,
    /// Result bits that take logic, see [`logic_bits`].
    LogicBits,
    /// The same where one look-up table a bit adds three operands, see [`cover`].
    Luts,
}

impl Objective {
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
    let ((low, (lo, hi)), (high, _)) = if a.0.shift <= b.0.shift {
        (a, b)
    } else {
        (b, a)
    };
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
pub fn choice(
    [a, b]: [Operand; 2],
    result: (i64, i64),
    made: [Option<(u32, [Term; 2])>; 2],
) -> Adder {
    let mut adder = Adder {
        alone: logic_bits(a, b, result),
        ..Adder::default()
    };
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
    Term {
        node: inner.node,
        shift: inner.shift + outer.shift,
        neg: inner.neg != outer.neg,
    }
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
    let adders: Vec<Adder> = graph
        .nodes
        .iter()
        .map(|n| match n.op {
            Op::Add { a, b } => choice([operand(a), operand(b)], (n.lo, n.hi), [made(a), made(b)]),
            _ => Adder::default(),
        })
        .collect();
    Cover::cheapest(&adders)
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
    graph
        .adders()
        .map(|(n, a, b)| u64::from(logic_bits(operand(a), operand(b), (n.lo, n.hi))))
        .sum()
}

/// Whether an adder of the two terms adds a constant: a bias, or the zero of a negation.
pub fn adds_constant(graph: &AdderGraph, a: Term, b: Term) -> bool {
    [a, b]
        .iter()
        .any(|t| matches!(graph.nodes[t.node as usize].op, Op::Constant { .. }))
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
