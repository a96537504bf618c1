//! What is asked of the hardware of any design: technology, clock, latency, and what products are made of.

use clap::ValueEnum;
use constraints::Target;
use constraints::timing::{Budget, Picoseconds};
use hdl::diag::{Cause, Diagnostic, Diagnostics};
use hdl::passes::pipeline::{self, Goal};

use super::tmr::Tmr;
use crate::arith::multiply::Multiplier;
use crate::arith::{Arithmetic, Effort, Fabric, Kinds, Objective, Wanted};
use crate::failure::{Failure, Result};

/// The clock of the LHC, in nanoseconds, for which designs are made unless another is asked for.
pub const DEFAULT_CLOCK_NS: f64 = 25.0;

/// Longest name of a top module: it begins the names of files, which most file systems end at 255 characters, and
/// simulators append to it.
const TOP_LENGTH: usize = 128;

/// Beginning of the names of the modules of adders and inverters that stand beside a design's own.
const OWN_MODULES: &str = "hwgen_";

/// Everything that is asked of the hardware; the default is what the program does without further options.
#[derive(Debug, Clone)]
pub struct Options {
    /// Technology.
    pub target: Target,
    /// Clock and latency.
    pub timing: Timing,
    /// What products are made of.
    pub products: Products,
    /// Which registers stand three times.
    pub tmr: Tmr,
    /// How long to search for shared adders, for each matrix; none is by the matrix's size.
    pub effort: Option<Effort>,
}

/// Clock and cycles.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Timing {
    /// Clock period in nanoseconds; none is [`DEFAULT_CLOCK_NS`], with room for what a design prefers.
    pub clock_ns: Option<f64>,
    /// Cycles from input to output; none is the fewest that meet the clock, 0 is without registers.
    pub latency: Option<u32>,
}

/// What products are made of; none is what is best on the target.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Products {
    /// Those with constants.
    pub sums: Option<Sums>,
    /// Those of two computed values.
    pub multipliers: Option<Multiplier>,
    /// How much larger than the smallest a structure of cells may be for its speed.
    pub area_factor: Option<f64>,
}

/// What constant products are made of on a cell library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Sums {
    /// Trees of full adder cells
    Cells,
    /// Two-input adders, which the synthesis tool builds
    Operators,
}

/// An error unless `name` can name a top module and its files.
///
/// # Errors
/// Why not.
pub fn check_top(name: &str) -> Result<()> {
    let reason = match hdl::names::check_identifier(name) {
        Ok(()) if name.to_lowercase().starts_with(OWN_MODULES) => {
            format!("names that begin with `{OWN_MODULES}` are those of modules that hwgen adds to a design")
        }
        Ok(()) if name.len() <= TOP_LENGTH => return Ok(()),
        Ok(()) => {
            format!("{} characters are too many, {TOP_LENGTH} are allowed, since files are named after it", name.len())
        }
        Err(reason) => reason,
    };
    let message = format!("top module name {}: {reason}", hdl::names::quoted(name));
    Err(Failure::user(Diagnostic::error("bad-name", message).help("choose another name with --top")))
}

impl Options {
    /// The default options on the target of that name.
    ///
    /// # Errors
    /// No such target.
    pub fn on(target: &str) -> Result<Self> {
        let target = Target::load(target)?;
        Ok(Self { target, timing: Timing::default(), products: Products::default(), tmr: Tmr::None, effort: None })
    }

    /// How stage delays were obtained, for a report.
    pub fn delay_source(&self) -> String {
        format!("estimated with the operator delays of target {}", self.target.name)
    }
}

impl Timing {
    /// The clock period in nanoseconds.
    pub fn clock_ns(&self) -> f64 {
        self.clock_ns.unwrap_or(DEFAULT_CLOCK_NS)
    }

    /// The clock period.
    ///
    /// # Errors
    /// No clock of that period can be.
    pub fn clock(&self) -> Result<Picoseconds> {
        Ok(Picoseconds::from_ns(self.clock_ns())?)
    }

    /// What a data path is cut to: the asked latency at the clock, or the fewest cycles.
    ///
    /// # Errors
    /// Those of [`Timing::clock`].
    pub fn stages(&self) -> Result<pipeline::Options> {
        self.cut(|clock| match self.latency {
            Some(latency) => Goal::ClockAndLatency { clock, latency },
            None => Goal::Clock(clock),
        })
    }

    /// Options of the pipeline pass that leave room for jitter and for what stands before the inputs; the goal is given
    /// what is left of the clock, in picoseconds.
    ///
    /// # Errors
    /// Those of [`Timing::clock`].
    pub fn cut(&self, goal: impl Fn(u32) -> Goal) -> Result<pipeline::Options> {
        let (clock, budget) = (self.clock()?, Budget::default());
        let usable = Picoseconds(clock.0 - clock.percent(budget.uncertainty).0);
        let picoseconds = |time: Picoseconds| u32::try_from(time.0).unwrap_or(u32::MAX);
        let input_delay = picoseconds(clock.percent(budget.inputs));
        Ok(pipeline::Options { input_delay, ..pipeline::Options::new(goal(picoseconds(usable))) })
    }

    /// The error of a goal that cannot be reached, with how the clock that it names follows from the user's.
    pub fn explain(&self, diagnostics: Diagnostics) -> Failure {
        let budget = Budget::default();
        let share = format!(
            "a stage has {} ns less {} % for jitter, the first one {} % less again for what stands before the inputs",
            self.clock_ns(),
            budget.uncertainty,
            budget.inputs
        );
        let explained = diagnostics.0.into_iter().map(|d| match d.cause {
            Some(Cause::ImpossibleTiming) => d.label(None, share.clone()),
            _ => d,
        });
        Failure::from(Diagnostics(explained.collect()))
    }
}

impl Products {
    /// What constant products are made of: what was asked for, or else what is best on the target.
    ///
    /// # Errors
    /// Cells on a target without full adder.
    pub fn fabric(&self, target: &Target) -> Result<Fabric> {
        match self.sums {
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

    /// What all products are made of, of a design that has those of `kinds`.
    ///
    /// # Errors
    /// Cells on a target without full adder, and a choice for products of which the design has none.
    pub fn arithmetic(&self, target: &Target, kinds: Kinds) -> Result<Arithmetic> {
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
        let usual = match kinds {
            // thousands of products as rows of cells are more than readers of Verilog like
            Kinds { stored_operands: true, .. } => Multiplier::Operator,
            Kinds { stored_weights: true, .. } => Multiplier::of_stored_weights(target),
            _ => Multiplier::on(target),
        };
        let mut arithmetic = Arithmetic::of(self.fabric(target)?, self.multipliers.unwrap_or(usual));
        if let Some(factor) = self.area_factor {
            match &mut arithmetic.constants {
                Fabric::Cells(_, wanted) if kinds.constants => *wanted = Wanted::Larger(factor),
                _ => {
                    let message = "--area-factor has no effect on a design without products of cells";
                    let help = "leave --area-factor away, or name a cell library with --target";
                    return Err(Failure::user(Diagnostic::error("area-factor", message).help(help)));
                }
            }
        }
        Ok(arithmetic)
    }
}

/// What the products of a design are made of, for its report.
pub fn parameters(arithmetic: &Arithmetic, kinds: Kinds) -> impl Iterator<Item = (String, String)> {
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
