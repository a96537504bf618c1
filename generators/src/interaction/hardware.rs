//! The networks as data paths.
//!
//! Aggregation over a static graph is wiring and adders. A run-time edge list is multiplexers that gather the ends of
//! each edge, and masked sums that scatter its message to its receiver.

use std::sync::Arc;

use hdl::dfg::{Module, ModuleBuilder, Value};
use hdl::diag::Diagnostics;
use hdl::passes::pipeline::Report;

use super::assembly::{Assembly, Stages, Structure, assemble};
use super::layers::{Split, continued, perceptron};
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
    fn build<'m>(
        &self,
        assembly: &Assembly<'m, '_>,
        ports: &[Vec<Value<'m>>],
    ) -> Result<Vec<Value<'m>>, Diagnostics> {
        let x: Vec<&[Value<'m>]> = ports[0].chunks(self.features).collect();
        let (first, others) = self.relation.layers.split_first().expect("validated");
        let (split, hidden) = (Split::of(first, self.features), first.outputs());
        let parts: Vec<Vec<Value<'m>>> = (0..)
            .zip(&x)
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
        assembly.place("classify", "classify", &objects, |m, objects| {
            let width = self.object.outputs();
            let rows: Vec<_> = objects.chunks(width).map(|row| (None, row)).collect();
            let pooled = m.scope("sum", || self.pool.build(m, &rows, width));
            perceptron(m, &self.classifier, &pooled)
        })
    }
}

impl Tracking {
    /// | block | copies | does |
    /// |---|---|---|
    /// | `relation` | one an edge | gather, R1, whether the edge is live, its receiver one-hot |
    /// | `node` | one a node | scatter, aggregation, O |
    /// | `score` | one an edge | gather, R2, sigmoid, 0 if not live |
    fn build<'m>(
        &self,
        assembly: &Assembly<'m, '_>,
        ports: &[Vec<Value<'m>>],
    ) -> Result<Vec<Value<'m>>, Diagnostics> {
        let [x, e, sender, receiver, valid] = ports else {
            unreachable!("the ports of this network")
        };
        let mut relations = Vec::new();
        for (k, e) in e.chunks(self.edge_features).enumerate() {
            let inputs = [&x[..], e, &[receiver[k], sender[k], valid[k]]].concat();
            let name = format!("relation{k}");
            relations.push(assembly.place("relation", &name, &inputs, |m, i| self.relate(m, i))?);
        }
        let width = self.relation.outputs();
        let mut objects = Vec::new();
        for (i, x) in x.chunks(self.node_features).enumerate() {
            let mut inputs = x.to_vec();
            for relation in &relations {
                inputs.push(relation[width + 1 + i]);
                inputs.extend(&relation[..width]);
            }
            let name = format!("node{i}");
            objects.extend(assembly.place("node", &name, &inputs, |m, i| self.object(m, i))?);
        }
        let mut weights = Vec::new();
        for (k, relation) in relations.iter().enumerate() {
            let live = relation[width];
            let ends = [receiver[k], sender[k], live];
            let inputs = [&objects[..], &relation[..width], &ends].concat();
            let name = format!("score{k}");
            weights.extend(assembly.place("score", &name, &inputs, |m, i| self.score(m, i))?);
        }
        Ok(weights)
    }

    /// Nodes, edge features, receiver, sender, valid → message, live, receiver one-hot (all 0 if not live).
    fn relate<'m>(&self, m: &'m ModuleBuilder, mut inputs: &[Value<'m>]) -> Vec<Value<'m>> {
        let x = take(&mut inputs, self.nodes * self.node_features);
        let e = take(&mut inputs, self.edge_features);
        let (receiver, sender, valid) = (inputs[0], inputs[1], inputs[2]);
        let ends = m.scope("gather", || {
            let receiver = self.gather(m, x, self.node_features, receiver);
            [receiver, self.gather(m, x, self.node_features, sender)].concat()
        });
        let message = perceptron(m, &self.relation, &[&ends[..], e].concat());
        let nodes = m.constant(self.nodes as i128, 0);
        let live = valid & receiver.lt(nodes) & sender.lt(nodes);
        let hot = (0..self.nodes).map(|i| live & receiver.equals(m.constant(i as i128, 0)));
        message.into_iter().chain([live]).chain(hot).collect()
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

    /// New nodes, message, receiver, sender, live → edge weight.
    fn score<'m>(&self, m: &'m ModuleBuilder, mut inputs: &[Value<'m>]) -> Vec<Value<'m>> {
        let width = self.object.outputs();
        let x = take(&mut inputs, self.nodes * width);
        let message = take(&mut inputs, self.relation.outputs());
        let (receiver, sender, live) = (inputs[0], inputs[1], inputs[2]);
        let ends = m.scope("gather", || {
            [
                self.gather(m, x, width, receiver),
                self.gather(m, x, width, sender),
            ]
            .concat()
        });
        let score = perceptron(m, &self.score, &[&ends[..], message].concat());
        let weight = m.scope("sigmoid", || self.sigmoid.build(score[0]));
        vec![live.mux(weight, m.constant(0, 0))]
    }

    /// The features of node number `index`; zeros past the last node.
    fn gather<'m>(
        &self,
        m: &'m ModuleBuilder,
        x: &[Value<'m>],
        features: usize,
        index: Value<'m>,
    ) -> Vec<Value<'m>> {
        let entries = 1usize << self.index_bits();
        (0..features)
            .map(|f| {
                let column = (0..self.nodes).map(|i| x[i * features + f]);
                let padding = std::iter::repeat_n(m.constant(0, 0), entries - self.nodes);
                index.select(&column.chain(padding).collect::<Vec<_>>())
            })
            .collect()
    }
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
