//! The networks as integers, their shapes and their ports. As JSON, `kind` says which one it is.

use std::collections::BTreeMap;
use std::ops::Range;

use hdl::diag::Diagnostic;
use hdl::num::{Format, Quantiser};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::mlp::Mlp;
use super::sigmoid::Sigmoid;
use crate::model::block::aggregate::{Aggregate, Aggregation, MOST_MEMBERS};
use crate::model::block::windows::{Windows, check_windows};

/// An interaction network or a set network, as `hwgen interaction --model` reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Network {
    /// Pairs of particles, a graph that is known beforehand.
    Jedinet(Jedinet),
    /// Hits and candidate segments, the edge list is an input.
    Tracking(Tracking),
    /// A set without edges.
    DeepSets(DeepSets),
}

/// JEDI-net (arXiv:1908.05318): `φ(Σ_i f_O([x_i, Σ_j f_R([x_i, x_j])]))` over the edges `j → i` of a static graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Jedinet {
    /// Particles N.
    pub particles: usize,
    /// Features of each.
    pub features: usize,
    /// Format of a feature.
    pub input: Quantiser,
    /// `[receiver, sender]` of each edge; none stands for all N·(N−1) ordered pairs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edges: Option<Vec<[usize; 2]>>,
    /// Over the edges of a receiver.
    pub aggregate: Aggregate,
    /// f_R on `[x_receiver, x_sender]`.
    pub relation: Mlp,
    /// f_O on `[x, aggregate]`.
    pub object: Mlp,
    /// Over the particles.
    pub pool: Aggregate,
    /// φ.
    pub classifier: Mlp,
}

/// The edge classifier (arXiv:2103.16701): R1, aggregation, O, R2 and a sigmoid.
///
/// An edge is live if it is valid and both its indices name nodes of its windows, or any nodes without
/// [`Tracking::windows`]. With [`Tracking::sorted`] it is not live either if its receiver comes before that of an earlier
/// live edge with the same window of receivers. An edge that is not live adds nothing to any aggregate, and its result
/// is 0. A node that no live edge names changes no result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tracking {
    /// Hits of an event, dummies included.
    pub nodes: usize,
    /// Candidate segments of an event, dummies included.
    pub edges: usize,
    /// Features of a node.
    pub node_features: usize,
    /// Features of an edge.
    pub edge_features: usize,
    /// Format of every feature.
    pub input: Quantiser,
    /// Nodes that an edge may connect; none lets every edge connect any two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<Windows>,
    /// Whether the edges are promised to come in the order of their receivers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sorted: bool,
    /// R1 on `[x_receiver, x_sender, e]`.
    pub relation: Mlp,
    /// Over the live edges of a receiver.
    pub aggregate: Aggregate,
    /// O on `[x, aggregate]`.
    pub object: Mlp,
    /// R2 on `[x'_receiver, x'_sender, e']`, one output.
    pub score: Mlp,
    /// From R2's output to the edge weight.
    pub sigmoid: Sigmoid,
}

/// Deep Sets (arXiv:1703.06114): `ρ(aggregate_i φ(x_i))`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeepSets {
    /// Elements of a set, dummies included.
    pub particles: usize,
    /// Features of each.
    pub features: usize,
    /// Format of a feature.
    pub input: Quantiser,
    /// Whether an input says which elements are there.
    pub masked: bool,
    /// φ on an element.
    pub element: Mlp,
    /// Over the elements that are there.
    pub aggregate: Aggregate,
    /// ρ on the aggregate.
    pub classifier: Mlp,
}

/// An input port: elements of one format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputPort {
    /// Name.
    pub name: &'static str,
    /// Elements.
    pub count: usize,
    /// Format of each.
    pub format: Format,
}

/// A perceptron of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block<'n> {
    /// What it is called.
    pub name: &'static str,
    /// Its layers.
    pub mlp: &'n Mlp,
    /// The formats of what goes in.
    pub inputs: Vec<Format>,
}

impl<'n> Block<'n> {
    /// The block and the formats of what comes out.
    fn checked(name: &'static str, mlp: &'n Mlp, inputs: Vec<Format>) -> Result<(Self, Vec<Format>), Diagnostic> {
        let outputs = mlp.validate(name, &inputs)?;
        Ok((Self { name, mlp, inputs }, outputs))
    }
}

impl Jedinet {
    /// The senders of each receiver, in the order of the edges.
    pub fn senders(&self) -> Vec<Vec<usize>> {
        let all = 0..self.particles;
        match &self.edges {
            None => all.clone().map(|i| all.clone().filter(|j| *j != i).collect()).collect(),
            Some(edges) => {
                let mut senders = vec![Vec::new(); self.particles];
                for &[receiver, sender] in edges {
                    senders[receiver].push(sender);
                }
                senders
            }
        }
    }

    /// Whether the sum over all senders needs no pair: f_R is linear, and every particle sends to every other.
    ///
    /// Then `Σ_{j≠i} f_R([x_i, x_j]) = ((N−1)·W_r − W_s)·x_i + W_s·Σ_j x_j + (N−1)·b`, which takes N matrix products
    /// (JEDI-linear, arXiv:2508.15468).
    pub fn is_linear(&self) -> bool {
        let ends = vec![self.input.format(); 2 * self.features];
        let linear = matches!(&self.relation.layers[..], [only] if only.is_linear(&ends));
        linear && self.edges.is_none() && self.aggregate.how == Aggregation::Sum
    }

    pub(super) fn blocks(&self) -> Result<Vec<Block<'_>>, Diagnostic> {
        limited("particles", self.particles)?;
        limited("features", self.features)?;
        let pairs = self.particles * (self.particles - 1);
        limited_pairs(self.edges.as_ref().map_or(pairs, Vec::len))?;
        let named = self.edges.iter().flatten().flatten().find(|v| **v >= self.particles);
        if let Some(bad) = named {
            let message = format!("an edge names particle {bad} of {}", self.particles);
            return Err(Diagnostic::error("model", message).help("particles are counted from 0"));
        }
        let x = vec![self.input.format(); self.features];
        let ends = [&x[..], &x[..]].concat();
        let (relation, messages) = Block::checked("relation", &self.relation, ends)?;
        let most = self.senders().iter().map(Vec::len).max().unwrap_or(0);
        let aggregate = self.aggregate.formats(&messages, most)?;
        let inputs = [x, aggregate].concat();
        let (object, objects) = Block::checked("object", &self.object, inputs)?;
        let pooled = self.pool.formats(&objects, self.particles)?;
        let (classifier, _) = Block::checked("classifier", &self.classifier, pooled)?;
        Ok(vec![relation, object, classifier])
    }
}

impl Windows {
    /// The windows of a barrel; none for a single layer, which stands for hits that are connected at will.
    ///
    /// # Errors
    /// Those of [`Windows::between_layers`].
    pub fn of_layers(nodes: usize, edges: usize, layers: usize) -> Result<Option<Self>, Diagnostic> {
        match layers {
            1 => Ok(None),
            layers => Self::between_layers(nodes, edges, layers).map(Some),
        }
    }

    /// Layers of equally many hits, edges shared out evenly over the pairs of neighbours, from the inner one outwards.
    ///
    /// # Errors
    /// Sizes that no design can have, nodes that cannot be shared out over so many layers.
    pub fn between_layers(nodes: usize, edges: usize, layers: usize) -> Result<Self, Diagnostic> {
        limited("nodes", nodes)?;
        limited("edges", edges)?;
        if layers < 2 || !nodes.is_multiple_of(layers) {
            let message = format!("{nodes} nodes cannot be shared out over {layers} layers");
            return Err(Diagnostic::error("model", message)
                .help("choose layers, two at least, whose number divides that of the nodes"));
        }
        let size = nodes / layers;
        let pair = |k: usize| k * (layers - 1) / edges;
        Ok(Self {
            size,
            receivers: (0..edges).map(|k| (pair(k) + 1) * size).collect(),
            senders: (0..edges).map(|k| pair(k) * size).collect(),
        })
    }
}

impl Tracking {
    /// Whether edge `k` may connect these nodes.
    pub fn connects(&self, k: usize, receiver: usize, sender: usize) -> bool {
        let [to, from] = self.windows_of(k);
        to.contains(&receiver) && from.contains(&sender)
    }

    /// Receiver and sender of each edge, none of those that are not live.
    pub fn live_ends(&self, senders: &[i64], receivers: &[i64], valid: &[i64]) -> Vec<Option<(usize, usize)>> {
        // the receiver of the last live edge of each window
        let mut last = BTreeMap::new();
        let ends = |k: usize| {
            let [receiver, sender] = [receivers[k] as usize, senders[k] as usize];
            let before = last.entry(self.windows_of(k)[0].start).or_insert(0);
            let in_order = !self.sorted || receiver >= *before;
            let live = valid[k] == 1 && self.connects(k, receiver, sender) && in_order;
            live.then(|| {
                *before = receiver;
                (receiver, sender)
            })
        };
        (0..self.edges).map(ends).collect()
    }

    /// The nodes that edge `k` may have as its receiver and as its sender.
    pub fn windows_of(&self, k: usize) -> [Range<usize>; 2] {
        match &self.windows {
            None => [0..self.nodes, 0..self.nodes],
            Some(w) => [w.receivers[k], w.senders[k]].map(|first| first..first + w.size),
        }
    }

    fn check_windows(&self) -> Result<(), Diagnostic> {
        let Some(windows) = &self.windows else {
            return Ok(());
        };
        let Windows { size, receivers, senders } = windows;
        let counts = [receivers.len(), senders.len()];
        if counts != [self.edges; 2] {
            let message = format!("{counts:?} windows of receivers and senders for {} edges", self.edges);
            return Err(Diagnostic::error("model", message));
        }
        let firsts = receivers.iter().chain(senders);
        check_windows(*size, firsts, self.nodes).map_err(|message| Diagnostic::error("model", message))
    }

    /// Bits of a node index.
    pub fn index_bits(&self) -> u32 {
        (usize::BITS - (self.nodes - 1).leading_zeros()).max(1)
    }

    pub(super) fn blocks(&self) -> Result<Vec<Block<'_>>, Diagnostic> {
        limited("nodes", self.nodes)?;
        limited("edges", self.edges)?;
        limited("node_features", self.node_features)?;
        limited("edge_features", self.edge_features)?;
        self.check_windows()?;
        let window = self.windows.as_ref().map_or(self.nodes, |w| w.size);
        limited_pairs(self.edges * window)?;
        let x = vec![self.input.format(); self.node_features];
        let e = vec![self.input.format(); self.edge_features];
        let ends = [&x[..], &x[..], &e[..]].concat();
        let (relation, messages) = Block::checked("relation", &self.relation, ends)?;
        let aggregate = self.aggregate.formats(&messages, self.edges)?;
        let inputs = [x, aggregate].concat();
        let (object, objects) = Block::checked("object", &self.object, inputs)?;
        let ends = [&objects[..], &objects[..], &messages[..]].concat();
        let (score, scores) = Block::checked("score", &self.score, ends)?;
        if scores.len() != 1 {
            let message = format!("`score` gives {} numbers, expected one", scores.len());
            return Err(Diagnostic::error("model", message));
        }
        self.sigmoid.validate()?;
        Ok(vec![relation, object, score])
    }
}

impl DeepSets {
    pub(super) fn blocks(&self) -> Result<Vec<Block<'_>>, Diagnostic> {
        limited("particles", self.particles)?;
        limited("features", self.features)?;
        let x = vec![self.input.format(); self.features];
        let (element, elements) = Block::checked("element", &self.element, x)?;
        let pooled = self.aggregate.formats(&elements, self.particles)?;
        let (classifier, _) = Block::checked("classifier", &self.classifier, pooled)?;
        Ok(vec![element, classifier])
    }
}

/// Most pairs of a graph, or of an edge and a node that it may reach: more fit no chip, and not into memory.
const MOST_PAIRS: usize = 1 << 20;

/// An error if a graph has more pairs than any design can hold.
fn limited_pairs(count: usize) -> Result<(), Diagnostic> {
    if count <= MOST_PAIRS {
        return Ok(());
    }
    let message = format!("{count} pairs to be connected; at most {MOST_PAIRS} are supported");
    Err(Diagnostic::error("model", message))
}

/// An error unless there is at least one, and not more than any design can hold.
pub fn limited(what: &str, count: usize) -> Result<(), Diagnostic> {
    if (1..=MOST_MEMBERS).contains(&count) {
        return Ok(());
    }
    let message = format!("{count} {what}; expected 1 to {MOST_MEMBERS}");
    Err(Diagnostic::error("model", message))
}

/// The schema of a network in JSON (JSON Schema, draft 2020-12).
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Network).to_value()
}

impl Network {
    /// An error unless shapes, formats and integers fit each other.
    pub fn validate(&self) -> Result<(), Diagnostic> {
        self.blocks().map(drop)
    }

    /// Its perceptrons.
    ///
    /// # Errors
    /// Shapes, formats or integers that do not fit each other.
    pub fn blocks(&self) -> Result<Vec<Block<'_>>, Diagnostic> {
        match self {
            Self::Jedinet(network) => network.blocks(),
            Self::Tracking(network) => network.blocks(),
            Self::DeepSets(network) => network.blocks(),
        }
    }

    /// The input ports in order.
    pub fn inputs(&self) -> Vec<InputPort> {
        let port = |name, count, format| InputPort { name, count, format };
        match self {
            Self::Jedinet(n) => {
                vec![port("particles", n.particles * n.features, n.input.format())]
            }
            Self::Tracking(n) => {
                let index = Format::unsigned(n.index_bits(), 0).expect("a few bits");
                vec![
                    port("nodes", n.nodes * n.node_features, n.input.format()),
                    port("edges", n.edges * n.edge_features, n.input.format()),
                    port("sender", n.edges, index),
                    port("receiver", n.edges, index),
                    port("valid", n.edges, Format::BIT),
                ]
            }
            Self::DeepSets(n) => {
                let mask = n.masked.then(|| port("valid", n.particles, Format::BIT));
                let particles = port("particles", n.particles * n.features, n.input.format());
                std::iter::once(particles).chain(mask).collect()
            }
        }
    }

    /// The rows and columns of each input port.
    pub fn input_shapes(&self) -> Vec<Vec<usize>> {
        match self {
            Self::Jedinet(n) => vec![vec![n.particles, n.features]],
            Self::Tracking(n) => {
                let per_edge = vec![n.edges];
                let features = [vec![n.nodes, n.node_features], vec![n.edges, n.edge_features]];
                features.into_iter().chain(vec![per_edge; 3]).collect()
            }
            Self::DeepSets(n) => {
                let mask = n.masked.then(|| vec![n.particles]);
                std::iter::once(vec![n.particles, n.features]).chain(mask).collect()
            }
        }
    }

    /// The integers of the output port for those of all input ports, one after the other.
    ///
    /// # Errors
    /// A network that does not fit together, or an event that does not fit its ports.
    pub fn evaluate(&self, event: &[i64]) -> Result<Vec<i64>, Diagnostic> {
        self.staged()?.evaluate(event)
    }

    /// Fraction bits of every output.
    pub fn output_frac(&self) -> i32 {
        let last = |mlp: &Mlp| mlp.layers.last().map_or(0, |layer| layer.output().frac);
        match self {
            Self::Jedinet(n) => last(&n.classifier),
            Self::Tracking(n) => n.sigmoid.output.frac,
            Self::DeepSets(n) => last(&n.classifier),
        }
    }

    /// Name and elements of the output port.
    pub fn output(&self) -> (&'static str, usize) {
        match self {
            Self::Jedinet(n) => ("scores", n.classifier.outputs()),
            Self::Tracking(n) => ("weights", n.edges),
            Self::DeepSets(n) => ("scores", n.classifier.outputs()),
        }
    }
}
