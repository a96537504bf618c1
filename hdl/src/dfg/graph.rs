//! The arena of a module's nodes: hash-consed, with an exact range and a cycle stamp on every node.

use hashbrown::HashTable;
use rustc_hash::{FxBuildHasher, FxHashMap};
use std::hash::BuildHasher;

use super::fold::{self, Folded};
use super::{NodeId, Op};
use crate::num::{Interval, OutOfRange};

/// The clock cycle in which a node's value belongs to the sample that entered in cycle 0.
///
/// Constants and state registers are *timeless*: they go with values of any cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(u32);

impl Stamp {
    /// Belongs to no sample.
    pub const TIMELESS: Self = Self(u32::MAX);

    /// In cycle `cycle` after the sample entered.
    pub fn at(cycle: u32) -> Self {
        Self(cycle.min(u32::MAX - 1))
    }

    /// The cycle, unless timeless.
    pub fn cycle(self) -> Option<u32> {
        (self != Self::TIMELESS).then_some(self.0)
    }

    /// `cycles` later; the timeless stays timeless.
    #[must_use]
    pub fn later(self, cycles: u32) -> Self {
        self.cycle().map_or(self, |c| Self::at(c.saturating_add(cycles)))
    }

    /// The stamp of a value made from both, if both belong to the same cycle.
    pub fn join(self, other: Self) -> Option<Self> {
        match (self.cycle(), other.cycle()) {
            (None, _) => Some(other),
            (_, None) => Some(self),
            (Some(a), Some(b)) => (a == b).then_some(self),
        }
    }
}

impl std::fmt::Display for Stamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.cycle() {
            Some(cycle) => write!(f, "@{cycle}"),
            None => write!(f, "@any"),
        }
    }
}

/// Why a node cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// Two operands belong to different cycles.
    #[error("operands of different cycles")]
    CycleMismatch(NodeId, NodeId),
    /// The exact result is too wide.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// A table's index can leave the table.
    #[error("the index range {index} leaves the table of {len} entries")]
    TableIndex {
        /// Range of the index.
        index: Interval,
        /// Entries of the table.
        len: usize,
    },
}

/// The arena. A node stands after its operands, so a `for` loop over it is a topological order.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    ops: Vec<Op>,
    ranges: Ranges,
    stamps: Vec<Stamp>,
    index: HashTable<u32>,
    constants: Vec<i128>,
    constant_index: FxHashMap<i128, u32>,
    tables: Vec<Box<[i128]>>,
    table_index: HashTable<u32>,
}

/// Intervals by node index: 16 bytes for one whose ends fit 64 bits, which nearly all do, and an entry elsewhere for
/// the others.
#[derive(Debug, Clone, Default)]
struct Ranges {
    /// Both ends; or, where the first is `WIDE`, the index into `wide`.
    narrow: Vec<[i64; 2]>,
    wide: Vec<Interval>,
}

/// No low end of an interval kept in 64 bits.
const WIDE: i64 = i64::MAX;

impl Ranges {
    fn get(&self, n: NodeId) -> Interval {
        match self.narrow[n.index()] {
            [WIDE, k] => self.wide[k as usize],
            [lo, hi] => Interval::new(lo.into(), hi.into()).expect("stored from an interval"),
        }
    }

    fn push(&mut self, range: Interval) {
        match (i64::try_from(range.lo()), i64::try_from(range.hi())) {
            (Ok(lo), Ok(hi)) if lo != WIDE => self.narrow.push([lo, hi]),
            _ => {
                self.narrow.push([WIDE, self.wide.len() as i64]);
                self.wide.push(range);
            }
        }
    }
}

impl Graph {
    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.ops.len()
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// All nodes, operands first.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = NodeId> + use<> {
        (0..self.ops.len() as u32).map(NodeId)
    }

    /// What `n` computes.
    pub fn op(&self, n: NodeId) -> Op {
        self.ops[n.index()]
    }

    /// Which integers `n` can be.
    pub fn range(&self, n: NodeId) -> Interval {
        self.ranges.get(n)
    }

    /// When `n` is there.
    pub fn stamp(&self, n: NodeId) -> Stamp {
        self.stamps[n.index()]
    }

    /// The value of `n` if it is a constant node.
    pub fn as_constant(&self, n: NodeId) -> Option<i128> {
        match self.op(n) {
            Op::Const(k) => Some(self.constants[k as usize]),
            _ => None,
        }
    }

    /// Entries of table `t`.
    pub fn table(&self, t: u32) -> &[i128] {
        &self.tables[t as usize]
    }

    /// Number of tables.
    pub fn table_count(&self) -> u32 {
        self.tables.len() as u32
    }

    /// The constant pool's entry `k`.
    pub fn constant_value(&self, k: u32) -> i128 {
        self.constants[k as usize]
    }

    /// The node of the constant `value`.
    pub fn constant(&mut self, value: i128) -> Result<NodeId, GraphError> {
        let range = Interval::point(value)?;
        let next = self.constants.len() as u32;
        let k = *self.constant_index.entry(value).or_insert(next);
        if k == next {
            self.constants.push(value);
        }
        Ok(self.intern(Op::Const(k), range, Stamp::TIMELESS))
    }

    /// Registers a table of constants; equal tables are one.
    pub fn add_table(&mut self, values: Vec<i128>) -> u32 {
        let hash = FxBuildHasher.hash_one(&values[..]);
        let tables = &self.tables;
        if let Some(&t) = self.table_index.find(hash, |&t| *tables[t as usize] == values[..]) {
            return t;
        }
        let t = tables.len() as u32;
        self.tables.push(values.into_boxed_slice());
        let tables = &self.tables;
        self.table_index.insert_unique(hash, t, |&t| FxBuildHasher.hash_one(&tables[t as usize][..]));
        t
    }

    /// The node of a combinational operator or table: folded if its value is known, shared if it is there already.
    pub fn add(&mut self, op: Op) -> Result<NodeId, GraphError> {
        match fold::fold(self, op) {
            Some(Folded::Node(n)) => return Ok(n),
            Some(Folded::Constant(value)) => return self.constant(value),
            Some(Folded::Op(simpler)) => return self.add(simpler),
            None => {}
        }
        let stamp = self.joined_stamp(op)?;
        let range = match op {
            Op::Table(a, t) => self.table_range(a, t)?,
            _ => op.range(|n| self.range(n)).expect("sources are made with their range")?,
        };
        if let Some(value) = range.as_point() {
            return self.constant(value);
        }
        Ok(self.intern(op, range, stamp))
    }

    /// The node of a source, register or forward reference, whose range and stamp its declaration says.
    pub fn add_declared(&mut self, op: Op, range: Interval, stamp: Stamp) -> NodeId {
        self.intern(op, range, stamp)
    }

    fn joined_stamp(&self, op: Op) -> Result<Stamp, GraphError> {
        let mut stamp = Stamp::TIMELESS;
        let mut witness = None;
        for n in op.operands() {
            stamp = stamp
                .join(self.stamp(n))
                .ok_or_else(|| GraphError::CycleMismatch(witness.expect("a timeless stamp joins any"), n))?;
            if self.stamp(n) != Stamp::TIMELESS {
                witness = witness.or(Some(n));
            }
        }
        Ok(stamp)
    }

    fn table_range(&self, a: NodeId, t: u32) -> Result<Interval, GraphError> {
        let (index, values) = (self.range(a), self.table(t));
        let used = usize::try_from(index.lo())
            .ok()
            .zip(usize::try_from(index.hi()).ok())
            .and_then(|(lo, hi)| values.get(lo..=hi))
            .ok_or(GraphError::TableIndex { index, len: values.len() })?;
        let lo = used.iter().min().expect("an interval is never empty");
        let hi = used.iter().max().expect("an interval is never empty");
        Ok(Interval::new(*lo, *hi)?)
    }

    fn intern(&mut self, op: Op, range: Interval, stamp: Stamp) -> NodeId {
        let hash = FxBuildHasher.hash_one(op);
        if let Some(&n) = self.index.find(hash, |&n| self.ops[n as usize] == op) {
            return NodeId(n);
        }
        let n = self.ops.len() as u32;
        assert!(n < u32::MAX, "a module holds fewer than 2^32 nodes");
        self.ops.push(op);
        self.ranges.push(range);
        self.stamps.push(stamp);
        let ops = &self.ops;
        self.index.insert_unique(hash, n, |&m| FxBuildHasher.hash_one(ops[m as usize]));
        NodeId(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(graph: &mut Graph, k: u32, lo: i128, hi: i128, cycle: u32) -> NodeId {
        graph.add_declared(Op::Input(k), Interval::new(lo, hi).unwrap(), Stamp::at(cycle))
    }

    #[test]
    fn equal_nodes_are_one() {
        let mut g = Graph::default();
        let (a, b) = (input(&mut g, 0, 0, 7, 0), input(&mut g, 1, 0, 7, 0));
        assert_eq!(g.add(Op::Add(a, b)), g.add(Op::Add(b, a)));
        assert_eq!(g.constant(5), g.constant(5));
        assert_eq!(g.add_table(vec![1, 2]), g.add_table(vec![1, 2]));
    }

    #[test]
    fn cycles_do_not_mix() {
        let mut g = Graph::default();
        let (a, b) = (input(&mut g, 0, 0, 7, 0), input(&mut g, 1, 0, 7, 1));
        let k = g.constant(3).unwrap();
        assert_eq!(g.add(Op::Add(a, b)), Err(GraphError::CycleMismatch(a, b)));
        let sum = g.add(Op::Add(b, k)).unwrap();
        assert_eq!(g.stamp(sum), Stamp::at(1));
    }

    #[test]
    fn a_table_index_stays_inside() {
        let mut g = Graph::default();
        let a = input(&mut g, 0, 0, 4, 0);
        let t = g.add_table(vec![5, 6, 7, 8]);
        assert!(matches!(g.add(Op::Table(a, t)), Err(GraphError::TableIndex { len: 4, .. })));
    }
}
