//! QKeras quantisers and plain activations, as objects or in their short form `quantized_bits(6,0,alpha=1)`.

use hdl::diag::Diagnostic;
use hdl::names::quoted;
use serde_json::{Map, Value as Json};

use super::KerasLayer;
use super::class::PLACE;
use crate::import::lift::{Constant, Grid, Meaning};
use crate::import::settings::{Known, Settings};
use crate::model::{Array, FloatRounding, Quantiser, Step};

/// What follows a layer's sums, or quantises its weights.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)] // one a layer
pub(super) enum Activation {
    /// Nothing.
    Linear,
    /// Shares of exponentials.
    Softmax,
    /// An element-wise function.
    Step(Step),
    /// A quantiser.
    Quantiser(Box<Quantiser>, Meaning),
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

/// A class name with its arguments by name.
struct Call {
    name: String,
    arguments: Settings,
}

/// Arguments of quantisers that are without influence when a network is used.
const KNOWN: &[Known] = &[
    Known::only("qnoise_factor", &["1.0", "null"], "all of the value is quantised"),
    Known::any("use_stochastic_rounding", "training; inference rounds to the nearest"),
    Known::any("var_name", "a name"),
    Known::any("use_ste", "training"),
    Known::any("use_variables", "training"),
    Known::any("symmetric_gradient", "training"),
    Known::any("elements_per_scale", "there is no scale that depends on the values"),
    Known::any("scale_axis", "there is no scale that depends on the values"),
    Known::any("min_po2_exponent", "there is no scale that depends on the values"),
    Known::any("max_po2_exponent", "there is no scale that depends on the values"),
    Known::only("post_training_scale", &["null"], "no scale of its own"),
    Known::any("is_quantized_clip", "the limits of the format are narrower"),
    Known::any("enable_bn_folding", "training"),
    Known::any("name", "a name"),
];

/// The order of QKeras' positional arguments.
const POSITIONAL: [(&str, &[&str]); 3] = [
    ("quantized_bits", &["bits", "integer", "symmetric", "keep_negative", "alpha", "use_stochastic_rounding"]),
    ("quantized_relu", &["bits", "integer", "use_sigmoid", "negative_slope", "use_stochastic_rounding"]),
    ("binary", &["use_01", "alpha", "use_stochastic_rounding"]),
];

/// The activation or quantiser under `key`; `null` is none.
pub(super) fn activation(config: &Settings, key: &str) -> Result<Activation, Diagnostic> {
    let Some(call) = Call::of(config, key)? else {
        return Ok(Activation::Linear);
    };
    match call.name.as_str() {
        "linear" => Ok(Activation::Linear),
        "relu" => Ok(Activation::Step(Step::Relu)),
        "tanh" => Ok(Activation::Step(Step::Tanh)),
        "sigmoid" => Ok(Activation::Step(Step::Sigmoid)),
        "quantized_bits" | "quantized_relu" => Ok(call.fixed_point()?.activation()),
        "binary" => binary(&call),
        "softmax" => Ok(Activation::Softmax),
        other => Err(call.arguments.error(format!(
            "{} is not supported; supported are linear, relu, tanh, sigmoid, quantized_bits, quantized_relu and binary",
            quoted(other)
        ))),
    }
}

/// The fixed-point quantiser under `key`.
pub(super) fn qkeras(config: &Settings, key: &str) -> Result<QKerasQuantiser, Diagnostic> {
    let call = Call::of(config, key)?;
    call.ok_or_else(|| config.error(format!("`{key}` is missing")))?.fixed_point()
}

/// The arguments in `quantized_bits(6,0,alpha=1)`, by name.
fn parse(text: &str) -> Result<(String, Map<String, Json>), String> {
    let Some((name, rest)) = text.split_once('(') else {
        return Ok((text.trim().to_owned(), Map::new()));
    };
    let wrong = || format!("{} is no call of a quantiser", quoted(text));
    let list = rest.trim_end().strip_suffix(')').ok_or_else(wrong)?;
    let names = POSITIONAL.iter().find(|(n, _)| *n == name).map_or(&[][..], |(_, names)| names);
    let mut arguments = Map::new();
    for (k, argument) in list.split(',').map(str::trim).filter(|a| !a.is_empty()).enumerate() {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name.trim(), value.trim()),
            None => (*names.get(k).ok_or_else(wrong)?, argument),
        };
        let value = match value {
            "True" => Json::from(1),
            "False" => Json::from(0),
            "None" => Json::Null,
            value => serde_json::from_str(&value.replace('\'', "\"")).map_err(|_| wrong())?,
        };
        if arguments.insert(name.to_owned(), value).is_some() {
            return Err(wrong());
        }
    }
    Ok((name.trim().to_owned(), arguments))
}

impl Call {
    /// A call in its short form, or as an object with `class_name` and `config`; none for `null`.
    fn of(config: &Settings, key: &str) -> Result<Option<Self>, Diagnostic> {
        let short = |text: &str, at: &Settings, key: &str| {
            let (name, arguments) = parse(text).map_err(|why| at.error(format!("{key}: {why}")))?;
            let arguments = at.part(key, arguments);
            arguments.accept(KNOWN);
            Ok(Some(Self { name, arguments }))
        };
        let outer = match config.value(key) {
            Json::Null => return Ok(None),
            Json::String(text) => return short(text, config, key),
            _ => config.object(key)?.ok_or_else(|| config.error(format!("`{key}` is missing")))?,
        };
        outer.accept(&PLACE);
        let class = outer.text("class_name")?;
        let class = class.ok_or_else(|| outer.error("an activation or quantiser with a class was expected"))?;
        match outer.value("config") {
            // a plain function in Keras 3
            Json::String(name) if class == "function" => short(name, &outer, "config"),
            Json::Object(arguments) => {
                let arguments = outer.part("config", arguments.clone());
                arguments.accept(KNOWN);
                Ok(Some(Self { name: class.to_owned(), arguments }))
            }
            _ => Err(outer.error("its arguments are missing")),
        }
    }

    /// Bits and integer bits.
    fn widths(&self) -> Result<(u32, i32), Diagnostic> {
        let bits = self.arguments.integer("bits")?.unwrap_or(8);
        let integer = self.arguments.integer("integer")?.unwrap_or(0);
        if !(1..=32).contains(&bits) || integer.abs() > 32 {
            let message = format!("{bits} bits, {integer} of them in front of the point, are not supported");
            return Err(self.arguments.error(message));
        }
        Ok((bits as u32, integer as i32))
    }

    /// `quantized_bits` or `quantized_relu`.
    fn fixed_point(&self) -> Result<QKerasQuantiser, Diagnostic> {
        let arguments = &self.arguments;
        match self.name.as_str() {
            "quantized_bits" => {
                let (bits, integer) = self.widths()?;
                self.fixed_scale()?;
                Ok(QKerasQuantiser::Bits {
                    bits,
                    integer,
                    symmetric: arguments.flag("symmetric")?.unwrap_or(false),
                    keep_negative: arguments.flag("keep_negative")?.unwrap_or(true),
                })
            }
            "quantized_relu" => {
                let (bits, integer) = self.widths()?;
                for (key, meaning) in [
                    ("negative_slope", "a negative slope"),
                    ("use_sigmoid", "a sigmoid"),
                    ("relu_upper_bound", "an upper bound"),
                ] {
                    if arguments.number(key)?.unwrap_or(0.0) != 0.0 {
                        return Err(arguments.error(format!("quantized_relu with {meaning} is not supported")));
                    }
                }
                Ok(QKerasQuantiser::Relu { bits, integer })
            }
            other => Err(arguments.error(format!(
                "{} is no fixed-point quantiser; expected quantized_bits or quantized_relu",
                quoted(other)
            ))),
        }
    }

    fn fixed_scale(&self) -> Result<(), Diagnostic> {
        match self.arguments.value("alpha") {
            Json::Null => Ok(()),
            alpha if alpha.as_f64() == Some(1.0) => Ok(()),
            _ => Err(self.arguments.error("only a fixed scale is exact").help("train with alpha=1")),
        }
    }
}

/// The numbers through the QKeras quantiser that the layer has under one of `keys`, or through its HGQ2 quantiser of that
/// `role`; as they are if there is none.
pub(super) fn quantised(
    layer: &KerasLayer,
    numbers: &Array<f32>,
    keys: &[&str],
    role: &str,
) -> Result<Constant, Diagnostic> {
    if let Some(fixed) = layer.fixed(role)? {
        let misfit = || layer.error(format!("its quantiser `{role}` does not fit its tensor"));
        let quantised = fixed.weights(numbers).ok_or_else(misfit)?;
        return Ok(Constant::float(quantised.shape, quantised.values));
    }
    let plain = || Ok(Constant::float(numbers.shape.clone(), numbers.values.clone()));
    let given: Vec<&str> = keys.iter().copied().filter(|key| !layer.config.value(key).is_null()).collect();
    let quantiser = match given.as_slice() {
        [] => return plain(),
        [key] => activation(&layer.config, key)?,
        several => return Err(layer.error(format!("it has several quantisers for one tensor: {}", several.join(", ")))),
    };
    let (quantiser, meaning) = match quantiser {
        Activation::Linear => return plain(),
        Activation::Quantiser(quantiser, meaning) => (quantiser, meaning),
        _ => return Err(layer.error("its weights go through something that is no quantiser")),
    };
    let quantiser = quantiser.with(|p| p.values[0]);
    let integers: Vec<i64> = numbers.values.iter().map(|v| quantiser.code(*v)).collect();
    let unit = meaning.unit.values[0];
    Ok(Constant::Float {
        array: Array {
            shape: numbers.shape.clone(),
            values: integers.iter().map(|n| (*n as f64 * unit) as f32).collect(),
        },
        grid: Some(Grid { integers, unit: meaning.unit }),
    })
}

fn steps_of(scale: f64, low: f64, high: f64) -> Activation {
    let number = |v: f64| Array::scalar(v as f32);
    let quantiser = Quantiser::Integer {
        scale: number(scale),
        zero: number(0.0),
        low: number(low),
        high: number(high),
        rounding: FloatRounding::HalfEven,
    };
    Activation::Quantiser(Box::new(quantiser), Meaning { unit: Array::scalar(scale), steps: Vec::new() })
}

impl QKerasQuantiser {
    fn activation(self) -> Activation {
        match self {
            // `2^(i-n) · clip(round_half_even(x · 2^(n-i)), -k · (2^n - symmetric), 2^n - 1)` with `n = bits - k`
            Self::Bits { bits, integer, symmetric, keep_negative } => {
                let n = bits as i32 - i32::from(keep_negative);
                if n == 0 {
                    return sign(false);
                }
                let top = 2f64.powi(n);
                let low = if keep_negative { f64::from(u8::from(symmetric)) - top } else { 0.0 };
                steps_of(2f64.powi(integer - n), low, top - 1.0)
            }
            // `2^i · clip(round_half_even(x · 2^(b-i)) / 2^b, 0, 1 - 2^-b)`
            Self::Relu { bits, integer } => {
                let bits = bits as i32;
                steps_of(2f64.powi(integer - bits), 0.0, 2f64.powi(bits) - 1.0)
            }
        }
    }
}

fn binary(call: &Call) -> Result<Activation, Diagnostic> {
    call.fixed_scale()?;
    Ok(sign(call.arguments.flag("use_01")?.unwrap_or(false)))
}

/// ±1, or 0 and 1; zero counts as positive.
fn sign(zero_one: bool) -> Activation {
    let quantiser = if zero_one {
        Quantiser::Count { thresholds: vec![Array::scalar(0.0)], first: 0, step: 1 }
    } else {
        Quantiser::Sign { scale: Array::scalar(1.0), zero: Array::scalar(0.0) }
    };
    Activation::Quantiser(Box::new(quantiser), Meaning { unit: Array::scalar(1.0), steps: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Activation, Diagnostic> {
        let config = Settings::new("layer", Map::from_iter([("activation".to_owned(), Json::from(text))]));
        let activation = activation(&config, "activation")?;
        config.finish(&[])?;
        Ok(activation)
    }

    fn codes(text: &str, values: &[f32]) -> Vec<f64> {
        match read(text).unwrap() {
            Activation::Quantiser(quantiser, meaning) => {
                let quantiser = quantiser.with(|p| p.values[0]);
                values.iter().map(|x| quantiser.code(*x) as f64 * meaning.unit.values[0]).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn short_forms_are_read() {
        let x = [-9.0, -0.3, 0.3, 0.625, 9.0];
        assert_eq!(codes("quantized_bits(4,1)", &x), [-2.0, -0.25, 0.25, 0.5, 1.75]);
        assert_eq!(codes("quantized_bits(4, 1, symmetric=1, alpha=1.0)", &x)[0], -1.75);
        assert_eq!(codes("quantized_relu(2,0)", &x), [0.0, 0.0, 0.25, 0.5, 0.75]);
        assert_eq!(codes("binary(alpha=1)", &x), [-1.0, -1.0, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn what_is_not_exact_is_refused() {
        for text in [
            "quantized_bits(4,1,alpha='auto')",
            "quantized_bits(0)",
            "quantized_bits(4",
            "quantized_relu(4,1,1)",
            "quantized_bits(4,1,qnoise_factor=0.5)",
            "quantized_bits(4,1,bits=5)",
            "quantized_bits(4,1,odd=1)",
            "binary(bits=3,alpha=1)",
            "swish",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
