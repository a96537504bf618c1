//! Folded networks on streams: tensors lie in memories, weights in tables, and an event comes word by word.
//!
//! A word is what comes together: the channels of a pixel, or a whole vector. A pass computes the words of a tensor one
//! after another: a window reads words of its operand out of memory beat by beat, products accumulate, and the layers
//! behind (activations, thresholds, sums with other tensors) follow in the same word, which is then written into a memory of
//! its own. All passes work at once. None waits for another: a pass begins so late that all it reads is there
//! ([`Schedule`]), so a memory holds some lines between passes of the same speed, whole tensors only where they must wait.
//!
//! | cycle after the start of a window of `s` and `u` stages | |
//! |---|---|
//! | 1 … | beat: the address of a word |
//! | 2 … | the word is read |
//! | 3 … | lanes are chosen, weights are read |
//! | 4 … s + 3 | products and their sum |
//! | s + 4 | accumulation |
//! | s + 5 … s + u + 4 | layers behind |
//! | s + u + 5 | the word is written |

mod control;
mod layout;
mod plan;
mod ring;
mod sweep;
mod timing;
mod window;

use std::collections::BTreeMap;
use std::sync::Arc;

use hdl::dfg::{Module, ModuleBuilder, Value};
use hdl::diag::{Diagnostic, Diagnostics};
use hdl::num::Format;
use hdl::passes::delay::DelayModel;
use hdl::passes::flatten;

use super::ports::{Ports, START, VALID};
use super::registers::{hold, later, moved, reset};
use super::stages::{Construction, Cut};
use super::{check_fixed, fraction_bits, input_format};
use crate::arith::Arithmetic;
use crate::model::Graph;
use crate::progress;
use control::Beats;
use plan::{Place, Source, in_order};
use ring::{Ring, unsigned};
use timing::OPERANDS;
pub use timing::Schedule;
use window::Hardware;

/// The network: `start` is 1 in the cycle in which the first words of an event are at the inputs, the others follow in
/// the cycles behind. A start less than [`Schedule::interval`] after one that was taken is not taken. In the cycle in
/// which the result appears `valid` is 1, and the result stays until the next one.
///
/// # Errors
/// Numbers beyond what a value can hold, and of cutting.
pub fn build(
    graph: &Graph,
    name: &str,
    schedule: &Schedule,
    arithmetic: Arithmetic,
    delays: &dyn DelayModel,
) -> Result<Arc<Module>, Diagnostics> {
    built(graph, name, schedule, Construction { arithmetic, cut: &Cut::Scheduled(delays) })
}

/// Register stages that each part of each pass needs for a clock period in picoseconds.
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
    let built = |cut: &Cut<'_>| built(graph, name, schedule, Construction { arithmetic, cut });
    Cut::measure(schedule.stages.len(), delays, clock, built)
}

fn built(
    graph: &Graph,
    name: &str,
    schedule: &Schedule,
    construction: Construction<'_>,
) -> Result<Arc<Module>, Diagnostics> {
    graph.check()?;
    check_fixed(graph)?;
    let m = ModuleBuilder::new(name);
    let ports = Ports::of(graph, name);
    let start = taken(&m, m.input(START, Format::BIT), schedule.interval)?;
    let mut network = Network { m: &m, graph, schedule, construction, beats: Vec::new(), rings: BTreeMap::new() };
    for pass in 0..schedule.plan.passes.len() {
        progress::at(format_args!("pass {} of {}", pass + 1, schedule.plan.passes.len()))?;
        network.pass(pass, start, &ports)?;
    }
    network.outputs(&ports)?;
    let module = m.finish()?;
    match module.instances.is_empty() {
        true => Ok(module),
        false => Ok(Arc::new(flatten(&module)?)),
    }
}

/// Starts that are at least `interval` cycles apart.
fn taken<'m>(m: &'m ModuleBuilder, start: Value<'m>, interval: u32) -> Result<Value<'m>, Diagnostic> {
    if interval == 1 {
        return Ok(start);
    }
    let (zero, one) = (m.constant(0, 0), m.constant(1, 0));
    let bits = u32::BITS - (interval - 1).leading_zeros();
    let wait = m.state("waiting", unsigned(bits)?, reset());
    let idle = wait.value().equals(zero);
    let taken = (start & idle).wrap(1, false);
    let next = taken.mux(m.constant(i128::from(interval) - 1, 0), idle.mux(zero, wait.value() - one));
    wait.set_next(next.wrap(bits, false));
    Ok(taken)
}

/// A network that is being built, pass by pass.
struct Network<'a, 'm> {
    m: &'m ModuleBuilder,
    graph: &'a Graph,
    schedule: &'a Schedule,
    construction: Construction<'a>,
    /// One a pass.
    beats: Vec<Beats<'m>>,
    /// By tensor.
    rings: BTreeMap<usize, Ring<'m>>,
}

impl<'m> Network<'_, 'm> {
    fn pass(&mut self, pass: usize, start: Value<'m>, ports: &Ports) -> Result<(), Diagnostics> {
        let (m, schedule) = (self.m, self.schedule);
        let plan = &schedule.plan;
        let name = format!("pass{pass}");
        let (stages, behind) = (schedule.stages[2 * pass], schedule.stages[2 * pass + 1]);
        let (values, cycles) = match &plan.passes[pass].source {
            Source::Port => {
                let input = &self.graph.inputs()[plan.passes[pass].first];
                let lanes = plan.lanes(plan.passes[pass].first);
                let values = m.input_array(&ports.inputs[plan.passes[pass].first], lanes, input_format(input));
                self.beats.push(Beats::new(m, &name, 1, vec![plan.passes[pass].words], start, true)?);
                (values, 0)
            }
            Source::Window(operand, sweep) => {
                let begin = self.start_of(pass);
                let extents = sweep.axes.iter().map(|axis| axis.positions).collect();
                self.beats.push(Beats::new(m, &name, sweep.parts(), extents, begin, false)?);
                let hardware = Hardware {
                    m,
                    name: name.clone(),
                    sweep,
                    beats: &self.beats[pass],
                    construction: self.construction,
                    stages: (2 * pass, stages),
                };
                (hardware.results(&self.rings[operand])?, OPERANDS + 1 + stages)
            }
        };
        let done = later(m, &format!("{name}_done"), self.beats[pass].last, cycles);
        let mut known = vec![(plan.passes[pass].first, values)];
        known.extend(self.beside(pass, cycles)?);
        let written = later(m, &format!("{name}_written"), done, behind);
        self.store(pass, &known, written)
    }

    /// The cycle in which a pass, or the outputs, begin.
    fn start_of(&self, pass: usize) -> Value<'m> {
        let (before, beat, delay) = self.schedule.trigger(pass);
        later(self.m, &format!("start{pass}_"), self.beats[before].is(beat as usize), delay)
    }

    /// The words of other tensors that a pass reads beside its own, so many cycles after the last part of a position.
    fn beside(&self, pass: usize, cycles: u32) -> Result<Vec<(usize, Vec<Value<'m>>)>, Diagnostics> {
        let beats = &self.beats[pass];
        let read = |(root, _): (&usize, _)| {
            let (ring, name) = (&self.rings[root], format!("pass{pass}_beside{root}"));
            let base = ring.base(self.m, &format!("{name}_base"), beats.ending)?;
            let address = (base + beats.position()).wrap(ring.bits, false);
            let later = |address, k: u32| moved(self.m, &format!("{name}_address{k}"), address);
            let address = (1..cycles).fold(address, later);
            Ok((*root, ring.read(self.m, &name, address)))
        };
        self.schedule.plan.stored.iter().filter(|(_, readers)| readers.contains(&pass)).map(read).collect()
    }

    /// Computes the layers of a pass and writes what is read later.
    fn store(&mut self, pass: usize, known: &[(usize, Vec<Value<'m>>)], written: Value<'m>) -> Result<(), Diagnostics> {
        let (m, schedule, graph) = (self.m, self.schedule, self.graph);
        let plan = &schedule.plan;
        let kept: Vec<usize> = plan.stored.keys().copied().filter(|root| plan.pass_of(*root) == pass).collect();
        if kept.is_empty() {
            return Ok(());
        }
        let Construction { arithmetic, cut } = self.construction;
        let operands: Vec<Value<'m>> = known.iter().flat_map(|(_, lanes)| lanes.iter().copied()).collect();
        let stages = (2 * pass + 1, schedule.stages[2 * pass + 1]);
        let results = cut.staged(m, stages, &format!("pass{pass}_behind"), &operands, &|m, mut all| {
            let mut words: BTreeMap<usize, Vec<Value<'_>>> = BTreeMap::new();
            for (root, lanes) in known {
                let (word, others) = all.split_at(lanes.len());
                words.insert(*root, word.to_vec());
                all = others;
            }
            for &k in &plan.passes[pass].chain {
                let lanes = plan.word(m, arithmetic, graph, k, &|root| words[&root].clone())?;
                words.insert(graph.result(k).index(), lanes);
            }
            Ok(kept.iter().flat_map(|root| words[root].clone()).collect())
        })?;
        let mut left = results.as_slice();
        for root in kept {
            let (word, others) = left.split_at(plan.lanes(root));
            let size = (plan.passes[pass].words, schedule.depths[&root]);
            self.rings.insert(root, Ring::new(m, &format!("tensor{root}"), word, written, size)?);
            left = others;
        }
        Ok(())
    }

    /// The output ports: results in registers, and when they are there.
    fn outputs(&self, ports: &Ports) -> Result<(), Diagnostics> {
        let (m, plan) = (self.m, &self.schedule.plan);
        let start = self.start_of(plan.passes.len());
        let done = later(m, "done", start, 1);
        for (output, port) in self.graph.outputs().iter().zip(&ports.outputs) {
            let values = match &plan.places[output.tensor.index()] {
                Place::Constant(all) => all.iter().map(|v| m.constant((*v).into(), 0)).collect(),
                Place::Words { root, layout, .. } => {
                    let ring = &self.rings[root];
                    let base = ring.base(m, &format!("{port}_base"), start)?;
                    in_order(layout, &ring.read(m, &format!("{port}_read"), base))
                }
            };
            let frac = output.decode.as_ref().map_or(0, fraction_bits);
            hold(m, port, &values, done, frac);
        }
        m.output(VALID, later(m, "valid", done, 1));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
