//! An interaction network as a project.

use std::collections::BTreeMap;

use constraints::delay;
use hdl::diag::Diagnostic;
use sim::vectors::Vectors;

use super::generate::{Built, OwnFile, Project};
use super::options::Options;
use crate::arith::{Arithmetic, Kinds};
use crate::design::Design;
use crate::failure::Result;
use crate::interaction::accuracy::Accuracy;
use crate::interaction::assembly::Stages;
use crate::interaction::design::InteractionDesign;
use crate::interaction::events::Labelled;
use crate::interaction::network::Network;
use crate::interaction::roc;
use crate::output::report::{Check, LayerFormats, Report};

/// An interaction network, and where it comes from.
#[derive(Debug, Clone)]
pub struct InteractionProject {
    /// The model.
    pub design: InteractionDesign,
    /// Where the weights come from.
    pub weights: String,
    /// Random events that the test bench runs.
    pub events: usize,
    /// Events with known truth, which it runs too.
    pub labelled: Vec<Labelled>,
    /// How well the network does on them.
    pub accuracy: Option<Accuracy>,
}

/// Seed of the test bench's events.
const EVENT_SEED: u64 = 1;

impl Project for InteractionProject {
    fn generator(&self) -> &'static str {
        "interaction"
    }

    fn parameters(&self, options: &Options) -> BTreeMap<String, String> {
        let (what, nodes, edges) = match &self.design.network {
            Network::Tracking(n) => ("tracking", n.nodes, n.edges),
            Network::Jedinet(n) => ("jedinet", n.particles, n.senders().iter().map(Vec::len).sum()),
            Network::DeepSets(n) => ("deep-sets", n.particles, 0),
        };
        let mut parameters = BTreeMap::from(
            [
                ("network", what.to_owned()),
                ("nodes", nodes.to_string()),
                ("edges", edges.to_string()),
                ("model", self.weights.clone()),
                ("structure", format!("{:?}", self.design.structure).to_lowercase()),
                ("target", options.target.name.clone()),
            ]
            .map(|(key, value)| (key.to_owned(), value)),
        );
        if let Network::Tracking(n) = &self.design.network {
            let size = n.windows.as_ref().map_or(n.nodes, |w| w.size);
            parameters.insert("window".into(), size.to_string());
            parameters.insert("sorted".into(), n.sorted.to_string());
            parameters.insert("sigmoid-error-bound".into(), format!("{:.6}", n.sigmoid.error_bound()));
        }
        parameters
    }

    fn products(&self) -> Kinds {
        self.design.products()
    }

    fn build(&self, options: &Options, arithmetic: Arithmetic) -> Result<Built> {
        let (delays, cut) = (delay::of(&options.target), options.timing.stages()?);
        let built = self.design.build(Stages { arithmetic, delays: &delays, options: cut });
        let (top, pipeline, design) = built.map_err(|d| options.timing.explain(d))?;
        let interval = design.interval();
        Ok(Built { top, latency: pipeline.latency, interval, pipeline, design: Design::Interaction(design) })
    }

    fn vectors(&self, design: &Design) -> std::result::Result<Vectors, Diagnostic> {
        let Design::Interaction(design) = design else {
            return Err(Diagnostic::bug("project", "an interaction network was built into something else"));
        };
        let mut events = design.random_events(self.events, EVENT_SEED);
        events.extend(self.labelled.iter().map(|event| event.inputs.clone()));
        design.vectors(&events)
    }

    fn layer_formats(&self) -> std::result::Result<Vec<LayerFormats>, Diagnostic> {
        self.design.layer_formats()
    }

    fn checks(&self, _: &Report) -> Vec<Check> {
        let check = |accuracy: &Accuracy| Check {
            what: "accuracy (floating point in brackets)".into(),
            result: accuracy.summary(),
        };
        self.accuracy.iter().map(check).collect()
    }

    fn files(&self) -> Vec<OwnFile> {
        let Some(accuracy) = &self.accuracy else {
            return Vec::new();
        };
        let json = serde_json::to_string_pretty(accuracy).expect("plain data") + "\n";
        let files = [
            ("accuracy.json", "figures on events with known truth", json),
            ("roc.svg", "receiver operating characteristics", roc::svg(accuracy)),
        ];
        files.map(|(name, what, text)| OwnFile { name, what, text }).into()
    }
}
