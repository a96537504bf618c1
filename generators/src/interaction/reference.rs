//! The networks evaluated in plain integers, pair by pair and node by node: the reference of the generator.

use super::mlp::Exact;
use super::network::{DeepSets, Jedinet, Network, Tracking};
use hdl::num::Quantiser;

impl Network {
    /// What the output port must give for the elements of all input ports, in order.
    ///
    /// The network is one that [`Network::validate`] accepted, and the event fits its ports.
    pub fn evaluate(&self, event: &[i64]) -> Vec<i64> {
        match self {
            Self::Jedinet(network) => network.evaluate(event),
            Self::Tracking(network) => network.evaluate(event),
            Self::DeepSets(network) => network.evaluate(event),
        }
    }
}

/// Rows of `width` features.
fn rows(values: &[i64], width: usize, format: Quantiser) -> Vec<Vec<Exact>> {
    let exact = |value: &i64| Exact { value: *value, frac: format.frac };
    values.chunks(width).map(|row| row.iter().map(exact).collect()).collect()
}

fn integers(numbers: Vec<Exact>) -> Vec<i64> {
    numbers.iter().map(|n| n.value).collect()
}

impl Jedinet {
    fn evaluate(&self, event: &[i64]) -> Vec<i64> {
        let x = rows(event, self.features, self.input);
        let objects: Vec<Vec<Exact>> = (0..)
            .zip(self.senders())
            .map(|(i, senders): (usize, _)| {
                let message = |&j: &usize| self.relation.evaluate(&[&x[i][..], &x[j][..]].concat());
                let messages: Vec<Vec<Exact>> = senders.iter().map(message).collect();
                let live: Vec<_> = messages.iter().map(|m| (true, &m[..])).collect();
                let aggregate = self.aggregate.evaluate(&live, self.relation.outputs());
                self.object.evaluate(&[&x[i][..], &aggregate[..]].concat())
            })
            .collect();
        let all: Vec<_> = objects.iter().map(|o| (true, &o[..])).collect();
        let pooled = self.pool.evaluate(&all, self.object.outputs());
        integers(self.classifier.evaluate(&pooled))
    }
}

impl Tracking {
    fn evaluate(&self, event: &[i64]) -> Vec<i64> {
        let (nodes, rest) = event.split_at(self.nodes * self.node_features);
        let (edges, rest) = rest.split_at(self.edges * self.edge_features);
        let (senders, rest) = rest.split_at(self.edges);
        let (receivers, valid) = rest.split_at(self.edges);
        let x = rows(nodes, self.node_features, self.input);
        let e = rows(edges, self.edge_features, self.input);
        let ends = self.live_ends(senders, receivers, valid);
        let messages: Vec<Vec<Exact>> = ends
            .iter()
            .zip(&e)
            .map(|(ends, e)| match *ends {
                Some((r, s)) => self.relation.evaluate(&[&x[r][..], &x[s][..], e].concat()),
                None => Vec::new(),
            })
            .collect();
        let objects: Vec<Vec<Exact>> = (0..self.nodes)
            .map(|i| {
                let into = |ends: &Option<(usize, usize)>| ends.is_some_and(|(r, _)| r == i);
                let incoming: Vec<(bool, &[Exact])> =
                    ends.iter().zip(&messages).map(|(ends, m)| (into(ends), &m[..])).collect();
                let aggregate = self.aggregate.evaluate(&incoming, self.relation.outputs());
                self.object.evaluate(&[&x[i][..], &aggregate[..]].concat())
            })
            .collect();
        ends.iter()
            .zip(&messages)
            .map(|(ends, message)| match *ends {
                Some((r, s)) => {
                    let inputs = [&objects[r][..], &objects[s][..], &message[..]].concat();
                    self.sigmoid.evaluate(self.score.evaluate(&inputs)[0])
                }
                None => 0,
            })
            .collect()
    }
}

impl DeepSets {
    fn evaluate(&self, event: &[i64]) -> Vec<i64> {
        let (particles, valid) = event.split_at(self.particles * self.features);
        let elements: Vec<Vec<Exact>> =
            rows(particles, self.features, self.input).iter().map(|x| self.element.evaluate(x)).collect();
        let live = |i: usize| !self.masked || valid[i] == 1;
        let members: Vec<_> = (0..).zip(&elements).map(|(i, e)| (live(i), &e[..])).collect();
        let pooled = self.aggregate.evaluate(&members, self.element.outputs());
        integers(self.classifier.evaluate(&pooled))
    }
}
