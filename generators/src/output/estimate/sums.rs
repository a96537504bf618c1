//! Sums on carry chains, as Yosys builds them.

use std::collections::VecDeque;

use constraints::targets::Operation;
use hdl::rtl::{Cell, Module, Net};

use super::fpga::Mapper;
use super::gates::{Bit, truth};

/// An operand of a sum.
pub struct Operand {
    /// Least significant first; zeros above.
    bits: Vec<Bit>,
    /// Whether it is subtracted.
    minus: bool,
}

/// A sum of two.
struct Two {
    x: Vec<Bit>,
    y: Vec<Bit>,
    /// Whether `y` is subtracted.
    subtract: bool,
    /// Whether one more is added.
    carry: bool,
    /// Whether it is known that `x` is what goes onto a chain as it is.
    ordered: bool,
}

/// What reads a net, cells left aside that nothing reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reader {
    /// Nothing.
    None,
    /// The cell of one net.
    One(Net),
    /// Several, or something that is no cell.
    Other,
}

/// What reads each net.
pub fn readers(module: &Module) -> Vec<Reader> {
    let mut readers = vec![Reader::None; module.len()];
    module.roots().for_each(|net| readers[net.index()] = Reader::Other);
    for reader in module.nets().rev() {
        if readers[reader.index()] == Reader::None {
            continue;
        }
        for net in module.operands(module.cell(reader)) {
            let known = &mut readers[net.index()];
            *known = match known {
                Reader::None => Reader::One(reader),
                Reader::One(_) | Reader::Other => Reader::Other,
            };
        }
    }
    readers
}

impl Mapper<'_> {
    /// Appends the bits of the sum or difference `net`.
    pub fn sum(&mut self, net: Net, [a, b]: [Net; 2], subtract: bool) {
        let width = self.module.width(net) as usize;
        let mut operands = self.operands(a, false);
        operands.extend(self.operands(b, subtract));
        if self.joins(net, &operands) {
            self.inner.insert(net, operands);
            return self.sources(width);
        }
        let sum = self.of_two(width, operands);
        match self.model.carry_cell {
            _ if width < self.model.carry_least as usize => self.of_gates(&sum),
            Some(_) => self.beside_tables(&sum),
            None => self.in_tables(&sum),
        }
    }

    /// What an operand of a sum adds: itself, or the operands of the sum that it is.
    fn operands(&mut self, net: Net, minus: bool) -> Vec<Operand> {
        let source = match self.module.cell(net) {
            Cell::ZeroExtend(inner) => inner,
            _ => net,
        };
        if let Some(mut operands) = self.inner.remove(&source) {
            operands.iter_mut().for_each(|o| o.minus ^= minus);
            return operands;
        }
        let bits = self.of(net);
        let used = bits.iter().rposition(|bit| *bit != Bit::ZERO);
        let bits = bits[..used.map_or(0, |top| top + 1)].to_vec();
        vec![Operand { bits, minus }]
    }

    /// Whether Yosys (`alumacc`) takes the sum `net` into one that alone reads it: one that is as wide, or that reads it
    /// with zeros above if it cannot overflow.
    fn joins(&self, net: Net, operands: &[Operand]) -> bool {
        let width = self.module.width(net).min(127);
        let greatest = |o: &Operand| match o.minus {
            true => u128::MAX,
            false => u128::MAX >> (128 - o.bits.len().clamp(1, 128)),
        };
        let greatest = operands.iter().map(greatest);
        let fits = || greatest.fold(0, u128::saturating_add) >> width == 0;
        let cell = |net: Net| (self.module.cell(net), self.readers[net.index()]);
        match self.readers[net.index()] {
            Reader::One(reader) => match cell(reader) {
                (Cell::Add(..) | Cell::Sub(..), _) => true,
                (Cell::ZeroExtend(_), Reader::One(reader)) => {
                    matches!(cell(reader).0, Cell::Add(..) | Cell::Sub(..)) && fits()
                }
                _ => false,
            },
            Reader::None | Reader::Other => false,
        }
    }

    /// The same sum out of two operands: rows of full adders make two of three.
    fn of_two(&mut self, width: usize, mut operands: Vec<Operand>) -> Two {
        if let [a, b] = &operands[..]
            && !b.minus
            && b.bits.len() < a.bits.len()
        {
            operands.swap(0, 1);
        }
        let widths: Vec<usize> = operands.iter().map(|o| o.bits.len()).collect();
        operands.iter_mut().for_each(|o| o.bits.resize(width, Bit::ZERO));
        if let [a, b] = &mut operands[..] {
            let subtract = b.minus;
            let [x, y] = [a, b].map(|o| std::mem::take(&mut o.bits));
            return Two { x, y, subtract, carry: subtract, ordered: subtract || widths[0] < widths[1] };
        }
        // -x is x inverted and one more, which a row's carries and the chain have room for
        let mut ones = operands.iter().filter(|o| o.minus).count();
        let row = |o: Operand| o.bits.iter().map(|b| b.inverted_if(o.minus)).collect();
        let mut rows: VecDeque<Vec<Bit>> = operands.into_iter().map(row).collect();
        while rows.len() > 2 {
            let three: Vec<Vec<Bit>> = rows.drain(..3).collect();
            let columns: Vec<[Bit; 3]> = (0..width).map(|k| [0, 1, 2].map(|r| three[r][k])).collect();
            let odd = columns.iter().map(|c| self.gates.gate(truth::ODD, c)).collect();
            let mut carries = vec![Bit::constant(ones > 0)];
            let below = columns.iter().take(width - 1);
            carries.extend(below.map(|c| self.gates.gate(truth::MAJORITY, c)));
            ones = ones.saturating_sub(1);
            rows.extend([odd, carries]);
        }
        let [x, y] = [0, 1].map(|r| std::mem::take(&mut rows[r]));
        Two { x, y, subtract: false, carry: ones > 0, ordered: false }
    }

    /// On AMD parts a table beside each bit of the chain says whether the operands differ, and the first of them goes onto
    /// the chain as it is. Of two that are added that is the narrower; which one of two as wide Yosys chooses by other
    /// things.
    fn beside_tables(&mut self, sum: &Two) {
        for (x, y) in sum.x.iter().zip(&sum.y) {
            let either = [*x, y.inverted_if(sum.subtract)];
            let differ = self.gates.gate(truth::XOR, &either);
            self.needed.extend([differ, *x]);
            if !sum.ordered {
                self.needed.push(*y);
            }
        }
        self.sources(sum.x.len());
    }

    /// Whether each bit of a chain is by itself: then a bit that nothing reads takes no table, and neither does the carry
    /// above both operands.
    pub fn single(&self) -> bool {
        self.model.carry_cell.is_none() && self.model.carry_bits == 1
    }

    /// Each bit of the sum is a table with the carry, which takes the operands from before it.
    fn in_tables(&mut self, sum: &Two) {
        let passed = match sum.carry {
            true => 0,
            false => sum.y.iter().take_while(|y| **y == Bit::ZERO).count(),
        };
        self.bits.extend(&sum.x[..passed]);
        let invert = sum.subtract && self.model.inverters;
        for (x, y) in sum.x.iter().zip(&sum.y).skip(passed) {
            self.needed.extend([*x, y.inverted_if(invert)]);
            let bit = self.gates.source();
            self.bits.push(bit);
            let is_carry = x.is_constant() && *x == y.inverted_if(sum.subtract);
            if !(is_carry && self.single()) {
                self.sums.push(bit.node());
            }
        }
        if !self.single() {
            let width = (sum.x.len() - passed) as u32;
            self.chains += self.target.cost(Operation::Add(width)).luts;
        }
    }

    fn of_gates(&mut self, sum: &Two) {
        let mut carry = Bit::constant(sum.carry);
        for (x, y) in sum.x.iter().zip(&sum.y) {
            let column = [*x, y.inverted_if(sum.subtract), carry];
            let bit = self.gates.gate(truth::ODD, &column);
            carry = self.gates.gate(truth::MAJORITY, &column);
            self.bits.push(bit);
        }
    }
}
