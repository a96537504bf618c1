//! How many copies of its perceptrons an edge classifier is given: as many as an area allows.
//!
//! The area is counted in adder bits of operators, on libraries too; one of them takes about a LUT. Multiplexers and
//! registers come on top.

use std::rc::Rc;

use hdl::analysis::Statistics;
use hdl::dfg::{ModuleBuilder, Stamp};
use hdl::diag::{Diagnostic, Diagnostics};
use hdl::num::Format;

use super::hardware::perceptron;
use super::network::Tracking;
use super::stream::Lanes;
use crate::arith::multiply::Multiplier;
use crate::arith::{Arithmetic, Effort, Fabric, Products};
use crate::model::block::aggregate::{Aggregation, kept};

/// Adder bits of one copy of each block, and of one adder of an aggregate over all its columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// R1 and R2.
    pub edge: u64,
    /// O.
    pub node: u64,
    /// All columns of a sum or a greatest value.
    pub aggregate: u64,
}

impl Sizes {
    /// Those of a network with constant products of `constants`.
    ///
    /// # Errors
    /// A network that does not fit together.
    pub fn of(network: &Tracking, constants: Fabric) -> Result<Self, Diagnostics> {
        let arithmetic = Arithmetic::of(constants.operators(), Multiplier::Operator);
        let products = Rc::new(Products::new(arithmetic, Some(Effort::Fast)));
        let mut bits = Vec::new();
        let blocks = network.blocks()?;
        for block in &blocks {
            let m = ModuleBuilder::new(block.name);
            let inputs = m.input_port("inputs", block.inputs.clone(), Stamp::at(0));
            m.output_array("outputs", &perceptron(&m, &products, block.mlp, &inputs)?);
            bits.push(Statistics::of(&*m.finish()?).adder_bits);
        }
        let message = vec![blocks[0].mlp.output_format(); network.relation.outputs()];
        let columns = network.aggregate.how.column_formats(&message);
        let kept = |format: Format| match network.aggregate.how {
            Aggregation::Max => format,
            how => kept(how, network.aggregate.requantise(format.frac), format),
        };
        let widths = columns.into_iter().map(|f| u64::from(kept(f).range.width()));
        Ok(Self { edge: bits[0] + bits[2], node: bits[1], aggregate: widths.sum() })
    }

    /// Adder bits of a design that takes its events in `lanes`, or whole without.
    pub fn adder_bits(self, network: &Tracking, lanes: Option<Lanes>) -> u64 {
        let (edges, nodes, adders) = match lanes {
            // two sets of sums a lane and bank, and all lanes of a bank together
            Some(Lanes { nodes, edges, .. }) => (edges, nodes, (3 * edges - 1) * nodes),
            None => (network.edges, network.nodes, unrolled_adders(network)),
        };
        let of = |count: usize, bits: u64| count as u64 * bits;
        of(edges, self.edge) + of(nodes, self.node) + of(adders, self.aggregate)
    }
}

/// Adders of each column of the aggregates of an unrolled design.
fn unrolled_adders(network: &Tracking) -> usize {
    let reached: usize = (0..network.edges).map(|k| network.windows_of(k)[0].len()).sum();
    match network.sorted {
        false => reached.saturating_sub(network.nodes),
        true => network.edges * (usize::BITS - network.edges.leading_zeros()) as usize / 2,
    }
}

/// The fewest beats of an event, 1 for a design that takes it whole, with which a design has no more than `budget`
/// adder bits.
///
/// # Errors
/// A network that does not fit together; a budget too small for any number of beats.
pub fn beats_within(network: &Tracking, constants: Fabric, budget: u64) -> Result<usize, Diagnostics> {
    let sizes = Sizes::of(network, constants)?;
    let streams = (2..=network.nodes).filter_map(|beats| Lanes::of(network, beats).ok());
    let mut least = u64::MAX;
    for lanes in [None].into_iter().chain(streams.map(Some)) {
        let bits = sizes.adder_bits(network, lanes);
        if bits <= budget {
            return Ok(lanes.map_or(1, |lanes| lanes.beats));
        }
        least = least.min(bits);
    }
    let message = format!("no number of beats takes only {budget} adder bits");
    let error = Diagnostic::error("budget", message);
    Err(error.help(format!("the least is {least}")).into())
}
