//! Events with known truth, in physical features: what networks are trained on and measured with.
//!
//! A file is text, one JSON object a line: [`Tracks`] or [`Jet`], of which all are of one kind. [`tracking`] and [`jets`]
//! make such events.

pub mod jets;
pub mod tracking;

use std::path::Path;

use hdl::diag::Diagnostic;
use hdl::num::Quantiser;
use serde::{Deserialize, Serialize};

use super::network::{Network, Tracking};
use crate::failure::Failure;
use crate::import::bounded;

/// Most bytes of a file of events that is read: some hundred thousand events.
const MOST_BYTES: u64 = 1 << 30;

/// Hits and candidate segments, padded with dummies of zeros to the sizes of a network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tracks {
    /// Features of each hit.
    pub nodes: Vec<Vec<f64>>,
    /// Features of each segment.
    pub edges: Vec<Vec<f64>>,
    /// The hit on the inner layer of each segment.
    pub sender: Vec<usize>,
    /// The hit on the outer layer.
    pub receiver: Vec<usize>,
    /// 1 for a segment, 0 for a dummy.
    pub valid: Vec<u8>,
    /// 1 if both hits are successive ones of one particle.
    pub truth: Vec<u8>,
}

/// The hardest particles of a jet, padded with zeros.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jet {
    /// Features of each particle, the hardest first.
    pub particles: Vec<Vec<f64>>,
    /// 1 for a particle, 0 for padding.
    pub valid: Vec<u8>,
    /// Which of [`jets::CLASSES`] it is.
    pub class: usize,
}

/// An event of either kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Event {
    /// For an edge classifier.
    Tracks(Tracks),
    /// For a JEDI-net or a Deep Set.
    Jet(Jet),
}

/// An event as a network takes it, with its truth.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelled {
    /// The integers of all input ports, one after the other.
    pub inputs: Vec<i64>,
    /// The truth.
    pub truth: Truth,
}

/// What should come out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Truth {
    /// Of each edge whether it is one; none for an edge that does not count.
    Edges(Vec<Option<bool>>),
    /// The index of the greatest score.
    Class(usize),
}

/// The events of a file as `network` takes them.
///
/// # Errors
/// No events, or one that does not fit the network.
pub fn read(file: &Path, network: &Network) -> Result<Vec<Labelled>, Failure> {
    let in_file = |d: Diagnostic| Failure::user(d.at(file.display().to_string(), "in this file"));
    let text = bounded::read_text("read the events", file, MOST_BYTES)?;
    let events = parse(&text).map_err(in_file)?;
    if events.is_empty() {
        return Err(in_file(Diagnostic::error("events", "no events")));
    }
    let numbered = |(k, event): (usize, &Event)| {
        event.quantised(network).map_err(|mut d| {
            d.message = format!("event {k}: {}", d.message);
            in_file(d)
        })
    };
    (1..).zip(&events).map(numbered).collect()
}

/// The events of a file's text.
///
/// # Errors
/// The first line that is no event.
pub fn parse(text: &str) -> Result<Vec<Event>, Diagnostic> {
    let event = |(number, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|_| {
            let message = format!("line {number} is neither an event of tracks nor a jet");
            Diagnostic::error("events", message).help("`hwgen events` writes such files, one JSON object a line")
        })
    };
    let lines = (1..).zip(text.lines());
    lines.filter(|(_, line)| !line.trim().is_empty()).map(event).collect()
}

/// The text of a file of events.
pub fn print(events: &[Event]) -> String {
    let line = |event: &Event| serde_json::to_string(event).expect("plain data") + "\n";
    events.iter().map(line).collect()
}

impl Event {
    /// The event for a network, features rounded to nearest.
    ///
    /// # Errors
    /// Another kind or size than the network's, or a feature that its format cannot hold.
    pub fn quantised(&self, network: &Network) -> Result<Labelled, Diagnostic> {
        match (self, network) {
            (Self::Tracks(event), Network::Tracking(network)) => event.quantised(network),
            (Self::Jet(jet), Network::Jedinet(n)) => jet.quantised([n.particles, n.features], n.input, false),
            (Self::Jet(jet), Network::DeepSets(n)) => jet.quantised([n.particles, n.features], n.input, n.masked),
            (Self::Tracks(_), _) => Err(mismatch("an event of tracks, but the network takes jets")),
            (Self::Jet(_), _) => Err(mismatch("a jet, but the network takes hits and segments")),
        }
    }
}

impl Tracks {
    fn quantised(&self, network: &Tracking) -> Result<Labelled, Diagnostic> {
        let Tracking { nodes, edges, .. } = *network;
        let columns = [&self.valid, &self.truth].map(Vec::len);
        let ends = [&self.sender, &self.receiver].map(Vec::len);
        if columns != [edges; 2] || ends != [edges; 2] {
            return Err(mismatch(&format!("`sender`, `receiver`, `valid` and `truth` must have {edges} entries each")));
        }
        let most = (1 << network.index_bits()) - 1;
        for (name, ends) in [("sender", &self.sender), ("receiver", &self.receiver)] {
            within(name, ends.iter().copied(), most)?;
        }
        for (name, flags) in [("valid", &self.valid), ("truth", &self.truth)] {
            within(name, flags.iter().map(|v| usize::from(*v)), 1)?;
        }
        let features = [network.node_features, network.edge_features];
        let mut inputs = rows("nodes", &self.nodes, [nodes, features[0]], network.input)?;
        inputs.extend(rows("edges", &self.edges, [edges, features[1]], network.input)?);
        for ends in [&self.sender, &self.receiver] {
            inputs.extend(ends.iter().map(|end| *end as i64));
        }
        inputs.extend(self.valid.iter().map(|v| i64::from(*v)));
        let truth = (0..edges)
            .map(|k| {
                let live = self.valid[k] == 1 && network.connects(k, self.receiver[k], self.sender[k]);
                live.then_some(self.truth[k] == 1)
            })
            .collect();
        Ok(Labelled { inputs, truth: Truth::Edges(truth) })
    }
}

impl Jet {
    fn quantised(&self, shape: [usize; 2], format: Quantiser, masked: bool) -> Result<Labelled, Diagnostic> {
        let mut inputs = rows("particles", &self.particles, shape, format)?;
        if self.valid.len() != shape[0] {
            return Err(mismatch(&format!("`valid` must have {} entries", shape[0])));
        }
        within("valid", self.valid.iter().map(|v| usize::from(*v)), 1)?;
        if masked {
            inputs.extend(self.valid.iter().map(|v| i64::from(*v)));
        }
        Ok(Labelled { inputs, truth: Truth::Class(self.class) })
    }
}

/// The integers nearest to a matrix of features.
fn rows(name: &str, rows: &[Vec<f64>], [count, width]: [usize; 2], format: Quantiser) -> Result<Vec<i64>, Diagnostic> {
    if rows.len() != count || rows.iter().any(|row| row.len() != width) {
        let message = format!("`{name}` must be {count} rows of {width} features");
        return Err(mismatch(&message));
    }
    let integer =
        |v: &f64| format.nearest(*v).ok_or_else(|| mismatch(&format!("{v} in `{name}` does not fit {format}")));
    rows.iter().flatten().map(integer).collect()
}

/// An error unless no integer of a column is more than `most`.
fn within(name: &str, mut column: impl Iterator<Item = usize>, most: usize) -> Result<(), Diagnostic> {
    match column.find(|v| *v > most) {
        None => Ok(()),
        Some(bad) => Err(mismatch(&format!("{bad} in `{name}`, at most {most} fits"))),
    }
}

fn mismatch(reason: &str) -> Diagnostic {
    Diagnostic::error("events", reason.to_owned())
}

/// Decimals that features are written with: finer than any number format that a network takes them in.
const DECIMALS: f64 = 1e5;

/// A feature as it is written.
fn rounded(feature: f64) -> f64 {
    (feature * DECIMALS).round() / DECIMALS
}

/// A standard normal number (Box and Muller).
fn normal(random: &mut fastrand::Rng) -> f64 {
    let (radius, angle) = (1.0 - random.f64(), random.f64());
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_it_was_written() {
        let barrel = tracking::Barrel::new(28, 56, 7).unwrap();
        let events = vec![
            Event::Tracks(barrel.event(&mut fastrand::Rng::with_seed(1))),
            Event::Jet(jets::jet(8, &mut fastrand::Rng::with_seed(1))),
        ];
        assert_eq!(parse(&print(&events)).unwrap(), events);
        let broken = print(&events).replacen("\"class\"", "\"glass\"", 1);
        assert!(parse(&broken).unwrap_err().message.contains("line 2"));
    }
}
