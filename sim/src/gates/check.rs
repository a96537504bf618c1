//! The netlist against its vectors: every output bit in its stated cycle, and how often each net moves meanwhile.

use hdl::dfg::Module;
use hdl::diag::{Diagnostic, Diagnostics};
use hdl::pack;
use num_bigint::BigUint;

use super::circuit::Circuit;
use super::condition::{Condition, Conditions};
use super::glitch::{Delays, Glitches};
use super::levels::{CYCLES, Levels, State, span};
use super::simulator::Simulator;
use super::stimulus::{Expected, Stimulus, block};

/// Mismatches that are described.
const SHOWN: usize = 20;

/// How often nets changed while samples streamed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Activity {
    /// By net: changes from a cycle's settled level to that of the next.
    pub settled: Vec<u64>,
    /// By net: all changes that gates with inertial delays let pass, if delays were given.
    pub inertial: Option<Vec<u64>>,
    /// In how many cycles each of the conditions held.
    pub held: Vec<u64>,
    /// Cycles in which it was counted.
    pub cycles: usize,
}

/// What is counted besides changes from cycle to cycle.
#[derive(Debug, Clone, Copy, Default)]
pub struct Watch<'w> {
    /// Changes within a cycle, with these delays.
    pub delays: Option<&'w Delays>,
    /// Cycles in which these hold.
    pub conditions: &'w [Condition],
}

/// How a run went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Elements that differed.
    pub mismatches: usize,
    /// The first of them.
    pub shown: Vec<String>,
    /// What moved.
    pub activity: Activity,
}

/// Runs all of `stimulus` through a circuit of `module`, and counts what `watch` asks for.
///
/// # Errors
/// `netlist` if a port of the module is none of the circuit's.
pub fn check(
    circuit: &Circuit,
    module: &Module,
    stimulus: &Stimulus,
    watch: Watch<'_>,
) -> Result<Outcome, Diagnostics> {
    let inputs = inputs(circuit, stimulus)?;
    let outputs = outputs(circuit, module)?;
    let mut simulator = Simulator::new(circuit);
    let mut glitches = watch.delays.map(|delays| Glitches::new(circuit, delays));
    let mut conditions = Conditions::new(watch.conditions);
    let mut settled = vec![0; circuit.nets];
    let mut recorded: Vec<Vec<Levels>> = Vec::with_capacity(stimulus.blocks());
    for number in 0..stimulus.blocks() {
        for (net, wave) in &inputs {
            simulator.set(*net, Levels::known(block(wave, number)));
        }
        simulator.settle();
        let start = number * CYCLES;
        if start + CYCLES > stimulus.streaming.start {
            let counted = span(start, stimulus.streaming.start, stimulus.streaming.end);
            simulator.count(&counted, &mut settled);
            conditions.run(&simulator, &counted);
            if let Some(glitches) = &mut glitches {
                glitches.run(&simulator, &counted);
            }
        }
        let nets = outputs.iter().flatten();
        recorded.push(nets.map(|net| *simulator.levels(*net)).collect());
        simulator.advance();
    }
    let mut outcome = compare(module, stimulus, &recorded);
    outcome.activity = Activity {
        settled,
        inertial: glitches.map(Glitches::into_counts),
        held: conditions.into_counts(),
        cycles: stimulus.streaming.len(),
    };
    Ok(outcome)
}

/// A net and its wave.
pub(super) type Driven<'s> = (u32, &'s Vec<u64>);

pub(super) fn inputs<'s>(circuit: &Circuit, stimulus: &'s Stimulus) -> Result<Vec<Driven<'s>>, Diagnostics> {
    let mut driven = Vec::new();
    for (port, waves) in &stimulus.inputs {
        let nets = circuit.port(port, waves.len() as u32);
        driven.extend(nets.ok_or_else(|| no_port(port))?.into_iter().zip(waves));
    }
    Ok(driven)
}

/// The nets of each output port, its lowest bit first.
pub(super) fn outputs(circuit: &Circuit, module: &Module) -> Result<Vec<Vec<u32>>, Diagnostics> {
    let ports = module.outputs.iter().map(|port| {
        let width = pack::width(port.elements.iter().map(|e| e.format));
        circuit.port(&port.name, width).ok_or_else(|| no_port(&port.name))
    });
    ports.collect()
}

pub(super) fn no_port(name: &str) -> Diagnostics {
    let message = format!("the netlist has no port `{name}` of the module's width");
    Diagnostic::error("netlist", message).into()
}

/// Compares what came with what must come.
fn compare(module: &Module, stimulus: &Stimulus, recorded: &[Vec<Levels>]) -> Outcome {
    let formats = |port: usize| module.outputs[port].elements.iter().map(|e| e.format);
    let widths = (0..module.outputs.len()).map(|port| pack::width(formats(port)) as usize);
    let first: Vec<usize> = widths.scan(0, |next, width| Some(std::mem::replace(next, *next + width))).collect();
    let mut outcome = Outcome { mismatches: 0, shown: Vec::new(), activity: Activity::default() };
    for expected in &stimulus.expected {
        let Expected { cycle, port, values, place } = expected;
        let levels = &recorded[cycle / CYCLES][first[*port]..];
        let want = pack::pack(formats(*port), values);
        let name = &module.outputs[*port].name;
        for (k, (low, width)) in pack::layout(formats(*port)).enumerate() {
            let bits = low as usize..(low + width) as usize;
            let came = bits.clone().map(|bit| levels[bit].at(cycle % CYCLES));
            let right = bits.clone().map(|bit| state(&want, bit));
            if came.clone().eq(right) {
                continue;
            }
            outcome.mismatches += 1;
            if outcome.shown.len() < SHOWN {
                let format = module.outputs[*port].elements[k].format;
                let got = value(came).map(|bus| pack::unpack([format], &bus)[0].to_string());
                outcome.shown.push(format!(
                    "{place} port {name} element {k} expected {} got {}",
                    values[k],
                    got.unwrap_or_else(|| "unknown bits".into())
                ));
            }
        }
    }
    outcome
}

fn state(bus: &BigUint, bit: usize) -> State {
    match bus.bit(bit as u64) {
        true => State::One,
        false => State::Zero,
    }
}

/// The number whose bits these are, the lowest first; `None` if one is not known.
fn value(bits: impl Iterator<Item = State>) -> Option<BigUint> {
    let mut bus = BigUint::ZERO;
    for (i, bit) in bits.enumerate() {
        match bit {
            State::Unknown => return None,
            known => bus.set_bit(i as u64, known == State::One),
        }
    }
    Some(bus)
}
