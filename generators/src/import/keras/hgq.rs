//! HGQ2 quantisers in files: their configuration and tensors. Bits are trained as real numbers and rounded half to even.

use hdl::diag::Diagnostic;
use hdl::num::Rounding;
use serde_json::Value as Json;

use super::KerasLayer;
use super::class::{HGQ_KEYS, PLACE};
use super::fixed::{Fixed, Format, Overflow, small_float};
use super::origin::Class;
use super::weights::Layout;
use crate::import::keras::settings::{Known, Settings};
use crate::import::lift::{Lift, Meaning, Real};
use crate::model::{Array, Quantiser, Step};

/// The quantisers that a layer with one operand may have.
const ROLES: [&str; 10] = ["exp_iq", "exp_oq", "inv_iq", "inv_oq", "iq", "kq", "bq", "oq", "toq", "quantizer"];

/// Where the quantiser of that role stands below its layer: its own table first, if it has one.
fn place(role: &str) -> (Option<&str>, &str) {
    match role.split_once('_') {
        Some((table, role)) => (Some(table), role),
        None => (None, role),
    }
}

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
    Known::any("qnoise_factor", "training"),
];

/// The same of a float quantiser.
const FLOAT_TRAINING: [Known; 11] = [
    Known::any("m0", "a value before training"),
    Known::any("e0", "a value before training"),
    Known::any("e00", "a value before training"),
    Known::any("mc", "limits during training"),
    Known::any("ec", "limits during training"),
    Known::any("e0c", "limits during training"),
    Known::any("mr", "training"),
    Known::any("er", "training"),
    Known::any("e0r", "training"),
    Known::any("trainable", "it makes no difference to floats"),
    Known::any("is_weight", "it makes no difference to floats"),
];

/// The quantisers that a layer may have, and the folder of each one's tensors. `iq3` is that of operand 3.
fn roles(config: &Settings) -> Vec<(String, String)> {
    let folder = |role: &str| match role {
        "quantizer" => "quantizer".to_owned(),
        role => match place(role) {
            (Some(table), role) => format!("{table}_table/{role}/quantizer"),
            (None, role) => format!("{role}/quantizer"),
        },
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
            let name = variables(whole).get(number.parse::<usize>().ok()?).copied()?;
            Some(format!("{role}.{name}"))
        }
        Layout::Named => {
            let parts: Vec<&str> = path.split('/').collect();
            // in a layer of HGQ2, `beta` is a weight of its loss
            match parts.last() {
                Some(&"bn_gamma") => return Some("gamma".to_owned()),
                Some(&"bn_beta") => return Some("beta".to_owned()),
                Some(&("beta" | "ebops")) => return Some(path.to_owned()),
                _ => {}
            }
            let [.., owner, quantiser, name] = *parts.as_slice() else { return None };
            let suffix = |role: &str| match place(role) {
                (Some(table), role) => format!("_{table}_table_{role}"),
                (None, role) => format!("_{role}"),
            };
            let role = ROLES.iter().find(|role| owner.ends_with(&suffix(role))).copied();
            // these have no name but that of their class
            let single = [("config", "quantizer"), ("toq_conf", "toq")];
            let single = single.into_iter().find(|(key, _)| !config.peek(key).is_null());
            let role = role.or(single.map(|(_, role)| role))?;
            quantiser.starts_with("fixed_point_quantizer").then(|| format!("{role}.{name}"))
        }
    }
}

/// The names of a quantiser's tensors in the order of the file: what is trained stands first. `outer` has the class.
fn variables(outer: &Json) -> &'static [&'static str] {
    let mode = outer["config"]["overflow_mode"].as_str().unwrap_or_default();
    let wraps = mode.eq_ignore_ascii_case("wrap");
    match (outer["config"]["q_type"].as_str().unwrap_or_default(), wraps) {
        ("kbi", true) => &["b", "k", "i"],
        ("kbi", false) => &["b", "i", "k"],
        ("kif", true) => &["f", "k", "i"],
        ("kif", false) => &["i", "f", "k"],
        ("float", _) => &["m", "e", "e0"],
        _ => &[],
    }
}

/// A quantiser of HGQ2.
#[derive(Debug, Clone)]
struct HgqQuantiser {
    kind: Kind,
    /// What values are divided by before, and multiplied by after.
    scaler: Option<f32>,
    /// Factor and summand behind it.
    affine: Option<[f32; 2]>,
}

/// What a quantiser of HGQ2 does.
#[derive(Debug, Clone)]
enum Kind {
    /// Nothing.
    Dummy,
    /// Fixed point.
    Fixed(Fixed),
    /// Bits of mantissa and exponent, and the exponent's offset.
    Float([Array<f32>; 3]),
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
        Ok(Some(outer))
    }

    /// The HGQ2 quantiser that the layer has under that role; `None` if it has none.
    ///
    /// # Errors
    /// A quantiser of an unknown kind or class.
    fn hgq_quantiser(&self, role: &str) -> Result<Option<HgqQuantiser>, Diagnostic> {
        let Some(outer) = self.quantiser_config(role)? else {
            return Ok(None);
        };
        let of = |why: &str| self.error(format!("its quantiser `{role}` {why}"));
        let class = Class::read(&outer)?.map(|class| class.name).unwrap_or_default();
        let config = outer.object("config")?.ok_or_else(|| of("has no configuration"))?;
        config.accept(TRAINING);
        let mut affine = match config.list("affine")? {
            None => None,
            Some(list) => match list.iter().map(Json::as_f64).collect::<Option<Vec<f64>>>().as_deref() {
                Some([factor, summand]) => Some([*factor as f32, *summand as f32]),
                _ => return Err(of("has an `affine` that is no pair of numbers")),
            },
        };
        // these classes keep to themselves what they fix
        let fixed_mode = match class.as_str() {
            "QuantizerConfig" => None,
            "HardTanhConfig" => Some("SAT"),
            "HardSigmoidConfig" => {
                affine = Some([0.25, 0.5]);
                Some("SAT")
            }
            _ => return Err(of(&format!("is of class {}, which is not supported", hdl::names::quoted(&class)))),
        };
        let scaler = config.finite("scaler")?.map(|s| s as f32);
        if scaler.is_some_and(|s| s <= 0.0) {
            return Err(of("has a `scaler` that is not positive"));
        }
        let kind = match config.text("q_type")?.unwrap_or_default() {
            "dummy" => Kind::Dummy,
            "float" => Kind::Float(self.float_parameters(role, &config)?),
            "kbi" | "kif" => Kind::Fixed(self.fixed_parameters(role, &config, fixed_mode)?),
            other => {
                return Err(of(&format!(
                    "is of kind {}, expected kbi, kif, float or dummy",
                    hdl::names::quoted(other)
                )));
            }
        };
        Ok(Some(HgqQuantiser { kind, scaler, affine }))
    }

    fn float_parameters(&self, role: &str, config: &Settings) -> Result<[Array<f32>; 3], Diagnostic> {
        config.accept(&FLOAT_TRAINING);
        let of = |name: &str| self.floats(&format!("{role}.{name}")).map(|v| v.map(|v| v.round_ties_even()));
        Ok([of("m")?, of("e")?, of("e0")?])
    }

    fn fixed_parameters(&self, role: &str, config: &Settings, mode: Option<&str>) -> Result<Fixed, Diagnostic> {
        let of = |why: &str| self.error(format!("its quantiser `{role}` {why}"));
        let round_mode = config.text("round_mode")?.unwrap_or_default().to_ascii_uppercase();
        let rounding = match round_mode.strip_prefix("S_").unwrap_or(&round_mode) {
            "TRN" => Rounding::Floor,
            "RND" => Rounding::HalfUp,
            "RND_CONV" => Rounding::HalfEven,
            "TRN_ZERO" => Rounding::TowardZero,
            "RND_ZERO" => Rounding::HalfTowardZero,
            "RND_MIN_INF" => Rounding::HalfDown,
            "RND_INF" => Rounding::HalfAwayFromZero,
            _ => return Err(of(&format!("rounds by `{round_mode}`, which is not known"))),
        };
        let given = mode.or(config.text("overflow_mode")?).unwrap_or_default().to_ascii_uppercase();
        let overflow = match given.as_str() {
            "WRAP" => Overflow::Wrap,
            "SAT" => Overflow::Saturate,
            "SAT_SYM" => Overflow::Symmetric,
            _ => {
                return Err(of(&format!("has the overflow mode `{given}`")).help("supported are WRAP, SAT and SAT_SYM"));
            }
        };
        let kind = config.text("q_type")?.unwrap_or_default().to_owned();
        let tensor = |name: &str| self.floats(&format!("{role}.{name}")).map(|v| v.map(|v| v.round_ties_even()));
        let (k, i) = (tensor("k")?, tensor("i")?);
        let misfit = || of("has tensors of different shapes");
        let f = match kind.as_str() {
            "kbi" => tensor("b")?.zip(&i, |b, i| b - i).ok_or_else(misfit)?,
            _ => tensor("f")?,
        };
        if k.shape != i.shape || i.shape != f.shape {
            return Err(misfit());
        }
        let formats: Option<Vec<Format>> =
            (0..k.values.len()).map(|n| Format::new(k.values[n], i.values[n], f.values[n], overflow)).collect();
        // what is not trained takes the general way; `kbi` also if it does not round upwards
        let trained = config.flag("trainable")?.unwrap_or(true);
        let upwards = kind != "kbi" || rounding == Rounding::HalfUp;
        let weight = config.flag("is_weight")?.unwrap_or(false);
        Ok(Fixed {
            shape: k.shape,
            formats: formats.ok_or_else(|| of("has formats of more than 24 bits"))?,
            rounding,
            overflow,
            rounds_weights_only: weight && trained && upwards && overflow == Overflow::Wrap,
        })
    }

    /// Weights through the HGQ2 quantiser that the layer has under that role; `None` if it has none.
    ///
    /// # Errors
    /// A quantiser that is not known or does not fit.
    pub(super) fn hgq_weights(&self, role: &str, numbers: &Array<f32>) -> Result<Option<Array<f32>>, Diagnostic> {
        let Some(quantiser) = self.hgq_quantiser(role)? else {
            return Ok(None);
        };
        let misfit = || self.error(format!("its quantiser `{role}` does not fit its tensor"));
        let scaled = numbers.map(|x| x / quantiser.scaler.unwrap_or(1.0));
        let mut values = match &quantiser.kind {
            Kind::Dummy => scaled,
            Kind::Fixed(fixed) => fixed.weights(&scaled).ok_or_else(misfit)?,
            Kind::Float(parameters) => {
                let each = parameters.iter().map(|p| p.stretched(&scaled.shape).ok_or_else(misfit));
                let each: Vec<Vec<f32>> = each.collect::<Result<_, _>>()?;
                let value = |(n, x): (usize, &f32)| small_float(*x, each[0][n], each[1][n], each[2][n]);
                let values: Option<Vec<f32>> = scaled.values.iter().enumerate().map(value).collect();
                let values = values.ok_or_else(|| {
                    self.error(format!(
                        "a number of its quantiser `{role}` is where the framework's rounding is uncertain"
                    ))
                })?;
                Array { shape: scaled.shape, values }
            }
        };
        if let Some(scaler) = quantiser.scaler {
            values = values.map(|x| x * scaler);
        }
        if let Some([factor, summand]) = quantiser.affine {
            values = values.map(|x| x * factor + summand);
        }
        Ok(Some(values))
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

    /// A tensor through the quantiser that `layer` has under `role`, if it has one.
    pub(super) fn hgq(&mut self, layer: &KerasLayer, role: &str, x: Real) -> Result<Real, Diagnostic> {
        let Some(quantiser) = layer.hgq_quantiser(role)? else {
            return Ok(x);
        };
        let name = format!("{}_{role}", layer.name);
        let one = |v: f32| Array::scalar(v);
        let x = match quantiser.scaler {
            Some(scaler) => self.step(&name, x, Step::Div(one(scaler)))?,
            None => x,
        };
        match &quantiser.kind {
            Kind::Dummy => {
                let scaled = quantiser.scaler.map(|s| Step::Mul(one(s)));
                scaled.into_iter().chain(quantiser.behind()).try_fold(x, |x, step| self.step(&name, x, step))
            }
            Kind::Float(_) => Err(layer
                .error(format!("its quantiser `{role}` makes floats of values, which is not supported"))
                .help("use a fixed-point quantiser for values; weights may be floats")),
            Kind::Fixed(fixed) if fixed.rounds_weights_only => Err(layer
                .error(format!("its quantiser `{role}` is one of weights, which HGQ2 does not wrap"))
                .help("give values a quantiser with another `place` than \"weight\", or one that saturates")),
            Kind::Fixed(fixed) => {
                let (integers, meaning) = quantiser.integers(fixed);
                self.quantise(&name, x, integers, meaning)
            }
        }
    }
}

impl HgqQuantiser {
    /// What follows behind it.
    fn behind(&self) -> Vec<Step> {
        let one = |v: f32| Array::scalar(v);
        self.affine.map_or_else(Vec::new, |[factor, summand]| vec![Step::Mul(one(factor)), Step::Add(one(summand))])
    }

    /// Its integers, and what they mean.
    fn integers(&self, fixed: &Fixed) -> (Quantiser, Meaning) {
        // elements without bits take the finest step there is, so that they need no other scale than the rest
        let finest = fixed.formats.iter().filter(|f| f.has_bits());
        let finest = finest.map(|f| f.frac).max().unwrap_or(0);
        let scale = |f: &Format| 2f32.powi(if f.has_bits() { -f.frac } else { -finest });
        let scaler = self.scaler.unwrap_or(1.0);
        let unit = fixed.array(|f| f64::from(scale(f)) * f64::from(scaler)).compact();
        (fixed.quantiser(scale), Meaning { unit, steps: self.behind() })
    }
}

/// A quantiser of fixed point, for who computes what it quantises.
pub(super) struct FixedPoint {
    /// What numbers are divided by before.
    pub scaler: f32,
    /// The integers.
    pub quantiser: Quantiser,
    /// What they mean.
    pub meaning: Meaning,
    /// The least and the greatest integer of each element; stretches.
    pub ranges: Array<(i64, i64)>,
}

impl KerasLayer {
    /// The quantiser of fixed point under that role; `None` if there is none.
    ///
    /// # Errors
    /// A quantiser of another kind, or one that is not known.
    pub(super) fn hgq_fixed_point(&self, role: &str) -> Result<Option<FixedPoint>, Diagnostic> {
        let Some(quantiser) = self.hgq_quantiser(role)? else {
            return Ok(None);
        };
        let Kind::Fixed(fixed) = &quantiser.kind else {
            return Err(self
                .error(format!("its quantiser `{role}` is of a kind that is not supported here"))
                .help("use a fixed-point quantiser, kbi or kif"));
        };
        let (integers, meaning) = quantiser.integers(fixed);
        let ranges = fixed.array(|f| (f.low as i64, f.high as i64));
        Ok(Some(FixedPoint { scaler: quantiser.scaler.unwrap_or(1.0), quantiser: integers, meaning, ranges }))
    }
}
