//! All transitions of a cycle, not only those that remain: every gate passes changes of its inputs on, after a delay of
//! its own, unless they are taken back before.
//!
//! Delays are inertial, as Verilog's are: a gate has at most one change under way, and a pulse that is shorter than its
//! delay does not pass. Rises take as long as falls. All inputs and registers change at the same time, at which the clock
//! rises; a register's output follows after the delay of its output pin.
//!
//! The cycles of a block are independent of one another, since what each begins and ends with is known from the
//! simulation without delays; they are simulated side by side, each in its own bit.

use std::collections::{BTreeMap, VecDeque};

use super::circuit::{Action, Circuit, NONE};
use super::levels::{Levels, Plane};
use super::program::Scratch;
use super::simulator::Simulator;

/// How many steps of time each node takes.
#[derive(Debug, Clone)]
pub struct Delays {
    of_node: Vec<u32>,
}

impl Delays {
    /// One step for each cell.
    pub fn unit(circuit: &Circuit) -> Self {
        Self { of_node: vec![1; circuit.nodes.len()] }
    }

    /// Delays in steps of time by net, those of the pins that drive them, at least one; a picosecond is a good step.
    /// What lies inside a cell takes the least time there is.
    pub fn of_nets(circuit: &Circuit, steps: impl Fn(u32) -> u32) -> Self {
        let of_node = circuit.nodes.iter().map(|node| match node.instance {
            NONE => 1,
            _ => steps(node.output).max(1),
        });
        Self { of_node: of_node.collect() }
    }
}

/// A change under way: when it arrives, in which cycles, and what it brings there.
#[derive(Debug, Clone, Copy)]
struct Change {
    arrives: u64,
    cycles: Plane,
    levels: Levels,
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
    /// By net, what will stand there once all is done that is under way.
    coming: Vec<Levels>,
    /// By net, what is under way, the first to arrive first; each cycle has at most one change.
    under_way: Vec<VecDeque<Change>>,
    /// Nets by the time at which a change arrives there.
    agenda: BTreeMap<u64, Vec<u32>>,
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
            under_way: vec![VecDeque::new(); circuit.nets],
            agenda: BTreeMap::new(),
            scratch: Scratch::default(),
        }
    }

    /// Counts the transitions into the cycles that `counted` marks, of a block that is settled.
    pub fn run(&mut self, settled: &Simulator<'_>, counted: &Plane) {
        for net in 0..self.circuit.nets {
            self.now[net] = settled.earlier(net as u32);
        }
        self.coming.copy_from_slice(&self.now);
        for i in 0..self.sources.len() {
            let net = self.sources[i];
            self.plan(net, *settled.levels(net), 0, 0);
        }
        let mut queued = vec![u64::MAX; self.circuit.nodes.len()];
        let mut active = Vec::new();
        // paths have no circles, so that nothing is under way after the longest of them
        while let Some((time, nets)) = self.agenda.pop_first() {
            for net in nets {
                self.arrive(net, time, counted, &mut queued, &mut active);
            }
            active.drain(..).for_each(|node| self.evaluate(node, time));
        }
        debug_assert!(
            (0..self.circuit.nets).all(|net| self.now[net] == *settled.levels(net as u32)),
            "with and without delays a cycle ends alike"
        );
    }

    /// A net takes its new level; the gates that read it become active, each once.
    fn arrive(&mut self, net: u32, time: u64, counted: &Plane, queued: &mut [u64], active: &mut Vec<u32>) {
        let i = net as usize;
        let Some(change) = self.under_way[i].pop_front_if(|change| change.arrives == time) else {
            return;
        };
        let levels = self.now[i].replaced(&change.levels, &change.cycles);
        if levels == self.now[i] {
            return;
        }
        self.counts[i] += u64::from(self.now[i].transitions(&levels, counted));
        self.now[i] = levels;
        let readers = self.starts[i] as usize..self.starts[i + 1] as usize;
        for node in &self.readers[readers] {
            if std::mem::replace(&mut queued[*node as usize], time) != time {
                active.push(*node);
            }
        }
    }

    /// What a gate makes of its inputs arrives after its delay.
    fn evaluate(&mut self, number: u32, time: u64) {
        let node = &self.circuit.nodes[number as usize];
        let Action::Gate(program) = node.action else {
            return;
        };
        let inputs = self.circuit.inputs_of(node);
        let levels = self.circuit.programs.run(program, inputs, &self.now, &mut self.scratch);
        self.plan(node.output, levels, time, self.delays.of_node[number as usize]);
    }

    /// Levels that a net is to have after a delay: in the cycles in which something else is under way that is given up,
    /// and what stands there already needs no change.
    fn plan(&mut self, net: u32, levels: Levels, time: u64, delay: u32) {
        let i = net as usize;
        let other = self.coming[i].differences(&levels);
        if other == Plane::default() {
            return;
        }
        for change in &mut self.under_way[i] {
            change.cycles = std::array::from_fn(|w| change.cycles[w] & !other[w]);
        }
        self.coming[i] = levels;
        let changed = self.now[i].differences(&levels);
        let cycles: Plane = std::array::from_fn(|w| changed[w] & other[w]);
        if cycles != Plane::default() {
            let arrives = time + u64::from(delay);
            self.under_way[i].push_back(Change { arrives, cycles, levels });
            self.agenda.entry(arrives).or_default().push(net);
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
