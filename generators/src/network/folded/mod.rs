//! Folded networks: each matrix has one multiplier for several weights, which are read from tables beat by beat.
//!
//! A layer of `P` positions (1 for a dense layer on one vector), `K` inputs a position and `F` filters at reuse factor `N`
//! takes in `l` inputs a beat for all filters at once, `l · F` multipliers, and works through its positions one after
//! another; `l` is the least for which `P · ⌈K / l⌉ ≤ N`. With more positions than `N` it has several such units.
//!
//! Layers stand on one time line of steps: a step is a matrix, or layers that are no matrices. What a step computes has one
//! register stage behind it, or several inside it where the clock is too fast for one. Each matrix works on another event,
//! so that a new one may begin every [`Schedule::interval`] cycles. A tensor that is used later than in the next step, such
//! as the short way of a residual connection, is carried along from step to step.
//!
//! | cycle after its start | a matrix of `b` beats and `s` stages |
//! |---|---|
//! | 0 | takes its inputs into a buffer |
//! | 1 … b | beat: inputs are chosen, weights are read |
//! | 2 … b + s | products and their sum |
//! | s + 2 … b + s + 1 | accumulation |
//! | b + s + 2 | sums are there, for this one cycle; the next step starts |

mod control;
mod matrix;
mod timeline;

use std::collections::HashMap;
use std::sync::Arc;

use hdl::dfg::{Module, ModuleBuilder, Value};
use hdl::diag::Diagnostics;
use hdl::names::quoted;
use hdl::num::Format;
use hdl::passes::delay::DelayModel;
use hdl::passes::flatten;

use control::Control;
use timeline::Step;
pub use timeline::{MAX_REUSE, Schedule};

use super::linear::Products;
use super::ports::{Ports, START, VALID};
use super::registers::{hold, register};
use super::stages::{Construction, Cut};
use super::{check_fixed, check_size, fraction_bits, identifier, input_values, layer_values};
use crate::arith::{Arithmetic, Effort};
use crate::model::{Graph, Layer, TensorId};
use crate::progress;

/// The folded network: `start` is 1 in cycles in which an event is there, at least [`Schedule::interval`] apart; in the
/// cycle in which its result appears `valid` is 1, and the result stays until the next one.
///
/// Where the schedule has several register stages in a step, they are cut at equal delays. Products are made of
/// `arithmetic`; none has a factor that is constant.
///
/// # Errors
/// As [`build`](super::build), and of cutting.
pub fn build(
    graph: &Graph,
    name: &str,
    schedule: &Schedule,
    arithmetic: Arithmetic,
    delays: &dyn DelayModel,
) -> Result<Arc<Module>, Diagnostics> {
    built(graph, name, schedule, arithmetic, &Cut::Scheduled(delays))
}

/// Register stages that each step needs for a clock period in picoseconds.
///
/// # Errors
/// As [`build`], and an operator that takes longer.
pub fn stages_for(
    graph: &Graph,
    name: &str,
    schedule: &Schedule,
    arithmetic: Arithmetic,
    delays: &dyn DelayModel,
    clock: u32,
) -> Result<Vec<u32>, Diagnostics> {
    Cut::measure(schedule.steps.len(), delays, clock, |cut| built(graph, name, schedule, arithmetic, cut))
}

fn built(
    graph: &Graph,
    name: &str,
    schedule: &Schedule,
    arithmetic: Arithmetic,
    cut: &Cut<'_>,
) -> Result<Arc<Module>, Diagnostics> {
    graph.check()?;
    check_fixed(graph)?;
    check_size(graph)?;
    let m = ModuleBuilder::new(name);
    let products = Products::new(&m, Some(Effort::Fast), arithmetic);
    let ports = Ports::of(graph, name);
    let start = m.input(START, Format::BIT);
    let mut tensors = Tensors {
        m: &m,
        schedule,
        controls: control::controls(&m, &schedule.steps, &schedule.stages, start)?,
        construction: Construction { arithmetic, cut },
        values: HashMap::new(),
    };
    for (k, (input, port)) in graph.inputs().iter().zip(&ports.inputs).enumerate() {
        tensors.values.insert((k, 0), input_values(&m, input, port));
    }
    for (k, layer) in graph.layers().iter().enumerate() {
        progress::at(format_args!("layer {} of {}: {}", k + 1, graph.layers().len(), quoted(&layer.name)))?;
        let values = tensors.layer(&products, graph, k, layer)?;
        let result = graph.result(k).index();
        tensors.values.insert((result, schedule.at[result]), values);
    }
    let end = schedule.steps.len();
    let done = tensors.controls[end].start;
    for (output, port) in graph.outputs().iter().zip(&ports.outputs) {
        let frac = output.decode.as_ref().map_or(0, fraction_bits);
        hold(&m, port, tensors.at(output.tensor, end), done, frac);
    }
    m.output(VALID, register(&m, "done", done));
    let module = m.finish()?;
    match module.instances.is_empty() {
        true => Ok(module),
        false => Ok(Arc::new(flatten(&module)?)),
    }
}

/// The tensors that have been built, at the steps at which they are there.
struct Tensors<'a, 'm> {
    m: &'m ModuleBuilder,
    schedule: &'a Schedule,
    /// One a step, and the end.
    controls: Vec<Control<'m>>,
    construction: Construction<'a>,
    /// By tensor and step.
    values: HashMap<(usize, usize), Vec<Value<'m>>>,
}

impl<'m> Tensors<'_, 'm> {
    /// The result of layer `k`, at the step at which it is there.
    fn layer(
        &mut self,
        products: &Products<'m>,
        graph: &Graph,
        k: usize,
        layer: &Layer,
    ) -> Result<Vec<Value<'m>>, Diagnostics> {
        let result = graph.result(k).index();
        let step = self.schedule.starts[result];
        let operands: Vec<Vec<Value<'m>>> = layer.inputs.iter().map(|t| self.at(*t, step).to_vec()).collect();
        let operands: Vec<&[Value<'m>]> = operands.iter().map(Vec::as_slice).collect();
        let m = self.m;
        if self.schedule.at[result] == step {
            return Ok(layer_values(m, products, graph, k, &operands, &[])?);
        }
        let control = &self.controls[step];
        match &self.schedule.steps[step] {
            Step::Matrix(matrix) => m.scope(&identifier(&layer.name), || {
                matrix.build(m, step, layer, operands[0], control, self.construction)
            }),
            Step::Stage => {
                let sizes: Vec<usize> = operands.iter().map(|x| x.len()).collect();
                let (stages, name) = ((step, control.stages), format!("stage{step}_{k}"));
                let Construction { arithmetic, cut } = self.construction;
                cut.staged(m, stages, &name, &operands.concat(), &|m, mut all| {
                    let products = Products::new(m, Some(Effort::Fast), arithmetic);
                    let mut operands = Vec::new();
                    for size in &sizes {
                        let (operand, others) = all.split_at(*size);
                        operands.push(operand);
                        all = others;
                    }
                    layer_values(m, &products, graph, k, &operands, &[])
                })
            }
        }
    }

    /// The tensor at a step, carried there from where it was made.
    fn at(&mut self, tensor: TensorId, step: usize) -> &[Value<'m>] {
        let t = tensor.index();
        let mut known = step;
        while known > self.schedule.at[t] && !self.values.contains_key(&(t, known)) {
            known -= 1;
        }
        // what does not change is there at any time
        let constant = self.schedule.constant[t];
        for from in known..step {
            let before = self.values[&(t, from)].clone();
            let values = match constant {
                true => before,
                false => self.controls[from].carried(self.m, &format!("carried{t}_{from}"), &before),
            };
            self.values.insert((t, from + 1), values);
        }
        &self.values[&(t, step)]
    }
}

#[cfg(test)]
mod tests;
