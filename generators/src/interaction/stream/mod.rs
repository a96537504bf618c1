//! An edge classifier that takes an event in several beats, so that few copies of its perceptrons do for many nodes and
//! edges.
//!
//! With N beats an event of `nodes` hits and `edges` segments comes in N successive cycles, `nodes / N` hits and
//! `edges / N` segments in each, slot after slot; `first` is 1 in the first of them. Events may follow each other without
//! a pause, so the initiation interval is N. Register files hold an event while it goes through four phases of N cycles:
//!
//! | phase | every cycle |
//! |---|---|
//! | arrive | a beat of nodes and edges is stored |
//! | relate | R1 of a beat of edges; each lane adds its message to the sum of the receiver |
//! | update | O of a beat of nodes, on the aggregates of all lanes |
//! | score | R2 of a beat of edges; the weights come out |
//!
//! A phase begins when the one before has written its last result. Node `i` lies in bank `i mod banks`, row `i / banks`;
//! a file holds several events side by side, enough for those under way. Each lane of edges has sums of its own, two sets
//! for two successive events, of which one is cleared while the other is added to.

mod files;
mod lanes;
mod token;

use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use hdl::dfg::{Module, ModuleBuilder, RegisterStyle, Value};
use hdl::diag::{Diagnostic, Diagnostics};
use hdl::num::Format;
use hdl::passes::pipeline::Report;
use serde::{Deserialize, Serialize};

use super::assembly::{Assembly, Stages, Structure, assemble};
use super::hardware::{operators, perceptron};
use super::network::{InputPort, Tracking};
use crate::arith::Products;
use files::{Adding, Files, Sums, sum_formats};
use lanes::unsigned;
pub use lanes::{Lanes, vectors};
use token::{Token, cleared, phase};

/// How a stream is timed, as `model.json` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// Beats of an event, the initiation interval.
    pub beats: usize,
    /// Cycles from a beat of edges to its weights.
    pub latency: u32,
}

/// The values in registers.
fn held<'m>(values: impl IntoIterator<Item = Value<'m>>) -> Vec<Value<'m>> {
    values.into_iter().map(|v| v.delay(1)).collect()
}

/// Cycles between a phase's beat and its perceptrons: edges are read, then what they name.
const EDGE_READS: u32 = 2;
/// The same for nodes.
const NODE_READS: u32 = 1;

/// A stream under construction.
struct Stream<'n, 'm> {
    network: &'n Tracking,
    lanes: Lanes,
    m: &'m ModuleBuilder,
    /// R1, O, and R2 with the sigmoid.
    modules: Vec<Arc<Module>>,
    /// Formats of the columns of an aggregate over the edges of a lane.
    sums: Vec<Format>,
    event_bits: u32,
}

/// The top module of a stream, and the cycles from a beat of edges to its weights.
///
/// # Errors
/// Those of building and of pipelining the perceptrons.
pub fn datapath(
    top: &str,
    network: &Tracking,
    lanes: Lanes,
    stages: Stages<'_>,
) -> Result<(Arc<Module>, Report, u32), Diagnostics> {
    let mut latency = 0;
    let (module, report) = assemble(top, Structure::Blocks, stages, |assembly, m| {
        let input = |port: InputPort| m.input_array(port.name, port.count, port.format);
        let ports: Vec<_> = lanes.ports(network).into_iter().map(input).collect();
        let (weights, cycles) = build(network, lanes, m, assembly, &ports)?;
        m.output_array("weights", &weights);
        latency = cycles;
        Ok(())
    })?;
    Ok((module, Report { latency, ..report }, latency))
}

/// The weights of a beat's edges for the ports `first`, `nodes`, `edges`, `sender`, `receiver`, `valid`, and the cycles
/// from the beat to them. They are 0 while there are none.
///
/// # Errors
/// Those of building and of pipelining the perceptrons.
fn build<'m>(
    network: &Tracking,
    lanes: Lanes,
    m: &'m ModuleBuilder,
    assembly: &Assembly<'m, '_>,
    ports: &[Vec<Value<'m>>],
) -> Result<(Vec<Value<'m>>, u32), Diagnostics> {
    let blocks = network.blocks()?;
    let messages = vec![blocks[0].mlp.output_format(); network.relation.outputs()];
    let sums = sum_formats(network.aggregate, &messages, lanes);
    let products = assembly.products();
    let mut modules = Vec::new();
    for block in blocks {
        let inputs = match block.name {
            "object" => {
                let x = vec![network.input.format(); network.node_features];
                [x, sums.repeat(lanes.edges)].concat()
            }
            _ => block.inputs,
        };
        modules.push(assembly.module(block.name, inputs, |m, x| match block.name {
            "object" => object(network, m, products, x),
            "score" => {
                let score = perceptron(m, products, block.mlp, x)?;
                let frac = block.mlp.output_format().frac;
                operators(m, products, "sigmoid", network.sigmoid.operators(frac), &score)
            }
            _ => perceptron(m, products, block.mlp, x),
        })?);
    }
    let latencies = modules.iter().map(|module| module.latency());
    let under_way: u32 = latencies.sum::<u32>() + 2 * EDGE_READS + NODE_READS;
    let events = 4 + under_way.div_ceil(lanes.beats as u32);
    let stream = Stream { network, lanes, m, modules, sums, event_bits: events.next_power_of_two().trailing_zeros() };
    let weights = stream.phases(ports)?;
    // the registers at the inputs, three phases before the last one
    Ok((weights, 1 + 3 * lanes.beats as u32 + under_way))
}

/// Node features, then the columns of each lane → new node features.
fn object<'m>(
    network: &Tracking,
    m: &'m ModuleBuilder,
    products: &Rc<Products>,
    inputs: &[Value<'m>],
) -> Result<Vec<Value<'m>>, Diagnostic> {
    let (x, lanes) = inputs.split_at(network.node_features);
    let how = network.aggregate.how;
    let columns = network.relation.outputs() + how.presence_columns();
    let combined = |k: usize| {
        let of_lanes: Vec<Value<'m>> = lanes.iter().skip(k).step_by(columns).copied().collect();
        let all = Value::tree(&of_lanes, |a, b| how.combine(a, b));
        all.expect("at least one lane")
    };
    let aggregate = m.scope("aggregate", || {
        let combined: Vec<Value<'m>> = (0..columns).map(combined).collect();
        how.finish(m, products, &combined)
    });
    let quantised = |v: &Value<'m>| network.aggregate.quantiser.map_or(*v, |q| v.quantise(&q));
    let aggregate: Vec<Value<'m>> = aggregate.iter().map(quantised).collect();
    perceptron(m, products, &network.object, &[x, &aggregate].concat())
}

impl<'m> Stream<'_, 'm> {
    fn phases(&self, ports: &[Vec<Value<'m>>]) -> Result<Vec<Value<'m>>, Diagnostics> {
        let latency = |k: usize| self.modules[k].latency();
        let [relation, object, score] = [0, 1, 2].map(latency);
        let (network, lanes, m) = (self.network, self.lanes, self.m);
        let ports = self.captured(ports);
        let [first, x, e, sender, receiver, valid] = &ports[..] else { unreachable!("the ports of a stream") };
        let blocks = network.blocks()?;
        let (messages, objects) = (blocks[0].mlp.output_format(), blocks[1].mlp.output_format());
        let depth = [self.event_bits, lanes.beat_bits()];
        let files = |name: &str, count: usize, formats: &[Format]| -> Vec<Files<'m>> {
            let file = |k| Files::new(m, &format!("{name}{k}"), formats, depth);
            (0..count).map(file).collect()
        };
        let (index, features) = (unsigned(network.index_bits()), network.input.format());
        let nodes = files("node", lanes.nodes, &vec![features; network.node_features]);
        let edges = files("edge", lanes.edges, &vec![features; network.edge_features]);
        let ends = files("ends", lanes.edges, &[index, index, Format::BIT]);
        let updated = files("updated", lanes.nodes, &vec![objects; network.object.outputs()]);
        let width = network.relation.outputs();
        let said = files("message", lanes.edges, &vec![messages; width]);

        let arrive = self.phase("arrive", first[0]);
        let rows = x.chunks(network.node_features);
        nodes.iter().zip(rows).for_each(|(file, row)| file.write(arrive, row));
        for (k, row) in e.chunks(network.edge_features).enumerate() {
            edges[k].write(arrive, row);
            ends[k].write(arrive, &[receiver[k], sender[k], valid[k]]);
        }

        let relate = self.phase("relate", arrive.done(m, lanes));
        let said_at = relate.after(EDGE_READS + relation);
        let clear = arrive.after(EDGE_READS + relation);
        let mut sums = Vec::new();
        for k in 0..lanes.edges {
            let read = held(ends[k].read(relate, relate.beat));
            let mut inputs = self.ends(&nodes, relate.after(1), &read[..2]);
            inputs.extend(edges[k].read(relate, relate.beat).into_iter().map(|v| v.delay(2)));
            let message = m.instance(&self.modules[0], &format!("relation{k}"), &inputs);
            said[k].write(said_at, &message);
            let live = self.live(k, relate.after(1), &read).delay(1 + relation);
            let receiver = read[0].delay(1 + relation);
            sums.push(self.scatter(k, said_at, clear, receiver, live, &message));
        }

        let update = self.phase("update", said_at.done(m, lanes));
        let updated_at = update.after(NODE_READS + object);
        for (bank, file) in nodes.iter().enumerate() {
            let mut inputs = held(file.read(update, update.beat));
            let columns = sums.iter().flat_map(|lane| &lane[bank]);
            inputs.extend(held(columns.map(|sums| sums.read(update))));
            let object = m.instance(&self.modules[1], &format!("object{bank}"), &inputs);
            updated[bank].write(updated_at, &object);
        }

        let decide = self.phase("score", updated_at.done(m, lanes));
        let out = decide.after(EDGE_READS + score);
        Ok((0..lanes.edges)
            .map(|k| {
                let read = held(ends[k].read(decide, decide.beat));
                let mut inputs = self.ends(&updated, decide.after(1), &read[..2]);
                inputs.extend(said[k].read(decide, decide.beat).into_iter().map(|v| v.delay(2)));
                let weight = m.instance(&self.modules[2], &format!("score{k}"), &inputs);
                let live = self.live(k, decide.after(1), &read).delay(1 + score);
                (out.running & live).mux(weight[0], m.constant(0, 0))
            })
            .collect())
    }

    /// The inputs in registers: whatever follows belongs to no fixed cycle.
    fn captured(&self, ports: &[Vec<Value<'m>>]) -> Vec<Vec<Value<'m>>> {
        let captured = |(port, values): (usize, &Vec<Value<'m>>)| {
            let register = |(k, value): (usize, &Value<'m>)| {
                let style = if port == 0 { cleared() } else { RegisterStyle::default() };
                let register = self.m.state(&format!("captured{port}_{k}"), value.format(), style);
                register.set_next(*value);
                register.value()
            };
            (0..).zip(values).map(register).collect()
        };
        (0..).zip(ports).map(captured).collect()
    }

    fn phase(&self, name: &str, start: Value<'m>) -> Token<'m> {
        phase(self.m, name, start, self.lanes, self.event_bits)
    }

    /// Whether an edge of lane `k` counts: it is valid, and both its nodes exist and lie in its windows.
    fn live(&self, k: usize, at: Token<'m>, ends: &[Value<'m>]) -> Value<'m> {
        let lanes = self.lanes;
        // of the receivers, then of the senders: first node and the one behind the last, beat by beat
        let bound = |end: usize, of: fn(&Range<usize>) -> usize| {
            let edge = |beat: usize| of(&self.network.windows_of(beat * lanes.edges + k)[end]) as i128;
            let mut table: Vec<i128> = (0..lanes.beats).map(edge).collect();
            table.resize(1 << lanes.beat_bits(), table[0]);
            at.beat.lookup(&table, 0)
        };
        let inside = |end: usize| {
            let (first, behind) = (bound(end, |w| w.start), bound(end, |w| w.end));
            ends[end].ge(first) & ends[end].lt(behind)
        };
        ends[2] & inside(0) & inside(1)
    }

    /// Bank and row of a node.
    fn place_of(&self, node: Value<'m>) -> (Option<Value<'m>>, Value<'m>) {
        let bits = self.lanes.nodes.trailing_zeros();
        let high = self.network.index_bits() - 1;
        match bits {
            0 => (None, node),
            _ => (Some(node.slice(bits - 1, 0)), node.slice(high, bits)),
        }
    }

    /// The features of an edge's receiver and sender, in registers.
    fn ends(&self, banks: &[Files<'m>], at: Token<'m>, ends: &[Value<'m>]) -> Vec<Value<'m>> {
        let mut gathered = Vec::new();
        for node in ends {
            let (bank, row) = self.place_of(*node);
            let words: Vec<_> = banks.iter().map(|file| file.read(at, row)).collect();
            for column in 0..words[0].len() {
                let words: Vec<_> = words.iter().map(|word| word[column]).collect();
                gathered.push(bank.map_or(words[0], |bank| bank.select(&words)));
            }
        }
        held(gathered)
    }

    /// The sums of one lane, for each bank and column: cleared by an event's own beats, then added to.
    fn scatter(
        &self,
        lane: usize,
        at: Token<'m>,
        clear: Token<'m>,
        receiver: Value<'m>,
        live: Value<'m>,
        message: &[Value<'m>],
    ) -> Vec<Vec<Sums<'m>>> {
        let (bank_of, row) = self.place_of(receiver);
        let bank = |bank: usize| {
            let here = bank_of.map_or(live, |b| live & b.equals(self.m.constant(bank as i128, 0)));
            let adding = |message| Adding { at, clear, here, row, message };
            let column = |(k, (message, format)): (usize, (Value<'m>, &Format))| {
                let name = format!("sum{lane}_{bank}_{k}");
                Sums::new(self, &name, &adding(message), *format)
            };
            let presence = self.m.constant(1, 0);
            let columns = message.iter().copied().chain([presence]);
            (0..).zip(columns.zip(&self.sums)).map(column).collect()
        };
        (0..self.lanes.nodes).map(bank).collect()
    }
}
