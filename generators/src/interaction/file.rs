//! Interaction networks in files: hwgen's own JSON, and the weights of trained networks.

use std::path::Path;

use hdl::diag::Diagnostic;
use hdl::num::Quantiser;
use serde_json::Value as Json;

use super::network::Network;
use super::{jedinet, tracker};
use crate::design::Design;
use crate::failure::{Failure, Result};
use crate::import::numpy::{self, Numbers};
use crate::import::{bounded, torch};
use crate::model::block::windows::Windows;

/// A network, or why there is none.
type Read = std::result::Result<Network, Diagnostic>;

/// What a user asks of the network in a file; what is not asked for is as the file says.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// Particles or hits.
    pub nodes: Option<usize>,
    /// Candidate segments.
    pub edges: Option<usize>,
    /// Layers of hits, neighbours of which alone are connected.
    pub layers: Option<usize>,
    /// Edges come in the order of their receivers.
    pub sorted: bool,
    /// Number format of a network that was trained in floating point.
    pub format: Option<Quantiser>,
}

impl Wanted {
    /// The network of a file: arrays if its name ends in `.npz`, `.pt` or `.pth`, else JSON.
    ///
    /// # Errors
    /// A file that is none of the forms, or a network that does not fit what is wanted of it.
    pub fn read(&self, file: &Path) -> Result<Network> {
        let ending = file.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        let bytes = || bounded::read("read the model", file, bounded::MODEL);
        let error = |why: String| Diagnostic::error("model", why);
        let network = match ending.as_str() {
            "npz" => numpy::archive(&bytes()?).map_err(error).and_then(|arrays| self.of_arrays(&arrays)),
            "pt" | "pth" => {
                let help = "save plain numbers of 32 or 64 bits: torch.save(model.state_dict(), \"model.pt\")";
                let arrays = torch::tensors(&bytes()?).map_err(|why| error(why).help(help));
                arrays.and_then(|arrays| self.of_arrays(&arrays))
            }
            _ => self.of_json(&bounded::read_text("read the model", file, bounded::TEXT)?),
        };
        network
            .and_then(|network| network.validate().map(|()| network))
            .map_err(|d| Failure::user(d.at(file.display().to_string(), "in this file")))
    }

    fn of_json(&self, text: &str) -> Read {
        let no_model = |e: serde_json::Error| Diagnostic::error("json", format!("this is no model: {e}"));
        let json: Json = serde_json::from_str(text).map_err(no_model)?;
        if jedinet::recognise(&json) {
            self.check_graph_is_fixed()?;
            return jedinet::import(&json, self.nodes, self.format).map(Network::Jedinet);
        }
        if json.get("design").is_none() {
            return self.resized(serde_json::from_value(json).map_err(no_model)?);
        }
        match serde_json::from_value(json).map_err(no_model)? {
            Design::Interaction(design) => self.resized(design.network),
            _ => Err(Diagnostic::error("model", "this is the model of another generator")),
        }
    }

    /// A trained network from named arrays.
    fn of_arrays(&self, arrays: &tracker::Arrays) -> Read {
        if !tracker::recognise(arrays) {
            self.check_graph_is_fixed()?;
            let transposed = |(name, weights): (&String, &Numbers)| {
                let bias = arrays.get(&name.replace('w', "b"))?;
                let [_, outputs] = *weights.shape.as_slice() else {
                    return None;
                };
                (name.starts_with('w') && bias.values.len() != outputs).then(|| (name.clone(), weights.shape.clone()))
            };
            if let Some((name, shape)) = arrays.iter().find_map(transposed) {
                let message = format!("`{name}` of shape {shape:?} has not one column for each entry of its bias");
                return Err(Diagnostic::error("model", message).help("save matrices as [input, output]"));
            }
            let flat = arrays.iter().map(|(name, array)| (name.clone(), array.values.as_slice().into()));
            let json = Json::Object(flat.collect());
            return jedinet::import(&json, self.nodes, self.format).map(Network::Jedinet);
        }
        let size = (self.nodes.unwrap_or(28), self.edges.unwrap_or(56));
        let mut network = tracker::import(arrays, self.format, size)?;
        network.sorted = self.sorted;
        network.windows = Windows::of_layers(network.nodes, network.edges, self.layers.unwrap_or(1))?;
        Ok(Network::Tracking(network))
    }

    /// The model for as many hits, segments and layers as the user wants: its perceptrons work on any graph.
    fn resized(&self, network: Network) -> Read {
        if self.format.is_some() {
            let error = Diagnostic::error("model", "the model says its own formats");
            return Err(error.help("leave --format away"));
        }
        let Network::Tracking(mut network) = network else {
            self.check_graph_is_fixed()?;
            if self.nodes.is_some() {
                let error = Diagnostic::error("model", "the model says its own size");
                return Err(error.help("leave --nodes away"));
            }
            return Ok(network);
        };
        let size = (network.nodes, network.edges);
        network.sorted |= self.sorted;
        network.nodes = self.nodes.unwrap_or(network.nodes);
        network.edges = self.edges.unwrap_or(network.edges);
        match (self.layers, &network.windows) {
            (Some(layers), _) => network.windows = Windows::of_layers(network.nodes, network.edges, layers)?,
            (None, Some(_)) if size != (network.nodes, network.edges) => {
                let error = Diagnostic::error("model", "the model's windows are for another size");
                return Err(error.help("say its layers with --layers; 1 connects any two"));
            }
            (None, _) => {}
        }
        Ok(Network::Tracking(network))
    }

    fn check_graph_is_fixed(&self) -> std::result::Result<(), Diagnostic> {
        if self.edges.is_none() && self.layers.is_none() && !self.sorted {
            return Ok(());
        }
        let error = Diagnostic::error("model", "a model of jets has no edge list");
        Err(error.help("leave --edges, --layers and --sorted away"))
    }
}
