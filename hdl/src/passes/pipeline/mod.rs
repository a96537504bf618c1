//! Cuts a combinational data path into pipeline stages: to a clock, to a latency, with the fewest register bits.

mod boundary;
mod bounds;
mod joint;
mod placement;
mod problem;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use self::bounds::{Schedule, TooSlow, earliest, least_budget};
use self::placement::fewest_bits;
use self::problem::{Problem, Role, retimed};
use super::clean::clean;
use super::delay::{DelayModel, EdgeDelay};
use crate::analysis::{Timing, pipeline_register_bits};
use crate::dfg::{Graph, Module, NodeId};
use crate::diag::{Cause, Diagnostic, Diagnostics};

/// Longest latency that can be asked for, in cycles.
pub const MOST_LATENCY: u32 = 4096;

/// What a pipeline is cut to. Times are clock periods in picoseconds, a register's share included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// The least latency under a clock.
    Clock(u32),
    /// The fastest clock for a latency: the cycle in which the outputs are there.
    Latency(u32),
    /// Both given: only register bits are left to save.
    ClockAndLatency {
        /// Clock period.
        clock: u32,
        /// Cycle in which the outputs are there.
        latency: u32,
    },
}

/// How a module is cut into stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// What is wanted.
    pub goal: Goal,
    /// Every input first enters a register.
    pub register_inputs: bool,
    /// Every output comes out of a register.
    pub register_outputs: bool,
    /// When inputs settle after the clock edge of their cycle, in picoseconds.
    pub input_delay: u32,
    /// What follows outputs that come out of no register, in picoseconds.
    pub output_delay: u32,
}

impl Options {
    /// Outputs registered, inputs not, no delay outside the module.
    pub fn new(goal: Goal) -> Self {
        Self { goal, register_inputs: false, register_outputs: true, input_delay: 0, output_delay: 0 }
    }
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Cycle in which the outputs are there.
    pub latency: u32,
    /// The clock period that the slowest stage needs, in picoseconds, a register's share included.
    pub clock: u64,
    /// The longest path of each stage from cycle 0 on, in picoseconds, without a register's share.
    pub stage_delays: Vec<u64>,
    /// Bits of all pipeline registers.
    pub register_bits: u64,
    /// Nodes of the longest path, first to last, in the new module.
    pub critical_path: Vec<NodeId>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "latency {} cycles, clock {} ps, {} register bits, stages of {:?} ps",
            self.latency, self.clock, self.register_bits, self.stage_delays
        )
    }
}

/// `module` cut into stages, and a report.
///
/// Its pipeline registers are taken away first, dead nodes too. Inputs keep the cycles of their ports. What feeds
/// registers with feedback, register files and instances keeps its cycle, and values that belong to no sample, such as
/// stored weights, are read in whatever stage needs them. All timed outputs come in one cycle. A twin for simulation gets
/// the same latency.
///
/// # Errors
/// - `impossible-clock`: an operator alone takes longer than a stage; the message says the least possible clock.
/// - `impossible-latency`: the message says the least latency, and for a given clock the least clock as well.
/// - `immovable-register`: a pipeline register has a reset or an enable.
pub fn pipeline(module: &Module, model: &dyn DelayModel, options: &Options) -> Result<(Module, Report), Diagnostics> {
    let (mut new, report) = cut(module, model, options)?;
    if let Some(twin) = &module.twin {
        let options = Options { goal: Goal::Latency(report.latency), input_delay: 0, output_delay: 0, ..*options };
        new.twin = Some(Arc::new(cut(twin, &Instant, &options)?.0));
    }
    Ok((new, report))
}

/// The delays of a module that is only simulated.
struct Instant;

impl DelayModel for Instant {
    fn register(&self) -> u32 {
        0
    }

    fn delay(&self, _: &Graph, _: NodeId, _: usize) -> EdgeDelay {
        EdgeDelay::ZERO
    }
}

/// [`pipeline`] without the module's twin.
fn cut(module: &Module, model: &dyn DelayModel, options: &Options) -> Result<(Module, Report), Diagnostics> {
    let module = clean(module)?;
    let problem = Problem::new(&module, model, options)?;
    let register = u64::from(model.register());
    let (budget, latency) = target(&problem, register)?;
    let schedule = fewest_bits(&problem, budget, latency)
        .ok_or_else(|| Diagnostic::bug("pipeline", "a feasible schedule was lost while its registers were placed"))?;
    let new = retimed(&problem, &schedule.stage, latency)?;
    let report = report(&problem, &schedule, latency, register, &new, model);
    Ok((new, report))
}

/// The time that a stage may take without its register, and the latency.
fn target(problem: &Problem<'_>, register: u64) -> Result<(u64, u32), Diagnostics> {
    if let Goal::Latency(latency) | Goal::ClockAndLatency { latency, .. } = problem.options.goal
        && latency > MOST_LATENCY
    {
        let message = format!("a latency of {latency} cycles is too long");
        let help = format!("at most {MOST_LATENCY} cycles can be asked for");
        return Err(Diagnostic::error("impossible-latency", message)
            .because(Cause::ImpossibleTiming)
            .help(help)
            .into());
    }
    match problem.options.goal {
        Goal::Clock(clock) => {
            let budget = budget(problem, clock, register)?;
            let schedule =
                earliest(problem, budget).map_err(|slow| impossible_clock(problem, clock, register, slow))?;
            Ok((budget, schedule.latency(problem, budget)))
        }
        Goal::Latency(latency) => match least_budget(problem, latency) {
            Some(budget) => Ok((budget, latency)),
            None => Err(impossible_latency(problem, latency, None, register)),
        },
        Goal::ClockAndLatency { clock, latency } => {
            let budget = budget(problem, clock, register)?;
            let schedule =
                earliest(problem, budget).map_err(|slow| impossible_clock(problem, clock, register, slow))?;
            let least = schedule.latency(problem, budget);
            if least > latency {
                return Err(impossible_latency(problem, latency, Some((clock, least)), register));
            }
            Ok((budget, latency))
        }
    }
}

fn budget(problem: &Problem<'_>, clock: u32, register: u64) -> Result<u64, Diagnostics> {
    let budget = u64::from(clock).checked_sub(register);
    let outside = u64::from(problem.options.output_delay);
    match budget {
        Some(budget) if problem.options.register_outputs || budget >= outside => Ok(budget),
        _ => Err(Diagnostic::error(
            "impossible-clock",
            format!("a clock of {clock} ps is impossible: a stage cannot do anything in it"),
        )
        .because(Cause::ImpossibleTiming)
        .help(least_clock_help(problem, register))
        .into()),
    }
}

fn impossible_clock(problem: &Problem<'_>, clock: u32, register: u64, slow: TooSlow) -> Diagnostics {
    let module = problem.module;
    let name = module.name_of(slow.node).map(|name| format!(" `{name}`")).unwrap_or_default();
    Diagnostic::error("impossible-clock", format!("a clock of {clock} ps is impossible, however many stages there are"))
        .because(Cause::ImpossibleTiming)
        .label(
            module.place_of(slow.node),
            format!(
                "this {}{name} takes {} ps, and a register {register} ps",
                module.graph.op(slow.node).mnemonic(),
                slow.time
            ),
        )
        .help(least_clock_help(problem, register))
        .into()
}

/// Names the least clock that any number of stages can have.
fn least_clock_help(problem: &Problem<'_>, register: u64) -> String {
    match least_budget(problem, u32::MAX - 1) {
        Some(budget) => format!("the least possible clock is {} ps", budget + register),
        None => "no clock is slow enough".into(),
    }
}

fn impossible_latency(problem: &Problem<'_>, latency: u32, at_clock: Option<(u32, u32)>, register: u64) -> Diagnostics {
    let least = earliest(problem, u64::MAX / 2).map_or(0, |s| s.latency(problem, u64::MAX / 2));
    let message = match at_clock {
        Some((clock, _)) => {
            format!("a latency of {latency} cycles is impossible at a clock of {clock} ps")
        }
        None => format!("a latency of {latency} cycles is impossible"),
    };
    let slower = least_budget(problem, latency).map(|budget| budget + register);
    let help = match (at_clock, slower) {
        (Some((_, cycles)), Some(clock)) => format!(
            "the least possible latency at this clock is {cycles} cycles, the least possible clock at this latency {clock} ps"
        ),
        (Some((_, cycles)), None) => {
            format!("the least possible latency at this clock is {cycles} cycles, at any clock {least} cycles")
        }
        _ => format!("the least possible latency is {least} cycles: registers at the ports and late inputs take them"),
    };
    Diagnostic::error("impossible-latency", message).because(Cause::ImpossibleTiming).help(help).into()
}

fn report(
    problem: &Problem<'_>,
    schedule: &Schedule,
    latency: u32,
    register: u64,
    new: &Module,
    model: &dyn DelayModel,
) -> Report {
    let stages = latency + 1 - problem.output_registers().min(latency + 1);
    let mut stage_delays = vec![0; stages.max(1) as usize];
    for n in problem.nodes() {
        let stage = schedule.stage[n.index()] as usize;
        if problem.role(n) != Role::Register && problem.is_timed(n) {
            let shown = problem.is_output[n.index()] && stage == latency as usize;
            let outside = if shown { problem.output_tail().last() } else { 0 };
            if let Some(longest) = stage_delays.get_mut(stage) {
                *longest = (*longest).max(schedule.arrival[n.index()].last() + outside);
            }
        }
    }
    let slowest = stage_delays.iter().copied().max().unwrap_or(0);
    Report {
        latency,
        clock: slowest + register,
        stage_delays,
        register_bits: pipeline_register_bits(new),
        critical_path: Timing::of(new, model, problem.options.input_delay).critical_path(),
    }
}
