//! The networks as data paths.
//!
//! Aggregation over a static graph is wiring and adders. A run-time edge list is multiplexers that gather the ends of
//! each edge, and masked sums that scatter its message to its receiver.

use std::ops::Range;
use std::sync::Arc;

use hdl::dfg::{Module, ModuleBuilder, Value};
use hdl::diag::Diagnostics;
use hdl::passes::pipeline::Report;

use super::assembly::{Assembly, Stages, Structure, assemble};
use super::layers::{Split, continued, linear, perceptron};
use super::network::{DeepSets, Jedinet, Network, Tracking};

/// The top module of a network that was validated, in stages.
///
/// Its ports are [`Network::inputs`] and [`Network::output`]; all of an event is there in cycle 0.
pub fn datapath(
    top: &str,
    network: &Network,
    structure: Structure,
    stages: Stages<'_>,
) -> Result<(Arc<Module>, Report), Diagnostics> {
    assemble(top, structure, stages, |assembly, m| {
        let ports: Vec<Vec<Value<'_>>> = network
            .inputs()
            .iter()
            .map(|port| m.input_array(port.name, port.count, port.format))
            .collect();
        let outputs = match network {
            Network::Jedinet(network) => network.build(assembly, &ports)?,
            Network::Tracking(network) => network.build(assembly, &ports)?,
            Network::DeepSets(network) => network.build(assembly, &ports)?,
        };
        m.output_array(network.output().0, &outputs);
        Ok(())
    })
}

/// `n` values from the front of `rest`.
fn take<'v, 'm>(rest: &mut &'v [Value<'m>], n: usize) -> &'v [Value<'m>] {
    let (front, back) = rest.split_at(n);
    *rest = back;
    front
}

impl Jedinet {
    /// | block | copies | does |
    /// |---|---|---|
    /// | `project` | one a particle | both parts of f_R's first layer |
    /// | `nodeD` | one a particle with D senders | the rest of f_R for each sender, the sum, f_O |
    /// | `classify` | one | the sum over particles, φ |
    ///
    /// With a linear f_R, `total` takes the place of `project` and `node` that of `nodeD`:
    ///
    /// | block | copies | does |
    /// |---|---|---|
    /// | `total` | one | what all particles together add to each sum over senders |
    /// | `node` | one a particle | what the particle itself adds, f_O |
    fn build<'m>(
        &self,
        assembly: &Assembly<'m, '_>,
        ports: &[Vec<Value<'m>>],
    ) -> Result<Vec<Value<'m>>, Diagnostics> {
        let x: Vec<&[Value<'m>]> = ports[0].chunks(self.features).collect();
        let objects = match self.is_linear() {
            true => self.linear_objects(assembly, &x)?,
            false => self.objects(assembly, &x)?,
        };
        assembly.place("classify", "classify", &objects, |m, objects| {
            let width = self.object.outputs();
            let rows: Vec<_> = objects.chunks(width).map(|row| (None, row)).collect();
            let pooled = m.scope("sum", || self.pool.build(m, &rows, width));
            perceptron(m, &self.classifier, &pooled)
        })
    }

    /// f_O of every particle, in linear time.
    fn linear_objects<'m>(
        &self,
        assembly: &Assembly<'m, '_>,
        x: &[&[Value<'m>]],
    ) -> Result<Vec<Value<'m>>, Diagnostics> {
        let layer = &self.relation.layers[0];
        let senders = self.particles as i64 - 1;
        let bias: Vec<i64> = layer.bias.iter().map(|b| b * senders).collect();
        let none = vec![0; layer.outputs()];
        let (own, of_all): (Vec<Vec<i64>>, Vec<Vec<i64>>) = layer
            .weights
            .iter()
            .map(|row| {
                let (receiver, sender) = row.split_at(self.features);
                let own = receiver.iter().zip(sender).map(|(r, s)| r * senders - s);
                (own.collect(), sender.to_vec())
            })
            .unzip();
        let total = assembly.place("total", "total", &x.concat(), |m, x| {
            let sum = |f: usize| {
                let feature = x.iter().skip(f).step_by(self.features).copied();
                Value::sum(&feature.collect::<Vec<_>>())
            };
            let sums: Vec<Value<'_>> = (0..self.features).filter_map(sum).collect();
            linear(m, &sums, &of_all, &bias, layer.weight)
        })?;
        let mut objects = Vec::new();
        for (i, x) in x.iter().enumerate() {
            let inputs = [x, &total[..]].concat();
            let node = assembly.place("node", &format!("node{i}"), &inputs, |m, inputs| {
                let (x, total) = inputs.split_at(self.features);
                let own = linear(m, x, &own, &none, layer.weight);
                let sums = own.iter().zip(total).map(|(a, b)| *a + *b);
                let quantiser = self.aggregate.quantiser;
                let aggregate = sums.map(|sum| quantiser.map_or(sum, |q| sum.quantise(&q.0)));
                let inputs = x.iter().copied().chain(aggregate).collect::<Vec<_>>();
                m.scope("object", || perceptron(m, &self.object, &inputs))
            })?;
            objects.extend(node);
        }
        Ok(objects)
    }

    /// f_O of every particle.
    fn objects<'m>(
        &self,
        assembly: &Assembly<'m, '_>,
        x: &[&[Value<'m>]],
    ) -> Result<Vec<Value<'m>>, Diagnostics> {
        let (first, others) = self.relation.layers.split_first().expect("validated");
        let (split, hidden) = (Split::of(first, self.features), first.outputs());
        let parts: Vec<Vec<Value<'m>>> = (0..)
            .zip(x)
            .map(|(i, x): (usize, _)| {
                assembly.place("project", &format!("project{i}"), x, |m, x| {
                    split.parts(m, x)
                })
            })
            .collect::<Result<_, _>>()?;
        let mut objects = Vec::new();
        for (i, senders) in self.senders().iter().enumerate() {
            let mut inputs = [x[i], &parts[i][..hidden]].concat();
            senders
                .iter()
                .for_each(|j| inputs.extend(&parts[*j][hidden..]));
            let degree = senders.len();
            let node = assembly.place(
                &format!("node{degree}"),
                &format!("node{i}"),
                &inputs,
                |m, mut inputs| {
                    let x = take(&mut inputs, self.features);
                    let receiver = take(&mut inputs, hidden);
                    let messages: Vec<Vec<Value<'_>>> = inputs
                        .chunks(hidden)
                        .map(|sender| continued(m, others, &split.joined(receiver, sender)))
                        .collect();
                    let rows: Vec<_> = messages.iter().map(|row| (None, &row[..])).collect();
                    let width = self.relation.outputs();
                    let aggregate = m.scope("sum", || self.aggregate.build(m, &rows, width));
                    m.scope("object", || {
                        perceptron(m, &self.object, &[x, &aggregate].concat())
                    })
                },
            )?;
            objects.extend(node);
        }
        Ok(objects)
    }
}

impl Tracking {
    /// | block | copies | does |
    /// |---|---|---|
    /// | `relation` | one an edge | gather, R1, whether the edge is live, its receiver one-hot |
    /// | `nodeD` | one a node that D edges may reach | scatter, aggregation, O |
    /// | `score` | one an edge | gather, R2, sigmoid, 0 if not live |
    ///
    /// With windows the edges of each pair of windows have their own `relation` and `score`.
    fn build<'m>(
        &self,
        assembly: &Assembly<'m, '_>,
        ports: &[Vec<Value<'m>>],
    ) -> Result<Vec<Value<'m>>, Diagnostics> {
        let [x, e, sender, receiver, valid] = ports else {
            unreachable!("the ports of this network")
        };
        let width = self.relation.outputs();
        let mut relations = Vec::new();
        for (k, e) in e.chunks(self.edge_features).enumerate() {
            let windows = self.windows_of(k);
            let nodes = self.nodes_of(&windows, x, self.node_features);
            let inputs = [&nodes[..], e, &[receiver[k], sender[k], valid[k]]].concat();
            let body = relate(self, &windows);
            let (block, name) = (self.block("relation", &windows), format!("relation{k}"));
            relations.push(assembly.place(&block, &name, &inputs, body)?);
        }
        let mut objects = Vec::new();
        for (i, x) in x.chunks(self.node_features).enumerate() {
            let mut inputs = x.to_vec();
            let mut degree = 0;
            for (k, relation) in relations.iter().enumerate() {
                let [receivers, _] = self.windows_of(k);
                if receivers.contains(&i) {
                    inputs.push(relation[width + 1 + i - receivers.start]);
                    inputs.extend(&relation[..width]);
                    degree += 1;
                }
            }
            let (block, name) = (format!("node{degree}"), format!("node{i}"));
            objects.extend(assembly.place(&block, &name, &inputs, |m, i| self.object(m, i))?);
        }
        let mut weights = Vec::new();
        for (k, relation) in relations.iter().enumerate() {
            let windows = self.windows_of(k);
            let nodes = self.nodes_of(&windows, &objects, self.object.outputs());
            let ends = [receiver[k], sender[k], relation[width]];
            let inputs = [&nodes[..], &relation[..width], &ends].concat();
            let body = score(self, &windows);
            let (block, name) = (self.block("score", &windows), format!("score{k}"));
            weights.extend(assembly.place(&block, &name, &inputs, body)?);
        }
        Ok(weights)
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

    /// Node features, then (whether it goes here, message) of each edge → new node features.
    fn object<'m>(&self, m: &'m ModuleBuilder, mut inputs: &[Value<'m>]) -> Vec<Value<'m>> {
        let x = take(&mut inputs, self.node_features);
        let width = self.relation.outputs();
        let rows: Vec<_> = inputs
            .chunks(width + 1)
            .map(|row| (Some(row[0]), &row[1..]))
            .collect();
        let aggregate = m.scope("scatter", || self.aggregate.build(m, &rows, width));
        perceptron(m, &self.object, &[x, &aggregate].concat())
    }
}

/// Nodes of the windows, edge features, receiver, sender, valid → message, live, and for each node of the window
/// whether it is the receiver (none if the edge is not live).
fn relate(
    network: &Tracking,
    windows: &[Range<usize>; 2],
) -> impl for<'m> Fn(&'m ModuleBuilder, &[Value<'m>]) -> Vec<Value<'m>> {
    move |m, inputs| {
        let features = network.node_features;
        let (ends, mut rest) = gathered(m, windows, inputs, features, network.edge_features);
        let e = take(&mut rest, network.edge_features);
        let (receiver, sender, valid) = (rest[0], rest[1], rest[2]);
        let message = perceptron(m, &network.relation, &[&ends[..], e].concat());
        let [to, from] = windows;
        let live = valid & inside(m, receiver, to) & inside(m, sender, from);
        let hot = to
            .clone()
            .map(|i| live & receiver.equals(m.constant(i as i128, 0)));
        message.into_iter().chain([live]).chain(hot).collect()
    }
}

/// New nodes of the windows, message, receiver, sender, live → edge weight.
fn score(
    network: &Tracking,
    windows: &[Range<usize>; 2],
) -> impl for<'m> Fn(&'m ModuleBuilder, &[Value<'m>]) -> Vec<Value<'m>> {
    move |m, inputs| {
        let (features, width) = (network.object.outputs(), network.relation.outputs());
        let (ends, mut rest) = gathered(m, windows, inputs, features, width);
        let message = take(&mut rest, width);
        let live = rest[2];
        let score = perceptron(m, &network.score, &[&ends[..], message].concat());
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
fn inside<'m>(m: &'m ModuleBuilder, index: Value<'m>, window: &Range<usize>) -> Value<'m> {
    let (first, end) = (
        m.constant(window.start as i128, 0),
        m.constant(window.end as i128, 0),
    );
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
        if i < nodes {
            i
        } else {
            nodes - block + i % block
        }
    };
    (0..features)
        .map(|f| {
            let column = (0..1 << bits).map(|i| x[node(i) * features + f]);
            place.select(&column.collect::<Vec<_>>())
        })
        .collect()
}

impl DeepSets {
    /// | block | copies | does |
    /// |---|---|---|
    /// | `element` | one an element | φ |
    /// | `classify` | one | masked aggregation, ρ |
    fn build<'m>(
        &self,
        assembly: &Assembly<'m, '_>,
        ports: &[Vec<Value<'m>>],
    ) -> Result<Vec<Value<'m>>, Diagnostics> {
        let mut members = Vec::new();
        for (i, x) in ports[0].chunks(self.features).enumerate() {
            let name = format!("element{i}");
            let element =
                assembly.place("element", &name, x, |m, x| perceptron(m, &self.element, x))?;
            members.extend(element);
        }
        let width = self.element.outputs();
        let inputs = [&members[..], ports.get(1).map_or(&[], Vec::as_slice)].concat();
        assembly.place("classify", "classify", &inputs, |m, inputs| {
            let (members, masks) = inputs.split_at(self.particles * width);
            let rows: Vec<_> = (0..)
                .zip(members.chunks(width))
                .map(|(i, row): (usize, _)| (masks.get(i).copied(), row))
                .collect();
            let pooled = m.scope("aggregate", || self.aggregate.build(m, &rows, width));
            perceptron(m, &self.classifier, &pooled)
        })
    }
}
