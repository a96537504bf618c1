//! What registers with feedback and register files hold while a batch runs.

use hdl::dfg::Module;
use hdl::dfg::eval::Stepper;
use hdl::diag::{Diagnostic, Diagnostics};
use hdl::num::Interval;

/// The content of a module's registers with feedback and register files, constant over a run.
///
/// For a module with instances it is the content of the flattened module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Content {
    /// Value of each register, in the module's order.
    pub states: Vec<i128>,
    /// Words of each register file, in the module's order.
    pub memories: Vec<Vec<i128>>,
}

impl Content {
    /// Registers at their initial values, words at 0, as the evaluator starts.
    pub fn initial(module: &Module) -> Self {
        Self {
            states: module.states.iter().map(|s| s.style.initial).collect(),
            memories: module.memories.iter().map(|m| vec![0; m.depth as usize]).collect(),
        }
    }

    /// What `module` holds after it was stepped, for instance through the writes of its register port.
    pub fn of(module: &Module, stepper: &Stepper) -> Self {
        Self {
            states: (0..module.states.len()).map(|k| stepper.state(k)).collect(),
            memories: (0..module.memories.len()).map(|k| stepper.memory(k).to_vec()).collect(),
        }
    }
}

/// Name and range of everything that [`Content`] is for.
#[derive(Debug, Clone)]
pub(super) struct Ranges {
    states: Vec<(String, Interval)>,
    memories: Vec<(String, u32, Interval)>,
}

impl Ranges {
    /// Those of `module`.
    pub fn of(module: &Module) -> Self {
        Self {
            states: module.states.iter().map(|s| (s.name.clone(), s.range)).collect(),
            memories: module.memories.iter().map(|m| (m.name.clone(), m.depth, m.range)).collect(),
        }
    }

    /// An error unless every value of `content` has its place and its range.
    pub fn check(&self, content: &Content) -> Result<(), Diagnostics> {
        count("registers", self.states.len(), content.states.len())?;
        count("register files", self.memories.len(), content.memories.len())?;
        for ((name, range), value) in self.states.iter().zip(&content.states) {
            inside(name, *range, *value)?;
        }
        for ((name, depth, range), words) in self.memories.iter().zip(&content.memories) {
            count(&format!("words of `{name}`"), *depth as usize, words.len())?;
            // a word that was never written is 0, whatever the range
            words.iter().try_for_each(|word| inside(name, range.union(Interval::BIT), *word))?;
        }
        Ok(())
    }
}

fn count(what: &str, expected: usize, given: usize) -> Result<(), Diagnostics> {
    if expected == given {
        return Ok(());
    }
    let message = format!("there are {expected} {what}, content is given for {given}");
    Err(Diagnostic::error("content-count", message).into())
}

fn inside(name: &str, range: Interval, value: i128) -> Result<(), Diagnostics> {
    if range.contains(value) {
        return Ok(());
    }
    let message = format!("{value} as content of `{name}` is not in {range}");
    Err(Diagnostic::error("content-range", message).into())
}
