//! The networks as data paths.
//!
//! Aggregation over a static graph is wiring and adders. [`super::edges`] builds networks with a run-time edge list.

use std::sync::Arc;

use hdl::dfg::{Module, Value};
use hdl::diag::Diagnostics;
use hdl::passes::pipeline::Report;

use super::assembly::{Assembly, Stages, Structure, assemble};
use super::layers::{Split, continued, linear, perceptron};
use super::network::{DeepSets, Jedinet, Network};

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
        let ports: Vec<Vec<Value<'_>>> =
            network.inputs().iter().map(|port| m.input_array(port.name, port.count, port.format)).collect();
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
pub(super) fn take<'v, 'm>(rest: &mut &'v [Value<'m>], n: usize) -> &'v [Value<'m>] {
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
    fn build<'m>(&self, assembly: &Assembly<'m, '_>, ports: &[Vec<Value<'m>>]) -> Result<Vec<Value<'m>>, Diagnostics> {
        let products = assembly.products();
        let x: Vec<&[Value<'m>]> = ports[0].chunks(self.features).collect();
        let objects = match self.is_linear() {
            true => self.linear_objects(assembly, &x)?,
            false => self.objects(assembly, &x)?,
        };
        assembly.place("classify", "classify", &objects, |m, objects| {
            let width = self.object.outputs();
            let rows: Vec<_> = objects.chunks(width).map(|row| (None, row)).collect();
            let pooled = m.scope("sum", || self.pool.build(m, products, &rows, width));
            perceptron(m, products, &self.classifier, &pooled)
        })
    }

    /// f_O of every particle, in linear time.
    fn linear_objects<'m>(
        &self,
        assembly: &Assembly<'m, '_>,
        x: &[&[Value<'m>]],
    ) -> Result<Vec<Value<'m>>, Diagnostics> {
        let (products, layer) = (assembly.products(), &self.relation.layers[0]);
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
            linear(m, products, &sums, &of_all, &bias, layer.weight)
        })?;
        let mut objects = Vec::new();
        for (i, x) in x.iter().enumerate() {
            let inputs = [x, &total[..]].concat();
            let node = assembly.place("node", &format!("node{i}"), &inputs, |m, inputs| {
                let (x, total) = inputs.split_at(self.features);
                let own = linear(m, products, x, &own, &none, layer.weight);
                let sums = own.iter().zip(total).map(|(a, b)| *a + *b);
                let quantiser = self.aggregate.quantiser;
                let aggregate = sums.map(|sum| quantiser.map_or(sum, |q| sum.quantise(&q)));
                let inputs = x.iter().copied().chain(aggregate).collect::<Vec<_>>();
                m.scope("object", || perceptron(m, products, &self.object, &inputs))
            })?;
            objects.extend(node);
        }
        Ok(objects)
    }

    /// f_O of every particle.
    fn objects<'m>(&self, assembly: &Assembly<'m, '_>, x: &[&[Value<'m>]]) -> Result<Vec<Value<'m>>, Diagnostics> {
        let products = assembly.products();
        let (first, others) = self.relation.layers.split_first().expect("validated");
        let (split, hidden) = (Split::of(first, self.features), first.outputs());
        let parts: Vec<Vec<Value<'m>>> = (0..)
            .zip(x)
            .map(|(i, x): (usize, _)| {
                assembly.place("project", &format!("project{i}"), x, |m, x| split.parts(m, products, x))
            })
            .collect::<Result<_, _>>()?;
        let mut objects = Vec::new();
        for (i, senders) in self.senders().iter().enumerate() {
            let mut inputs = [x[i], &parts[i][..hidden]].concat();
            senders.iter().for_each(|j| inputs.extend(&parts[*j][hidden..]));
            let degree = senders.len();
            let node = assembly.place(&format!("node{degree}"), &format!("node{i}"), &inputs, |m, mut inputs| {
                let x = take(&mut inputs, self.features);
                let receiver = take(&mut inputs, hidden);
                let messages: Vec<Vec<Value<'_>>> = inputs
                    .chunks(hidden)
                    .map(|sender| continued(m, products, others, &split.joined(receiver, sender)))
                    .collect();
                let rows: Vec<_> = messages.iter().map(|row| (None, &row[..])).collect();
                let width = self.relation.outputs();
                let aggregate = m.scope("sum", || self.aggregate.build(m, products, &rows, width));
                m.scope("object", || perceptron(m, products, &self.object, &[x, &aggregate].concat()))
            })?;
            objects.extend(node);
        }
        Ok(objects)
    }
}

impl DeepSets {
    /// | block | copies | does |
    /// |---|---|---|
    /// | `element` | one an element | φ |
    /// | `classify` | one | masked aggregation, ρ |
    fn build<'m>(&self, assembly: &Assembly<'m, '_>, ports: &[Vec<Value<'m>>]) -> Result<Vec<Value<'m>>, Diagnostics> {
        let products = assembly.products();
        let mut members = Vec::new();
        for (i, x) in ports[0].chunks(self.features).enumerate() {
            let name = format!("element{i}");
            let element = assembly.place("element", &name, x, |m, x| perceptron(m, products, &self.element, x))?;
            members.extend(element);
        }
        let width = self.element.outputs();
        let inputs = [&members[..], ports.get(1).map_or(&[], Vec::as_slice)].concat();
        assembly.place("classify", "classify", &inputs, |m, inputs| {
            let (members, masks) = inputs.split_at(self.particles * width);
            let rows: Vec<_> =
                (0..).zip(members.chunks(width)).map(|(i, row): (usize, _)| (masks.get(i).copied(), row)).collect();
            let pooled = m.scope("aggregate", || self.aggregate.build(m, products, &rows, width));
            perceptron(m, products, &self.classifier, &pooled)
        })
    }
}
