use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hdl::dfg::eval::Stepper;
use hdl::dfg::{ModuleBuilder, RegisterStyle, Reset, Stamp};
use hdl::{lower, random, verilog};

use super::*;
use crate::batch::Batch;
use crate::preamble::PreambleCycle;
use crate::stream::stream;
use crate::tools::{Engine, Job, Outcome, Verdict};

/// What a faulty generator might do to a neuron.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    FlippedWeightBit,
    SwappedOutputs,
    Late,
    Early,
}

/// Two neurons of two weights each and a maximum, with elements of different widths and a reset valid bit.
fn neurons(fault: Fault) -> Arc<Module> {
    let flipped = i128::from(fault == Fault::FlippedWeightBit);
    let m = ModuleBuilder::new("neurons");
    let x = m.input_array("x", 2, Format::signed(5, 0).unwrap());
    let late = m.input_port("late", vec![Format::unsigned(3, 0).unwrap()], Stamp::at(1))[0];
    let k = |value: i128| m.constant(value, 0);
    let a = (x[0] * k(11 ^ flipped) + x[1] * k(-6)).delay(1);
    let b = (x[0] * k(-3) + x[1] * k(7)).delay(1) + late;
    let cycles = match fault {
        Fault::Late => 2,
        Fault::Early => 0,
        _ => 1,
    };
    let (a, b) = (a.delay(cycles).wrap(9, true), b.delay(cycles).wrap(9, true));
    let outputs = if fault == Fault::SwappedOutputs { [b, a] } else { [a, b] };
    m.output_array("y", &[outputs[0], outputs[1], a.relu()]);
    let style = RegisterStyle { reset: Reset::Asynchronous, ..RegisterStyle::default() };
    m.output("sign", x[0].lt(k(0)).registered(style));
    m.finish().unwrap()
}

/// Distinct samples with the outputs that the evaluator gives.
fn vectors(module: &Arc<Module>, count: usize, seed: u64) -> Vectors {
    let mut numbers = random::Numbers::new(seed);
    let ports = module.inputs.iter().map(|port| {
        let values = (0..count).flat_map(|_| port.elements.clone()).map(|f| numbers.value(f.range)).collect();
        (port.name.clone(), Rows::new(port.elements.len(), values).unwrap())
    });
    let inputs = Vectors { inputs: ports.collect(), ..Vectors::default() };
    let rows = inputs.input_rows(module, &Held::new()).unwrap();
    let outputs = Batch::compile(module).unwrap().run(&rows).unwrap();
    inputs.with_outputs(module, &outputs)
}

fn missing(engine: Engine) -> bool {
    let error = engine.find().err();
    error.iter().for_each(|error| eprintln!("skipped: {error}"));
    error.is_some()
}

/// Writes the module and the bench, and runs them.
fn simulate(engine: Engine, module: &Arc<Module>, bench: &Bench, samples: usize, waves: Option<&Path>) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| -> PathBuf {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let mut rtl = Vec::new();
    verilog::write_design(&lower::lower(module).unwrap(), &mut rtl).unwrap();
    let sources = [write("module.v", &rtl), write("bench.v", bench.verilog.as_bytes())];
    write(INPUTS, bench.inputs.as_bytes());
    write(EXPECTED, bench.expected.as_bytes());
    if let Some(order) = &bench.order {
        write(ORDER, order.as_bytes());
    }
    if let Some(preamble) = &bench.preamble {
        write(PREAMBLE, preamble.as_bytes());
    }
    let job = Job {
        top: &module.name,
        sources: &sources,
        vectors: folder.path(),
        samples,
        blocks: &[],
        waves,
        limit: Duration::from_secs(300),
    };
    engine.run(&job).unwrap()
}

/// The bench of the faultless neurons, run on neurons with a fault.
fn with_fault(engine: Engine, fault: Fault) -> Outcome {
    let right = neurons(Fault::None);
    let bench = bench(&right, &vectors(&right, 40, 1), &Held::new(), None).unwrap();
    simulate(engine, &neurons(fault), &bench, 40, None)
}

fn failed(outcome: &Outcome) -> bool {
    matches!(outcome.verdict, Verdict::Fail(_)) && !outcome.mismatches.is_empty()
}

#[test]
fn a_right_module_passes_in_icarus() {
    if missing(Engine::Icarus) {
        return;
    }
    let outcome = with_fault(Engine::Icarus, Fault::None);
    assert_eq!(outcome.verdict, Verdict::Pass { vectors: 40, latency: 2 }, "{outcome:?}");
    assert!(outcome.mismatches.is_empty() && outcome.notes.is_empty());
}

#[test]
fn a_right_module_passes_in_verilator_and_a_wrong_one_does_not() {
    if missing(Engine::Verilator) {
        return;
    }
    let outcome = with_fault(Engine::Verilator, Fault::None);
    assert_eq!(outcome.verdict, Verdict::Pass { vectors: 40, latency: 2 }, "{outcome:?}");
    assert!(failed(&with_fault(Engine::Verilator, Fault::Late)));
}

#[test]
fn a_flipped_weight_bit_is_caught() {
    if missing(Engine::Icarus) {
        return;
    }
    let outcome = with_fault(Engine::Icarus, Fault::FlippedWeightBit);
    assert!(failed(&outcome), "{outcome:?}");
    assert!(outcome.mismatches.iter().all(|m| !m.contains("element 1")), "{outcome:?}");
}

#[test]
fn swapped_outputs_are_caught() {
    if missing(Engine::Icarus) {
        return;
    }
    let outcome = with_fault(Engine::Icarus, Fault::SwappedOutputs);
    assert!(failed(&outcome), "{outcome:?}");
    assert!(outcome.mismatches.iter().any(|m| m.contains("element 1")), "{outcome:?}");
}

#[test]
fn a_wrong_latency_is_caught() {
    if missing(Engine::Icarus) {
        return;
    }
    for fault in [Fault::Late, Fault::Early] {
        assert!(failed(&with_fault(Engine::Icarus, fault)));
    }
}

/// An output that is unknown, or a file that ends too early, never counts as equal.
#[test]
fn unknown_bits_are_caught() {
    if missing(Engine::Icarus) {
        return;
    }
    let right = neurons(Fault::None);
    let mut bench = bench(&right, &vectors(&right, 40, 1), &Held::new(), None).unwrap();
    let whole = bench.clone();
    let cut = |text: &str| text.lines().take(30).fold(String::new(), |all, line| all + line + "\n");
    bench.inputs = cut(&whole.inputs);
    assert!(failed(&simulate(Engine::Icarus, &right, &bench, 40, None)));
    bench.expected = cut(&whole.expected);
    assert!(failed(&simulate(Engine::Icarus, &right, &bench, 40, None)));
}

#[test]
fn a_constant_output_is_noted() {
    if missing(Engine::Icarus) {
        return;
    }
    let m = ModuleBuilder::new("still");
    let x = m.input("x", Format::signed(5, 0).unwrap());
    m.output("moving", x.delay(1));
    m.output("unmoved", x.relu().delay(1));
    let module = m.finish().unwrap();
    let column = |sign: i128| (0..10).map(|i| vec![i * sign]).collect::<Vec<_>>().try_into().unwrap();
    let vectors = Vectors {
        inputs: [("x".to_owned(), column(-1))].into(),
        outputs: [("moving".to_owned(), column(-1)), ("unmoved".to_owned(), column(0))].into(),
    };
    let bench = bench(&module, &vectors, &Held::new(), None).unwrap();
    let outcome = simulate(Engine::Icarus, &module, &bench, 10, None);
    assert_eq!(outcome.verdict, Verdict::Pass { vectors: 10, latency: 1 }, "{outcome:?}");
    assert_eq!(outcome.notes, ["port unmoved never changes, so its latency is not proven"]);
}

/// A neuron whose weight is loaded through a port and can be read back.
fn programmable() -> Arc<Module> {
    let m = ModuleBuilder::new("programmable");
    let x = m.input("x", Format::signed(8, 0).unwrap());
    let enable = m.input("write_enable", Format::BIT);
    let data = m.input("write_data", Format::signed(6, 0).unwrap());
    let weight = m.state("weight", Format::signed(6, 0).unwrap(), RegisterStyle::default());
    weight.set_next_when(enable, data);
    m.output("y", (x * weight.value()).delay(1));
    m.output("read_data", weight.value());
    m.finish().unwrap()
}

fn load(value: i128, read_back: i128) -> Preamble {
    Preamble {
        drives: vec!["write_enable".into(), "write_data".into()],
        reads: vec!["read_data".into()],
        cycles: vec![
            PreambleCycle { drive: vec![1, value], expect: None },
            PreambleCycle { drive: vec![0, 5], expect: Some(vec![read_back]) },
        ],
    }
}

/// Vectors of the programmable neuron with that weight.
fn weighted(module: &Arc<Module>, weight: i128) -> Vectors {
    let xs: Vec<Vec<i128>> = (0..50).map(|i| vec![i * 5 - 128]).collect();
    let ys: Vec<Vec<i128>> = xs.iter().map(|x| vec![x[0] * weight]).collect();
    let vectors = Vectors {
        inputs: [("x".to_owned(), xs.try_into().unwrap())].into(),
        outputs: [("y".to_owned(), ys.try_into().unwrap())].into(),
    };
    vectors.check(module).unwrap();
    vectors
}

#[test]
fn weights_are_written_and_read_back_before_the_stream() {
    let module = programmable();
    let vectors = weighted(&module, -21);
    let mut stepper = Stepper::new(&module).unwrap();
    assert!(load(-21, -21).play(&module, &mut stepper).unwrap().is_empty());
    assert_eq!(stream(&module, &mut stepper, &vectors, &Held::new(), |_| ()).unwrap(), []);
    if missing(Engine::Icarus) {
        return;
    }
    let run = |preamble: &Preamble| {
        let bench = bench(&module, &vectors, &Held::new(), Some(preamble)).unwrap();
        simulate(Engine::Icarus, &module, &bench, 50, None)
    };
    assert_eq!(run(&load(-21, -21)).verdict, Verdict::Pass { vectors: 50, latency: 1 });
    let misread = run(&load(-21, -22));
    assert!(failed(&misread) && misread.mismatches[0].contains("preamble cycle 1 port read_data"), "{misread:?}");
    assert!(failed(&run(&load(-20, -20))));
}

#[test]
fn waves_are_written_in_both_formats() {
    let module = neurons(Fault::None);
    let bench = bench(&module, &vectors(&module, 5, 1), &Held::new(), None).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let both = [(Engine::Icarus, "waves.vcd"), (Engine::Icarus, "waves.fst"), (Engine::Verilator, "waves.vcd")];
    for (engine, name) in both.into_iter().filter(|(engine, _)| !missing(*engine)) {
        let path = folder.path().join(name);
        simulate(engine, &module, &bench, 5, Some(&path));
        // a VCD is text, an FST begins with its header block
        let dumped = fs::read(&path).unwrap();
        assert_eq!(dumped[0] == 0, name.ends_with("fst"), "{engine:?} {name}");
    }
}

/// The bench of a combinational module: no clock port, every output in the cycle of its inputs.
#[test]
fn a_combinational_module_is_checked_too() {
    if missing(Engine::Icarus) {
        return;
    }
    let m = ModuleBuilder::new("gates");
    let x = m.input_array("x", 2, Format::unsigned(4, 0).unwrap());
    m.output("y", x[0] ^ x[1]);
    m.output("none", m.constant(0, 0));
    let module = m.finish().unwrap();
    let bench = bench(&module, &vectors(&module, 30, 5), &Held::new(), None).unwrap();
    let outcome = simulate(Engine::Icarus, &module, &bench, 30, None);
    assert_eq!(outcome.verdict, Verdict::Pass { vectors: 30, latency: 0 }, "{outcome:?}");
}

/// Words that come again stand once in their file, each sample names its own; another order is a mismatch.
#[test]
fn repeated_words_are_written_once() {
    let m = ModuleBuilder::new("again");
    let x = m.input_array("x", 2, Format::unsigned(4, 0).unwrap());
    m.output("y", x[0] + x[1]);
    let module = m.finish().unwrap();
    let made = |order: [u32; 6]| {
        let x = Rows::new(2, vec![1, 2, 3, 4, 5, 6]).unwrap().repeated(vec![2, 0, 1, 1, 0, 2]).unwrap();
        let y = Rows::new(1, vec![3, 7, 11]).unwrap().repeated(order.to_vec()).unwrap();
        let vectors = Vectors { inputs: [("x".into(), x)].into(), outputs: [("y".into(), y)].into() };
        let made = bench(&module, &vectors, &Held::new(), None).unwrap();
        let mut stepper = Stepper::new(&module).unwrap();
        (made, stream(&module, &mut stepper, &vectors, &Held::new(), |_| ()).unwrap())
    };
    let (right, none) = made([2, 0, 1, 1, 0, 2]);
    let (wrong, some) = made([2, 0, 1, 1, 2, 2]);
    assert_eq!((none.len(), some.len()), (0, 1));
    assert_eq!((right.inputs.lines().count(), right.expected.lines().count()), (3, 3));
    if missing(Engine::Icarus) {
        return;
    }
    let outcome = simulate(Engine::Icarus, &module, &right, 6, None);
    assert_eq!(outcome.verdict, Verdict::Pass { vectors: 6, latency: 0 }, "{outcome:?}");
    assert!(failed(&simulate(Engine::Icarus, &module, &wrong, 6, None)));
}

#[test]
fn equal_plans_give_equal_bytes() {
    let module = neurons(Fault::None);
    let make = || bench(&module, &vectors(&module, 20, 9), &Held::new(), None).unwrap();
    assert_eq!(make(), make());
}
