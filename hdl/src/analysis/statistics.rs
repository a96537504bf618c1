//! Counts of nodes by operator, of adders, registers and their bits, for a module or each scope of it.

use std::collections::BTreeMap;

use crate::dfg::{Module, NodeId, Op, ScopeId};
use crate::lower::net_widths;

/// Counts over some nodes of a module. Widths are those that are emitted: no bit that nothing looks at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Nodes by mnemonic.
    pub operators: BTreeMap<&'static str, usize>,
    /// Adders and subtractors.
    pub adders: usize,
    /// Result widths of the adders and subtractors, summed.
    pub adder_bits: u64,
    /// Pipeline registers.
    pub registers: usize,
    /// Widths of the pipeline registers, summed.
    pub register_bits: u64,
    /// Widths of the registers with feedback, summed; counted for whole modules only.
    pub state_bits: u64,
    /// Words times width of the register files, summed; counted for whole modules only.
    pub memory_bits: u64,
}

impl Statistics {
    /// The counts of the module itself, without what its instances hold.
    pub fn of(module: &Module) -> Self {
        let mut statistics = Self::default();
        let widths = net_widths(module);
        for n in module.graph.nodes() {
            statistics.count(module, &widths, n);
        }
        let bits = |range: crate::num::Interval| u64::from(range.width());
        statistics.state_bits = module.states.iter().map(|s| bits(s.range)).sum();
        let words = module.memories.iter();
        statistics.memory_bits = words.map(|m| u64::from(m.depth) * bits(m.range)).sum();
        statistics
    }

    fn count(&mut self, module: &Module, widths: &[u32], n: NodeId) {
        let op = module.graph.op(n);
        let width = u64::from(widths[n.index()]);
        *self.operators.entry(op.mnemonic()).or_default() += 1;
        match op {
            Op::Add(..) | Op::Sub(..) => {
                self.adders += 1;
                self.adder_bits += width;
            }
            Op::Delay(..) => {
                self.registers += 1;
                self.register_bits += width;
            }
            _ => {}
        }
    }
}

/// Bits of all pipeline registers of the module itself, as they are emitted: no bit that nothing looks at.
pub fn pipeline_register_bits(module: &Module) -> u64 {
    let graph = &module.graph;
    let widths = net_widths(module);
    let registers = graph.nodes().filter(|n| matches!(graph.op(*n), Op::Delay(..)));
    registers.map(|n| u64::from(widths[n.index()])).sum()
}

/// The counts of each scope's own nodes, in the order in which the scopes were made; empty scopes are left out.
pub fn scope_statistics(module: &Module) -> Vec<(ScopeId, Statistics)> {
    let widths = net_widths(module);
    let mut scopes: BTreeMap<ScopeId, Statistics> = BTreeMap::new();
    for n in module.graph.nodes() {
        scopes.entry(module.scope_of(n)).or_default().count(module, &widths, n);
    }
    scopes.into_iter().collect()
}

/// How often each node is read, by operands, outputs, registers, register files and instances.
pub fn fan_out(module: &Module) -> Vec<u32> {
    let mut count = vec![0; module.graph.len()];
    let operands = module.graph.nodes().flat_map(|n| module.graph.op(n).operands());
    for n in operands.chain(module.roots()) {
        count[n.index()] += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dfg::ModuleBuilder;
    use crate::num::Format;

    #[test]
    fn nodes_are_counted() {
        let m = ModuleBuilder::new("count");
        let x = m.input("x", Format::unsigned(4, 0).unwrap());
        let y = m.input("y", Format::unsigned(4, 0).unwrap());
        let sum = m.scope("first", || (x + y).delay(2));
        m.output("z", m.scope("second", || sum - x));
        let module = m.finish().unwrap();
        let all = Statistics::of(&module);
        // the automatic balance delays x twice
        assert_eq!((all.adders, all.adder_bits), (2, 5 + 6));
        assert_eq!((all.registers, all.register_bits), (4, 10 + 8));
        assert_eq!(pipeline_register_bits(&module), 18);
        let scopes = scope_statistics(&module);
        let bits: Vec<_> = scopes.iter().map(|(id, s)| (module.scope_path(*id), s.register_bits)).collect();
        assert_eq!(bits, [("", 0), ("first", 10), ("second", 8)]);
        let fan_out = fan_out(&module);
        let inputs = module.graph.nodes().filter(|n| matches!(module.graph.op(*n), Op::Input(_)));
        assert_eq!(inputs.map(|n| fan_out[n.index()]).collect::<Vec<_>>(), [2, 1]);
    }
}
