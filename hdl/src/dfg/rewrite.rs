//! Rewriting: every pass builds a new arena from the old one, with a map from old nodes to new ones.

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::builder::WireSlot;
use super::module::{Instance, MemoryWrite, Module, RegisterStyle};
use super::{Graph, GraphError, N, Op, Stamp};
use crate::diag::{Diagnostic, Diagnostics};
use crate::num::Interval;

/// A module in the making beside the one it replaces.
#[derive(Debug)]
pub struct Rewriter<'a> {
    old: &'a Module,
    new: Module,
    map: Vec<Option<N>>,
}

impl<'a> Rewriter<'a> {
    /// A module with the ports, registers and instances of `old`, and no nodes yet.
    pub fn new(old: &'a Module) -> Self {
        let mut new = old.clone();
        new.graph = Graph::default();
        new.side.places.clear();
        new.side.scopes.clear();
        new.side.names.clear();
        for t in 0..old.graph.table_count() {
            new.graph.add_table(old.graph.table(t).to_vec());
        }
        Self {
            old,
            new,
            map: vec![None; old.graph.len()],
        }
    }

    /// The module that is replaced.
    pub fn old(&self) -> &'a Module {
        self.old
    }

    /// The nodes made so far.
    pub fn graph(&self) -> &Graph {
        &self.new.graph
    }

    /// What stands for the old node `n`.
    ///
    /// # Panics
    /// If nothing does yet.
    pub fn get(&self, n: N) -> N {
        self.map[n.index()].expect("operands are rewritten before their readers")
    }

    /// Whether something stands for the old node `n` already.
    pub fn has(&self, n: N) -> bool {
        self.map[n.index()].is_some()
    }

    /// Lets `new` stand for the old node `n`, with its place, scope and name.
    pub fn set(&mut self, n: N, new: N) {
        self.map[n.index()] = Some(new);
        let len = self.new.graph.len();
        self.new.side.places.resize(len, self.old.place_of(n));
        self.new.side.scopes.resize(len, self.old.scope_of(n));
        if let Some(name) = self.old.name_of(n) {
            self.new
                .side
                .names
                .entry(new)
                .or_insert_with(|| name.to_owned());
        }
    }

    /// A new combinational node, on new operands.
    pub fn add(&mut self, op: Op) -> Result<N, GraphError> {
        self.new.graph.add(op)
    }

    /// A new constant.
    pub fn constant(&mut self, value: i128) -> Result<N, GraphError> {
        self.new.graph.constant(value)
    }

    /// A new table.
    pub fn add_table(&mut self, values: Vec<i128>) -> u32 {
        self.new.graph.add_table(values)
    }

    /// A new source or register with its range and stamp.
    pub fn add_declared(&mut self, op: Op, range: Interval, stamp: Stamp) -> N {
        self.new.graph.add_declared(op, range, stamp)
    }

    /// `n`, a new node, `cycles` cycles later in plain registers. A constant needs none.
    pub fn delay(&mut self, n: N, cycles: u32) -> N {
        if self.new.graph.as_constant(n).is_some() {
            return n;
        }
        let range = self.new.graph.range(n);
        let stamp = self.new.graph.stamp(n);
        (0..cycles).fold(n, |n, i| {
            self.new
                .graph
                .add_declared(Op::Delay(n, 0), range, stamp.later(i + 1))
        })
    }

    /// The same node in the new arena, its operands mapped.
    pub fn copy(&mut self, n: N) -> Result<N, GraphError> {
        let op = self.old.graph.op(n);
        match op {
            Op::Const(k) => self.constant(self.old.graph.constant_value(k)),
            Op::Input(_) | Op::State(_) | Op::Output(..) | Op::Wire(_) => {
                Ok(self.add_declared(op, self.old.graph.range(n), self.old.graph.stamp(n)))
            }
            Op::Delay(a, style) => {
                let a = self.get(a);
                let plain = self.new.styles[style as usize].reset == super::Reset::None;
                if plain && self.new.graph.as_constant(a).is_some() {
                    return Ok(a);
                }
                let range = if plain {
                    self.new.graph.range(a)
                } else {
                    self.old.graph.range(n)
                };
                let stamp = self.new.graph.stamp(a).later(1);
                Ok(self.add_declared(Op::Delay(a, style), range, stamp))
            }
            Op::Read(a, m) => {
                let a = self.get(a);
                let stamp = self.new.graph.stamp(a);
                Ok(self.add_declared(Op::Read(a, m), self.old.graph.range(n), stamp))
            }
            Op::Table(a, t) => {
                let a = self.get(a);
                let t = self.add_table(self.old.graph.table(t).to_vec());
                self.add(Op::Table(a, t))
            }
            _ => {
                let op = op.map(|a| self.get(a));
                self.add(op)
            }
        }
    }

    /// The new module, its ports, registers and instances on the nodes that stand for the old ones.
    ///
    /// Output stamps follow the new nodes; all elements of a port must then be of one cycle.
    pub fn finish(mut self) -> Module {
        let map = std::mem::take(&mut self.map);
        let get = |n: N| map[n.index()].expect("every root is rewritten");
        for port in &mut self.new.outputs {
            let mut stamp = Stamp::TIMELESS;
            for element in &mut port.elements {
                element.node = get(element.node);
                let own = self.new.graph.stamp(element.node);
                stamp = stamp
                    .join(own)
                    .expect("the elements of a port belong to one cycle");
            }
            port.stamp = stamp;
        }
        for state in &mut self.new.states {
            state.next = state.next.map(get);
            state.style.enable = state.style.enable.map(get);
        }
        for memory in &mut self.new.memories {
            memory.write = memory.write.map(|w| MemoryWrite {
                enable: get(w.enable),
                address: get(w.address),
                data: get(w.data),
            });
        }
        for instance in &mut self.new.instances {
            instance.inputs.iter_mut().for_each(|n| *n = get(*n));
        }
        self.new
            .styles
            .iter_mut()
            .for_each(|s| s.enable = s.enable.map(get));
        let len = self.new.graph.len();
        self.new.side.places.resize(len, None);
        self.new.side.scopes.resize(len, super::ScopeId::default());
        self.new
    }
}

/// Which nodes something reads, directly or not; an instance's inputs count as read if any of its outputs is.
pub(crate) fn live_nodes(module: &Module) -> Vec<bool> {
    let mut live = vec![false; module.graph.len()];
    module.roots().for_each(|n| live[n.index()] = true);
    for n in module.graph.nodes().rev() {
        if live[n.index()] {
            module
                .graph
                .op(n)
                .operands()
                .for_each(|a| live[a.index()] = true);
        }
    }
    live
}

/// The module with every forward reference replaced by its driver, in an order in which operands come first.
pub(super) fn resolve_wires(module: Module, wires: &[WireSlot]) -> Result<Module, Diagnostics> {
    if wires.is_empty() {
        return Ok(module);
    }
    let undriven: Vec<Diagnostic> = wires
        .iter()
        .filter(|w| w.driver.is_none())
        .map(undriven_wire)
        .collect();
    if !undriven.is_empty() {
        return Err(Diagnostics(undriven));
    }
    let driver = |k: u32| wires[k as usize].driver.expect("checked above").0;
    let order = combinational_order(&module, driver)?;
    let mut rewriter = Rewriter::new(&module);
    for n in order {
        let new = match module.graph.op(n) {
            Op::Wire(k) => Ok(rewriter.get(driver(k))),
            _ => rewriter.copy(n),
        };
        let new = new.map_err(|error| {
            Diagnostics::from(
                Diagnostic::error("cycle-mismatch", error.to_string())
                    .label(module.place_of(n), "once the forward references are resolved")
                    .help("a wire that goes with timed values must be driven in the cycle in which it is used"),
            )
        })?;
        rewriter.set(n, new);
    }
    Ok(rewriter.finish())
}

fn undriven_wire(wire: &WireSlot) -> Diagnostic {
    Diagnostic::error("undriven", format!("wire `{}` is never driven", wire.name))
        .label(Some(wire.declared), "declared here")
        .help("give it a value with `drive`")
}

/// All nodes, operands first, following wires to their drivers; or the combinational loops.
///
/// Strongly connected components come out of Tarjan's algorithm in reverse topological order of the edges, so with
/// edges from reader to operand the operands come first.
fn combinational_order(module: &Module, driver: impl Fn(u32) -> N) -> Result<Vec<N>, Diagnostics> {
    let graph = &module.graph;
    let mut view: DiGraph<(), (), u32> = DiGraph::with_capacity(graph.len(), 2 * graph.len());
    for _ in 0..graph.len() + module.instances.len() {
        view.add_node(());
    }
    // an instance stands as a node of its own behind the graph's nodes
    let instance = |i: usize| N((graph.len() + i) as u32);
    let at = |n: N| NodeIndex::<u32>::new(n.index());
    let edge = |view: &mut DiGraph<(), (), u32>, from: N, to: N| {
        view.add_edge(at(from), at(to), ());
    };
    for n in graph.nodes() {
        match graph.op(n) {
            Op::Wire(k) => edge(&mut view, n, driver(k)),
            Op::Output(i, _) => edge(&mut view, n, instance(i as usize)),
            op => op.operands().for_each(|a| edge(&mut view, n, a)),
        }
        if let Op::Delay(_, style) = graph.op(n)
            && let RegisterStyle {
                enable: Some(enable),
                ..
            } = module.styles[style as usize]
        {
            edge(&mut view, n, enable);
        }
    }
    for (i, Instance { inputs, .. }) in module.instances.iter().enumerate() {
        inputs.iter().for_each(|&a| edge(&mut view, instance(i), a));
    }
    let components = tarjan_scc(&view);
    let node = |i: &NodeIndex<u32>| N(i.index() as u32);
    let loops: Vec<Diagnostic> = components
        .iter()
        .filter(|c| c.len() > 1 || view.contains_edge(c[0], c[0]))
        .map(|c| {
            loop_error(
                module,
                &mut c.iter().map(node).filter(|n| n.index() < graph.len()),
            )
        })
        .collect();
    if !loops.is_empty() {
        return Err(Diagnostics(loops));
    }
    Ok(components
        .iter()
        .flatten()
        .map(node)
        .filter(|n| n.index() < graph.len())
        .collect())
}

fn loop_error(module: &Module, path: &mut dyn Iterator<Item = N>) -> Diagnostic {
    let mut error = Diagnostic::error(
        "combinational-loop",
        "a value depends on itself within one cycle",
    );
    for n in path {
        let name = module
            .name_of(n)
            .map(|name| format!(" `{name}`"))
            .unwrap_or_default();
        error = error.label(
            module.place_of(n),
            format!("through this {}{name}", module.graph.op(n).mnemonic()),
        );
    }
    error.help("break the loop with a register (`state`)")
}
