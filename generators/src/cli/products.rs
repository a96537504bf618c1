//! `--sums` and `--multipliers`: what products are made of.

use clap::{Args, ValueEnum};
use constraints::Target;
use hdl::diag::Diagnostic;

use crate::arith::multiply::Multiplier;
use crate::arith::{Arithmetic, CellCosts, Fabric, Kinds, Objective};
use crate::failure::{Failure, Result};

/// What constant products are made of on a cell library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Sums {
    /// Trees of full adder cells
    Cells,
    /// Two-input adders, which the synthesis tool builds
    Operators,
}

/// What products are made of.
#[derive(Debug, Args)]
pub struct Products {
    /// Cell libraries: constant products as trees of full adder cells, or as two-input adders for the synthesis tool to
    /// build [default: cells where the library's full adder is known]
    #[arg(long, value_enum)]
    sums: Option<Sums>,
    /// How products of two computed values are built [default: booth where the target's adders are known, else operator]
    #[arg(long, value_enum, value_name = "FORM")]
    multipliers: Option<Multiplier>,
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

impl Products {
    /// What was asked for, or else what is best on the target.
    ///
    /// # Errors
    /// Cells on a target without full adder, and a choice for products of which `kinds` has none.
    pub(super) fn arithmetic(&self, target: &Target, kinds: Kinds) -> Result<Arithmetic> {
        let without = |code: &'static str, what: &str| {
            let message = format!("--{code} has no effect on a design without products {what}");
            Failure::user(Diagnostic::error(code, message).help(format!("leave --{code} away")))
        };
        if self.sums.is_some() && !kinds.constants {
            return Err(without("sums", "with constants"));
        }
        if self.multipliers.is_some() && !kinds.variables {
            return Err(without("multipliers", "of two computed values"));
        }
        let constants = fabric(target, self.sums)?;
        let multiplier = self.multipliers.unwrap_or_else(|| Multiplier::on(target));
        Ok(Arithmetic::of(constants, multiplier))
    }
}

/// What the products of a design are made of, for its report.
pub(super) fn parameters(
    arithmetic: &Arithmetic,
    kinds: Kinds,
) -> impl Iterator<Item = (String, String)> {
    let sums = match arithmetic.constants {
        Fabric::Cells(_) => Sums::Cells,
        Fabric::Operators(_) => Sums::Operators,
    };
    let sums = kinds.constants.then(|| ("sums", name(sums)));
    let multiplier = arithmetic.variables.multiplier;
    let multipliers = kinds.variables.then(|| ("multipliers", name(multiplier)));
    let chosen = sums.into_iter().chain(multipliers);
    chosen.map(|(key, value)| (key.to_owned(), value))
}

/// The value as it is given on the command line.
fn name(value: impl ValueEnum) -> String {
    let value = value.to_possible_value();
    value.map_or_else(String::new, |v| v.get_name().to_owned())
}
