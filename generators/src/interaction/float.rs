//! The networks in floating point: the same weights, no quantiser, the logistic function itself.
//!
//! What the number formats cost is the difference to this.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hdl::num::{Overflow, Quantiser};

use crate::model::block::aggregate::{Aggregate, Aggregation};

use super::mlp::{Layer, Mlp};
use super::network::{DeepSets, Jedinet, Network, Tracking};
use super::sigmoid::logistic;

/// How often a number was beyond its format, where the network computes in fixed point.
#[derive(Debug, Default)]
pub struct Overflows {
    numbers: AtomicU64,
    wrapped: AtomicU64,
    limited: AtomicU64,
}

impl Overflows {
    /// Counts a number that is quantised to `format`.
    fn count(&self, format: Quantiser, value: f64) {
        self.numbers.fetch_add(1, Relaxed);
        let ([low, high], step) = (<[i64; 2]>::from(format.limits()), f64::from(-format.frac).exp2());
        // less than a step beyond an end may still be rounded to it
        if value > (low as f64 - 1.0) * step && value < (high as f64 + 1.0) * step {
            return;
        }
        let beyond = if format.overflow == Overflow::Wrap { &self.wrapped } else { &self.limited };
        beyond.fetch_add(1, Relaxed);
    }

    /// Numbers altogether, those that wrapped, and those that were forced into their format's range.
    pub fn counts(&self) -> [u64; 3] {
        [&self.numbers, &self.wrapped, &self.limited].map(|count| count.load(Relaxed))
    }
}

impl Network {
    /// The scores for the integers of all input ports, in order; each edge weight between 0 and 1, and 0 for an edge
    /// that does not count.
    ///
    /// What the network's formats would not have held on the way is counted in `seen`.
    ///
    /// The network is one that [`Network::validate`] accepted, and the event fits its ports.
    pub fn in_floats(&self, event: &[i64], seen: &Overflows) -> Vec<f64> {
        match self {
            Self::Jedinet(network) => network.in_floats(event, seen),
            Self::Tracking(network) => network.in_floats(event, seen),
            Self::DeepSets(network) => network.in_floats(event, seen),
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
    fn in_floats(&self, x: &[f64], seen: &Overflows) -> Vec<f64> {
        let neuron = |(row, bias): (&Vec<i64>, &i64)| {
            let products = row.iter().zip(x).map(|(w, x)| real(*w, self.weight.frac) * x);
            let sum = real(*bias, self.weight.frac) + products.sum::<f64>();
            seen.count(self.pre_activation, sum);
            match self.relu {
                Some(relu) => {
                    seen.count(relu, sum.max(0.0));
                    sum.max(0.0)
                }
                None => sum,
            }
        };
        self.weights.iter().zip(&self.bias).map(neuron).collect()
    }
}

impl Mlp {
    fn in_floats(&self, x: &[f64], seen: &Overflows) -> Vec<f64> {
        let through = |x: Vec<f64>, layer: &Layer| layer.in_floats(&x, seen);
        self.layers.iter().fold(x.to_vec(), through)
    }
}

impl Aggregate {
    fn in_floats<'r>(self, rows: impl IntoIterator<Item = &'r [f64]>, width: usize, seen: &Overflows) -> Vec<f64> {
        let rows: Vec<&[f64]> = rows.into_iter().collect();
        let column = |k: usize| {
            let column = rows.iter().map(|row| row[k]);
            let result = match self.how {
                Aggregation::Sum => column.sum(),
                Aggregation::Mean => column.sum::<f64>() / rows.len().max(1) as f64,
                Aggregation::Max => column.reduce(f64::max).unwrap_or(0.0),
            };
            self.quantiser.iter().for_each(|format| seen.count(*format, result));
            result
        };
        (0..width).map(column).collect()
    }
}

impl Jedinet {
    fn in_floats(&self, event: &[i64], seen: &Overflows) -> Vec<f64> {
        let x = rows(event, self.features, self.input.frac);
        let objects: Vec<Vec<f64>> = (0..)
            .zip(self.senders())
            .map(|(i, senders): (usize, _)| {
                let message = |j: &usize| self.relation.in_floats(&[&x[i][..], &x[*j]].concat(), seen);
                let messages: Vec<Vec<f64>> = senders.iter().map(message).collect();
                let messages = messages.iter().map(Vec::as_slice);
                let aggregate = self.aggregate.in_floats(messages, self.relation.outputs(), seen);
                self.object.in_floats(&[&x[i][..], &aggregate].concat(), seen)
            })
            .collect();
        let all = objects.iter().map(Vec::as_slice);
        let pooled = self.pool.in_floats(all, self.object.outputs(), seen);
        self.classifier.in_floats(&pooled, seen)
    }
}

impl Tracking {
    fn in_floats(&self, event: &[i64], seen: &Overflows) -> Vec<f64> {
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
            Some((r, s, self.relation.in_floats(&inputs, seen)))
        };
        let ends = self.live_ends(senders, receivers, valid);
        let live: Vec<Option<(usize, usize, Vec<f64>)>> = (0..).zip(ends).map(message).collect();
        let objects: Vec<Vec<f64>> = (0..self.nodes)
            .map(|i| {
                let into = live.iter().flatten().filter(|(r, ..)| *r == i);
                let messages = into.map(|(.., message)| message.as_slice());
                let aggregate = self.aggregate.in_floats(messages, self.relation.outputs(), seen);
                self.object.in_floats(&[&x[i][..], &aggregate].concat(), seen)
            })
            .collect();
        let weight = |(r, s, message): &(usize, usize, Vec<f64>)| {
            let ends = [&objects[*r][..], &objects[*s], message].concat();
            logistic(self.score.in_floats(&ends, seen)[0])
        };
        live.iter().map(|live| live.as_ref().map_or(0.0, weight)).collect()
    }
}

impl DeepSets {
    fn in_floats(&self, event: &[i64], seen: &Overflows) -> Vec<f64> {
        let (particles, valid) = event.split_at(self.particles * self.features);
        let elements: Vec<Vec<f64>> =
            rows(particles, self.features, self.input.frac).iter().map(|x| self.element.in_floats(x, seen)).collect();
        let there = (0..).zip(&elements).filter(|(i, _)| !self.masked || valid[*i] == 1);
        let members = there.map(|(_, element): (usize, _)| element.as_slice());
        let pooled = self.aggregate.in_floats(members, self.element.outputs(), seen);
        self.classifier.in_floats(&pooled, seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_beyond_their_format_are_counted() {
        let seen = Overflows::default();
        let [wraps, saturates] =
            ["ap_fixed<4,2>", "ap_fixed<4,2,RND,SAT>"].map(|text| text.parse::<Quantiser>().unwrap());
        // from -2 to 1.75; what is less than a step beyond may be rounded to an end
        [1.75, 1.9, -2.1].iter().for_each(|v| seen.count(wraps, *v));
        assert_eq!(seen.counts(), [3, 0, 0]);
        [2.0, -2.25, 40.0].iter().for_each(|v| seen.count(wraps, *v));
        seen.count(saturates, 3.0);
        assert_eq!(seen.counts(), [7, 3, 1]);
    }
}
