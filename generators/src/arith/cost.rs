//! What an adder costs.

use super::graph::{AdderGraph, Node, Op, Term};

/// Bits needed for every value of `lo..=hi`, two's complement if `lo < 0`.
pub fn width(lo: i64, hi: i64) -> u32 {
    if lo < 0 {
        let reach = (-(lo + 1)).max(hi);
        65 - reach.max(0).leading_zeros()
    } else {
        64 - hi.leading_zeros()
    }
}

/// Six-input LUTs of a ripple adder on an FPGA with a carry chain, one LUT for each result bit that is
/// computed rather than copied: bits below both operands' overlap are copies unless the operand that reaches
/// down there is negated.
pub fn adder_luts(graph: &AdderGraph, node: &Node, a: Term, b: Term) -> u32 {
    let total = width(node.lo, node.hi);
    let (low, high) = if a.shift <= b.shift { (a, b) } else { (b, a) };
    let start = u32::from(high.shift);
    let low_node = &graph.nodes[low.node as usize];
    if low.neg {
        return total;
    }
    // Non-negative low operand below the high one: a plain concatenation.
    if low_node.lo >= 0 && width(low_node.lo, low_node.hi) <= start && !high.neg {
        return 0;
    }
    total.saturating_sub(start)
}

/// Six-input LUTs of all adders, see [`adder_luts`].
pub fn lut_estimate(graph: &AdderGraph) -> u64 {
    graph.adders().map(|(n, a, b)| u64::from(adder_luts(graph, n, a, b))).sum()
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
        let cases = [((0, 0), 0), ((0, 1), 1), ((0, 255), 8), ((0, 256), 9), ((-1, 0), 1), ((-128, 127), 8), ((-129, 0), 9), ((-5, 128), 9)];
        for ((lo, hi), bits) in cases {
            assert_eq!(width(lo, hi), bits, "{lo}..={hi}");
        }
    }
}
