//! The order in which nodes are evaluated: first what they read, with feedback through registers in groups.

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::circuit::{NONE, Node};

/// Nodes that follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Group {
    /// Where the next group begins.
    pub end: u32,
    /// Whether they read one another in a circle.
    pub feedback: bool,
}

/// An order of nodes.
pub(super) struct Ordered {
    /// The nodes' numbers.
    pub nodes: Vec<u32>,
    /// They fall into these groups.
    pub groups: Vec<Group>,
}

/// Orders nodes, of which `drivers` tells which drives a net.
///
/// # Errors
/// A node in a loop without a register.
pub(super) fn of<'a>(
    nodes: &'a [Node],
    drivers: &[u32],
    reads: impl Fn(&'a Node) -> &'a [u32],
) -> Result<Ordered, usize> {
    let mut graph: DiGraph<(), (), u32> = DiGraph::with_capacity(nodes.len(), 3 * nodes.len());
    for _ in nodes {
        graph.add_node(());
    }
    for (i, node) in nodes.iter().enumerate() {
        let before = reads(node).iter().map(|net| drivers[*net as usize]);
        for driver in before.filter(|driver| *driver != NONE) {
            graph.add_edge(driver.into(), (i as u32).into(), ());
        }
    }
    let depth = depths(nodes, &graph)?;
    let mut ordered = Ordered { nodes: Vec::with_capacity(nodes.len()), groups: Vec::new() };
    // Kosaraju's algorithm gives what is read last
    for mut group in kosaraju_scc(&graph).into_iter().rev() {
        let feedback = group.len() > 1 || graph.contains_edge(group[0], group[0]);
        group.sort_unstable_by_key(|node| (depth[node.index()], node.index()));
        ordered.nodes.extend(group.iter().map(|node| node.index() as u32));
        let end = ordered.nodes.len() as u32;
        match ordered.groups.last_mut() {
            Some(last) if !last.feedback && !feedback => last.end = end,
            _ => ordered.groups.push(Group { end, feedback }),
        }
    }
    Ok(ordered)
}

/// How many gates lie between a node and the registers or inputs before it; registers come after everything.
fn depths(nodes: &[Node], graph: &DiGraph<(), (), u32>) -> Result<Vec<u32>, usize> {
    let is_register = |node: NodeIndex| nodes[node.index()].is_register();
    let mut depth = vec![0; nodes.len()];
    let mut waiting = vec![0; nodes.len()];
    for edge in graph.raw_edges().iter().filter(|e| !is_register(e.source())) {
        waiting[edge.target().index()] += 1;
    }
    let gates = graph.node_indices().filter(|node| !is_register(*node));
    let mut ready: Vec<NodeIndex> = gates.clone().filter(|node| waiting[node.index()] == 0).collect();
    while let Some(node) = ready.pop() {
        for reader in graph.neighbors(node).filter(|reader| !is_register(*reader)) {
            let i = reader.index();
            depth[i] = depth[i].max(depth[node.index()] + 1);
            waiting[i] -= 1;
            if waiting[i] == 0 {
                ready.push(reader);
            }
        }
    }
    if let Some(node) = gates.clone().find(|node| waiting[node.index()] > 0) {
        return Err(node.index());
    }
    for register in graph.node_indices().filter(|node| is_register(*node)) {
        depth[register.index()] = u32::MAX;
    }
    Ok(depth)
}
