//! A network as a design: the content of `model.json`, the module, and its vectors.

use std::sync::Arc;

use hdl::dfg::Module;
use hdl::diag::{Diagnostic, Diagnostics};
use hdl::num::Format;
use hdl::passes::pipeline::Report;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sim::vectors::{Rows, Vectors};

use super::assembly::{Stages, Structure};
use super::hardware::datapath;
use super::network::{Network, Tracking};
use super::stream::Lanes;
use super::{random, stream};
use crate::arith::Kinds;
use crate::model::block::aggregate::Aggregation;
use crate::output::report::LayerFormats;

/// A network with its name and structure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InteractionDesign {
    /// Name of the top module.
    pub top: String,
    /// How it is cut into modules.
    pub structure: Structure,
    /// How an edge classifier takes its events in beats; none if it takes them whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<stream::Timing>,
    /// Integers and arithmetic.
    pub network: Network,
}

impl InteractionDesign {
    /// An error unless shapes, formats and integers fit each other and the stream.
    pub fn validate(&self) -> Result<(), Diagnostic> {
        self.network.validate()?;
        self.lanes().map(drop)
    }

    /// How the network is dealt out over the beats of its stream, and when the weights come.
    fn lanes(&self) -> Result<Option<(&Tracking, Lanes, u32)>, Diagnostic> {
        match (&self.stream, &self.network) {
            (None, _) => Ok(None),
            (Some(timing), Network::Tracking(network)) => {
                let lanes = Lanes::of(network, timing.beats)?;
                Ok(Some((network, lanes, timing.latency)))
            }
            (Some(_), _) => Err(Diagnostic::error("reuse", "only edge classifiers are streamed")),
        }
    }

    /// Which products it has: two computed values are multiplied by means over members that may be masked.
    pub fn products(&self) -> Kinds {
        let aggregate = match &self.network {
            Network::Tracking(network) => Some(network.aggregate),
            Network::DeepSets(network) if network.masked => Some(network.aggregate),
            Network::Jedinet(_) | Network::DeepSets(_) => None,
        };
        Kinds { constants: true, variables: aggregate.is_some_and(|a| a.how == Aggregation::Mean), ..Kinds::default() }
    }

    /// Cycles from one event to the next.
    pub fn interval(&self) -> u32 {
        self.stream.map_or(1, |timing| timing.beats as u32)
    }

    /// The top module in stages, and the design with the stream's latency as it turns out to be.
    ///
    /// # Errors
    /// Those of [`InteractionDesign::validate`], of building and of cutting it.
    pub fn build(&self, stages: Stages<'_>) -> Result<(Arc<Module>, Report, Self), Diagnostics> {
        self.validate()?;
        if let Some((network, lanes, _)) = self.lanes()? {
            let (module, report, latency) = stream::datapath(&self.top, network, lanes, stages)?;
            let stream = self.stream.map(|timing| stream::Timing { latency, ..timing });
            return Ok((module, report, Self { stream, ..self.clone() }));
        }
        let (module, report) = datapath(&self.top, &self.network, self.structure, stages)?;
        Ok((module, report, self.clone()))
    }

    /// Vectors for `events`, the elements of all input ports one after the other, with what the integer model gives.
    ///
    /// # Errors
    /// An event of another size, or an element out of its format.
    pub fn vectors(&self, events: &[Vec<i64>]) -> Result<Vectors, Diagnostic> {
        (0..).zip(events).try_for_each(|(i, event)| self.check_event(i, event))?;
        let staged = self.network.staged()?;
        let results: Vec<Vec<i64>> = events.par_iter().map(|e| staged.evaluate(e)).collect::<Result<_, _>>()?;
        if let Some((network, lanes, latency)) = self.lanes()? {
            return Ok(stream::vectors(network, lanes, latency, events, &results));
        }
        let rows = |width: usize, rows: &mut dyn Iterator<Item = &[i64]>| {
            let values = rows.flatten().map(|v| i128::from(*v)).collect();
            Rows::new(width, values).expect("whole rows")
        };
        let mut inputs = std::collections::BTreeMap::new();
        let mut first = 0;
        for port in self.network.inputs() {
            let elements = first..first + port.count;
            first = elements.end;
            let mut columns = events.iter().map(|event| &event[elements.clone()]);
            inputs.insert(port.name.to_owned(), rows(port.count, &mut columns));
        }
        let (name, width) = self.network.output();
        let outputs = rows(width, &mut results.iter().map(Vec::as_slice));
        Ok(Vectors { inputs, outputs: [(name.to_owned(), outputs)].into() })
    }

    fn check_event(&self, number: usize, event: &[i64]) -> Result<(), Diagnostic> {
        let ports = self.network.inputs();
        let elements = ports.iter().flat_map(|p| std::iter::repeat_n(p, p.count));
        let wanted: usize = ports.iter().map(|p| p.count).sum();
        if event.len() != wanted {
            let message = format!("event {number} has {} elements, {wanted} wanted", event.len());
            return Err(Diagnostic::error("input-count", message));
        }
        let fits = |(port, v): &(_, &i64)| {
            let port: &&super::network::InputPort = port;
            port.format.range.contains(i128::from(**v))
        };
        match elements.zip(event).find(|pair| !fits(pair)) {
            None => Ok(()),
            Some((port, v)) => {
                let (name, range) = (port.name, port.format.range);
                let message = format!("event {number}: {v} in `{name}`, which holds {range}");
                Err(Diagnostic::error("input-range", message))
            }
        }
    }

    /// `count` random events, corners among them.
    pub fn random_events(&self, count: usize, seed: u64) -> Vec<Vec<i64>> {
        random::events(&self.network.inputs(), count, seed)
    }

    /// The formats of each layer, for the report.
    ///
    /// # Errors
    /// A network that does not fit together.
    pub fn layer_formats(&self) -> Result<Vec<LayerFormats>, Diagnostic> {
        let mut formats = Vec::new();
        for block in self.network.blocks()? {
            let mut inputs = block.inputs;
            for (k, layer) in block.mlp.layers.iter().enumerate() {
                let mut distinct: Vec<String> = inputs.iter().map(Format::to_string).collect();
                distinct.dedup();
                let quantiser = match layer.relu {
                    Some(relu) => format!("{}, ReLU, {relu}", layer.pre_activation),
                    None => layer.pre_activation.to_string(),
                };
                formats.push(LayerFormats {
                    layer: format!("{}.layer{k}", block.name),
                    shape: format!("{} → {}", layer.inputs(), layer.outputs()),
                    input: distinct.join(", "),
                    weight: layer.weight.to_string(),
                    product: "exact".into(),
                    accumulator_frac: layer.accumulator_frac(&inputs),
                    output: layer.output().to_string(),
                    quantiser,
                });
                inputs = vec![layer.output(); layer.outputs()];
            }
        }
        Ok(formats)
    }
}
