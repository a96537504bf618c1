//! HGQ2 quantisers: fixed point with a sign flag `k`, integer bits `i` and fraction bits `f` of its own for each element.
//!
//! The range is `-k · 2^i … 2^i - 2^-f` in steps of `2^-f`; without bits, `k + i + f ≤ 0`, the value is 0. The bits are
//! trained as real numbers and rounded half to even.

use hdl::diag::Diagnostic;

use super::KerasLayer;
use crate::import::lift::{Lift, Meaning, Real};
use crate::model::{Array, FloatRounding, Quantiser};

/// The quantisers that a layer with one operand may have.
const ROLES: [&str; 5] = ["iq", "kq", "bq", "oq", "quantizer"];

/// Most operands of a layer.
const MAX_OPERANDS: usize = 64;

/// The quantisers that a layer may have, and the folder of each one's tensors. `iq3` is that of operand 3.
pub(super) fn roles(config: &serde_json::Value) -> Vec<(String, String)> {
    let folder = |role: &str| match role {
        "quantizer" => "quantizer".to_owned(),
        role => format!("{role}/quantizer"),
    };
    let single = ROLES.iter().map(|role| (role.to_string(), folder(role)));
    let operands = config["iq_confs"].as_array().map_or(0, Vec::len);
    let of_operand = |k: usize| {
        let number = if k == 0 { String::new() } else { format!("_{k}") };
        let folder = format!("iq/quantizers/quantizer{number}/quantizer");
        (format!("iq{k}"), folder)
    };
    single.chain((0..operands.min(MAX_OPERANDS)).map(of_operand)).collect()
}

/// The configuration of the quantiser under a role; null if there is none.
pub(super) fn configuration<'c>(config: &'c serde_json::Value, role: &str) -> &'c serde_json::Value {
    let operand = role.strip_prefix("iq").and_then(|k| k.parse::<usize>().ok());
    let whole = match (role, operand) {
        (_, Some(k)) => &config["iq_confs"][k],
        ("quantizer", _) => &config["config"],
        (role, _) => &config[format!("{role}_conf")],
    };
    &whole["config"]
}

/// Most bits in front of the point or behind it.
const MAX_BITS: f32 = 64.0;

/// The names of a quantiser's tensors in the order of the file: what is trained stands first.
pub(super) fn variables(config: &serde_json::Value) -> Option<[&'static str; 3]> {
    let wraps = config["overflow_mode"].as_str()?.eq_ignore_ascii_case("wrap");
    match (config["q_type"].as_str()?, wraps) {
        ("kbi", true) => Some(["b", "k", "i"]),
        ("kbi", false) => Some(["b", "i", "k"]),
        ("kif", true) => Some(["f", "k", "i"]),
        ("kif", false) => Some(["i", "f", "k"]),
        _ => None,
    }
}

/// What happens to a value out of range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Overflow {
    Wrap,
    Saturate,
    Symmetric,
}

/// A quantiser of a tensor.
#[derive(Debug, Clone)]
pub(super) struct Fixed {
    /// Extent of each axis, 1 where all elements share a format.
    shape: Vec<usize>,
    /// One an element.
    formats: Vec<Format>,
    rounding: FloatRounding,
    overflow: Overflow,
    /// Whether values are only rounded, because their range has been fitted to them.
    weight: bool,
}

/// A format; integers times `2^-frac`.
#[derive(Debug, Clone, Copy)]
struct Format {
    low: f32,
    high: f32,
    frac: i32,
}

impl Format {
    /// The format of `k`, `i` and `f`, which are integers.
    fn new(k: f32, i: f32, f: f32, overflow: Overflow) -> Option<Self> {
        if k + i + f <= 0.0 {
            return Some(Self { low: 0.0, high: 0.0, frac: 0 });
        }
        let bits = i.max(-f) + f;
        let fits = bits <= 31.0 && f.abs() <= MAX_BITS && (k == 0.0 || k == 1.0);
        let top = 2f32.powi(bits as i32);
        fits.then(|| Self {
            low: match overflow {
                Overflow::Symmetric => -k * (top - 1.0),
                _ => -k * top,
            },
            high: top - 1.0,
            frac: f as i32,
        })
    }

    fn has_bits(&self) -> bool {
        self.low != self.high
    }

    fn scale(&self) -> f32 {
        2f32.powi(-self.frac)
    }
}

impl KerasLayer {
    /// The HGQ2 quantiser that the layer has under that role; `None` if it has none.
    ///
    /// # Errors
    /// A quantiser that is no fixed-point quantiser, or scales its values.
    pub(super) fn fixed(&self, role: &str) -> Result<Option<Fixed>, Diagnostic> {
        let config = configuration(&self.config, role);
        if config.is_null() {
            return Ok(None);
        }
        let of = |why: &str| self.error(format!("its quantiser `{role}` {why}"));
        let names = variables(config).ok_or_else(|| of("is no fixed-point quantiser of kind `kbi` or `kif`"))?;
        for key in ["scaler", "affine"] {
            if !config[key].is_null() {
                return Err(of(&format!("has a `{key}`, which is not supported"))
                    .help("train without it: formats are powers of two"));
            }
        }
        let rounding = match config["round_mode"].as_str().unwrap_or_default() {
            "TRN" => FloatRounding::Floor,
            "RND" | "S_RND" => FloatRounding::HalfAbove,
            "RND_CONV" | "S_RND_CONV" => FloatRounding::HalfEven,
            "TRN_ZERO" => FloatRounding::Down,
            "RND_ZERO" => FloatRounding::HalfDown,
            "RND_MIN_INF" => FloatRounding::HalfBelow,
            "RND_INF" => FloatRounding::HalfUp,
            _ => return Err(of("rounds in a way that is not known")),
        };
        let overflow = match config["overflow_mode"].as_str().unwrap_or_default() {
            "WRAP" => Overflow::Wrap,
            "SAT" => Overflow::Saturate,
            "SAT_SYM" => Overflow::Symmetric,
            _ => {
                return Err(of("has an overflow mode that is not supported").help("use WRAP, SAT or SAT_SYM"));
            }
        };
        let tensors = names.map(|name| self.floats(&format!("{role}.{name}")));
        let [first, second, third] = tensors;
        let tensors = [first?, second?, third?];
        let named =
            |name: &str| names.iter().position(|n| *n == name).map(|at| tensors[at].map(|v| v.round_ties_even()));
        let misfit = || of("has tensors of different shapes");
        let (Some(k), Some(i)) = (named("k"), named("i")) else {
            return Err(misfit());
        };
        let f = match (named("f"), named("b")) {
            (Some(f), _) => f,
            (None, Some(b)) => b.zip(&i, |b, i| b - i).ok_or_else(misfit)?,
            _ => return Err(misfit()),
        };
        if k.shape != i.shape || i.shape != f.shape {
            return Err(misfit());
        }
        let formats: Option<Vec<Format>> =
            (0..k.values.len()).map(|n| Format::new(k.values[n], i.values[n], f.values[n], overflow)).collect();
        Ok(Some(Fixed {
            shape: k.shape,
            formats: formats.ok_or_else(|| of("has more bits than are supported"))?,
            rounding,
            overflow,
            weight: config["is_weight"].as_bool().unwrap_or(false),
        }))
    }
}

impl Fixed {
    fn array<V>(&self, of: impl FnMut(&Format) -> V) -> Array<V> {
        Array { shape: self.shape.clone(), values: self.formats.iter().map(of).collect() }
    }

    fn quantiser(&self, scale: impl Fn(&Format) -> f32) -> Quantiser {
        let (scale, low, high) = (self.array(scale), self.array(|f| f.low), self.array(|f| f.high));
        match self.overflow {
            Overflow::Wrap => Quantiser::Wrapping { scale, low, high, rounding: self.rounding },
            _ => Quantiser::Integer { scale, zero: Array::scalar(0.0), low, high, rounding: self.rounding },
        }
    }

    /// Weights through the quantiser.
    pub(super) fn weights(&self, numbers: &Array<f32>) -> Option<Array<f32>> {
        let quantiser = self.quantiser(Format::scale);
        let count = numbers.values.len();
        let quantiser = match quantiser.parameters()[0].stretched(&numbers.shape) {
            Some(scales) if scales.len() == count => {
                quantiser.with(|p| p.stretched(&numbers.shape).unwrap_or_default())
            }
            _ => return None,
        };
        let fracs = self.array(Format::scale).stretched(&numbers.shape)?;
        let rounded_only = self.weight && self.overflow == Overflow::Wrap;
        let values = (0..count).map(|n| {
            let (x, scale) = (numbers.values[n], fracs[n]);
            if rounded_only {
                self.rounding.apply(x / scale) * scale
            } else {
                quantiser.with(|p| p[n]).code(x) as f32 * scale
            }
        });
        Some(Array { shape: numbers.shape.clone(), values: values.collect() })
    }
}

impl Lift {
    /// A tensor through the quantiser that `layer` has under `role`, if it has one.
    pub(super) fn hgq(&mut self, layer: &KerasLayer, role: &str, x: Real) -> Result<Real, Diagnostic> {
        let Some(fixed) = layer.fixed(role)? else {
            return Ok(x);
        };
        // elements without bits take the finest step there is, so that they need no other scale than the rest
        let finest = fixed.formats.iter().filter(|f| f.has_bits());
        let finest = finest.map(|f| f.frac).max().unwrap_or(0);
        let scale = |f: &Format| 2f32.powi(if f.has_bits() { -f.frac } else { -finest });
        let meaning = Meaning { unit: fixed.array(|f| f64::from(scale(f))).compact(), steps: Vec::new() };
        let name = format!("{}_{role}", layer.name);
        self.quantise(&name, x, fixed.quantiser(scale), meaning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_hgqs() {
        let format = |k, i, f, overflow| {
            let format = Format::new(k, i, f, overflow).unwrap();
            (format.low, format.high, format.frac)
        };
        assert_eq!(format(1.0, 2.0, 3.0, Overflow::Wrap), (-32.0, 31.0, 3));
        assert_eq!(format(1.0, 2.0, 3.0, Overflow::Symmetric), (-31.0, 31.0, 3));
        assert_eq!(format(0.0, -1.0, 3.0, Overflow::Saturate), (0.0, 3.0, 3));
        assert_eq!(format(1.0, -2.0, 1.0, Overflow::Wrap), (0.0, 0.0, 0));
        assert_eq!(format(1.0, 4.0, -4.0, Overflow::Wrap), (-1.0, 0.0, -4));
        assert!(Format::new(1.0, 40.0, 3.0, Overflow::Wrap).is_none());
    }

    #[test]
    fn each_weight_has_its_own_format() {
        let fixed = Fixed {
            shape: vec![3],
            formats: [(1.0, 0.0, 2.0), (0.0, 1.0, 0.0), (0.0, 0.0, 0.0)]
                .map(|(k, i, f)| Format::new(k, i, f, Overflow::Symmetric).unwrap())
                .to_vec(),
            rounding: FloatRounding::HalfAbove,
            overflow: Overflow::Symmetric,
            weight: true,
        };
        let numbers = Array { shape: vec![2, 3], values: vec![-0.375, 0.5, 9.0, -5.0, 7.0, -9.0] };
        let quantised = fixed.weights(&numbers).unwrap();
        assert_eq!(quantised.values, [-0.25, 1.0, 0.0, -0.75, 1.0, 0.0]);
        assert_eq!(fixed.weights(&Array::scalar(1.0)), None);
    }
}
