//! Networks with random weights, and random events with the corners of every format among them.

use hdl::diag::Diagnostic;
use hdl::num::Quantiser;

use super::jedinet::Formats;
use super::mlp::Mlp;
use super::network::{DeepSets, InputPort, Jedinet, Network, Tracking, limited};
use super::sigmoid::Sigmoid;
use crate::model::block::aggregate::{Aggregate, Aggregation};
use crate::model::block::windows::Windows;

/// Which network, of which size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Particles or hits.
    pub nodes: usize,
    /// Candidate segments; only for the edge classifier.
    pub edges: usize,
    /// Features of a particle or hit.
    pub features: usize,
    /// Layers of hits, whose neighbours alone are connected; 1 lets every edge connect any two. Only for the edge
    /// classifier.
    pub layers: usize,
    /// Whether edges come in the order of their receivers. Only for the edge classifier.
    pub sorted: bool,
    /// Over edges; over elements for a set.
    pub aggregation: Aggregation,
    /// Everywhere.
    pub format: Quantiser,
    /// Seed of the weights.
    pub seed: u64,
}

/// Features of a candidate segment.
const EDGE_FEATURES: usize = 4;
/// Classes of a jet.
const CLASSES: usize = 5;

impl Shape {
    /// The edge classifier of the published tracking networks (arXiv:2112.02048): 10→8→8→4, 7→8→8→3, 10→8→8→1 for
    /// three features.
    ///
    /// # Errors
    /// Sizes and formats that no network can have.
    pub fn tracking(&self) -> Result<Network, Diagnostic> {
        let mut random = self.weights()?;
        let (features, message, object) = (self.features, 4, 3);
        let ends = 2 * features + EDGE_FEATURES;
        let network = Network::Tracking(Tracking {
            nodes: self.nodes,
            edges: self.edges,
            node_features: features,
            edge_features: EDGE_FEATURES,
            input: self.format,
            windows: Windows::of_layers(self.nodes, self.edges, self.layers)?,
            sorted: self.sorted,
            relation: self.mlp(&mut random, &[ends, 8, 8, message]),
            aggregate: self.aggregate(),
            object: self.mlp(&mut random, &[features + message, 8, 8, object]),
            score: self.mlp(&mut random, &[2 * object + message, 8, 8, 1]),
            sigmoid: Sigmoid::new(
                "ap_fixed<10,4,RND,SAT>".parse().expect("a constant"),
                "ap_ufixed<8,0,RND,SAT>".parse().expect("a constant"),
            )?,
        });
        network.validate()?;
        Ok(network)
    }

    /// A JEDI-net of the published eight-particle shape: f_R 2P→12→6, f_O (P+6)→36→18→6, φ 6→170→5.
    ///
    /// # Errors
    /// Sizes and formats that no network can have.
    pub fn jedinet(&self) -> Result<Network, Diagnostic> {
        let mut random = self.weights()?;
        let network = Network::Jedinet(Jedinet {
            particles: self.nodes,
            features: self.features,
            input: self.format,
            edges: None,
            aggregate: self.aggregate(),
            relation: self.mlp(&mut random, &[2 * self.features, 12, 6]),
            object: self.mlp(&mut random, &[self.features + 6, 36, 18, 6]),
            pool: Aggregate { how: Aggregation::Sum, quantiser: None },
            classifier: self.mlp(&mut random, &[6, 170, CLASSES]),
        });
        network.validate()?;
        Ok(network)
    }

    /// A JEDI-net whose f_R is linear, so that it takes linear time (JEDI-linear, arXiv:2508.15468): f_R 2P→8,
    /// f_O (P+8)→32→16, φ 16→32→5.
    ///
    /// # Errors
    /// Sizes and formats that no network can have; sums of f_R too wide for a number format.
    pub fn jedi_linear(&self) -> Result<Network, Diagnostic> {
        let mut random = self.weights()?;
        let mut relation = self.mlp(&mut random, &[2 * self.features, 8]);
        let ends = vec![self.format.format(); 2 * self.features];
        relation.validate("relation", &ends)?;
        let exact = relation.layers[0].sum_format(&ends).and_then(Quantiser::holding);
        relation.layers[0].pre_activation = exact.ok_or_else(|| {
            Diagnostic::error("model", "the sums of f_R are too wide for a number format")
                .help("choose a narrower one with --format")
        })?;
        let network = Network::Jedinet(Jedinet {
            particles: self.nodes,
            features: self.features,
            input: self.format,
            edges: None,
            aggregate: Aggregate { how: Aggregation::Sum, quantiser: Some(self.format) },
            relation,
            object: self.mlp(&mut random, &[self.features + 8, 32, 16]),
            pool: Aggregate { how: Aggregation::Sum, quantiser: None },
            classifier: self.mlp(&mut random, &[16, 32, CLASSES]),
        });
        network.validate()?;
        Ok(network)
    }

    /// A Deep Set P→32→32→16, ρ 16→32→5, with a mask.
    ///
    /// # Errors
    /// Sizes and formats that no network can have.
    pub fn deep_sets(&self) -> Result<Network, Diagnostic> {
        let mut random = self.weights()?;
        let network = Network::DeepSets(DeepSets {
            particles: self.nodes,
            features: self.features,
            input: self.format,
            masked: true,
            element: self.mlp(&mut random, &[self.features, 32, 32, 16]),
            aggregate: self.aggregate(),
            classifier: self.mlp(&mut random, &[16, 32, CLASSES]),
        });
        network.validate()?;
        Ok(network)
    }

    /// Where weights come from; an error if the network is larger than any design.
    fn weights(&self) -> Result<fastrand::Rng, Diagnostic> {
        let sizes = [("nodes", self.nodes), ("edges", self.edges), ("features", self.features)];
        sizes.into_iter().try_for_each(|(what, count)| limited(what, count))?;
        Ok(fastrand::Rng::with_seed(self.seed))
    }

    fn aggregate(&self) -> Aggregate {
        Aggregate { how: self.aggregation, quantiser: Some(self.format) }
    }

    /// Weights uniform in [−1, 1), as far as the format holds them; ReLU after every layer but the last.
    fn mlp(&self, random: &mut fastrand::Rng, sizes: &[usize]) -> Mlp {
        let (lo, hi) = self.format.limits();
        let one = 1i64.checked_shl(self.format.frac.max(0) as u32).unwrap_or(hi);
        let mut weight = |_| random.i64(lo.max(-one)..=hi.min(one - 1).max(0));
        let formats = Formats::uniform(self.format);
        let layers = sizes.windows(2).enumerate().map(|(k, pair)| {
            let weights = (0..pair[1]).map(|_| (0..pair[0]).map(&mut weight).collect());
            let weights = weights.collect();
            let bias = (0..pair[1]).map(&mut weight).collect();
            formats.layer(weights, bias, k + 2 < sizes.len())
        });
        Mlp { layers: layers.collect() }
    }
}

/// Halvings of the full scale that random events are drawn with.
const SCALES: u32 = 12;

/// `count` events for these ports: every sixteenth one all least, all greatest, all zero or at random ends, the others
/// uniform at a random scale. Ports of single bits are mostly 1; indices are drawn from their whole format, those
/// past the end among them.
pub fn events(ports: &[InputPort], count: usize, seed: u64) -> Vec<Vec<i64>> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..count)
        .map(|k| {
            let scale = random.u32(0..=SCALES);
            let mut event = Vec::new();
            for port in ports {
                let range = port.format.range;
                let (lo, hi) = (range.lo() as i64, range.hi() as i64);
                event.extend((0..port.count).map(|_| match k % 16 {
                    0 => lo,
                    1 => hi,
                    2 => 0,
                    3 => random.choice([lo, hi]).expect("two ends"),
                    _ if hi == 1 && lo == 0 => i64::from(random.u32(0..8) > 0),
                    _ if lo == 0 => random.i64(lo..=hi),
                    _ => random.i64(lo >> scale..=hi >> scale),
                }));
            }
            event
        })
        .collect()
}
