//! A program with slots and constants of their types, and how it is run over many samples.

use hdl::dfg::Module;
use rayon::prelude::*;

use super::allocate::allocate;
use super::arena::{Arena, CHUNK};
use super::execute;
use super::instruction::{Code, Program};
use super::lane::{Cell, Kind};
use super::rows::{Block, Places};
use super::sums::Term;
use super::typing::{Act, Step, typed};
use super::{Content, Lane, Size};

/// Bytes of slots that stay in a first-level cache, beside what else is read.
const CACHE: usize = 24 << 10;
/// Most chunks of a block: by then the time to choose what a step does is small beside the step.
const MOST_CHUNKS: usize = 8;

/// Steps in execution order, on slots.
#[derive(Debug, Clone)]
pub(super) struct Tape {
    steps: Vec<Step>,
    constants: Vec<i128>,
    parts: Parts,
    slots: [usize; Kind::COUNT],
    chunks: usize,
}

/// What steps of one type read beside slots.
#[derive(Debug, Clone, Default)]
pub(super) struct Part<T> {
    /// The tables, those that no step of this type reads empty.
    pub tables: Vec<Vec<T>>,
    pub sums: Vec<Vec<Term<T>>>,
}

/// What steps read beside slots.
#[derive(Debug, Clone, Default)]
pub(super) struct Parts {
    pub i8: Part<i8>,
    pub i16: Part<i16>,
    pub i32: Part<i32>,
    pub i64: Part<i64>,
    pub i128: Part<i128>,
    pub f32: Vec<Vec<Term<f32>>>,
}

fn terms<T: Cell>(sum: &[(u32, i64)]) -> Vec<Term<T>> {
    sum.iter().map(|&(slot, weight)| (slot, T::truncated(weight.into()))).collect()
}

impl<T: Lane> Part<T> {
    /// Takes a sum in; returns its number.
    fn sum(&mut self, sum: &[(u32, i64)]) -> u32 {
        self.sums.push(terms(sum));
        self.sums.len() as u32 - 1
    }

    /// Takes table `k` in, unless it is there.
    fn table(&mut self, k: u32, entries: &[i128]) {
        let k = k as usize;
        if self.tables.len() <= k {
            self.tables.resize_with(k + 1, Vec::new);
        }
        if self.tables[k].is_empty() {
            self.tables[k] = entries.iter().map(|v| T::truncated(*v)).collect();
        }
    }
}

impl Parts {
    /// Takes the sum of a step of type `kind` in; returns its number there.
    fn sum(&mut self, kind: Kind, sum: &[(u32, i64)]) -> u32 {
        match kind {
            Kind::I8 => self.i8.sum(sum),
            Kind::I16 => self.i16.sum(sum),
            Kind::I32 => self.i32.sum(sum),
            Kind::I64 => self.i64.sum(sum),
            Kind::I128 => self.i128.sum(sum),
            Kind::F32 => {
                self.f32.push(terms(sum));
                self.f32.len() as u32 - 1
            }
        }
    }

    fn table(&mut self, kind: Kind, k: u32, entries: &[i128]) {
        match kind {
            Kind::I8 => self.i8.table(k, entries),
            Kind::I16 => self.i16.table(k, entries),
            Kind::I32 => self.i32.table(k, entries),
            Kind::I64 => self.i64.table(k, entries),
            Kind::I128 => self.i128.table(k, entries),
            Kind::F32 => unreachable!("floats are only added up"),
        }
    }
}

impl Tape {
    /// Gives `program`, made from `module`, its types and slots.
    pub fn new(module: &Module, program: &Program) -> Self {
        // without vector units that multiply and add floats at once, integers are as fast
        let floats = !matches!(pulp::Arch::new(), pulp::Arch::Scalar);
        let mut typed = typed(program, floats);
        let slots = allocate(&mut typed);
        let mut parts = Parts::default();
        for step in &mut typed.steps {
            match step.act {
                Act::Do(Code::Sum) => step.y = parts.sum(step.kind, &typed.sums[step.y as usize]),
                Act::Do(Code::Table) => parts.table(step.kind, step.y, module.graph.table(step.y)),
                _ => {}
            }
        }
        let kinds = [Kind::I8, Kind::I16, Kind::I32, Kind::I64, Kind::I128, Kind::F32];
        let bytes: usize = kinds.iter().map(|kind| slots[*kind as usize] * kind.bits() as usize / 8).sum();
        let fitting = CACHE / (bytes * CHUNK).max(1);
        let chunks = (fitting / 2 * 2).clamp(2, MOST_CHUNKS);
        Self { steps: typed.steps, constants: typed.constants, parts, slots, chunks }
    }

    pub fn size(&self) -> Size {
        let lane_bits = self.steps.iter().map(|step| step.kind.bits()).max().unwrap_or(8);
        Size { instructions: self.steps.len(), slots: self.slots.iter().sum(), lane_bits }
    }

    /// The outputs of the samples of `inputs`, all checked; ports of these widths.
    pub fn run<S: Lane>(&self, inputs: &[&[S]], widths: [&[usize]; 2], content: &Content) -> Vec<Vec<S>> {
        let samples = inputs.iter().zip(widths[0]).map(|(port, width)| port.len() / width.max(&1)).max().unwrap_or(0);
        let mut outputs: Vec<Vec<S>> = widths[1].iter().map(|width| vec![S::default(); samples * width]).collect();
        let places = Places::new(widths[0], widths[1]);
        let lanes = self.chunks * CHUNK;
        let mut rest: Vec<&mut [S]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
        let mut block = |first: usize| {
            let count = lanes.min(samples - first);
            let inputs = inputs.iter().zip(widths[0]).map(|(port, width)| &port[first * width..][..count * width]);
            let outputs = rest.iter_mut().zip(widths[1]);
            let outputs = outputs.map(|(port, width)| port.split_off_mut(..count * width).expect("whole rows"));
            Block { inputs: inputs.collect(), outputs: outputs.collect(), places: &places }
        };
        let blocks: Vec<Block<'_, S>> = (0..samples).step_by(lanes).map(&mut block).collect();
        let program = execute::Program {
            steps: &self.steps,
            constants: &self.constants,
            parts: &self.parts,
            content,
            chunks: self.chunks,
        };
        blocks.into_par_iter().for_each_init(
            || Arena::new(&self.slots, self.chunks),
            |arena, mut rows| execute::run(&program, arena, &mut rows),
        );
        outputs
    }
}
