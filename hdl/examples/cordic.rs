//! Sine and cosine by CORDIC: sums and shifts only, one iteration a pipeline stage, exact in between.

use std::error::Error;
use std::f64::consts::FRAC_PI_2;
use std::sync::Arc;

use hdl::bench::Bench;
use hdl::dfg::Module;
use hdl::num::Rounding;
use hdl::{ModuleBuilder, Value, s};

/// Iterations, and about as many bits that are right.
const STEPS: u32 = 12;
/// Fraction bits of the angle and of the vector on its way.
const FRAC: i32 = 16;
/// Fraction bits of the results.
const RESULT: i32 = 12;

fn fixed(x: f64) -> i128 {
    (x * f64::from(1 << FRAC)).round() as i128
}

/// The vector turned by the angle, which lies between -π/2 and π/2.
fn cordic() -> Result<Arc<Module>, hdl::Diagnostics> {
    let m = ModuleBuilder::new("cordic");
    let limit = fixed(FRAC_PI_2);
    let mut angle = m.input("angle", s(18, FRAC)).saturate(hdl::Interval::new(-limit, limit).expect("in order"));
    // each step lengthens the vector by 1 / cos(atan(2^-k)); the start makes up for it
    let length: f64 = (0..STEPS).map(|k| (1.0 + 0.25f64.powi(k as i32)).sqrt()).product();
    let (mut x, mut y): (Value<'_>, Value<'_>) = (m.constant(fixed(1.0 / length), FRAC), m.constant(0, FRAC));
    for k in 0..STEPS {
        let (dx, dy) = ((y >> k).truncate(FRAC), (x >> k).truncate(FRAC));
        let turn = m.constant(fixed(0.5f64.powi(k as i32).atan()), FRAC);
        let back = angle.lt(0);
        x = back.mux(x + dx, x - dx).delay(1);
        y = back.mux(y - dy, y + dy).delay(1);
        angle = back.mux(angle + turn, angle - turn).delay(1);
    }
    m.output("cos", x.round(RESULT, Rounding::HalfUp));
    m.output("sin", y.round(RESULT, Rounding::HalfUp));
    m.finish()
}

/// Runs the bench in the evaluator, and again in Icarus.
pub fn main() -> Result<(), Box<dyn Error>> {
    let module = cordic()?;
    let mut bench = Bench::new(&module)?;
    let mut worst: f64 = 0.0;
    for k in -20..=20 {
        let angle = f64::from(k) / 20.0 * FRAC_PI_2;
        bench.set("angle", fixed(angle));
        bench.steps(module.latency() as usize);
        let unit = f64::from(1 << RESULT);
        let [cos, sin] = ["cos", "sin"].map(|name| bench.get(name) as f64 / unit);
        worst = worst.max((cos - angle.cos()).abs()).max((sin - angle.sin()).abs());
    }
    assert!(worst < 1.0 / 1024.0, "{worst}");
    println!("sine and cosine within {worst:.5}; Icarus: {:?}", bench.replay()?);
    Ok(())
}
