//! Who gets which name: ports as they are, then what the author named, each behind its scope.

use std::collections::HashMap;

use super::module::{Lowering, Pending};
use crate::dfg::{NodeId, Op, ScopeId};
use crate::names::{Allocator, sanitised};
use crate::rtl::{Cell, Net, SCOPE_LENGTH};

impl Lowering<'_> {
    /// Names registers, register files, instances and the nodes that have names.
    pub fn name_all(&mut self) {
        let mut names = Allocator::default();
        let module = &self.b.module;
        let ports = module.inputs.iter().map(|p| &p.name);
        let outputs = module.outputs.iter().map(|p| &p.name);
        let clocks = module.clock.iter().chain(&module.reset);
        ports.chain(outputs).chain(clocks).for_each(|name| names.reserve(name));
        for i in 0..self.b.module.instances.len() {
            let instance = &self.b.module.instances[i];
            let name = names.allocate(&self.qualified(instance.scope, &instance.name));
            self.b.module.instances[i].name = name;
        }
        for memory in &mut self.b.module.memories {
            memory.name = names.allocate(&memory.name);
        }
        for i in 0..self.pending.len() {
            let (what, net) = self.pending[i];
            let name = match what {
                Pending::Delay(_) => continue,
                Pending::State(k) => &self.source.states[k as usize].name,
                Pending::Word(m) => &self.source.memories[m as usize].name,
            };
            self.give(net, name, &mut names);
        }
        self.name_nodes(&mut names);
    }

    /// A delay of a named node is named after it, with the number of cycles.
    fn name_nodes(&mut self, names: &mut Allocator) {
        let mut bases: HashMap<NodeId, (String, u32)> = HashMap::new();
        for n in self.source.graph.nodes() {
            let base = match (self.source.name_of(n), self.source.graph.op(n)) {
                (Some(name), _) => (name.to_owned(), 0),
                (None, Op::Delay(a, _)) => match bases.get(&a) {
                    Some((base, cycles)) => (base.clone(), cycles + 1),
                    None => continue,
                },
                _ => continue,
            };
            let Some(net) = self.nets[n.index()] else {
                continue;
            };
            match &base {
                (name, 0) => self.give(net, name, names),
                (name, cycles) => self.give(net, &format!("{name}_d{cycles}"), names),
            }
            bases.insert(n, base);
        }
    }

    fn give(&mut self, net: Net, name: &str, names: &mut Allocator) {
        let is_port = matches!(self.b.module.cell(net), Cell::Input(_) | Cell::Const(_));
        if is_port || self.b.module.name(net).is_some() {
            return;
        }
        let unique = names.allocate(&self.qualified(self.b.module.scope(net), name));
        self.b.name(net, unique);
        // readers of a sum whose low bits pass see its parts, so the part that is computed carries the name too
        if let Cell::Concat(list) = self.b.module.cell(net) {
            let high = self.b.module.list(list)[0];
            let wiring =
                matches!(self.b.module.cell(high), Cell::Slice(..) | Cell::ZeroExtend(_) | Cell::SignExtend(_));
            if !wiring {
                self.give(high, &format!("{name}_high"), names);
            }
        }
    }

    fn qualified(&self, scope: ScopeId, name: &str) -> String {
        match self.source.scope_path(scope) {
            "" => name.to_owned(),
            path => format!("{}_{name}", sanitised(path, SCOPE_LENGTH)),
        }
    }
}
