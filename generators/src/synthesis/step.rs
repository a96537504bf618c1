//! The steps of a flow: which there are, what each needs, and running them one after the other.

use std::time::{Duration, Instant};

use clap::ValueEnum;
use hdl::diag::{Cause, Diagnostic, Diagnostics};
use sim::tools::Meter;

use crate::failure::{Failure, Result};
use crate::output::synthesis::{State, Step, Synthesis};

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Choice {
    /// Yosys and ABC: the netlist and its size
    Map,
    /// OpenSTA: slack and worst paths
    Sta,
    /// Icarus: the netlist against the folder's vectors
    Gates,
    /// ABC: the netlist computes what the Verilog does
    Equiv,
    /// Energy and power from the library's tables and the vectors' switching activity
    Power,
    /// nextpnr: place and route, the clock that is reached
    Place,
}

impl Choice {
    /// As `--steps` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Map => "map",
            Self::Sta => "sta",
            Self::Gates => "gates",
            Self::Equiv => "equiv",
            Self::Power => "power",
            Self::Place => "place",
        }
    }
}

/// What a step found.
pub struct Finding {
    /// Whether all is well.
    pub holds: bool,
    /// In words.
    pub words: String,
}

impl Finding {
    /// All is well.
    pub fn good(words: impl Into<String>) -> Self {
        Self { holds: true, words: words.into() }
    }
}

/// How a step ends: with a finding, or an error if it could not run to its end.
pub type Found = std::result::Result<Finding, Diagnostics>;

/// A step of the flow `F`.
pub struct Task<F> {
    step: Choice,
    needs: &'static [Choice],
    run: fn(&mut F, &Meter) -> Found,
}

impl<F> Task<F> {
    /// A step that needs others to have run to their end. Its programs run under the meter, which knows the time limit
    /// and notes the memory.
    pub fn new(step: Choice, needs: &'static [Choice], run: fn(&mut F, &Meter) -> Found) -> Self {
        Self { step, needs, run }
    }
}

/// From a folder's Verilog to figures, in steps.
pub trait Flow: Sized {
    /// The steps, in the order in which they run.
    fn tasks(&self) -> Vec<Task<Self>>;
    /// Where the results go.
    fn report(&mut self) -> &mut Synthesis;
}

/// Runs the steps that were asked for, all of them if none was, and what they need; each ends up in the report, and a
/// line about it is told.
///
/// # Errors
/// Only for a step that the flow does not have.
pub fn run_steps<F: Flow>(flow: &mut F, asked: &[Choice], limit: Duration, tell: &mut dyn FnMut(&str)) -> Result<()> {
    for task in wanted(flow.tasks(), asked)? {
        let start = Instant::now();
        let meter = Meter::new(limit);
        let missing = task.needs.iter().find(|needed| {
            let done = &flow.report().steps;
            !done.iter().any(|s| s.name == needed.name() && s.state.is_complete())
        });
        let (state, result) = match missing {
            Some(needed) => (State::Skipped, format!("needs `{}`", needed.name())),
            None => ending((task.run)(flow, &meter)),
        };
        let step = Step {
            name: task.step.name(),
            state,
            seconds: start.elapsed().as_secs_f64(),
            cpu_seconds: meter.cpu().as_secs_f64(),
            memory_mb: meter.peak_bytes() as f64 / 1e6,
            result,
        };
        tell(&progress(&step));
        flow.report().steps.push(step);
    }
    Ok(())
}

/// The tasks that were asked for and those that they need, in the flow's order.
fn wanted<F>(mut tasks: Vec<Task<F>>, asked: &[Choice]) -> Result<Vec<Task<F>>> {
    let known = |step: &Choice| tasks.iter().any(|task| task.step == *step);
    if let Some(step) = asked.iter().find(|step| !known(step)) {
        let names: Vec<&str> = tasks.iter().map(|task| task.step.name()).collect();
        let message = format!("there is no step `{}` for this target", step.name());
        let error = Diagnostic::error("step", message);
        return Err(Failure::user(error.help(format!("its steps are {}", names.join(", ")))));
    }
    // what is needed stands before, so one walk from the end suffices
    let mut steps: Vec<Choice> = asked.to_vec();
    for task in tasks.iter().rev() {
        if steps.contains(&task.step) {
            steps.extend(task.needs);
        }
    }
    tasks.retain(|task| asked.is_empty() || steps.contains(&task.step));
    Ok(tasks)
}

fn ending(found: Found) -> (State, String) {
    match found {
        Ok(Finding { holds: true, words }) => (State::Done, words),
        Ok(Finding { holds: false, words }) => (State::Failed, words),
        Err(error) if error.has(Cause::TimedOut) => (State::TimedOut, error.to_string()),
        Err(error) => (State::Broken, error.to_string()),
    }
}

/// One line for a person who waits.
fn progress(step: &Step) -> String {
    let first = step.result.lines().next().unwrap_or_default();
    let state = match step.state {
        State::Done => String::new(),
        other => format!("{other}: "),
    };
    format!(
        "{}: {state}{first} ({:.1} s, {:.1} s of processors, {:.0} MB)",
        step.name, step.seconds, step.cpu_seconds, step.memory_mb
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A flow whose first step runs out of time and whose second finds something wrong.
    struct Bad(Synthesis);

    fn late(_: &mut Bad, _: &Meter) -> Found {
        Err(Diagnostic::error("tool-timeout", "`sleep` did not end").because(Cause::TimedOut).into())
    }

    fn wrong(_: &mut Bad, _: &Meter) -> Found {
        Ok(Finding { holds: false, words: "no".into() })
    }

    fn fine(_: &mut Bad, _: &Meter) -> Found {
        Ok(Finding::good("yes"))
    }

    impl Flow for Bad {
        fn tasks(&self) -> Vec<Task<Self>> {
            vec![
                Task::new(Choice::Map, &[], wrong),
                Task::new(Choice::Sta, &[Choice::Map], late),
                Task::new(Choice::Power, &[Choice::Sta], fine),
            ]
        }

        fn report(&mut self) -> &mut Synthesis {
            &mut self.0
        }
    }

    fn states(asked: &[Choice]) -> Result<Vec<State>> {
        let mut flow = Bad(Synthesis::new("top", "none", 25.0, 2, false));
        run_steps(&mut flow, asked, Duration::from_secs(1), &mut |_| ())?;
        Ok(flow.0.steps.iter().map(|step| step.state).collect())
    }

    #[test]
    fn a_step_that_does_not_end_stops_only_those_that_need_it() {
        let all = [State::Failed, State::TimedOut, State::Skipped];
        assert_eq!(states(&[]).unwrap(), all);
        assert_eq!(states(&[Choice::Power]).unwrap(), all, "what is needed runs too");
        assert_eq!(states(&[Choice::Map]).unwrap(), all[..1]);
    }

    #[test]
    fn a_step_that_the_flow_lacks_is_the_users_mistake() {
        let error = states(&[Choice::Gates]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("map, sta, power"), "{error}");
    }
}
