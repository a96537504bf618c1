//! HGQ2's attention: projections of queries, keys and values, shares of exponentials of their products, and a projection
//! of what they share out. Linformer's attention has fewer keys and values, which are projections along the sequence.
//!
//! The file has one configuration for all; its parts are the layers of which HGQ2 makes it.

use std::collections::BTreeMap;

use hdl::diag::Diagnostic;
use serde_json::{Map, Value as Json, json};

use super::KerasLayer;
use super::class::{Build, LayerClass, WEIGHTS, none};
use super::einsum::Equation;
use super::layer_calls::{Argument, Call};
use super::part::Folder;
use super::weights::Tensor;
use crate::import::keras::settings::Known;
use crate::import::lift::{Lift, Real};

/// Attentions.
pub(super) const CLASSES: &[LayerClass] = &[LayerClass {
    names: &["QMultiHeadAttention", "QLinformerAttention"],
    keys: &[&[
        "num_heads",
        "key_dim",
        "value_dim",
        "use_bias",
        "output_shape",
        "attention_axes",
        "stable_softmax",
        "fuse",
        "lin_kv_proj_dim",
        "share_kv_proj",
        "qkvo_iq_conf",
        "qkvo_kq_conf",
        "qkvo_bq_conf",
        "qkvo_oq_conf",
        "softmax_exp_iq_conf",
        "softmax_exp_oq_conf",
        "softmax_inv_iq_conf",
        "softmax_inv_oq_conf",
        "softmax_oq_conf",
        "enable_iq",
        "enable_oq",
    ]],
    known: &[WEIGHTS, HARMLESS],
    variables: none,
    build: Build::Called(Lift::hgq_attention),
}];

const HARMLESS: &[Known] = &[
    Known::any("dropout", "training"),
    Known::any("seed", "training"),
    Known::only("use_gate", &["false"], "HGQ2 has no gate"),
    Known::only("sliding_window", &["null"], "all keys are seen"),
    Known::any("softmax_iq_conf", "HGQ2 has no quantiser in front of the softmax"),
    Known::any("softmax_allow_heterogeneous_table", "the quantisers' tensors have the shape that follows from it"),
    Known::only("lin_kv_proj_mode", &["\"dense\""], "projections along the sequence are products"),
];

/// Where the parts stand.
const QUERY: Folder = Folder { numbered: "query_dense", named: "query", order: 0 };
const KEY: Folder = Folder { numbered: "key_dense", named: "key", order: 0 };
const VALUE: Folder = Folder { numbered: "value_dense", named: "value", order: 0 };
const OUTPUT: Folder = Folder { numbered: "output_dense", named: "attention_output", order: 0 };
const SOFTMAX: Folder = Folder { numbered: "_softmax", named: "q_softmax", order: 0 };
const SHORT_KEYS: Folder = Folder { numbered: "_lin_k_proj", named: "q_einsum_dense", order: 0 };
const SHORT_VALUES: Folder = Folder { numbered: "_lin_v_proj", named: "q_einsum_dense", order: 1 };

/// Letter `k` of an equation.
fn letter(k: usize) -> char {
    (b'a' + (k % 26) as u8) as char
}

/// `count` letters from `first` on.
fn letters(first: usize, count: usize) -> String {
    (first..first + count).map(letter).collect()
}

/// The equation of a product with a kernel of the last `bound` of an operand's axes, which become `brought` others, and
/// the axes of its bias.
fn projection(free: usize, bound: usize, brought: usize) -> (String, String) {
    let (kept, summed, new) = (letters(0, free), letters(free, bound), letters(free + bound, brought));
    (format!("{kept}{summed},{summed}{new}->{kept}{new}"), new)
}

/// The terms of the products of keys and queries: keys `[batch, …, head, depth]`, queries likewise, and scores. `rank` is
/// that of queries, `axes` those of the sequence.
fn attention_terms(rank: usize, axes: &[usize]) -> [String; 3] {
    let target = letters(0, rank);
    let in_batch = |a: &usize| !axes.contains(a) && *a != rank - 1;
    let sources = axes.iter().enumerate().map(|(k, a)| (*a, letter(rank + k)));
    let sources: BTreeMap<usize, char> = sources.collect();
    let source: String = (0..rank).map(|a| sources.get(&a).copied().unwrap_or(letter(a))).collect();
    let batch: String = (0..rank).filter(in_batch).map(letter).collect();
    let of = |list: &dyn Fn(usize) -> char| axes.iter().map(|a| list(*a)).collect::<String>();
    let scores = format!("{batch}{}{}", of(&letter), of(&|a| sources[&a]));
    [source, target, scores]
}

/// An attention as its configuration says it.
struct Attention<'l> {
    layer: &'l KerasLayer,
    has_bias: bool,
    has_iq: bool,
    has_oq: bool,
}

type Config = Map<String, Json>;

impl Attention<'_> {
    /// The configuration under `key`, if `there` is one.
    fn under(&self, key: &str, there: bool) -> Json {
        let config = self.layer.config.value(key);
        if there { config.clone() } else { Json::Null }
    }

    /// The configuration of a projection.
    fn dense(&self, equation: &str, bias: Option<&str>, [iq, oq]: [bool; 2]) -> Config {
        let config = json!({
            "equation": equation,
            "bias_axes": bias.filter(|_| self.has_bias),
            "activation": "linear",
            "enable_iq": iq,
            "iq_conf": self.under("qkvo_iq_conf", iq),
            "kq_conf": self.under("qkvo_kq_conf", true),
            "bq_conf": self.under("qkvo_bq_conf", bias.is_some() && self.has_bias),
            "oq_conf": self.under("qkvo_oq_conf", oq),
        });
        config.as_object().cloned().unwrap_or_default()
    }

    /// The configuration of the softmax along `axes`.
    fn softmax(&self, axes: &[usize]) -> Result<Config, Diagnostic> {
        let stable = self.layer.config.flag("stable_softmax")?.unwrap_or(true);
        let depth = self.layer.config.integer("key_dim")?.unwrap_or(1).max(1);
        // HGQ2 rounds and saturates tables so, whatever their configuration says
        let table = |key: &str| {
            let mut config = self.under(key, true);
            if config["config"].is_object() {
                config["config"]["overflow_mode"] = "SAT".into();
                config["config"]["round_mode"] = "RND_CONV".into();
            }
            config
        };
        let config = json!({
            "axes": axes,
            "stable": stable,
            "input_scaler": 1.0 / (depth as f64).sqrt(),
            "exp_iq_conf": self.under("softmax_exp_iq_conf", stable),
            "exp_oq_conf": table("softmax_exp_oq_conf"),
            "inv_iq_conf": self.under("softmax_inv_iq_conf", true),
            "inv_oq_conf": table("softmax_inv_oq_conf"),
            "oq_conf": self.under("softmax_oq_conf", true),
            "enable_oq": true,
            "enable_iq": false,
        });
        Ok(config.as_object().cloned().unwrap_or_default())
    }

    /// The projections of queries, keys and values. Those that are fused share a quantiser, which the file has once.
    fn projections(&self, ranks: [usize; 3]) -> Result<[KerasLayer; 3], Diagnostic> {
        let fused = self.layer.config.choice("fuse", &["none", "kv", "qkv"], "none")?;
        let parts = [("query", &QUERY, true), ("key", &KEY, false), ("value", &VALUE, true)];
        let mut read = Vec::new();
        for ((name, folder, has_bias), rank) in parts.into_iter().zip(ranks) {
            let (equation, bias) = projection(rank - 1, 1, 2);
            let config = self.dense(&equation, has_bias.then_some(&bias), [self.has_iq, true]);
            let tensors = self.layer.part_tensors(folder, "QEinsumDense", &config)?;
            read.push((name, config, tensors));
        }
        let shared = match fused {
            "qkv" => &["query", "key", "value"][..],
            "kv" => &["key", "value"],
            _ => &[],
        };
        let of_operand = |t: &BTreeMap<String, Tensor>| -> BTreeMap<String, Tensor> {
            t.iter().filter(|(name, _)| name.starts_with("iq.")).map(|(n, t)| (n.clone(), t.clone())).collect()
        };
        let owner =
            read.iter().filter(|(name, ..)| shared.contains(name)).map(|(.., t)| of_operand(t)).find(|q| !q.is_empty());
        for (_, _, tensors) in read.iter_mut().filter(|(name, ..)| shared.contains(name)) {
            tensors.extend(owner.clone().unwrap_or_default());
        }
        let layers =
            read.into_iter().map(|(name, config, tensors)| self.layer.part(name, "QEinsumDense", config, tensors));
        Ok(<[KerasLayer; 3]>::try_from(layers.collect::<Vec<_>>()).expect("three parts"))
    }
}

impl KerasLayer {
    /// Query, value and key of a call; a value that is not given is the query, and a key the value.
    fn attended(&self, call: Call<Real>) -> Result<[Real; 3], Diagnostic> {
        const NAMES: [&str; 3] = ["query", "value", "key"];
        let mut given: [Option<Real>; 3] = [None, None, None];
        let positional = call.positional.into_iter().enumerate();
        let positional = positional.map(|(k, a)| (NAMES.get(k).copied().unwrap_or("mask").to_owned(), a));
        for (name, argument) in positional.chain(call.keyword) {
            match (argument, NAMES.iter().position(|n| *n == name)) {
                (Argument::Tensor(x), Some(k)) if given[k].is_none() => given[k] = Some(x),
                (Argument::Constant(Json::Null | Json::Bool(false)), _) => {}
                _ => {
                    return Err(self
                        .error(format!("it is called with `{name}`, which is not supported"))
                        .help("supported are query, value and key; masks and scores as a result are not"));
                }
            }
        }
        let [query, value, key] = given;
        let query = query.ok_or_else(|| self.error("it has no query"))?;
        let value = value.unwrap_or_else(|| query.clone());
        let key = key.unwrap_or_else(|| value.clone());
        Ok([query, value, key])
    }

    /// The axes of the sequence, of operands with `rank` axes.
    fn attended_axes(&self, rank: usize) -> Result<Vec<usize>, Diagnostic> {
        let Some(list) = self.config.list("attention_axes")? else {
            return Ok((1..rank.saturating_sub(1)).collect());
        };
        let axis = |a: &Json| a.as_u64().map(|a| a as usize).filter(|a| (1..rank.saturating_sub(1)).contains(a));
        let axes: Option<Vec<usize>> = list.iter().map(axis).collect();
        axes.filter(|axes| !axes.is_empty() && axes.windows(2).all(|w| w[0] < w[1]))
            .ok_or_else(|| self.error("its `attention_axes` are not rising axes of a sequence"))
    }
}

impl Lift {
    fn hgq_attention(&mut self, layer: &KerasLayer, call: Call<Real>) -> Result<Real, Diagnostic> {
        let flag = |key: &str, default: bool| layer.config.flag(key).map(|f| f.unwrap_or(default));
        let attention = Attention {
            layer,
            has_bias: flag("use_bias", true)?,
            has_iq: flag("enable_iq", true)?,
            has_oq: flag("enable_oq", false)?,
        };
        let [query, mut value, mut key] = layer.attended(call)?;
        let ranks = [&query, &key, &value].map(|x| self.shape(x).len());
        if ranks.iter().any(|r| !(3..=8).contains(r)) {
            return Err(layer.error("its operands have no axis of a sequence"));
        }
        let axes = layer.attended_axes(ranks[2])?;
        if layer.class == "QLinformerAttention" {
            (value, key) = self.shortened(&attention, [value, key], &axes)?;
        }
        let [of_query, of_key, of_value] = attention.projections(ranks)?;
        let mut through = |part: &KerasLayer, x: Real| self.keras_single(part, one(x));
        let (query, key, value) = (through(&of_query, query)?, through(&of_key, key)?, through(&of_value, value)?);
        for (x, key_of_extent) in [(&query, "key_dim"), (&key, "key_dim"), (&value, "value_dim")] {
            let [.., heads, extent] = *self.shape(x) else {
                return Err(layer.error("its kernels have no heads"));
            };
            layer.agrees("num_heads", &[heads])?;
            layer.agrees(key_of_extent, &[extent])?;
        }
        let [source, target, scores] = attention_terms(ranks[2] + 1, &axes);
        let y = self.einsum_of(layer, [key, query], &format!("{source},{target}->{scores}"))?;
        let last: Vec<usize> = (scores.len() - axes.len()..scores.len()).collect();
        let config = attention.softmax(&last)?;
        let tensors = layer.part_tensors(&SOFTMAX, "QSoftmax", &config)?;
        let y = self.keras_single(&layer.part("softmax", "QSoftmax", config, tensors), one(y))?;
        let y = self.einsum_of(layer, [y, value], &format!("{scores},{source}->{target}"))?;
        let outputs = match layer.config.value("output_shape") {
            Json::Array(list) => list.len().max(1),
            _ => 1,
        };
        let (equation, bias) = projection(ranks[0] - 1, 2, outputs);
        let config = attention.dense(&equation, Some(&bias), [true, attention.has_oq]);
        let tensors = layer.part_tensors(&OUTPUT, "QEinsumDense", &config)?;
        self.keras_single(&layer.part("attention_output", "QEinsumDense", config, tensors), one(y))
    }

    /// Values and keys with fewer places along `axes`.
    fn shortened(
        &mut self,
        attention: &Attention,
        [value, key]: [Real; 2],
        axes: &[usize],
    ) -> Result<(Real, Real), Diagnostic> {
        let layer = attention.layer;
        layer.config.value("lin_kv_proj_dim");
        let rank = self.shape(&value).len();
        let (all, along): (String, String) = (letters(0, rank), axes.iter().map(|a| letter(*a)).collect());
        let new = letters(rank, axes.len());
        let place = |a: usize| axes.iter().position(|x| *x == a).map_or(letter(a), |k| letter(rank + k));
        let result: String = (0..rank).map(place).collect();
        let equation = format!("{all},{along}{new}->{result}");
        let shared = layer.config.flag("share_kv_proj")?.unwrap_or(false);
        let mut through = |name: &str, folder: &Folder, x: Real| {
            // its quantisers are there exactly if their tensors are: the configuration does not say it
            let both = attention.dense(&equation, None, [true, true]);
            let tensors = layer.part_tensors(folder, "QEinsumDense", &both)?;
            let has = |role: &str| tensors.keys().any(|name| name.starts_with(role));
            let config = attention.dense(&equation, None, [has("iq."), has("oq.")]);
            self.keras_single(&layer.part(name, "QEinsumDense", config, tensors), one(x))
        };
        let key = through("lin_key", &SHORT_KEYS, key)?;
        let value = through("lin_value", if shared { &SHORT_KEYS } else { &SHORT_VALUES }, value)?;
        Ok((value, key))
    }

    /// The product of two computed operands by an equation.
    fn einsum_of(&mut self, layer: &KerasLayer, operands: [Real; 2], text: &str) -> Result<Real, Diagnostic> {
        let rank = self.shape(&operands[0]).len();
        let equation = Equation::parse(text, rank).ok_or_else(|| layer.error("its operands have too many axes"))?;
        self.product(layer, operands, &equation)
    }
}

/// A call on one tensor.
fn one(x: Real) -> Call<Real> {
    Call { positional: vec![Argument::Tensor(x)], keyword: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equations_are_keras_own() {
        assert_eq!(projection(2, 1, 2), ("abc,cde->abde".to_owned(), "de".to_owned()));
        assert_eq!(projection(2, 2, 1), ("abcd,cde->abe".to_owned(), "e".to_owned()));
        assert_eq!(attention_terms(4, &[1]), ["aecd", "abcd", "acbe"].map(str::to_owned));
        assert_eq!(attention_terms(5, &[1, 2]), ["afgde", "abcde", "adbcfg"].map(str::to_owned));
        assert_eq!(attention_terms(5, &[2]), ["abfde", "abcde", "abdcf"].map(str::to_owned));
    }
}
