//! Full adders as instances of one small module, so that synthesis can take a cell of its library for each.

use super::module::Lowering;
use crate::dfg::{self, NodeId, Op};
use crate::rtl::{Builder, Cell, Instance, Module, ModuleId, Net};

/// The module's name: inputs `A`, `B`, `C` with the latest on `C`, outputs carry `X` and sum `Y`, as Yosys names the
/// ports of its own full adder. It stands first in a design that uses it.
pub const FULL_ADDER: &str = "hwgen_full_adder";

/// Whether a node of `module` is a full adder.
pub(super) fn is_used(module: &dfg::Module) -> bool {
    let graph = &module.graph;
    graph.nodes().any(|n| matches!(graph.op(n), Op::FullAdder(..)))
}

/// The full adder in gates.
pub(super) fn module() -> Module {
    let mut b = Builder::new(FULL_ADDER, vec![String::new()]);
    let [x, y, z] = ["A", "B", "C"].map(|name| b.input(name, 1));
    let (either, both) = (b.xor(x, y), b.and(x, y));
    let passed = b.and(either, z);
    let (carry, sum) = (b.or(both, passed), b.xor(either, z));
    b.output("X", carry);
    b.output("Y", sum);
    b.module
}

impl Lowering<'_> {
    /// The low `width` bits of the sum of three bits.
    pub fn full_adder(&mut self, operands: [NodeId; 3], width: u32) -> Net {
        let inputs = operands.map(|n| self.driven(n)).to_vec();
        let index = self.b.module.instances.len() as u32;
        self.b.module.instances.push(Instance {
            name: format!("add{index}"),
            module: ModuleId(0),
            inputs,
            scope: self.b.scope,
        });
        let [carry, sum] = [0, 1].map(|port| self.b.add(Cell::Output(index, port), 1));
        let both = self.b.concat(&[carry, sum]);
        self.b.slice(both, 0, width)
    }
}
