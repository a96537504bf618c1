//! What a design is made of, estimated before anything is built, and how much of it is built without being asked to.

use std::fmt;

use hdl::diag::Diagnostic;

/// Most products of an unrolled network that are built without being asked to.
const MOST_PRODUCTS: u64 = 1 << 19;
/// Most registers and choices of a folded network that are built without being asked to.
const MOST_PLACES: u64 = 1 << 18;
/// Most multipliers and lanes of a streamed network that are built without being asked to.
const MOST_LANES: u64 = 1 << 14;

/// What a design is made of, about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Size {
    /// One adder a product.
    Unrolled {
        /// Products with weights that are not 0, and sums of other layers.
        products: u64,
        /// One for each bit of each sum.
        luts: u64,
    },
    /// Shared multipliers.
    Folded {
        /// How many.
        multipliers: usize,
        /// Registers of tensors' elements, and elements that operands are chosen from.
        places: u64,
        /// From an event to its result.
        cycles: u32,
    },
    /// Shared multipliers, and tensors in memories.
    Streamed {
        /// How many.
        multipliers: usize,
        /// Lanes that are written, read or chosen from in one cycle.
        lanes: u64,
        /// Elements in memories.
        elements: u64,
        /// From one event to the next.
        cycles: u32,
    },
}

impl Size {
    /// Whether it is built without being asked to.
    pub fn is_moderate(&self) -> bool {
        match self {
            Self::Unrolled { products, .. } => *products <= MOST_PRODUCTS,
            Self::Folded { places, .. } => *places <= MOST_PLACES,
            Self::Streamed { multipliers, lanes, .. } => *lanes + *multipliers as u64 <= MOST_LANES,
        }
    }

    /// An error with the estimate and `help`, if it is not built without being asked to.
    ///
    /// # Errors
    /// No others.
    pub fn require_moderate(&self, help: &str) -> Result<(), Diagnostic> {
        match self.is_moderate() {
            true => Ok(()),
            false => Err(Diagnostic::error("size", self.to_string()).help(help)),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unrolled { products, luts } => {
                write!(f, "unrolled: {} products, about {} LUTs", short(*products), short(*luts))
            }
            Self::Folded { multipliers, places, cycles } => write!(
                f,
                "folded: {} multipliers, {} registers and elements to choose from, {cycles} cycles an event",
                short(*multipliers as u64),
                short(*places)
            ),
            Self::Streamed { multipliers, elements, cycles, .. } => write!(
                f,
                "folded: {} multipliers, {} elements in memories, an event every {cycles} cycles",
                short(*multipliers as u64),
                short(*elements)
            ),
        }
    }
}

/// A count in at most three digits: 590 k, 9.4 M.
fn short(count: u64) -> String {
    let (unit, name) = match count {
        0..10_000 => return count.to_string(),
        10_000..1_000_000 => (1e3, " k"),
        1_000_000..1_000_000_000 => (1e6, " M"),
        _ => (1e9, " G"),
    };
    let value = count as f64 / unit;
    match value < 9.95 {
        true => format!("{value:.1}{name}"),
        false => format!("{value:.0}{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_short() {
        let counts = [0, 9_999, 10_000, 590_400, 9_410_000, 12_000_000_000].map(short);
        assert_eq!(counts, ["0", "9999", "10 k", "590 k", "9.4 M", "12 G"]);
    }
}
