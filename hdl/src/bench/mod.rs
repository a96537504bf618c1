//! Test benches in Rust: ports by name, a clock edge a [`step`](Bench::step), and the same run again in Icarus Verilog.

mod icarus;

use std::sync::Arc;

pub use icarus::{Replay, Run, Stimulus, replay};

use crate::dfg::Module;
use crate::dfg::eval::Stepper;
use crate::diag::Diagnostics;

/// A module in the evaluator, with its inputs held until they are set again.
///
/// All of it is recorded; [`Bench::replay`] runs the emitted Verilog with the same inputs and compares every output bit of
/// every cycle.
///
/// ```
/// use hdl::{ModuleBuilder, bench::Bench, u};
///
/// let m = ModuleBuilder::new("accumulator");
/// let (x, clear) = (m.input("x", u(4)), m.input("clear", 0..=1));
/// let sum = m.reg("sum", u(8));
/// m.when(clear, || sum.set(0)).otherwise(|| sum.set((sum + x).wrap(8, false)));
/// m.output("sum", sum);
///
/// let mut bench = Bench::new(&m.finish()?)?;
/// bench.reset();
/// bench.set("x", 5);
/// bench.steps(3);
/// assert_eq!(bench.get("sum"), 15);
/// bench.set("clear", 1);
/// bench.step();
/// assert_eq!(bench.get("sum"), 0);
/// bench.replay()?; // the same in Icarus, where it is installed
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Bench {
    module: Arc<Module>,
    stepper: Stepper,
    inputs: Vec<i128>,
    stimulus: Stimulus,
}

impl Bench {
    /// The module with its registers as they start, and every input at the value of its range that is nearest to 0.
    ///
    /// # Errors
    /// A black box has no meaning in the evaluator.
    pub fn new(module: &Arc<Module>) -> Result<Self, Diagnostics> {
        let inputs = module.input_formats().map(|f| 0i128.clamp(f.range.lo(), f.range.hi())).collect();
        Ok(Self { module: Arc::clone(module), stepper: Stepper::new(module)?, inputs, stimulus: Vec::new() })
    }

    /// The input `name` is `value` from now on, in units of its last place. Element `k` of several is called `name[k]`.
    ///
    /// # Panics
    /// If there is no such input, or it cannot hold the value.
    #[track_caller]
    pub fn set(&mut self, name: &str, value: i128) {
        let place = element(self.module.inputs.iter().map(|p| (p.name.as_str(), p.elements.len())), name);
        let place = place.unwrap_or_else(|| panic!("`{}` has no input `{name}`", self.module.name));
        let format = self.module.input_formats().nth(place).expect("an input element");
        assert!(format.range.contains(value), "input `{name}` holds {}, not {value}", format.range);
        self.inputs[place] = value;
    }

    /// The output `name` in this cycle, given the inputs as they are set, in units of its last place.
    ///
    /// # Panics
    /// If there is no such output.
    #[track_caller]
    pub fn get(&mut self, name: &str) -> i128 {
        let place = element(self.module.outputs.iter().map(|p| (p.name.as_str(), p.elements.len())), name);
        let place = place.unwrap_or_else(|| panic!("`{}` has no output `{name}`", self.module.name));
        self.stepper.outputs(&self.inputs, false)[place]
    }

    /// Whether a word of the stream `name` moves at the next clock edge: `name_valid` and `name_ready` are 1.
    ///
    /// # Panics
    /// If there is no such stream.
    #[track_caller]
    pub fn fires(&mut self, name: &str) -> bool {
        ["valid", "ready"].into_iter().all(|half| {
            let port = format!("{name}_{half}");
            let input = element(self.module.inputs.iter().map(|p| (p.name.as_str(), p.elements.len())), &port);
            let level = match input {
                Some(place) => self.inputs[place],
                None => self.get(&port),
            };
            level == 1
        })
    }

    /// A rising clock edge.
    pub fn step(&mut self) {
        self.edge(false);
    }

    /// `count` clock edges.
    pub fn steps(&mut self, count: usize) {
        (0..count).for_each(|_| self.step());
    }

    /// A clock edge with `rst` at 1.
    pub fn reset(&mut self) {
        self.edge(true);
    }

    fn edge(&mut self, reset: bool) {
        self.stepper.step(&self.inputs, reset);
        self.stimulus.push((self.inputs.clone(), reset));
    }

    /// Steps until the output `name` is `value`; the number of steps.
    ///
    /// # Panics
    /// If that has not come after `limit` steps, or there is no such output.
    #[track_caller]
    pub fn wait_for(&mut self, name: &str, value: i128, limit: usize) -> usize {
        for steps in 0..=limit {
            if self.get(name) == value {
                return steps;
            }
            self.step();
        }
        panic!("`{name}` did not become {value} in {limit} cycles");
    }

    /// All cycles so far in Icarus Verilog, with the emitted Verilog in place of the evaluator.
    ///
    /// # Errors
    /// What Icarus says of the Verilog, or which output differs in which cycle.
    pub fn replay(&self) -> Result<Replay, String> {
        let run = Run::new(Arc::clone(&self.module), self.stimulus.clone()).map_err(|e| e.to_string())?;
        replay(&[run])
    }
}

/// The place of the element `name` among the elements of `ports`.
fn element<'a>(ports: impl Iterator<Item = (&'a str, usize)>, name: &str) -> Option<usize> {
    let (port, k) = match name.strip_suffix(']').and_then(|n| n.split_once('[')) {
        Some((port, k)) => (port, k.parse().ok()?),
        None => (name, 0),
    };
    let mut first = 0;
    for (own, count) in ports {
        if own == port {
            return (k < count).then_some(first + k);
        }
        first += count;
    }
    None
}
