//! Hand-made parts of a network, which bring their own evaluation and hardware.

pub mod aggregate;
pub mod front_end;
pub mod gather;
pub mod normaliser;
pub mod sorted;
pub mod windows;

use hdl::dfg::{ModuleBuilder, Value};
use hdl::num::Interval;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::graph::TensorInfo;
use crate::arith::Products;
use aggregate::MaskedAggregate;
use front_end::FrontEndSettings;
use gather::{GatherAt, Incidence};
use normaliser::{ModuleSum, Normaliser};
use sorted::{Order, SortedScatter};

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

/// Where the hardware of a part is built, and what it is built on.
#[derive(Clone, Copy)]
pub struct Site<'a, 'm> {
    /// The module that it becomes a part of.
    pub m: &'m ModuleBuilder,
    /// The values of its operands.
    pub operands: &'a [&'a [Value<'m>]],
    /// Those of its registers, array by array.
    pub registers: &'a [Vec<Value<'m>>],
    /// How products are made.
    pub products: &'a Products,
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

    /// Its hardware.
    fn build<'m>(&self, at: Site<'_, 'm>) -> Vec<Value<'m>>;
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
