//! One stage of an 8-point fast Fourier transform, decimated in frequency: four butterflies
//! `(a, b) -> (a + b, (a - b) · exp(-2πi k / 8))` on complex numbers, rounded to the input's binary point.

use std::sync::Arc;

use hdl::dfg::{Module, ModuleBuilder, Value, eval};
use hdl::num::{Format, Rounding};
use hdl::random::Numbers;

use crate::support;

/// Fraction bits of the samples and of the twiddle factors.
const FRAC: i32 = 6;
const TWIDDLE_FRAC: i32 = 10;

/// `cos(2πk/8)` and `-sin(2πk/8)` in units of 2^-10.
fn twiddle(k: usize) -> (i128, i128) {
    let angle = std::f64::consts::TAU * k as f64 / 8.0;
    let scaled = |v: f64| (v * f64::from(1 << TWIDDLE_FRAC)).round() as i128;
    (scaled(angle.cos()), scaled(-angle.sin()))
}

#[derive(Clone, Copy)]
struct Complex<'m> {
    re: Value<'m>,
    im: Value<'m>,
}

impl<'m> Complex<'m> {
    fn zip(self, other: Self, f: impl Fn(Value<'m>, Value<'m>) -> Value<'m>) -> Self {
        Self { re: f(self.re, other.re), im: f(self.im, other.im) }
    }

    fn times(self, (re, im): (i128, i128)) -> Self {
        let constant = |v| self.re.builder().constant(v, TWIDDLE_FRAC);
        let (re, im) = (constant(re), constant(im));
        let [a, b] = [self.re * re, self.im * im];
        let [c, d] = [self.re * im, self.im * re];
        let rounded = |v: Value<'m>| v.delay(1).round(FRAC, Rounding::HalfEven);
        Self { re: rounded(a - b), im: rounded(c + d) }
    }
}

fn stage() -> Arc<Module> {
    let m = ModuleBuilder::new("fft_stage");
    let sample = Format::signed(12, FRAC).unwrap();
    let (re, im) = (m.input_array("re", 8, sample), m.input_array("im", 8, sample));
    let x: Vec<_> = re.into_iter().zip(im).map(|(re, im)| Complex { re, im }).collect();
    let mut sums = Vec::new();
    let mut differences = Vec::new();
    for k in 0..4 {
        m.scope(&format!("butterfly{k}"), || {
            sums.push(x[k].zip(x[k + 4], |a, b| a + b));
            let difference = x[k].zip(x[k + 4], |a, b| a - b);
            differences.push(difference.times(twiddle(k)));
        });
    }
    let all = || sums.iter().chain(&differences);
    m.output_array("yre", &all().map(|y| y.re).collect::<Vec<_>>());
    m.output_array("yim", &all().map(|y| y.im).collect::<Vec<_>>());
    m.finish().unwrap()
}

#[test]
fn fft_stage_runs_in_icarus_as_evaluated() {
    let module = stage();
    let mut numbers = Numbers::new(21);
    let stimulus = (0..100).map(|_| (numbers.inputs(&module), false));
    let run = support::run(Arc::clone(&module), stimulus.collect());
    support::assert_lint_clean(&run);
    support::simulate(&[run]);
}

#[test]
fn fft_stage_is_close_to_the_real_one() {
    let module = stage();
    let mut numbers = Numbers::new(22);
    let unit = f64::from(1 << FRAC);
    for _ in 0..100 {
        let inputs = numbers.inputs(&module);
        let got = eval::evaluate(&module, &inputs).unwrap();
        let x = |k: usize| (inputs[k] as f64 / unit, inputs[8 + k] as f64 / unit);
        let y = |k: usize| (got[k] as f64 / unit, got[8 + k] as f64 / unit);
        for k in 0..4 {
            let (a, b) = (x(k), x(k + 4));
            assert_eq!(y(k), (a.0 + b.0, a.1 + b.1));
            let angle = -std::f64::consts::TAU * k as f64 / 8.0;
            let (d, w) = ((a.0 - b.0, a.1 - b.1), (angle.cos(), angle.sin()));
            let exact = (d.0 * w.0 - d.1 * w.1, d.0 * w.1 + d.1 * w.0);
            // half a unit of rounding, and half a unit of each twiddle factor on differences below 2^6
            let tolerance = 0.5 / unit + 2.0 * 64.0 * 0.5 / f64::from(1 << TWIDDLE_FRAC);
            let error = (y(k + 4).0 - exact.0).abs().max((y(k + 4).1 - exact.1).abs());
            assert!(error <= tolerance, "{error}");
        }
    }
}
