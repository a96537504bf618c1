//! What a test bench does with a module, as waveforms: reset, preamble, samples; and what must come out when.

use std::ops::Range;

use hdl::dfg::Module;
use hdl::diag::Diagnostics;
use hdl::num::Format;
use hdl::pack;

use super::levels::{CYCLES, Plane, WORDS};
use crate::preamble::Preamble;
use crate::testbench::RESET_CYCLES;
use crate::vectors::{Held, Vectors, idle};

/// What an output port must give in a cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// The cycle, from the beginning.
    pub cycle: usize,
    /// The port among the module's outputs.
    pub port: usize,
    /// Its elements.
    pub values: Vec<i128>,
    /// Which sample or cycle of the preamble this is, in words.
    pub place: String,
}

/// Waveforms of all inputs, and what is expected of the outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stimulus {
    /// Ports with their bits, the lowest first; a bit's wave has one bit a cycle. The clock is not among them.
    pub inputs: Vec<(String, Vec<Vec<u64>>)>,
    /// In the order of the cycles of each port.
    pub expected: Vec<Expected>,
    /// The cycles in which samples go in or come out; those before are reset and preamble.
    pub streaming: Range<usize>,
    /// Samples.
    pub samples: usize,
}

impl Stimulus {
    /// The same cycles as [`bench`](crate::testbench::bench) makes of `vectors` and `preamble`; what neither drives idles.
    ///
    /// # Errors
    /// Vectors or a preamble that do not fit the module.
    pub fn new(module: &Module, vectors: &Vectors, preamble: Option<&Preamble>) -> Result<Self, Diagnostics> {
        let width = module.input_count();
        let rows = vectors.input_rows(module, &Held::new())?;
        let idling: Vec<i128> = module.inputs.iter().flat_map(idle).collect();
        let mut waves = Waves::new(module);
        let mut expected = Vec::new();
        let reset = if module.has_reset() { RESET_CYCLES } else { 0 };
        (0..reset).for_each(|_| waves.push(true, &idling));
        if let Some(preamble) = preamble {
            play(preamble, module, idling, &mut waves, &mut expected)?;
        }
        let start = waves.cycles;
        let samples = vectors.len();
        let delays = module.outputs.iter().map(|p| p.stamp.cycle().unwrap_or(0));
        let ports = module.outputs.iter().zip(delays).enumerate();
        let checked = ports.filter(|(_, (port, _))| vectors.outputs.contains_key(&port.name));
        let checked: Vec<(usize, &str, usize)> =
            checked.map(|(i, (port, delay))| (i, port.name.as_str(), delay as usize)).collect();
        let tail = checked.iter().map(|(.., delay)| *delay).max().unwrap_or(0);
        let mut row = vec![0; width];
        for cycle in 0..samples + tail {
            for port in &module.inputs {
                let delay = port.stamp.cycle().unwrap_or(0) as usize;
                let sample = cycle.saturating_sub(delay).min(samples - 1);
                let elements = port.first as usize..port.first as usize + port.elements.len();
                row[elements.clone()].copy_from_slice(&rows[sample * width..][elements]);
            }
            waves.push(false, &row);
        }
        for (port, name, delay) in checked {
            expected.extend(vectors.outputs[name].iter().enumerate().map(|(sample, row)| Expected {
                cycle: start + delay + sample,
                port,
                values: row.to_vec(),
                place: format!("sample {sample}"),
            }));
        }
        Ok(Self { streaming: start..waves.cycles, inputs: waves.finish(), expected, samples })
    }

    /// The blocks that it takes.
    pub fn blocks(&self) -> usize {
        self.streaming.end.div_ceil(CYCLES)
    }
}

/// A block of a wave; after its end the wave stays zero.
pub(super) fn block(wave: &[u64], number: usize) -> Plane {
    std::array::from_fn(|w| wave.get(number * WORDS + w).copied().unwrap_or(0))
}

/// Adds the cycles of a preamble. A port keeps what was last driven until the preamble ends.
fn play(
    preamble: &Preamble,
    module: &Module,
    mut row: Vec<i128>,
    waves: &mut Waves<'_>,
    expected: &mut Vec<Expected>,
) -> Result<(), Diagnostics> {
    let ports = preamble.resolve(module)?;
    for (i, cycle) in preamble.cycles.iter().enumerate() {
        let mut rest = cycle.drive.as_slice();
        for port in &ports.drives {
            let (own, others) = rest.split_at(port.elements.len());
            row[port.first as usize..][..own.len()].copy_from_slice(own);
            rest = others;
        }
        let mut rest = cycle.expect.as_deref().unwrap_or_default();
        for read in ports.reads.iter().filter(|_| cycle.expect.is_some()) {
            let (own, others) = rest.split_at(read.elements.len());
            rest = others;
            let port = module.outputs.iter().position(|port| port.name == read.name);
            expected.extend(port.map(|port| Expected {
                cycle: waves.cycles,
                port,
                values: own.to_vec(),
                place: format!("preamble cycle {i}"),
            }));
        }
        waves.push(false, &row);
    }
    Ok(())
}

/// Waves of all input bits, cycle after cycle.
struct Waves<'m> {
    module: &'m Module,
    cycles: usize,
    reset: Vec<u64>,
    /// By port and bit.
    ports: Vec<Vec<Vec<u64>>>,
}

impl<'m> Waves<'m> {
    fn new(module: &'m Module) -> Self {
        let width = |elements: &[Format]| pack::width(elements.iter().copied()) as usize;
        let ports = module.inputs.iter();
        Self {
            module,
            cycles: 0,
            reset: Vec::new(),
            ports: ports.map(|port| vec![Vec::new(); width(&port.elements)]).collect(),
        }
    }

    fn push(&mut self, reset: bool, row: &[i128]) {
        let cycle = self.cycles;
        let append = |wave: &mut Vec<u64>, value: bool| {
            if cycle.is_multiple_of(64) {
                wave.push(0);
            }
            wave[cycle / 64] |= u64::from(value) << (cycle % 64);
        };
        append(&mut self.reset, reset);
        for (port, waves) in self.module.inputs.iter().zip(&mut self.ports) {
            let elements = &row[port.first as usize..][..port.elements.len()];
            let bus = pack::pack(port.elements.iter().copied(), elements);
            for (bit, wave) in waves.iter_mut().enumerate() {
                append(wave, bus.bit(bit as u64));
            }
        }
        self.cycles += 1;
    }

    fn finish(self) -> Vec<(String, Vec<Vec<u64>>)> {
        let names = self.module.inputs.iter().map(|port| port.name.clone());
        let mut inputs: Vec<_> = names.zip(self.ports).collect();
        if self.module.has_reset() {
            inputs.push(("rst".to_owned(), vec![self.reset]));
        }
        inputs
    }
}
