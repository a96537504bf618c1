//! Rewriting: every pass builds a new arena from the old one, with a map from old nodes to new ones.

use super::module::{Instance, MemoryWrite, Module, Reset, ScopeId};
use super::side::SideTables;
use super::{Graph, GraphError, NodeId, Op, Stamp};
use crate::num::Interval;

/// No node stands for this one yet.
const UNMAPPED: NodeId = NodeId(u32::MAX);

/// A module in the making beside the one it replaces.
#[derive(Debug)]
pub struct Rewriter<'a> {
    old: &'a Module,
    new: Module,
    map: Vec<NodeId>,
    /// New numbers of the old tables, once something reads them.
    tables: Vec<Option<u32>>,
    numbers: Numbers,
    own: Counts,
    outputs_at: Option<Stamp>,
}

/// New numbers of old registers, register files, instances and styles; `None` for those left behind.
#[derive(Debug)]
struct Numbers {
    states: Vec<Option<u32>>,
    memories: Vec<Option<u32>>,
    instances: Vec<Option<u32>>,
    styles: Vec<Option<u32>>,
}

/// How many of the new module's parts still refer to old nodes; those that a pass appends refer to new ones.
#[derive(Debug)]
struct Counts {
    states: usize,
    memories: usize,
    instances: usize,
    styles: usize,
}

/// Which parts of a module something reads, directly or not.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    /// By node.
    pub nodes: Vec<bool>,
    /// By state register.
    pub states: Vec<bool>,
    /// By register file.
    pub memories: Vec<bool>,
    /// By instance.
    pub instances: Vec<bool>,
    /// By register style.
    pub styles: Vec<bool>,
}

impl<'a> Rewriter<'a> {
    /// A module with the ports, registers and instances of `old`, and no nodes yet.
    pub fn new(old: &'a Module) -> Self {
        Self::keeping(old, &Live::all(old))
    }

    /// The same with only the registers, register files, instances and styles that are live.
    pub(crate) fn keeping(old: &'a Module, live: &Live) -> Self {
        let (states, state_numbers) = kept(&old.states, &live.states);
        let (memories, memory_numbers) = kept(&old.memories, &live.memories);
        let (instances, instance_numbers) = kept(&old.instances, &live.instances);
        let (styles, style_numbers) = kept(&old.styles, &live.styles);
        let own =
            Counts { states: states.len(), memories: memories.len(), instances: instances.len(), styles: styles.len() };
        let new = Module {
            name: old.name.clone(),
            graph: Graph::default(),
            inputs: old.inputs.clone(),
            outputs: old.outputs.clone(),
            styles,
            states,
            memories,
            instances,
            voted: old.voted.clone(),
            black_box: old.black_box.clone(),
            twin: None,
            side: SideTables { scope_paths: old.side.scope_paths.clone(), ..SideTables::default() },
        };
        Self {
            old,
            new,
            map: vec![UNMAPPED; old.graph.len()],
            tables: vec![None; old.graph.table_count() as usize],
            numbers: Numbers {
                states: state_numbers,
                memories: memory_numbers,
                instances: instance_numbers,
                styles: style_numbers,
            },
            own,
            outputs_at: None,
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

    /// The module made so far. What a pass appends to its lists refers to new nodes.
    pub(crate) fn module_mut(&mut self) -> &mut Module {
        &mut self.new
    }

    /// What stands for the old node `n`.
    ///
    /// # Panics
    /// If nothing does yet.
    pub fn get(&self, n: NodeId) -> NodeId {
        mapped(&self.map, n)
    }

    /// Whether something stands for the old node `n` already.
    pub fn has(&self, n: NodeId) -> bool {
        self.map[n.index()] != UNMAPPED
    }

    /// Lets `new` stand for the old node `n`, with its place, scope and name.
    pub fn set(&mut self, n: NodeId, new: NodeId) {
        self.map[n.index()] = new;
        self.attribute(n);
        if let Some(name) = self.old.name_of(n) {
            self.new.side.names.entry(new).or_insert_with(|| name.to_owned());
        }
    }

    /// Gives the nodes made since the last call the place and scope of the old node `n`.
    fn attribute(&mut self, n: NodeId) {
        let len = self.new.graph.len();
        self.new.side.places.extend_to(len, self.old.place_of(n));
        self.new.side.scopes.resize(len, self.old.scope_of(n));
    }

    /// A new combinational node, on new operands.
    pub fn add(&mut self, op: Op) -> Result<NodeId, GraphError> {
        self.new.graph.add(op)
    }

    /// A new constant.
    pub fn constant(&mut self, value: i128) -> Result<NodeId, GraphError> {
        self.new.graph.constant(value)
    }

    /// A new table.
    pub fn add_table(&mut self, values: Vec<i128>) -> u32 {
        self.new.graph.add_table(values)
    }

    /// A new source or register with its range and stamp.
    pub fn add_declared(&mut self, op: Op, range: Interval, stamp: Stamp) -> NodeId {
        self.new.graph.add_declared(op, range, stamp)
    }

    /// `n`, a new node, `cycles` cycles later in plain registers. A constant needs none.
    pub fn delay(&mut self, n: NodeId, cycles: u32) -> NodeId {
        if self.new.graph.as_constant(n).is_some() {
            return n;
        }
        let range = self.new.graph.range(n);
        let stamp = self.new.graph.stamp(n);
        (0..cycles).fold(n, |n, i| self.new.graph.add_declared(Op::Delay(n, 0), range, stamp.later(i + 1)))
    }

    /// `n`, a new node, in the cycle of `stamp`; itself if it is timeless or not earlier.
    pub fn wait(&mut self, n: NodeId, stamp: Stamp) -> NodeId {
        match (self.new.graph.stamp(n).cycle(), stamp.cycle()) {
            (Some(from), Some(to)) => self.delay(n, to.saturating_sub(from)),
            _ => n,
        }
    }

    /// The same node in the new arena, its operands mapped.
    pub fn copy(&mut self, n: NodeId) -> Result<NodeId, GraphError> {
        self.copy_at(n, Stamp::TIMELESS)
    }

    /// The same node in the new arena, its operands mapped, each waiting for the cycle of `stamp`.
    pub fn copy_at(&mut self, n: NodeId, stamp: Stamp) -> Result<NodeId, GraphError> {
        let old = &self.old.graph;
        let op = old.op(n);
        let number = |list: &[Option<u32>], k: u32| list[k as usize].expect("a live part is kept");
        match op {
            Op::Const(k) => self.constant(old.constant_value(k)),
            Op::Input(_) | Op::Wire(_) => Ok(self.add_declared(op, old.range(n), old.stamp(n))),
            Op::State(k) => {
                let op = Op::State(number(&self.numbers.states, k));
                Ok(self.add_declared(op, old.range(n), old.stamp(n)))
            }
            Op::Output(i, k) => {
                let op = Op::Output(number(&self.numbers.instances, i), k);
                Ok(self.add_declared(op, old.range(n), old.stamp(n)))
            }
            Op::Delay(a, style) => {
                let a = self.get_at(a, stamp);
                let style = number(&self.numbers.styles, style);
                let plain = self.new.styles[style as usize].reset == Reset::None;
                if plain && self.new.graph.as_constant(a).is_some() {
                    return Ok(a);
                }
                let range = if plain { self.new.graph.range(a) } else { old.range(n) };
                let due = self.new.graph.stamp(a).later(1);
                Ok(self.add_declared(Op::Delay(a, style), range, due))
            }
            Op::Read(a, m) => {
                let a = self.get_at(a, stamp);
                let op = Op::Read(a, number(&self.numbers.memories, m));
                let due = self.new.graph.stamp(a);
                Ok(self.add_declared(op, old.range(n), due))
            }
            Op::Table(a, t) => {
                let a = self.get_at(a, stamp);
                let t = self.table(t);
                self.add(Op::Table(a, t))
            }
            _ => {
                let op = op.map(|a| self.get_at(a, stamp));
                self.add(op)
            }
        }
    }

    fn get_at(&mut self, n: NodeId, stamp: Stamp) -> NodeId {
        let new = self.get(n);
        self.wait(new, stamp)
    }

    /// The new number of the old table `t`.
    fn table(&mut self, t: u32) -> u32 {
        let (old, new) = (&self.old.graph, &mut self.new.graph);
        *self.tables[t as usize].get_or_insert_with(|| new.add_table(old.table(t).to_vec()))
    }

    /// Lets every timed output wait in plain registers for the cycle of `stamp`, which is none of its past.
    pub fn set_outputs_at(&mut self, stamp: Stamp) {
        self.outputs_at = Some(stamp);
    }

    /// The new module, its ports, registers and instances on the nodes that stand for the old ones.
    ///
    /// Output stamps follow the new nodes; all elements of a port must then be of one cycle.
    pub fn finish(mut self) -> Module {
        self.connect_outputs();
        let map = std::mem::take(&mut self.map);
        let get = |n: NodeId| mapped(&map, n);
        for state in &mut self.new.states[..self.own.states] {
            state.next = state.next.map(get);
            state.style.enable = state.style.enable.map(get);
        }
        for memory in &mut self.new.memories[..self.own.memories] {
            memory.write =
                memory.write.map(|w| MemoryWrite { enable: get(w.enable), address: get(w.address), data: get(w.data) });
        }
        for instance in &mut self.new.instances[..self.own.instances] {
            instance.inputs.iter_mut().for_each(|n| *n = get(*n));
        }
        for style in &mut self.new.styles[..self.own.styles] {
            style.enable = style.enable.map(get);
        }
        let len = self.new.graph.len();
        self.new.side.places.extend_to(len, None);
        self.new.side.scopes.resize(len, ScopeId::default());
        self.new
    }

    fn connect_outputs(&mut self) {
        let mut outputs = std::mem::take(&mut self.new.outputs);
        for port in &mut outputs {
            let mut stamp = Stamp::TIMELESS;
            for element in &mut port.elements {
                let old = element.node;
                element.node = self.get(old);
                if let Some(due) = self.outputs_at {
                    element.node = self.wait(element.node, due);
                    self.attribute(old);
                }
                stamp =
                    stamp.join(self.new.graph.stamp(element.node)).expect("the elements of a port belong to one cycle");
            }
            port.stamp = stamp;
        }
        self.new.outputs = outputs;
    }
}

fn mapped(map: &[NodeId], n: NodeId) -> NodeId {
    let new = map[n.index()];
    assert!(new != UNMAPPED, "operands are rewritten before their readers, and every root is");
    new
}

/// The live ones of `parts`, and the new number of each.
fn kept<T: Clone>(parts: &[T], live: &[bool]) -> (Vec<T>, Vec<Option<u32>>) {
    let mut numbers = Vec::with_capacity(parts.len());
    let mut new = Vec::new();
    for (part, &live) in parts.iter().zip(live) {
        numbers.push(live.then_some(new.len() as u32));
        if live {
            new.push(part.clone());
        }
    }
    (new, numbers)
}

impl Live {
    /// Every part.
    pub fn all(module: &Module) -> Self {
        Self {
            nodes: vec![true; module.graph.len()],
            states: vec![true; module.states.len()],
            memories: vec![true; module.memories.len()],
            instances: vec![true; module.instances.len()],
            styles: vec![true; module.styles.len()],
        }
    }

    /// What the outputs and the black boxes of `module` depend on.
    ///
    /// A register that only feeds itself is not live, nor is an instance of which no output is read, unless it is a
    /// black box, which may act on the world outside. The plain register style always stays.
    pub fn of(module: &Module) -> Self {
        let mut live = Self {
            nodes: vec![false; module.graph.len()],
            states: vec![false; module.states.len()],
            memories: vec![false; module.memories.len()],
            instances: vec![false; module.instances.len()],
            styles: vec![false; module.styles.len()],
        };
        let mut todo: Vec<NodeId> = module.output_elements().map(|e| e.node).collect();
        live.styles[0] = true;
        todo.extend(module.styles[0].enable);
        for i in 0..module.instances.len() {
            if contains_black_box(&module.instances[i]) {
                live.instance(module, i, &mut todo);
            }
        }
        while let Some(n) = todo.pop() {
            if !std::mem::replace(&mut live.nodes[n.index()], true) {
                live.visit(module, n, &mut todo);
            }
        }
        live
    }

    fn visit(&mut self, module: &Module, n: NodeId, todo: &mut Vec<NodeId>) {
        let op = module.graph.op(n);
        todo.extend(op.operands());
        match op {
            Op::State(k) if !std::mem::replace(&mut self.states[k as usize], true) => {
                let state = &module.states[k as usize];
                todo.extend(state.next.into_iter().chain(state.style.enable));
            }
            Op::Read(_, m) if !std::mem::replace(&mut self.memories[m as usize], true) => {
                let writes = module.memories[m as usize].write.into_iter();
                todo.extend(writes.flat_map(|w| [w.enable, w.address, w.data]));
            }
            Op::Delay(_, s) if !std::mem::replace(&mut self.styles[s as usize], true) => {
                todo.extend(module.styles[s as usize].enable);
            }
            Op::Output(i, _) => self.instance(module, i as usize, todo),
            _ => {}
        }
    }

    fn instance(&mut self, module: &Module, i: usize, todo: &mut Vec<NodeId>) {
        if !std::mem::replace(&mut self.instances[i], true) {
            todo.extend(&module.instances[i].inputs);
        }
    }
}

fn contains_black_box(instance: &Instance) -> bool {
    instance.module.hierarchy().iter().any(|m| m.black_box.is_some())
}
