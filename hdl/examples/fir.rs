//! A filter of finite impulse response: eight symmetric taps, rounded and saturated once, at the end.

use std::error::Error;
use std::sync::Arc;

use hdl::bench::Bench;
use hdl::dfg::Module;
use hdl::num::{Overflow, Quantiser, Rounding};
use hdl::random::Numbers;
use hdl::{ModuleBuilder, Value, s};

/// Half of the symmetric impulse response, in units of 2^-8.
const COEFFICIENTS: [i128; 4] = [-5, 14, 46, 73];

const OUTPUT: Quantiser =
    Quantiser { width: 10, signed: true, frac: 4, rounding: Rounding::HalfEven, overflow: Overflow::Saturate };

/// Exact inside: the sum is as wide as it must be, and its binary point follows from the factors'.
fn fir() -> Result<Arc<Module>, hdl::Diagnostics> {
    let m = ModuleBuilder::new("fir");
    let mut taps = vec![m.input("x", s(10, 4))];
    for k in 1..2 * COEFFICIENTS.len() {
        let tap = m.reg(&format!("tap{k}"), s(10, 4));
        tap.set(taps[k - 1]);
        taps.push(tap.value());
    }
    let pairs = COEFFICIENTS.iter().enumerate();
    let products: Vec<Value<'_>> =
        pairs.map(|(k, &c)| (taps[k] + taps[taps.len() - 1 - k]) * (m.constant(c, 8))).collect();
    let sum = Value::sum(&products).expect("there are taps");
    m.output("y", sum.delay(1).quantise(&OUTPUT));
    m.finish()
}

/// Runs the bench in the evaluator, and again in Icarus.
pub fn main() -> Result<(), Box<dyn Error>> {
    let mut bench = Bench::new(&fir()?)?;
    let mut numbers = Numbers::new(12);
    bench.reset();
    let samples: Vec<i128> = (0..100).map(|_| numbers.below(1024) as i128 - 512).collect();
    for t in 0..samples.len() {
        bench.set("x", samples[t]);
        bench.step();
        let past = |k: usize| t.checked_sub(k).map_or(0, |t| samples[t]);
        let exact: i128 = (0..8).map(|k| COEFFICIENTS[k.min(7 - k)] * past(k)).sum();
        assert_eq!(bench.get("y"), OUTPUT.apply(exact, 12));
    }
    println!("{} samples filtered; Icarus: {:?}", samples.len(), bench.replay()?);
    Ok(())
}
