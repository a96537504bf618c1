//! What is known about nodes besides their meaning, kept out of the arena. Absence of information is information.

use std::collections::BTreeMap;
use std::panic::Location;

use rustc_hash::FxHashMap;

use super::{NodeId, ScopeId};

/// Places, scopes and names of a module's nodes.
#[derive(Debug, Clone, Default)]
pub(crate) struct SideTables {
    /// Where each node was made.
    pub places: Places,
    /// The scope that each node belongs to, by node index.
    pub scopes: Vec<ScopeId>,
    /// Names that the author gave.
    pub names: BTreeMap<NodeId, String>,
    /// Paths of the scopes; entry 0 is the module itself.
    pub scope_paths: Vec<String>,
}

/// Source lines by node index. A million nodes come from a few hundred lines, so each node holds a number of a line.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places {
    /// 0 for an unknown line, else one more than the index into `lines`.
    by_node: Vec<u32>,
    lines: Vec<&'static Location<'static>>,
    index: FxHashMap<usize, u32>,
}

impl Places {
    /// The line that made `n`.
    pub fn get(&self, n: NodeId) -> Option<&'static Location<'static>> {
        let line = self.by_node.get(n.index())?.checked_sub(1)?;
        Some(self.lines[line as usize])
    }

    /// Lets all nodes below `len` that have no line yet be made at `place`.
    pub fn extend_to(&mut self, len: usize, place: Option<&'static Location<'static>>) {
        if self.by_node.len() < len {
            let line = place.map_or(0, |place| self.intern(place));
            self.by_node.resize(len, line);
        }
    }

    fn intern(&mut self, place: &'static Location<'static>) -> u32 {
        if let Some(last) = self.by_node.last().and_then(|l| l.checked_sub(1))
            && std::ptr::eq(self.lines[last as usize], place)
        {
            return last + 1;
        }
        let next = self.lines.len() as u32 + 1;
        let address = std::ptr::from_ref(place) as usize;
        let line = *self.index.entry(address).or_insert(next);
        if line == next {
            self.lines.push(place);
        }
        line
    }
}
