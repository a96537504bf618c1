//! The operators of the data-flow graph: what each means on integers and which results it can have.
//!
//! Every node stands for one integer a cycle. Bitwise operators see an integer as an endless two's-complement
//! pattern, so they need no width.

use crate::num::{Interval, OutOfRange, wrap};

/// A node of a [`Graph`](super::Graph).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u32);

impl NodeId {
    /// Position in the arena.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a node computes.
///
/// | operator | value |
/// |---|---|
/// | `Const(k)` | entry `k` of the constant pool |
/// | `Input(k)` | element `k` of the module's inputs |
/// | `Add(a, b)`, `Sub(a, b)`, `Mul(a, b)` | `a + b`, `a - b`, `a · b` |
/// | `Shl(a, s)`, `Shr(a, s)` | `a · 2^s`, `floor(a / 2^s)` |
/// | `FullAdder(a, b, c)` | `a + b + c` of three single bits, as one cell: sum in bit 0, carry in bit 1 |
/// | `And(a, b)`, `Or(a, b)`, `Xor(a, b)` | bitwise |
/// | `Lt(a, b)`, `Eq(a, b)` | 1 if `a < b`, `a = b`, else 0 |
/// | `Mux(s, a, b)` | `a` if `s` is not 0, else `b` |
/// | `Min(a, b)`, `Max(a, b)` | the lesser, the greater |
/// | `Wrap(a, w, signed)` | the low `w` bits of `a`, read as unsigned or two's complement |
/// | `Concat(a, b, w)` | `a · 2^w + (b mod 2^w)` |
/// | `Table(a, t)` | entry `a` of table `t` |
/// | `Delay(a, r)` | `a` of the cycle before, in a register of style `r` |
/// | `State(k)` | the content of state register `k` |
/// | `Read(a, m)` | word `a` of register file `m` in this cycle |
/// | `Output(i, k)` | output element `k` of instance `i` |
/// | `Same(a, b)` | `a`, which `b` equals: `a` for synthesis, `b` for simulation; only while a module is under construction |
/// | `Narrow(a, lo, hi)` | `a`, which is known to lie from `lo` to `hi` wherever it is looked at: evaluators clamp it, hardware takes its low bits |
/// | `Wire(k)` | a forward reference; only while a module is under construction |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the table above says what each is
pub enum Op {
    Const(u32),
    Input(u32),
    Add(NodeId, NodeId),
    Sub(NodeId, NodeId),
    Mul(NodeId, NodeId),
    FullAdder(NodeId, NodeId, NodeId),
    Shl(NodeId, u32),
    Shr(NodeId, u32),
    And(NodeId, NodeId),
    Or(NodeId, NodeId),
    Xor(NodeId, NodeId),
    Lt(NodeId, NodeId),
    Eq(NodeId, NodeId),
    Mux(NodeId, NodeId, NodeId),
    Min(NodeId, NodeId),
    Max(NodeId, NodeId),
    Wrap(NodeId, u8, bool),
    Concat(NodeId, NodeId, u8),
    Table(NodeId, u32),
    Delay(NodeId, u32),
    State(u32),
    Read(NodeId, u32),
    Output(u32, u32),
    Same(NodeId, NodeId),
    Narrow(NodeId, NodeId, NodeId),
    Wire(u32),
}

impl Op {
    /// The operands, in order.
    pub fn operands(self) -> impl Iterator<Item = NodeId> {
        let (list, len) = match self {
            Op::Const(_) | Op::Input(_) | Op::State(_) | Op::Output(..) | Op::Wire(_) => ([NodeId(0); 3], 0),
            Op::Shl(a, _) | Op::Shr(a, _) | Op::Wrap(a, ..) | Op::Table(a, _) | Op::Delay(a, _) | Op::Read(a, _) => {
                ([a, NodeId(0), NodeId(0)], 1)
            }
            Op::Add(a, b)
            | Op::Sub(a, b)
            | Op::Mul(a, b)
            | Op::And(a, b)
            | Op::Or(a, b)
            | Op::Xor(a, b)
            | Op::Lt(a, b)
            | Op::Eq(a, b)
            | Op::Min(a, b)
            | Op::Max(a, b)
            | Op::Same(a, b)
            | Op::Concat(a, b, _) => ([a, b, NodeId(0)], 2),
            Op::FullAdder(s, a, b) | Op::Mux(s, a, b) | Op::Narrow(s, a, b) => ([s, a, b], 3),
        };
        list.into_iter().take(len)
    }

    /// The same operator on other operands.
    #[must_use]
    pub fn map(self, mut f: impl FnMut(NodeId) -> NodeId) -> Self {
        match self {
            Op::Const(_) | Op::Input(_) | Op::State(_) | Op::Output(..) | Op::Wire(_) => self,
            Op::Add(a, b) => Op::Add(f(a), f(b)),
            Op::Sub(a, b) => Op::Sub(f(a), f(b)),
            Op::Mul(a, b) => Op::Mul(f(a), f(b)),
            Op::Shl(a, s) => Op::Shl(f(a), s),
            Op::Shr(a, s) => Op::Shr(f(a), s),
            Op::FullAdder(a, b, c) => Op::FullAdder(f(a), f(b), f(c)),
            Op::And(a, b) => Op::And(f(a), f(b)),
            Op::Or(a, b) => Op::Or(f(a), f(b)),
            Op::Xor(a, b) => Op::Xor(f(a), f(b)),
            Op::Lt(a, b) => Op::Lt(f(a), f(b)),
            Op::Eq(a, b) => Op::Eq(f(a), f(b)),
            Op::Mux(s, a, b) => Op::Mux(f(s), f(a), f(b)),
            Op::Min(a, b) => Op::Min(f(a), f(b)),
            Op::Max(a, b) => Op::Max(f(a), f(b)),
            Op::Wrap(a, w, signed) => Op::Wrap(f(a), w, signed),
            Op::Concat(a, b, w) => Op::Concat(f(a), f(b), w),
            Op::Same(a, b) => Op::Same(f(a), f(b)),
            Op::Narrow(a, lo, hi) => Op::Narrow(f(a), f(lo), f(hi)),
            Op::Table(a, t) => Op::Table(f(a), t),
            Op::Delay(a, r) => Op::Delay(f(a), r),
            Op::Read(a, m) => Op::Read(f(a), m),
        }
    }

    /// The operator's name in the text form and in reports.
    pub fn mnemonic(self) -> &'static str {
        match self {
            Op::Const(_) => "const",
            Op::Input(_) => "input",
            Op::Add(..) => "add",
            Op::Sub(..) => "sub",
            Op::Mul(..) => "mul",
            Op::Shl(..) => "shl",
            Op::Shr(..) => "shr",
            Op::FullAdder(..) => "adder",
            Op::And(..) => "and",
            Op::Or(..) => "or",
            Op::Xor(..) => "xor",
            Op::Lt(..) => "lt",
            Op::Eq(..) => "eq",
            Op::Mux(..) => "mux",
            Op::Min(..) => "min",
            Op::Max(..) => "max",
            Op::Wrap(..) => "wrap",
            Op::Concat(..) => "concat",
            Op::Table(..) => "table",
            Op::Delay(..) => "delay",
            Op::State(_) => "state",
            Op::Read(..) => "read",
            Op::Output(..) => "output",
            Op::Same(..) => "same",
            Op::Narrow(..) => "narrow",
            Op::Wire(_) => "wire",
        }
    }

    /// The value of a purely combinational operator, given its operands' values.
    ///
    /// `None` for operators whose value is not a function of operand values alone (sources, registers, tables).
    pub fn apply(self, value: impl Fn(NodeId) -> i128) -> Option<i128> {
        Some(match self {
            Op::Add(a, b) => value(a) + value(b),
            Op::Sub(a, b) => value(a) - value(b),
            Op::Mul(a, b) => value(a) * value(b),
            Op::FullAdder(a, b, c) => value(a) + value(b) + value(c),
            Op::Shl(a, s) => value(a) << s,
            Op::Shr(a, s) => value(a) >> s.min(127),
            Op::And(a, b) => value(a) & value(b),
            Op::Or(a, b) => value(a) | value(b),
            Op::Xor(a, b) => value(a) ^ value(b),
            Op::Lt(a, b) => i128::from(value(a) < value(b)),
            Op::Eq(a, b) => i128::from(value(a) == value(b)),
            Op::Mux(s, a, b) => {
                if value(s) != 0 {
                    value(a)
                } else {
                    value(b)
                }
            }
            Op::Min(a, b) => value(a).min(value(b)),
            Op::Max(a, b) => value(a).max(value(b)),
            Op::Wrap(a, w, signed) => wrap(value(a), u32::from(w), signed),
            Op::Concat(a, b, w) => (value(a) << w) + wrap(value(b), u32::from(w), false),
            Op::Same(a, _) => value(a),
            Op::Narrow(a, lo, hi) => value(a).max(value(lo)).min(value(hi)),
            _ => return None,
        })
    }

    /// The range of a purely combinational operator, given its operands' ranges; `None` as for [`Op::apply`].
    pub fn range(self, range: impl Fn(NodeId) -> Interval) -> Option<Result<Interval, OutOfRange>> {
        Some(match self {
            Op::Add(a, b) => range(a).add(range(b)),
            Op::Sub(a, b) => range(a).sub(range(b)),
            Op::Mul(a, b) if a == b => square(range(a)),
            Op::Mul(a, b) => range(a).mul(range(b)),
            Op::FullAdder(a, b, c) => bits_added([range(a), range(b), range(c)]),
            Op::Shl(a, s) => range(a).shl(s),
            Op::Shr(a, s) => Ok(range(a).shr(s)),
            Op::And(a, b) => range(a).and(range(b)),
            Op::Or(a, b) => range(a).or(range(b)),
            Op::Xor(a, b) => range(a).xor(range(b)),
            Op::Lt(..) | Op::Eq(..) => Ok(Interval::BIT),
            Op::Mux(_, a, b) => Ok(range(a).union(range(b))),
            Op::Min(a, b) => Ok(range(a).min(range(b))),
            Op::Max(a, b) => Ok(range(a).max(range(b))),
            Op::Wrap(a, w, signed) => wrapped(range(a), u32::from(w), signed),
            Op::Same(a, _) => Ok(range(a)),
            Op::Narrow(a, lo, hi) => Ok(range(a).max(range(lo)).min(range(hi))),
            Op::Concat(a, b, w) => {
                let low = wrapped(range(b), u32::from(w), false);
                range(a).shl(u32::from(w)).and_then(|high| high.add(low?))
            }
            _ => return None,
        })
    }
}

/// The range of a full adder; its operands must be bits.
fn bits_added(operands: [Interval; 3]) -> Result<Interval, OutOfRange> {
    if !operands.iter().all(|r| Interval::BIT.covers(*r)) {
        return Err(OutOfRange);
    }
    operands[0].add(operands[1])?.add(operands[2])
}

fn square(a: Interval) -> Result<Interval, OutOfRange> {
    let all = a.mul(a)?;
    if a.contains(0) { Interval::new(0, all.hi()) } else { Interval::new(all.lo().max(0), all.hi()) }
}

/// `a` itself if every value fits the pattern, the part of one period if `a` lies in one, else all patterns.
fn wrapped(a: Interval, width: u32, signed: bool) -> Result<Interval, OutOfRange> {
    let full = Interval::of_width(width, signed)?;
    let (lo, hi) = (wrap(a.lo(), width, signed), wrap(a.hi(), width, signed));
    let one_period = hi >= lo && hi - lo == a.hi() - a.lo();
    if one_period { Interval::new(lo, hi) } else { Ok(full) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every operator's range covers every value it can take, and no end is out of reach for the tight ones.
    #[test]
    fn ranges_cover_all_values() {
        let spans = [(-3, 2), (0, 5), (-6, -2), (1, 1), (3, 9)];
        let (a, b) = (NodeId(0), NodeId(1));
        let ops = [
            Op::Add(a, b),
            Op::Sub(a, b),
            Op::Mul(a, b),
            Op::Shl(a, 2),
            Op::Shr(a, 1),
            Op::And(a, b),
            Op::Or(a, b),
            Op::Xor(a, b),
            Op::Min(a, b),
            Op::Max(a, b),
            Op::Wrap(a, 2, false),
            Op::Wrap(a, 3, true),
            Op::Wrap(a, 0, false),
            Op::Concat(a, b, 2),
        ];
        for op in ops {
            for x in spans {
                for y in spans {
                    let operand = |n: NodeId| if n == a { x } else { y };
                    let range = op.range(|n| Interval::new(operand(n).0, operand(n).1).unwrap()).unwrap().unwrap();
                    for i in x.0..=x.1 {
                        for j in y.0..=y.1 {
                            let value = op.apply(|n| if n == a { i } else { j }).unwrap();
                            assert!(range.contains(value), "{op:?} of {i}, {j} = {value} not in {range}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn operands_and_map_agree() {
        let op = Op::Mux(NodeId(3), NodeId(1), NodeId(2));
        assert_eq!(op.operands().collect::<Vec<_>>(), [NodeId(3), NodeId(1), NodeId(2)]);
        assert_eq!(op.map(|n| NodeId(n.0 + 1)), Op::Mux(NodeId(4), NodeId(2), NodeId(3)));
    }

    #[test]
    fn a_full_adder_takes_bits_only() {
        let op = Op::FullAdder(NodeId(0), NodeId(1), NodeId(2));
        let range = |hi: i128| op.range(|_| Interval::new(0, hi).unwrap()).unwrap();
        assert_eq!(range(1), Interval::new(0, 3));
        assert!(range(2).is_err());
    }
}
