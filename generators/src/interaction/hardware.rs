//! The networks as data paths: the stages of their graphs, row by row a copy of a block.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use hdl::dfg::{Module, ModuleBuilder, Value};
use hdl::diag::{Diagnostic, Diagnostics};
use hdl::num::Format;
use hdl::passes::pipeline::Report;

use super::assembly::{Assembly, Stages, Structure, assemble};
use super::graph::{Stage, Staged};
use super::mlp::Mlp;
use super::network::Network;
use crate::arith::Products;
use crate::model::block::aggregate::MaskedAggregate;
use crate::model::{Block, Graph, Layer, Op, TensorId, TensorInfo};
use crate::network::{Operand, layer_on};

/// The top module of a network that was validated, in stages.
///
/// Its ports are [`Network::inputs`] and [`Network::output`]; all of an event is there in cycle 0.
pub fn datapath(
    top: &str,
    network: &Network,
    structure: Structure,
    stages: Stages<'_>,
) -> Result<(Arc<Module>, Report), Diagnostics> {
    let Staged { graph, stages: cut } = network.staged()?;
    assemble(top, structure, stages, |assembly, m| {
        let mut tensors: Vec<Vec<Value<'_>>> = Vec::new();
        for port in network.inputs() {
            let values = m.input_array(port.name, port.count, port.format);
            tensors.push(values.iter().map(|v| v.with_frac(0)).collect());
        }
        let mut next = 0;
        for stage in &cut {
            move_elements(m, assembly, &graph, next..stage.layers.start, &mut tensors)?;
            place(assembly, &graph, stage, &mut tensors)?;
            next = stage.layers.end;
        }
        let output = &tensors[graph.outputs()[0].tensor.index()];
        let outputs: Vec<Value<'_>> = output.iter().map(|v| v.with_frac(network.output_frac())).collect();
        m.output_array(network.output().0, &outputs);
        Ok(())
    })
}

/// The values behind operators in a row, each of one operand.
///
/// # Errors
/// Operators that do not fit.
pub fn operators<'m>(
    m: &'m ModuleBuilder,
    products: &Rc<Products>,
    name: &str,
    operators: Vec<Op>,
    inputs: &[Value<'m>],
) -> Result<Vec<Value<'m>>, Diagnostic> {
    let mut values: Vec<Value<'m>> = inputs.iter().map(|v| v.with_frac(0)).collect();
    for op in operators {
        let range = values.iter().map(Value::range).reduce(|a, b| a.union(b));
        let range = range.ok_or_else(|| Diagnostic::bug("interaction", "a layer has no operand"))?;
        let info = TensorInfo { shape: vec![values.len()], range };
        let layer = Layer { name: name.to_owned(), op, inputs: Vec::new(), scale: None };
        values = layer_on(m, products, &layer, &[Operand { values: &values, info: &info }], &info)?;
    }
    Ok(values)
}

/// A perceptron's outputs.
///
/// # Errors
/// Inputs that do not fit.
pub fn perceptron<'m>(
    m: &'m ModuleBuilder,
    products: &Rc<Products>,
    mlp: &Mlp,
    inputs: &[Value<'m>],
) -> Result<Vec<Value<'m>>, Diagnostic> {
    let mut values = inputs.to_vec();
    for (k, layer) in mlp.layers.iter().enumerate() {
        let formats: Vec<Format> = values.iter().map(Value::format).collect();
        let outputs = operators(m, products, &format!("layer{k}"), layer.operators(&formats), &values)?;
        values = outputs.iter().map(|v| v.with_frac(layer.output().frac)).collect();
    }
    Ok(values)
}

/// Layers outside of stages, which only move elements.
fn move_elements<'m>(
    m: &'m ModuleBuilder,
    assembly: &Assembly<'m, '_>,
    graph: &Graph,
    layers: Range<usize>,
    tensors: &mut Vec<Vec<Value<'m>>>,
) -> Result<(), Diagnostic> {
    for k in layers {
        let layer = &graph.layers()[k];
        let operand = |t: &TensorId| Operand { values: &tensors[t.index()], info: graph.info(*t) };
        let operands: Vec<Operand<'_, 'm>> = layer.inputs.iter().map(operand).collect();
        let values = layer_on(m, assembly.products(), layer, &operands, graph.info(graph.result(k)))?;
        tensors.push(values);
    }
    Ok(())
}

/// Adds the results of a stage, out of one block or one a row.
fn place<'m>(
    assembly: &Assembly<'m, '_>,
    graph: &Graph,
    stage: &Stage,
    tensors: &mut Vec<Vec<Value<'m>>>,
) -> Result<(), Diagnostics> {
    let results: Vec<TensorId> = stage.layers.clone().map(|k| graph.result(k)).collect();
    let outside = |t: &&TensorId| {
        let later = graph.layers()[stage.layers.end..].iter().any(|layer| layer.inputs.contains(t));
        later || graph.outputs().iter().any(|output| output.tensor == **t)
    };
    let constant = |k: usize| matches!(graph.layers()[k].op, Op::Constant(_));
    if stage.rows.is_some() && stage.layers.clone().any(constant) {
        return Err(Diagnostic::bug("interaction", "the rows of a stage have no constants of their own").into());
    }
    let given: Vec<TensorId> = results.iter().filter(outside).copied().collect();
    let mut all: BTreeMap<TensorId, Vec<Value<'m>>> = BTreeMap::new();
    let rows = stage.rows.as_ref().map_or(1, Vec::len);
    for row in 0..rows {
        let (block, instance, row) = match &stage.rows {
            Some(blocks) => (&*blocks[row], format!("{}{row}", stage.name), Some(row)),
            None => (stage.name, stage.name.to_owned(), None),
        };
        let part = Part::of(graph, stage, row, tensors);
        let inputs: Vec<Value<'m>> = part.outer.iter().flat_map(|(_, outer)| outer.values.clone()).collect();
        let products = assembly.products();
        let mut values =
            assembly.place(block, &instance, &inputs, |b, inputs| part.build(b, products, inputs, &given))?.into_iter();
        for t in &given {
            let count = part.info(*t).shape.iter().product();
            all.entry(*t).or_default().extend(values.by_ref().take(count));
        }
    }
    // what is used inside only has no values outside
    tensors.extend(results.iter().map(|t| all.remove(t).unwrap_or_default()));
    Ok(())
}

/// What a copy of a block reads of a tensor from outside.
struct Outer<'m> {
    values: Vec<Value<'m>>,
    info: TensorInfo,
}

/// One row of a stage, or all of it.
struct Part<'g, 'm> {
    graph: &'g Graph,
    stage: &'g Stage,
    row: Option<usize>,
    /// What is read from outside: of which tensor, for each way in which it is read.
    outer: Vec<((TensorId, Vec<usize>), Outer<'m>)>,
    /// For each layer of the stage and each operand, its place in `outer`; none for a result of the stage.
    sources: Vec<Vec<Option<usize>>>,
}

impl<'g, 'm> Part<'g, 'm> {
    fn of(graph: &'g Graph, stage: &'g Stage, row: Option<usize>, tensors: &[Vec<Value<'m>>]) -> Self {
        let mut part = Self { graph, stage, row, outer: Vec::new(), sources: Vec::new() };
        for k in stage.layers.clone() {
            let layer = &graph.layers()[k];
            let sources = (0..layer.inputs.len()).map(|operand| part.source(layer, operand, tensors)).collect();
            part.sources.push(sources);
        }
        part
    }

    /// Whether a tensor is a result of the stage.
    fn is_inner(&self, t: TensorId) -> bool {
        t >= self.graph.result(self.stage.layers.start)
    }

    fn source(&mut self, layer: &Layer, operand: usize, tensors: &[Vec<Value<'m>>]) -> Option<usize> {
        let t = layer.inputs[operand];
        if self.is_inner(t) {
            return None;
        }
        let info = self.graph.info(t);
        let (first, rest) = info.shape.split_first().map_or((1, &[][..]), |(first, rest)| (*first, rest));
        let rows = self.rows_read(layer, operand, first, tensors);
        let size: usize = rest.iter().product();
        let mut shape = [&[rows.len()], rest].concat();
        let mut read: Vec<usize> = rows.iter().flat_map(|row| row * size..(row + 1) * size).collect();
        if let Some(members) = self.members(layer, tensors).filter(|_| operand == 1) {
            read = members.iter().map(|member| read[*member]).collect();
            shape = vec![1, members.len()];
        }
        let key = (t, read);
        let known = self.outer.iter().position(|(other, _)| *other == key);
        Some(known.unwrap_or_else(|| {
            let values = key.1.iter().map(|i| tensors[t.index()][*i]).collect();
            self.outer.push((key, Outer { values, info: TensorInfo { shape, range: info.range } }));
            self.outer.len() - 1
        }))
    }

    /// Which rows of an operand with so many the part reads.
    fn rows_read(&self, layer: &Layer, operand: usize, rows: usize, tensors: &[Vec<Value<'m>>]) -> Vec<usize> {
        let Some(row) = self.row else {
            return (0..rows).collect();
        };
        match &layer.op {
            Op::Block(Block::GatherAt(gather)) if operand == 0 => gather.window(row).collect(),
            Op::Block(Block::MaskedAggregate(_)) if operand == 0 && self.members(layer, tensors).is_some() => {
                self.members(layer, tensors).unwrap_or_default()
            }
            // one row stretches to all
            _ if rows == 1 => vec![0],
            _ => vec![row],
        }
    }

    /// Which members of an aggregate that come from outside may be there in this row.
    fn members(&self, layer: &Layer, tensors: &[Vec<Value<'m>>]) -> Option<Vec<usize>> {
        let (Op::Block(Block::MaskedAggregate(aggregate)), Some(row)) = (&layer.op, self.row) else {
            return None;
        };
        let [members, mask] = *layer.inputs else { return None };
        let shared = !self.is_inner(members) && self.graph.info(members).shape.len() == 2;
        let mask = &tensors[mask.index()][row * aggregate.members..][..aggregate.members];
        let may_be = |member: &usize| mask[*member].range().as_point() != Some(0);
        shared.then(|| (0..aggregate.members).filter(may_be).collect())
    }

    /// What the part has of a result of the stage.
    fn info(&self, t: TensorId) -> TensorInfo {
        let info = self.graph.info(t);
        match (self.row, info.shape.split_first()) {
            (Some(_), Some((_, rest))) => TensorInfo { shape: [&[1], rest].concat(), range: info.range },
            _ => info.clone(),
        }
    }

    /// A layer as it is on the part's operands.
    fn layer(&self, k: usize, operands: &[Operand<'_, '_>]) -> Layer {
        let layer = &self.graph.layers()[k];
        let op = match (&layer.op, self.row) {
            (Op::Block(Block::GatherAt(gather)), Some(_)) => Op::Block(Block::GatherAt(gather.of_row())),
            (Op::Block(Block::Incidence(incidence)), Some(row)) => Op::Block(Block::Incidence(incidence.of_row(row))),
            (Op::Block(Block::MaskedAggregate(aggregate)), Some(_)) => {
                let members = operands[1].values.len();
                Op::Block(Block::MaskedAggregate(MaskedAggregate { members, ..aggregate.clone() }))
            }
            (op, _) => op.clone(),
        };
        Layer { op, ..layer.clone() }
    }

    /// The elements of the results in `given`, for what is read from outside.
    fn build<'b>(
        &self,
        b: &'b ModuleBuilder,
        products: &Rc<Products>,
        mut inputs: &[Value<'b>],
        given: &[TensorId],
    ) -> Result<Vec<Value<'b>>, Diagnostic> {
        let mut outer: Vec<&[Value<'b>]> = Vec::new();
        for (_, read) in &self.outer {
            let (values, rest) = inputs.split_at(read.values.len());
            outer.push(values);
            inputs = rest;
        }
        let mut inner: BTreeMap<TensorId, (Vec<Value<'b>>, TensorInfo)> = BTreeMap::new();
        for (k, sources) in self.stage.layers.clone().zip(&self.sources) {
            let operand = |(t, source): (&TensorId, &Option<usize>)| match source {
                Some(i) => Operand { values: outer[*i], info: &self.outer[*i].1.info },
                None => Operand { values: &inner[t].0, info: &inner[t].1 },
            };
            let operands: Vec<Operand<'_, 'b>> =
                self.graph.layers()[k].inputs.iter().zip(sources).map(operand).collect();
            let info = self.info(self.graph.result(k));
            let values = layer_on(b, products, &self.layer(k, &operands), &operands, &info)?;
            inner.insert(self.graph.result(k), (values, info));
        }
        Ok(given.iter().flat_map(|t| inner[t].0.clone()).collect())
    }
}
