//! QKeras quantisers and plain activations, as objects or in their short form `quantized_bits(6,0,alpha=1)`.

use std::collections::BTreeMap;

use hdl::names::quoted;
use serde_json::Value as Json;

use crate::import::lift::Meaning;
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
    arguments: BTreeMap<String, Json>,
}

/// The order of QKeras' positional arguments.
const POSITIONAL: [(&str, &[&str]); 3] = [
    ("quantized_bits", &["bits", "integer", "symmetric", "keep_negative", "alpha"]),
    ("quantized_relu", &["bits", "integer", "use_sigmoid", "negative_slope"]),
    ("binary", &["use_01", "alpha"]),
];

/// The activation or quantiser in a configuration; `null` is none.
pub(super) fn activation(config: &Json) -> Result<Activation, String> {
    if config.is_null() {
        return Ok(Activation::Linear);
    }
    let call = Call::of(config)?;
    match call.name.as_str() {
        "linear" => Ok(Activation::Linear),
        "relu" => Ok(Activation::Step(Step::Relu)),
        "tanh" => Ok(Activation::Step(Step::Tanh)),
        "sigmoid" => Ok(Activation::Step(Step::Sigmoid)),
        "quantized_bits" | "quantized_relu" => Ok(call.fixed_point()?.activation()),
        "binary" => binary(&call),
        "softmax" => Ok(Activation::Softmax),
        other => Err(format!(
            "{} is not supported; supported are linear, relu, tanh, sigmoid, quantized_bits, quantized_relu and binary",
            quoted(other)
        )),
    }
}

/// The fixed-point quantiser in a configuration.
pub(super) fn qkeras(config: &Json) -> Result<QKerasQuantiser, String> {
    Call::of(config)?.fixed_point()
}

fn parse(text: &str) -> Result<Call, String> {
    let Some((name, rest)) = text.split_once('(') else {
        return Ok(Call { name: text.trim().to_owned(), arguments: BTreeMap::new() });
    };
    let wrong = || format!("{} is no call of a quantiser", quoted(text));
    let list = rest.trim_end().strip_suffix(')').ok_or_else(wrong)?;
    let names = POSITIONAL.iter().find(|(n, _)| *n == name).map_or(&[][..], |(_, names)| names);
    let mut arguments = BTreeMap::new();
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
        arguments.insert(name.to_owned(), value);
    }
    Ok(Call { name: name.trim().to_owned(), arguments })
}

impl Call {
    /// A call in its short form, or as an object with `class_name` and `config`.
    fn of(config: &Json) -> Result<Self, String> {
        if let Json::String(text) = config {
            return parse(text);
        }
        let class = config["class_name"].as_str().ok_or("an activation or quantiser with a class was expected")?;
        match &config["config"] {
            // a plain function in Keras 3
            Json::String(name) if class == "function" => parse(name),
            arguments => Ok(Self {
                name: class.to_owned(),
                arguments: arguments.as_object().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect(),
            }),
        }
    }

    fn number(&self, key: &str, default: f64) -> Result<f64, String> {
        match self.arguments.get(key) {
            None | Some(Json::Null) => Ok(default),
            Some(Json::Bool(truth)) => Ok(f64::from(u8::from(*truth))),
            Some(value) => value.as_f64().ok_or_else(|| format!("`{key}` of {} is no number", self.name)),
        }
    }

    /// Bits and integer bits.
    fn widths(&self) -> Result<(u32, i32), String> {
        let (bits, integer) = (self.number("bits", 8.0)?, self.number("integer", 0.0)?);
        if !(1.0..=32.0).contains(&bits) || bits.fract() != 0.0 || integer.fract() != 0.0 || integer.abs() > 32.0 {
            return Err(format!("{} bits, {integer} of them in front of the point, are not supported", bits));
        }
        Ok((bits as u32, integer as i32))
    }

    /// `quantized_bits` or `quantized_relu`.
    fn fixed_point(&self) -> Result<QKerasQuantiser, String> {
        let (bits, integer) = self.widths()?;
        match self.name.as_str() {
            "quantized_bits" => {
                self.fixed_scale()?;
                Ok(QKerasQuantiser::Bits {
                    bits,
                    integer,
                    symmetric: self.number("symmetric", 0.0)? != 0.0,
                    keep_negative: self.number("keep_negative", 1.0)? != 0.0,
                })
            }
            "quantized_relu" => {
                for (key, meaning) in [
                    ("negative_slope", "a negative slope"),
                    ("use_sigmoid", "a sigmoid"),
                    ("relu_upper_bound", "an upper bound"),
                ] {
                    if self.number(key, 0.0)? != 0.0 {
                        return Err(format!("quantized_relu with {meaning} is not supported"));
                    }
                }
                Ok(QKerasQuantiser::Relu { bits, integer })
            }
            other => {
                Err(format!("{} is no fixed-point quantiser; expected quantized_bits or quantized_relu", quoted(other)))
            }
        }
    }

    fn fixed_scale(&self) -> Result<(), String> {
        match self.arguments.get("alpha") {
            None | Some(Json::Null) => Ok(()),
            Some(alpha) if alpha.as_f64() == Some(1.0) => Ok(()),
            Some(_) => Err("only a fixed scale is exact; train with alpha=1".into()),
        }
    }
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

fn binary(call: &Call) -> Result<Activation, String> {
    call.fixed_scale()?;
    Ok(sign(call.number("use_01", 0.0)? != 0.0))
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

    fn codes(text: &str, values: &[f32]) -> Vec<f64> {
        match activation(&Json::from(text)).unwrap() {
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
            "swish",
        ] {
            assert!(activation(&Json::from(text)).is_err(), "{text}");
        }
    }
}
