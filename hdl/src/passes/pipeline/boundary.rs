//! What a boundary between two stages costs, as edges of a network whose least cut places it.

use super::problem::Problem;
use crate::dfg::NodeId;
use crate::passes::max_flow::{Network, UNLIMITED};

/// On which side of a boundary a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Before,
    After,
    /// To be decided: the vertex in the network.
    Open(u32),
}

/// The network's ends: what stands before its boundary is on the source's side.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    pub source: u32,
    pub sink: u32,
}

/// Lets `n` pay its width if it stands before the boundary and one of its readers after it.
pub(super) fn charge(
    network: &mut Network,
    ends: Ends,
    problem: &Problem<'_>,
    n: NodeId,
    place: impl Fn(NodeId) -> Place,
) {
    let own = match place(n) {
        Place::After => return,
        Place::Before => ends.source,
        Place::Open(vertex) => vertex,
    };
    let width = u64::from(problem.width[n.index()]);
    let places = || problem.readers(n).iter().map(|(r, _)| place(*r));
    if problem.is_output[n.index()] || places().any(|p| p == Place::After) {
        if own != ends.source {
            network.edge(own, ends.sink, width);
        }
        return;
    }
    let vertex = |p| match p {
        Place::Open(vertex) => Some(vertex),
        _ => None,
    };
    let mut open: Vec<u32> = places().filter_map(vertex).collect();
    open.sort_unstable();
    open.dedup();
    match *open {
        [] => {}
        [reader] => network.edge(own, reader, width),
        _ => {
            let hub = network.vertex();
            network.edge(own, hub, width);
            open.iter().for_each(|r| network.edge(hub, *r, UNLIMITED));
        }
    }
}
