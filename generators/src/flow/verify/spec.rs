//! An integer model as the numbers that a design is to compute.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use hdl::dfg::Module;
use hdl::pack::layout;
use verify::spec::{Element, Id, Op as Rule, PortSpec, Spec};

use super::blocks;
use crate::model::{Array, Block, Graph, Layer, Multiplication, Op, PoolKind, TensorId, broadcast, moved};

/// What is computed of a model's tensors, and their names as ports.
pub(super) struct Model<'a> {
    pub graph: Cow<'a, Graph>,
    /// The ports on which the elements of the graph's inputs lie, in their order.
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    /// Whether sums stand in the hardware with what rounding behind them adds.
    pub rounded: bool,
}

impl Model<'_> {
    /// Values of the ports as those of the graph's inputs.
    pub fn given(&self, ports: &[Vec<i64>]) -> Vec<Vec<i64>> {
        let mut values = ports.iter().flatten().copied();
        let inputs = self.graph.inputs().iter();
        inputs.map(|input| values.by_ref().take(input.shape.iter().product()).collect()).collect()
    }

    /// The numbers of the model, at the ports of `top`.
    ///
    /// # Errors
    /// A layer of a kind that is not taken apart, or a port that is not there.
    pub fn spec(&self, top: &Module) -> Result<Spec, String> {
        let mut builder =
            Builder { graph: &self.graph, spec: Spec::default(), tensors: Vec::new(), moved: HashMap::new() };
        if self.rounded {
            builder.rounding();
        }
        builder.spec.latency = top.latency();
        builder.inputs();
        for layer in self.graph.layers() {
            builder.layer(layer).map_err(|reason| format!("layer `{}`: {reason}", layer.name))?;
        }
        let given = builder.tensors[..self.graph.inputs().len()].concat();
        let mut rest = &given[..];
        for name in &self.inputs {
            let port =
                top.inputs.iter().find(|p| p.name == *name).ok_or_else(|| format!("there is no port `{name}`"))?;
            let (own, others) = rest.split_at(port.elements.len().min(rest.len()));
            let elements = elements(layout(port.elements.iter().copied()), own)?;
            builder.spec.inputs.push(PortSpec { name: name.clone(), elements });
            rest = others;
        }
        if !rest.is_empty() {
            return Err(format!("the ports have {} elements less than the model", rest.len()));
        }
        for (name, output) in self.outputs.iter().zip(self.graph.outputs()) {
            let port =
                top.outputs.iter().find(|p| p.name == *name).ok_or_else(|| format!("there is no port `{name}`"))?;
            let formats = port.elements.iter().map(|e| e.format);
            let elements = elements(layout(formats), &builder.tensors[output.tensor.index()])?;
            builder.spec.outputs.push(PortSpec { name: name.clone(), elements });
        }
        Ok(builder.spec)
    }
}

fn elements(layout: impl Iterator<Item = (u32, u32)>, numbers: &[Id]) -> Result<Vec<Element>, String> {
    let places: Vec<(u32, u32)> = layout.collect();
    if places.len() != numbers.len() {
        return Err(format!("a port has {} elements, the model {}", places.len(), numbers.len()));
    }
    let element = |((low, width), number): ((u32, u32), &Id)| Element { number: *number, low, width };
    Ok(places.into_iter().zip(numbers).map(element).collect())
}

/// A specification in the making.
pub(super) struct Builder<'a> {
    graph: &'a Graph,
    pub spec: Spec,
    /// The numbers of each tensor, row-major.
    tensors: Vec<Vec<Id>>,
    /// Sums that stand elsewhere by what rounding adds.
    moved: HashMap<TensorId, Moved>,
}

/// A tensor whose numbers are not looked for, but sums from which they follow.
#[derive(Clone)]
struct Moved {
    /// The sums are so much more.
    by: Vec<i64>,
    /// Whether a ReLU makes the tensor of what is left.
    relu: bool,
}

impl Moved {
    /// The function of the tensor's element `k` as one of the sum that stands for it.
    fn of_sum(
        &self,
        k: usize,
        function: Arc<dyn Fn(i64) -> i64 + Send + Sync>,
    ) -> Arc<dyn Fn(i64) -> i64 + Send + Sync> {
        let (by, least) = (self.by[k], if self.relu { 0 } else { i64::MIN });
        Arc::new(move |sum| function((sum - by).max(least)))
    }
}

impl Builder<'_> {
    fn inputs(&mut self) {
        self.spec.layers.push("input".into());
        let mut element = 0;
        for input in self.graph.inputs() {
            let mut number = |range| {
                element += 1;
                self.spec.push(Rule::Input, 0, element - 1, range)
            };
            let numbers = input.ranges().into_iter().map(&mut number).collect();
            self.tensors.push(numbers);
        }
    }

    /// Has the sums that are rounded stand where the hardware has them; what reads them takes that off again.
    fn rounding(&mut self) {
        for rounded in self.graph.rounded() {
            let sum = self.graph.result(rounded.matrix);
            let by = rounded.added.stretched(&self.graph.info(sum).shape).expect("one number an output");
            let read = self.graph.layers()[rounded.reader].inputs[0];
            self.moved.insert(sum, Moved { by: by.clone(), relu: false });
            self.moved.insert(read, Moved { by, relu: read != sum });
        }
    }

    /// Adds a number of the layer that is being taken apart.
    pub fn push(&mut self, rule: Rule, element: usize, range: (i64, i64)) -> Id {
        self.spec.push(rule, self.spec.layers.len() as u32 - 1, element as u32, range)
    }

    fn tensor(&self, t: TensorId) -> &[Id] {
        &self.tensors[t.index()]
    }

    fn layer(&mut self, layer: &Layer) -> Result<(), String> {
        self.spec.layers.push(layer.name.clone());
        let info = self.graph.info(TensorId(self.tensors.len() as u32));
        let bounds = (info.range.lo() as i64, info.range.hi() as i64);
        let numbers = match self.movement(layer, bounds)? {
            Some(numbers) => numbers,
            // its reader takes the sums as they are
            None if layer.op == Op::Relu && self.moved.contains_key(&TensorId(self.tensors.len() as u32)) => {
                self.tensor(layer.inputs[0]).to_vec()
            }
            None => self.computed(layer, bounds)?,
        };
        self.tensors.push(numbers);
        Ok(())
    }

    fn movement(&mut self, layer: &Layer, bounds: (i64, i64)) -> Result<Option<Vec<Id>>, String> {
        let shape = |k: usize| self.graph.info(layer.inputs[k]).shape.clone();
        if let Op::Concat { axis } = layer.op {
            let inner = |k: usize| shape(k)[axis..].iter().product::<usize>();
            let outer: usize = shape(0)[..axis].iter().product();
            let part = |o: usize, k: usize| self.tensor(layer.inputs[k])[o * inner(k)..][..inner(k)].to_vec();
            let parts = |o: usize| (0..layer.inputs.len()).flat_map(|k| part(o, k)).collect::<Vec<_>>();
            return Ok(Some((0..outer).flat_map(parts).collect()));
        }
        if layer.inputs.is_empty() {
            return Ok(None);
        }
        let Some(moved) = moved(&layer.op, &shape(0)) else { return Ok(None) };
        let fill = if let Op::Pad { value, .. } = layer.op { value } else { 0 };
        let sources = moved?.sources;
        let filled = sources.contains(&None).then(|| self.push(Rule::Constant(fill), 0, bounds));
        let x = self.tensor(layer.inputs[0]);
        let source = |s: &Option<u32>| s.map_or_else(|| filled.expect("something is filled"), |i| x[i as usize]);
        Ok(Some(sources.iter().map(source).collect()))
    }

    fn computed(&mut self, layer: &Layer, bounds: (i64, i64)) -> Result<Vec<Id>, String> {
        let shape = |k: usize| self.graph.info(layer.inputs[k]).shape.clone();
        let x: Vec<Id> = layer.inputs.first().map_or_else(Vec::new, |t| self.tensor(*t).to_vec());
        if let Some(multiplication) = layer.op.multiplication()
            && multiplication.is_stored()
        {
            return Err("weights in registers are not proved yet".into());
        }
        Ok(match &layer.op {
            Op::Constant(array) => {
                array.values.iter().enumerate().map(|(k, v)| self.push(Rule::Constant(*v), k, bounds)).collect()
            }
            Op::Dense { weights, bias, multiplication } => {
                let inputs = weights.shape[1];
                let rows = x.chunks(inputs).flat_map(|x| {
                    let row =
                        |(row, bias): (&[i64], &i64)| (x.iter().copied().zip(row.iter().copied()).collect(), *bias);
                    weights.values.chunks(inputs).zip(bias).map(row).collect::<Vec<_>>()
                });
                self.sums(rows.collect(), multiplication, bounds)
            }
            Op::Convolution { weights, bias, window, groups, multiplication } => {
                let positions = window.positions(&shape(0)[2..])?;
                let rows = convolution(&x, &shape(0), weights, bias, &positions, *groups);
                self.sums(rows, multiplication, bounds)
            }
            Op::Pool { kind, window } => {
                let extents = &shape(0)[2..];
                let positions = window.positions(extents)?;
                let plane: usize = extents.iter().product();
                let group = |x: &[Id]| -> Vec<Vec<Id>> {
                    positions.iter().map(|taps| taps.iter().map(|(_, pixel)| x[*pixel as usize]).collect()).collect()
                };
                let groups = x.chunks(plane).flat_map(group).collect();
                self.combined(*kind, groups, bounds)
            }
            Op::Reduce { kind, axes } => {
                let shape = shape(0);
                let mut reduced = shape.clone();
                axes.iter().for_each(|&a| reduced[a] = 1);
                let count: usize = reduced.iter().product();
                let places = Array { shape: reduced, values: (0..count as u32).collect() };
                let places = places.stretched(&shape).ok_or("its axes do not fit")?;
                let mut groups = vec![Vec::new(); count];
                places.into_iter().zip(&x).for_each(|(place, id)| groups[place as usize].push(*id));
                self.combined(*kind, groups, bounds)
            }
            Op::Add | Op::Sub | Op::Min | Op::Max => self.pairs(layer, bounds)?,
            Op::Mul => self.scaled(layer, bounds)?,
            Op::Block(Block::Normaliser(normaliser)) => blocks::normaliser(self, &x, normaliser.bits),
            Op::Block(Block::ModuleSum(_)) => blocks::module_sum(self, &x),
            _ => self.functions(layer, &x, bounds)?,
        })
    }

    /// Functions of one number each.
    fn functions(&mut self, layer: &Layer, x: &[Id], bounds: (i64, i64)) -> Result<Vec<Id>, String> {
        let shape = &self.graph.info(layer.inputs[0]).shape;
        let unfit = "its parameters do not fit";
        type Each = Vec<(Arc<dyn Fn(i64) -> i64 + Send + Sync>, bool)>;
        let all = |f: Arc<dyn Fn(i64) -> i64 + Send + Sync>, monotone: bool| vec![(f, monotone); x.len()];
        let functions: Each = match layer.op.clone() {
            Op::Relu => all(Arc::new(|v| v.max(0)), true),
            Op::Clamp { lo, hi } => all(Arc::new(move |v| v.clamp(lo, hi)), true),
            Op::LeakyRelu { positive, negative } => {
                all(Arc::new(move |v| if v >= 0 { v * positive } else { v * negative }), false)
            }
            Op::Requantise(r) => {
                let monotone = matches!(r.limit, crate::model::Limit::Saturate { .. });
                all(Arc::new(move |v| r.apply(v.into()) as i64), monotone)
            }
            Op::RequantiseEach { formats } => {
                let formats = formats.stretched(shape).ok_or(unfit)?;
                let function = |r: crate::model::Requantise| {
                    let monotone = matches!(r.limit, crate::model::Limit::Saturate { .. });
                    let f: Arc<dyn Fn(i64) -> i64 + Send + Sync> = Arc::new(move |v| r.apply(v.into()) as i64);
                    (f, monotone)
                };
                formats.into_iter().map(function).collect()
            }
            Op::Threshold { functions } => {
                let functions = functions.map(|f| Arc::new(f.clone())).stretched(shape).ok_or(unfit)?;
                let function = |steps: Arc<crate::model::StepFunction>| {
                    let f: Arc<dyn Fn(i64) -> i64 + Send + Sync> = Arc::new(move |v| steps.at(v));
                    (f, false)
                };
                functions.into_iter().map(function).collect()
            }
            Op::Table { first, values } => all(Arc::new(move |v| values[(v - first) as usize]), false),
            other => return Err(format!("`{}` is not proved yet", other.name())),
        };
        let moved = self.moved.get(&layer.inputs[0]).cloned();
        let numbers = x.iter().zip(functions).enumerate();
        Ok(numbers
            .map(|(k, (x, (function, monotone)))| {
                let function = moved.iter().fold(function, |function, moved| moved.of_sum(k, function));
                self.push(Rule::Map { x: *x, function, monotone }, k, bounds)
            })
            .collect())
    }

    /// A sum as one number, or as the number that it is no more than.
    fn sum(&mut self, terms: Vec<(Id, i64)>, bias: i64, cut: u32, element: usize, bounds: (i64, i64)) -> Id {
        let mut merged: Vec<(Id, i64)> = Vec::new();
        let mut bias = bias;
        for (x, weight) in terms.into_iter().filter(|(_, weight)| *weight != 0) {
            match self.spec.numbers[x].op {
                Rule::Constant(value) => bias += (weight * value) >> cut,
                _ => merged.push((x, weight)),
            }
        }
        match (&merged[..], bias, cut) {
            ([(x, 1)], 0, 0) => *x,
            ([], bias, _) => self.push(Rule::Constant(bias), element, bounds),
            _ => self.push(Rule::Sum { bias, terms: merged, cut }, element, bounds),
        }
    }

    fn sums(&mut self, rows: Vec<(Vec<(Id, i64)>, i64)>, how: &Multiplication, bounds: (i64, i64)) -> Vec<Id> {
        let moved =
            self.moved.get(&TensorId(self.tensors.len() as u32)).map_or_else(Vec::new, |moved| moved.by.clone());
        let rows = rows.into_iter().enumerate();
        let sum = |(k, (terms, bias))| {
            let by = moved.get(k).copied().unwrap_or(0);
            self.sum(terms, how.added_bias(bias) + by, how.cut(), k, (bounds.0 + by.min(0), bounds.1 + by.max(0)))
        };
        rows.map(sum).collect()
    }

    fn combined(&mut self, kind: PoolKind, groups: Vec<Vec<Id>>, bounds: (i64, i64)) -> Vec<Id> {
        let groups = groups.into_iter().enumerate();
        groups
            .map(|(k, operands)| match kind {
                PoolKind::Max => self.greatest(operands, k),
                PoolKind::Sum => self.sum(operands.into_iter().map(|x| (x, 1)).collect(), 0, 0, k, bounds),
            })
            .collect()
    }

    /// The greatest of some numbers, two by two.
    fn greatest(&mut self, mut operands: Vec<Id>, element: usize) -> Id {
        while operands.len() > 1 {
            let pairs: Vec<Vec<Id>> = operands.chunks(2).map(<[Id]>::to_vec).collect();
            operands = pairs
                .into_iter()
                .map(|pair| match pair[..] {
                    [x, y] => self.extreme(x, y, true, element),
                    _ => pair[0],
                })
                .collect();
        }
        operands.first().copied().unwrap_or_else(|| self.push(Rule::Constant(0), element, (0, 0)))
    }

    /// The operands of an operator of two, element by element.
    fn both(&self, layer: &Layer) -> Result<Vec<(Id, Id)>, String> {
        let operand = |k: usize| {
            let shape = self.graph.info(layer.inputs[k]).shape.clone();
            Array { shape, values: self.tensor(layer.inputs[k]).to_vec() }
        };
        let (x, y) = (operand(0), operand(1));
        let shape = broadcast(&x.shape, &y.shape).ok_or("its operands do not fit")?;
        let stretched = |a: &Array<Id>| a.stretched(&shape).ok_or("its operands do not fit");
        Ok(stretched(&x)?.into_iter().zip(stretched(&y)?).collect())
    }

    fn pairs(&mut self, layer: &Layer, bounds: (i64, i64)) -> Result<Vec<Id>, String> {
        let pairs = self.both(layer)?.into_iter().enumerate();
        Ok(pairs
            .map(|(k, (x, y))| match layer.op {
                Op::Add => self.sum(vec![(x, 1), (y, 1)], 0, 0, k, bounds),
                Op::Sub => self.sum(vec![(x, 1), (y, -1)], 0, 0, k, bounds),
                _ => {
                    let greatest = matches!(layer.op, Op::Max);
                    self.extreme(x, y, greatest, k)
                }
            })
            .collect())
    }

    /// The lesser or the greater of two; of a constant and a number it is a function of the number.
    fn extreme(&mut self, x: Id, y: Id, greatest: bool, element: usize) -> Id {
        let [a, b] = [x, y].map(|id| self.spec.numbers[id].range);
        let bounds = match greatest {
            true => (a.0.max(b.0), a.1.max(b.1)),
            false => (a.0.min(b.0), a.1.min(b.1)),
        };
        let constant = |id: Id| match self.spec.numbers[id].op {
            Rule::Constant(value) => Some(value),
            _ => None,
        };
        let (x, value) = match (constant(x), constant(y)) {
            (_, Some(value)) => (x, value),
            (Some(value), _) => (y, value),
            _ if x == y => return x,
            _ => {
                let function: Arc<dyn Fn(i64, i64) -> i64 + Send + Sync> =
                    Arc::new(move |a, b| if greatest { a.max(b) } else { a.min(b) });
                return self.push(Rule::Join { x, y, function }, element, bounds);
            }
        };
        let function: Arc<dyn Fn(i64) -> i64 + Send + Sync> =
            Arc::new(move |v| if greatest { v.max(value) } else { v.min(value) });
        self.push(Rule::Map { x, function, monotone: true }, element, bounds)
    }

    /// Products with constants.
    fn scaled(&mut self, layer: &Layer, bounds: (i64, i64)) -> Result<Vec<Id>, String> {
        let pairs = self.both(layer)?.into_iter().enumerate();
        pairs
            .map(|(k, (x, y))| {
                let constant = |id: Id| match self.spec.numbers[id].op {
                    Rule::Constant(value) => Some(value),
                    _ => None,
                };
                match (constant(x), constant(y)) {
                    (_, Some(factor)) => Ok(self.sum(vec![(x, factor)], 0, 0, k, bounds)),
                    (Some(factor), _) => Ok(self.sum(vec![(y, factor)], 0, 0, k, bounds)),
                    _ if x == y => {
                        let function: Arc<dyn Fn(i64) -> i64 + Send + Sync> = Arc::new(|v| v * v);
                        Ok(self.push(Rule::Map { x, function, monotone: false }, k, bounds))
                    }
                    _ => Err("products of two computed numbers are not proved yet".into()),
                }
            })
            .collect()
    }
}

/// Weighted operands and bias of each result.
type Rows = Vec<(Vec<(Id, i64)>, i64)>;

fn convolution(
    x: &[Id],
    shape: &[usize],
    weights: &Array<i64>,
    bias: &[i64],
    positions: &[Vec<(u32, u32)>],
    groups: usize,
) -> Rows {
    let pixels: usize = shape[2..].iter().product();
    let (filters, channels) = (weights.shape[0], weights.shape[1]);
    let taps: usize = weights.shape[2..].iter().product();
    let mut rows = Vec::new();
    for image in x.chunks(shape[1] * pixels) {
        for (filter, bias) in bias.iter().enumerate() {
            let first = filter / (filters / groups) * channels;
            for position in positions {
                let term = |channel: usize, &(tap, pixel): &(u32, u32)| {
                    let weight = weights.values[(filter * channels + channel) * taps + tap as usize];
                    (image[(first + channel) * pixels + pixel as usize], weight)
                };
                let terms = (0..channels).flat_map(|c| position.iter().map(move |tap| term(c, tap))).collect();
                rows.push((terms, *bias));
            }
        }
    }
    rows
}
