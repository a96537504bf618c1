//! Forward references: each gives way to its driver, in an order in which operands come first, unless there is a loop.

use std::collections::VecDeque;
use std::collections::hash_map::Entry;

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use rustc_hash::{FxHashMap, FxHashSet};

use super::builder::{WireSlot, available};
use super::module::{Instance, Module, RegisterStyle};
use super::{GraphError, NodeId, Op, Rewriter, Stamp};
use crate::diag::{Diagnostic, Diagnostics};

/// The module with every forward reference replaced by its driver, in an order in which operands come first.
pub(super) fn resolve_wires(module: Module, wires: &[WireSlot]) -> Result<Module, Diagnostics> {
    if wires.is_empty() {
        return Ok(module);
    }
    let undriven: Vec<Diagnostic> = wires.iter().filter(|w| w.driver.is_none()).map(undriven_wire).collect();
    if !undriven.is_empty() {
        return Err(Diagnostics(undriven));
    }
    let order = combinational_order(&module, wires)?;
    let mut rewriter = Rewriter::new(&module);
    for n in order {
        let new = match module.graph.op(n) {
            Op::Wire(k) => Ok(rewriter.get(driver(wires, k))),
            _ => rewriter.copy(n),
        };
        let new = match new {
            Ok(new) => new,
            Err(GraphError::CycleMismatch(a, b)) => {
                let error = late_mismatch(&mut rewriter, [a, b]);
                return Err(error.label(module.place_of(n), "used together here").into());
            }
            Err(error) => {
                let error = Diagnostic::error("too-wide", error.to_string());
                return Err(error.label(module.place_of(n), "computed here").into());
            }
        };
        rewriter.set(n, new);
    }
    match parted(&module, &mut rewriter) {
        Some(error) => Err(error.into()),
        None => Ok(rewriter.finish()),
    }
}

/// The error of new nodes of different cycles.
fn late_mismatch(rewriter: &mut Rewriter<'_>, nodes: [NodeId; 2]) -> Diagnostic {
    let message = "values of different cycles meet once the forward references are resolved";
    let new = rewriter.module_mut();
    let error = nodes.iter().fold(Diagnostic::error("cycle-mismatch", message), |error, &n| {
        error.label(new.place_of(n), available(new.graph.stamp(n)))
    });
    error.help("drive a wire with values of the cycle in which it is used, or with registers (`state`)")
}

/// The error of nodes that belong together but come in different cycles since a wire is resolved.
fn parted(module: &Module, rewriter: &mut Rewriter<'_>) -> Option<Diagnostic> {
    let ports = module.outputs.iter();
    let ports = ports.map(|p| p.elements.iter().map(|e| e.node).collect());
    let states = module.states.iter();
    let states = states.map(|s| s.next.into_iter().chain(s.style.enable).collect());
    let memories = module.memories.iter().filter_map(|m| m.write);
    let memories = memories.map(|w| vec![w.enable, w.address, w.data]);
    for group in ports.chain(states).chain(memories) {
        let group: Vec<NodeId> = group;
        let mut timed = group.iter().map(|n| rewriter.get(*n)).filter(|n| {
            let stamp = rewriter.graph().stamp(*n);
            stamp != Stamp::TIMELESS
        });
        let first = timed.next();
        let differs = |n: &NodeId| first.is_some_and(|f| rewriter.graph().stamp(f) != rewriter.graph().stamp(*n));
        let other = timed.find(differs);
        if let (Some(first), Some(other)) = (first, other) {
            return Some(late_mismatch(rewriter, [first, other]));
        }
    }
    module.instances.iter().find_map(|instance| {
        let ports = instance.module.inputs.iter();
        let wanted = ports.flat_map(|p| p.elements.iter().map(|_| p.stamp));
        let (n, due) = wanted.zip(&instance.inputs).find_map(|(wanted, &n)| {
            let due = wanted.cycle().map_or(Stamp::TIMELESS, |cycle| instance.start.later(cycle));
            let stamp = rewriter.graph().stamp(rewriter.get(n));
            let late = wanted != Stamp::TIMELESS && stamp != Stamp::TIMELESS && stamp != due;
            late.then_some((rewriter.get(n), due))
        })?;
        let message = format!(
            "an input of instance `{}` comes in another cycle than wanted once the forward references are resolved",
            instance.name
        );
        let new = rewriter.module_mut();
        let wanted = match due.cycle() {
            Some(cycle) => format!("wanted in cycle {cycle}"),
            None => "the instance knows of no cycle yet".into(),
        };
        let cycle = format!("{}, {wanted}", available(new.graph.stamp(n)));
        Some(
            Diagnostic::error("cycle-mismatch", message)
                .label(new.place_of(n), cycle)
                .help("drive a wire with values of the cycle in which it is used, or with registers (`state`)"),
        )
    })
}

fn driver(wires: &[WireSlot], k: u32) -> NodeId {
    wires[k as usize].driver.expect("every wire is driven").0
}

fn undriven_wire(wire: &WireSlot) -> Diagnostic {
    Diagnostic::error("undriven", format!("wire `{}` is never driven", wire.name))
        .label(Some(wire.declared), "declared here")
        .help("give it a value with `drive`, or with `set` if it is a signal")
}

/// All nodes, operands first, following wires to their drivers; or the combinational loops.
///
/// Strongly connected components come out of Kosaraju's algorithm in reverse topological order of the edges, so with
/// edges from reader to operand the operands come first. (Tarjan's would too, but petgraph's recurses.)
fn combinational_order(module: &Module, wires: &[WireSlot]) -> Result<Vec<NodeId>, Diagnostics> {
    let graph = &module.graph;
    let mut view: DiGraph<(), (), u32> = DiGraph::with_capacity(graph.len(), 2 * graph.len());
    for _ in 0..graph.len() + module.instances.len() {
        view.add_node(());
    }
    // an instance stands as a node of its own behind the graph's nodes
    let instance = |i: usize| NodeId((graph.len() + i) as u32);
    let at = |n: NodeId| NodeIndex::<u32>::new(n.index());
    let edge = |view: &mut DiGraph<(), (), u32>, from: NodeId, to: NodeId| {
        view.add_edge(at(from), at(to), ());
    };
    for n in graph.nodes() {
        match graph.op(n) {
            Op::Wire(k) => edge(&mut view, n, driver(wires, k)),
            Op::Output(i, _) => edge(&mut view, n, instance(i as usize)),
            op => op.operands().for_each(|a| edge(&mut view, n, a)),
        }
        if let Op::Delay(_, style) = graph.op(n)
            && let RegisterStyle { enable: Some(enable), .. } = module.styles[style as usize]
        {
            edge(&mut view, n, enable);
        }
    }
    for (i, Instance { inputs, .. }) in module.instances.iter().enumerate() {
        inputs.iter().for_each(|&a| edge(&mut view, instance(i), a));
    }
    let components = kosaraju_scc(&view);
    let node = |i: &NodeIndex<u32>| NodeId(i.index() as u32);
    let loops: Vec<Diagnostic> = components
        .iter()
        .filter(|c| c.len() > 1 || view.contains_edge(c[0], c[0]))
        .map(|c| loop_error(module, wires, &shortest_loop(&view, c)))
        .collect();
    if !loops.is_empty() {
        return Err(Diagnostics(loops));
    }
    Ok(components.iter().flatten().map(node).filter(|n| n.index() < graph.len()).collect())
}

/// A loop through the first node of a strongly connected component, as short as there is one, in the order in which
/// values flow.
fn shortest_loop(view: &DiGraph<(), (), u32>, component: &[NodeIndex<u32>]) -> Vec<NodeId> {
    let inside: FxHashSet<NodeIndex<u32>> = component.iter().copied().collect();
    let start = *component.iter().min().expect("a component has nodes");
    // breadth first from reader to operand; `reader` leads back to the start, in the direction of the values
    let mut reader: FxHashMap<NodeIndex<u32>, NodeIndex<u32>> = FxHashMap::default();
    let mut queue = VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        for operand in view.neighbors(at).filter(|n| inside.contains(n)) {
            if let Entry::Vacant(free) = reader.entry(operand) {
                free.insert(at);
                queue.push_back(operand);
            }
        }
        if reader.contains_key(&start) {
            break;
        }
    }
    let mut path = vec![NodeId(start.index() as u32)];
    let mut at = reader[&start];
    while at != start {
        path.push(NodeId(at.index() as u32));
        at = reader[&at];
    }
    path
}

/// Nodes of a loop that are shown.
const LOOP_SHOWN: usize = 20;

fn loop_error(module: &Module, wires: &[WireSlot], path: &[NodeId]) -> Diagnostic {
    let nodes = || path.iter().filter(|n| n.index() < module.graph.len());
    let delayed = nodes().any(|n| matches!(module.graph.op(*n), Op::Delay(..)));
    let mut error = if delayed {
        let message = "a value depends on itself through pipeline registers";
        Diagnostic::error("feedback", message).help("hold what is fed back in a register (`state`)")
    } else {
        let message = "a value depends on itself within one cycle";
        Diagnostic::error("combinational-loop", message).help("break the loop with a register (`state`)")
    };
    for &n in nodes().take(LOOP_SHOWN) {
        let what = match module.graph.op(n) {
            Op::Wire(k) => format!("wire `{}`", wires[k as usize].name),
            Op::Output(i, _) => format!("instance `{}`", module.instances[i as usize].name),
            op => match module.name_of(n) {
                Some(name) => format!("{} `{name}`", op.mnemonic()),
                None => op.mnemonic().to_owned(),
            },
        };
        error = error.label(module.place_of(n), format!("through this {what}"));
    }
    match nodes().count().saturating_sub(LOOP_SHOWN) {
        0 => error,
        more => error.label(None, format!("and {more} more")),
    }
}
