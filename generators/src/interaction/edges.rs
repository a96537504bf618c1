//! Edge classifiers as data paths: multiplexers gather the ends of each edge, and masked sums, or sums over edges in
//! their order, scatter its message to its receiver.

use std::ops::Range;

use hdl::dfg::{ModuleBuilder, Value};
use hdl::diag::Diagnostics;

use super::assembly::Assembly;
use super::hardware::take;
use super::layers::perceptron;
use super::network::Tracking;
use super::sorted::{self, Group};
use crate::arith::Products;

impl Tracking {
    /// | block | copies | does |
    /// |---|---|---|
    /// | `relation` | one an edge | gather, R1, whether the edge is live, its receiver one-hot |
    /// | `nodeD` | one a node that D edges may reach | scatter, aggregation, O |
    /// | `score` | one an edge | gather, R2, sigmoid, 0 if not live |
    ///
    /// With windows the edges of each pair of windows have their own `relation` and `score`. Of sorted edges, the blocks
    /// of [`sorted`] say which are live and what their receivers are, and aggregate the messages.
    pub(super) fn build<'m>(
        &self,
        assembly: &Assembly<'m, '_>,
        ports: &[Vec<Value<'m>>],
    ) -> Result<Vec<Value<'m>>, Diagnostics> {
        let [x, e, sender, receiver, valid] = ports else { unreachable!("the ports of this network") };
        let (products, width) = (assembly.products(), self.relation.outputs());
        let mut relations = Vec::new();
        for (k, e) in e.chunks(self.edge_features).enumerate() {
            let windows = self.windows_of(k);
            let nodes = self.nodes_of(&windows, x, self.node_features);
            let inputs = [&nodes[..], e, &[receiver[k], sender[k], valid[k]]].concat();
            let body = relate(self, products, &windows);
            let (block, name) = (self.block("relation", &windows), format!("relation{k}"));
            relations.push(assembly.place(&block, &name, &inputs, body)?);
        }
        let groups = self.groups();
        let scattered = match self.sorted {
            true => sorted::scatter(self, assembly, &groups, ports, &mut relations)?,
            false => relations.iter().map(|r| r[..width].to_vec()).collect(),
        };
        let mut objects = Vec::new();
        for (i, x) in x.chunks(self.node_features).enumerate() {
            let mut inputs = x.to_vec();
            let mut degrees = Vec::new();
            for group in &groups {
                let before = inputs.len();
                for &k in &group.edges {
                    let [receivers, _] = self.windows_of(k);
                    if receivers.contains(&i) {
                        inputs.push(relations[k][width + 1 + i - receivers.start]);
                        inputs.extend(&scattered[k]);
                    }
                }
                let row = 1 + scattered[group.edges[0]].len();
                degrees.extend(Some((inputs.len() - before) / row).filter(|degree| *degree > 0));
            }
            let shown: Vec<String> = degrees.iter().map(usize::to_string).collect();
            let block = format!("node{}", shown.join("_"));
            let body = object(self, products, &degrees);
            objects.extend(assembly.place(&block, &format!("node{i}"), &inputs, body)?);
        }
        let mut weights = Vec::new();
        for (k, relation) in relations.iter().enumerate() {
            let windows = self.windows_of(k);
            let nodes = self.nodes_of(&windows, &objects, self.object.outputs());
            let ends = [receiver[k], sender[k], relation[width]];
            let inputs = [&nodes[..], &relation[..width], &ends].concat();
            let body = score(self, products, &windows);
            let (block, name) = (self.block("score", &windows), format!("score{k}"));
            weights.extend(assembly.place(&block, &name, &inputs, body)?);
        }
        Ok(weights)
    }

    /// The edges that are aggregated together: those of each window of receivers if they are sorted, else all.
    fn groups(&self) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        for k in 0..self.edges {
            let [receivers, _] = self.windows_of(k);
            match groups.iter_mut().find(|group| !self.sorted || group.receivers == receivers) {
                Some(group) => group.edges.push(k),
                None => groups.push(Group { receivers, edges: vec![k] }),
            }
        }
        groups
    }

    /// The name of an edge's block: edges of the same windows share it.
    fn block(&self, name: &str, [receivers, senders]: &[Range<usize>; 2]) -> String {
        match self.windows {
            None => name.to_owned(),
            Some(_) => format!("{name}_{}_{}", receivers.start, senders.start),
        }
    }

    /// The features of the nodes of both windows; only once if an edge may connect any two.
    fn nodes_of<'m>(
        &self,
        [receivers, senders]: &[Range<usize>; 2],
        x: &[Value<'m>],
        features: usize,
    ) -> Vec<Value<'m>> {
        let of = |nodes: &Range<usize>| &x[nodes.start * features..nodes.end * features];
        match receivers == senders {
            true => of(receivers).to_vec(),
            false => [of(receivers), of(senders)].concat(),
        }
    }
}

/// Node features, then, for the edges of each group that may reach the node, whether the row is the node's, and the row:
/// a message, or the columns of an aggregate of which one row at most is the node's → new node features.
fn object(
    network: &Tracking,
    products: &Products,
    degrees: &[usize],
) -> impl for<'m> Fn(&'m ModuleBuilder, &[Value<'m>]) -> Vec<Value<'m>> {
    move |m, mut inputs| {
        let x = take(&mut inputs, network.node_features);
        let (aggregate, width) = (network.aggregate, network.relation.outputs());
        let edges = degrees.iter().sum::<usize>();
        let rows: Vec<(Value<'_>, &[Value<'_>])> =
            inputs.chunks((inputs.len() / edges.max(1)).max(1)).map(|row| (row[0], &row[1..])).collect();
        let aggregate = m.scope("scatter", || match network.sorted {
            true => sorted::gathered(m, products, aggregate, degrees, &rows, width),
            false => {
                let rows: Vec<_> = rows.iter().map(|(here, row)| (Some(*here), *row)).collect();
                aggregate.build(m, products, &rows, width)
            }
        });
        perceptron(m, products, &network.object, &[x, &aggregate].concat())
    }
}

/// Nodes of the windows, edge features, receiver, sender, valid → message; unless edges are sorted, also live, and for
/// each node of the window whether it is the receiver (none if the edge is not live).
fn relate(
    network: &Tracking,
    products: &Products,
    windows: &[Range<usize>; 2],
) -> impl for<'m> Fn(&'m ModuleBuilder, &[Value<'m>]) -> Vec<Value<'m>> {
    move |m, inputs| {
        let features = network.node_features;
        let (ends, mut rest) = gathered(m, windows, inputs, features, network.edge_features);
        let e = take(&mut rest, network.edge_features);
        let (receiver, sender, valid) = (rest[0], rest[1], rest[2]);
        let message = perceptron(m, products, &network.relation, &[&ends[..], e].concat());
        if network.sorted {
            return message;
        }
        let [to, from] = windows;
        let live = valid & inside(m, receiver, to) & inside(m, sender, from);
        let hot = to.clone().map(|i| live & receiver.equals(m.constant(i as i128, 0)));
        message.into_iter().chain([live]).chain(hot).collect()
    }
}

/// New nodes of the windows, message, receiver, sender, live → edge weight.
fn score(
    network: &Tracking,
    products: &Products,
    windows: &[Range<usize>; 2],
) -> impl for<'m> Fn(&'m ModuleBuilder, &[Value<'m>]) -> Vec<Value<'m>> {
    move |m, inputs| {
        let (features, width) = (network.object.outputs(), network.relation.outputs());
        let (ends, mut rest) = gathered(m, windows, inputs, features, width);
        let message = take(&mut rest, width);
        let live = rest[2];
        let score = perceptron(m, products, &network.score, &[&ends[..], message].concat());
        let weight = m.scope("sigmoid", || network.sigmoid.build(score[0]));
        vec![live.mux(weight, m.constant(0, 0))]
    }
}

/// The features of an edge's receiver and sender, and the inputs behind the nodes; `skipped` of those come before the
/// two indices.
fn gathered<'v, 'm>(
    m: &'m ModuleBuilder,
    [to, from]: &[Range<usize>; 2],
    inputs: &'v [Value<'m>],
    features: usize,
    skipped: usize,
) -> (Vec<Value<'m>>, &'v [Value<'m>]) {
    let mut rest = inputs;
    let receivers = take(&mut rest, to.len() * features);
    let senders = match to == from {
        true => receivers,
        false => take(&mut rest, from.len() * features),
    };
    let (receiver, sender) = (rest[skipped], rest[skipped + 1]);
    let ends = m.scope("gather", || {
        let receiver = gather(m, receivers, features, receiver, to.start);
        [receiver, gather(m, senders, features, sender, from.start)].concat()
    });
    (ends, rest)
}

/// Whether `index` names a node of the window.
pub(super) fn inside<'m>(m: &'m ModuleBuilder, index: Value<'m>, window: &Range<usize>) -> Value<'m> {
    let (first, end) = (m.constant(window.start as i128, 0), m.constant(window.end as i128, 0));
    index.ge(first) & index.lt(end)
}

/// The features of the node number `index` out of `x`, which begins with node `first`. The features of some node if that
/// one is not there: the edge is not live then.
fn gather<'m>(
    m: &'m ModuleBuilder,
    x: &[Value<'m>],
    features: usize,
    index: Value<'m>,
    first: usize,
) -> Vec<Value<'m>> {
    let nodes = x.len() / features;
    let bits = usize::BITS - (nodes - 1).leading_zeros();
    let place = (index - m.constant(first as i128, 0)).wrap(bits, false);
    // the last block of a power of two again and again: the multiplexers of its copies are one
    let block = 1 << nodes.trailing_zeros();
    let node = |i: usize| {
        if i < nodes { i } else { nodes - block + i % block }
    };
    (0..features)
        .map(|f| {
            let column = (0..1 << bits).map(|i| x[node(i) * features + f]);
            place.select(&column.collect::<Vec<_>>())
        })
        .collect()
}
