//! Options about the clock that several commands share.

use clap::Args;
use constraints::Target;
use constraints::timing::{Budget, Picoseconds};
use hdl::passes::pipeline::{Goal, Options};

use hdl::diag::Diagnostics;

use crate::failure::{Failure, Result};

/// The clock of the LHC, in nanoseconds.
const DEFAULT_CLOCK_NS: f64 = 25.0;

/// Clock, latency and the technology whose delays the stages are cut by.
#[derive(Debug, Args)]
pub struct Timing {
    /// Clock period in nanoseconds
    #[arg(long, value_name = "NS", default_value_t = DEFAULT_CLOCK_NS)]
    pub clock_ns: f64,
    /// Cycles from input to output; by default the fewest that meet the clock. 0 is without registers
    #[arg(long, value_name = "CYCLES")]
    pub latency: Option<u32>,
    /// Technology whose estimated delays the stages are cut by
    #[arg(long, value_name = "NAME", default_value = constraints::targets::DEFAULT)]
    pub target: String,
}

impl Timing {
    /// The clock period.
    pub fn clock(&self) -> Result<Picoseconds> {
        Ok(Picoseconds::from_ns(self.clock_ns)?)
    }

    /// What a data path is cut to. Latency 0 is without any register, also at the outputs.
    pub fn stages(&self) -> Result<Options> {
        let goal = |clock| match self.latency {
            Some(0) if self.is_default_clock() => Goal::Latency(0),
            Some(latency) => Goal::ClockAndLatency { clock, latency },
            None => Goal::Clock(clock),
        };
        Ok(Options { register_outputs: self.latency != Some(0), ..options(self.clock()?, goal)? })
    }

    /// Whether the user left the clock as it is.
    pub fn is_default_clock(&self) -> bool {
        self.clock_ns == DEFAULT_CLOCK_NS
    }

    /// The error of a goal that cannot be reached, with how the clock that it names follows from the user's.
    pub fn explain(&self, diagnostics: Diagnostics) -> Failure {
        let budget = Budget::default();
        let share = format!(
            "a stage has {} ns less {} % for jitter, the first one {} % less again for what stands before the inputs",
            self.clock_ns, budget.uncertainty, budget.inputs
        );
        let explained = diagnostics.0.into_iter().map(|d| match d.code {
            "impossible-clock" | "impossible-latency" => d.label(None, share.clone()),
            _ => d,
        });
        Failure::User(Diagnostics(explained.collect()))
    }

    /// How the delays were obtained.
    pub fn source(&self, target: &Target) -> String {
        format!("estimated with the operator delays of target {}", target.name)
    }
}

/// Options of the pipeline pass that leave room for jitter and for what stands before the inputs.
pub fn options(clock: Picoseconds, goal: impl Fn(u32) -> Goal) -> Result<Options> {
    let budget = Budget::default();
    let usable = Picoseconds(clock.0 - clock.percent(budget.uncertainty).0);
    let picoseconds = |time: Picoseconds| u32::try_from(time.0).unwrap_or(u32::MAX);
    Ok(Options { input_delay: picoseconds(clock.percent(budget.inputs)), ..Options::new(goal(picoseconds(usable))) })
}
