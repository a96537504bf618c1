//! Every pass keeps the meaning of random modules; designs for the tests of this crate.

use std::sync::Arc;

use super::*;
use crate::dfg::eval::Stepper;
use crate::dfg::{Module, ModuleBuilder, RegisterStyle, Reset, Value};
use crate::num::Format;
use crate::random::{self, Numbers};

/// One more value, made of some of `values`, kept narrow.
fn random_value<'m>(m: &'m ModuleBuilder, values: &[Value<'m>], r: &mut Numbers) -> Value<'m> {
    let mut pick = || values[values.len() - 1 - r.below(values.len().min(12))];
    let (a, b, c) = (pick(), pick(), pick());
    let k = r.below(31) as i128 - 15;
    let value = match r.below(16) {
        0..=4 => a + b,
        5 | 6 => a - b,
        7 => a * m.constant(k, 0),
        8 => a * b,
        9 => a.max(b),
        10 => a.min(b),
        11 => a.lt(b).mux(b, c),
        12 => (a & b) | c,
        13 => a.slice(2, 0).lookup(&[3, 1, 4, 1, 5, 9, 2, 6], 0),
        14 => a + m.constant(k, 0) - m.constant(7, 0),
        _ => a.equals(b).concat(c, c.range().width()),
    };
    match value.range().width() {
        0..=14 => value,
        _ => value.wrap(12, true),
    }
}

/// A combinational data path of about `size` operators.
pub(crate) fn random_data_path(seed: u64, size: usize) -> Arc<Module> {
    let mut r = Numbers::new(seed);
    let m = ModuleBuilder::new("random");
    let mut values = m.input_array("x", 3, Format::signed(4, 0).unwrap());
    values.push(m.input("y", Format::unsigned(3, 0).unwrap()));
    for _ in 0..size {
        let value = random_value(&m, &values, &mut r);
        values.push(value);
    }
    let last = values.len();
    m.output_array("z", &values[last - 3..]);
    m.output("w", values[r.below(last)]);
    m.finish().unwrap()
}

/// A design with registers of every kind, a register file, instances in instances, scopes and names.
pub(crate) fn random_design(seed: u64) -> Arc<Module> {
    let mut r = Numbers::new(seed);
    let byte = Format::signed(8, 2).unwrap();
    let leaf = {
        let m = ModuleBuilder::new("leaf");
        let x = m.input("x", byte);
        let reset = RegisterStyle { reset: Reset::Synchronous, initial: 3, enable: None };
        let total = m.state("total", byte, reset);
        let next = (total.value() + x).wrap(8, true);
        total.set_next_when(x.bit(0), next);
        let idle = m.state("idle", byte, RegisterStyle::default());
        idle.set_next(idle.value());
        m.output("y", (total.value().registered(reset) + x.delay(1)).named("sum"));
        m.output("t", total.value());
        m.finish().unwrap()
    };
    let middle = {
        let m = ModuleBuilder::new("middle");
        let x = m.input_array("x", 2, byte);
        m.set_pipeline_enable(Some(x[1].bit(1)));
        let y = m.scope("part", || {
            let a = m.instance(&leaf, "u0", &[x[0]]);
            let b = m.instance(&leaf, "u1", &[x[1].delay(1)]);
            a[0] + b[0] + b[1]
        });
        m.output("y", y.wrap(8, true));
        m.finish().unwrap()
    };
    let m = ModuleBuilder::new("top");
    let x = m.input_array("x", 2, byte);
    let address = m.input("address", Format::unsigned(3, 0).unwrap());
    let memory = m.memory("words", 8, byte);
    memory.write(address.bit(2), address, x[0]);
    let word = memory.read(address).named("word");
    let y = m.scope("layer", || m.instance(&middle, "m0", &[x[0], word]));
    let late = m.scope("layer2", || m.instance(&middle, "m1", &[y[0], x[1]]));
    let mut values = vec![y[0], late[0], x[0]];
    for _ in 0..12 {
        let value = random_value(&m, &values, &mut r);
        values.push(value);
    }
    m.output("z", values[values.len() - 1]);
    m.output("early", x[0] + x[1]);
    m.finish().unwrap()
}

/// Both modules answer a stream of samples alike, each output in the cycle of its own stamp.
pub(crate) fn assert_equivalent(old: &Arc<Module>, new: &Arc<Module>, seed: u64) {
    let mut r = Numbers::new(seed);
    let cycles = 40 + 2 * (old.latency() + new.latency()) as usize;
    let samples: Vec<_> = (0..cycles).map(|_| r.inputs(old)).collect();
    let run = |module: &Arc<Module>| -> Vec<Vec<i128>> {
        let mut stepper = Stepper::new(module).unwrap();
        samples.iter().map(|s| stepper.step(s, false)).collect()
    };
    let (expected, got) = (run(old), run(new));
    let stamps = |m: &Module| -> Vec<usize> {
        let stamp = |(_, s): &(Format, crate::dfg::Stamp)| s.cycle().unwrap_or(0) as usize;
        m.output_formats().iter().map(stamp).collect()
    };
    let settled = old.latency().max(new.latency()) as usize;
    for (k, (a, b)) in stamps(old).into_iter().zip(stamps(new)).enumerate() {
        for t in settled..cycles - settled {
            assert_eq!(expected[t + a][k], got[t + b][k], "output {k}, sample {t}");
        }
    }
}

#[test]
fn every_pass_keeps_the_meaning() {
    for seed in 0..30 {
        let any = random::module("any", &Numbers::new(seed).choices(300));
        for module in [random_data_path(seed, 40), random_design(seed), any] {
            let flat = flatten(&module).unwrap();
            assert!(flat.instances.is_empty());
            for new in [clean(&module).unwrap(), clean(&flat).unwrap(), flat] {
                assert_equivalent(&module, &Arc::new(new), seed);
            }
        }
    }
}

#[test]
fn flatten_names_parts_after_instances() {
    let flat = flatten(&random_design(1)).unwrap();
    let names: Vec<_> = flat.states.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names[..2], ["m0_u0_total", "m0_u0_idle"]);
    assert_eq!(flat.states.len(), 8);
    assert_eq!(clean(&flat).unwrap().states.len(), 4);
}

#[test]
fn a_doubling_hierarchy_is_refused() {
    let mut module = random_data_path(0, 4);
    for _ in 0..40 {
        let m = ModuleBuilder::new("twice");
        let x: Vec<_> = module.input_formats().collect();
        let x = m.input_port("x", x, crate::dfg::Stamp::at(0));
        m.output("y", m.instance(&module, "a", &x)[0]);
        m.output("z", m.instance(&module, "b", &x)[0]);
        let inner = m.finish().unwrap();
        module = inner;
    }
    assert!(!module.is_sequential() && !module.has_reset());
    let error = flatten(&module).unwrap_err();
    assert_eq!(error.0[0].code, "too-large");
}

#[test]
fn black_boxes_stay() {
    let mut cell = Module::new("cell");
    cell.inputs.push(crate::dfg::Port {
        name: "a".into(),
        elements: vec![Format::BIT],
        first: 0,
        stamp: crate::dfg::Stamp::at(0),
    });
    cell.black_box = Some(crate::dfg::BlackBox::default());
    let cell = Arc::new(cell);
    let inner = ModuleBuilder::new("inner");
    let x = inner.input("x", Format::BIT);
    inner.instance(&cell, "spare", &[x]);
    inner.output("y", x);
    let inner = inner.finish().unwrap();
    let m = ModuleBuilder::new("outer");
    let x = m.input("x", Format::BIT);
    m.output("y", m.instance(&inner, "u", &[x])[0]);
    let module = m.finish().unwrap();
    let flat = clean(&flatten(&module).unwrap()).unwrap();
    assert_eq!(flat.instances[0].name, "u_spare");
}
