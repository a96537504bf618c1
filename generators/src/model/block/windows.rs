//! Which nodes an edge may connect, where that is promised beforehand.

use hdl::dfg::{ModuleBuilder, Value};
use hdl::num::Interval;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::TensorInfo;

/// A geometry that is promised beforehand, such as layers whose neighbours are connected: `size` successive nodes at
/// either end of each edge. It shrinks gather and scatter. An edge that breaks the promise is not live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Windows {
    /// Nodes of a window.
    pub size: usize,
    /// First node of each edge's window of receivers.
    pub receivers: Vec<usize>,
    /// First node of each edge's window of senders.
    pub senders: Vec<usize>,
}

impl Windows {
    /// The windows of one edge.
    pub(super) fn of_edge(&self, edge: usize) -> Self {
        Self { size: self.size, receivers: vec![self.receivers[edge]], senders: vec![self.senders[edge]] }
    }

    /// Whether an edge is valid and both its ends lie in its windows.
    pub(super) fn connects(&self, edge: usize, [sender, receiver, valid]: [i64; 3]) -> bool {
        let inside = |first: usize, node: i64| (first..first + self.size).contains(&(node as usize));
        valid == 1 && inside(self.receivers[edge], receiver) && inside(self.senders[edge], sender)
    }

    /// The same in hardware.
    pub(super) fn connected<'m>(&self, m: &'m ModuleBuilder, edge: usize, ends: [Value<'m>; 3]) -> Value<'m> {
        let [sender, receiver, valid] = ends;
        let inside = |first: usize, node: Value<'m>| {
            let (first, end) = (m.constant(first as i128, 0), m.constant((first + self.size) as i128, 0));
            node.ge(first) & node.lt(end)
        };
        valid & inside(self.receivers[edge], receiver) & inside(self.senders[edge], sender)
    }
}

/// An error unless windows of `size` that begin with nodes `first` lie within `nodes`.
pub(crate) fn check_windows<'a>(
    size: usize,
    mut first: impl Iterator<Item = &'a usize>,
    nodes: usize,
) -> Result<(), String> {
    let last = nodes.checked_sub(size).filter(|_| size > 0);
    match first.find(|first| last.is_none_or(|last| **first > last)) {
        None => Ok(()),
        Some(first) => Err(format!("a window of {size} nodes from {first} on, of {nodes} nodes")),
    }
}

/// The shape of what is said about each edge, if the operands are senders, receivers and valid bits of so many.
pub(super) fn per_edge(windows: &Windows, columns: usize, x: &[&TensorInfo]) -> Result<Vec<usize>, String> {
    let edges = windows.receivers.len();
    let bit = Interval::of_width(1, false).expect("one bit");
    let natural = x.iter().all(|x| x.shape == [edges] && x.range.lo() >= 0);
    if windows.senders.len() != edges || edges == 0 || windows.size == 0 || !natural || !bit.covers(x[2].range) {
        return Err(format!("senders, receivers and valid bits of {edges} edges are wanted"));
    }
    Ok(vec![edges, columns])
}
