//! A pipeline with a valid bit beside the data: only the bit has a reset, and the whole pipeline stalls together.
//!
//! The result of a sample is there, with `out_valid` 1, after as many cycles with `go` 1 as the module is deep.

use std::collections::VecDeque;
use std::sync::Arc;

use hdl::dfg::{Module, ModuleBuilder, RegisterStyle, Reset, Stamp, eval};
use hdl::num::Format;
use hdl::random::Numbers;

use crate::support;

fn polynomial() -> Arc<Module> {
    let m = ModuleBuilder::new("polynomial");
    let go = m.input_port("go", vec![Format::BIT], Stamp::TIMELESS)[0];
    let valid = m.input("in_valid", Format::BIT);
    let x = m.input("x", Format::signed(8, 4).unwrap());
    m.set_pipeline_enable(Some(go));
    let with_reset = RegisterStyle { reset: Reset::Synchronous, enable: Some(go.node()), ..RegisterStyle::default() };
    // x² + 3x - 1: the product waits for nobody, 3x waits for the product
    let square = (x * x).delay(1).named("square");
    let y = (square + x * m.constant(3, 0) - m.constant(1, 0)).delay(1);
    m.output("y", y);
    m.output("out_valid", valid.registered(with_reset).registered(with_reset));
    m.finish().unwrap()
}

#[test]
fn valid_pipeline_runs_in_icarus_as_evaluated() {
    let module = polynomial();
    let mut numbers = Numbers::new(51);
    let stimulus = (0..400).map(|cycle| (numbers.inputs(&module), cycle % 97 == 0));
    let run = support::run(Arc::clone(&module), stimulus.collect());
    support::assert_lint_clean(&run);
    support::simulate(&[run]);
}

#[test]
fn valid_results_come_in_order_and_none_is_lost() {
    let module = polynomial();
    assert_eq!(module.latency(), 2);
    let mut stepper = eval::Stepper::new(&module).unwrap();
    let mut numbers = Numbers::new(52);
    let mut expected = VecDeque::new();
    let (mut results, mut stalls) = (0, 0);
    for cycle in 0..1000 {
        let reset = cycle < 2;
        let inputs = numbers.inputs(&module);
        let [go, valid, x] = inputs[..] else { panic!("three inputs") };
        let [y, out_valid] = stepper.step(&inputs, reset)[..] else { panic!("two outputs") };
        if go == 0 {
            stalls += 1;
        }
        if go == 1 && out_valid == 1 {
            results += 1;
            assert_eq!(Some(y), expected.pop_front(), "cycle {cycle}");
        }
        if go == 1 && valid == 1 && !reset {
            // units of 2^-8
            expected.push_back(x * x + 3 * 16 * x - 256);
        }
    }
    assert!(expected.len() <= 2, "{} results are missing", expected.len());
    assert!(results > 200 && stalls > 200, "{results}, {stalls}");
}
