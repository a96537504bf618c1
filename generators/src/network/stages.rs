//! Register stages of what a network that shares multipliers computes between its registers: one, or as many as the
//! clock needs.

use std::cell::RefCell;
use std::sync::Arc;

use hdl::analysis::Timing;
use hdl::dfg::{Module, ModuleBuilder, Stamp, Value};
use hdl::diag::{Cause, Diagnostic, Diagnostics};
use hdl::passes::delay::DelayModel;
use hdl::passes::pipeline::{Goal, Options, pipeline};

use super::registers::moved;
use crate::arith::Arithmetic;

/// What a clock that is too fast wants.
pub const SLOWER: &str =
    "ask for a slower clock: single operators, accumulators and the choice of operands are not cut";

/// Most multipliers of a network.
pub(super) const MAX_MULTIPLIERS: usize = 1 << 16;
/// Most register stages of a part.
pub(super) const MAX_STAGES: u32 = 64;

/// How everything between registers is made.
#[derive(Clone, Copy)]
pub(super) struct Construction<'a> {
    /// What its products are made of.
    pub arithmetic: Arithmetic,
    /// How it is cut into stages.
    pub cut: &'a Cut<'a>,
}

/// What is done with the parts that lie between registers.
pub(super) enum Cut<'a> {
    /// They get as many stages as the schedule says.
    Scheduled(&'a dyn DelayModel),
    /// It is found out how many stages each step needs.
    Measured {
        /// The delays.
        delays: &'a dyn DelayModel,
        /// The clock period in picoseconds, a register's share included.
        clock: u32,
        /// One a step.
        needed: &'a RefCell<Vec<u32>>,
    },
}

/// Results of a part for its operands, in any module.
pub(super) type Part<'p> = dyn for<'m> Fn(&'m ModuleBuilder, &[Value<'m>]) -> Result<Vec<Value<'m>>, Diagnostic> + 'p;

impl Cut<'_> {
    /// The register stages that each of `parts` needs for a clock period in picoseconds, by building the network.
    ///
    /// # Errors
    /// Those of building, and an operator that takes longer.
    pub fn measure(
        parts: usize,
        delays: &dyn DelayModel,
        clock: u32,
        build: impl FnOnce(&Cut<'_>) -> Result<Arc<Module>, Diagnostics>,
    ) -> Result<Vec<u32>, Diagnostics> {
        let needed = RefCell::new(vec![1; parts]);
        build(&Cut::Measured { delays, clock, needed: &needed })?;
        Ok(needed.into_inner())
    }

    /// The results of `part`, so many cycles later; they are unknown at first. `name` is for its registers.
    pub fn staged<'m>(
        &self,
        m: &'m ModuleBuilder,
        (step, stages): (usize, u32),
        name: &str,
        operands: &[Value<'m>],
        part: &Part<'_>,
    ) -> Result<Vec<Value<'m>>, Diagnostics> {
        if let Cut::Measured { delays, clock, needed } = self {
            let (module, _) = alone(name, operands, part)?;
            let stages = fewest_stages(&module, *delays, *clock)?;
            let most = &mut needed.borrow_mut()[step];
            *most = stages.max(*most);
        }
        if let (Cut::Scheduled(delays), 2..) = (self, stages) {
            let (module, inputs) = alone(name, operands, part)?;
            let options = Options::new(Goal::Latency(stages));
            let (module, _) = pipeline(&module, *delays, &options)?;
            return Ok(m.instance(&Arc::new(module), name, &inputs));
        }
        let results = part(m, operands)?;
        let register = |(i, v): (usize, &Value<'m>)| match results.len() {
            1 => moved(m, name, *v),
            _ => moved(m, &format!("{name}_{i}"), *v),
        };
        Ok(results.iter().enumerate().map(register).collect())
    }
}

/// A part as a module, and the values of its inputs: constants are inside.
fn alone<'m>(
    name: &str,
    operands: &[Value<'m>],
    part: &Part<'_>,
) -> Result<(Arc<Module>, Vec<Value<'m>>), Diagnostics> {
    let m = ModuleBuilder::new(name);
    let varies = |v: &&Value<'m>| v.range().as_point().is_none();
    let inputs: Vec<Value<'m>> = operands.iter().filter(varies).copied().collect();
    let formats = inputs.iter().map(Value::format).collect();
    let mut ports = m.input_port("x", formats, Stamp::at(0)).into_iter();
    let inside = |v: &Value<'m>| match v.range().as_point() {
        Some(value) => m.constant(value, v.frac()),
        None => ports.next().expect("one for each value that varies"),
    };
    let inside: Vec<Value<'_>> = operands.iter().map(inside).collect();
    let results = part(&m, &inside)?;
    let results: Vec<Value<'_>> = results.iter().map(|v| v.with_frac(0)).collect();
    m.output_array("y", &results);
    Ok((m.finish()?, inputs))
}

/// Fewest stages, the last register included.
fn fewest_stages(module: &Module, delays: &dyn DelayModel, clock: u32) -> Result<u32, Diagnostics> {
    let longest = Timing::of(module, delays, 0).longest();
    if longest + u64::from(delays.register()) <= u64::from(clock) {
        return Ok(1);
    }
    let cut = pipeline(module, delays, &Options::new(Goal::Clock(clock)));
    let (_, report) = cut.map_err(|diagnostics| {
        // the least clock of a part says little of the whole
        let of_a_part = |d: Diagnostic| match d.cause {
            Some(Cause::ImpossibleTiming) => {
                Diagnostic::error(d.code, d.message).because(Cause::ImpossibleTiming).help(SLOWER)
            }
            _ => d,
        };
        Diagnostics(diagnostics.0.into_iter().map(of_a_part).collect())
    })?;
    Ok(report.latency.max(1))
}
