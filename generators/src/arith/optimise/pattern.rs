//! Two-term patterns that columns share.

use crate::arith::graph::{NodeId, Term};

/// `a << sa` plus or minus `b << sb`, one of the shifts being zero; `a <= b`, and `sa = 0 < sb` if `a = b`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    pub(super) a: NodeId,
    pub(super) b: NodeId,
    pub(super) sa: u8,
    pub(super) sb: u8,
    pub(super) minus: bool,
}

const NODE_BITS: u32 = 26;

impl Pattern {
    /// The digit `b` lies `offset` above the digit `a` (below, if negative).
    pub(super) fn new(a: NodeId, b: NodeId, offset: i32, minus: bool) -> Self {
        Self { a, b, sa: (-offset).max(0) as u8, sb: offset.max(0) as u8, minus }
    }

    /// The pattern of a recipe, and whether the recipe is the pattern negated.
    pub(super) fn of(x: Term, y: Term) -> (Self, bool) {
        let swap = (x.node, x.shift) > (y.node, y.shift);
        let (a, b) = if swap { (y, x) } else { (x, y) };
        (Self { a: a.node, b: b.node, sa: a.shift, sb: b.shift, minus: a.neg != b.neg }, a.neg)
    }

    pub(super) fn key(self) -> u64 {
        let offset = u64::from(64 + self.sb - self.sa);
        (u64::from(self.a) << (NODE_BITS + 8)) | (u64::from(self.b) << 8) | (offset << 1) | u64::from(self.minus)
    }

    pub(super) fn from_key(key: u64) -> Self {
        let node = |k: u64| (k & ((1 << NODE_BITS) - 1)) as NodeId;
        let offset = (key >> 1 & 0x7f) as i32 - 64;
        Self::new(node(key >> (NODE_BITS + 8)), node(key >> 8), offset, key & 1 == 1)
    }
}
