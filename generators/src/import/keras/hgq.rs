//! HGQ2 quantisers: fixed point with a sign flag `k`, integer bits `i` and fraction bits `f` of its own for each element.
//!
//! The range is `-k · 2^i … 2^i - 2^-f` in steps of `2^-f`; without bits, `k + i + f ≤ 0`, the value is 0. The bits are
//! trained as real numbers and rounded half to even.

use hdl::diag::Diagnostic;
use serde_json::Value as Json;

use super::KerasLayer;
use super::class::{Build, HGQ_KEYS, LayerClass, PLACE, WEIGHTS, none};
use super::dense::FOLDING;
use super::normalisation::Normalisation;
use super::quantiser::quantised;
use super::weights::Layout;
use crate::import::lift::{Lift, Meaning, Real};
use crate::import::settings::{Known, Settings};
use crate::model::{Array, FloatRounding, Quantiser, Step};

/// The quantisers that a layer with one operand may have.
const ROLES: [&str; 5] = ["iq", "kq", "bq", "oq", "quantizer"];

/// Most operands of a layer.
const MAX_OPERANDS: usize = 64;

/// What a quantiser was before training, and what only training uses.
const TRAINING: &[Known] = &[
    Known::any("place", "which defaults it took"),
    Known::any("k0", "a value before training"),
    Known::any("b0", "a value before training"),
    Known::any("i0", "a value before training"),
    Known::any("f0", "a value before training"),
    Known::any("bc", "limits during training"),
    Known::any("ic", "limits during training"),
    Known::any("fc", "limits during training"),
    Known::any("br", "training"),
    Known::any("ir", "training"),
    Known::any("fr", "training"),
    Known::any("i_decay_speed", "training"),
    Known::any("homogeneous_axis", "the tensors have the shape that follows from it"),
    Known::any("heterogeneous_axis", "the tensors have the shape that follows from it"),
    Known::only("bw_mapper", &["null"], "the tensors have the shape that follows from the axes"),
    Known::any("trainable", "training"),
    Known::only("qnoise_factor", &["null", "1.0"], "all of the value is quantised"),
];

/// Layers that only HGQ2 has.
pub(super) const CLASSES: &[LayerClass] = &[
    LayerClass {
        names: &["Quantizer"],
        keys: &["config"],
        known: &[],
        variables: none,
        build: Build::One(|lift, layer, x| lift.hgq(layer, "quantizer", x)),
    },
    LayerClass {
        names: &["QUnaryFunctionLUT"],
        keys: &["activation"],
        known: &[],
        variables: none,
        build: Build::One(|lift, layer, x| lift.activated(layer, x, "activation")),
    },
    LayerClass {
        names: &["QBatchNormDense"],
        keys: &["use_bias", "activation", "epsilon", "scale", "center", "axis"],
        known: &[WEIGHTS, FOLDING, &[Known::any("parallelization_factor", "a hint for the hardware of others")]],
        variables: normalised_dense,
        build: Build::One(Lift::hgq_normalised_dense),
    },
];

fn normalised_dense(config: &Settings) -> Vec<&'static str> {
    let gamma = (config.peek("scale") != false).then_some("gamma");
    ["kernel", "bias"].into_iter().chain(gamma).chain(["moving_mean", "moving_variance"]).collect()
}

/// The quantisers that a layer may have, and the folder of each one's tensors. `iq3` is that of operand 3.
fn roles(config: &Settings) -> Vec<(String, String)> {
    let folder = |role: &str| match role {
        "quantizer" => "quantizer".to_owned(),
        role => format!("{role}/quantizer"),
    };
    let single = ROLES.iter().map(|role| (role.to_string(), folder(role)));
    let operands = config.peek("iq_confs").as_array().map_or(0, Vec::len);
    let of_operand = |k: usize| {
        let number = if k == 0 { String::new() } else { format!("_{k}") };
        let folder = format!("iq/quantizers/quantizer{number}/quantizer");
        (format!("iq{k}"), folder)
    };
    single.chain((0..operands.min(MAX_OPERANDS)).map(of_operand)).collect()
}

/// The operand whose quantiser has that role.
fn operand(role: &str) -> Option<usize> {
    role.strip_prefix("iq").and_then(|k| k.parse().ok())
}

/// The quantiser's variable that stands at `path` in the layer's group, as `role.variable`.
pub(super) fn variable(config: &Settings, layout: Layout, path: &str) -> Option<String> {
    if HGQ_KEYS.iter().all(|key| config.peek(key).is_null()) {
        return None;
    }
    match layout {
        Layout::Numbered => {
            let (folder, number) = path.rsplit_once("/vars/")?;
            let (role, _) = roles(config).into_iter().find(|(_, f)| f == folder)?;
            let whole = match (role.as_str(), operand(&role)) {
                (_, Some(k)) => &config.peek("iq_confs")[k],
                ("quantizer", _) => config.peek("config"),
                (role, _) => config.peek(&format!("{role}_conf")),
            };
            let name = variables(&whole["config"])?.get(number.parse::<usize>().ok()?).copied()?;
            Some(format!("{role}.{name}"))
        }
        Layout::Named => {
            let parts: Vec<&str> = path.split('/').collect();
            let [.., owner, quantiser, name] = *parts.as_slice() else { return None };
            let role = ROLES.iter().find(|role| owner.ends_with(&format!("_{role}"))).copied();
            let role = role.or((!config.peek("config").is_null()).then_some("quantizer"))?;
            quantiser.starts_with("fixed_point_quantizer").then(|| format!("{role}.{name}"))
        }
    }
}

/// Most bits in front of the point or behind it.
const MAX_BITS: f32 = 64.0;

/// The names of a quantiser's tensors in the order of the file: what is trained stands first.
fn variables(config: &Json) -> Option<[&'static str; 3]> {
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
    /// The configuration of the quantiser under a role; none if there is none.
    fn quantiser_config(&self, role: &str) -> Result<Option<Settings>, Diagnostic> {
        let outer = match (role, operand(role)) {
            (_, Some(k)) => match self.config.list("iq_confs")?.and_then(|list| list.get(k)) {
                None | Some(Json::Null) => None,
                Some(Json::Object(entries)) => Some(self.config.part(&format!("iq_confs {k}"), entries.clone())),
                Some(_) => return Err(self.error("`iq_confs` lists something that is no quantiser")),
            },
            ("quantizer", _) => self.config.object("config")?,
            (role, _) => self.config.object(&format!("{role}_conf"))?,
        };
        let Some(outer) = outer else {
            return Ok(None);
        };
        outer.accept(&PLACE);
        match outer.text("class_name")? {
            Some("QuantizerConfig") => outer.object("config"),
            other => Err(outer.error(format!("{} is not supported", hdl::names::quoted(other.unwrap_or_default())))),
        }
    }

    /// The HGQ2 quantiser that the layer has under that role; `None` if it has none.
    ///
    /// # Errors
    /// A quantiser that is no fixed-point quantiser, or scales its values.
    pub(super) fn fixed(&self, role: &str) -> Result<Option<Fixed>, Diagnostic> {
        let Some(config) = self.quantiser_config(role)? else {
            return Ok(None);
        };
        config.accept(TRAINING);
        let of = |why: &str| self.error(format!("its quantiser `{role}` {why}"));
        let kind =
            serde_json::json!({"q_type": config.value("q_type"), "overflow_mode": config.value("overflow_mode")});
        let names = variables(&kind).ok_or_else(|| of("is no fixed-point quantiser of kind `kbi` or `kif`"))?;
        for key in ["scaler", "affine"] {
            if !config.value(key).is_null() {
                return Err(of(&format!("has a `{key}`, which is not supported"))
                    .help("train without it: formats are powers of two"));
            }
        }
        let rounding = match config.text("round_mode")?.unwrap_or_default() {
            "TRN" => FloatRounding::Floor,
            "RND" | "S_RND" => FloatRounding::HalfAbove,
            "RND_CONV" | "S_RND_CONV" => FloatRounding::HalfEven,
            "TRN_ZERO" => FloatRounding::Down,
            "RND_ZERO" => FloatRounding::HalfDown,
            "RND_MIN_INF" => FloatRounding::HalfBelow,
            "RND_INF" => FloatRounding::HalfUp,
            _ => return Err(of("rounds in a way that is not known")),
        };
        let overflow = match config.text("overflow_mode")?.unwrap_or_default() {
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
            weight: config.flag("is_weight")?.unwrap_or(false),
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
    /// The operands of a layer through its quantisers of them, if it has any.
    pub(super) fn hgq_operands(&mut self, layer: &KerasLayer, operands: &mut [Real]) -> Result<(), Diagnostic> {
        let several = layer.config.list("iq_confs")?.map(<[Json]>::len);
        if several.is_some_and(|count| count != operands.len()) {
            return Err(layer.error("there is not one quantiser for each operand"));
        }
        for (k, x) in operands.iter_mut().enumerate() {
            let role = match several {
                Some(_) => format!("iq{k}"),
                None => "iq".to_owned(),
            };
            *x = self.hgq(layer, &role, x.clone())?;
        }
        Ok(())
    }

    /// A dense layer that normalises its operand: rows of the kernel are scaled before they are quantised, and the means
    /// go into the bias through the kernel as it was.
    fn hgq_normalised_dense(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        let misfit = || layer.error("its parameters differ in shape");
        let (kernel, bias) = (layer.floats("kernel")?, layer.floats("bias")?);
        layer.config.flag("use_bias")?;
        layer.config.flag("center")?;
        layer.config.integer("axis")?;
        let Normalisation { scale, mean, .. } = layer.normalisation_parts()?;
        let &[inputs, outputs] = kernel.shape.as_slice() else {
            return Err(misfit());
        };
        if mean.shape != [inputs] || bias.shape != [outputs] {
            return Err(misfit());
        }
        let column = |array: &Array<f32>| Array { shape: vec![inputs, 1], values: array.values.clone() };
        let scaled = column(&scale).zip(&kernel, |s, k| s * k).ok_or_else(misfit)?;
        let weights = quantised(layer, &scaled, &[], "kq")?;
        // the framework's float sum may be off by this
        let terms = |o: usize| {
            let column = kernel.values.iter().skip(o).step_by(outputs);
            let products = column.zip(&mean.values);
            products.map(|(k, m)| f64::from(*k) * f64::from(*m))
        };
        let moved = |direction: f64| Array {
            shape: vec![outputs],
            values: (0..outputs)
                .map(|o| {
                    let (sum, size) = terms(o).fold((0.0, 0.0), |(s, a), t| (s + t, a + t.abs()));
                    let noise = (inputs as f64 + 2.0) * size / 16_777_216.0;
                    (f64::from(bias.values[o]) - sum + direction * noise) as f32
                })
                .collect(),
        };
        let [below, exact, above] = [-1.0, 0.0, 1.0].map(moved);
        let shift = quantised(layer, &exact, &[], "bq")?.as_float();
        for other in [below, above] {
            if quantised(layer, &other, &[], "bq")?.as_float() != shift {
                return Err(layer
                    .error("a bias is so close to a rounding step that it depends on the order of the framework's additions")
                    .help("train on for a few steps"));
            }
        }
        let y = self.dense(&layer.name, x, &weights)?;
        let y = self.step(&layer.name, y, Step::Add(shift))?;
        self.activated(layer, y, "activation")
    }

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
