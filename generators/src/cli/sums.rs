//! `--sums`: what constant products are made of.

use clap::ValueEnum;
use constraints::Target;
use hdl::diag::Diagnostic;

use crate::arith::{CellCosts, Fabric, Objective};
use crate::failure::{Failure, Result};

/// What constant products are made of on a cell library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Sums {
    /// Trees of full adder cells
    Cells,
    /// Two-input adders, which the synthesis tool builds
    Operators,
}

/// What was asked for, or else what is best on the target.
pub(super) fn fabric(target: &Target, sums: Option<Sums>) -> Result<Fabric> {
    match sums {
        None => Ok(Fabric::of(target)),
        Some(Sums::Operators) => Ok(Fabric::Operators(Objective::of(target))),
        Some(Sums::Cells) => CellCosts::on(target).map(Fabric::Cells).ok_or_else(|| {
            let name = hdl::names::quoted(&target.name);
            let message = format!("no full adder is known of target {name}");
            let help = "leave --sums away, or name a cell library with a full adder";
            Failure::user(Diagnostic::error("sums", message).help(help))
        }),
    }
}
