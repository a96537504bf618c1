//! Sums as carry-save trees of full and half adders with one final carry-propagate adder.
//!
//! Every bit of every term is one wire of some power of two. A bit with negative weight is inverted, since
//! `-b·2^k = (1 - b)·2^k - 2^k`; all the `-2^k`, the bias and whatever else is constant add up to one constant
//! row modulo `2^width`. Full adders (`a + b + c = s + 2·co`) then reduce every column to at most two wires, the
//! earliest wires first (the three-dimensional method of Oklobdzija, Villeger, Liu 1996), and a carry-propagate
//! adder sums the two rows.

use thiserror::Error;

use super::cost::width;
use super::graph::Term;

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
    /// The constant one.
    One,
    /// The sum output of a cell.
    Sum(u32),
    /// The carry output of a cell.
    Carry(u32),
}

/// A full adder: the inputs add up to `sum + 2·carry`. With the constant one among them it is a half adder's worth
/// of logic (an exclusive NOR and an OR).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell(pub [WireId; 3]);

/// A term of the sum with its node's exact range and the time at which it is there, in cell delays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summand {
    /// How the node is used; `node` is the caller's numbering.
    pub term: Term,
    /// Least value of the node.
    pub lo: i64,
    /// Greatest value of the node.
    pub hi: i64,
    /// Arrival time.
    pub arrival: u32,
}

/// A carry-save tree: `result = (rows[0] + rows[1]) mod 2^width`, two's complement if the result may be negative.
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
    /// For each bit of the result, the one or two wires that the final adder sums, or none.
    pub rows: Vec<[Option<WireId>; 2]>,
    /// Latest arrival time at the final adder, in cell delays.
    pub delay: u32,
}

/// Cells of a carry-save tree, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CellCount {
    /// Full adders of the tree.
    pub full: usize,
    /// Cells of the tree that add the constant one to two wires.
    pub half: usize,
    /// Bit positions of the final adder, from the lowest with two wires up to the top.
    pub final_adder: usize,
}

impl CarrySave {
    /// How many cells there are.
    pub fn count(&self) -> CellCount {
        let one = |w: &WireId| self.wires[*w as usize] == Wire::One;
        let full = self.cells.iter().filter(|c| !c.0.iter().any(one)).count();
        let first = self
            .rows
            .iter()
            .position(|r| r[1].is_some())
            .unwrap_or(self.rows.len());
        CellCount {
            full,
            half: self.cells.len() - full,
            final_adder: self.rows.len() - first,
        }
    }

    /// The sum for given node values, by way of the cells.
    ///
    /// # Panics
    /// If there are fewer values than summands.
    pub fn eval(&self, values: &[i64]) -> i64 {
        let mut level: Vec<u64> = Vec::with_capacity(self.wires.len());
        for wire in &self.wires {
            let inputs = |cell: u32| {
                self.cells[cell as usize]
                    .0
                    .iter()
                    .map(|w| level[*w as usize])
                    .sum::<u64>()
            };
            level.push(match *wire {
                Wire::Source {
                    term,
                    bit,
                    inverted,
                } => (values[term as usize] >> bit) as u64 & 1 ^ u64::from(inverted),
                Wire::One => 1,
                Wire::Sum(cell) => inputs(cell) & 1,
                Wire::Carry(cell) => inputs(cell) >> 1,
            });
        }
        let bits = self
            .rows
            .iter()
            .enumerate()
            .flat_map(|(k, row)| row.iter().flatten().map(move |w| (k, *w)));
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

/// The wires still to be summed in one column, with their arrival times.
type Pile = Vec<(u32, WireId)>;

/// Builds the carry-save tree of `Σ terms + bias`, whose exact range is `lo..=hi` (which may be tighter than the
/// terms' ranges say).
pub fn compress(summands: &[Summand], bias: i64, range: (i64, i64)) -> CarrySave {
    let bits = width(range.0, range.1) as usize;
    let mut tree = CarrySave {
        summands: summands.to_vec(),
        bias,
        lo: range.0,
        hi: range.1,
        wires: Vec::new(),
        cells: Vec::new(),
        rows: vec![[None; 2]; bits],
        delay: 0,
    };
    let mut piles: Vec<Pile> = vec![Vec::new(); bits];
    let constant = spread(&mut tree, &mut piles);
    for (k, pile) in piles.iter_mut().enumerate() {
        if constant >> k & 1 == 1 {
            tree.wires.push(Wire::One);
            pile.push((0, tree.wires.len() as WireId - 1));
        }
    }
    for k in 0..bits {
        while piles[k].len() > 2 {
            add_cell(&mut tree, &mut piles, k);
        }
        for (slot, &(time, wire)) in tree.rows[k].iter_mut().zip(&piles[k]) {
            *slot = Some(wire);
            tree.delay = tree.delay.max(time);
        }
    }
    tree
}

/// Puts every bit of every summand into its column; returns the constant row.
fn spread(tree: &mut CarrySave, piles: &mut [Pile]) -> u64 {
    let mut constant = tree.bias as u64;
    for index in 0..tree.summands.len() {
        let Summand {
            term,
            lo,
            hi,
            arrival,
        } = tree.summands[index];
        let node_width = width(lo, hi);
        for bit in 0..node_width {
            let sign_bit = lo < 0 && bit + 1 == node_width;
            let negative = term.neg != sign_bit;
            let k = bit as usize + usize::from(term.shift);
            if negative && k < 64 {
                constant = constant.wrapping_sub(1 << k);
            }
            if k < piles.len() {
                piles[k].push((arrival, tree.wires.len() as WireId));
                tree.wires.push(Wire::Source {
                    term: index as u32,
                    bit: bit as u8,
                    inverted: negative,
                });
            }
        }
    }
    constant
}

/// Joins the earliest wires of column `k`; the carry of the top column is a multiple of `2^width` and dropped.
fn add_cell(tree: &mut CarrySave, piles: &mut [Pile], k: usize) {
    piles[k].sort_unstable_by(|x, y| y.cmp(x));
    let inputs = [0; 3].map(|_| {
        piles[k]
            .pop()
            .expect("a cell is made of three wires of a column")
    });
    let time = 1 + inputs.map(|w| w.0).into_iter().max().unwrap_or(0);
    let cell = tree.cells.len() as u32;
    tree.cells.push(Cell(inputs.map(|w| w.1)));
    let sum = tree.wires.len() as WireId;
    tree.wires.extend([Wire::Sum(cell), Wire::Carry(cell)]);
    piles[k].push((time, sum));
    if let Some(next) = piles.get_mut(k + 1) {
        next.push((time, sum + 1));
    }
}

/// What the certificate of a carry-save tree found wrong.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RefutedTree {
    /// A cell whose output is used with weights that do not follow from one another.
    #[error(
        "cell {cell}: its carry counts {carry} (mod 2^{width}) but its sum counts {sum}, so they are not one cell's outputs"
    )]
    Cell {
        /// The cell.
        cell: usize,
        /// Weight of the sum wire.
        sum: u64,
        /// Weight of the carry wire.
        carry: u64,
        /// Bits of the result.
        width: usize,
    },
    /// A wire that uses a cell or wire that does not exist or comes later.
    #[error("wire {wire} is not made of earlier ones")]
    Order {
        /// The wire.
        wire: usize,
    },
    /// A source bit that does not count what its place in the sum asks for.
    #[error("bit {bit} of summand {term} counts {found} (mod 2^{width}), expected {expected}")]
    Source {
        /// The summand.
        term: u32,
        /// The bit.
        bit: u8,
        /// Weight found.
        found: u64,
        /// Weight expected.
        expected: u64,
        /// Bits of the result.
        width: usize,
    },
    /// A wrong constant row.
    #[error("the constants add up to {found} (mod 2^{width}), expected {expected}")]
    Constant {
        /// Sum found.
        found: u64,
        /// Sum expected.
        expected: u64,
        /// Bits of the result.
        width: usize,
    },
    /// A result too narrow for its range.
    #[error("{width} bits do not hold {lo}..={hi}")]
    Width {
        /// Bits of the result.
        width: usize,
        /// Least value.
        lo: i64,
        /// Greatest value.
        hi: i64,
    },
}

/// Proves that the tree computes `Σ terms + bias` modulo `2^width`, and that its declared range fits the width.
///
/// The result's linear form over the wires is rewritten from the last cell to the first: a cell whose carry counts
/// twice what its sum counts is the sum of its inputs. What is left is a form over source bits and constants.
/// That the sum stays within the declared range is the caller's to prove, by the linear forms of the nodes.
///
/// # Errors
/// The first violation found.
pub fn check(tree: &CarrySave) -> Result<(), RefutedTree> {
    let bits = tree.rows.len();
    if bits > 64 || (width(tree.lo, tree.hi) as usize) > bits {
        return Err(RefutedTree::Width {
            width: bits,
            lo: tree.lo,
            hi: tree.hi,
        });
    }
    let mask = if bits == 64 {
        u64::MAX
    } else {
        (1 << bits) - 1
    };
    let mut weights = vec![0u64; tree.wires.len()];
    for (k, wire) in tree
        .rows
        .iter()
        .enumerate()
        .flat_map(|(k, r)| r.iter().flatten().map(move |w| (k, *w)))
    {
        let slot = weights.get_mut(wire as usize).ok_or(RefutedTree::Order {
            wire: wire as usize,
        })?;
        *slot = slot.wrapping_add(1 << k);
    }
    undo_cells(tree, &mut weights, mask)?;
    check_sources(tree, &weights, mask)
}

/// Moves the weights of all cell outputs to the cells' inputs.
fn undo_cells(tree: &CarrySave, weights: &mut [u64], mask: u64) -> Result<(), RefutedTree> {
    let mut outputs: Vec<[Option<usize>; 2]> = vec![[None; 2]; tree.cells.len()];
    for (id, wire) in tree.wires.iter().enumerate() {
        let (cell, side) = match *wire {
            Wire::Sum(cell) => (cell, 0),
            Wire::Carry(cell) => (cell, 1),
            _ => continue,
        };
        let slot = outputs
            .get_mut(cell as usize)
            .ok_or(RefutedTree::Order { wire: id })?;
        if slot[side].replace(id).is_some() {
            return Err(RefutedTree::Order { wire: id });
        }
    }
    for (cell, inputs) in tree.cells.iter().enumerate().rev() {
        let [sum_wire, carry_wire] = outputs[cell];
        let weigh = |w: Option<usize>| w.map_or(0, |w| weights[w] & mask);
        let (sum, carry) = (weigh(sum_wire), weigh(carry_wire));
        if sum.wrapping_mul(2) & mask != carry {
            return Err(RefutedTree::Cell {
                cell,
                sum,
                carry,
                width: tree.rows.len(),
            });
        }
        let first = [sum_wire, carry_wire]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(0);
        for input in inputs.0 {
            if input as usize >= first {
                return Err(RefutedTree::Order { wire: first });
            }
            weights[input as usize] = weights[input as usize].wrapping_add(sum);
        }
    }
    Ok(())
}

/// Compares the form over the source bits with the terms' own.
fn check_sources(tree: &CarrySave, weights: &[u64], mask: u64) -> Result<(), RefutedTree> {
    let bits = tree.rows.len();
    let mut constant = 0u64;
    let mut counted: Vec<Vec<u64>> = tree
        .summands
        .iter()
        .map(|s| vec![0; width(s.lo, s.hi) as usize])
        .collect();
    for (id, wire) in tree.wires.iter().enumerate() {
        match *wire {
            Wire::One => constant = constant.wrapping_add(weights[id]),
            Wire::Source {
                term,
                bit,
                inverted,
            } => {
                let place = counted
                    .get_mut(term as usize)
                    .and_then(|c| c.get_mut(usize::from(bit)));
                let place = place.ok_or(RefutedTree::Order { wire: id })?;
                if inverted {
                    constant = constant.wrapping_add(weights[id]);
                    *place = place.wrapping_sub(weights[id]);
                } else {
                    *place = place.wrapping_add(weights[id]);
                }
            }
            Wire::Sum(_) | Wire::Carry(_) => {}
        }
    }
    for (term, (summand, found)) in tree.summands.iter().zip(&counted).enumerate() {
        for (bit, &found) in found.iter().enumerate() {
            let k = bit + usize::from(summand.term.shift);
            let magnitude = if k < 64 { 1u64 << k } else { 0 };
            let sign_bit = summand.lo < 0 && bit + 1 == counted[term].len();
            let expected = if summand.term.neg != sign_bit {
                magnitude.wrapping_neg()
            } else {
                magnitude
            };
            let (found, expected) = (found & mask, expected & mask);
            if found != expected {
                return Err(RefutedTree::Source {
                    term: term as u32,
                    bit: bit as u8,
                    found,
                    expected,
                    width: bits,
                });
            }
        }
    }
    let (found, expected) = (constant & mask, tree.bias as u64 & mask);
    if found != expected {
        return Err(RefutedTree::Constant {
            found,
            expected,
            width: bits,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn summand() -> impl Strategy<Value = Summand> {
        (-200i64..200, 0i64..300, 0u8..6, any::<bool>(), 0u32..3).prop_map(
            |(lo, span, shift, neg, arrival)| Summand {
                term: Term {
                    node: 0,
                    shift,
                    neg,
                },
                lo,
                hi: lo + span,
                arrival,
            },
        )
    }

    fn range(summands: &[Summand], bias: i64) -> (i64, i64) {
        summands
            .iter()
            .map(|s| s.term.range((s.lo, s.hi)))
            .fold((bias, bias), |r, t| (r.0 + t.0, r.1 + t.1))
    }

    proptest! {
        #[test]
        fn trees_sum(
            (summands, picks) in prop::collection::vec(summand(), 0..20)
                .prop_flat_map(|s| { let n = s.len(); (Just(s), prop::collection::vec(0.0f64..=1.0, n)) }),
            bias in -1000i64..1000,
        ) {
            let tree = compress(&summands, bias, range(&summands, bias));
            check(&tree).unwrap();
            let all = |pick: &dyn Fn(usize, &Summand) -> i64| -> Vec<i64> {
                summands.iter().enumerate().map(|(i, s)| pick(i, s)).collect()
            };
            for values in [
                all(&|_, s| s.lo),
                all(&|_, s| s.hi),
                all(&|i, s| s.lo + ((s.hi - s.lo) as f64 * picks[i]).round() as i64),
            ] {
                let sum: i64 = values.iter().zip(&summands).map(|(v, s)| s.term.apply(*v)).sum();
                prop_assert_eq!(tree.eval(&values), sum + bias);
            }
        }
    }

    fn sample() -> CarrySave {
        let term = |shift, neg| Summand {
            term: Term {
                node: 0,
                shift,
                neg,
            },
            lo: -128,
            hi: 127,
            arrival: 0,
        };
        let summands = [
            term(0, false),
            term(1, true),
            term(2, false),
            term(0, false),
        ];
        compress(&summands, 77, range(&summands, 77))
    }

    #[test]
    fn a_changed_wire_is_refuted() {
        let tree = sample();
        for cell in 0..tree.cells.len() {
            let mut wrong = tree.clone();
            let input = &mut wrong.cells[cell].0[0];
            *input = if *input == 3 { 4 } else { 3 };
            assert!(check(&wrong).is_err(), "cell {cell}");
        }
        let mut wrong = tree.clone();
        wrong.rows.swap(2, 3);
        assert!(check(&wrong).is_err());
    }

    #[test]
    fn a_changed_shift_sign_or_constant_is_refuted() {
        let tree = sample();
        for term in 0..tree.summands.len() {
            let mut wrong = tree.clone();
            wrong.summands[term].term.shift += 1;
            assert!(check(&wrong).is_err());
            wrong = tree.clone();
            wrong.summands[term].term.neg ^= true;
            assert!(check(&wrong).is_err());
        }
        let mut wrong = tree.clone();
        wrong.bias += 1;
        assert!(matches!(check(&wrong), Err(RefutedTree::Constant { .. })));
        wrong = tree.clone();
        let one = wrong.wires.iter().position(|w| *w == Wire::One).unwrap();
        wrong.wires[one] = Wire::Source {
            term: 0,
            bit: 0,
            inverted: false,
        };
        assert!(check(&wrong).is_err());
    }

    #[test]
    fn a_width_that_would_wrap_is_refuted() {
        let mut tree = sample();
        tree.hi *= 2;
        assert!(matches!(check(&tree), Err(RefutedTree::Width { .. })));
    }
}
