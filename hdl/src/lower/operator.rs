//! Each operator of the data-flow graph as cells.

use num_bigint::BigUint;

use super::arithmetic as arith;
use super::bits::Bits;
use super::module::Lowering;
use crate::dfg::{NodeId, Op};
use crate::rtl::{Cell, Net, pattern};

impl Lowering<'_> {
    /// The low `width` bits of a combinational operator.
    pub fn operator(&mut self, op: Op, width: u32) -> Net {
        match op {
            Op::Add(x, y) => {
                let (x, y) = (self.bits(x), self.bits(y));
                arith::sum(&mut self.b, x, y, width)
            }
            Op::Sub(x, y) => {
                let (x, y) = (self.bits(x), self.bits(y));
                arith::difference(&mut self.b, x, y, width)
            }
            Op::Mul(x, y) => {
                let (x, y) = (self.bits(x), self.bits(y));
                arith::product(&mut self.b, x, y, width)
            }
            Op::FullAdder(x, y, z) => self.full_adder([x, y, z], width),
            Op::Shl(x, s) => self.above(x, None, s, width),
            Op::Concat(x, y, w) => self.above(x, Some(y), u32::from(w), width),
            Op::Shr(x, s) => self.bits(x).shr(&mut self.b, s).low(&mut self.b, width),
            Op::Wrap(x, ..) | Op::Narrow(x, ..) => self.low(x, width),
            Op::And(x, y) | Op::Or(x, y) | Op::Xor(x, y) => {
                let (x, y) = (self.low(x, width), self.low(y, width));
                match op {
                    Op::And(..) => self.b.and(x, y),
                    Op::Or(..) => self.b.or(x, y),
                    _ => self.b.xor(x, y),
                }
            }
            Op::Lt(x, y) => self.less(x, y),
            Op::Eq(x, y) => {
                let (x, y) = (self.bits(x), self.bits(y));
                arith::equal(&mut self.b, x, y)
            }
            Op::Mux(s, x, y) => {
                let s = self.truth(s);
                self.choice(s, x, y, width)
            }
            Op::Min(x, y) => self.least(x, y, width),
            Op::Max(x, y) => self.greatest(x, y, width),
            Op::Table(x, t) => self.table(x, t, width),
            _ => unreachable!("sources and registers are no operators"),
        }
    }

    fn constant(&self, n: NodeId) -> Option<i128> {
        self.source.graph.as_constant(n)
    }

    /// `x` above the low `shift` bits of `y`, or of zeros.
    fn above(&mut self, x: NodeId, y: Option<NodeId>, shift: u32, width: u32) -> Net {
        let y = y.map_or(Bits { net: None, signed: false }, |y| self.bits(y));
        if shift >= width {
            return y.low(&mut self.b, width);
        }
        let high = self.low(x, width - shift);
        if shift == 0 {
            return high;
        }
        let low = y.low(&mut self.b, shift);
        self.b.concat(&[high, low])
    }

    /// `x < y`.
    fn less(&mut self, x: NodeId, y: NodeId) -> Net {
        let (left, right) = (self.bits(x), self.bits(y));
        match (self.constant(x), self.constant(y)) {
            (_, Some(k)) => arith::less_than_constant(&mut self.b, left, k),
            (Some(k), _) => {
                let not_above = arith::less_than_constant(&mut self.b, right, k + 1);
                self.b.not(not_above)
            }
            _ => arith::less(&mut self.b, left, right),
        }
    }

    fn choice(&mut self, s: Net, x: NodeId, y: NodeId, width: u32) -> Net {
        let (x, y) = (self.low(x, width), self.low(y, width));
        self.b.mux(s, x, y)
    }

    fn least(&mut self, x: NodeId, y: NodeId, width: u32) -> Net {
        let (x, y) = self.constant_last(x, y);
        let all_ones = |k: i128| (k > 0 && k & (k + 1) == 0).then(|| k.trailing_ones());
        let bits = self.bits(x);
        match self.constant(y).and_then(all_ones) {
            Some(ones) if !bits.signed => arith::saturated(&mut self.b, bits, ones, width),
            _ => {
                let above = self.less(y, x);
                self.choice(above, y, x, width)
            }
        }
    }

    fn greatest(&mut self, x: NodeId, y: NodeId, width: u32) -> Net {
        let (x, y) = self.constant_last(x, y);
        if self.constant(y) == Some(0) {
            let bits = self.bits(x);
            return arith::rectified(&mut self.b, bits, width);
        }
        for (value, negative) in [(x, y), (y, x)] {
            if let Op::Sub(zero, of) = self.source.graph.op(negative)
                && of == value
                && self.constant(zero) == Some(0)
            {
                let sign = self.bits(value).sign(&mut self.b);
                return self.choice(sign, negative, value, width);
            }
        }
        let below = self.less(x, y);
        self.choice(below, y, x, width)
    }

    fn constant_last(&self, x: NodeId, y: NodeId) -> (NodeId, NodeId) {
        if self.constant(x).is_some() { (y, x) } else { (x, y) }
    }

    /// A table of the words that the index can reach.
    fn table(&mut self, x: NodeId, t: u32, width: u32) -> Net {
        let graph = &self.source.graph;
        let last = graph.range(x).hi() as usize;
        let words: Vec<BigUint> = graph.table(t)[..=last].iter().map(|&word| pattern(word, width)).collect();
        let index = self.bits(x);
        let Some(index) = index.net else {
            return self.b.constant(words[0].clone(), width);
        };
        let table = self.b.table(words);
        self.b.add(Cell::Table(index, table), width)
    }
}
