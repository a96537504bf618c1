//! HGQ2 quantisers in files: their configuration and tensors. Bits are trained as real numbers and rounded half to even.

use hdl::diag::Diagnostic;
use serde_json::Value as Json;

use super::KerasLayer;
use super::class::{Build, HGQ_KEYS, LayerClass, PLACE, WEIGHTS, none};
use super::dense::FOLDING;
use super::fixed::{Fixed, Format, Overflow, small_float};
use super::normalisation::Normalisation;
use super::origin::Class;
use super::quantiser::quantised;
use super::table::TABLES;
use super::weights::Layout;
use crate::import::lift::{Lift, Meaning, Real};
use crate::import::settings::{Known, Settings};
use crate::model::{Array, FloatRounding, Op, Step};

/// The quantisers that a layer with one operand may have.
const ROLES: [&str; 9] = ["exp_iq", "exp_oq", "inv_iq", "inv_oq", "iq", "kq", "bq", "oq", "quantizer"];

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
        known: &[TABLES],
        variables: none,
        build: Build::One(|lift, layer, x| lift.activated(layer, x, "activation")),
    },
    LayerClass {
        names: &["QSum", "QMeanPow2"],
        keys: &["axes", "scale", "keepdims"],
        known: &[],
        variables: none,
        build: Build::One(Lift::hgq_sum),
    },
    LayerClass {
        names: &["QBatchNormDense"],
        keys: &["use_bias", "activation", "epsilon", "scale", "center", "axis"],
        known: &[WEIGHTS, FOLDING, NORMALISED],
        variables: normalised_dense,
        build: Build::One(Lift::hgq_normalised_dense),
    },
];

/// What a normalisation inside a dense layer adds.
const NORMALISED: &[Known] = &[
    Known::any("parallelization_factor", "a hint for the hardware of others"),
    Known::any("bn_gamma_initializer", "values before training"),
    Known::any("bn_gamma_regularizer", "training"),
    Known::any("bn_gamma_constraint", "limits of weights during training"),
    Known::any("synchronized", "training"),
];

fn normalised_dense(config: &Settings) -> Vec<&'static str> {
    let gamma = (config.peek("scale") != false).then_some("gamma");
    ["kernel", "bias"]
        .into_iter()
        .chain(gamma)
        .chain(counted(config))
        .chain(["moving_mean", "moving_variance"])
        .collect()
}

/// What HGQ2 counts in a layer before it makes variables of its own.
pub(super) fn counted(config: &Settings) -> impl Iterator<Item = &'static str> + use<> {
    let counts = config.peek("enable_ebops") == true;
    ["beta", "ebops"].into_iter().filter(move |_| counts)
}

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
                _ => {}
            }
            let [.., owner, quantiser, name] = *parts.as_slice() else { return None };
            let suffix = |role: &str| match place(role) {
                (Some(table), role) => format!("_{table}_table_{role}"),
                (None, role) => format!("_{role}"),
            };
            let role = ROLES.iter().find(|role| owner.ends_with(&suffix(role))).copied();
            let role = role.or((!config.peek("config").is_null()).then_some("quantizer"))?;
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
            "TRN" => FloatRounding::Floor,
            "RND" => FloatRounding::HalfAbove,
            "RND_CONV" => FloatRounding::HalfEven,
            "TRN_ZERO" => FloatRounding::Down,
            "RND_ZERO" => FloatRounding::HalfDown,
            "RND_MIN_INF" => FloatRounding::HalfBelow,
            "RND_INF" => FloatRounding::HalfUp,
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
        let upwards = kind != "kbi" || rounding == FloatRounding::HalfAbove;
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

    /// The sum along axes, times a power of two; of a mean that which is nearest to one by the number of elements.
    fn hgq_sum(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        let shape = self.shape(&x).to_vec();
        let axes = layer.config.list("axes")?.map(<[Json]>::to_vec).unwrap_or_else(|| vec![Json::from(-1)]);
        let axes = axes.iter().map(|a| layer.axis(a.as_i64(), shape.len()));
        let axes: Vec<usize> = axes.collect::<Result<_, _>>()?;
        if axes.contains(&0) {
            return Err(layer.error("it sums over the samples of a batch"));
        }
        let count: usize = axes.iter().map(|a| shape[*a]).product();
        let scale = match layer.class.as_str() {
            "QMeanPow2" => 2f64.powf((1.0 / count as f64).log2().round_ties_even()),
            _ => layer.config.finite("scale")?.unwrap_or(1.0),
        };
        if scale <= 0.0 || scale.log2().fract() != 0.0 {
            return Err(layer.error(format!("its `scale` = {scale} is no power of two")));
        }
        let y = self.reduce(&layer.name, x, axes.clone(), Some(scale))?;
        if layer.config.flag("keepdims")? == Some(true) {
            return Ok(y);
        }
        let left = shape.iter().enumerate().filter(|(a, _)| !axes.contains(a)).map(|(_, e)| *e);
        let left: Vec<usize> = left.collect();
        self.moved(&layer.name, y, Op::Reshape { shape: left })
    }

    /// A dense layer that normalises its operand: rows of the kernel are scaled before they are quantised, and the means
    /// go into the bias through the kernel as it was.
    fn hgq_normalised_dense(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        let misfit = || layer.error("its parameters differ in shape");
        let (kernel, bias) = (layer.floats("kernel")?, layer.floats("bias")?);
        layer.config.flag("use_bias")?;
        layer.config.flag("center")?;
        let rank = self.shape(&x).len();
        layer.require_normalised_axis(rank - 1, rank)?;
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
        let Some(quantiser) = layer.hgq_quantiser(role)? else {
            return Ok(x);
        };
        let name = format!("{}_{role}", layer.name);
        let one = |v: f32| Array::scalar(v);
        let x = match quantiser.scaler {
            Some(scaler) => self.step(&name, x, Step::Div(one(scaler)))?,
            None => x,
        };
        let scaler = quantiser.scaler.unwrap_or(1.0);
        let mut after = Vec::new();
        if let Some([factor, summand]) = quantiser.affine {
            after.extend([Step::Mul(one(factor)), Step::Add(one(summand))]);
        }
        match &quantiser.kind {
            Kind::Dummy => {
                let scaled = quantiser.scaler.map(|s| Step::Mul(one(s)));
                scaled.into_iter().chain(after).try_fold(x, |x, step| self.step(&name, x, step))
            }
            Kind::Float(_) => Err(layer
                .error(format!("its quantiser `{role}` makes floats of values, which is not supported"))
                .help("use a fixed-point quantiser for values; weights may be floats")),
            Kind::Fixed(fixed) => {
                // elements without bits take the finest step there is, so that they need no other scale than the rest
                let finest = fixed.formats.iter().filter(|f| f.has_bits());
                let finest = finest.map(|f| f.frac).max().unwrap_or(0);
                let scale = |f: &Format| 2f32.powi(if f.has_bits() { -f.frac } else { -finest });
                let unit = fixed.array(|f| f64::from(scale(f)) * f64::from(scaler)).compact();
                self.quantise(&name, x, fixed.quantiser(scale), Meaning { unit, steps: after })
            }
        }
    }
}
