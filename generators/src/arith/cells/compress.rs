//! Sums as carry-save trees of full and half adders with one final carry-propagate adder.
//!
//! Every bit of every term is one wire of some power of two. A bit with negative weight is inverted, since
//! `-b·2^k = (1 - b)·2^k - 2^k`; all the `-2^k`, the bias and whatever else is constant add up to one constant
//! row modulo `2^width`. Full adders (`a + b + c = s + 2·co`) then reduce every column, the earliest wires first
//! (the three-dimensional method of Oklobdzija, Villeger, Liu 1996). Low columns are reduced to one wire each, which
//! makes the final adder a ripple chain there; columns from some position on may be left with two wires, which a
//! prefix adder sums.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::arith::cells::CellCosts;
use crate::arith::cells::prefix::{self, Prefix, Shape};
use crate::arith::cost::width;
use crate::arith::graph::Term;

/// Index of a wire in its [`CarrySave`].
pub type WireId = u32;

/// Where a wire comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Bit `bit` of summand `term`'s node (two's complement if its range has negative values).
    Source {
        /// Index into the summands.
        term: u32,
        /// Which bit of the node's value.
        bit: u8,
        /// Whether the wire is the complement of that bit.
        inverted: bool,
    },
    /// The constant zero.
    Zero,
    /// The constant one.
    One,
    /// The sum output of a cell.
    Sum(u32),
    /// The carry output of a cell.
    Carry(u32),
}

/// A full adder: the inputs, the latest last, add up to `sum + 2·carry`. With a constant among them it is a half
/// adder's worth of logic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell(pub [WireId; 3]);

/// A term of the sum with its node's exact range and the times at which its bits are there, in ps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summand {
    /// How the node is used; `node` is the caller's numbering.
    pub term: Term,
    /// Least value of the node.
    pub lo: i64,
    /// Greatest value of the node.
    pub hi: i64,
    /// Arrival time of each bit of the node; bits past the end are there when the last one is.
    pub arrivals: Vec<u32>,
}

/// How the last two rows are summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FinalAdder {
    /// How carries run from bit `from` on.
    pub shape: Shape,
    /// The columns below are a ripple chain.
    pub from: usize,
}

impl FinalAdder {
    /// A ripple chain from end to end.
    pub const RIPPLE: Self = Self { shape: Shape::Ripple, from: usize::MAX };
}

/// A carry-save tree with its final adder: `result = (rows[0] + rows[1]) mod 2^width`, two's complement if the result
/// may be negative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CarrySave {
    /// What is summed.
    pub summands: Vec<Summand>,
    /// The constant that is added.
    pub bias: i64,
    /// Least value of the sum.
    pub lo: i64,
    /// Greatest value of the sum.
    pub hi: i64,
    /// Where each wire comes from; a cell's outputs come after its inputs.
    pub wires: Vec<Wire>,
    /// The cells, inputs before users.
    pub cells: Vec<Cell>,
    /// For each bit of the result, the one or two wires that are left of it, or none.
    pub rows: Vec<[Option<WireId>; 2]>,
    /// The carries of the top `bits` rows; without it no row has two wires.
    pub adder: Option<Prefix>,
    /// When each bit of the result is there, in ps.
    pub arrivals: Vec<u32>,
}

/// Cells of a carry-save tree, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CellCount {
    /// Full adders.
    pub full: usize,
    /// Cells with a constant input, and cells whose carry leaves the width.
    pub partial: usize,
    /// Bit positions of the prefix adder.
    pub prefix: usize,
}

impl CarrySave {
    /// How many cells there are.
    pub fn count(&self) -> CellCount {
        let used = self.carries_used();
        let full = (0..self.cells.len()).filter(|&c| used[c] && !self.is_partial(c)).count();
        CellCount { full, partial: self.cells.len() - full, prefix: self.adder.as_ref().map_or(0, |a| a.bits) }
    }

    /// Whether an input of a cell is constant.
    fn is_partial(&self, cell: usize) -> bool {
        self.cells[cell].0.iter().any(|w| matches!(self.wires[*w as usize], Wire::Zero | Wire::One))
    }

    /// Which cells' carries anything reads.
    pub fn carries_used(&self) -> Vec<bool> {
        let mut used = vec![false; self.cells.len()];
        for wire in &self.wires {
            if let Wire::Carry(cell) = *wire {
                used[cell as usize] = true;
            }
        }
        used
    }

    /// Cell area in µm², without the inverters at the sources.
    pub fn area(&self, costs: &CellCosts) -> f64 {
        let used = self.carries_used();
        let constants = |cell: &Cell, kind: Wire| {
            let is = |w: &&WireId| self.wires[**w as usize] == kind;
            cell.0.iter().filter(is).count()
        };
        let cell = |(index, cell): (usize, &Cell)| {
            let (zeros, ones) = (constants(cell, Wire::Zero), constants(cell, Wire::One));
            let carry = if used[index] { costs.and.area } else { 0.0 };
            match (zeros, ones) {
                (0, 0) if used[index] => costs.full_adder.area,
                (0, 0) => 2.0 * costs.xor.area,
                (1, 0) | (0, 1) => costs.xor.area + carry,
                (1, 1) => costs.inverter.area,
                _ => 0.0,
            }
        };
        let cells: f64 = self.cells.iter().enumerate().map(cell).sum();
        let network = |network: &Prefix| {
            let from = self.rows.len() - network.bits;
            let pairs = self.rows[from..].iter().filter(|r| r[1].is_some()).count();
            let sums = network.bits.saturating_sub(1);
            network.area(costs) + pairs as f64 * (costs.xor.area + costs.and.area) + sums as f64 * costs.xor.area
        };
        cells + self.adder.as_ref().map_or(0.0, network)
    }

    /// When the last bit of the result is there, in ps.
    pub fn delay(&self) -> u32 {
        self.arrivals.iter().copied().max().unwrap_or(0)
    }

    /// The sum for given node values, by way of the cells.
    ///
    /// # Panics
    /// If there are fewer values than summands.
    pub fn eval(&self, values: &[i64]) -> i64 {
        let mut level: Vec<u64> = Vec::with_capacity(self.wires.len());
        for wire in &self.wires {
            let inputs = |cell: u32| self.cells[cell as usize].0.iter().map(|w| level[*w as usize]).sum::<u64>();
            level.push(match *wire {
                Wire::Source { term, bit, inverted } => (values[term as usize] >> bit) as u64 & 1 ^ u64::from(inverted),
                Wire::Zero => 0,
                Wire::One => 1,
                Wire::Sum(cell) => inputs(cell) & 1,
                Wire::Carry(cell) => inputs(cell) >> 1,
            });
        }
        let bits = self.rows.iter().enumerate().flat_map(|(k, row)| row.iter().flatten().map(move |w| (k, *w)));
        let total = bits.fold(0u64, |sum, (k, w)| sum.wrapping_add(level[w as usize] << k));
        let unused = 64 - self.rows.len() as u32;
        if unused == 64 {
            0
        } else if self.lo < 0 {
            (total << unused) as i64 >> unused
        } else {
            (total << unused >> unused) as i64
        }
    }
}

/// The wires still to be summed in one column, with their arrival times, the earliest first.
type Pile = BinaryHeap<Reverse<(u32, WireId)>>;

/// Builds the carry-save tree of `Σ terms + bias`, whose exact range is `lo..=hi` (which may be tighter than the
/// terms' ranges say).
pub fn compress(summands: &[Summand], bias: i64, range: (i64, i64), adder: FinalAdder, costs: &CellCosts) -> CarrySave {
    Compressor::reduced(summands, bias, range, adder.from, costs).finish(adder.shape)
}

/// A tree without its final adder.
#[derive(Clone)]
pub(in crate::arith) struct Compressor<'a> {
    tree: CarrySave,
    piles: Vec<Pile>,
    costs: &'a CellCosts,
}

impl<'a> Compressor<'a> {
    /// As for [`compress`]; only the columns below `from` are summed up.
    pub(in crate::arith) fn reduced(
        summands: &[Summand],
        bias: i64,
        range: (i64, i64),
        from: usize,
        costs: &'a CellCosts,
    ) -> Self {
        let bits = width(range.0, range.1) as usize;
        let tree = CarrySave {
            summands: summands.to_vec(),
            bias,
            lo: range.0,
            hi: range.1,
            wires: vec![Wire::Zero],
            cells: Vec::new(),
            rows: vec![[None; 2]; bits],
            adder: None,
            arrivals: vec![0; bits],
        };
        let mut compressor = Self { tree, piles: vec![Pile::new(); bits], costs };
        let constant = compressor.spread();
        for k in (0..bits).filter(|k| constant >> k & 1 == 1) {
            compressor.tree.wires.push(Wire::One);
            let wire = compressor.tree.wires.len() as WireId - 1;
            compressor.piles[k].push(Reverse((0, wire)));
        }
        for k in 0..bits {
            compressor.reduce(k, if k < from { 1 } else { 2 });
        }
        compressor
    }

    /// Puts every bit of every summand into its column; returns the constant row.
    fn spread(&mut self) -> u64 {
        let mut constant = self.tree.bias as u64;
        for index in 0..self.tree.summands.len() {
            let Summand { term, lo, hi, ref arrivals } = self.tree.summands[index];
            let last = arrivals.last().copied().unwrap_or(0);
            let node_width = width(lo, hi);
            for bit in 0..node_width {
                let sign_bit = lo < 0 && bit + 1 == node_width;
                let inverted = term.neg != sign_bit;
                let k = bit as usize + usize::from(term.shift);
                if inverted && k < 64 {
                    constant = constant.wrapping_sub(1 << k);
                }
                if let Some(pile) = self.piles.get_mut(k) {
                    let time = arrivals.get(bit as usize).copied().unwrap_or(last);
                    let time = time + if inverted { self.costs.driver.delay } else { 0 };
                    pile.push(Reverse((time, self.tree.wires.len() as WireId)));
                    self.tree.wires.push(Wire::Source { term: index as u32, bit: bit as u8, inverted });
                }
            }
        }
        constant
    }

    /// Adds cells to column `k` until at most `most` wires are left of it.
    ///
    /// A full adder takes two wires away. Where two may stay, an odd number is made even by a half adder first: a full
    /// adder on the last three would wait for the carry of the one in the column below, as in a ripple chain.
    fn reduce(&mut self, k: usize, most: usize) {
        let mut halve = most == 2 && self.piles[k].len() % 2 == 1;
        while self.piles[k].len() > most {
            let full = self.piles[k].len() > 2 && !halve;
            let pile = &mut self.piles[k];
            let mut take = || pile.pop().expect("a cell is made of wires of a column").0;
            let inputs = match full {
                true => [take(), take(), take()],
                false => [(0, 0), take(), take()],
            };
            halve = false;
            self.add_cell(k, inputs);
        }
    }

    /// One cell in column `k`; the carry of the top column is a multiple of `2^width` and dropped.
    fn add_cell(&mut self, k: usize, inputs: [(u32, WireId); 3]) {
        let latest = inputs.map(|w| w.0).into_iter().max().unwrap_or(0);
        let constant = |w: &(u32, WireId)| matches!(self.tree.wires[w.1 as usize], Wire::Zero | Wire::One);
        let (sum_ps, carry_ps) = match inputs.iter().filter(|w| constant(w)).count() {
            0 => (self.costs.full_adder.delay, self.costs.carry),
            1 => (self.costs.xor.delay, self.costs.and.delay),
            _ => (self.costs.inverter.delay, 0),
        };
        let cell = self.tree.cells.len() as u32;
        self.tree.cells.push(Cell(inputs.map(|w| w.1)));
        let sum = self.tree.wires.len() as WireId;
        self.tree.wires.push(Wire::Sum(cell));
        self.piles[k].push(Reverse((latest + sum_ps, sum)));
        if let Some(next) = self.piles.get_mut(k + 1) {
            self.tree.wires.push(Wire::Carry(cell));
            next.push(Reverse((latest + carry_ps, sum + 1)));
        }
    }

    /// Adds what is left by a prefix network of that shape.
    pub(in crate::arith) fn finish(mut self, shape: Shape) -> CarrySave {
        for (k, pile) in self.piles.into_iter().enumerate() {
            let left = pile.into_sorted_vec();
            for (slot, &Reverse((time, wire))) in self.tree.rows[k].iter_mut().zip(&left) {
                *slot = Some(wire);
                self.tree.arrivals[k] = self.tree.arrivals[k].max(time);
            }
        }
        // columns with one wire add nothing to what comes from below
        let first = self.tree.rows.iter().position(|row| row[1].is_some());
        let Some(from) = first else {
            return self.tree;
        };
        let costs = self.costs;
        let ready: Vec<u32> = (from..self.tree.rows.len())
            .map(|k| {
                let pair = self.tree.rows[k][1].is_some();
                self.tree.arrivals[k] + if pair { costs.xor.delay } else { 0 }
            })
            .collect();
        let network = prefix::network(shape, &ready, prefix::join_ps(costs));
        let times = network.times(&ready, costs);
        for (k, &own) in ready.iter().enumerate() {
            self.tree.arrivals[from + k] = match k {
                0 => own,
                _ => own.max(times[network.carries[k - 1] as usize]) + costs.xor.delay,
            };
        }
        self.tree.adder = Some(network);
        self.tree
    }
}

#[cfg(test)]
#[path = "compress_tests.rs"]
mod tests;
