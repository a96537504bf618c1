//! What an adder costs.

use super::graph::{AdderGraph, Op, Term};

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
}

impl Objective {
    /// The cost of an adder with operands `(term, least, greatest)` (the node's range, unshifted) and a result range.
    pub fn adder(self, a: Operand, b: Operand, result: (i64, i64)) -> u32 {
        match self {
            Self::AdderBits => width(result.0, result.1),
            Self::LogicBits => logic_bits(a, b, result),
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
