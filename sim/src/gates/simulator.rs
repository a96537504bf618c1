//! Simulation of a circuit without delays, a block of cycles at a time.
//!
//! A register is a delay by one cycle, so that a pipeline's cycles are evaluated all at once, each node a single time.
//! Nodes in a circle are evaluated until nothing changes any more: a round makes at least one more cycle right, whatever
//! stood there before, so that this ends with the exact values after one round more than a block has cycles. A register
//! that holds its value, as a weight does while samples stream, takes two rounds.

use super::circuit::{Action, Circuit, Node};
use super::levels::{CYCLES, Levels, Plane, State};
use super::program::Scratch;

/// A circuit with its state.
#[derive(Debug)]
pub struct Simulator<'c> {
    circuit: &'c Circuit,
    levels: Vec<Levels>,
    /// The level of each net before the block.
    before: Vec<State>,
    /// What each node holds before the block, if it is a register.
    held: Vec<State>,
    scratch: Scratch,
}

impl<'c> Simulator<'c> {
    /// A circuit in its first cycle; no input is known.
    pub fn new(circuit: &'c Circuit) -> Self {
        let mut levels = vec![Levels::UNKNOWN; circuit.nets];
        levels[0] = Levels::constant(false);
        levels[1] = Levels::constant(true);
        let held = circuit.nodes.iter().map(|node| match node.action {
            Action::Register(initial) => initial,
            Action::Gate(_) => State::Unknown,
        });
        Self {
            circuit,
            levels,
            before: vec![State::Unknown; circuit.nets],
            held: held.collect(),
            scratch: Scratch::default(),
        }
    }

    /// The same with zero for what is not known: registers without initial value, and nets that nothing drives.
    pub fn from_zero(circuit: &'c Circuit) -> Self {
        let mut simulator = Self::new(circuit);
        for levels in simulator.levels.iter_mut().filter(|levels| **levels == Levels::UNKNOWN) {
            *levels = Levels::constant(false);
        }
        for held in simulator.held.iter_mut().filter(|held| **held == State::Unknown) {
            *held = State::Zero;
        }
        simulator
    }

    /// Sets an input for the block that comes.
    pub fn set(&mut self, net: u32, levels: Levels) {
        self.levels[net as usize] = levels;
    }

    /// The levels of a net in the present block.
    pub fn levels(&self, net: u32) -> &Levels {
        &self.levels[net as usize]
    }

    /// The levels of all nets in the present block.
    pub fn all(&self) -> &[Levels] {
        &self.levels
    }

    /// The levels of a net, each a cycle before those of the present block.
    pub fn earlier(&self, net: u32) -> Levels {
        self.levels[net as usize].delayed(self.before[net as usize])
    }

    /// Evaluates the block for whose inputs [`set`](Self::set) was called.
    pub fn settle(&mut self) {
        let mut first = 0;
        for group in &self.circuit.groups {
            let nodes = first..group.end as usize;
            first = nodes.end;
            if !group.feedback {
                nodes.for_each(|i| self.evaluate(i));
                continue;
            }
            for _ in 0..=CYCLES {
                if !self.round(nodes.clone()) {
                    break;
                }
            }
        }
    }

    /// Evaluates nodes in a circle once; whether a register changed.
    fn round(&mut self, nodes: std::ops::Range<usize>) -> bool {
        let mut changed = false;
        for i in nodes {
            let node = &self.circuit.nodes[i];
            let old = self.levels[node.output as usize];
            self.evaluate(i);
            changed |= node.is_register() && self.levels[node.output as usize] != old;
        }
        changed
    }

    #[inline]
    fn evaluate(&mut self, i: usize) {
        let node: &Node = &self.circuit.nodes[i];
        let inputs = self.circuit.inputs_of(node);
        self.levels[node.output as usize] = match node.action {
            Action::Gate(program) => self.circuit.programs.run(program, inputs, &self.levels, &mut self.scratch),
            Action::Register(_) => self.levels[inputs[0] as usize].delayed(self.held[i]),
        };
    }

    /// Adds to `counts`, by net, how often each changed into the cycles that `counted` marks.
    pub fn count(&self, counted: &Plane, counts: &mut [u64]) {
        for (net, count) in counts.iter_mut().enumerate() {
            let to = &self.levels[net];
            *count += u64::from(self.earlier(net as u32).transitions(to, counted));
        }
    }

    /// Goes on to the next block.
    pub fn advance(&mut self) {
        for (before, levels) in self.before.iter_mut().zip(&self.levels) {
            *before = levels.last();
        }
        for (held, node) in self.held.iter_mut().zip(&self.circuit.nodes) {
            if node.is_register() {
                let loaded = self.circuit.inputs_of(node)[0];
                *held = self.before[loaded as usize];
            }
        }
    }
}
