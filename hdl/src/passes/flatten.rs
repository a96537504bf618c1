//! Puts the content of every instance in its place; black boxes stay.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::clean::lost;
use crate::dfg::{
    GraphError, Instance, Live, MemoryWrite, Module, NodeId, Op, RegisterStyle, Reset, Rewriter, ScopeId, Stamp,
};
use crate::diag::{Diagnostic, Diagnostics};

/// Nodes that a flat module may have; a hierarchy of doubling modules would otherwise fill any memory.
const MOST_NODES: u64 = 1 << 28;

/// `module` with every instance replaced by what it holds: nodes, registers, register files, and black boxes.
///
/// Names get the instance's name and an underscore in front, scopes the instance's name and a dot.
///
/// # Errors
/// `too-large`: the flat module would have more than 2^28 nodes.
pub fn flatten(module: &Module) -> Result<Module, Diagnostics> {
    check_size(module)?;
    let mut flat: FxHashMap<*const Module, Arc<Module>> = FxHashMap::default();
    for instance in &module.instances {
        for child in instance.module.hierarchy() {
            let key = Arc::as_ptr(&child);
            if !flat.contains_key(&key) {
                let new = match child.instances.is_empty() {
                    true => child,
                    false => Arc::new(flatten_one(&child, &flat)?),
                };
                flat.insert(key, new);
            }
        }
    }
    flatten_one(module, &flat)
}

/// An error if the flat module has too many nodes.
fn check_size(module: &Module) -> Result<(), Diagnostics> {
    let mut sizes: FxHashMap<*const Module, u64> = FxHashMap::default();
    let size = |m: &Module, sizes: &FxHashMap<*const Module, u64>| {
        let below = m.instances.iter().map(|i| sizes[&Arc::as_ptr(&i.module)]);
        below.fold(m.graph.len() as u64, u64::saturating_add)
    };
    for instance in &module.instances {
        for child in instance.module.hierarchy() {
            let nodes = size(&child, &sizes);
            sizes.insert(Arc::as_ptr(&child), nodes);
        }
    }
    let nodes = size(module, &sizes);
    if nodes <= MOST_NODES {
        return Ok(());
    }
    let message = format!("`{}` would have {nodes} nodes without hierarchy", module.name);
    Err(Diagnostic::error("too-large", message)
        .help(format!("{MOST_NODES} are allowed: keep some of the modules"))
        .into())
}

/// `module`, whose instances' modules have been flattened already.
fn flatten_one(module: &Module, flat: &FxHashMap<*const Module, Arc<Module>>) -> Result<Module, Diagnostics> {
    let child = |i: &Instance| &flat[&Arc::as_ptr(&i.module)];
    let mut live = Live::all(module);
    live.instances = module.instances.iter().map(|i| child(i).black_box.is_some()).collect();
    let names = Names::of(module);
    let mut rewriter = Rewriter::keeping(module, &live);
    let mut splicer = Splicer { rewriter: &mut rewriter, names, outputs: vec![None; module.instances.len()] };
    for n in module.graph.nodes() {
        let new = match module.graph.op(n) {
            Op::Output(i, k) if !live.instances[i as usize] => {
                splicer.splice(i as usize, child(&module.instances[i as usize]))?;
                splicer.output(i as usize, k as usize)
            }
            _ => splicer.rewriter.copy(n).map_err(|e| lost(module, n, e))?,
        };
        splicer.rewriter.set(n, new);
    }
    for (i, instance) in module.instances.iter().enumerate() {
        if !live.instances[i] {
            splicer.splice(i, child(instance))?;
        }
    }
    Ok(rewriter.finish())
}

/// Names of parts that are taken.
struct Names(FxHashSet<String>);

impl Names {
    fn of(module: &Module) -> Self {
        let states = module.states.iter().map(|s| &s.name);
        let memories = module.memories.iter().map(|m| &m.name);
        let instances = module.instances.iter().map(|i| &i.name);
        Self(states.chain(memories).chain(instances).cloned().collect())
    }

    /// `prefix_name`, with a number behind it if that is taken.
    fn fresh(&mut self, prefix: &str, name: &str) -> String {
        let wanted = format!("{prefix}_{name}");
        let numbered = (2u64..).map(|k| format!("{wanted}_{k}"));
        let free = std::iter::once(wanted.clone())
            .chain(numbered)
            .find(|name| !self.0.contains(name))
            .expect("the numbers do not end");
        self.0.insert(free.clone());
        free
    }
}

/// Puts flat modules in the place of instances.
struct Splicer<'a, 'm> {
    rewriter: &'a mut Rewriter<'m>,
    names: Names,
    /// What stands for the outputs of the instances that are gone.
    outputs: Vec<Option<Vec<NodeId>>>,
}

/// Where the parts of a spliced module have gone.
struct Parts {
    states: u32,
    memories: u32,
    instances: u32,
    styles: Vec<u32>,
    scopes: Vec<ScopeId>,
    tables: Vec<Option<u32>>,
    start: Stamp,
}

impl Splicer<'_, '_> {
    fn output(&self, i: usize, k: usize) -> NodeId {
        self.outputs[i].as_ref().expect("spliced before it is read")[k]
    }

    /// Copies the content of `child` unless that has been done.
    fn splice(&mut self, i: usize, child: &Module) -> Result<(), Diagnostics> {
        if self.outputs[i].is_some() {
            return Ok(());
        }
        let instance = &self.rewriter.old().instances[i];
        let inputs: Vec<NodeId> = instance.inputs.iter().map(|n| self.rewriter.get(*n)).collect();
        let mut parts = self.append_parts(child, instance);
        let mut map: Vec<NodeId> = Vec::with_capacity(child.graph.len());
        for n in child.graph.nodes() {
            let new = self.copy(child, n, &map, &inputs, &mut parts).map_err(|e| lost(child, n, e))?;
            map.push(new);
            self.attribute(child, n, new, &parts, &instance.name);
        }
        self.connect_parts(child, &parts, &map);
        self.outputs[i] = Some(child.output_elements().map(|e| map[e.node.index()]).collect());
        Ok(())
    }

    /// Appends the registers, register files, black boxes, styles and scopes of `child`, not yet connected.
    fn append_parts(&mut self, child: &Module, instance: &Instance) -> Parts {
        let prefix = &instance.name;
        let module = self.rewriter.module_mut();
        let parts = Parts {
            states: module.states.len() as u32,
            memories: module.memories.len() as u32,
            instances: module.instances.len() as u32,
            styles: child.styles.iter().map(|s| append_style(module, *s)).collect(),
            scopes: append_scopes(module, child, prefix),
            tables: vec![None; child.graph.table_count() as usize],
            start: instance.start,
        };
        for state in &child.states {
            let name = self.names.fresh(prefix, &state.name);
            module.states.push(crate::dfg::State { name, ..state.clone() });
        }
        for memory in &child.memories {
            let name = self.names.fresh(prefix, &memory.name);
            module.memories.push(crate::dfg::Memory { name, ..memory.clone() });
        }
        for inner in &child.instances {
            let name = self.names.fresh(prefix, &inner.name);
            let start = match (instance.start.cycle(), inner.start.cycle()) {
                (Some(outer), Some(own)) => Stamp::at(outer + own),
                _ => Stamp::TIMELESS,
            };
            module.instances.push(Instance { name, start, ..inner.clone() });
        }
        parts
    }

    fn copy(
        &mut self,
        child: &Module,
        n: NodeId,
        map: &[NodeId],
        inputs: &[NodeId],
        parts: &mut Parts,
    ) -> Result<NodeId, GraphError> {
        let range = child.graph.range(n);
        let at = |a: NodeId| map[a.index()];
        let rewriter = &mut *self.rewriter;
        let stamp = |a: NodeId, rewriter: &Rewriter<'_>| rewriter.graph().stamp(a);
        Ok(match child.graph.op(n) {
            Op::Input(k) => inputs[k as usize],
            Op::Const(k) => rewriter.constant(child.graph.constant_value(k))?,
            Op::State(k) => rewriter.add_declared(Op::State(parts.states + k), range, Stamp::TIMELESS),
            Op::Output(i, k) => {
                let own = child.graph.stamp(n).cycle();
                let stamp = match (parts.start.cycle(), own) {
                    (Some(start), Some(own)) => Stamp::at(start + own),
                    _ => Stamp::TIMELESS,
                };
                rewriter.add_declared(Op::Output(parts.instances + i, k), range, stamp)
            }
            Op::Delay(a, style) => {
                let (a, reset) = (at(a), child.styles[style as usize].reset);
                if reset == Reset::None && rewriter.graph().as_constant(a).is_some() {
                    return Ok(a);
                }
                let range = if reset == Reset::None { rewriter.graph().range(a) } else { range };
                let due = stamp(a, rewriter).later(1);
                rewriter.add_declared(Op::Delay(a, parts.styles[style as usize]), range, due)
            }
            Op::Read(a, m) => {
                let due = stamp(at(a), rewriter);
                rewriter.add_declared(Op::Read(at(a), parts.memories + m), range, due)
            }
            Op::Table(a, t) => {
                let t =
                    *parts.tables[t as usize].get_or_insert_with(|| rewriter.add_table(child.graph.table(t).to_vec()));
                rewriter.add(Op::Table(at(a), t))?
            }
            op => rewriter.add(op.map(at))?,
        })
    }

    /// Gives the nodes that stand for `n` of `child` their place, scope and name.
    fn attribute(&mut self, child: &Module, n: NodeId, new: NodeId, parts: &Parts, prefix: &str) {
        let module = self.rewriter.module_mut();
        let len = module.graph.len();
        module.side.places.extend_to(len, child.place_of(n));
        let scope = parts.scopes[child.scope_of(n).0 as usize];
        module.side.scopes.resize(len, scope);
        if let Some(name) = child.name_of(n) {
            let names = &mut module.side.names;
            names.entry(new).or_insert_with(|| format!("{prefix}_{name}"));
        }
    }

    fn connect_parts(&mut self, child: &Module, parts: &Parts, map: &[NodeId]) {
        let at = |n: NodeId| map[n.index()];
        let module = self.rewriter.module_mut();
        let (states, memories) = (parts.states as usize, parts.memories as usize);
        for (state, old) in module.states[states..].iter_mut().zip(&child.states) {
            state.next = old.next.map(at);
            state.style.enable = old.style.enable.map(at);
        }
        for (memory, old) in module.memories[memories..].iter_mut().zip(&child.memories) {
            memory.write =
                old.write.map(|w| MemoryWrite { enable: at(w.enable), address: at(w.address), data: at(w.data) });
        }
        let instances = module.instances[parts.instances as usize..].iter_mut();
        for (instance, old) in instances.zip(&child.instances) {
            instance.inputs = old.inputs.iter().copied().map(at).collect();
        }
        for (style, old) in parts.styles.iter().zip(&child.styles) {
            if let Some(enable) = old.enable {
                module.styles[*style as usize].enable = Some(at(enable));
            }
        }
    }
}

/// The number of a new style like `style`, whose enable is connected later; the plain one is there already.
fn append_style(module: &mut Module, style: RegisterStyle) -> u32 {
    if style == RegisterStyle::default() {
        return 0;
    }
    module.styles.push(RegisterStyle { enable: None, ..style });
    module.styles.len() as u32 - 1
}

fn append_scopes(module: &mut Module, child: &Module, prefix: &str) -> Vec<ScopeId> {
    let paths = &mut module.side.scope_paths;
    let place = |path: &String| match path.as_str() {
        "" => prefix.to_owned(),
        path => format!("{prefix}.{path}"),
    };
    child
        .side
        .scope_paths
        .iter()
        .map(|path| {
            paths.push(place(path));
            ScopeId(paths.len() as u32 - 1)
        })
        .collect()
}
