//! Activations and QKeras' quantisers as chains of float operations, with a rounding at the end.
//!
//! QKeras adds to a value the difference to the quantised one. In floats that gives the quantised value exactly as long as
//! its steps are powers of two, which is required of activations; [`quantised`] does the same sums for weights.

use hdl::diag::Diagnostic;
use hdl::names::quoted;
use hdl::num::Rounding;
use serde_json::Value as Json;

use super::function;
use super::power::PowerOfTwo;
use super::quantiser_call::Call;
use super::quantisers;
pub(super) use super::weight_quantiser::quantised;
use crate::import::keras::settings::Settings;
use crate::import::lift::Meaning;
use crate::model::{Array, Quantiser, Step};

/// Most bits of a quantiser whose values are listed one by one.
const MAX_LISTED_BITS: i32 = 12;

/// Which framework's functions are meant where names are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Layers of Keras 2.
    Keras2,
    /// Layers of QKeras, whose own functions go first.
    QKeras,
    /// Layers of Keras 3 and of HGQ2.
    Keras3,
}

/// What follows a layer's sums.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)] // one a layer
pub(super) enum Activation {
    /// Shares of exponentials.
    Softmax,
    /// Element-wise functions in order, then a quantiser if there is one.
    Chain(Vec<Step>, Option<(Quantiser, Meaning)>),
    /// `x + part · (q(x) - x)` for the quantiser `q`.
    Part(f32, Quantiser, Meaning),
}

/// A fixed-point quantiser of QKeras whose scale is fixed (`alpha` 1 or absent).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QKerasQuantiser {
    /// `quantized_bits(bits, integer, symmetric, keep_negative)`.
    Bits {
        /// Bits, the sign included; 1 to 32.
        bits: u32,
        /// Integer bits, without the sign.
        integer: i32,
        /// Whether the least value is left out.
        symmetric: bool,
        /// Whether there is a sign.
        keep_negative: bool,
    },
    /// `quantized_relu(bits, integer)`.
    Relu {
        /// Bits, 1 to 32.
        bits: u32,
        /// Integer bits.
        integer: i32,
    },
}

impl Dialect {
    /// That of a layer of this class.
    pub(super) fn of(class: &str, config: &Settings) -> Self {
        let keras3 = config.peek("dtype").is_object() || config.has("enable_iq");
        match class.starts_with('Q') {
            _ if keras3 => Self::Keras3,
            true => Self::QKeras,
            false => Self::Keras2,
        }
    }
}

/// The activation or quantiser under `key` of a layer's configuration; `null` is none.
pub(super) fn activation(config: &Settings, key: &str, dialect: Dialect) -> Result<Activation, Diagnostic> {
    named(config.value(key), dialect).map_err(|why| config.error(format!("{key}: {why}")))
}

/// The fixed-point quantiser under `key` of a layer's configuration.
pub(super) fn qkeras(config: &Settings, key: &str) -> Result<QKerasQuantiser, Diagnostic> {
    fixed_point(config.value(key)).map_err(|why| config.error(format!("{key}: {why}")))
}

/// The activation or quantiser in a configuration; `null` is none.
pub(super) fn named(config: &Json, dialect: Dialect) -> Result<Activation, String> {
    if config.is_null() {
        return Ok(Activation::Chain(Vec::new(), None));
    }
    let call = Call::of(config)?;
    if call.name == "softmax" {
        call.without_arguments()?;
        return Ok(Activation::Softmax);
    }
    if let Some(steps) = function::steps(&call.name, dialect) {
        call.without_arguments()?;
        return Ok(Activation::Chain(steps, None));
    }
    quantiser(&call)
}

/// The fixed-point quantiser in a configuration.
fn fixed_point(config: &Json) -> Result<QKerasQuantiser, String> {
    let call = Call::of(config)?;
    let fixed = match call.name.as_str() {
        "quantized_bits" => bits(&call)?,
        "quantized_relu" => {
            let plain = !call.truth("use_sigmoid", false)?
                && call.number("negative_slope", 0.0)? == 0.0
                && call.truth("is_quantized_clip", true)?;
            if !plain {
                return Err("only a plain quantized_relu is supported here".into());
            }
            QKerasQuantiser::Relu { bits: width(&call)?, integer: integer(&call)? }
        }
        other => {
            return Err(format!(
                "{} is no fixed-point quantiser; expected quantized_bits or quantized_relu",
                quoted(other)
            ));
        }
    };
    match factor(&call)? == 1.0 {
        true => Ok(fixed),
        false => Err("only a fixed scale is supported here; train with alpha=1".into()),
    }
}

fn quantiser(call: &Call) -> Result<Activation, String> {
    Ok(match call.name.as_str() {
        "quantized_bits" => match (part(call)?, parameters(call)?.activation(factor(call)?)) {
            (1.0, whole) => whole,
            (part, Activation::Chain(_, Some((quantiser, meaning)))) => Activation::Part(part, quantiser, meaning),
            (_, other) => other,
        },
        "quantized_relu" => relu(call)?,
        "quantized_tanh" => tanh(call)?,
        "quantized_sigmoid" => sigmoid(call)?,
        "binary" | "stochastic_binary" => sign(call.truth("use_01", false)?, factor(call)?),
        "ternary" | "stochastic_ternary" => ternary(threshold(call)?, factor(call)?),
        "quantized_po2" | "quantized_relu_po2" => {
            let po2 = PowerOfTwo::of(call)?;
            let (quantiser, unit) = po2.levels()?;
            chain(Vec::new(), quantiser, unit)
        }
        "quantized_hswish" => {
            let positive = |key: &str, default: f64| {
                let value = call.number(key, default)?;
                if value > 0.0 { Ok(value as f32) } else { Err(format!("`{key}` of quantized_hswish is positive")) }
            };
            let step = Step::HardSwish { shift: positive("relu_shift", 3.0)?, top: positive("relu_upper_bound", 6.0)? };
            match bits(call)?.activation(factor(call)?) {
                Activation::Chain(steps, quantiser) => Activation::Chain([vec![step], steps].concat(), quantiser),
                other => other,
            }
        }
        // activations of networks with Binary- and TernaryDense
        "binary_tanh" => levels(hard_sigmoid(), vec![0.5f32.next_up()], vec![-1, 1]),
        "ternary_tanh" => levels(Vec::new(), vec![(-0.5f32).next_up(), 0.5f32.next_up()], vec![-1, 0, 1]),
        "bernoulli" => return Err("bernoulli is random at inference too, so that there is no exact result".into()),
        other => {
            return Err(format!(
                "{} is not supported; {}, supported functions {}",
                quoted(other),
                quantisers::supported(),
                function::NAMES.join(", ")
            ));
        }
    })
}

/// `bits`, 1 to 32.
pub(super) fn width(call: &Call) -> Result<u32, String> {
    Ok(call.integer("bits", 8, 1, 32)? as u32)
}

fn integer(call: &Call) -> Result<i32, String> {
    call.integer("integer", 0, -32, 32)
}

/// The parameters of `quantized_bits` and `quantized_hswish` but the scale, where they quantise all of a value.
pub(super) fn bits(call: &Call) -> Result<QKerasQuantiser, String> {
    match part(call)? {
        1.0 => parameters(call),
        part => Err(format!("`qnoise_factor` = {part} of {} is supported of activations only; set it to 1", call.name)),
    }
}

/// `qnoise_factor`, of which sums with values are exact.
fn part(call: &Call) -> Result<f32, String> {
    let part = call.number("qnoise_factor", 1.0)?;
    if (0.0..=1.0).contains(&part) && (part * 256.0).fract() == 0.0 {
        return Ok(part as f32);
    }
    Err(format!("`qnoise_factor` = {part} of {} is no multiple of 2^-8 in 0…1; set it to 1 and save again", call.name))
}

fn parameters(call: &Call) -> Result<QKerasQuantiser, String> {
    Ok(QKerasQuantiser::Bits {
        bits: width(call)?,
        integer: integer(call)?,
        symmetric: call.truth("symmetric", false)?,
        keep_negative: call.truth("keep_negative", true)?,
    })
}

/// `alpha` of an activation, a power of two.
fn factor(call: &Call) -> Result<f64, String> {
    let alpha = call.value("alpha");
    let number = if alpha.is_null() { Some(1.0) } else { alpha.as_f64() };
    number.filter(|a| *a > 0.0 && a.log2().fract() == 0.0 && a.log2().abs() <= 32.0).ok_or_else(|| {
        format!(
            "`alpha` = {alpha} of {} is not exact for values; train with alpha=1 or another power of two",
            call.name
        )
    })
}

/// Below it a ternary value is 0.
pub(super) fn threshold(call: &Call) -> Result<f32, String> {
    let threshold = call.number("threshold", 0.33)? as f32;
    if threshold >= 0.0 { Ok(threshold) } else { Err("`threshold` of ternary is not negative".into()) }
}

/// `steps`, then a quantiser whose integers are worth `unit`.
fn chain(steps: Vec<Step>, quantiser: Quantiser, unit: f64) -> Activation {
    let meaning = Meaning { unit: Array::scalar(unit), steps: Vec::new() };
    Activation::Chain(steps, Some((quantiser, meaning)))
}

/// Integers `low…high` in steps of `scale`, ties to even, each worth `unit`.
fn rounded(steps: Vec<Step>, scale: f64, low: f64, high: f64, unit: f64) -> Activation {
    let number = |v: f64| Array::scalar(v as f32);
    let quantiser = Quantiser::Integer {
        scale: number(scale),
        zero: number(0.0),
        low: number(low),
        high: number(high),
        rounding: Rounding::HalfEven,
    };
    chain(steps, quantiser, unit)
}

impl QKerasQuantiser {
    /// The quantiser, its result times `factor`.
    fn activation(self, factor: f64) -> Activation {
        match self {
            // `2^(i-n) · clip(round_half_even(x · 2^(n-i)), -k · (2^n - symmetric), 2^n - 1)` with `n = bits - k`
            Self::Bits { bits, integer, symmetric, keep_negative } => {
                let n = bits as i32 - i32::from(keep_negative);
                if n == 0 {
                    return sign(false, factor);
                }
                let top = 2f64.powi(n);
                let low = if keep_negative { f64::from(u8::from(symmetric)) - top } else { 0.0 };
                let step = 2f64.powi(integer - n);
                rounded(Vec::new(), step, low, top - 1.0, step * factor)
            }
            // `2^i · clip(round_half_even(x · 2^(b-i)) / 2^b, 0, 1 - 2^-b)`
            Self::Relu { bits, integer } => {
                let step = 2f64.powi(integer - bits as i32);
                rounded(Vec::new(), step, 0.0, 2f64.powi(bits as i32) - 1.0, step)
            }
        }
    }
}

/// `quantized_relu` in all its forms.
fn relu(call: &Call) -> Result<Activation, String> {
    let (bits, integer) = (width(call)? as i32, integer(call)?);
    let slope = call.number("negative_slope", 0.0)?;
    if slope < 0.0 || (slope > 0.0 && slope.log2().fract() != 0.0) {
        return Err(format!("`negative_slope` = {slope} of quantized_relu is neither 0 nor a power of two"));
    }
    let n = bits - i32::from(slope != 0.0);
    let (codes, step) = (2f64.powi(n), 2f64.powi(integer - n));
    if call.truth("use_sigmoid", false)? {
        if slope != 0.0 {
            return Err("quantized_relu with both `use_sigmoid` and `negative_slope` is not supported".into());
        }
        return relu_of_sigmoid(bits, integer);
    }
    let mut high = codes - 1.0;
    let bound = call.value("relu_upper_bound");
    if !call.truth("is_quantized_clip", true)? && !bound.is_null() {
        let bound = call.number("relu_upper_bound", 0.0)?;
        if bound < 0.0 || (bound / step).fract() != 0.0 {
            return Err(format!("`relu_upper_bound` = {bound} of quantized_relu is no multiple of its step {step}"));
        }
        high = if bound > 0.0 { high.min(bound / step) } else { high };
    }
    if slope == 0.0 {
        return Ok(rounded(Vec::new(), step, 0.0, high, step));
    }
    let low = -slope * codes;
    if low.fract() != 0.0 {
        return Err(format!("`negative_slope` = {slope} of quantized_relu is too small for its {bits} bits"));
    }
    Ok(rounded(vec![Step::LeakyRelu(Array::scalar(slope as f32))], step, low, high, step))
}

/// QKeras' `hard_sigmoid`: `0.5 x + 0.5` in 0…1.
fn hard_sigmoid() -> Vec<Step> {
    let half = || Array::scalar(0.5);
    vec![Step::Mul(half()), Step::Add(half()), Step::Clip { low: 0.0, high: 1.0 }]
}

/// `2^i · clip(2 · round_half_even(hard_sigmoid(x / 2^i) · 2^b) / 2^b - 1, 0, 1 - 2^-b)`.
fn relu_of_sigmoid(bits: i32, integer: i32) -> Result<Activation, String> {
    if bits > MAX_LISTED_BITS {
        return Err(format!("quantized_relu with `use_sigmoid` has {MAX_LISTED_BITS} bits at most"));
    }
    let codes = 1i64 << bits;
    let mut steps = vec![Step::Mul(Array::scalar(2f32.powi(-integer)))];
    steps.extend(hard_sigmoid());
    steps.push(Step::Mul(Array::scalar(codes as f32)));
    let first = codes / 2 + 1;
    // the float from which on `k` is the nearest integer, ties to even
    let from = |k: i64| if k % 2 == 0 { k as f32 - 0.5 } else { (k as f32 - 0.5).next_up() };
    let thresholds = (first..=codes).map(|k| Array::scalar(from(k))).collect();
    let values = (first - 1..=codes).map(|k| (2 * k - codes).min(codes - 1)).collect();
    let quantiser = Quantiser::Levels { thresholds, codes: values, uncertainty: 0.0 };
    Ok(chain(steps, quantiser, 2f64.powi(integer - bits)))
}

fn tanh(call: &Call) -> Result<Activation, String> {
    let codes = 2f64.powi(width(call)? as i32 - 1);
    let symmetric = f64::from(u8::from(call.truth("symmetric", false)?));
    let steps = match call.truth("use_real_tanh", false)? {
        true => vec![Step::Tanh],
        false => [hard_sigmoid(), vec![Step::Mul(Array::scalar(2.0)), Step::Add(Array::scalar(-1.0))]].concat(),
    };
    Ok(rounded(steps, 1.0 / codes, symmetric - codes, codes - 1.0, 1.0 / codes))
}

fn sigmoid(call: &Call) -> Result<Activation, String> {
    let codes = 2f64.powi(width(call)? as i32);
    let symmetric = f64::from(u8::from(call.truth("symmetric", false)?));
    let steps = if call.truth("use_real_sigmoid", false)? { vec![Step::Sigmoid] } else { hard_sigmoid() };
    Ok(rounded(steps, 1.0 / codes, symmetric, codes - 1.0, 1.0 / codes))
}

/// `codes`, one more than `thresholds`, by how many of those a value has reached.
fn levels(steps: Vec<Step>, thresholds: Vec<f32>, codes: Vec<i64>) -> Activation {
    let thresholds = thresholds.into_iter().map(Array::scalar).collect();
    chain(steps, Quantiser::Levels { thresholds, codes, uncertainty: 0.0 }, 1.0)
}

/// ±1, or 0 and 1; zero counts as positive.
fn sign(zero_one: bool, unit: f64) -> Activation {
    let quantiser = if zero_one {
        Quantiser::Count { thresholds: vec![Array::scalar(0.0)], first: 0, step: 1 }
    } else {
        Quantiser::Sign { scale: Array::scalar(1.0), zero: Array::scalar(0.0) }
    };
    chain(Vec::new(), quantiser, unit)
}

/// The sign, or 0 where the magnitude is below `threshold`.
fn ternary(threshold: f32, unit: f64) -> Activation {
    let beyond = |t: f32| if t == 0.0 { Array::scalar(0f32.next_up()) } else { Array::scalar(t) };
    let thresholds = vec![
        if threshold == 0.0 { Array::scalar(0.0) } else { Array::scalar((-threshold).next_up()) },
        beyond(threshold),
    ];
    chain(Vec::new(), Quantiser::Levels { thresholds, codes: vec![-1, 0, 1], uncertainty: 0.0 }, unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(text: &str, values: &[f32]) -> Vec<f64> {
        match named(&Json::from(text), Dialect::QKeras).unwrap() {
            Activation::Chain(steps, Some((quantiser, meaning))) => {
                let quantiser = quantiser.with(|p| p.values[0]);
                let value = |x: &f32| steps.iter().fold(*x, |x, s| s.with(|p| p.values[0]).apply(x));
                values.iter().map(|x| quantiser.code(value(x)) as f64 * meaning.unit.values[0]).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn short_forms_are_read() {
        let x = [-9.0, -0.3, 0.3, 0.625, 9.0];
        assert_eq!(codes("quantized_bits(4,1)", &x), [-2.0, -0.25, 0.25, 0.5, 1.75]);
        assert_eq!(codes("quantized_bits(4, 1, symmetric=1, alpha=1.0)", &x)[0], -1.75);
        assert_eq!(codes("quantized_bits(4,1,alpha=0.5)", &x), [-1.0, -0.125, 0.125, 0.25, 0.875]);
        assert_eq!(codes("quantized_relu(2,0)", &x), [0.0, 0.0, 0.25, 0.5, 0.75]);
        assert_eq!(codes("quantized_relu(4,1,0,0.25)", &x), [-0.5, -0.0, 0.25, 0.5, 1.75]);
        assert_eq!(codes("quantized_relu(4,1,relu_upper_bound=1.5,is_quantized_clip=False)", &x)[4], 1.5);
        assert_eq!(codes("quantized_relu(2,1,1)", &x), [0.0, 0.0, 0.0, 1.0, 1.5]);
        assert_eq!(codes("binary(alpha=1)", &x), [-1.0, -1.0, 1.0, 1.0, 1.0]);
        assert_eq!(codes("ternary(alpha=2)", &[-0.33, -0.32, 0.0, 0.32, 0.33]), [-2.0, 0.0, 0.0, 0.0, 2.0]);
        assert_eq!(codes("quantized_tanh(3)", &x), [-1.0, -0.25, 0.25, 0.5, 0.75]);
        assert_eq!(codes("quantized_sigmoid(2,1)", &x), [0.25, 0.25, 0.75, 0.75, 0.75]);
        assert_eq!(codes("quantized_relu_po2(3)", &x), [0.0625, 0.0625, 0.25, 0.5, 8.0]);
        assert_eq!(codes("quantized_po2(4,1)", &x), [-1.0, -0.25, 0.25, 0.5, 1.0]);
        assert_eq!(codes("binary_tanh", &[-0.1, 0.0, 0.1, 3.0]), [-1.0, -1.0, 1.0, 1.0]);
        assert_eq!(codes("ternary_tanh", &[-3.0, -0.5, -0.4, 0.5, 0.6]), [-1.0, -1.0, 0.0, 0.0, 1.0]);
        assert_eq!(codes("quantized_hswish(6,2)", &[-1.5, 1.0, 3.5]), [-0.375, 0.625, 3.5]);
    }

    #[test]
    fn what_is_not_exact_is_refused() {
        for text in [
            "quantized_bits(4,1,alpha='auto')",
            "quantized_bits(4,1,alpha=0.3)",
            "quantized_bits(0)",
            "quantized_bits(4",
            "quantized_relu(4,1,1,0.5)",
            "quantized_relu(2,1,0,0.125)",
            "quantized_relu(4,1,qnoise_factor=0.5)",
            "quantized_ulaw(4)",
            "bernoulli",
            "glu",
        ] {
            assert!(named(&Json::from(text), Dialect::QKeras).is_err(), "{text}");
        }
    }
}
