//! `--sums`, `--multipliers` and `--area-factor`: what products are made of.

use clap::{Args, ValueEnum};
use constraints::Target;
use hdl::diag::Diagnostic;

use crate::arith::multiply::Multiplier;
use crate::arith::{Arithmetic, Fabric, Kinds, Objective, Wanted};
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
    /// How products of two computed values are built, and those of folded networks [default: booth where the target's
    /// adders are known, else operator; operator for folded networks on FPGAs]
    #[arg(long, value_enum, value_name = "FORM")]
    multipliers: Option<Multiplier>,
}

/// What products are made of, those of whole matrices among them.
#[derive(Debug, Args)]
pub struct MatrixProducts {
    #[command(flatten)]
    products: Products,
    /// Cell libraries: each constant matrix in its fastest structure of at most so many times its least area; more area
    /// makes a design faster or its cycles fewer [default: 1.15]
    #[arg(long, value_name = "FACTOR", value_parser = area_factor)]
    area_factor: Option<f64>,
}

fn area_factor(text: &str) -> std::result::Result<f64, String> {
    match text.parse() {
        Ok(factor) if (1.0..=1e3).contains(&factor) => Ok(factor),
        _ => Err("expected a number from 1 to 1000".into()),
    }
}

/// What was asked for, or else what is best on the target.
pub(super) fn fabric(target: &Target, sums: Option<Sums>) -> Result<Fabric> {
    match sums {
        None => Ok(Fabric::of(target)),
        Some(Sums::Operators) => Ok(Fabric::Operators(Objective::of(target))),
        Some(Sums::Cells) => match Fabric::of(target) {
            cells @ Fabric::Cells(..) => Ok(cells),
            Fabric::Operators(_) => {
                let name = hdl::names::quoted(&target.name);
                let message = format!("no full adder is known of target {name}");
                let help = "leave --sums away, or name a cell library with a full adder";
                Err(Failure::user(Diagnostic::error("sums", message).help(help)))
            }
        },
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
        let usual = match kinds.stored_weights {
            true => Multiplier::of_stored_weights(target),
            false => Multiplier::on(target),
        };
        let multiplier = self.multipliers.unwrap_or(usual);
        Ok(Arithmetic::of(constants, multiplier))
    }
}

impl MatrixProducts {
    /// What was asked for, or else what is best on the target.
    ///
    /// # Errors
    /// Those of [`Products::arithmetic`], and an area factor for products that are not made of cells.
    pub(super) fn arithmetic(&self, target: &Target, kinds: Kinds) -> Result<Arithmetic> {
        let mut arithmetic = self.products.arithmetic(target, kinds)?;
        let Some(factor) = self.area_factor else {
            return Ok(arithmetic);
        };
        match &mut arithmetic.constants {
            Fabric::Cells(_, wanted) if kinds.constants => *wanted = Wanted::Larger(factor),
            _ => {
                let message = "--area-factor has no effect on a design without products of cells";
                let help = "leave --area-factor away, or name a cell library with --target";
                return Err(Failure::user(Diagnostic::error("area-factor", message).help(help)));
            }
        }
        Ok(arithmetic)
    }
}

/// What the products of a design are made of, for its report.
pub(super) fn parameters(arithmetic: &Arithmetic, kinds: Kinds) -> impl Iterator<Item = (String, String)> {
    let (sums, wanted) = match arithmetic.constants {
        Fabric::Cells(_, wanted) => (Sums::Cells, wanted),
        Fabric::Operators(_) => (Sums::Operators, Wanted::BALANCED),
    };
    let area_factor = match wanted {
        Wanted::Larger(factor) if wanted != Wanted::BALANCED => Some(factor),
        _ => None,
    };
    let area_factor = area_factor.map(|f| ("area factor", f.to_string()));
    let sums = kinds.constants.then(|| ("sums", name(sums)));
    let multiplier = arithmetic.variables.multiplier;
    let multipliers = kinds.variables.then(|| ("multipliers", name(multiplier)));
    let chosen = sums.into_iter().chain(area_factor).chain(multipliers);
    chosen.map(|(key, value)| (key.to_owned(), value))
}

/// The value as it is given on the command line.
fn name(value: impl ValueEnum) -> String {
    let value = value.to_possible_value();
    value.map_or_else(String::new, |v| v.get_name().to_owned())
}
