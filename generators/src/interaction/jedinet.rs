//! Trained JEDI-nets from JSON: `w1`, `b1` … `w9`, `b9` as flat arrays of real numbers.
//!
//! `w1`–`w3` are f_R, `w4`–`w6` f_O, `w7`–`w9` φ; layers that a network does not have are absent. A matrix lies row-major
//! `[input][output]`. ReLU follows every layer but the last. `input` and `target` may be there too, the events of the
//! training. The arrays may lie in an object `arrays`, beside which `origin` may say where they come from.

use hdl::num::Quantiser;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use hdl::diag::Diagnostic;
use hdl::names::quoted;
use serde::Deserialize;
use serde_json::Value as Json;

use super::mlp::{Layer, Mlp};
use super::network::Jedinet;
use crate::model::block::aggregate::{Aggregate, Aggregation};

/// Furthest that a weight may lie from a multiple of its last place to be taken as that multiple: half of the sixth
/// decimal that trained weights are published with, in units of 2^-7.
const PUBLISHED: f64 = 1e-6 * 128.0;

/// The formats of a whole network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Formats {
    /// Features.
    pub input: Quantiser,
    /// Weights and biases.
    pub weight: Quantiser,
    /// Accumulators of layers with ReLU.
    pub pre_activation: Quantiser,
    /// Behind a ReLU.
    pub relu: Quantiser,
    /// Results of layers without ReLU.
    pub result: Quantiser,
}

impl Formats {
    /// One format everywhere.
    pub fn uniform(format: Quantiser) -> Self {
        Self { input: format, weight: format, pre_activation: format, relu: format, result: format }
    }

    /// The formats of the published eight-particle network.
    pub fn eight_bits() -> Self {
        let format = |text: &str| text.parse().expect("a constant");
        Self {
            input: format("ap_fixed<12,4>"),
            weight: format("ap_fixed<8,1>"),
            pre_activation: format("ap_fixed<12,4>"),
            relu: format("ap_ufixed<8,0,RND,SAT>"),
            result: format("ap_fixed<16,6,RND,SAT>"),
        }
    }

    /// A layer of these formats.
    pub fn layer(&self, weights: Vec<Vec<i64>>, bias: Vec<i64>, relu: bool) -> Layer {
        Layer {
            weight: self.weight,
            weights,
            bias,
            pre_activation: if relu { self.pre_activation } else { self.result },
            relu: relu.then_some(self.relu),
        }
    }
}

/// Whether this is such a file.
pub fn recognise(json: &Json) -> bool {
    arrays(json).get("w1").is_some()
}

fn arrays(json: &Json) -> &Json {
    json.get("arrays").unwrap_or(json)
}

/// The network, its weights rounded to nearest.
///
/// Without a format the weights must be the eight-bit network's, multiples of 2^-7 below 1; without a number of
/// particles the file must hold its training inputs, from which it follows.
///
/// # Errors
/// Arrays that are missing or of the wrong size, weights that do not fit their format.
pub fn import(json: &Json, particles: Option<usize>, format: Option<Quantiser>) -> Result<Jedinet, Diagnostic> {
    let arrays = named_arrays(json)?;
    let file = File {
        arrays: &arrays,
        formats: match format {
            Some(format) => Formats::uniform(format),
            None => Formats::eight_bits(),
        },
    };
    if format.is_none() {
        file.check_eight_bits()?;
    }
    let relation = file.block(1..=3)?;
    let object = file.block(4..=6)?;
    let classifier = file.block(7..=9)?;
    let features = relation.inputs() / 2;
    let particles = match particles {
        Some(particles) => particles,
        None => file.particles(features)?,
    };
    let sum = Aggregate { how: Aggregation::Sum, quantiser: None };
    Ok(Jedinet {
        particles,
        features,
        input: file.formats.input,
        edges: None,
        aggregate: sum,
        relation,
        object,
        pool: sum,
        classifier,
    })
}

/// A file with its arrays in an object of their own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Packed {
    #[serde(default, rename = "origin")]
    _origin: Option<String>,
    arrays: BTreeMap<String, Vec<f64>>,
}

/// The arrays by name.
///
/// # Errors
/// Anything that is none of the arrays of such a network.
fn named_arrays(json: &Json) -> Result<BTreeMap<String, Vec<f64>>, Diagnostic> {
    let arrays = match json.get("arrays") {
        Some(_) => Packed::deserialize(json).map(|packed| packed.arrays),
        None => BTreeMap::deserialize(json),
    };
    let arrays = arrays.map_err(|e| Diagnostic::error("model", format!("the weights: {e}")))?;
    let known = |name: &str| match name.as_bytes() {
        [b'w' | b'b', number] => (b'1'..=b'9').contains(number),
        _ => matches!(name, "input" | "target"),
    };
    match arrays.keys().find(|name| !known(name)) {
        None => Ok(arrays),
        Some(name) => Err(Diagnostic::error("model", format!("the array {} is not known", quoted(name)))
            .help("known are w1, b1 to w9, b9, and input and target")),
    }
}

struct File<'a> {
    arrays: &'a BTreeMap<String, Vec<f64>>,
    formats: Formats,
}

impl File<'_> {
    fn check_eight_bits(&self) -> Result<(), Diagnostic> {
        let on_grid = |v: &f64| (v * 128.0 - (v * 128.0).round()).abs() <= PUBLISHED;
        let is_parameter = |name: &str| name.starts_with(['w', 'b']);
        let named = self.arrays.iter().filter(|(name, _)| is_parameter(name));
        match named.flat_map(|(n, a)| a.iter().map(move |v| (n, v))).find(|(_, v)| !on_grid(v)) {
            None => Ok(()),
            Some((name, value)) => {
                let message = format!("{value} in `{name}` is no multiple of 2^-7");
                Err(Diagnostic::error("model", message)
                    .help("say which number format to round to, such as --format ap_fixed<24,12>"))
            }
        }
    }

    /// N, from the events that the file holds with their one-hot targets or classes.
    fn particles(&self, features: usize) -> Result<usize, Diagnostic> {
        let length = |name: &str| self.arrays.get(name).map(Vec::len);
        match (length("input"), length("target")) {
            (Some(inputs), Some(events)) if events * features > 0 && inputs % (events * features) == 0 => {
                Ok(inputs / (events * features))
            }
            _ => {
                let message = "the file does not say how many particles a jet has";
                Err(Diagnostic::error("model", message).help("say it with --nodes"))
            }
        }
    }

    fn block(&self, numbers: RangeInclusive<usize>) -> Result<Mlp, Diagnostic> {
        let is_there = |k: &usize| self.arrays.contains_key(&format!("w{k}"));
        let layers = numbers.clone().filter(is_there).map(|k| self.layer(k));
        let layers: Vec<Layer> = layers.collect::<Result<_, _>>()?;
        if layers.is_empty() {
            let message = format!("there is no array `w{}`", numbers.start());
            return Err(Diagnostic::error("model", message).help("expected w1…w3, w4…w6 and w7…w9 with their biases"));
        }
        Ok(Mlp { layers })
    }

    fn layer(&self, k: usize) -> Result<Layer, Diagnostic> {
        let integers = |name: String| -> Result<Vec<i64>, Diagnostic> {
            let missing = || Diagnostic::error("model", format!("there is no array `{name}`"));
            let array = self.arrays.get(&name).ok_or_else(missing)?;
            let integer = |v: &f64| {
                self.formats.weight.nearest(*v).ok_or_else(|| {
                    let format = self.formats.weight;
                    Diagnostic::error("model", format!("{v} in `{name}` does not fit {format}"))
                })
            };
            array.iter().map(integer).collect()
        };
        let (flat, bias) = (integers(format!("w{k}"))?, integers(format!("b{k}"))?);
        let outputs = bias.len();
        if outputs == 0 || !flat.len().is_multiple_of(outputs) {
            let message = format!("`w{k}` has {} entries, `b{k}` {outputs}", flat.len());
            return Err(Diagnostic::error("model", message));
        }
        let row = |o: usize| flat.iter().skip(o).step_by(outputs).copied().collect();
        let last = (k + 1..=9).all(|later| !self.arrays.contains_key(&format!("w{later}")));
        Ok(self.formats.layer((0..outputs).map(row).collect(), bias, !last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json() -> Json {
        serde_json::json!({
            "w1": [0.5, -0.25], "b1": [0.0078125],
            "w4": [0.5, 0.25], "b4": [0.0],
            "w7": [-1.0, 0.5], "b7": [0.0, 0.0],
        })
    }

    #[test]
    fn a_small_network() {
        let network = import(&json(), Some(3), None).unwrap();
        assert_eq!((network.features, network.particles), (1, 3));
        assert_eq!(network.relation.layers[0].weights, [[64, -32]]);
        assert_eq!(network.classifier.layers[0].weights, [[-128], [64]]);
        assert_eq!(network.classifier.layers[0].relu, None);
        assert!(network.object.layers[0].relu.is_some());
    }

    #[test]
    fn mistakes_are_named() {
        let error = |change: &dyn Fn(&mut Json)| {
            let mut json = json();
            change(&mut json);
            import(&json, Some(3), None).unwrap_err().message
        };
        assert!(error(&|j| j["w1"][0] = 0.3.into()).contains("no multiple of 2^-7"));
        assert!(error(&|j| j["w1"][0] = 2.into()).contains("does not fit"));
        assert!(error(&|j| j["b1"] = serde_json::json!([])).contains("`w1` has 2 entries"));
        assert!(error(&|j| drop(j.as_object_mut().unwrap().remove("w4"))).contains("no array"));
        assert!(error(&|j| j["w10"] = serde_json::json!([0.5])).contains("`w10` is not known"));
        assert!(error(&|j| j["w1"] = "none".into()).contains("the weights"));
        let packed = |other: &str| {
            let json = serde_json::json!({ "arrays": json(), "origin": "here", other: "said" });
            import(&json, Some(3), None).map_err(|d| d.message)
        };
        assert!(packed("origin").is_ok());
        assert!(packed("formats").unwrap_err().contains("unknown field `formats`"));
        assert!(import(&json(), None, None).unwrap_err().message.contains("how many particles"));
    }
}
