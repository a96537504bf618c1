//! QuantizeLinear and DequantizeLinear around a layer: read as the layer on integers that onnxruntime makes of them.
//!
//! A float sum of dequantised codes is not exact, so what it rounds to would depend on the order of its additions. onnxruntime
//! sums the codes as integers and rounds once, by the operators that [`super::integer`] reads.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::proto::{GraphProto, NodeProto, TensorProto};
use super::tensor::{self, Kind};

/// A layer on floats and the operator on integers in its place.
const LAYERS: [(&str, &str, &str); 4] = [
    ("Conv", "", "QLinearConv"),
    ("MatMul", "", "QLinearMatMul"),
    ("Gemm", "com.microsoft", "QGemm"),
    ("Add", "com.microsoft", "QLinearAdd"),
];

/// The nodes that compute and read each tensor.
struct Wiring<'a> {
    makers: HashMap<&'a str, &'a NodeProto>,
    uses: HashMap<&'a str, usize>,
    constants: HashMap<&'a str, &'a TensorProto>,
}

/// The graph's nodes, with each layer whose operands are all dequantised and whose result is quantised as one node.
pub(super) fn fused(graph: &GraphProto) -> Cow<'_, [NodeProto]> {
    let wiring = Wiring::of(graph);
    let mut replaced = HashMap::new();
    let mut gone = HashSet::new();
    for node in graph.node.iter().filter(|n| is(n, "QuantizeLinear")) {
        if let Some((made, inner)) = wiring.fused(node) {
            replaced.insert(node.output[0].as_str(), made);
            gone.extend(inner);
        }
    }
    if replaced.is_empty() {
        return Cow::Borrowed(&graph.node);
    }
    let first = |n: &NodeProto| n.output.first().cloned().unwrap_or_default();
    let kept = graph.node.iter().filter(|n| !gone.contains(first(n).as_str()));
    kept.map(|n| replaced.get(first(n).as_str()).unwrap_or(n).clone()).collect()
}

fn is(node: &NodeProto, operator: &str) -> bool {
    node.op_type == operator && matches!(node.domain.as_str(), "" | "ai.onnx")
}

/// Whether a float attribute is 1, its default.
fn is_one(node: &NodeProto, name: &str) -> bool {
    node.attribute.iter().all(|a| a.name != name || a.f == 1.0)
}

fn int(node: &NodeProto, name: &str, default: i64) -> i64 {
    node.attribute.iter().find(|a| a.name == name).map_or(default, |a| a.i)
}

impl<'a> Wiring<'a> {
    fn of(graph: &'a GraphProto) -> Self {
        let mut uses: HashMap<&str, usize> = HashMap::new();
        let read = graph.node.iter().flat_map(|n| &n.input).chain(graph.output.iter().map(|o| &o.name));
        read.for_each(|name| *uses.entry(name).or_default() += 1);
        let made = |n: &'a NodeProto| n.output.iter().map(move |name| (name.as_str(), n));
        Self {
            makers: graph.node.iter().flat_map(made).collect(),
            uses,
            constants: graph.initializer.iter().map(|t| (t.name.as_str(), t)).collect(),
        }
    }

    /// The node on integers in place of `last`, and the results of the nodes that it makes needless.
    fn fused(&self, last: &'a NodeProto) -> Option<(NodeProto, Vec<&'a str>)> {
        let [x, y_scale, y_zero] = last.input.as_slice() else { return None };
        let zero = self.byte(y_zero)?;
        let plain = last.attribute.iter().all(|a| a.name == "axis" || a.name == "saturate");
        if !plain || self.numbers(y_scale)?.len() != 1 {
            return None;
        }
        let mut layer = self.only_maker(x)?;
        let mut gone = vec![x.as_str()];
        if is(layer, "Relu") {
            // the least code stands for 0: the quantiser is a Relu itself
            let least = zero.limits()?.0;
            if self.numbers(y_zero)?.first().map(|z| *z as i64) != Some(least) {
                return None;
            }
            gone.push(layer.input.first()?);
            layer = self.only_maker(layer.input.first()?)?;
        }
        let &(_, domain, operator) = LAYERS.iter().find(|(name, ..)| is(layer, name))?;
        let a = self.codes(layer.input.first()?, None)?;
        let axis = match operator {
            "QLinearConv" => Some(0),
            "QLinearMatMul" => Some(1),
            "QGemm" => Some(1 - int(layer, "transB", 0)),
            _ => None,
        };
        let b = self.codes(layer.input.get(1)?, axis)?;
        if operator == "QLinearAdd" && (self.has_a_common_step(a, b)? || !layer.attribute.is_empty()) {
            return None;
        }
        let (a_kind, b_kind) = (self.byte(&a[2])?, self.byte(&b[2])?);
        if a_kind != zero || (a_kind == Kind::Int8 && b_kind != Kind::Int8) || !is_one(layer, "beta") {
            return None;
        }
        let bias = match layer.input.get(2).filter(|name| !name.is_empty()) {
            Some(name) if is_one(layer, "alpha") => Some(self.bias(name, a, b)?),
            Some(_) => return None,
            None => None,
        };
        let inputs: Vec<&String> = match operator {
            "QGemm" => a.iter().chain(b).collect(),
            _ => a.iter().chain(b).chain([y_scale, y_zero]).collect(),
        };
        let mut input: Vec<String> = inputs.into_iter().cloned().collect();
        match operator {
            "QGemm" => input.extend([bias.cloned().unwrap_or_default(), y_scale.clone(), y_zero.clone()]),
            _ => input.extend(bias.cloned()),
        }
        let attribute = layer.attribute.iter().filter(|a| a.name != "beta").cloned().collect();
        let made = NodeProto {
            input,
            output: last.output.clone(),
            name: layer.name.clone(),
            op_type: operator.into(),
            domain: domain.into(),
            attribute,
            ..Default::default()
        };
        Some((made, gone))
    }

    /// The node that computes a tensor which nothing else reads.
    fn only_maker(&self, name: &str) -> Option<&'a NodeProto> {
        self.makers.get(name).copied().filter(|_| self.uses.get(name) == Some(&1))
    }

    /// Codes, scale and zero point of a dequantised tensor; the scale is one number, or one for each index of `axis`.
    fn codes(&self, name: &str, axis: Option<i64>) -> Option<&'a [String]> {
        let node = self.makers.get(name).copied().filter(|n| is(n, "DequantizeLinear") && n.input.len() == 3)?;
        let each = self.numbers(&node.input[1])?.len() != 1;
        let along = |wanted: i64| int(node, "axis", 1) == wanted || (wanted == 1 && int(node, "axis", 1) == -1);
        let fits = !each || axis.is_some_and(along);
        (fits && node.attribute.iter().all(|a| a.name == "axis")).then_some(&node.input)
    }

    /// Whether the scales differ by a power of two, so that floats add such codes exactly.
    fn has_a_common_step(&self, a: &[String], b: &[String]) -> Option<bool> {
        let scale = |codes: &[String]| self.numbers(&codes[1])?.first().map(|s| f64::from(*s));
        Some((scale(a)? / scale(b)?).log2().fract() == 0.0)
    }

    /// The integers of a bias whose scale is the product of the operands' scales.
    fn bias(&self, name: &str, a: &[String], b: &[String]) -> Option<&'a String> {
        let node = self.makers.get(name).copied().filter(|n| is(n, "DequantizeLinear"))?;
        let scales = self.numbers(node.input.get(1)?)?;
        let (a, b) = (self.numbers(&a[1])?, self.numbers(&b[1])?);
        let same = |(s, b): (&f32, &f32)| (s - a[0] * b).abs() <= 1e-6 * s;
        let zero = node.input.get(2).filter(|z| !z.is_empty());
        let centred = zero.is_none_or(|z| self.numbers(z).is_some_and(|z| z.iter().all(|z| *z == 0.0)));
        (scales.len() == b.len() && scales.iter().zip(&b).all(same) && centred).then_some(&node.input[0])
    }

    /// The numbers of a tensor of the file.
    fn numbers(&self, name: &str) -> Option<Vec<f32>> {
        let (constant, _) = tensor::constant(self.constants.get(name)?).ok()?;
        Some(constant.as_float().values)
    }

    /// The data type of a zero point, if it is one of 8 bits.
    fn byte(&self, name: &str) -> Option<Kind> {
        let kind = Kind::of(self.constants.get(name)?.data_type).ok()?;
        matches!(kind, Kind::Uint8 | Kind::Int8).then_some(kind)
    }
}
