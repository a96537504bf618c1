//! Passes: functions from a module to a better one of the same meaning, as data that a program can list and choose from.

mod balance;
mod clean;
pub mod delay;
mod flatten;
mod fold;
mod max_flow;
pub mod pipeline;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

pub use balance::balance;
pub use clean::clean;
pub use flatten::flatten;
pub use fold::fold;

use self::delay::DelayModel;
use crate::dfg::{Module, check};
use crate::diag::{Diagnostic, Diagnostics, Level};
use crate::names;

/// What a pass does to a module.
type Run = Arc<dyn Fn(&Module) -> Result<Module, Diagnostics> + Send + Sync>;

/// Which modules of a design a pass is run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The topmost one.
    Top,
    /// All of them, each once, children first. Such a pass keeps ports and latency.
    Every,
}

/// A pass.
#[derive(Clone)]
pub struct Pass {
    /// By which it is chosen.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub description: &'static str,
    /// Which modules it is run on.
    pub extent: Extent,
    run: Run,
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pass").field("name", &self.name).field("extent", &self.extent).finish_non_exhaustive()
    }
}

/// A pass without options: name, description, extent, function.
type Entry = (&'static str, &'static str, Extent, fn(&Module) -> Result<Module, Diagnostics>);

const PASSES: [Entry; 4] = [
    ("clean", "Takes away what no output depends on.", Extent::Every, clean),
    ("fold", "Simplifies operators by what is known of their operands.", Extent::Every, fold),
    ("flatten", "Puts the content of every instance in its place.", Extent::Top, flatten),
    ("balance", "Lets all outputs come in one cycle.", Extent::Top, balance),
];

impl Pass {
    /// Every pass that needs no options.
    pub fn all() -> Vec<Self> {
        let pass = |(name, description, extent, run): Entry| Self { name, description, extent, run: Arc::new(run) };
        PASSES.into_iter().map(pass).collect()
    }

    /// The pass that cuts the topmost module into pipeline stages.
    pub fn pipeline(model: Arc<dyn DelayModel>, options: pipeline::Options) -> Self {
        Self {
            name: "pipeline",
            description: "Cuts a data path into stages with the fewest register bits.",
            extent: Extent::Top,
            run: Arc::new(move |module| Ok(pipeline::pipeline(module, &*model, &options)?.0)),
        }
    }

    /// Runs the pass on one module.
    ///
    /// # Errors
    /// Those of the pass, and a bug if its result breaks an invariant.
    pub fn run(&self, module: &Module) -> Result<Module, Diagnostics> {
        let new = (self.run)(module)?;
        let broken: Vec<Diagnostic> = check(&new).into_iter().filter(|d| d.level != Level::Warning).collect();
        if broken.is_empty() { Ok(new) } else { Err(Diagnostics(broken)) }
    }
}

/// What an observer of a [`Sequence`] is told after each pass.
#[derive(Debug)]
pub struct Step<'a> {
    /// The pass that has run.
    pub pass: &'a Pass,
    /// How long it took on all its modules.
    pub time: Duration,
    /// The design after it.
    pub top: &'a Arc<Module>,
}

/// Passes in the order in which they run.
#[derive(Debug, Clone, Default)]
pub struct Sequence {
    /// The passes.
    pub passes: Vec<Pass>,
}

impl Sequence {
    /// The passes named in `list`, separated by commas, out of `known`; blanks and empty entries do not count.
    ///
    /// # Errors
    /// `unknown-pass`: a name that no pass has.
    pub fn select(list: &str, known: &[Pass]) -> Result<Self, Diagnostics> {
        let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
        let passes = names.map(|name| {
            let found = known.iter().find(|p| p.name == name);
            found.cloned().ok_or_else(|| unknown_pass(name, known))
        });
        Ok(Self { passes: passes.collect::<Result<_, _>>()? })
    }

    /// Runs the passes on `top` and tells `observer` after each one, who may dump the design with
    /// [`text::write`](crate::dfg::text::write) or add up the times.
    ///
    /// # Errors
    /// The first pass that fails ends the sequence.
    pub fn run(&self, top: &Arc<Module>, mut observer: impl FnMut(&Step<'_>)) -> Result<Arc<Module>, Diagnostics> {
        let mut top = Arc::clone(top);
        for pass in &self.passes {
            let start = Instant::now();
            top = match pass.extent {
                Extent::Top => Arc::new(pass.run(&top)?),
                Extent::Every => run_on_every(pass, &top)?,
            };
            observer(&Step { pass, time: start.elapsed(), top: &top });
        }
        Ok(top)
    }
}

fn unknown_pass(name: &str, known: &[Pass]) -> Diagnostics {
    let names: Vec<&str> = known.iter().map(|p| p.name).collect();
    Diagnostic::error("unknown-pass", format!("there is no pass {}", names::quoted(name)))
        .help(format!("the passes are {}", names.join(", ")))
        .into()
}

/// Children first; a module with several instances stays one module.
fn run_on_every(pass: &Pass, top: &Arc<Module>) -> Result<Arc<Module>, Diagnostics> {
    let mut done: FxHashMap<*const Module, Arc<Module>> = FxHashMap::default();
    let mut last = Arc::clone(top);
    for old in top.hierarchy() {
        if old.black_box.is_some() {
            done.insert(Arc::as_ptr(&old), Arc::clone(&old));
            continue;
        }
        let mut new = pass.run(&old)?;
        for instance in &mut new.instances {
            instance.module = Arc::clone(&done[&Arc::as_ptr(&instance.module)]);
        }
        last = Arc::new(new);
        done.insert(Arc::as_ptr(&old), Arc::clone(&last));
    }
    Ok(last)
}
