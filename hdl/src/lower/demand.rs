//! How many low bits of each node its readers look at.
//!
//! A sum that is wrapped to 8 bits needs 8 bits of its operands and no more. Sums, products, bitwise operators and wiring
//! pass the demand on to their operands; comparisons, selections and everything outside the module see all of a value.

use crate::dfg::{Module, NodeId, Op};

/// All bits, and the sign for ever above them.
const ALL: u32 = u32::MAX;

/// Bits of the net that stands for each node: what its range needs, or what is looked at if that is less; 0 for none.
pub(crate) fn net_widths(module: &Module) -> Vec<u32> {
    let graph = &module.graph;
    let mut demand = vec![0; graph.len()];
    module.roots().for_each(|n| demand[n.index()] = ALL);
    for n in graph.nodes().rev() {
        let bits = demand[n.index()];
        let own = bits.min(graph.range(n).width());
        let mut ask = |a: NodeId, bits: u32| {
            let asked: &mut u32 = &mut demand[a.index()];
            *asked = bits.max(*asked);
        };
        match graph.op(n) {
            _ if own == 0 => {}
            Op::Add(a, b) | Op::Sub(a, b) | Op::Mul(a, b) | Op::And(a, b) | Op::Or(a, b) | Op::Xor(a, b) => {
                [a, b].iter().for_each(|&a| ask(a, own))
            }
            Op::Shl(a, s) => ask(a, own.saturating_sub(s)),
            Op::Shr(a, s) => ask(a, own.saturating_add(s)),
            Op::Wrap(a, ..) | Op::Delay(a, _) | Op::Narrow(a, ..) => ask(a, own),
            Op::Mux(s, a, b) => {
                ask(s, ALL);
                ask(a, own);
                ask(b, own);
            }
            Op::Concat(a, b, w) => {
                ask(a, own.saturating_sub(u32::from(w)));
                ask(b, own.min(u32::from(w)));
            }
            op => op.operands().for_each(|a| ask(a, ALL)),
        }
        demand[n.index()] = own;
    }
    demand
}
