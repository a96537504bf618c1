//! How large a design becomes, estimated before anything is built.

use hdl::diag::Diagnostic;

use super::design::InteractionDesign;
use super::mlp::{Layer, Mlp};
use super::network::Network;
use crate::size::Size;

/// Products with weights that are not 0, biases among them, and one LUT for each bit of each of their sums.
#[derive(Debug, Clone, Copy, Default)]
struct Work {
    products: u64,
    luts: u64,
}

impl Work {
    /// Of one copy of a layer.
    fn of(layer: &Layer) -> Self {
        let weights = layer.weights.iter().flatten().chain(&layer.bias);
        let products = weights.filter(|w| **w != 0).count() as u64;
        Self { products, luts: products * u64::from(layer.pre_activation.format().range.width()) }
    }

    fn add(&mut self, work: Self, copies: usize) {
        let copies = copies as u64;
        self.products = self.products.saturating_add(work.products.saturating_mul(copies));
        self.luts = self.luts.saturating_add(work.luts.saturating_mul(copies));
    }
}

impl InteractionDesign {
    /// What all copies of the perceptrons become, about.
    ///
    /// # Errors
    /// A network that does not fit together, or that cannot be streamed so.
    pub fn size(&self) -> Result<Size, Diagnostic> {
        let mut all = Work::default();
        let mut add = |layers: &[Layer], copies: usize| layers.iter().for_each(|l| all.add(Work::of(l), copies));
        match &self.network {
            Network::Tracking(network) => {
                let beats = self.stream.map_or(1, |timing| timing.beats.max(1));
                let (edges, nodes) = (network.edges.div_ceil(beats), network.nodes.div_ceil(beats));
                add(&network.relation.layers, edges);
                add(&network.object.layers, nodes);
                add(&network.score.layers, edges);
            }
            Network::Jedinet(network) => {
                let Mlp { layers } = &network.relation;
                let (first, behind) = layers.split_at(layers.len().min(1));
                let pairs = match network.is_linear() {
                    true => 0,
                    false => network.senders().iter().map(Vec::len).sum(),
                };
                // both ends of a pair have their part of the first layer once, for all their pairs
                add(first, network.particles);
                add(behind, pairs);
                add(&network.object.layers, network.particles);
                add(&network.classifier.layers, 1);
            }
            Network::DeepSets(network) => {
                add(&network.element.layers, network.particles);
                add(&network.classifier.layers, 1);
            }
        }
        Ok(Size::Unrolled { products: all.products, luts: all.luts })
    }

    /// An error with the estimate and what to do, if the design is larger than is built without being asked to.
    ///
    /// # Errors
    /// Also those of [`InteractionDesign::size`].
    pub fn require_moderate(&self) -> Result<(), Diagnostic> {
        self.size()?.require_moderate(match &self.network {
            Network::Tracking(_) => {
                "--budget ADDER_BITS takes an event in as many beats as that allows; --yes builds it as it is"
            }
            _ => "take fewer or smaller layers, or fewer members; --yes builds it all the same, which may take hours",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interaction::assembly::Structure;
    use crate::interaction::random::Shape;

    fn design(nodes: usize) -> InteractionDesign {
        let shape = Shape {
            nodes,
            edges: 2 * nodes,
            features: 3,
            layers: 1,
            sorted: false,
            aggregation: Default::default(),
            format: "ap_fixed<14,7>".parse().unwrap(),
            seed: 1,
        };
        let network = shape.jedinet().unwrap();
        InteractionDesign { top: "large".into(), structure: Structure::Blocks, stream: None, network }
    }

    #[test]
    fn large_graphs_are_refused() {
        assert_eq!(design(8).require_moderate(), Ok(()));
        let refused = design(200).require_moderate().unwrap_err();
        assert!(refused.message.contains("unrolled: ") && refused.message.contains(" M products"), "{refused}");
        assert!(refused.help.unwrap().contains("--yes"));
    }
}
