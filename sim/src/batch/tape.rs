//! A program with slots and constants of the lane type, and how it is run over many samples.

use hdl::dfg::Module;
use rayon::prelude::*;

use super::allocate::allocate;
use super::execute::{LANES, Rows, execute};
use super::lower::{Instruction, Program};
use super::{Content, Lane, Size};

/// Instructions in execution order, on slots.
#[derive(Debug, Clone)]
pub(super) struct Tape<T> {
    instructions: Vec<Instruction<T>>,
    slots: usize,
    tables: Vec<Vec<T>>,
    inputs: usize,
    outputs: usize,
}

/// [`Content`] in the lane type.
#[derive(Debug)]
pub(super) struct Held<T> {
    pub states: Vec<T>,
    pub memories: Vec<Vec<T>>,
}

fn truncated<T: Lane>(values: &[i128]) -> Vec<T> {
    values.iter().map(|v| T::truncated(*v)).collect()
}

impl<T: Lane> Tape<T> {
    /// Gives `program`, made from `module`, its slots.
    pub fn new(module: &Module, program: &Program) -> Self {
        let mut allocated = program.instructions.clone();
        let slots = allocate(&mut allocated);
        let graph = &module.graph;
        let instructions = allocated.iter().map(|i| Instruction {
            code: i.code,
            s: i.s,
            d: i.d,
            x: i.x,
            y: i.y,
            z: i.z,
            k: T::truncated(i.k),
            l: T::truncated(i.l),
        });
        Self {
            instructions: instructions.collect(),
            slots,
            tables: (0..graph.table_count()).map(|t| truncated(graph.table(t))).collect(),
            inputs: module.input_count(),
            outputs: module.output_elements().count(),
        }
    }

    pub fn size(&self) -> Size {
        Size { instructions: self.instructions.len(), slots: self.slots, lane_bits: T::BITS }
    }

    /// The rows of outputs of the rows of `inputs`, all checked.
    pub fn run<S: Lane>(&self, inputs: &[S], content: &Content) -> Vec<S> {
        let held = Held {
            states: truncated(&content.states),
            memories: content.memories.iter().map(|words| truncated(words)).collect(),
        };
        let samples = inputs.len() / self.inputs;
        let mut outputs = vec![S::default(); samples * self.outputs];
        if self.outputs == 0 {
            return outputs;
        }
        let arch = pulp::Arch::new();
        outputs.par_chunks_mut(LANES * self.outputs).zip(inputs.par_chunks(LANES * self.inputs)).for_each_init(
            || vec![Default::default(); self.slots],
            |slots, (outputs, inputs)| {
                let mut rows = Rows { inputs, outputs, input_count: self.inputs, output_count: self.outputs };
                arch.dispatch(|| execute(&self.instructions, slots, &self.tables, &held, &mut rows));
            },
        );
        outputs
    }
}
