//! What every net is without faults, and what is compared with it.

use hdl::dfg::Module;
use hdl::diag::Diagnostics;
use hdl::pack;

use super::super::check;
use super::super::circuit::{Action, Circuit};
use super::super::levels::{CYCLES, Levels};
use super::super::simulator::Simulator;
use super::super::stimulus::{Stimulus, block};

/// An element of an output port.
#[derive(Debug, Clone)]
pub(super) struct Element {
    /// Its bits, the lowest first.
    pub nets: Vec<u32>,
    /// Whether the last of them counts negatively.
    pub signed: bool,
}

/// Readers of nets: those of net `n` are `all[first[n]..first[n + 1]]`.
#[derive(Debug, Default)]
pub(super) struct Readers {
    first: Vec<u32>,
    all: Vec<u32>,
}

/// A run of a circuit without faults, which faulty circuits are compared with.
#[derive(Debug)]
pub struct Golden<'c> {
    pub(super) circuit: &'c Circuit,
    /// Of each net, the gates that read it, by their place in the order of evaluation.
    pub(super) gates: Readers,
    /// Of each net, the registers that load it, by their place.
    pub(super) registers: Readers,
    /// Of each net, the gate that drives it, or [`u32::MAX`].
    pub(super) driver: Vec<u32>,
    /// Of cycles from `first_cycle` on: whether each net is one, a bit each.
    ones: Vec<Vec<u64>>,
    first_cycle: usize,
    /// Where the run ends.
    pub(super) end: u32,
    /// Elements of the output ports.
    pub(super) ports: Vec<Vec<Element>>,
    /// Of each cycle, the ports that something is expected of.
    pub(super) expected: Vec<Vec<u32>>,
    /// Nets that report faults.
    pub(super) detecting: Vec<u32>,
}

impl Readers {
    fn of(nets: usize, pairs: &[(u32, u32)]) -> Self {
        let mut first = vec![0; nets + 1];
        pairs.iter().for_each(|(net, _)| first[*net as usize + 1] += 1);
        (0..nets).for_each(|net| first[net + 1] += first[net]);
        let mut next = first.clone();
        let mut all = vec![0; pairs.len()];
        for (net, reader) in pairs {
            all[next[*net as usize] as usize] = *reader;
            next[*net as usize] += 1;
        }
        Self { first, all }
    }

    #[inline]
    pub fn at(&self, net: u32) -> &[u32] {
        let net = net as usize;
        &self.all[self.first[net] as usize..self.first[net + 1] as usize]
    }
}

impl<'c> Golden<'c> {
    /// Runs `circuit`, which is `module`; registers of which nobody knows what they hold at first hold zero. The output
    /// ports named in `detecting` report faults.
    ///
    /// # Errors
    /// `netlist` if a port of the module is none of the circuit's.
    pub fn new(
        circuit: &'c Circuit,
        module: &Module,
        stimulus: &Stimulus,
        detecting: &[String],
    ) -> Result<Self, Diagnostics> {
        let nets = check::outputs(circuit, module)?;
        let elements = |(port, nets): (&hdl::dfg::OutputPort, &Vec<u32>)| {
            let formats = port.elements.iter().map(|e| e.format);
            let places = pack::layout(formats.clone()).zip(formats);
            let element = places.map(|((low, width), format)| Element {
                nets: nets[low as usize..(low + width) as usize].to_vec(),
                signed: format.range.signed(),
            });
            element.collect()
        };
        let named = module.outputs.iter().zip(&nets).filter(|(port, _)| detecting.contains(&port.name));
        let mut expected = vec![Vec::new(); stimulus.streaming.end];
        for wanted in &stimulus.expected {
            expected[wanted.cycle].push(wanted.port as u32);
        }
        let mut golden = Self {
            circuit,
            gates: Readers::default(),
            registers: Readers::default(),
            driver: vec![u32::MAX; circuit.nets],
            ones: Vec::new(),
            first_cycle: stimulus.streaming.start,
            end: stimulus.streaming.end as u32,
            detecting: named.flat_map(|(_, nets)| nets).copied().collect(),
            ports: module.outputs.iter().zip(&nets).map(elements).collect(),
            expected,
        };
        golden.connect();
        golden.run(stimulus)?;
        Ok(golden)
    }

    fn connect(&mut self) {
        let (mut gates, mut registers) = (Vec::new(), Vec::new());
        for (place, node) in (0..).zip(&self.circuit.nodes) {
            let readers = match node.action {
                Action::Gate(_) => {
                    self.driver[node.output as usize] = place;
                    &mut gates
                }
                Action::Register(_) => &mut registers,
            };
            readers.extend(self.circuit.inputs_of(node).iter().map(|net| (*net, place)));
        }
        self.gates = Readers::of(self.circuit.nets, &gates);
        self.registers = Readers::of(self.circuit.nets, &registers);
    }

    fn run(&mut self, stimulus: &Stimulus) -> Result<(), Diagnostics> {
        let inputs = check::inputs(self.circuit, stimulus)?;
        let mut simulator = Simulator::from_zero(self.circuit);
        for number in 0..stimulus.blocks() {
            for (net, wave) in &inputs {
                simulator.set(*net, Levels::known(block(wave, number)));
            }
            simulator.settle();
            for cycle in (number * CYCLES..(number + 1) * CYCLES).filter(|cycle| stimulus.streaming.contains(cycle)) {
                self.ones.push(row(simulator.all(), cycle % CYCLES));
            }
            simulator.advance();
        }
        Ok(())
    }

    /// The level of a net in a cycle while samples stream.
    #[inline]
    pub(super) fn level(&self, net: u32, cycle: u32) -> bool {
        let row = &self.ones[cycle as usize - self.first_cycle];
        row[net as usize / 64] >> (net % 64) & 1 == 1
    }

    /// How many nets there are.
    pub fn nets(&self) -> usize {
        self.circuit.nets
    }
}

/// Which nets are one in a cycle of a block.
fn row(nets: &[Levels], cycle: usize) -> Vec<u64> {
    let bit = |levels: &Levels| levels.one[cycle / 64] >> (cycle % 64) & 1;
    let word = |nets: &[Levels]| nets.iter().rev().fold(0, |word, levels| word << 1 | bit(levels));
    nets.chunks(64).map(word).collect()
}
