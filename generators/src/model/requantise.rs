//! Changes of number format: rounding, then a range that is forced.

use hdl::dfg::{ModuleBuilder, Value};
use hdl::num::{Interval, OutOfRange, Overflow, Quantiser, Rounding};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens to an integer that its new format cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Limit {
    /// The nearer end of `lo…hi`.
    Saturate {
        /// Least value.
        lo: i64,
        /// Greatest value.
        hi: i64,
    },
    /// The low `width` bits.
    Wrap {
        /// Bits, 1 to 62.
        width: u32,
        /// Whether they are two's complement.
        signed: bool,
    },
    /// 0, if `width` bits cannot hold it.
    Zero {
        /// Bits, 1 to 62.
        width: u32,
        /// Whether they are two's complement.
        signed: bool,
    },
}

/// A change of number format: the last `drop` bits are rounded away, then the range is forced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Requantise {
    /// Bits to drop, at most 62; as many zeros are appended if it is negative.
    pub drop: i32,
    /// Rule for dropped bits.
    pub rounding: Rounding,
    /// Rule for values out of range.
    pub limit: Limit,
}

impl Requantise {
    /// What `quantiser` does with integers of `frac` fraction bits.
    pub fn of(quantiser: &Quantiser, frac: i32) -> Self {
        let Quantiser { width, signed, rounding, overflow, .. } = *quantiser;
        let (lo, hi) = quantiser.limits();
        let limit = match overflow {
            Overflow::Wrap => Limit::Wrap { width, signed },
            Overflow::Zero => Limit::Zero { width, signed },
            Overflow::Saturate | Overflow::Symmetric => Limit::Saturate { lo, hi },
        };
        Self { drop: frac - quantiser.frac, rounding, limit }
    }

    /// The result for `value`.
    pub fn apply(&self, value: i128) -> i128 {
        let moved = match u32::try_from(self.drop) {
            Ok(drop) => self.rounding.apply(value, drop),
            Err(_) => value << self.drop.unsigned_abs(),
        };
        match self.limit {
            Limit::Saturate { lo, hi } => moved.clamp(lo.into(), hi.into()),
            Limit::Wrap { width, signed } => Overflow::Wrap.apply(moved, width, signed),
            Limit::Zero { width, signed } => Overflow::Zero.apply(moved, width, signed),
        }
    }

    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.drop.unsigned_abs() > 62 {
            return Err(format!("{} bits cannot be dropped", self.drop));
        }
        match self.limit {
            Limit::Wrap { width, .. } | Limit::Zero { width, .. } if !(1..=62).contains(&width) => {
                Err(format!("a result of {width} bits is not supported"))
            }
            Limit::Saturate { lo, hi } if lo > hi => Err(format!("[{lo}, {hi}] is empty")),
            _ => Ok(()),
        }
    }

    /// The range of the results for integers in `x`.
    ///
    /// # Errors
    /// Integers wider than any interval.
    pub fn range(&self, x: Interval) -> Result<Interval, OutOfRange> {
        let moved = match u32::try_from(self.drop) {
            Ok(drop) => Interval::new(self.rounding.apply(x.lo(), drop), self.rounding.apply(x.hi(), drop))?,
            Err(_) => x.shl(self.drop.unsigned_abs())?,
        };
        match self.limit {
            Limit::Saturate { lo, hi } => {
                let (lo, hi) = (i128::from(lo), i128::from(hi));
                Interval::new(moved.lo().clamp(lo, hi), moved.hi().clamp(lo, hi))
            }
            Limit::Wrap { width, signed } | Limit::Zero { width, signed } => {
                let format = Interval::of_width(width, signed)?;
                Ok(if format.covers(moved) { moved } else { format })
            }
        }
    }

    /// Its hardware.
    pub fn build<'m>(&self, m: &'m ModuleBuilder, x: Value<'m>) -> Value<'m> {
        // counted in units of the new last place, the operand has `drop` fraction bits
        let rounded = match u32::try_from(self.drop) {
            Ok(_) => x.with_frac(self.drop).round(0, self.rounding),
            Err(_) => x * m.constant(1 << self.drop.unsigned_abs(), 0),
        };
        match self.limit {
            Limit::Saturate { lo, hi } => {
                let range = Interval::new(lo.into(), hi.into()).expect("checked when the graph was built");
                rounded.saturate(range)
            }
            Limit::Wrap { width, signed } if Overflow::Wrap.limits(width, signed).covers(rounded.range()) => rounded,
            Limit::Wrap { width, signed } => rounded.wrap(width, signed),
            Limit::Zero { width, signed } => {
                let (rounding, overflow) = (Rounding::Floor, Overflow::Zero);
                rounded.quantise(&Quantiser { width, signed, frac: 0, rounding, overflow })
            }
        }
    }
}
