//! Hand-made parts of a network, which bring their own evaluation and hardware.

use hdl::dfg::{ModuleBuilder, Value};
use hdl::num::Interval;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::graph::TensorInfo;
use crate::arith::Products;
use crate::encoder::front_end::FrontEndSettings;
use crate::encoder::normaliser::{ModuleSum, Normaliser};
use crate::interaction::aggregate::MaskedAggregate;
use crate::interaction::gather::{GatherAt, Incidence};
use crate::interaction::sorted::{Order, SortedScatter};

/// Registers that are written at run time, as one port of the data path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterArray {
    /// Name of the port. Arrays of the same name follow each other at one port.
    pub port: &'static str,
    /// What a register can hold.
    pub range: Interval,
    /// What is written there, one integer a register.
    pub values: Vec<i64>,
}

/// What a hand-made part does.
pub trait HandMade {
    /// Name in JSON and in reports.
    fn name(&self) -> &'static str;

    /// How many operands it has.
    fn operands(&self) -> usize {
        1
    }

    /// Shape and range of its result, or what does not fit.
    ///
    /// # Errors
    /// An operand of another shape or range.
    fn result(&self, x: &[&TensorInfo]) -> Result<TensorInfo, String>;

    /// The result for operands of the right shapes and ranges.
    fn evaluate(&self, x: &[&[i64]]) -> Vec<i64>;

    /// Its run-time registers, with what they hold.
    fn registers(&self) -> Vec<RegisterArray> {
        Vec::new()
    }

    /// Its hardware, on the values of its operands and of its registers.
    fn build<'m>(
        &self,
        m: &'m ModuleBuilder,
        x: &[&[Value<'m>]],
        registers: &[Vec<Value<'m>>],
        products: &Products,
    ) -> Vec<Value<'m>>;
}

/// The hand-made parts that there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Block {
    /// The trigger encoder's normaliser.
    Normaliser(Normaliser),
    /// The trigger encoder's module sum.
    ModuleSum(ModuleSum),
    /// The trigger encoder's unpacking, reordering and calibration of what comes from the link.
    FrontEnd(FrontEndSettings),
    /// Rows of nodes by run-time indices.
    GatherAt(GatherAt),
    /// Which edges count, and the receiver of each.
    Incidence(Incidence),
    /// Which edges count, of those that are promised to come in the order of their receivers.
    Order(Order),
    /// Sum, mean or maximum over masked rows.
    MaskedAggregate(MaskedAggregate),
    /// The same over the edges of each receiver, in their order.
    SortedScatter(SortedScatter),
}

impl Block {
    /// The part itself.
    pub fn part(&self) -> &dyn HandMade {
        match self {
            Self::Normaliser(part) => part,
            Self::ModuleSum(part) => part,
            Self::FrontEnd(part) => part,
            Self::GatherAt(part) => part,
            Self::Incidence(part) => part,
            Self::Order(part) => part,
            Self::MaskedAggregate(part) => part,
            Self::SortedScatter(part) => part,
        }
    }
}
