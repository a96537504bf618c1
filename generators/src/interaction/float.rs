//! The networks in floating point: the same weights, no quantiser, the logistic function itself.
//!
//! What the number formats cost is the difference to this.

use super::aggregate::{Aggregate, Aggregation};
use super::mlp::{Layer, Mlp};
use super::network::{DeepSets, Jedinet, Network, Tracking};
use super::sigmoid::logistic;

impl Network {
    /// The scores for the integers of all input ports, in order; each edge weight between 0 and 1, and 0 for an edge
    /// that does not count.
    ///
    /// The network is one that [`Network::validate`] accepted, and the event fits its ports.
    pub fn in_floats(&self, event: &[i64]) -> Vec<f64> {
        match self {
            Self::Jedinet(network) => network.in_floats(event),
            Self::Tracking(network) => network.in_floats(event),
            Self::DeepSets(network) => network.in_floats(event),
        }
    }
}

/// The number `value · 2^-frac`.
pub fn real(value: i64, frac: i32) -> f64 {
    value as f64 * f64::from(-frac).exp2()
}

fn rows(values: &[i64], width: usize, frac: i32) -> Vec<Vec<f64>> {
    let row = |row: &[i64]| row.iter().map(|v| real(*v, frac)).collect();
    values.chunks(width).map(row).collect()
}

impl Layer {
    fn in_floats(&self, x: &[f64]) -> Vec<f64> {
        let neuron = |(row, bias): (&Vec<i64>, &i64)| {
            let products = row.iter().zip(x).map(|(w, x)| real(*w, self.weight.frac) * x);
            let sum = real(*bias, self.weight.frac) + products.sum::<f64>();
            if self.relu.is_some() { sum.max(0.0) } else { sum }
        };
        self.weights.iter().zip(&self.bias).map(neuron).collect()
    }
}

impl Mlp {
    fn in_floats(&self, x: &[f64]) -> Vec<f64> {
        let through = |x: Vec<f64>, layer: &Layer| layer.in_floats(&x);
        self.layers.iter().fold(x.to_vec(), through)
    }
}

impl Aggregate {
    fn in_floats<'r>(self, rows: impl IntoIterator<Item = &'r [f64]>, width: usize) -> Vec<f64> {
        let rows: Vec<&[f64]> = rows.into_iter().collect();
        let column = |k: usize| {
            let column = rows.iter().map(|row| row[k]);
            match self.how {
                Aggregation::Sum => column.sum(),
                Aggregation::Mean => column.sum::<f64>() / rows.len().max(1) as f64,
                Aggregation::Max => column.reduce(f64::max).unwrap_or(0.0),
            }
        };
        (0..width).map(column).collect()
    }
}

impl Jedinet {
    fn in_floats(&self, event: &[i64]) -> Vec<f64> {
        let x = rows(event, self.features, self.input.frac);
        let objects: Vec<Vec<f64>> = (0..)
            .zip(self.senders())
            .map(|(i, senders): (usize, _)| {
                let message = |j: &usize| self.relation.in_floats(&[&x[i][..], &x[*j]].concat());
                let messages: Vec<Vec<f64>> = senders.iter().map(message).collect();
                let messages = messages.iter().map(Vec::as_slice);
                let aggregate = self.aggregate.in_floats(messages, self.relation.outputs());
                self.object.in_floats(&[&x[i][..], &aggregate].concat())
            })
            .collect();
        let all = objects.iter().map(Vec::as_slice);
        let pooled = self.pool.in_floats(all, self.object.outputs());
        self.classifier.in_floats(&pooled)
    }
}

impl Tracking {
    fn in_floats(&self, event: &[i64]) -> Vec<f64> {
        let frac = self.input.frac;
        let (nodes, rest) = event.split_at(self.nodes * self.node_features);
        let (edges, rest) = rest.split_at(self.edges * self.edge_features);
        let (senders, rest) = rest.split_at(self.edges);
        let (receivers, valid) = rest.split_at(self.edges);
        let x = rows(nodes, self.node_features, frac);
        let e = rows(edges, self.edge_features, frac);
        // receiver, sender and message of the live edges
        let message = |(k, ends): (usize, Option<(usize, usize)>)| {
            let (r, s) = ends?;
            let inputs = [&x[r][..], &x[s], &e[k]].concat();
            Some((r, s, self.relation.in_floats(&inputs)))
        };
        let ends = self.live_ends(senders, receivers, valid);
        let live: Vec<Option<(usize, usize, Vec<f64>)>> = (0..).zip(ends).map(message).collect();
        let objects: Vec<Vec<f64>> = (0..self.nodes)
            .map(|i| {
                let into = live.iter().flatten().filter(|(r, ..)| *r == i);
                let messages = into.map(|(.., message)| message.as_slice());
                let aggregate = self.aggregate.in_floats(messages, self.relation.outputs());
                self.object.in_floats(&[&x[i][..], &aggregate].concat())
            })
            .collect();
        let weight = |(r, s, message): &(usize, usize, Vec<f64>)| {
            let ends = [&objects[*r][..], &objects[*s], message].concat();
            logistic(self.score.in_floats(&ends)[0])
        };
        live.iter().map(|live| live.as_ref().map_or(0.0, weight)).collect()
    }
}

impl DeepSets {
    fn in_floats(&self, event: &[i64]) -> Vec<f64> {
        let (particles, valid) = event.split_at(self.particles * self.features);
        let elements: Vec<Vec<f64>> =
            rows(particles, self.features, self.input.frac).iter().map(|x| self.element.in_floats(x)).collect();
        let there = (0..).zip(&elements).filter(|(i, _)| !self.masked || valid[*i] == 1);
        let members = there.map(|(_, element): (usize, _)| element.as_slice());
        let pooled = self.aggregate.in_floats(members, self.element.outputs());
        self.classifier.in_floats(&pooled)
    }
}
