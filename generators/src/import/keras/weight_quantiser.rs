//! QKeras' quantisers of weights: as those of values, and with scales that QKeras finds from the weights themselves.
//!
//! A scale is found for each channel, which is the last axis; of a tensor with one axis, for all of it or for each element.
//! QKeras does so in 32-bit floats, which is repeated here step by step. Where a mean of products decides about a power of
//! two, the order of its additions is the framework's own: too close decisions are errors.

use hdl::diag::Diagnostic;
use serde_json::Value as Json;

use super::KerasLayer;
use super::power::{PowerOfTwo, rounded_logarithm};
use super::quantiser::{Activation, Dialect, QKerasQuantiser, bits, named};
use super::quantiser_call::Call;
use crate::import::lift::{Constant, Grid};
use crate::model::Array;

/// What QKeras adds to denominators and logarithms.
const EPSILON: f32 = 1e-7;

/// Iterations of `quantized_bits` until its scale is taken.
const ITERATIONS: usize = 5;

/// A scale, the codes of all weights and the value of a step of each, before the difference is added.
struct Scaled {
    codes: Vec<i64>,
    units: Vec<f32>,
}

/// The numbers through the QKeras quantiser that the layer has under one of `keys`, or through its HGQ2 quantiser of that
/// `role`; as they are if there is none.
pub(super) fn quantised(
    layer: &KerasLayer,
    numbers: &Array<f32>,
    keys: &[&str],
    role: &str,
) -> Result<Constant, Diagnostic> {
    if let Some(quantised) = layer.hgq_weights(role, numbers)? {
        return Ok(Constant::float(quantised.shape, quantised.values));
    }
    if role == "kq" && matches!(layer.class.as_str(), "BinaryDense" | "TernaryDense") {
        return by_class(layer, numbers);
    }
    let given: Vec<&str> = keys.iter().copied().filter(|key| !layer.config.value(key).is_null()).collect();
    if given.len() > 1 {
        return Err(layer.error(format!("it has several quantisers for one tensor: {}", given.join(", "))));
    }
    let config = given.first().map_or(&Json::Null, |key| layer.config.value(key));
    let dialect = Dialect::of(&layer.class, &layer.config);
    weights(config, numbers, dialect).map_err(|why| layer.error(format!("{}: {why}", given.concat())))
}

/// Weights of a layer whose class says how they are quantised, times its `H`: ±1 by their sign, where 0 is negative, or 1
/// above `H / 2`, -1 up to `-H / 2`, and 0 between.
fn by_class(layer: &KerasLayer, numbers: &Array<f32>) -> Result<Constant, Diagnostic> {
    let scale = layer.config.finite("H")?.filter(|h| *h > 0.0);
    let scale = scale.ok_or_else(|| layer.error("its scale `H` is no positive number"))? as f32;
    let binary = |x: f32| if (0.5 * x + 0.5).clamp(0.0, 1.0).round_ties_even() == 1.0 { 1 } else { -1 };
    let ternary = |x: f32| i64::from(x > 0.5) - i64::from(x <= -0.5);
    let is_binary = layer.class == "BinaryDense";
    let code = |x: &f32| if is_binary { binary(x / scale) } else { ternary(x / scale) };
    let codes: Vec<i64> = numbers.values.iter().map(code).collect();
    if !is_binary {
        let units = vec![scale; codes.len()];
        return constant(numbers, Scaled { codes, units }).map_err(|why| layer.error(why));
    }
    let values = codes.iter().map(|n| *n as f32 * scale).collect();
    let grid = Some(Grid { integers: codes, unit: Array::scalar(f64::from(scale)) });
    Ok(Constant::Float { array: Array { shape: numbers.shape.clone(), values }, grid })
}

/// Weights through the quantiser in `config`; as they are if there is none.
fn weights(config: &Json, numbers: &Array<f32>, dialect: Dialect) -> Result<Constant, String> {
    if config.is_null() {
        return Ok(Constant::float(numbers.shape.clone(), numbers.values.clone()));
    }
    let call = Call::of(config)?;
    if matches!(call.name.as_str(), "quantized_po2" | "quantized_relu_po2") {
        return powers_of_two(&call, numbers);
    }
    match call.value("alpha") {
        Json::String(rule) => scaled(&call, rule, numbers),
        Json::Array(list) => listed(&call, list, numbers),
        alpha if alpha.as_f64().is_some_and(|a| a > 0.0) => {
            let factor = alpha.as_f64().unwrap_or(1.0) as f32;
            factored(&call, &vec![factor; numbers.values.len()], numbers)
        }
        _ => plain(config, numbers, dialect),
    }
}

/// The quantiser of values with a scale of its own, or a function.
fn plain(config: &Json, numbers: &Array<f32>, dialect: Dialect) -> Result<Constant, String> {
    let Activation::Chain(steps, quantiser) = named(config, dialect)? else {
        return Err("weights behind a softmax, or of which only a part is quantised, are not supported".into());
    };
    let steps: Vec<_> = steps.iter().map(|s| s.with(|p| p.values[0])).collect();
    let Some((quantiser, meaning)) = quantiser else {
        if steps.is_empty() {
            return Ok(Constant::float(numbers.shape.clone(), numbers.values.clone()));
        }
        return Err("a function of weights is not supported; use a quantiser".into());
    };
    let quantiser = quantiser.with(|p| p.values[0]);
    let through = |x: &f32| quantiser.code(steps.iter().fold(*x, |x, s| s.apply(x)));
    let codes = numbers.values.iter().map(through).collect();
    let unit = meaning.unit.values[0] as f32;
    constant(numbers, Scaled { codes, units: vec![unit; numbers.values.len()] })
}

fn powers_of_two(call: &Call, numbers: &Array<f32>) -> Result<Constant, String> {
    let po2 = PowerOfTwo::of(call)?;
    let value = |x: &f32| po2.value(*x).ok_or_else(|| too_close(*x));
    let values: Result<Vec<f32>, String> = numbers.values.iter().map(value).collect();
    Ok(Constant::float(numbers.shape.clone(), values?))
}

fn too_close(x: f32) -> String {
    format!("the weight {x} is so close to the middle of two powers of two that the framework's rounding is uncertain")
}

/// A scale for each channel.
fn listed(call: &Call, list: &[Json], numbers: &Array<f32>) -> Result<Constant, String> {
    let channels = numbers.shape.last().copied().unwrap_or(1);
    let factors: Option<Vec<f32>> = list.iter().map(|v| v.as_f64().filter(|a| *a > 0.0).map(|a| a as f32)).collect();
    let factors = factors.filter(|f| f.len() == channels);
    let factors = factors.ok_or_else(|| format!("`alpha` is no list of {channels} positive numbers, one a channel"))?;
    let each: Vec<f32> = (0..numbers.values.len()).map(|k| factors[k % channels]).collect();
    factored(call, &each, numbers)
}

/// The quantiser without a scale, its results times `factors`, one a weight.
fn factored(call: &Call, factors: &[f32], numbers: &Array<f32>) -> Result<Constant, String> {
    let mut fixed = call.clone();
    fixed.remove("alpha");
    let Constant::Float { grid: Some(grid), .. } = plain(&fixed.object(), numbers, Dialect::QKeras)? else {
        return Err(format!("{} has no scale", call.name));
    };
    let unit = grid.unit.stretched(&numbers.shape).ok_or("scales do not fit the weights")?;
    let units = unit.iter().zip(factors).map(|(u, f)| *u as f32 * f).collect();
    constant(numbers, Scaled { codes: grid.integers, units })
}

/// Scales that are found from the weights.
fn scaled(call: &Call, rule: &str, numbers: &Array<f32>) -> Result<Constant, String> {
    let powers = match rule {
        "auto" => false,
        "auto_po2" => true,
        other => return Err(format!("`alpha` = '{other}' is not known; expected 'auto' or 'auto_po2'")),
    };
    let scaled = match call.name.as_str() {
        "quantized_bits" => fitted_bits(call, powers, numbers)?,
        "binary" | "stochastic_binary" | "ternary" | "stochastic_ternary" if !powers => {
            return Err(format!(
                "`alpha` = 'auto' of {} is a mean of floats that depends on their order; train with 'auto_po2' or a number",
                call.name
            ));
        }
        "binary" | "stochastic_binary" => fitted_signs(call, numbers)?,
        "ternary" | "stochastic_ternary" => fitted_ternary(call, numbers)?,
        other => return Err(format!("`alpha` = '{rule}' of {other} is not supported for weights")),
    };
    constant(numbers, scaled)
}

/// For each weight the number of its group, and how many groups there are: channels, or all.
fn channels(numbers: &Array<f32>) -> (Vec<usize>, usize) {
    let count = if numbers.shape.len() > 1 { *numbers.shape.last().unwrap_or(&1) } else { 1 };
    ((0..numbers.values.len()).map(|k| k % count.max(1)).collect(), count)
}

/// The greatest magnitude in each group.
fn greatest(x: &[f32], group: &[usize], groups: usize) -> Vec<f32> {
    let mut most = vec![0f32; groups];
    for (x, g) in x.iter().zip(group) {
        most[*g] = most[*g].max(x.abs());
    }
    most
}

/// `2^round(log2(scale + ε))`.
fn power(scale: f32) -> Result<f32, String> {
    let rounded = rounded_logarithm(scale + EPSILON);
    rounded.map(|e| 2f32.powi(e)).ok_or_else(|| {
        "a scale is so close to the middle of two powers of two that the framework's rounding is uncertain; train on for a few steps".into()
    })
}

/// The powers of two nearest to `Σ x · q / Σ q²` of each channel; of each element if there is one axis.
fn least_squares(x: &[f32], q: &[f32], numbers: &Array<f32>) -> Result<Vec<f32>, String> {
    let single = numbers.shape.len() < 2;
    let (group, groups) = if single { ((0..x.len()).collect(), x.len()) } else { channels(numbers) };
    let count = x.len() as f64 / groups.max(1) as f64;
    let (mut products, mut squares) = (vec![0f64; groups], vec![0f64; groups]);
    for ((x, q), g) in x.iter().zip(q).zip(&group) {
        products[*g] += f64::from(x * q);
        squares[*g] += f64::from(q * q);
    }
    let mean = |sum: f64| (sum / count) as f32;
    let scale = |(p, s): (&f64, &f64)| power(mean(*p) / (mean(*s) + EPSILON));
    let scales: Result<Vec<f32>, String> = products.iter().zip(&squares).map(scale).collect();
    let scales = scales?;
    Ok(group.iter().map(|g| scales[*g]).collect())
}

/// `quantized_bits` with a scale of its own: `x / 2^i` in steps of the scale, from `-(2^(b-1) - 1)` to `2^(b-1) - 1`.
fn fitted_bits(call: &Call, powers: bool, numbers: &Array<f32>) -> Result<Scaled, String> {
    let QKerasQuantiser::Bits { bits, integer, .. } = bits(call)? else {
        return Err("no quantiser of bits".into());
    };
    if !(2..=24).contains(&bits) {
        return Err(format!("quantized_bits with its own scale has 2 to 24 bits, not {bits}"));
    }
    let whole = 2f32.powi(integer);
    let x: Vec<f32> = numbers.values.iter().map(|x| x / whole).collect();
    let most = (1u32 << (bits - 1)) as f32 - 1.0;
    let (group, groups) = channels(numbers);
    let start = greatest(&x, &group, groups).into_iter().map(|m| m * 2.0 / (2.0 * most));
    let start: Result<Vec<f32>, String> = start.map(|s| if powers { power(s) } else { Ok(s) }).collect();
    let start = start?;
    let mut scale: Vec<f32> = group.iter().map(|g| start[*g]).collect();
    let mut codes = rounded(&x, &scale, most)?;
    if powers {
        for k in 0..ITERATIONS {
            if k > 0 {
                codes = rounded(&x, &scale, most)?;
            }
            scale = least_squares(&x, &codes, numbers)?;
        }
    }
    Ok(Scaled { codes: codes.iter().map(|c| *c as i64).collect(), units: scale.iter().map(|s| s * whole).collect() })
}

/// `sign(x) · min(floor(|x| / scale + 1/2), most)`.
fn rounded(x: &[f32], scale: &[f32], most: f32) -> Result<Vec<f32>, String> {
    if scale.contains(&0.0) {
        return Err("all weights of a channel are 0, so that the framework finds no scale for it".into());
    }
    let code = |(x, s): (&f32, &f32)| (x.abs() / s + 0.5).floor().min(most).copysign(*x);
    Ok(x.iter().zip(scale).map(code).collect())
}

/// `binary` with a power of two a channel.
fn fitted_signs(call: &Call, numbers: &Array<f32>) -> Result<Scaled, String> {
    let zero_one = call.truth("use_01", false)?;
    let sign = |x: &f32| match (*x >= 0.0, zero_one) {
        (true, _) => 1.0,
        (false, true) => 0.0,
        (false, false) => -1.0,
    };
    let codes: Vec<f32> = numbers.values.iter().map(sign).collect();
    let units = least_squares(&numbers.values, &codes, numbers)?;
    Ok(Scaled { codes: codes.iter().map(|c| *c as i64).collect(), units })
}

/// `ternary` with a power of two a channel: numbers that round to 0 in steps of the scale are 0.
fn fitted_ternary(call: &Call, numbers: &Array<f32>) -> Result<Scaled, String> {
    let x = &numbers.values;
    if !call.value("threshold").is_null() {
        return Err("ternary has either a `threshold` or its own scale".into());
    }
    let iterations = call.integer("number_of_unrolls", ITERATIONS as i32, 1, 1000)?;
    let (group, groups) = channels(numbers);
    let start: Result<Vec<f32>, String> =
        greatest(x, &group, groups).into_iter().map(|m| power(2.0 * m / 3.0)).collect();
    let start = start?;
    let mut scale: Vec<f32> = group.iter().map(|g| start[*g]).collect();
    let mut codes = Vec::new();
    for _ in 0..iterations {
        let code = |(x, s): (&f32, &f32)| match (x / s).round_ties_even() == 0.0 {
            true => 0.0,
            false => x.signum(),
        };
        codes = x.iter().zip(&scale).map(code).collect::<Vec<f32>>();
        scale = least_squares(x, &codes, numbers)?;
    }
    Ok(Scaled { codes: codes.iter().map(|c| *c as i64).collect(), units: scale })
}

/// The weights as the framework's floats, `x + (q - x)`, with their integers.
fn constant(numbers: &Array<f32>, scaled: Scaled) -> Result<Constant, String> {
    let Scaled { codes, units } = scaled;
    let through = |((x, n), u): ((&f32, &i64), &f32)| x + (-x + *n as f32 * u);
    let values: Vec<f32> = numbers.values.iter().zip(&codes).zip(&units).map(through).collect();
    if values.iter().any(|v| !v.is_finite()) {
        return Err("a quantised weight is not finite".into());
    }
    let unit = Array { shape: numbers.shape.clone(), values: units.iter().map(|u| f64::from(*u)).collect() };
    Ok(Constant::Float {
        array: Array { shape: numbers.shape.clone(), values },
        grid: Some(Grid { integers: codes, unit: unit.compact() }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(text: &str, numbers: &Array<f32>) -> Grid {
        match weights(&Json::from(text), numbers, Dialect::QKeras).unwrap_or_else(|e| panic!("{text}: {e}")) {
            Constant::Float { grid: Some(grid), .. } => grid,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn scales_are_found_a_channel() {
        let numbers = Array { shape: vec![3, 2], values: vec![0.7, 3.0, -0.2, -5.0, 0.35, 1.0] };
        let auto = grid("quantized_bits(4,0,1,alpha='auto')", &numbers);
        assert_eq!(auto.integers, [7, 4, -2, -7, 4, 1]);
        assert_eq!(auto.unit.values, [f64::from(0.7f32 * 2.0 / 14.0), f64::from(10.0f32 / 14.0)]);
        let powers = grid("quantized_bits(4,0,1,alpha='auto_po2')", &numbers);
        assert_eq!((powers.integers, powers.unit.values), (vec![6, 3, -2, -5, 3, 1], vec![0.125, 1.0]));
        let signs = grid("binary(alpha='auto_po2')", &numbers);
        assert_eq!((signs.integers, signs.unit.values), (vec![1, 1, -1, -1, 1, 1], vec![0.5, 4.0]));
        let listed = Json::from_iter([
            ("class_name", Json::from("quantized_bits")),
            ("config", serde_json::json!({"bits": 4, "integer": 0, "alpha": [0.5, 2.0]})),
        ]);
        let listed = weights(&listed, &numbers, Dialect::QKeras).unwrap().as_float();
        assert_eq!(listed.values, [0.375, 1.75, -0.125, -2.0, 0.1875, 1.75]);
    }

    #[test]
    fn what_depends_on_the_order_of_sums_is_refused() {
        let numbers = Array { shape: vec![2, 1], values: vec![1.0, std::f32::consts::SQRT_2] };
        for text in ["binary(alpha='auto')", "ternary(alpha='auto')", "quantized_po2(4)", "bernoulli(alpha=1)"] {
            assert!(weights(&Json::from(text), &numbers, Dialect::QKeras).is_err(), "{text}");
        }
    }
}
