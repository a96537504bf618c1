//! When a folded network takes events in, works, and gives results.

use hdl::diag::Diagnostic;

use super::matrix::Matrix;
use crate::model::{Graph, Op};
use crate::network::stages::{MAX_MULTIPLIERS, MAX_STAGES};

/// Largest reuse factor.
pub const MAX_REUSE: u32 = 1 << 16;
/// Cycles from the last beat of a matrix to the start of the next step, if its products take one stage.
const TAIL: u32 = 3;

/// The steps of a folded network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Cycles from one event to the next.
    pub interval: u32,
    /// Cycles from an event to its result.
    pub latency: u32,
    /// Multipliers.
    pub multipliers: usize,
    pub(super) steps: Vec<Step>,
    /// For each step the register stages of what it computes: layers, or products and their sum.
    pub(super) stages: Vec<u32>,
    /// For each tensor the step at which the layer that gives it takes its operands.
    pub(super) starts: Vec<usize>,
    /// For each tensor the step at which it is there.
    pub(super) at: Vec<usize>,
    /// For each tensor whether it depends on no input.
    pub(super) constant: Vec<bool>,
}

/// What happens from one point of the time line to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Layers that are no matrices.
    Stage,
    /// Products, one after another.
    Matrix(Matrix),
}

impl Step {
    /// Cycles that it takes if what it computes has so many stages.
    fn cycles(&self, stages: u32) -> u32 {
        match self {
            Self::Stage => stages,
            Self::Matrix(matrix) => matrix.beats() + tail(stages),
        }
    }
}

/// Cycles from the last beat of a matrix to the start of the next step.
pub(super) fn tail(stages: u32) -> u32 {
    TAIL + stages - 1
}

impl Schedule {
    /// The schedule of `graph` at this reuse factor, with so many register stages in each step; none stands for one in each.
    ///
    /// Layers that are no matrices begin as soon as their operands are there, and those of one point of time share a
    /// register stage. Matrices follow one another, even if they do not depend on each other.
    ///
    /// # Errors
    /// A network without a matrix, or one that needs too many multipliers; stages that are not those of its steps.
    pub fn of(graph: &Graph, reuse: u32, stages: &[u32]) -> Result<Self, Diagnostic> {
        let inputs = graph.inputs().len();
        let mut schedule = Self {
            interval: 1,
            latency: 1,
            multipliers: 0,
            steps: Vec::new(),
            stages: stages.to_vec(),
            starts: vec![0; inputs],
            at: vec![0; inputs],
            constant: vec![false; inputs],
        };
        for layer in graph.layers() {
            let operands = layer.inputs.iter().map(|t| t.index());
            let constant = operands.clone().all(|t| schedule.constant[t]);
            let ready = operands.map(|t| schedule.at[t]).max().unwrap_or(0);
            let matrix = match &layer.op {
                _ if constant => None,
                Op::Dense { .. } | Op::Convolution { .. } => {
                    let shape = &graph.info(layer.inputs[0]).shape;
                    Some(Matrix::of(layer, shape, reuse)?)
                }
                _ => None,
            };
            let (start, end) = match matrix {
                Some(matrix) => {
                    schedule.multipliers += matrix.multipliers();
                    schedule.steps.push(Step::Matrix(matrix));
                    (schedule.steps.len() - 1, schedule.steps.len())
                }
                None if constant || layer.op.is_movement() => (ready, ready),
                None => (ready, schedule.stage(ready)),
            };
            schedule.starts.push(start);
            schedule.at.push(end);
            schedule.constant.push(constant);
        }
        if stages.is_empty() {
            schedule.stages = vec![1; schedule.steps.len()];
        }
        schedule.check()?;
        let steps = schedule.steps.iter().zip(&schedule.stages);
        let cycles = steps.map(|(step, stages)| step.cycles(*stages));
        schedule.latency = cycles.sum::<u32>() + 1;
        schedule.interval = schedule.beats().max().unwrap_or(1);
        Ok(schedule)
    }

    /// Where a layer that begins at `ready` ends: behind a register stage, unless a matrix stands there, which has registers
    /// of its own.
    fn stage(&mut self, ready: usize) -> usize {
        match self.steps.get(ready) {
            Some(Step::Matrix(_)) => return ready,
            Some(Step::Stage) => {}
            None => self.steps.push(Step::Stage),
        }
        ready + 1
    }

    /// Elements that the operands of all matrices are chosen from.
    pub fn choices(&self) -> u64 {
        let choices = self.steps.iter().map(|step| match step {
            Step::Stage => 0,
            Step::Matrix(matrix) => matrix.choices(),
        });
        choices.sum()
    }

    fn beats(&self) -> impl Iterator<Item = u32> + '_ {
        self.steps.iter().filter_map(|step| match step {
            Step::Stage => None,
            Step::Matrix(matrix) => Some(matrix.beats()),
        })
    }

    fn check(&self) -> Result<(), Diagnostic> {
        let valid = |stages: &u32| (1..=MAX_STAGES).contains(stages);
        if self.stages.len() != self.steps.len() || !self.stages.iter().all(valid) {
            let (steps, stages) = (self.steps.len(), &self.stages);
            let message = format!("{stages:?} are no stages of {steps} steps");
            let help = format!("each step has 1 to {MAX_STAGES} stages");
            return Err(Diagnostic::error("folding", message).help(help));
        }
        let why = match (self.beats().count(), self.multipliers) {
            (0, _) => "there is no dense or convolution layer to fold".to_owned(),
            (_, count) if count > MAX_MULTIPLIERS => {
                format!("{count} multipliers are more than {MAX_MULTIPLIERS}")
            }
            _ => return Ok(()),
        };
        Err(Diagnostic::error("folding", why).help("choose a greater --reuse, or leave it away to unroll the network"))
    }
}
