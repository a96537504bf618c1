//! The networks as integer graphs, cut into stages of which each row is a copy of one block.

use std::ops::Range;

use hdl::diag::Diagnostic;
use hdl::num::{Format, Rounding};

use super::mlp::{self, Mlp};
use super::network::{DeepSets, Jedinet, Network, Tracking};
use crate::model::block::aggregate::{Aggregate, MaskedAggregate};
use crate::model::block::gather::{GatherAt, Incidence};
use crate::model::block::sorted::{Order, SortedScatter};
use crate::model::block::windows::Windows;
use crate::model::{Array, Block, Graph, Input, Layer, Limit, Op, Output, PoolKind, Requantise, TensorId};

/// Layers that are built together.
#[derive(Debug, Clone)]
pub struct Stage {
    /// What its instances are called.
    pub name: &'static str,
    /// Its layers.
    pub layers: Range<usize>,
    /// For each row of its results the block that it is a copy of: rows do not see each other's results. None for a stage
    /// that is built as a whole.
    pub rows: Option<Vec<String>>,
}

/// A network as an integer graph.
///
/// Its inputs are the ports of [`Network::inputs`], its output is that of [`Network::output`]. What is not in a stage
/// only moves elements.
#[derive(Debug, Clone)]
pub struct Staged {
    /// The graph.
    pub graph: Graph,
    /// Stages in the order of their layers.
    pub stages: Vec<Stage>,
}

impl Staged {
    /// The integers of the output port for those of all input ports, one after the other.
    ///
    /// # Errors
    /// An event that does not fit the ports.
    pub fn evaluate(&self, event: &[i64]) -> Result<Vec<i64>, Diagnostic> {
        let counts = self.graph.inputs().iter().map(|input| input.shape.iter().product::<usize>());
        let wanted: usize = counts.clone().sum();
        if event.len() != wanted {
            let message = format!("an event has {wanted} elements, found {}", event.len());
            return Err(Diagnostic::error("model-input", message));
        }
        let mut rest = event;
        let mut port = |count: usize| {
            let (port, others) = rest.split_at(count);
            rest = others;
            port.to_vec()
        };
        let inputs: Vec<Vec<i64>> = counts.map(&mut port).collect();
        Ok(self.graph.evaluate(&inputs)?.outputs()[0].to_vec())
    }
}

impl Network {
    /// The network as an integer graph in stages.
    ///
    /// # Errors
    /// Shapes, formats or integers that do not fit each other.
    pub fn staged(&self) -> Result<Staged, Diagnostic> {
        let blocks = self.blocks()?;
        let formats: Vec<&[Format]> = blocks.iter().map(|block| &*block.inputs).collect();
        let mut sketch = Sketch::new(self)?;
        let output = match self {
            Self::Jedinet(network) => network.sketch(&mut sketch, &formats)?,
            Self::Tracking(network) => network.sketch(&mut sketch, &formats)?,
            Self::DeepSets(network) => network.sketch(&mut sketch, &formats)?,
        };
        let Sketch { mut graph, stages } = sketch;
        graph.output(Output { name: self.output().0.into(), tensor: output, decode: None })?;
        graph.check()?;
        Ok(Staged { graph, stages })
    }
}

/// A graph under construction.
struct Sketch {
    graph: Graph,
    stages: Vec<Stage>,
}

impl Sketch {
    fn new(network: &Network) -> Result<Self, Diagnostic> {
        let input = |(port, shape): (&super::network::InputPort, Vec<usize>)| {
            let range = (port.format.range.lo() as i64, port.format.range.hi() as i64);
            Input { name: port.name.into(), shape, range, encode: None }
        };
        let ports = network.inputs();
        let inputs = ports.iter().zip(network.input_shapes()).map(input).collect();
        Ok(Self { graph: Graph::new("interaction", inputs)?, stages: Vec::new() })
    }

    fn push(&mut self, name: &str, op: Op, inputs: &[TensorId]) -> Result<TensorId, Diagnostic> {
        self.graph.push(Layer { name: name.into(), op, inputs: inputs.to_vec(), scale: None })
    }

    /// What `build` adds is a stage.
    fn stage<R>(
        &mut self,
        name: &'static str,
        rows: Option<Vec<String>>,
        build: impl FnOnce(&mut Self) -> Result<R, Diagnostic>,
    ) -> Result<R, Diagnostic> {
        let first = self.graph.layers().len();
        let result = build(self)?;
        self.stages.push(Stage { name, layers: first..self.graph.layers().len(), rows });
        Ok(result)
    }

    /// Operators one after the other.
    fn chain(&mut self, name: &str, ops: Vec<Op>, x: TensorId) -> Result<TensorId, Diagnostic> {
        ops.into_iter().try_fold(x, |x, op| self.push(name, op, &[x]))
    }

    /// A perceptron on the last axis, whose elements have these formats.
    fn perceptron(&mut self, mlp: &Mlp, formats: &[Format], x: TensorId) -> Result<TensorId, Diagnostic> {
        self.layers(&mlp.layers, 0, formats, x)
    }

    /// Layers of a perceptron, the first of which is its number `first`.
    fn layers(
        &mut self,
        layers: &[mlp::Layer],
        first: usize,
        formats: &[Format],
        mut x: TensorId,
    ) -> Result<TensorId, Diagnostic> {
        let mut formats = formats.to_vec();
        for (k, layer) in layers.iter().enumerate() {
            x = self.chain(&format!("layer{}", first + k), layer.operators(&formats), x)?;
            formats = vec![layer.output(); layer.outputs()];
        }
        Ok(x)
    }

    /// The aggregate of each row of a mask over members of `columns` values with `frac` fraction bits.
    fn aggregate(
        &mut self,
        aggregate: Aggregate,
        [members, mask]: [TensorId; 2],
        frac: i32,
    ) -> Result<TensorId, Diagnostic> {
        let extent = |t: TensorId| self.graph.info(t).shape.last().copied().unwrap_or(0);
        let (columns, count) = (extent(members), extent(mask));
        let block = Block::MaskedAggregate(MaskedAggregate { how: aggregate.how, members: count, columns });
        let x = self.push("aggregate", Op::Block(block), &[members, mask])?;
        self.chain("aggregate", aggregate.requantise(frac).map(Op::Requantise).into_iter().collect(), x)
    }

    /// A mask of constants.
    fn mask(&mut self, rows: Vec<Vec<bool>>) -> Result<TensorId, Diagnostic> {
        let shape = vec![rows.len(), rows[0].len()];
        let values = rows.into_iter().flatten().map(i64::from).collect();
        self.push("mask", Op::Constant(Array { shape, values }), &[])
    }

    fn reshape(&mut self, x: TensorId, shape: &[usize]) -> Result<TensorId, Diagnostic> {
        self.push("shape", Op::Reshape { shape: shape.to_vec() }, &[x])
    }

    /// One column of a matrix.
    fn column(&mut self, x: TensorId, column: usize) -> Result<TensorId, Diagnostic> {
        self.push("column", Op::Gather { axis: 1, indices: vec![column] }, &[x])
    }

    /// Rows side by side.
    fn joined(&mut self, parts: &[TensorId]) -> Result<TensorId, Diagnostic> {
        self.push("joined", Op::Concat { axis: 1 }, parts)
    }

    /// The first nodes of windows, if any is not node 0. They stand outside of stages, whose rows see one each.
    fn begins(&mut self, first: &[usize]) -> Result<Option<TensorId>, Diagnostic> {
        if first.iter().all(|first| *first == 0) {
            return Ok(None);
        }
        let values = first.iter().map(|first| *first as i64).collect();
        self.push("begin", Op::Constant(Array { shape: vec![first.len()], values }), &[]).map(Some)
    }

    /// The nodes at either end of each edge: those of `indices` in the windows that begin at `begins`.
    fn ends(
        &mut self,
        nodes: TensorId,
        indices: [TensorId; 2],
        begins: [Option<TensorId>; 2],
        windows: &Windows,
    ) -> Result<[TensorId; 2], Diagnostic> {
        let (features, size) = (self.graph.info(nodes).shape[1], windows.size);
        let mut ends = indices;
        for (k, first) in [&windows.receivers, &windows.senders].into_iter().enumerate() {
            let index = match begins[k] {
                Some(begin) => self.push("gather", Op::Sub, &[indices[k], begin])?,
                None => indices[k],
            };
            let gather = GatherAt { features, size, first: first.clone() };
            ends[k] = self.push("gather", Op::Block(Block::GatherAt(gather)), &[nodes, index])?;
        }
        Ok(ends)
    }
}

/// A block of one name for each row.
fn same(name: &str, rows: usize) -> Option<Vec<String>> {
    Some(vec![name.to_owned(); rows])
}

impl Jedinet {
    /// | stage | rows | does |
    /// |---|---|---|
    /// | `project` | particles | both parts of f_R's first layer: `W·[a, b] = W_a·a + W_b·b`, each once a particle |
    /// | `node` | particles | the rest of f_R for each sender, the aggregate, f_O |
    /// | `classify` | – | the aggregate of all particles, φ |
    ///
    /// With a linear f_R, `total` takes the place of `project`: what all particles together add to each sum over
    /// senders; `node` adds what the particle itself does.
    fn sketch(&self, sketch: &mut Sketch, formats: &[&[Format]]) -> Result<TensorId, Diagnostic> {
        let objects = match self.is_linear() {
            true => self.linear_objects(sketch, formats)?,
            false => self.objects(sketch, formats)?,
        };
        let mask = sketch.mask(vec![vec![true; self.particles]])?;
        sketch.stage("classify", None, |sketch| {
            let pooled = sketch.aggregate(self.pool, [objects, mask], self.object.output_format().frac)?;
            sketch.perceptron(&self.classifier, formats[2], pooled)
        })
    }

    /// f_O of every particle.
    fn objects(&self, sketch: &mut Sketch, formats: &[&[Format]]) -> Result<TensorId, Diagnostic> {
        let (particles, x) = (self.particles, TensorId(0));
        let senders = self.senders();
        let (first, others) = self.relation.layers.split_first().expect("validated");
        let mut activation = first.operators(formats[0]);
        let Op::Dense { weights, bias, .. } = activation.remove(0) else {
            unreachable!("a layer begins with its sums")
        };
        let half = |half: usize, bias: &[i64]| {
            let rows = weights.values.chunks(2 * self.features);
            let values = rows.flat_map(|row| row[half * self.features..][..self.features].to_vec()).collect();
            Op::dense(Array { shape: vec![bias.len(), self.features], values }, bias.to_vec())
        };
        let (own, sent) = (half(0, &bias), half(1, &vec![0; bias.len()]));
        let [own, sent] = sketch.stage("project", same("project", particles), |sketch| {
            Ok([sketch.push("receiver", own, &[x])?, sketch.push("sender", sent, &[x])?])
        })?;
        // each row has as many members as the receiver with most senders; those that it has not are masked
        let most = senders.iter().map(Vec::len).max().unwrap_or(0).max(1);
        let mask = sketch.mask(senders.iter().map(|s| (0..most).map(|k| k < s.len()).collect()).collect())?;
        let padded = |senders: &Vec<usize>| (0..most).map(|k| senders.get(k).copied().unwrap_or(0)).collect::<Vec<_>>();
        let indices = senders.iter().flat_map(padded).collect();
        let own = sketch.reshape(own, &[particles, 1, bias.len()])?;
        let sent = sketch.push("senders", Op::Gather { axis: 0, indices }, &[sent])?;
        let sent = sketch.reshape(sent, &[particles, most, bias.len()])?;
        let blocks = senders.iter().map(|senders| format!("node{}", senders.len())).collect();
        sketch.stage("node", Some(blocks), |sketch| {
            let sums = sketch.push("layer0", Op::Add, &[own, sent])?;
            let hidden = sketch.chain("layer0", activation, sums)?;
            let messages = sketch.layers(others, 1, &vec![first.output(); first.outputs()], hidden)?;
            let aggregate = sketch.aggregate(self.aggregate, [messages, mask], self.relation.output_format().frac)?;
            let joined = sketch.joined(&[x, aggregate])?;
            sketch.perceptron(&self.object, formats[1], joined)
        })
    }

    /// f_O of every particle, in linear time.
    fn linear_objects(&self, sketch: &mut Sketch, formats: &[&[Format]]) -> Result<TensorId, Diagnostic> {
        let (layer, x) = (&self.relation.layers[0], TensorId(0));
        let Some(Op::Dense { weights, bias, .. }) = layer.operators(formats[0]).into_iter().next() else {
            unreachable!("a layer begins with its sums")
        };
        // without a quantiser behind them the sums have the fraction bits of f_R's result
        let (exact, result) = (layer.accumulator_frac(formats[0]), layer.output().frac);
        let up = if self.aggregate.quantiser.is_some() { 0 } else { result - exact };
        let (senders, features) = (self.particles as i64 - 1, self.features);
        let matrix = |of: &dyn Fn(&[i64], usize) -> i64| {
            let rows = weights.values.chunks(2 * features);
            let values = rows.flat_map(|row| (0..features).map(|f| of(row, f) << up).collect::<Vec<_>>()).collect();
            Array { shape: vec![bias.len(), features], values }
        };
        let own = Op::dense(matrix(&|row, f| row[f] * senders - row[features + f]), vec![0; bias.len()]);
        let bias = bias.iter().map(|bias| (bias * senders) << up).collect();
        let of_all = Op::dense(matrix(&|row, f| row[features + f]), bias);
        let total = sketch.stage("total", None, |sketch| {
            let sum = sketch.push("sum", Op::Reduce { kind: PoolKind::Sum, axes: vec![0] }, &[x])?;
            sketch.push("total", of_all, &[sum])
        })?;
        sketch.stage("node", same("node", self.particles), |sketch| {
            let own = sketch.push("receiver", own, &[x])?;
            let sums = sketch.push("sum", Op::Add, &[own, total])?;
            let quantiser = self.aggregate.quantiser.map(|q| Op::Requantise(Requantise::of(&q, exact)));
            let aggregate = sketch.chain("sum", quantiser.into_iter().collect(), sums)?;
            let joined = sketch.joined(&[x, aggregate])?;
            sketch.perceptron(&self.object, formats[1], joined)
        })
    }
}

impl Tracking {
    /// | stage | rows | does |
    /// |---|---|---|
    /// | `order` | – | which edges are live; only of sorted ones |
    /// | `relation` | edges | gather, R1; whether the edge is live and its receiver one-hot, unless edges are sorted |
    /// | `scatter` | – | the aggregates; only of sorted edges |
    /// | `node` | nodes | aggregate, O |
    /// | `score` | edges | gather, R2, sigmoid, 0 if not live |
    ///
    /// With windows the edges of each pair of windows have their own blocks, and nodes those of as many edges.
    fn sketch(&self, sketch: &mut Sketch, formats: &[&[Format]]) -> Result<TensorId, Diagnostic> {
        let [nodes, edges, sender, receiver, valid] = [0, 1, 2, 3, 4].map(TensorId);
        let (ends, windows) = ([sender, receiver, valid], self.every_window());
        let begins = [sketch.begins(&windows.receivers)?, sketch.begins(&windows.senders)?];
        let order = match self.sorted {
            true => Some(sketch.stage("order", None, |sketch| {
                sketch.push("order", Op::Block(Block::Order(Order { windows: windows.clone() })), &ends)
            })?),
            false => None,
        };
        let (messages, said) = sketch.stage("relation", Some(self.blocks_of("relation")), |sketch| {
            let said = match order {
                Some(order) => order,
                None => {
                    let incidence = Incidence { windows: windows.clone() };
                    sketch.push("incidence", Op::Block(Block::Incidence(incidence)), &ends)?
                }
            };
            let [to, from] = sketch.ends(nodes, [receiver, sender], begins, &windows)?;
            let joined = sketch.joined(&[to, from, edges])?;
            Ok((sketch.perceptron(&self.relation, formats[0], joined)?, said))
        })?;
        let frac = self.relation.output_format().frac;
        let objects = match self.sorted {
            true => {
                let Aggregate { how, .. } = self.aggregate;
                let (windows, then) = (windows.clone(), self.aggregate.requantise(frac));
                let scatter = Block::SortedScatter(SortedScatter { nodes: self.nodes, windows, how, then });
                let aggregate = sketch
                    .stage("scatter", None, |sketch| sketch.push("scatter", Op::Block(scatter), &[messages, said]))?;
                sketch.stage("node", same("node", self.nodes), |sketch| {
                    let joined = sketch.joined(&[nodes, aggregate])?;
                    sketch.perceptron(&self.object, formats[1], joined)
                })?
            }
            false => {
                let mask = self.incoming(sketch, said, &windows)?;
                let reaching = |i: usize| (0..self.edges).filter(|k| self.windows_of(*k)[0].contains(&i)).count();
                let blocks = (0..self.nodes).map(|i| format!("node{}", reaching(i))).collect();
                sketch.stage("node", Some(blocks), |sketch| {
                    let aggregate = sketch.aggregate(self.aggregate, [messages, mask], frac)?;
                    let joined = sketch.joined(&[nodes, aggregate])?;
                    sketch.perceptron(&self.object, formats[1], joined)
                })?
            }
        };
        let live = sketch.column(said, 0)?;
        sketch.stage("score", Some(self.blocks_of("score")), |sketch| {
            let [to, from] = sketch.ends(objects, [receiver, sender], begins, &windows)?;
            let joined = sketch.joined(&[to, from, messages])?;
            let score = sketch.perceptron(&self.score, formats[2], joined)?;
            let weight = sketch.chain("sigmoid", self.sigmoid.operators(self.score.output_format().frac), score)?;
            // a bit as a number of one bit with sign: all ones or all zeros
            let all = Limit::Wrap { width: 1, signed: true };
            let bit = Op::Requantise(Requantise { drop: 0, rounding: Rounding::Floor, limit: all });
            let bits = sketch.push("live", bit, &[live])?;
            sketch.push("live", Op::And, &[weight, bits])
        })
    }

    /// The windows of all edges, whether or not they are promised.
    fn every_window(&self) -> Windows {
        let all = || Windows { size: self.nodes, receivers: vec![0; self.edges], senders: vec![0; self.edges] };
        self.windows.clone().unwrap_or_else(all)
    }

    /// The names of the edges' blocks: those of the same windows share one.
    fn blocks_of(&self, name: &str) -> Vec<String> {
        let of = |k: usize| match &self.windows {
            None => name.to_owned(),
            Some(windows) => format!("{name}_{}_{}", windows.receivers[k], windows.senders[k]),
        };
        (0..self.edges).map(of).collect()
    }

    /// For each node, which edges it receives, out of what is said of each edge.
    fn incoming(&self, sketch: &mut Sketch, said: TensorId, windows: &Windows) -> Result<TensorId, Diagnostic> {
        let columns = 1 + windows.size;
        let flat = sketch.reshape(said, &[self.edges * columns])?;
        // behind all others, a bit for those that cannot be
        let flat = sketch.push("none", Op::Pad { begin: vec![0], end: vec![1], value: 0 }, &[flat])?;
        let bit = |node: usize, k: usize| match node.checked_sub(windows.receivers[k]) {
            Some(place) if place < windows.size => k * columns + 1 + place,
            _ => self.edges * columns,
        };
        let indices = (0..self.nodes).flat_map(|node| (0..self.edges).map(move |k| bit(node, k))).collect();
        let mask = sketch.push("incoming", Op::Gather { axis: 0, indices }, &[flat])?;
        sketch.reshape(mask, &[self.nodes, self.edges])
    }
}

impl DeepSets {
    /// | stage | rows | does |
    /// |---|---|---|
    /// | `element` | elements | φ |
    /// | `classify` | – | masked aggregate, ρ |
    fn sketch(&self, sketch: &mut Sketch, formats: &[&[Format]]) -> Result<TensorId, Diagnostic> {
        let elements = sketch.stage("element", same("element", self.particles), |sketch| {
            sketch.perceptron(&self.element, formats[0], TensorId(0))
        })?;
        let mask = match self.masked {
            true => sketch.reshape(TensorId(1), &[1, self.particles])?,
            false => sketch.mask(vec![vec![true; self.particles]])?,
        };
        sketch.stage("classify", None, |sketch| {
            let pooled = sketch.aggregate(self.aggregate, [elements, mask], self.element.output_format().frac)?;
            sketch.perceptron(&self.classifier, formats[1], pooled)
        })
    }
}
