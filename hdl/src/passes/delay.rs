//! How long operators take: the interface that targets fill with their tables, and generic figures.

use crate::dfg::{Graph, N, Op};

/// When the bits of a value have settled, in picoseconds after the clock edge that begins its stage.
///
/// Two numbers stand for all bits: those between the least and the most significant one settle in between. That is
/// enough to see that carry chains overlap: the second adder of a chain starts when the first one's low bits are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Arrival {
    /// The least significant bit.
    pub low: u64,
    /// The most significant bit.
    pub high: u64,
}

/// Delays from the lowest and highest bits of one operand to the lowest and highest bits of the result, in picoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EdgeDelay {
    /// Lowest to lowest bit.
    pub low_to_low: u32,
    /// Lowest to highest bit: what a carry ripples through.
    pub low_to_high: u32,
    /// Highest to highest bit.
    pub high_to_high: u32,
    /// Highest to lowest bit; `None` if high operand bits do not act on low result bits.
    pub high_to_low: Option<u32>,
}

/// How long operators take on some target.
///
/// Delays add up along paths and the latest path counts, so a model is a max-plus linear system, which is what lets the
/// pipeline pass reason from both ends of a stage.
pub trait DelayModel: Send + Sync {
    /// What a register takes of every clock period: clock to output plus set-up, in picoseconds.
    fn register(&self) -> u32;

    /// From operand number `operand` of `n` to `n`. Ranges and so widths are in `graph`.
    fn delay(&self, graph: &Graph, n: N, operand: usize) -> EdgeDelay;
}

impl Arrival {
    /// All bits at once.
    pub fn at(time: u64) -> Self {
        Self {
            low: time,
            high: time,
        }
    }

    /// When the last bit settles.
    pub fn last(self) -> u64 {
        self.low.max(self.high)
    }

    /// When both have settled, bit by bit.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        Self {
            low: self.low.max(other.low),
            high: self.high.max(other.high),
        }
    }

    /// When the result of an operator has settled whose operand settles now.
    #[must_use]
    pub fn through(self, delay: EdgeDelay) -> Self {
        let back = delay.high_to_low.map_or(0, |d| self.high + u64::from(d));
        Self {
            low: (self.low + u64::from(delay.low_to_low)).max(back),
            high: (self.low + u64::from(delay.low_to_high))
                .max(self.high + u64::from(delay.high_to_high)),
        }
    }

    /// Seen from the end of a stage, `self` being what follows the operator: what follows its operand.
    #[must_use]
    pub fn before(self, delay: EdgeDelay) -> Self {
        let back = delay.high_to_low.map_or(0, |d| self.low + u64::from(d));
        Self {
            low: (self.low + u64::from(delay.low_to_low))
                .max(self.high + u64::from(delay.low_to_high)),
            high: (self.high + u64::from(delay.high_to_high)).max(back),
        }
    }
}

impl EdgeDelay {
    /// Wires only.
    pub const ZERO: Self = Self {
        low_to_low: 0,
        low_to_high: 0,
        high_to_high: 0,
        high_to_low: None,
    };

    /// Every result bit waits for every operand bit.
    pub fn uniform(time: u32) -> Self {
        Self {
            low_to_low: time,
            low_to_high: time,
            high_to_high: time,
            high_to_low: Some(time),
        }
    }

    /// Each result bit waits for the operand bit of its place.
    pub fn bitwise(time: u32) -> Self {
        Self {
            low_to_low: time,
            low_to_high: time,
            high_to_high: time,
            high_to_low: None,
        }
    }

    /// A carry from bit to bit: `first` into and out of the chain, `carry` for each bit that it passes.
    pub fn ripple(first: u32, carry: u32, width: u32) -> Self {
        Self {
            low_to_high: first + carry * width.saturating_sub(1),
            ..Self::bitwise(first)
        }
    }
}

/// Every operator that computes something takes 1000 ps, wires nothing: the clock in units of logic levels.
#[derive(Debug, Clone, Copy, Default)]
pub struct UnitDelay;

impl DelayModel for UnitDelay {
    fn register(&self) -> u32 {
        0
    }

    fn delay(&self, graph: &Graph, n: N, _: usize) -> EdgeDelay {
        if is_wire(graph.op(n)) {
            wire(graph.op(n))
        } else {
            EdgeDelay::uniform(1000)
        }
    }
}

/// Look-up tables with fast carry chains, or standard cells with ripple carries: figures of a generic technology.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GenericDelay {
    /// Clock to output plus set-up, in picoseconds.
    pub register: u32,
    /// One level of logic with its wire.
    pub level: u32,
    /// One bit of a carry chain.
    pub carry: u32,
    /// Inputs of the widest single-level table.
    pub lut_inputs: u32,
}

impl Default for GenericDelay {
    /// Round figures of a 16 nm field-programmable gate array.
    fn default() -> Self {
        Self {
            register: 150,
            level: 350,
            carry: 15,
            lut_inputs: 6,
        }
    }
}

impl DelayModel for GenericDelay {
    fn register(&self) -> u32 {
        self.register
    }

    fn delay(&self, graph: &Graph, n: N, operand: usize) -> EdgeDelay {
        let width = |n: N| graph.range(n).width();
        let chain = |w: u32| EdgeDelay::ripple(self.level, self.carry, w);
        let compare = |a: N, b: N| {
            let width = width(a).max(width(b));
            EdgeDelay {
                low_to_low: self.level + self.carry * width,
                low_to_high: self.level + self.carry * width,
                high_to_high: self.level,
                high_to_low: Some(self.level),
            }
        };
        match graph.op(n) {
            op if is_wire(op) => wire(op),
            Op::Add(..) | Op::Sub(..) => chain(width(n)),
            // partial products are summed in a tree of carry chains
            Op::Mul(a, b) => {
                let (short, long) = (width(a).min(width(b)), width(a).max(width(b)));
                let rows = short.next_power_of_two().ilog2().max(1);
                EdgeDelay::uniform(rows * self.level + self.carry * (long + short))
            }
            Op::And(..) | Op::Or(..) | Op::Xor(..) => EdgeDelay::bitwise(self.level),
            Op::FullAdder(..) => EdgeDelay::uniform(self.level),
            Op::Lt(a, b) | Op::Eq(a, b) => compare(a, b),
            Op::Mux(..) if operand == 0 => EdgeDelay::uniform(self.level),
            Op::Mux(..) => EdgeDelay::bitwise(self.level),
            // a comparison steers a multiplexer
            Op::Min(a, b) | Op::Max(a, b) => {
                let chosen = self.level + self.carry * width(a).max(width(b)) + self.level;
                EdgeDelay::uniform(chosen)
            }
            // each address bit beyond a table's doubles the tables, two such bits fill a level of multiplexers
            Op::Table(a, _) | Op::Read(a, _) => {
                let beyond = width(a).saturating_sub(self.lut_inputs);
                EdgeDelay::uniform(self.level * (1 + beyond.div_ceil(2)))
            }
            _ => EdgeDelay::ZERO,
        }
    }
}

/// Whether the operator only names bits.
fn is_wire(op: Op) -> bool {
    matches!(
        op,
        Op::Shl(..) | Op::Shr(..) | Op::Wrap(..) | Op::Concat(..) | Op::Delay(..)
    )
}

/// The delay of an operator that only names bits: a right shift brings a higher bit to the lowest place, a cut or an
/// append a lower bit to the highest.
fn wire(op: Op) -> EdgeDelay {
    match op {
        Op::Shr(..) | Op::Concat(..) => EdgeDelay::uniform(0),
        _ => EdgeDelay::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carry_chains_overlap() {
        let adder = EdgeDelay::ripple(100, 10, 16);
        let one = Arrival::at(0).through(adder);
        let two = one.through(adder);
        assert_eq!((one.low, one.high), (100, 250));
        assert_eq!((two.low, two.high), (200, 350));
    }

    /// The longest path through two operators is the same from either end.
    #[test]
    fn both_ends_agree() {
        let steps = [
            EdgeDelay::ripple(3, 2, 9),
            EdgeDelay::uniform(5),
            EdgeDelay::bitwise(4),
            EdgeDelay::ZERO,
        ];
        for a in steps {
            for b in steps {
                let forward = Arrival::at(0).through(a).through(b).last();
                let backward = Arrival::at(0).before(b).before(a).last();
                assert_eq!(forward, backward, "{a:?} {b:?}");
            }
        }
    }
}
