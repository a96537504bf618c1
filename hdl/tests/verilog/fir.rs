//! A finite-impulse-response filter: eight taps, symmetric, so that each coefficient multiplies the sum of two taps.
//!
//! The tap line is made of state registers, which hold earlier samples; sum and rounding are pipelined behind them.

use std::sync::Arc;

use hdl::dfg::{Module, ModuleBuilder, RegisterStyle, Reset, Value, eval};
use hdl::num::{Format, Overflow, Quantiser, Rounding};
use hdl::random::Numbers;

use crate::support::{self, Run};

/// Half of the symmetric impulse response, in units of 2^-8.
const COEFFICIENTS: [i128; 4] = [-5, 14, 46, 73];

const OUTPUT: Quantiser =
    Quantiser { width: 10, signed: true, frac: 4, rounding: Rounding::HalfEven, overflow: Overflow::Saturate };

fn fir() -> Arc<Module> {
    let m = ModuleBuilder::new("fir");
    let sample = Format::signed(10, 4).unwrap();
    let style = RegisterStyle { reset: Reset::Synchronous, ..RegisterStyle::default() };
    let (x, valid) = (m.input("x", sample), m.input("valid", Format::BIT));
    let mut taps = vec![x];
    for k in 1..2 * COEFFICIENTS.len() {
        let tap = m.state(&format!("tap{k}"), sample, style);
        tap.set_next_when(valid, taps[k - 1]);
        taps.push(tap.value());
    }
    let products: Vec<Value<'_>> = COEFFICIENTS
        .iter()
        .enumerate()
        .map(|(k, &c)| {
            let pair = taps[k] + taps[taps.len() - 1 - k];
            (pair * m.constant(c, 8)).delay(1)
        })
        .collect();
    let sum = Value::sum(&products).unwrap().named("sum").delay(1);
    m.output("y", sum.quantise(&OUTPUT));
    m.finish().unwrap()
}

#[test]
fn fir_runs_in_icarus_as_evaluated() {
    let module = fir();
    let mut numbers = Numbers::new(11);
    let stimulus = (0..200).map(|cycle| (numbers.inputs(&module), cycle == 0));
    let run = Run::new(Arc::clone(&module), stimulus.collect());
    support::assert_lint_clean(&run.design);
    support::simulate(&[run]);
}

#[test]
fn fir_convolves() {
    let module = fir();
    let mut stepper = eval::Stepper::new(&module).unwrap();
    let mut numbers = Numbers::new(12);
    let samples: Vec<i128> = (0..100).map(|_| numbers.inputs(&module)[0]).collect();
    let latency = module.latency() as usize;
    for t in 0..samples.len() {
        let got = stepper.step(&[samples[t], 1], false);
        let Some(last) = t.checked_sub(latency) else {
            continue;
        };
        let exact: i128 = (0..8).filter(|&k| k <= last).map(|k| COEFFICIENTS[k.min(7 - k)] * samples[last - k]).sum();
        assert_eq!(got, [OUTPUT.apply(exact, 12)]);
    }
}
