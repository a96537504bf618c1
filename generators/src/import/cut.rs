//! A part of a network that was read.

use hdl::diag::Diagnostic;

use super::lift::{Imported, Noise};

impl Imported {
    /// The network from layer `from` to layer `to`, as [`Graph::cut`](crate::model::Graph::cut) takes it.
    ///
    /// An output in the middle gives integers; the doubts that remain are those of layers in the part.
    ///
    /// # Errors
    /// Those of cutting the graph.
    pub fn cut(self, from: Option<&str>, to: Option<&str>) -> Result<Self, Diagnostic> {
        if from.is_none() && to.is_none() {
            return Ok(self);
        }
        let graph = self.graph.cut(from, to)?;
        let names: Vec<&str> = graph.layers().iter().map(|layer| &*layer.name).collect();
        let doubts = self.doubts.into_iter().filter(|doubt| names.contains(&&*doubt.layer)).collect();
        let noise = match to {
            Some(_) => vec![Noise::NONE],
            None => self.noise,
        };
        Ok(Self { graph, doubts, noise, traced_adders: None })
    }
}
