//! How long operators take: the interface that targets fill with their tables, and generic figures.

use crate::dfg::{Graph, NodeId, Op};

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
    /// Highest to lowest bit; `None` if high operand bits do not act on low result bits. Less than zero if what acts on
    /// them is a bit in between, which settles before the highest.
    pub high_to_low: Option<i32>,
}

/// How long operators take on some target.
///
/// Delays add up along paths and the latest path counts, so a model is a max-plus linear system, which is what lets the
/// pipeline pass reason from both ends of a stage.
pub trait DelayModel: Send + Sync {
    /// What a register takes of every clock period: clock to output plus set-up, in picoseconds.
    fn register(&self) -> u32;

    /// From operand number `operand` of `n` to `n`. Ranges and so widths are in `graph`.
    fn delay(&self, graph: &Graph, n: NodeId, operand: usize) -> EdgeDelay;

    /// What a value takes to reach so many operands that read it, in picoseconds.
    fn fan_out(&self, _readers: u32) -> u32 {
        0
    }

    /// [`Self::delay`] after the way to all `readers` of the operand.
    fn delay_among(&self, graph: &Graph, n: NodeId, operand: usize, readers: u32) -> EdgeDelay {
        let is_constant = |a: NodeId| graph.as_constant(a).is_some();
        let delay = self.delay(graph, n, operand);
        match graph.op(n).operands().nth(operand) {
            Some(a) if !is_constant(a) => delay.after(self.fan_out(readers)),
            _ => delay,
        }
    }
}

impl Arrival {
    /// All bits at once.
    pub fn at(time: u64) -> Self {
        Self { low: time, high: time }
    }

    /// When the last bit settles.
    pub fn last(self) -> u64 {
        self.low.max(self.high)
    }

    /// When both have settled, bit by bit.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        Self { low: self.low.max(other.low), high: self.high.max(other.high) }
    }

    /// When the result of an operator has settled whose operand settles now.
    #[must_use]
    pub fn through(self, delay: EdgeDelay) -> Self {
        let back = (delay.high_to_low).map_or(0, |d| self.high.saturating_add_signed(d.into()));
        Self {
            low: (self.low + u64::from(delay.low_to_low)).max(back),
            high: (self.low + u64::from(delay.low_to_high)).max(self.high + u64::from(delay.high_to_high)),
        }
    }

    /// Seen from the end of a stage, `self` being what follows the operator: what follows its operand.
    #[must_use]
    pub fn before(self, delay: EdgeDelay) -> Self {
        let back = (delay.high_to_low).map_or(0, |d| self.low.saturating_add_signed(d.into()));
        Self {
            low: (self.low + u64::from(delay.low_to_low)).max(self.high + u64::from(delay.low_to_high)),
            high: (self.high + u64::from(delay.high_to_high)).max(back),
        }
    }
}

impl EdgeDelay {
    /// Wires only.
    pub const ZERO: Self = Self { low_to_low: 0, low_to_high: 0, high_to_high: 0, high_to_low: None };

    /// Every result bit waits for every operand bit.
    pub fn uniform(time: u32) -> Self {
        Self { low_to_low: time, low_to_high: time, high_to_high: time, high_to_low: Some(time.cast_signed()) }
    }

    /// Each result bit waits for the operand bit of its place.
    pub fn bitwise(time: u32) -> Self {
        Self { low_to_low: time, low_to_high: time, high_to_high: time, high_to_low: None }
    }

    /// Everything later by `time`.
    #[must_use]
    pub fn after(self, time: u32) -> Self {
        Self {
            low_to_low: self.low_to_low + time,
            low_to_high: self.low_to_high + time,
            high_to_high: self.high_to_high + time,
            high_to_low: self.high_to_low.map(|d| d.saturating_add_unsigned(time)),
        }
    }

    /// A carry from bit to bit: `first` into and out of the chain, `carry` for each bit that it passes.
    pub fn ripple(first: u32, carry: u32, width: u32) -> Self {
        Self { low_to_high: first + carry * width.saturating_sub(1), ..Self::bitwise(first) }
    }
}

/// Every operator that computes something takes 1000 ps, wires nothing: the clock in units of logic levels.
#[derive(Debug, Clone, Copy, Default)]
pub struct UnitDelay;

impl DelayModel for UnitDelay {
    fn register(&self) -> u32 {
        0
    }

    fn delay(&self, graph: &Graph, n: NodeId, _: usize) -> EdgeDelay {
        if is_wire(graph.op(n)) { wire(graph.op(n)) } else { EdgeDelay::uniform(1000) }
    }
}

/// Look-up tables with fast carry chains, or standard cells with ripple carries: figures of a technology, in picoseconds
/// with the wire to the next cell.
///
/// In an array of look-up tables each of the levels is one table. Between cells they differ by a factor of three, and a
/// bit that steers many others passes through buffers first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GenericDelay {
    /// Clock to output plus set-up.
    pub register: u32,
    /// Any bit of an adder's operands to the sum of its place.
    pub sum: u32,
    /// One bit of a carry chain.
    pub carry: u32,
    /// One bit of a carry chain one of whose operands is constant.
    pub constant_carry: u32,
    /// Exclusive or.
    pub xor: u32,
    /// And, or.
    pub gate: u32,
    /// Two-to-one multiplexer.
    pub mux: u32,
    /// Complement; a table that reads one takes it in.
    pub inverter: u32,
    /// Four times as many readers of a bit.
    pub drive: u32,
    /// Inputs of the widest single-level table.
    pub lut_inputs: u32,
}

impl Default for GenericDelay {
    /// Round figures of a 16 nm field-programmable gate array.
    fn default() -> Self {
        Self::of_tables(150, 350, 15, 6)
    }
}

impl GenericDelay {
    /// Tables of `lut_inputs` inputs, which take `level` each.
    pub fn of_tables(register: u32, level: u32, carry: u32, lut_inputs: u32) -> Self {
        Self {
            register,
            sum: level,
            carry,
            constant_carry: carry,
            xor: level,
            gate: level,
            mux: level,
            inverter: 0,
            drive: 0,
            lut_inputs,
        }
    }

    /// A carry-propagate adder.
    fn adder(&self, graph: &Graph, n: NodeId, operands: [NodeId; 2]) -> EdgeDelay {
        let is_constant = operands.iter().any(|x| graph.as_constant(*x).is_some());
        let (sum, carry) = match is_constant {
            true => (self.xor, self.constant_carry),
            false => (self.sum, self.carry),
        };
        EdgeDelay::ripple(sum, carry, graph.range(n).width())
    }

    /// The bits of a sum of so many bits from bit `first` on, which settles between the lowest and the highest: after the
    /// lowest by no more than the carries between, or before the highest by no less, whether the sum's own carries or late
    /// operands decide.
    fn upper_bits(&self, first: u32, width: u32) -> EdgeDelay {
        let passed = self.carry * (width - first).saturating_sub(1);
        EdgeDelay { low_to_low: self.carry * first, high_to_low: Some(-passed.cast_signed()), ..EdgeDelay::ZERO }
    }

    /// Which of `a` and `b` is less, but for the sign: the carry of a subtraction, or a gate over the bits above a power
    /// of two.
    fn less(&self, graph: &Graph, a: NodeId, b: NodeId) -> u32 {
        let width = |n: NodeId| graph.range(n).width();
        // `k < x` if not `x < k + 1`
        let (value, bound) = match (graph.as_constant(a), graph.as_constant(b)) {
            (Some(k), _) => (b, k + 1),
            (_, Some(k)) => (a, k),
            _ => return self.carry * width(a).max(width(b)),
        };
        let zeros = match bound {
            0 => return 0,
            bound => bound.trailing_zeros(),
        };
        let above = width(value).saturating_sub(zeros);
        match bound >> zeros {
            1 | -1 => self.tree(above).min(self.constant_carry * above),
            _ => self.constant_carry * above,
        }
    }

    /// One bit out of `inputs`, by a tree of gates.
    fn tree(&self, inputs: u32) -> u32 {
        let leaves = std::iter::successors(Some(inputs), |n| Some(n.div_ceil(self.lut_inputs)));
        leaves.take_while(|n| *n > 1).count() as u32 * self.gate
    }

    /// From a bit to so many readers.
    fn drive(&self, readers: u32) -> u32 {
        readers.max(1).ilog2().div_ceil(2) * self.drive
    }

    /// Equality: a tree or a carry chain, whatever is faster.
    fn equal(&self, graph: &Graph, a: NodeId, b: NodeId) -> u32 {
        let width = graph.range(a).width().max(graph.range(b).width());
        self.xor + self.tree(width).min(self.carry * width)
    }

    /// The lesser or the greater of `a` and `b`, from either.
    fn extreme(&self, graph: &Graph, n: NodeId, [a, b]: [NodeId; 2], operand: usize) -> EdgeDelay {
        let width = graph.range(n).width();
        let drive = self.drive(width);
        let steered = |bit: u32, data: u32| EdgeDelay {
            high_to_low: Some((bit + drive + data).cast_signed()),
            high_to_high: bit + drive + data,
            ..EdgeDelay::bitwise(data)
        };
        let (value, bound) = match graph.as_constant(a) {
            Some(bound) => (b, Some(bound)),
            None => (a, graph.as_constant(b)),
        };
        let of = graph.range(value);
        match (graph.op(n), bound) {
            // the sign clears all bits
            (Op::Max(..), Some(0)) => steered(0, self.gate),
            // any of the bits above sets all others
            (Op::Min(..), Some(k)) if k > 0 && k & (k + 1) == 0 && of.lo() >= 0 => {
                let above = of.width().saturating_sub(k.trailing_ones());
                steered(self.tree(above), self.gate)
            }
            // the sign chooses
            (Op::Max(..), None) if is_negative(graph, b, a) || is_negative(graph, a, b) => {
                let negated = [a, b][operand];
                let other = [b, a][operand];
                match is_negative(graph, negated, other) {
                    true => EdgeDelay::bitwise(self.mux),
                    false => steered(0, self.mux),
                }
            }
            // a comparison chooses
            _ => EdgeDelay::uniform(self.xor + self.less(graph, a, b) + drive + self.mux),
        }
    }
}

/// The sum whose low bits `n` is, if it is one's.
fn wrapped_sum(graph: &Graph, mut n: NodeId) -> Option<NodeId> {
    loop {
        n = match graph.op(n) {
            Op::Wrap(x, ..) => x,
            Op::Add(..) | Op::Sub(..) => return Some(n),
            _ => return None,
        }
    }
}

/// Whether `n` is `0 - of`.
fn is_negative(graph: &Graph, n: NodeId, of: NodeId) -> bool {
    matches!(graph.op(n), Op::Sub(zero, x) if x == of && graph.as_constant(zero) == Some(0))
}

impl DelayModel for GenericDelay {
    fn register(&self) -> u32 {
        self.register
    }

    fn delay(&self, graph: &Graph, n: NodeId, operand: usize) -> EdgeDelay {
        let width = |n: NodeId| graph.range(n).width();
        match graph.op(n) {
            Op::Shr(a, s) => match wrapped_sum(graph, a) {
                Some(sum) => self.upper_bits(s.min(width(sum).saturating_sub(1)), width(sum)),
                None => EdgeDelay::uniform(0),
            },
            // its carry is there before its sum, which is taken out of it by a cut
            Op::FullAdder(..) => EdgeDelay::uniform(self.carry),
            Op::Wrap(a, ..) if matches!(graph.op(a), Op::FullAdder(..)) => {
                EdgeDelay::uniform(self.sum.saturating_sub(self.carry))
            }
            op if is_wire(op) => wire(op),
            Op::Sub(a, b) if operand == 1 => self.adder(graph, n, [a, b]).after(self.inverter),
            Op::Add(a, b) | Op::Sub(a, b) => self.adder(graph, n, [a, b]),
            // partial products are summed in a tree of carry chains; an operand's highest bit acts from its own place on
            Op::Mul(a, b) => {
                let (short, long) = (width(a).min(width(b)), width(a).max(width(b)));
                let rows = short.next_power_of_two().ilog2().max(1) * self.sum;
                let other = width([b, a][operand]);
                EdgeDelay {
                    low_to_low: self.gate,
                    low_to_high: rows + self.carry * (long + short),
                    high_to_high: rows + self.carry * other,
                    high_to_low: None,
                }
            }
            Op::Xor(a, b) if [a, b].iter().any(|x| graph.as_constant(*x).is_some()) => {
                // what reads a condition takes its complement in: a NOR, a multiplexer with its data swapped
                let time = if width(n) == 1 { 0 } else { self.inverter };
                EdgeDelay::bitwise(time)
            }
            Op::Xor(..) => EdgeDelay::bitwise(self.xor),
            Op::And(..) | Op::Or(..) => EdgeDelay::bitwise(self.gate),
            Op::Lt(a, b) => {
                let low = self.xor + self.less(graph, a, b);
                EdgeDelay { low_to_low: low, low_to_high: low, ..EdgeDelay::uniform(self.xor) }
            }
            Op::Eq(a, b) => EdgeDelay::uniform(self.equal(graph, a, b)),
            Op::Mux(..) if operand == 0 => EdgeDelay::uniform(self.drive(width(n)) + self.mux),
            Op::Mux(..) => EdgeDelay::bitwise(self.mux),
            Op::Min(a, b) | Op::Max(a, b) => self.extreme(graph, n, [a, b], operand),
            // each address bit beyond a table's doubles the tables, two such bits fill a level of multiplexers
            Op::Table(a, _) | Op::Read(a, _) => {
                let beyond = width(a).saturating_sub(self.lut_inputs);
                EdgeDelay::uniform(self.mux * (1 + beyond.div_ceil(2)))
            }
            _ => EdgeDelay::ZERO,
        }
    }

    /// Four readers are what the figures of single operators hold. Adders are heavier than the inverters that `drive` is
    /// about: each twice as many take one.
    fn fan_out(&self, readers: u32) -> u32 {
        readers.div_ceil(4).next_power_of_two().ilog2() * self.drive
    }
}

/// Whether the operator only names bits.
fn is_wire(op: Op) -> bool {
    matches!(op, Op::Shl(..) | Op::Shr(..) | Op::Wrap(..) | Op::Concat(..) | Op::Delay(..) | Op::Narrow(..))
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
        let steps = [EdgeDelay::ripple(3, 2, 9), EdgeDelay::uniform(5), EdgeDelay::bitwise(4), EdgeDelay::ZERO];
        for a in steps {
            for b in steps {
                let forward = Arrival::at(0).through(a).through(b).last();
                let backward = Arrival::at(0).before(b).before(a).last();
                assert_eq!(forward, backward, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn a_full_adder_s_carry_is_there_before_its_sum() {
        let m = crate::dfg::ModuleBuilder::new("adder");
        let x = m.input_array("x", 3, crate::num::Format::unsigned(1, 0).unwrap());
        let both = m.full_adder(x[0], x[1], x[2]);
        m.output("sum", both.bit(0));
        m.output("carry", both.bit(1));
        let module = m.finish().unwrap();
        let delays = GenericDelay { sum: 300, carry: 200, ..GenericDelay::default() };
        let timing = crate::analysis::Timing::of(&module, &delays, 0);
        let ports = module.outputs.iter().flat_map(|port| &port.elements);
        let outputs: Vec<u64> = ports.map(|bit| timing.arrival(bit.node).last()).collect();
        assert_eq!(outputs, [300, 200]);
    }
}
