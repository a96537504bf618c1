//! What the instructions of a program are.

use hdl::num::Interval;

/// What an instruction does with `x`, `y`, `z` (values), `s` (a shift), `k` and `l` (constants).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Input element `x`.
    Input,
    /// The constant `k`.
    Constant,
    /// Register `x`.
    State,
    /// Output element `y` is `x`.
    Store,
    /// `x + y`.
    Add,
    /// `x + y + z`.
    AddThree,
    /// `x + (y << s)`.
    AddShifted,
    /// `x + k`.
    AddImmediate,
    /// `x - y`.
    Subtract,
    /// `x - (y << s)`.
    SubtractShifted,
    /// `(x << s) - y`.
    ShiftedSubtract,
    /// `k - x`.
    ImmediateSubtract,
    /// `x · y`.
    Multiply,
    /// `x · k`.
    MultiplyImmediate,
    /// `x << s`.
    ShiftLeft,
    /// `⌊x / 2^s⌋`.
    ShiftRight,
    /// `(x + k) >> s`.
    AddShiftRight,
    /// `x & y`.
    And,
    /// `x & k`.
    AndImmediate,
    /// `x | y`.
    Or,
    /// `x | k`.
    OrImmediate,
    /// `x ^ y`.
    Xor,
    /// `x ^ k`.
    XorImmediate,
    /// 1 if `x < y`, else 0.
    Less,
    /// 1 if `x < k`, else 0.
    LessImmediate,
    /// 1 if `x > k`, else 0.
    GreaterImmediate,
    /// 1 if `x = y`, else 0.
    Equal,
    /// 1 if `x = k`, else 0.
    EqualImmediate,
    /// `y` if `x` is not 0, else `z`.
    Select,
    /// `k` if `x` is not 0, else `l`.
    SelectImmediate,
    /// The lesser of `x` and `y`.
    Min,
    /// The lesser of `x` and `k`.
    MinImmediate,
    /// The greater of `x` and `y`.
    Max,
    /// The greater of `x` and `k`.
    MaxImmediate,
    /// `min(max(x, k), l)`.
    Clamp,
    /// The low `s` bits of `x` as two's complement.
    SignExtend,
    /// `(x << s) + (y & k)`.
    Concat,
    /// Entry `x` of table `y`.
    Table,
    /// Word `x` of register file `y`.
    Read,
    /// Sum `y`: `k + Σ ⌊weight · operand / 2^s⌋`.
    Sum,
}

/// One step for all lanes: node `d` becomes a function of the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instruction {
    pub code: Code,
    pub s: u8,
    pub d: u32,
    pub x: u32,
    pub y: u32,
    pub z: u32,
    pub k: i128,
    pub l: i128,
    /// Signed bits of what is computed on the way to the result.
    pub inner: u32,
}

impl Code {
    /// How many of `x`, `y` and `z` are values, not numbers of inputs, registers, tables, outputs or sums.
    pub fn operands(self) -> usize {
        match self {
            Code::Input | Code::Constant | Code::State | Code::Sum => 0,
            Code::Add
            | Code::AddShifted
            | Code::Subtract
            | Code::SubtractShifted
            | Code::ShiftedSubtract
            | Code::Multiply
            | Code::And
            | Code::Or
            | Code::Xor
            | Code::Less
            | Code::Equal
            | Code::Min
            | Code::Max
            | Code::Concat => 2,
            Code::AddThree | Code::Select => 3,
            _ => 1,
        }
    }
}

/// A module as instructions on nodes, in an order in which operands come first.
#[derive(Debug)]
pub(super) struct Program {
    /// The instructions, only those that an output needs.
    pub instructions: Vec<Instruction>,
    /// Signed bits that hold each node.
    pub bits: Vec<u32>,
    /// What each [`Code::Sum`] adds up: (node, weight).
    pub sums: Vec<Vec<(u32, i64)>>,
}

impl Program {
    /// The nodes that an instruction reads.
    pub fn operands(&self, i: &Instruction) -> impl Iterator<Item = u32> {
        operands(&self.sums, i)
    }
}

/// The nodes that an instruction reads, whose sums are `sums`.
pub(super) fn operands(sums: &[Vec<(u32, i64)>], i: &Instruction) -> impl Iterator<Item = u32> {
    let terms = if i.code == Code::Sum { sums[i.y as usize].as_slice() } else { &[] };
    [i.x, i.y, i.z].into_iter().take(i.code.operands()).chain(terms.iter().map(|(node, _)| *node))
}

/// Signed bits that hold every value of `range`.
pub(super) fn signed_bits(range: Interval) -> u32 {
    range.width() + u32::from(!range.signed())
}
