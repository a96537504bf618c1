//! What the run-time edge list is for: rows of nodes by index, and which edges count.

use hdl::dfg::Value;
use hdl::num::Interval;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::windows::{Windows, check_windows, per_edge};
use super::{HandMade, Site};
use crate::model::TensorInfo;

/// For each row the node that its index names: nodes `[nodes, features]` and indices `[rows]` → `[rows, features]`.
///
/// Row `k` may name the nodes `first[k]` to `first[k] + size`, of which its index is the number. Of an index beyond them
/// the low bits are read, and what these name past the end stands for one of the last nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GatherAt {
    /// Features of a node.
    pub features: usize,
    /// Nodes that a row may name.
    pub size: usize,
    /// The first of them, for each row.
    pub first: Vec<usize>,
}

impl GatherAt {
    /// Bits of an index that are read.
    fn bits(&self) -> u32 {
        usize::BITS - (self.size - 1).leading_zeros()
    }

    /// The node of a window that answers to these bits. Past the end it is one of the last block of a power of two, again
    /// and again: the multiplexers of its copies are one.
    fn node(&self, bits: usize) -> usize {
        let block = 1 << self.size.trailing_zeros();
        if bits < self.size { bits } else { self.size - block + bits % block }
    }

    /// The nodes that a row may name.
    pub(crate) fn window(&self, row: usize) -> std::ops::Range<usize> {
        self.first[row]..self.first[row] + self.size
    }

    /// The gather of one row out of its window.
    pub(crate) fn of_row(&self) -> Self {
        Self { first: vec![0], ..*self }
    }
}

impl HandMade for GatherAt {
    fn name(&self) -> &'static str {
        "gather_at"
    }

    fn operands(&self) -> usize {
        2
    }

    fn result(&self, x: &[&TensorInfo]) -> Result<TensorInfo, String> {
        let rows = self.first.len();
        let (&[nodes, features], &[indices]) = (&*x[0].shape, &*x[1].shape) else {
            return Err(format!("a matrix and indices are wanted, found {:?} and {:?}", x[0].shape, x[1].shape));
        };
        if features != self.features || indices != rows || rows == 0 {
            return Err(format!(
                "{rows} rows of {} features out of {:?} and {indices} indices",
                self.features, x[0].shape
            ));
        }
        check_windows(self.size, self.first.iter(), nodes)?;
        Ok(TensorInfo { shape: vec![rows, features], range: x[0].range })
    }

    fn evaluate(&self, x: &[&[i64]]) -> Vec<i64> {
        let row = |(first, index): (&usize, &i64)| {
            let node = first + self.node((index & ((1 << self.bits()) - 1)) as usize);
            x[0][node * self.features..][..self.features].to_vec()
        };
        self.first.iter().zip(x[1]).flat_map(row).collect()
    }

    /// Multiplexers.
    fn build<'m>(&self, at: Site<'_, 'm>) -> Vec<Value<'m>> {
        let Site { operands: x, .. } = at;
        let row = |(first, index): (&usize, &Value<'m>)| {
            let bits = index.wrap(self.bits(), false);
            let feature = move |f: usize| {
                let column = (0..1 << self.bits()).map(|k| x[0][(first + self.node(k)) * self.features + f]);
                bits.select(&column.collect::<Vec<_>>())
            };
            (0..self.features).map(feature).collect::<Vec<_>>()
        };
        self.first.iter().zip(x[1]).flat_map(row).collect()
    }
}

/// Which edges are live, and the receivers of those: senders, receivers and valid bits, `[edges]` each →
/// `[edges, 1 + size]`.
///
/// The first column is 1 for an edge that is valid and both of whose ends lie in its windows; the others say of each node
/// of the window of receivers whether it is the receiver of a live edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Incidence {
    /// Nodes that each edge may connect.
    pub windows: Windows,
}

impl Incidence {
    /// That of one edge.
    pub(crate) fn of_row(&self, edge: usize) -> Self {
        Self { windows: self.windows.of_edge(edge) }
    }
}

impl HandMade for Incidence {
    fn name(&self) -> &'static str {
        "incidence"
    }

    fn operands(&self) -> usize {
        3
    }

    fn result(&self, x: &[&TensorInfo]) -> Result<TensorInfo, String> {
        let shape = per_edge(&self.windows, 1 + self.windows.size, x)?;
        Ok(TensorInfo { shape, range: Interval::of_width(1, false).map_err(|e| e.to_string())? })
    }

    fn evaluate(&self, x: &[&[i64]]) -> Vec<i64> {
        let mut bits = Vec::new();
        for (k, first) in self.windows.receivers.iter().enumerate() {
            let live = self.windows.connects(k, [x[0][k], x[1][k], x[2][k]]);
            bits.push(i64::from(live));
            bits.extend((0..self.windows.size).map(|i| i64::from(live && x[1][k] as usize == first + i)));
        }
        bits
    }

    /// Comparators.
    fn build<'m>(&self, at: Site<'_, 'm>) -> Vec<Value<'m>> {
        let Site { m, operands: x, .. } = at;
        let mut bits = Vec::new();
        for (k, first) in self.windows.receivers.iter().enumerate() {
            let live = self.windows.connected(m, k, [x[0][k], x[1][k], x[2][k]]);
            bits.push(live);
            let is = |i: usize| live & x[1][k].equals(m.constant((first + i) as i128, 0));
            bits.extend((0..self.windows.size).map(is));
        }
        bits
    }
}
