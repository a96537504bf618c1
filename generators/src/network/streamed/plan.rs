//! A network as passes over tensors in memory.

use std::collections::BTreeMap;

use hdl::dfg::{ModuleBuilder, Value};
use hdl::diag::Diagnostic;
use hdl::names::quoted;

use super::super::linear::Products;
use super::super::{Operand, layer_values, values};
use super::layout::Layout;
use super::sweep::{Axis, Kernel, Sweep};
use crate::arith::{Arithmetic, Effort};
use crate::model::{Array, Graph, Layer, Op, TensorId, TensorInfo, Window, moved};

/// One pass over all words of a tensor, and the layers that are computed word by word on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pass {
    /// Where its words come from.
    pub source: Source,
    /// The tensor of these words.
    pub first: usize,
    /// How many there are.
    pub words: usize,
    /// Layers that follow in the same word.
    pub chain: Vec<usize>,
}

/// Where the words of a pass come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// An input's port.
    Port,
    /// A window over the words of this tensor.
    Window(usize, Sweep),
}

/// Where the elements of a tensor are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// They depend on no input.
    Constant(Vec<i64>),
    /// In the words of a pass.
    Words {
        /// The pass.
        pass: usize,
        /// The tensor that has the same words; this one only numbers the elements differently.
        root: usize,
        /// Which elements are in which word.
        layout: Layout,
    },
}

/// The passes of a network, and where its tensors are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    /// In an order in which operands come first.
    pub passes: Vec<Pass>,
    /// One a tensor.
    pub places: Vec<Place>,
    /// For each tensor in memory the passes that read it word by word beside their own words, `passes.len()` for the
    /// outputs. Tensors under windows alone have none.
    pub stored: BTreeMap<usize, Vec<usize>>,
}

/// That a layer cannot be computed word by word.
fn unfit(layer: &Layer, why: &str) -> Diagnostic {
    let message = format!("layer {} cannot be computed on a stream: {why}", quoted(&layer.name));
    Diagnostic::error("folding", message)
}

impl Plan {
    /// The passes of `graph`, each of which takes `reuse` beats at most.
    ///
    /// # Errors
    /// Layers that read more than a window of one operand and the same word of others; outputs of several words.
    pub fn of(graph: &Graph, reuse: u32) -> Result<Self, Diagnostic> {
        let mut plan = Self { passes: Vec::new(), places: Vec::new(), stored: BTreeMap::new() };
        for k in 0..graph.inputs().len() {
            let layout = of_input(graph, k);
            plan.source(k, Source::Port, layout);
        }
        for k in 0..graph.layers().len() {
            plan.layer(graph, k, reuse)?;
        }
        for output in graph.outputs() {
            match &plan.places[output.tensor.index()] {
                Place::Words { root, layout, .. } if layout.words() == 1 => {
                    let root = *root;
                    plan.read(root, plan.passes.len());
                }
                Place::Constant(_) => {}
                Place::Words { layout, .. } => {
                    let message =
                        format!("output {} is no single vector but {} words", quoted(&output.name), layout.words());
                    return Err(Diagnostic::error("folding", message));
                }
            }
        }
        if !plan.passes.iter().any(|pass| matches!(&pass.source, Source::Window(..))) {
            return Err(Diagnostic::error("folding", "there is no dense or convolution layer to fold"));
        }
        Ok(plan)
    }

    /// A tensor of a pass of its own.
    fn source(&mut self, tensor: usize, source: Source, layout: Layout) {
        let pass = self.passes.len();
        self.passes.push(Pass { source, first: tensor, words: layout.words(), chain: Vec::new() });
        self.places.push(Place::Words { pass, root: tensor, layout });
    }

    /// Notes that pass `pass` reads the same word of tensor `root`.
    fn read(&mut self, root: usize, pass: usize) {
        let readers = self.stored.entry(root).or_default();
        if !readers.contains(&pass) {
            readers.push(pass);
        }
    }

    fn layer(&mut self, graph: &Graph, k: usize, reuse: u32) -> Result<(), Diagnostic> {
        let layer = &graph.layers()[k];
        let places: Vec<&Place> = layer.inputs.iter().map(|t| &self.places[t.index()]).collect();
        let constants: Option<Vec<&[i64]>> = places.iter().map(|place| place.constant()).collect();
        if let Some(constants) = constants {
            self.places.push(Place::Constant(constant(graph, k, &constants)?));
            return Ok(());
        }
        if let (Some(sources), Place::Words { pass, root, layout }) = (sources(graph, layer), places[0]) {
            let moved = match layout.words() {
                1 => None,
                _ => Some(layout.moved(&sources?).ok_or_else(|| unfit(layer, "it leaves out elements, or adds some"))?),
            };
            if let Some(layout) = moved {
                self.places.push(Place::Words { pass: *pass, root: *root, layout });
                return Ok(());
            }
        }
        if let Some((axes, kernel, layout)) = self.window(graph, layer)? {
            let Place::Words { root, layout: from, .. } = places[0] else {
                return Err(unfit(layer, "its operand is constant"));
            };
            let root = *root;
            let sweep = Sweep::new(axes, kernel, from.lanes, reuse).ok_or_else(|| {
                let why = format!("it has {} positions, more than the reuse factor {reuse}", layout.words());
                unfit(layer, &why).help("choose a greater --reuse")
            })?;
            self.stored.entry(root).or_default();
            self.source(graph.result(k).index(), Source::Window(root, sweep), layout);
            return Ok(());
        }
        self.in_chain(graph, k)
    }

    /// Appends layer `k` to the last of the passes that its operands are of.
    fn in_chain(&mut self, graph: &Graph, k: usize) -> Result<(), Diagnostic> {
        let layer = &graph.layers()[k];
        let operands: Vec<(usize, usize, &Layout)> = layer
            .inputs
            .iter()
            .filter_map(|t| match &self.places[t.index()] {
                Place::Words { pass, root, layout } => Some((*pass, *root, layout)),
                Place::Constant(_) => None,
            })
            .collect();
        let (pass, _, layout) = *operands.iter().max_by_key(|(pass, ..)| *pass).expect("one that is not constant");
        let shape = &graph.info(graph.result(k)).shape;
        let layout = match layout.words() {
            1 if operands.iter().all(|(.., other)| other.words() == 1) => Layout::whole(shape.iter().product()),
            _ => {
                let same = |t: &TensorId| match &self.places[t.index()] {
                    Place::Words { layout: other, .. } => other == layout && graph.info(*t).shape == *shape,
                    Place::Constant(_) => true,
                };
                if !layer.inputs.iter().all(same) {
                    return Err(unfit(layer, "its operands do not come word by word in the same order"));
                }
                layout.clone()
            }
        };
        let elsewhere: Vec<usize> = operands.iter().filter(|(of, ..)| *of != pass).map(|(_, root, _)| *root).collect();
        if !elsewhere.is_empty() && self.passes[pass].source == Source::Port {
            return Err(unfit(layer, "two inputs meet in it"));
        }
        elsewhere.into_iter().for_each(|root| self.read(root, pass));
        self.passes[pass].chain.push(k);
        self.places.push(Place::Words { pass, root: graph.result(k).index(), layout });
        self.on_lanes(graph, k).map(|_| ())
    }

    /// The window, what it computes and the layout of the result, if `layer` reads several words of its operand.
    fn window(&self, graph: &Graph, layer: &Layer) -> Result<Option<(Vec<Axis>, Kernel, Layout)>, Diagnostic> {
        let Some(Place::Words { layout, .. }) = layer.inputs.first().map(|t| &self.places[t.index()]) else {
            return Ok(None);
        };
        if !layer.op.multiplication().unwrap_or_default().is_plain() {
            return Err(unfit(layer, "it cuts its products or has its weights in registers"));
        }
        let shape = &graph.info(layer.inputs[0]).shape;
        let windowed = |window: &Window, kernel: Kernel, channels: usize| {
            if *layout != Layout::pixels(shape) {
                return Err(unfit(layer, "the channels of a pixel do not come together"));
            }
            let spatial = window.output(&shape[2..]).map_err(|why| unfit(layer, &why))?;
            let axis = |a: usize| Axis {
                extent: shape[2 + a],
                positions: spatial[a],
                stride: window.strides[a],
                taps: (0..window.kernel[a])
                    .map(|k| (k * window.dilations[a]) as i64 - window.pads_begin[a] as i64)
                    .collect(),
            };
            let axes = std::iter::once(Axis::each(shape[0])).chain((0..spatial.len()).map(axis)).collect();
            let result = [&[shape[0], channels], spatial.as_slice()].concat();
            Ok(Some((axes, kernel, Layout::pixels(&result))))
        };
        match &layer.op {
            Op::Convolution { weights, bias, window, groups, .. } => {
                let (lanes, taps) = (weights.shape[1], weights.shape[2..].iter().product::<usize>());
                let at = |f: usize, k: usize, c: usize| weights.values[(f * lanes + c) * taps + k];
                let filters = weights.shape[0];
                let each = (0..filters).flat_map(|f| (0..taps).flat_map(move |k| (0..lanes).map(move |c| (f, k, c))));
                let weights = each.map(|(f, k, c)| at(f, k, c)).collect();
                windowed(window, Kernel::Products { weights, bias: bias.clone(), groups: *groups }, filters)
            }
            Op::Dense { weights, bias, .. } => {
                let (outputs, inputs) = (weights.shape[0], weights.shape[1]);
                let kernel = |weights| Kernel::Products { weights, bias: bias.clone(), groups: 1 };
                if shape.iter().product::<usize>() == inputs {
                    let words = layout.words();
                    let row = |o: usize| (0..words).flat_map(move |k| layout.word(k).iter().map(move |&e| (o, e)));
                    let weights = (0..outputs).flat_map(row).map(|(o, e)| weights.values[o * inputs + e as usize]);
                    return Ok(Some((vec![Axis::all(words)], kernel(weights.collect()), Layout::whole(outputs))));
                }
                if *layout != Layout::vectors(shape) {
                    return Err(unfit(layer, "its vectors do not come one by one"));
                }
                let mut result = shape.clone();
                *result.last_mut().expect("a vector has an axis") = outputs;
                let axes = vec![Axis::each(layout.words())];
                Ok(Some((axes, kernel(weights.values.clone()), Layout::vectors(&result))))
            }
            Op::Pool { kind, window } if layout.words() > 1 => windowed(window, Kernel::Pool(*kind), shape[1]),
            Op::Reduce { kind, axes } if layout.words() > 1 => {
                let spatial: Vec<usize> = (2..shape.len()).collect();
                let mut reduced = axes.clone();
                reduced.sort_unstable();
                if *layout != Layout::pixels(shape) || shape[0] != 1 || reduced != spatial {
                    return Err(unfit(layer, "it reduces other axes than all behind the channels"));
                }
                let axes = vec![Axis::all(layout.words())];
                Ok(Some((axes, Kernel::Pool(*kind), Layout::whole(layout.lanes))))
            }
            _ => Ok(None),
        }
    }

    /// Layer `k` of a chain on the lanes of one word: its operator there.
    ///
    /// # Errors
    /// What is not the same in every word.
    fn on_lanes(&self, graph: &Graph, k: usize) -> Result<Op, Diagnostic> {
        let layer = &graph.layers()[k];
        let Place::Words { layout, .. } = &self.places[graph.result(k).index()] else {
            return Err(Diagnostic::bug("folding", "a constant is in no chain"));
        };
        if self.is_whole(layer) {
            return Ok(layer.op.clone());
        }
        let shape = &graph.info(graph.result(k)).shape;
        let differs = || unfit(layer, "its constants differ from word to word");
        for t in &layer.inputs {
            self.constant_lanes(graph, *t, layout, shape).ok_or_else(differs)?;
        }
        match &layer.op {
            Op::RequantiseEach { formats } => {
                Ok(Op::RequantiseEach { formats: of_lanes(formats, layout, shape).ok_or_else(differs)? })
            }
            Op::Threshold { functions } => {
                Ok(Op::Threshold { functions: of_lanes(functions, layout, shape).ok_or_else(differs)? })
            }
            Op::Add | Op::Sub | Op::Mul | Op::Min | Op::Max | Op::And | Op::Or | Op::Xor | Op::Relu => {
                Ok(layer.op.clone())
            }
            Op::LeakyRelu { .. } | Op::Clamp { .. } | Op::Requantise(_) | Op::Table { .. } => Ok(layer.op.clone()),
            op => Err(unfit(layer, &format!("{} reads more than one word", op.name()))),
        }
    }

    /// Whether the operands of `layer` are whole tensors, one word each.
    fn is_whole(&self, layer: &Layer) -> bool {
        layer.inputs.iter().all(|t| match &self.places[t.index()] {
            Place::Words { layout, .. } => layout.words() == 1,
            Place::Constant(_) => true,
        })
    }

    /// The lanes of tensor `t` stretched to `shape` if it is constant, nothing if it is not; none if they differ from
    /// word to word.
    fn constant_lanes(&self, graph: &Graph, t: TensorId, layout: &Layout, shape: &[usize]) -> Option<Vec<i64>> {
        match &self.places[t.index()] {
            Place::Constant(all) => {
                let array = Array { shape: graph.info(t).shape.clone(), values: all.clone() };
                layout.lanes_of(&array.stretched(shape)?)
            }
            Place::Words { .. } => Some(Vec::new()),
        }
    }

    /// The results of layer `k` of a chain on one word; `lanes` are those of operands that are not constant.
    pub fn word<'m>(
        &self,
        m: &'m ModuleBuilder,
        arithmetic: Arithmetic,
        graph: &Graph,
        k: usize,
        lanes: &dyn Fn(usize) -> Vec<Value<'m>>,
    ) -> Result<Vec<Value<'m>>, Diagnostic> {
        let products = Products::new(m, Some(Effort::Fast), arithmetic);
        let (layer, result) = (&graph.layers()[k], graph.result(k));
        let constants = |all: &[i64]| all.iter().map(|v| m.constant((*v).into(), 0)).collect::<Vec<_>>();
        if self.is_whole(layer) {
            let whole = |t: &TensorId| match &self.places[t.index()] {
                Place::Constant(all) => constants(all),
                Place::Words { root, layout, .. } => in_order(layout, &lanes(*root)),
            };
            let operands: Vec<Vec<Value<'m>>> = layer.inputs.iter().map(whole).collect();
            let operands: Vec<&[Value<'m>]> = operands.iter().map(Vec::as_slice).collect();
            return layer_values(m, &products, graph, k, &operands, &[]);
        }
        let Place::Words { layout, .. } = &self.places[result.index()] else {
            return Err(Diagnostic::bug("folding", "a constant is in no chain"));
        };
        let flat = |t: TensorId| TensorInfo { shape: vec![layout.lanes], range: graph.info(t).range };
        let operand = |t: &TensorId| match &self.places[t.index()] {
            Place::Words { root, .. } => lanes(*root),
            Place::Constant(_) => {
                let lanes = self.constant_lanes(graph, *t, layout, &graph.info(result).shape);
                constants(&lanes.expect("checked when it was put into the chain"))
            }
        };
        let operands: Vec<(Vec<Value<'m>>, TensorInfo)> = layer.inputs.iter().map(|t| (operand(t), flat(*t))).collect();
        let operands: Vec<Operand<'_, 'm>> = operands.iter().map(|(values, info)| Operand { values, info }).collect();
        let layer = Layer { op: self.on_lanes(graph, k)?, ..layer.clone() };
        values(m, &products, &layer, &operands, &[], &flat(result))
    }

    /// Lanes of tensor `root`.
    pub fn lanes(&self, root: usize) -> usize {
        match &self.places[root] {
            Place::Words { layout, .. } => layout.lanes,
            Place::Constant(_) => 0,
        }
    }
}

impl Place {
    fn constant(&self) -> Option<&[i64]> {
        match self {
            Self::Constant(all) => Some(all),
            Self::Words { .. } => None,
        }
    }
}

/// A tensor of one word in row-major order.
pub(super) fn in_order<'m>(layout: &Layout, lanes: &[Value<'m>]) -> Vec<Value<'m>> {
    let mut order: Vec<usize> = (0..lanes.len()).collect();
    order.sort_unstable_by_key(|&lane| layout.word(0)[lane]);
    order.into_iter().map(|lane| lanes[lane]).collect()
}

/// A stretched array on the lanes of a word.
fn of_lanes<V: Clone>(array: &Array<V>, layout: &Layout, shape: &[usize]) -> Option<Array<V>> {
    let lanes = layout.lanes_of(&array.indices(shape)?)?;
    let values = lanes.into_iter().map(|i| array.values[i as usize].clone()).collect();
    Some(Array { shape: vec![layout.lanes], values })
}

/// The integers of a layer whose operands are constant.
fn constant(graph: &Graph, k: usize, operands: &[&[i64]]) -> Result<Vec<i64>, Diagnostic> {
    let m = ModuleBuilder::new("constant");
    let products = Products::new(&m, Some(Effort::Fast), Arithmetic::default());
    let values = |all: &&[i64]| all.iter().map(|v| m.constant((*v).into(), 0)).collect::<Vec<_>>();
    let operands: Vec<Vec<Value<'_>>> = operands.iter().map(values).collect();
    let operands: Vec<&[Value<'_>]> = operands.iter().map(Vec::as_slice).collect();
    let integer = |v: &Value<'_>| v.range().as_point().and_then(|v| i64::try_from(v).ok());
    let results = layer_values(&m, &products, graph, k, &operands, &[])?;
    let known: Option<Vec<i64>> = results.iter().map(integer).collect();
    known.ok_or_else(|| Diagnostic::bug("folding", "the result of constants is constant"))
}

/// Where the elements of a layer's result come from, if it only moves those of one operand.
fn sources(graph: &Graph, layer: &Layer) -> Option<Result<Vec<Option<u32>>, Diagnostic>> {
    let shape = &graph.info(*layer.inputs.first()?).shape;
    let moved = moved(&layer.op, shape)?;
    Some(moved.map(|moved| moved.sources).map_err(|why| unfit(layer, &why)))
}

/// The order in which an input comes: that in which the first layer that computes more than element by element takes it.
fn of_input(graph: &Graph, input: usize) -> Layout {
    let mut tensor = TensorId(input as u32);
    let mut path: Vec<Vec<Option<u32>>> = Vec::new();
    let layout = loop {
        let shape = &graph.info(tensor).shape;
        let Some(k) = graph.layers().iter().position(|layer| layer.inputs.contains(&tensor)) else {
            break Layout::whole(shape.iter().product());
        };
        let layer = &graph.layers()[k];
        if let Some(Ok(sources)) = sources(graph, layer) {
            path.push(sources);
        } else if matches!(layer.op, Op::Convolution { .. } | Op::Pool { .. } | Op::Reduce { .. }) {
            break Layout::pixels(shape);
        } else if matches!(layer.op, Op::Dense { .. }) || graph.info(graph.result(k)).shape != *shape {
            break match &layer.op {
                Op::Dense { weights, .. } if weights.shape[1] < shape.iter().product() => Layout::vectors(shape),
                _ => Layout::whole(shape.iter().product()),
            };
        }
        tensor = graph.result(k);
    };
    let count = graph.info(TensorId(input as u32)).shape.iter().product();
    let back = path.iter().rev().try_fold(layout, |layout, sources| layout.before(sources));
    back.filter(|layout| layout.words() * layout.lanes == count).unwrap_or_else(|| Layout::whole(count))
}
