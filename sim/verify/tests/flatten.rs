//! The graph of a design against its evaluator, on random designs.

use hdl::dfg::behaviour;
use hdl::lower::lower;
use hdl::random::{Numbers, module};
use hdl::rtl::eval::Stepper;
use num_bigint::BigUint;
use verify::flatten::flatten;
use verify::lanes::Lanes;

/// Designs without feedback: inputs are held until everything has settled.
#[test]
fn graphs_do_what_designs_do() {
    let mut compared = 0;
    for seed in 0..200 {
        let mut numbers = Numbers::new(seed);
        let design = lower(&behaviour(&module("m", &numbers.choices(100)))).unwrap();
        let Ok(flat) = flatten(&design) else { continue };
        if !flat.states.is_empty() {
            continue;
        }
        let mut lanes = Lanes::new(flat.graph.len(), 1);
        for port in &flat.inputs {
            port.bits.iter().for_each(|bit| lanes.set(bit.lit.node(), &[numbers.bits()]));
        }
        lanes.evaluate_all(&flat.graph, |_| false);
        for lane in 0..8 {
            let bus = |bits: &[verify::flatten::Bit]| {
                let set = bits.iter().enumerate().filter(|(_, bit)| lanes.bit(bit.lit, lane));
                set.fold(BigUint::ZERO, |bus, (k, _)| bus | BigUint::from(1u8) << k)
            };
            let inputs: Vec<BigUint> = flat.inputs.iter().map(|port| bus(&port.bits)).collect();
            let mut stepper = Stepper::new(&design, &Default::default()).unwrap();
            let mut outputs = Vec::new();
            for _ in 0..32 {
                outputs = stepper.step(&inputs, false);
            }
            let got: Vec<BigUint> = flat.outputs.iter().map(|port| bus(&port.bits)).collect();
            assert_eq!(got, outputs, "seed {seed}");
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared} were compared");
}
