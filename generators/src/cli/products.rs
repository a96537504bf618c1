//! `--sums`, `--multipliers` and `--area-factor`: what products are made of.

use clap::Args;

use crate::arith::multiply::Multiplier;
use crate::flow::options::{Products, Sums};

/// What products are made of.
#[derive(Debug, Args)]
pub struct ProductArgs {
    /// Cell libraries: constant products as trees of full adder cells, or as two-input adders for the synthesis tool to
    /// build [default: cells where the library's full adder is known]
    #[arg(long, value_enum)]
    sums: Option<Sums>,
    /// How products of two computed values are built, and those of folded networks [default: booth where the target's
    /// adders are known, else operator; operator for folded networks on FPGAs and for streams]
    #[arg(long, value_enum, value_name = "FORM")]
    multipliers: Option<Multiplier>,
}

/// What products are made of, those of whole matrices among them.
#[derive(Debug, Args)]
pub struct MatrixProductArgs {
    #[command(flatten)]
    products: ProductArgs,
    /// Cell libraries: each constant matrix in its fastest structure of at most so many times its least area; more area
    /// makes a design faster or its cycles fewer [default: 1.15]
    #[arg(long, value_name = "FACTOR", value_parser = area_factor)]
    area_factor: Option<f64>,
}

fn area_factor(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(factor) if (1.0..=1e3).contains(&factor) => Ok(factor),
        _ => Err("expected a number from 1 to 1000".into()),
    }
}

impl ProductArgs {
    /// What was chosen.
    pub fn chosen(&self) -> Products {
        Products { sums: self.sums, multipliers: self.multipliers, area_factor: None }
    }
}

impl MatrixProductArgs {
    /// What was chosen.
    pub fn chosen(&self) -> Products {
        Products { area_factor: self.area_factor, ..self.products.chosen() }
    }
}
