//! How a dense or convolution layer multiplies: what of a product is added, and where the weights are.

use hdl::num::{Interval, OutOfRange};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::block::RegisterArray;

/// Port of all weights that are in registers.
const WEIGHTS_PORT: &str = "weights";
/// Most bits that are cut off a product, and that a bias is shifted by.
const MAX_SHIFT: u32 = 62;
/// Most bits of a weight in a register.
const MAX_WIDTH: u32 = 32;

/// What happens to each product before it is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ProductRule {
    /// It is added as it is.
    #[default]
    Exact,
    /// Its last bits are floored away: `⌊w·x / 2^bits⌋` is added.
    Floored {
        /// How many.
        bits: u32,
    },
}

/// Where the weights and biases of a layer are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum WeightStore {
    /// Built into the adders.
    #[default]
    Fixed,
    /// In registers that are written at run time; the layer's integers are what is written there.
    Registers {
        /// Bits of a weight and of a bias, two's complement.
        width: u32,
        /// Bits that a register's bias is shifted up by before it is added, or down, floored, if negative.
        bias_shift: i32,
    },
}

/// How a layer multiplies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Multiplication {
    /// What is added of a product.
    #[serde(default)]
    pub product: ProductRule,
    /// Where the weights are.
    #[serde(default)]
    pub store: WeightStore,
}

impl WeightStore {
    /// The layer's registers, which hold these integers; none if they are fixed.
    pub(super) fn registers(self, integers: impl Iterator<Item = i64>) -> Vec<RegisterArray> {
        let Self::Registers { width, .. } = self else {
            return Vec::new();
        };
        let range = Interval::of_width(width, true).expect("checked when the graph was built");
        vec![RegisterArray { port: WEIGHTS_PORT, range, values: integers.collect() }]
    }
}

impl Multiplication {
    /// Whether whole products of fixed weights are added.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// Bits that are cut off each product.
    pub fn cut(&self) -> u32 {
        match self.product {
            ProductRule::Exact => 0,
            ProductRule::Floored { bits } => bits,
        }
    }

    /// Whether the weights are in registers.
    pub fn is_stored(&self) -> bool {
        matches!(self.store, WeightStore::Registers { .. })
    }

    /// A layer's bias as it is added to the cut products.
    pub fn added_bias(&self, bias: i64) -> i64 {
        match self.store {
            WeightStore::Fixed => bias,
            WeightStore::Registers { bias_shift, .. } if bias_shift >= 0 => bias << bias_shift,
            WeightStore::Registers { bias_shift, .. } => bias >> bias_shift.unsigned_abs(),
        }
    }

    /// The range of what is added for a weight, or for all that its register can hold, and an operand.
    pub(super) fn product_range(&self, weight: i64, x: Interval) -> Result<Interval, OutOfRange> {
        let product = self.stored_range(weight)?.mul(x)?;
        match self.product {
            ProductRule::Exact => Ok(product),
            // what is cut off must not have been lost before
            ProductRule::Floored { .. } if product.width() > MAX_SHIFT => Err(OutOfRange),
            ProductRule::Floored { bits } => Ok(product.shr(bits)),
        }
    }

    /// The range of what is added for a bias, or for all that its register can hold.
    pub(super) fn bias_range(&self, bias: i64) -> Result<Interval, OutOfRange> {
        let range = self.stored_range(bias)?;
        match self.store {
            WeightStore::Registers { bias_shift, .. } if bias_shift >= 0 => range.shl(bias_shift.unsigned_abs()),
            WeightStore::Registers { bias_shift, .. } => Ok(range.shr(bias_shift.unsigned_abs())),
            WeightStore::Fixed => Ok(range),
        }
    }

    fn stored_range(&self, value: i64) -> Result<Interval, OutOfRange> {
        match self.store {
            WeightStore::Fixed => Interval::point(value.into()),
            WeightStore::Registers { width, .. } => Interval::of_width(width, true),
        }
    }

    /// What is wrong with it for a layer of these integers.
    pub(super) fn check<'a>(&self, mut integers: impl Iterator<Item = &'a i64>) -> Result<(), String> {
        if self.cut() > MAX_SHIFT {
            return Err(format!("{} bits cannot be cut off a product", self.cut()));
        }
        let WeightStore::Registers { width, bias_shift } = self.store else {
            return Ok(());
        };
        if !(1..=MAX_WIDTH).contains(&width) || bias_shift.unsigned_abs() > MAX_SHIFT - MAX_WIDTH {
            return Err(format!(
                "registers of {width} bits, biases shifted by {bias_shift}: expected 1 to {MAX_WIDTH} bits and at most {}",
                MAX_SHIFT - MAX_WIDTH
            ));
        }
        let (lo, hi) = (-(1i64 << (width - 1)), (1i64 << (width - 1)) - 1);
        match integers.find(|w| !(lo..=hi).contains(*w)) {
            Some(weight) => Err(format!("weight {weight} does not fit a register of {width} bits, {lo}…{hi}")),
            None => Ok(()),
        }
    }
}
