//! How an event is dealt out over beats: sizes, ports, vectors.

use hdl::diag::Diagnostic;
use hdl::num::Format;
use sim::vectors::{Rows, Vectors};

use crate::interaction::network::{InputPort, Tracking};

/// Sizes that follow from a network and its number of beats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lanes {
    /// Beats of an event.
    pub beats: usize,
    /// Nodes of a beat, a power of two.
    pub nodes: usize,
    /// Edges of a beat.
    pub edges: usize,
}

impl Lanes {
    /// How a network is dealt out over beats.
    ///
    /// # Errors
    /// Nodes or edges that cannot be dealt out evenly, or sorted edges.
    pub fn of(network: &Tracking, beats: usize) -> Result<Self, Diagnostic> {
        let refused = |message: String, help: &str| Err(Diagnostic::error("reuse", message).help(help.to_owned()));
        let Tracking { nodes, edges, .. } = *network;
        let even = beats > 1 && nodes.is_multiple_of(beats) && edges.is_multiple_of(beats);
        if !even || !(nodes / beats).is_power_of_two() {
            return refused(
                format!("{nodes} nodes and {edges} edges cannot be dealt out over {beats} beats"),
                "choose two beats or more that divide both, and leave 1, 2, 4, 8, … nodes to a beat",
            );
        }
        if network.sorted {
            return refused("edges of a stream come in any order".into(), "leave --sorted away");
        }
        Ok(Self { beats, nodes: nodes / beats, edges: edges / beats })
    }

    /// The ports of a beat; `first` is 1 in the first one of an event.
    pub fn ports(self, network: &Tracking) -> Vec<InputPort> {
        let port = |name, count, format| InputPort { name, count, format };
        let (features, index) = (network.input.format(), unsigned(network.index_bits()));
        vec![
            port("first", 1, Format::BIT),
            port("nodes", self.nodes * network.node_features, features),
            port("edges", self.edges * network.edge_features, features),
            port("sender", self.edges, index),
            port("receiver", self.edges, index),
            port("valid", self.edges, Format::BIT),
        ]
    }

    /// The beats of an event, the elements of all ports of the unrolled network one after the other.
    fn dealt(self, network: &Tracking, event: &[i64]) -> Vec<Vec<Vec<i128>>> {
        let mut rest = event;
        let mut columns = vec![Vec::new(); self.beats];
        for port in &self.ports(network)[1..] {
            let (elements, others) = rest.split_at(port.count * self.beats);
            rest = others;
            for (beat, elements) in columns.iter_mut().zip(elements.chunks(port.count)) {
                beat.push(elements.iter().map(|v| i128::from(*v)).collect());
            }
        }
        for (beat, column) in columns.iter_mut().enumerate() {
            column.insert(0, vec![i128::from(beat == 0)]);
        }
        columns
    }

    /// Bits of a beat's number.
    pub(super) fn beat_bits(self) -> u32 {
        usize::BITS - (self.beats - 1).leading_zeros()
    }
}

/// Most pauses between two events of a test.
const MOST_PAUSES: usize = 3;

/// Vectors cycle by cycle: events and what comes of them, most without a pause in between, some after a few cycles.
pub fn vectors(network: &Tracking, lanes: Lanes, latency: u32, events: &[Vec<i64>], results: &[Vec<i64>]) -> Vectors {
    let ports = lanes.ports(network);
    let idle: Vec<Vec<i128>> = ports.iter().map(|port| vec![0; port.count]).collect();
    let mut inputs: Vec<Vec<Vec<i128>>> = Vec::new();
    let mut outputs = vec![vec![0; lanes.edges]; latency as usize];
    for (k, (event, result)) in events.iter().zip(results).enumerate() {
        let pauses = if k % 4 == 3 { k % MOST_PAUSES + 1 } else { 0 };
        inputs.extend(lanes.dealt(network, event));
        inputs.extend(vec![idle.clone(); pauses]);
        let weights = result.chunks(lanes.edges);
        outputs.extend(weights.map(|w| w.iter().map(|v| i128::from(*v)).collect()));
        outputs.extend(vec![vec![0; lanes.edges]; pauses]);
    }
    inputs.extend(vec![idle; latency as usize]);
    let rows = |width: usize, rows: &mut dyn Iterator<Item = &Vec<i128>>| {
        let values = rows.flatten().copied().collect();
        Rows::new(width, values).expect("whole rows")
    };
    let column = |(k, port): (usize, &InputPort)| {
        let values = rows(port.count, &mut inputs.iter().map(|cycle| &cycle[k]));
        (port.name.to_owned(), values)
    };
    Vectors {
        inputs: (0..).zip(&ports).map(column).collect(),
        outputs: [("weights".to_owned(), rows(lanes.edges, &mut outputs.iter()))].into(),
    }
}

pub(super) fn unsigned(bits: u32) -> Format {
    Format::unsigned(bits, 0).expect("a few bits")
}
