//! What all products of a design are made of.

use crate::arith::multiply::{DotProduct, Multiplier};
use crate::arith::products::fabric::Fabric;

/// Which products a design has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds {
    /// Products with constants.
    pub constants: bool,
    /// Products of two computed values.
    pub variables: bool,
    /// Whether weights come out of tables, as those of a folded network do.
    pub stored_weights: bool,
    /// Whether operands come out of memories, as in networks that are too large for registers.
    pub stored_operands: bool,
}

/// What the products of a design are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Arithmetic {
    /// Those with constants.
    pub constants: Fabric,
    /// Those of two computed values.
    pub variables: DotProduct,
}

impl Arithmetic {
    /// Constant products of `constants`, others of `multiplier`s whose rows are added up alike.
    pub fn of(constants: Fabric, multiplier: Multiplier) -> Self {
        Self { constants, variables: DotProduct::of(constants, multiplier) }
    }
}
