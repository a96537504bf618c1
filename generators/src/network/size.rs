//! How large a network becomes, estimated before anything is built.

use std::fmt;

use hdl::diag::Diagnostic;
use hdl::names::quoted;

use super::design::NetworkDesign;
use super::folded::{MAX_REUSE, Schedule};

/// Most products of an unrolled network that are built without being asked to.
const MOST_PRODUCTS: u64 = 1 << 19;
/// Most registers and choices of a folded network that are built without being asked to.
const MOST_PLACES: u64 = 1 << 18;
/// Multipliers that a suggested reuse factor comes to at most.
const FEW_MULTIPLIERS: usize = 1 << 12;

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
}

impl Size {
    /// Whether it is built without being asked to.
    pub fn is_moderate(&self) -> bool {
        match self {
            Self::Unrolled { products, .. } => *products <= MOST_PRODUCTS,
            Self::Folded { places, .. } => *places <= MOST_PLACES,
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

impl NetworkDesign {
    /// What the network becomes, about.
    ///
    /// # Errors
    /// A reuse factor that does not fit the network.
    pub fn size(&self) -> Result<Size, Diagnostic> {
        let rows = self.network.inspect().layers;
        if let Some(schedule) = self.schedule()? {
            let elements: u64 = rows.iter().map(|row| row.shape.iter().product::<usize>() as u64).sum();
            let places = elements + schedule.choices();
            return Ok(Size::Folded { multipliers: schedule.multipliers, places, cycles: schedule.latency });
        }
        let luts = |row: &crate::model::LayerRow| {
            let (lo, hi) = row.range;
            let width = u64::from(i64::BITS - lo.unsigned_abs().max(hi.unsigned_abs()).leading_zeros()) + 1;
            row.additions.saturating_mul(width)
        };
        Ok(Size::Unrolled {
            products: rows.iter().map(|row| row.additions).sum(),
            luts: rows.iter().map(luts).fold(0, u64::saturating_add),
        })
    }

    /// An error with the estimate and what to do, if the network is larger than is built without being asked to.
    ///
    /// # Errors
    /// Also those of [`NetworkDesign::size`].
    pub fn require_moderate(&self) -> Result<(), Diagnostic> {
        let size = self.size()?;
        if size.is_moderate() {
            return Ok(());
        }
        let rows = self.network.inspect().layers;
        let heaviest = rows.iter().max_by_key(|row| row.additions);
        let heaviest = heaviest.map_or_else(String::new, |row| format!(", most of it in layer {}", quoted(&row.name)));
        let error = Diagnostic::error("size", format!("{size}{heaviest}"));
        Err(error.help(match self.folded_size() {
            Some((reuse, folded)) => format!("`--reuse {reuse}` gives {folded}; --yes builds it as it is"),
            None => "--yes builds it all the same; it may take hours and many gigabytes".to_owned(),
        }))
    }

    /// The least reuse factor of a power of four with few multipliers, if the network is not folded and can be.
    fn folded_size(&self) -> Option<(u32, Size)> {
        let factors = (2..).map(|k| 4u32.pow(k)).take_while(|reuse| *reuse <= MAX_REUSE);
        let few = |reuse: &u32| {
            Schedule::of(&self.network, *reuse, &[]).is_ok_and(|schedule| schedule.multipliers <= FEW_MULTIPLIERS)
        };
        let reuse = factors.filter(|_| self.reuse.is_none()).find(few)?;
        let folded = Self { reuse: Some(reuse), stages: Vec::new(), ..self.clone() };
        Some((reuse, folded.size().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Array, Graph, Input, Layer, Op, Output, TensorId};

    fn dense(inputs: usize, outputs: usize, reuse: Option<u32>) -> NetworkDesign {
        let input = Input { name: "x".into(), shape: vec![1, inputs], range: (-8, 7), encode: None };
        let mut network = Graph::new("large", vec![input]).unwrap();
        let weights = Array { shape: vec![outputs, inputs], values: vec![3; inputs * outputs] };
        let op = Op::Dense { weights, bias: vec![1; outputs], multiplication: crate::model::Multiplication::default() };
        network.push(Layer { name: "dense".into(), op, inputs: vec![TensorId(0)], scale: None }).unwrap();
        network.output(Output { name: "y".into(), tensor: TensorId(1), decode: None }).unwrap();
        NetworkDesign { top: "large".into(), reuse, stages: Vec::new(), network }
    }

    #[test]
    fn a_large_network_is_refused_with_a_way_out() {
        assert_eq!(dense(64, 32, None).require_moderate(), Ok(()));
        let refused = dense(1024, 1024, None).require_moderate().unwrap_err();
        let help = refused.help.clone().unwrap_or_default();
        assert!(refused.message.contains("1.0 M products") && refused.message.contains("`dense`"), "{refused}");
        assert!(help.contains("`--reuse 256` gives folded: 4096 multipliers") && help.contains("--yes"), "{help}");
        assert_eq!(dense(1024, 1024, Some(256)).require_moderate(), Ok(()));
    }

    #[test]
    fn counts_are_short() {
        let counts = [0, 9_999, 10_000, 590_400, 9_410_000, 12_000_000_000].map(short);
        assert_eq!(counts, ["0", "9999", "10 k", "590 k", "9.4 M", "12 G"]);
    }
}
