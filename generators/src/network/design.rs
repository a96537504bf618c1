//! A network as a design: the content of `model.json`, the module, and its vectors.

use std::collections::BTreeMap;
use std::sync::Arc;

use hdl::analysis::{Timing, pipeline_register_bits};
use hdl::dfg::Module;
use hdl::diag::{Cause, Diagnostic, Diagnostics};
use hdl::passes::delay::DelayModel;
use hdl::passes::pipeline::{Goal, Options, Report, pipeline};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sim::vectors::{Rows, Vectors};

use super::folded::{self, MAX_REUSE};
use super::ports::{Ports, START, VALID};
use super::stages::SLOWER;
use super::streamed;
use super::{build_with, check_fixed};
use crate::arith::{Arithmetic, Effort, Kinds};
use crate::model::{Graph, Input, Op};
use crate::output::report::LayerFormats;
use crate::progress;

/// A quantised network and the name of its module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkDesign {
    /// Name of the top module.
    pub top: String,
    /// Reuse factor of a folded network; none is unrolled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reuse: Option<u32>,
    /// Whether a folded network has its tensors in memories and takes an event word by word.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub streamed: bool,
    /// Register stages of each step (or two numbers for each pass) of a folded network; none stands for one in each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<u32>,
    /// The integers.
    pub network: Graph,
}

/// When a folded network works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedule {
    /// Its tensors lie in registers.
    Registers(folded::Schedule),
    /// Its tensors lie in memories.
    Memories(streamed::Schedule),
}

impl Schedule {
    /// Cycles from one event to the next.
    pub fn interval(&self) -> u32 {
        match self {
            Self::Registers(schedule) => schedule.interval,
            Self::Memories(schedule) => schedule.interval,
        }
    }

    /// Cycles from an event, or its first word, to its result.
    pub fn latency(&self) -> u32 {
        match self {
            Self::Registers(schedule) => schedule.latency,
            Self::Memories(schedule) => schedule.latency,
        }
    }

    /// How many multipliers there are.
    pub fn multipliers(&self) -> usize {
        match self {
            Self::Registers(schedule) => schedule.multipliers,
            Self::Memories(schedule) => schedule.multipliers,
        }
    }
}

/// The integers of one event: for each input its elements in row-major order.
pub type Event = Vec<Vec<i64>>;

/// Halvings of the full scale that random events are drawn with.
const SCALES: u32 = 12;

impl NetworkDesign {
    /// The top module, in as few stages as the clock allows, and the design with the stages of a folded network.
    ///
    /// # Errors
    /// Those of [`build_with`] and [`folded::build`], of cutting it, and a clock that a folded network does not reach.
    pub fn build(
        &self,
        effort: Option<Effort>,
        arithmetic: Arithmetic,
        delays: &dyn DelayModel,
        options: &Options,
    ) -> Result<(Arc<Module>, Report, Self), Diagnostics> {
        if let Some(schedule) = self.schedule()? {
            let (network, top) = (&self.network, &self.top);
            let build = |schedule: &Schedule| match schedule {
                Schedule::Registers(schedule) => folded::build(network, top, schedule, arithmetic, delays),
                Schedule::Memories(schedule) => streamed::build(network, top, schedule, arithmetic, delays),
            };
            let module = build(&schedule)?;
            let report = as_it_is(&module, schedule.latency(), delays, options);
            let (Goal::Clock(clock), true) = (options.goal, report.is_err()) else {
                return Ok((module, report?, self.clone()));
            };
            let stages = match &schedule {
                Schedule::Registers(all) => folded::stages_for(network, top, all, arithmetic, delays, clock)?,
                Schedule::Memories(all) => streamed::stages_for(network, top, all, arithmetic, delays, clock)?,
            };
            let scheduled = Self { stages, ..self.clone() };
            let schedule = scheduled.schedule()?.expect("it is folded");
            let module = build(&schedule)?;
            let report = as_it_is(&module, schedule.latency(), delays, options)?;
            return Ok((module, report, scheduled));
        }
        let module = build_with(&self.network, &self.top, effort, arithmetic)?;
        progress::at("register stages")?;
        let (module, report) = pipeline(&module, delays, options)?;
        Ok((Arc::new(module), report, self.clone()))
    }

    /// When a folded network takes events in; none if it is unrolled.
    ///
    /// # Errors
    /// As [`folded::Schedule::of`] and [`streamed::Schedule::of`].
    pub fn schedule(&self) -> Result<Option<Schedule>, Diagnostic> {
        let schedule = |reuse| match reuse {
            1..=MAX_REUSE if self.streamed => {
                streamed::Schedule::of(&self.network, reuse, &self.stages).map(Schedule::Memories)
            }
            1..=MAX_REUSE => folded::Schedule::of(&self.network, reuse, &self.stages).map(Schedule::Registers),
            _ => {
                let message = format!("a reuse factor of {reuse} is not from 1 to {MAX_REUSE}");
                Err(Diagnostic::error("folding", message))
            }
        };
        self.reuse.map(schedule).transpose()
    }

    /// Which products there are. Those of a folded network's matrices are with weights out of tables.
    pub fn products(&self) -> Kinds {
        let layers = self.network.layers();
        let matrices = layers.iter().any(|layer| layer.op.multiplication().is_some());
        let products = layers.iter().any(|layer| matches!(layer.op, Op::Mul | Op::MatMul));
        let folded = self.reuse.is_some();
        Kinds {
            constants: matrices && !folded,
            variables: products || matrices && folded,
            stored_weights: folded,
            stored_operands: self.streamed,
        }
    }

    /// An error unless there is something to compute.
    pub fn validate(&self) -> Result<(), Diagnostic> {
        self.network.check()?;
        check_fixed(&self.network)?;
        if self.streamed && self.reuse.is_none() {
            return Err(Diagnostic::error("folding", "`streamed` is for a network with a reuse factor"));
        }
        self.schedule().map(|_| ())
    }

    /// Names of the ports.
    pub fn ports(&self) -> Ports {
        Ports::of(&self.network, &self.top)
    }

    /// Vectors for `events` with what the integer model gives: a row an event, or for a folded network a row a cycle.
    ///
    /// # Errors
    /// An event of another size, or an element out of its input's range.
    pub fn vectors(&self, events: &[Event]) -> Result<Vectors, Diagnostic> {
        let results: Vec<Event> = events
            .par_iter()
            .map(|event| {
                let evaluation = self.network.evaluate(event)?;
                Ok(evaluation.outputs().iter().map(|o| o.to_vec()).collect())
            })
            .collect::<Result<_, Diagnostic>>()?;
        let ports = self.ports();
        match self.schedule()? {
            Some(schedule) => cycles(&schedule, ports, events, &results),
            None => Ok(Vectors { inputs: columns(ports.inputs, events)?, outputs: columns(ports.outputs, &results)? }),
        }
    }

    /// As [`random_events`] of the network.
    pub fn random_events(&self, count: usize, seed: u64) -> Vec<Event> {
        random_events(&self.network, count, seed)
    }

    /// The formats of each layer that computes something, for the report.
    pub fn layer_formats(&self) -> Vec<LayerFormats> {
        let graph = &self.network;
        let inspection = graph.inspect();
        let rows = &inspection.layers;
        let layers = graph.layers().iter().enumerate();
        layers
            .filter(|(_, layer)| !matches!(layer.op, Op::Constant(_)) && !layer.op.is_movement())
            .map(|(k, layer)| {
                let row = &rows[graph.result(k).index()];
                let operands: Vec<&str> = layer.inputs.iter().map(|t| rows[t.index()].format.as_str()).collect();
                LayerFormats {
                    layer: row.name.clone(),
                    shape: shape(&row.shape),
                    input: operands.join(", "),
                    weight: weights(&layer.op),
                    product: match layer.op.multiplication().unwrap_or_default().cut() {
                        0 => "exact".into(),
                        bits => format!("{bits} bits floored away"),
                    },
                    accumulator_frac: 0,
                    output: row.format.clone(),
                    quantiser: match &row.loss {
                        Some(loss) => format!("{}, {loss}", row.kind),
                        None => row.kind.into(),
                    },
                }
            })
            .collect()
    }
}

/// `count` random events: of sixteen one all least, one all greatest, one all zero or what is next to it, and one
/// at random ends, the others uniform at a random scale.
pub fn random_events(network: &Graph, count: usize, seed: u64) -> Vec<Event> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut event = |k: usize| {
        let mut values = |input: &Input| -> Vec<i64> {
            let (lo, hi) = input.range;
            let bits = i64::BITS - (hi - lo).leading_zeros();
            let scale = random.u32(0..=bits.saturating_sub(1).min(SCALES));
            let element = |(lo, hi): (i64, i64)| match k % 16 {
                0 => lo,
                1 => hi,
                2 => 0.clamp(lo, hi),
                3 => random.choice([lo, hi]).expect("two ends"),
                _ if lo <= 0 && hi >= 0 => random.i64(lo >> scale..=hi >> scale).clamp(lo, hi),
                _ => random.i64(lo..=hi),
            };
            input.ranges().into_iter().map(element).collect()
        };
        network.inputs().iter().map(&mut values).collect()
    };
    (0..count).map(&mut event).collect()
}

fn shape(extents: &[usize]) -> String {
    let extents: Vec<String> = extents.iter().map(usize::to_string).collect();
    extents.join("×")
}

/// Range of the weights, if there are any.
fn weights(op: &Op) -> String {
    let (Op::Dense { weights, .. } | Op::Convolution { weights, .. }) = op else {
        return "none".into();
    };
    let ends = (weights.values.iter().min(), weights.values.iter().max());
    match ends {
        (Some(lo), Some(hi)) => format!("{lo}…{hi}"),
        _ => "none".into(),
    }
}

/// The timing of a module that has registers of its own.
fn as_it_is(
    module: &Arc<Module>,
    latency: u32,
    delays: &dyn DelayModel,
    options: &Options,
) -> Result<Report, Diagnostic> {
    let longest = Timing::of(module, delays, options.input_delay).longest();
    let clock = longest + u64::from(delays.register());
    if let Goal::Clock(asked) = options.goal
        && clock > u64::from(asked)
    {
        let message = format!("a folded network with this reuse factor needs {clock} ps, {asked} ps are there");
        return Err(Diagnostic::error("impossible-clock", message).because(Cause::ImpossibleTiming).help(SLOWER));
    }
    Ok(Report {
        latency,
        clock,
        stage_delays: vec![longest],
        register_bits: pipeline_register_bits(module),
        critical_path: Vec::new(),
    })
}

/// Events as close as they may come, one row a cycle. Between two starts the inputs are those of other events, which
/// must not matter, and outputs stay what they are.
fn cycles(schedule: &Schedule, ports: Ports, events: &[Event], results: &[Event]) -> Result<Vectors, Diagnostic> {
    let (interval, latency) = (schedule.interval() as usize, schedule.latency() as usize);
    let count = events.len();
    let rows = interval * count.saturating_sub(1) + latency + 1;
    let started = |row: usize| row.is_multiple_of(interval) && row / interval < count;
    let rest = |row: usize| (7 * row + 3) % count.max(1);
    let inputs = ports.inputs.into_iter().enumerate().map(|(k, name)| {
        let words: Vec<Event> = match schedule {
            Schedule::Registers(_) => events.iter().map(|event| vec![event[k].clone()]).collect(),
            Schedule::Memories(schedule) => events.iter().flat_map(|event| schedule.words_of(k, &event[k])).collect(),
        };
        let each = words.len() / count.max(1);
        let shown = |row: usize| match row / interval < count && row % interval < each {
            true => row / interval * each + row % interval,
            false => rest(row) * each + row % each,
        };
        let column = columns(vec![name.clone()], &words)?.remove(&name).expect("the one column");
        let order: Vec<u32> = (0..rows).map(|row| shown(row) as u32).collect();
        Ok((name, column.repeated(order).expect("rows that there are")))
    });
    let inputs = inputs.collect::<Result<BTreeMap<String, Rows>, Diagnostic>>()?;
    // before the first result there are zeros
    let finished = |row: usize| row.checked_sub(latency).map_or(0, |after| (after / interval).min(count - 1) + 1);
    let zero: Event = results[0].iter().map(|port| vec![0; port.len()]).collect();
    let outputs: Vec<Event> = std::iter::once(zero).chain(results.iter().cloned()).collect();
    let order: Vec<u32> = (0..rows).map(|row| finished(row) as u32).collect();
    let held = |(name, rows): (String, Rows)| (name, rows.repeated(order.clone()).expect("rows that there are"));
    let outputs = columns(ports.outputs, &outputs)?.into_iter().map(held).collect();
    let bits = |bit: &dyn Fn(usize) -> bool| {
        let values = (0..rows).map(|row| i128::from(bit(row))).collect();
        Rows::new(1, values).expect("one bit a row")
    };
    let valid = |row: usize| row.checked_sub(latency).is_some_and(started);
    let mut vectors = Vectors { inputs, outputs };
    vectors.inputs.insert(START.into(), bits(&started));
    vectors.outputs.insert(VALID.into(), bits(&valid));
    Ok(vectors)
}

fn columns(names: Vec<String>, events: &[Event]) -> Result<BTreeMap<String, Rows>, Diagnostic> {
    let column = |(k, name): (usize, String)| {
        let width = events.first().map_or(0, |event| event[k].len());
        let values = events.iter().flat_map(|event| &event[k]);
        let values = values.map(|v| i128::from(*v)).collect();
        match Rows::new(width, values) {
            Some(rows) => Ok((name, rows)),
            None => {
                let message = format!("port `{name}` has no elements");
                Err(Diagnostic::error("model", message))
            }
        }
    };
    names.into_iter().enumerate().map(column).collect()
}
