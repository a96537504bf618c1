//! The linear certificate of a carry-save tree: every cell is an exact identity, and together they are the sum.

use thiserror::Error;

use crate::arith::cells::compress::{CarrySave, Wire};
use crate::arith::cells::prefix::BrokenPrefix;
use crate::arith::cost::width;

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
    /// A final adder that does not sum the rows.
    #[error("the final adder leaves two wires of bit {bit} unsummed")]
    Unsummed {
        /// The bit of the result.
        bit: usize,
    },
    /// A final adder whose carries are wrong.
    #[error("the final adder is wrong: {0}")]
    Adder(#[from] BrokenPrefix),
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
        return Err(RefutedTree::Width { width: bits, lo: tree.lo, hi: tree.hi });
    }
    check_adder(tree)?;
    let mask = if bits == 64 { u64::MAX } else { (1 << bits) - 1 };
    let mut weights = vec![0u64; tree.wires.len()];
    for (k, wire) in tree.rows.iter().enumerate().flat_map(|(k, r)| r.iter().flatten().map(move |w| (k, *w))) {
        let slot = weights.get_mut(wire as usize).ok_or(RefutedTree::Order { wire: wire as usize })?;
        *slot = slot.wrapping_add(1 << k);
    }
    undo_cells(tree, &mut weights, mask)?;
    check_sources(tree, &weights, mask)
}

/// Proves that the prefix network has all carries and that it covers every column with two wires.
fn check_adder(tree: &CarrySave) -> Result<(), RefutedTree> {
    let covered = tree.adder.as_ref().map_or(0, |network| network.bits);
    if let Some(network) = &tree.adder {
        network.check()?;
    }
    let below = tree.rows.len().saturating_sub(covered);
    let unsummed = tree.rows[..below].iter().position(|row| row[1].is_some());
    match unsummed {
        Some(bit) => Err(RefutedTree::Unsummed { bit }),
        None if covered > tree.rows.len() => Err(RefutedTree::Unsummed { bit: below }),
        None => Ok(()),
    }
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
        let slot = outputs.get_mut(cell as usize).ok_or(RefutedTree::Order { wire: id })?;
        if slot[side].replace(id).is_some() {
            return Err(RefutedTree::Order { wire: id });
        }
    }
    for (cell, inputs) in tree.cells.iter().enumerate().rev() {
        let [sum_wire, carry_wire] = outputs[cell];
        let weigh = |w: Option<usize>| w.map_or(0, |w| weights[w] & mask);
        let (sum, carry) = (weigh(sum_wire), weigh(carry_wire));
        // a carry that nothing reads is one that leaves the width
        if sum.wrapping_mul(2) & mask != carry {
            return Err(RefutedTree::Cell { cell, sum, carry, width: tree.rows.len() });
        }
        let first = [sum_wire, carry_wire].into_iter().flatten().min().unwrap_or(0);
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
    let mut counted: Vec<Vec<u64>> = tree.summands.iter().map(|s| vec![0; width(s.lo, s.hi) as usize]).collect();
    for (id, wire) in tree.wires.iter().enumerate() {
        match *wire {
            Wire::One => constant = constant.wrapping_add(weights[id]),
            Wire::Source { term, bit, inverted } => {
                let place = counted.get_mut(term as usize).and_then(|c| c.get_mut(usize::from(bit)));
                let place = place.ok_or(RefutedTree::Order { wire: id })?;
                if inverted {
                    constant = constant.wrapping_add(weights[id]);
                    *place = place.wrapping_sub(weights[id]);
                } else {
                    *place = place.wrapping_add(weights[id]);
                }
            }
            Wire::Zero | Wire::Sum(_) | Wire::Carry(_) => {}
        }
    }
    for (term, (summand, found)) in tree.summands.iter().zip(&counted).enumerate() {
        for (bit, &found) in found.iter().enumerate() {
            let k = bit + usize::from(summand.term.shift);
            let magnitude = if k < 64 { 1u64 << k } else { 0 };
            let sign_bit = summand.lo < 0 && bit + 1 == counted[term].len();
            let expected = if summand.term.neg != sign_bit { magnitude.wrapping_neg() } else { magnitude };
            let (found, expected) = (found & mask, expected & mask);
            if found != expected {
                return Err(RefutedTree::Source { term: term as u32, bit: bit as u8, found, expected, width: bits });
            }
        }
    }
    let (found, expected) = (constant & mask, tree.bias as u64 & mask);
    if found != expected {
        return Err(RefutedTree::Constant { found, expected, width: bits });
    }
    Ok(())
}
