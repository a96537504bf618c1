//! Small designs, every upset of every bit in every cycle: the same outcome as the evaluator's with the register upset.

use std::collections::HashMap;
use std::sync::Arc;

use hdl::dfg::{Module, ModuleBuilder, RegisterStyle};
use hdl::lower::lower;
use hdl::num::Format;
use hdl::rtl::eval::Stepper;
use hdl::rtl::{Cell, Design, Names};
use hdl::{pack, verilog};
use num_bigint::BigUint;
use sim::gates::Circuit;
use sim::gates::faults::{Effect, Golden, Injector, Strike, Verdict};
use sim::gates::{Stimulus, Watch, check};
use sim::vectors::{Rows, Vectors};

use super::{Campaign, Job, Report, bits};
use crate::flow::vectors::Source;
use crate::network::dense::{DenseNetwork, Requantiser, random_layers};
use crate::{Folder, NetworkProject, Options, Staging, generate};

const EVENTS: usize = 12;

fn word(width: u32) -> Format {
    Format::unsigned(width, 0).unwrap()
}

/// Sums, products, a comparison and a store of a weight that holds what it was given.
fn pipeline() -> Arc<Module> {
    let m = ModuleBuilder::new("net");
    let x = m.input_array("x", 3, word(3));
    let sum = (x[0] + x[1]).delay(1);
    let product = (sum * x[2].delay(1)).delay(1);
    let difference = (x[0].delay(2) - x[1].delay(2)).delay(1);
    m.output("y", product.delay(1));
    m.output("z", (difference - x[2].delay(3)).max(x[0].delay(3)).delay(1));
    m.finish().unwrap()
}

/// A register and an output register; the first three times with a majority voter behind it, if so.
fn voted(triplicated: bool) -> Arc<Module> {
    let m = ModuleBuilder::new("net");
    let x = m.input("x", word(1));
    let copy = |name: &str| {
        let state = m.state(name, word(1), RegisterStyle::default());
        state.set_next(x);
        state.value()
    };
    let y = match triplicated {
        true => {
            let [a, b, c] = ["r_tmr_a", "r_tmr_b", "r_tmr_c"].map(copy);
            (a & b) | (a & c) | (b & c)
        }
        false => copy("r"),
    };
    m.output("y", y);
    m.finish().unwrap()
}

struct Bench {
    module: Arc<Module>,
    design: Design,
    stimulus: Stimulus,
    circuit: Circuit,
    rows: Vec<Vec<BigUint>>,
}

impl Bench {
    fn new(module: Arc<Module>) -> Self {
        let mut text = Vec::new();
        verilog::write_design(&lower(&module).unwrap(), &mut text).unwrap();
        let design = verilog::read(&[("net.v", &String::from_utf8(text).unwrap())], &[], "net").unwrap();
        let cut = verify::cut::cut(&design).unwrap();
        let circuit = Circuit::new(&bits::netlist(&cut), &bits::cells(), bits::CLOCK).unwrap();
        let mut random = fastrand::Rng::with_seed(5);
        let mut inputs = Vec::new();
        for port in &module.inputs {
            let values = (0..EVENTS * port.elements.len()).map(|_| {
                let range = port.elements[0].range;
                random.i128(range.lo()..=range.hi())
            });
            inputs.push((port.name.clone(), Rows::new(port.elements.len(), values.collect()).unwrap()));
        }
        let rows = rows(&module, &inputs);
        let outputs = expected(&module, &design, &rows);
        let vectors = Vectors { inputs: inputs.into_iter().collect(), outputs };
        let stimulus = Stimulus::new(&module, &vectors, None).unwrap();
        let outcome = check(&circuit, &module, &stimulus, Watch::default()).unwrap();
        assert_eq!(outcome.mismatches, 0, "{:?}", outcome.shown);
        Self { module, design, stimulus, circuit, rows }
    }

    /// Name, register number and bit of every register bit, with the net of its state.
    fn registers(&self) -> Vec<(String, usize, u64, u32)> {
        let names = self.circuit.names();
        let mut nets = HashMap::new();
        for flip_flop in self.circuit.flip_flops() {
            let all = flip_flop.outputs.iter().flat_map(|net| names[*net as usize].iter());
            nets.extend(all.map(|name| (name.to_string(), flip_flop.state)));
        }
        let top = self.design.top();
        let known = Names::new(top);
        let mut all = Vec::new();
        for net in top.nets() {
            let Cell::Register(r) = top.cell(net) else { continue };
            for bit in 0..top.width(net) {
                let name = format!("{}[{bit}]", known.net(net));
                let state = nets[&name];
                all.push((name, r as usize, bit.into(), state));
            }
        }
        all
    }

    /// Wrong cycles and error when a register is upset in a cycle, by the evaluator.
    fn reference(&self, register: usize, bit: u64, cycle: usize) -> (u32, u64) {
        let run = |upset: bool| {
            let mut stepper = Stepper::new(&self.design, &HashMap::new()).unwrap();
            let step = |(k, row): (usize, &Vec<BigUint>)| {
                if upset && k == cycle {
                    stepper.upset(register, bit);
                }
                stepper.step(row, false)
            };
            self.rows.iter().enumerate().map(step).collect::<Vec<_>>()
        };
        let (right, faulty) = (run(false), run(true));
        let (mut wrong, mut error) = (vec![false; self.rows.len()], 0);
        for wanted in &self.stimulus.expected {
            let formats = self.module.outputs[wanted.port].elements.iter().map(|e| e.format);
            let of = |run: &[Vec<BigUint>]| pack::unpack(formats.clone(), &run[wanted.cycle][wanted.port]);
            let off: u128 = of(&right).iter().zip(of(&faulty)).map(|(a, b)| a.abs_diff(b)).sum();
            wrong[wanted.cycle] |= off > 0;
            error += off as u64;
        }
        (wrong.iter().filter(|wrong| **wrong).count() as u32, error)
    }

    /// What the engine finds for all upsets in the cycles in which the pipeline is full, with name and place of each.
    fn upsets(&self) -> Vec<(String, [u64; 3], Verdict)> {
        let golden = Golden::new(&self.circuit, &self.module, &self.stimulus, &[]).unwrap();
        let mut injector = Injector::new(&golden);
        let mut found = Vec::new();
        for cycle in self.stimulus.streaming.clone().take(EVENTS).skip(self.module.latency() as usize) {
            let registers = self.registers();
            let strike = |(lane, (.., net)): (usize, &(String, usize, u64, u32))| {
                let (lane, cycle) = (lane as u16, cycle as u32);
                Strike { lane, cycle, net: *net, effect: Effect::Flip }
            };
            let mut strikes: Vec<Strike> = registers.iter().enumerate().map(strike).collect();
            let verdicts = injector.run(&mut strikes, registers.len(), u32::MAX, false);
            let place = |(name, register, bit, _)| (name, [register as u64, bit, cycle as u64]);
            let all = registers.into_iter().map(place).zip(verdicts);
            found.extend(all.map(|((name, place), verdict)| (name, place, verdict)));
        }
        found
    }
}

/// The packed inputs of every cycle.
fn rows(module: &Module, inputs: &[(String, Rows)]) -> Vec<Vec<BigUint>> {
    let port = |k: usize, event: usize| {
        let formats = module.inputs[k].elements.iter().copied();
        pack::pack(formats, inputs[k].1.iter().nth(event.min(EVENTS - 1)).unwrap())
    };
    let cycles = EVENTS + module.latency() as usize;
    (0..cycles).map(|event| (0..inputs.len()).map(|k| port(k, event)).collect()).collect()
}

/// What the evaluator gives without faults.
fn expected(module: &Module, design: &Design, rows: &[Vec<BigUint>]) -> std::collections::BTreeMap<String, Rows> {
    let mut stepper = Stepper::new(design, &HashMap::new()).unwrap();
    let outputs: Vec<Vec<BigUint>> = rows.iter().map(|row| stepper.step(row, false)).collect();
    let column = |(k, port): (usize, &hdl::dfg::OutputPort)| {
        let late = port.stamp.cycle().unwrap_or(0) as usize;
        let formats = port.elements.iter().map(|e| e.format);
        let values = outputs[late..late + EVENTS].iter().flat_map(|row| pack::unpack(formats.clone(), &row[k]));
        (port.name.clone(), Rows::new(port.elements.len(), values.collect()).unwrap())
    };
    module.outputs.iter().enumerate().map(column).collect()
}

#[test]
fn upsets_do_what_they_do_in_the_evaluator() {
    let bench = Bench::new(pipeline());
    let found = bench.upsets();
    assert!(found.len() > 200, "{}", found.len());
    for (name, [register, bit, cycle], verdict) in &found {
        let reference = bench.reference(*register as usize, *bit, *cycle as usize);
        assert_eq!((verdict.wrong, verdict.error), reference, "{name} in cycle {cycle}");
        assert!(!verdict.latent && !verdict.detected);
    }
    let masked = found.iter().filter(|(.., verdict)| verdict.wrong == 0).count();
    assert!(masked > 0 && masked < found.len(), "{masked} of {}", found.len());
}

#[test]
fn a_triplicated_register_is_masked_and_an_output_register_is_not() {
    let found = Bench::new(voted(true)).upsets();
    assert!(found.len() >= 30 && found.iter().all(|(.., verdict)| *verdict == Verdict::default()), "{found:?}");
    let found = Bench::new(voted(false)).upsets();
    assert!(
        !found.is_empty() && found.iter().all(|(.., verdict)| (verdict.wrong, verdict.error) == (1, 1)),
        "{found:?}"
    );
}

#[test]
fn a_campaign_that_was_stopped_goes_on_to_the_same_result() {
    let place = tempfile::tempdir().unwrap();
    let rtl = place.path().join("rtl");
    let dense = DenseNetwork {
        input: (-8, 7),
        layers: random_layers(&[3, 3, 2], 4, 4, 0.2, 1),
        shifts: Vec::new(),
        activation_bits: 4,
        requantiser: Requantiser::RoundSaturate,
    };
    let graph = dense.calibrated(1).unwrap().graph("study").unwrap();
    let staging = Staging::begin(&rtl, Default::default()).unwrap();
    generate(&NetworkProject::new("study", "network", graph), &Options::on("xcup").unwrap(), &staging).unwrap();
    staging.finish().unwrap();
    let folder = Folder::open(&rtl).unwrap();
    let state = place.path().join("state");
    let job = Job {
        folder: &folder,
        netlist: None,
        campaign: Campaign::Single,
        source: Source::Own,
        events: Some(64),
        cycles: None,
        injections: Some(700),
        seed: 3,
        follow: None,
        detect: &[],
        state: None,
        pulse: None,
    };
    let json = |report: &Report| serde_json::to_string(report).unwrap();
    let whole = job.run().unwrap();
    assert_eq!(whole.total.injections, 700);
    let stopped = Job { state: Some(&state), ..job };
    assert_eq!(stopped.run_until(1).unwrap().total.injections, 512);
    assert_eq!(json(&stopped.run().unwrap()), json(&whole));
    let other = Job { seed: 4, ..stopped };
    assert_eq!(other.run().unwrap_err().exit_code(), 2);
    let stuck = Job { campaign: Campaign::Stuck, ..job };
    assert_eq!(stuck.run().unwrap_err().exit_code(), 2);
}
