//! All transitions of a cycle, not only those that remain: every gate passes each change of its inputs on, after a delay
//! of its own.
//!
//! Delays are those of transport: a pulse is passed on however short it is, and rises take as long as falls. A real gate
//! swallows pulses shorter than its delay, so what is counted here is an upper figure. All inputs and registers change at
//! the same time, at which the clock rises.
//!
//! The cycles of a block are independent of one another, since what each begins and ends with is known from the
//! simulation without delays; they are simulated side by side, each in its own bit.

use std::collections::HashMap;

use super::circuit::{Action, Circuit, NONE};
use super::levels::{Levels, Plane};
use super::program::Scratch;
use super::simulator::Simulator;
use crate::netlist::Netlist;

/// Steps of time of the slowest cell, at most.
const LONGEST: f64 = 64.0;

/// How many steps of time each node takes.
#[derive(Debug, Clone)]
pub struct Delays {
    of_node: Vec<u8>,
    longest: u8,
}

impl Delays {
    /// One step for each cell.
    pub fn unit(circuit: &Circuit) -> Self {
        Self { of_node: vec![1; circuit.nodes.len()], longest: 1 }
    }

    /// Delays of cells by type, in any unit, in whole steps: half of the shortest delay is a step, or more if the longest
    /// would take more than 64 of them. A cell that is not among them takes as long as the shortest.
    pub fn by_cell(circuit: &Circuit, netlist: &Netlist, cells: &HashMap<String, f64>) -> Self {
        let given = |i: u32| {
            let instance = netlist.instances.get(i as usize)?;
            cells.get(&instance.cell).copied().filter(|delay| *delay > 0.0)
        };
        let used = circuit.nodes.iter().filter_map(|node| given(node.instance));
        let (shortest, longest) =
            used.fold((f64::INFINITY, 0.0_f64), |(low, high), delay| (low.min(delay), high.max(delay)));
        if longest == 0.0 {
            return Self::unit(circuit);
        }
        let step = (shortest / 2.0).max(longest / LONGEST);
        // what lies inside a cell takes the least time there is
        let steps = |instance: u32| match instance {
            NONE => 1,
            instance => (given(instance).unwrap_or(shortest) / step).round().max(1.0) as u8,
        };
        let of_node: Vec<u8> = circuit.nodes.iter().map(|n| steps(n.instance)).collect();
        Self { longest: of_node.iter().copied().max().unwrap_or(1), of_node }
    }
}

/// Counts transitions, block after block.
#[derive(Debug)]
pub(super) struct Glitches<'c> {
    circuit: &'c Circuit,
    delays: &'c Delays,
    /// The gates that read a net: `readers[starts[net]..starts[net + 1]]`.
    starts: Vec<u32>,
    readers: Vec<u32>,
    /// Nets that no gate drives, or one without inputs.
    sources: Vec<u32>,
    counts: Vec<u64>,
    /// Present levels by net.
    now: Vec<Levels>,
    /// By net, what comes last of that which is under way.
    coming: Vec<Levels>,
    /// What arrives in each of the next steps: net and levels.
    wheel: Vec<Vec<(u32, Levels)>>,
    scratch: Scratch,
}

impl<'c> Glitches<'c> {
    pub fn new(circuit: &'c Circuit, delays: &'c Delays) -> Self {
        let (starts, readers) = readers(circuit);
        Self {
            circuit,
            delays,
            starts,
            readers,
            sources: sources(circuit),
            counts: vec![0; circuit.nets],
            now: vec![Levels::UNKNOWN; circuit.nets],
            coming: vec![Levels::UNKNOWN; circuit.nets],
            wheel: vec![Vec::new(); usize::from(delays.longest) + 1],
            scratch: Scratch::default(),
        }
    }

    /// Counts the transitions into the cycles that `counted` marks, of a block that is settled.
    pub fn run(&mut self, settled: &Simulator<'_>, counted: &Plane) {
        for net in 0..self.circuit.nets {
            self.now[net] = settled.earlier(net as u32);
        }
        self.coming.copy_from_slice(&self.now);
        for net in &self.sources {
            let levels = *settled.levels(*net);
            if levels != self.now[*net as usize] {
                self.wheel[0].push((*net, levels));
            }
        }
        let mut queued = vec![u32::MAX; self.circuit.nodes.len()];
        let mut active = Vec::new();
        // paths have no circles, so that nothing is under way after the longest of them
        for step in 0_u32.. {
            let slot = step as usize % self.wheel.len();
            let mut arriving = std::mem::take(&mut self.wheel[slot]);
            self.arrive(&arriving, counted, step, &mut queued, &mut active);
            arriving.clear();
            self.wheel[slot] = arriving;
            active.drain(..).for_each(|node| self.evaluate(node, slot));
            if self.wheel.iter().all(Vec::is_empty) {
                break;
            }
        }
        debug_assert!(
            (0..self.circuit.nets).all(|net| self.now[net] == *settled.levels(net as u32)),
            "with and without delays a cycle ends alike"
        );
    }

    /// Nets take their new levels; the gates that read them become active, each once.
    fn arrive(
        &mut self,
        arriving: &[(u32, Levels)],
        counted: &Plane,
        step: u32,
        queued: &mut [u32],
        active: &mut Vec<u32>,
    ) {
        for (net, levels) in arriving {
            let i = *net as usize;
            self.counts[i] += u64::from(self.now[i].transitions(levels, counted));
            self.now[i] = *levels;
            let readers = self.starts[i] as usize..self.starts[i + 1] as usize;
            for node in &self.readers[readers] {
                if std::mem::replace(&mut queued[*node as usize], step) != step {
                    active.push(*node);
                }
            }
        }
    }

    /// What a gate makes of its inputs arrives after its delay, if it is new.
    fn evaluate(&mut self, number: u32, slot: usize) {
        let node = &self.circuit.nodes[number as usize];
        let Action::Gate(program) = node.action else {
            return;
        };
        let inputs = self.circuit.inputs_of(node);
        let programs = &self.circuit.programs;
        let levels = programs.run(program, inputs, &self.now, &mut self.scratch);
        let coming = &mut self.coming[node.output as usize];
        if *coming != levels {
            *coming = levels;
            let delay = usize::from(self.delays.of_node[number as usize]);
            let length = self.wheel.len();
            self.wheel[(slot + delay) % length].push((node.output, levels));
        }
    }

    pub fn into_counts(self) -> Vec<u64> {
        self.counts
    }
}

fn sources(circuit: &Circuit) -> Vec<u32> {
    let mut is_source = vec![true; circuit.nets];
    for node in circuit.nodes.iter().filter(|node| !node.is_register()) {
        is_source[node.output as usize] = circuit.inputs_of(node).is_empty();
    }
    (0..circuit.nets as u32).filter(|net| is_source[*net as usize]).collect()
}

/// The gates that read each net.
fn readers(circuit: &Circuit) -> (Vec<u32>, Vec<u32>) {
    let mut starts = vec![0_u32; circuit.nets + 1];
    let gates = || circuit.nodes.iter().enumerate().filter(|(_, node)| !node.is_register());
    for (_, node) in gates() {
        for net in circuit.inputs_of(node) {
            starts[*net as usize + 1] += 1;
        }
    }
    for net in 0..circuit.nets {
        starts[net + 1] += starts[net];
    }
    let mut next = starts.clone();
    let mut readers = vec![0; starts[circuit.nets] as usize];
    for (i, node) in gates() {
        for net in circuit.inputs_of(node) {
            let place = &mut next[*net as usize];
            readers[*place as usize] = i as u32;
            *place += 1;
        }
    }
    (starts, readers)
}
