//! The engine: a network made ready to run many events.

use std::path::Path;
use std::sync::Arc;

use hdl::diag::{Diagnostic, Diagnostics};
use hdl::names::quoted;
use rayon::prelude::*;
use sim::batch::{Batch, Lane};

use crate::failure::{Failure, Result};
use crate::flow::folder;
use crate::import::file::read;
use crate::import::lift::{Imported, InputFormat};
use crate::import::numpy::place;
use crate::model::{Array, Decode, Graph, Input, Layer, Output};
use crate::network::simulated::linked;

/// Events that one core converts at a time.
const TASK: usize = 256;

/// A network made ready to run many events, bit-exact to [`Graph::evaluate`].
///
/// Blocks of events go in and come out port by port: for each input or output one array, event after event, the elements
/// of an event in row-major order. All cores take part; a calling program may call it from several threads.
///
/// ```
/// # use hwgen::flow::run::Engine;
/// # use hwgen::model::{Array, Graph, Input, Layer, Op, Output, TensorId};
/// let input = Input { name: "x".into(), shape: vec![2], range: (-8, 7), encode: None };
/// let mut graph = Graph::new("sum", vec![input])?;
/// let weights = Array { shape: vec![1, 2], values: vec![3, -1] };
/// let op = Op::dense(weights, vec![10]);
/// let y = graph.push(Layer { name: "y".into(), op, inputs: vec![TensorId(0)], scale: None })?;
/// graph.output(Output { name: "y".into(), tensor: y, decode: None })?;
/// let engine = Engine::of(graph)?;
/// assert_eq!(engine.run_block::<i64>(&[&[1, 2, 7, -8]])?, [[11, 39]]);
/// # Ok::<(), hdl::diag::Diagnostics>(())
/// ```
#[derive(Debug, Clone)]
pub struct Engine {
    graph: Graph,
    batch: Arc<Batch>,
}

/// What goes in or comes out under one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Name in the model.
    pub name: String,
    /// Extent of each axis of one event.
    pub shape: Vec<usize>,
    /// Least and greatest integer.
    pub range: (i64, i64),
}

impl Column {
    /// Elements of one event.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }
}

impl Engine {
    /// The engine of a network.
    ///
    /// # Errors
    /// A network without inputs or outputs, or one that is too large.
    pub fn of(graph: Graph) -> std::result::Result<Self, Diagnostics> {
        graph.check()?;
        let batch = Arc::new(Batch::compile_linked(&linked(&graph)?)?);
        Ok(Self { graph, batch })
    }

    /// The engine of the model in `path`: an output folder of any generator, or a file that `hwgen build` reads.
    ///
    /// # Errors
    /// Those of [`network`], and of [`Engine::of`]; a framework whose own sums are not exact.
    pub fn open(path: &Path) -> Result<Self> {
        let imported = network(path, None, &[])?;
        let inexact = |d: Diagnostic| Failure::user(d.at(path.display().to_string(), "in this file"));
        imported.require_exact().map_err(inexact)?;
        Ok(Self::of(imported.graph)?)
    }

    /// The network, traced tensors among its outputs.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The engine that gives the results of these layers too, under their names behind the outputs.
    ///
    /// # Errors
    /// A layer that is not there; those of [`Engine::of`].
    pub fn traced(&self, layers: &[String]) -> std::result::Result<Self, Diagnostics> {
        let mut graph = self.graph.clone();
        for name in layers {
            let of_name = |(_, layer): &(usize, &Layer)| layer.name == *name;
            let found: Vec<(usize, &Layer)> = self.graph.layers().iter().enumerate().filter(of_name).collect();
            // the last of several layers of one name is what the framework's layer gives
            let Some(&(k, layer)) = found.last() else {
                let names: Vec<&str> = self.graph.layers().iter().map(|layer| &*layer.name).collect();
                let error = Diagnostic::error("trace", format!("there is no layer {}", quoted(name)));
                return Err(error.help(format!("the layers are {}", names.join(", "))).into());
            };
            let unit = |scale: f64| Decode { unit: Array::scalar(scale), steps: Vec::new(), softmax: None };
            let taken =
                graph.inputs().iter().any(|i| i.name == *name) || graph.outputs().iter().any(|o| o.name == *name);
            let name = if taken { format!("{name} (traced)") } else { name.clone() };
            graph.output(Output { name, tensor: self.graph.result(k), decode: layer.scale.map(unit) })?;
        }
        Self::of(graph)
    }

    /// What goes in.
    pub fn inputs(&self) -> Vec<Column> {
        let column =
            |input: &Input| Column { name: input.name.clone(), shape: input.shape.clone(), range: input.range };
        self.graph.inputs().iter().map(column).collect()
    }

    /// What comes out: the network's outputs, then what is traced.
    pub fn outputs(&self) -> Vec<Column> {
        let column = |output: &Output| {
            let info = self.graph.info(output.tensor);
            let range = (info.range.lo() as i64, info.range.hi() as i64);
            Column { name: output.name.clone(), shape: info.shape.clone(), range }
        };
        self.graph.outputs().iter().map(column).collect()
    }

    /// The outputs of a block of events for its inputs, as integers.
    ///
    /// # Errors
    /// Another number of inputs, no whole events or not the same number of them, an integer out of its element's range;
    /// outputs that `S` cannot hold.
    pub fn run_block<S: Lane>(&self, inputs: &[&[S]]) -> std::result::Result<Vec<Vec<S>>, Diagnostics> {
        self.run_from(0, inputs).map_err(|(_, why)| why)
    }

    /// As [`Engine::run_block`] of events that are counted from `first`; an error says which input's element it is of, if
    /// any's.
    pub(super) fn run_from<S: Lane>(
        &self,
        first: usize,
        inputs: &[&[S]],
    ) -> std::result::Result<Vec<Vec<S>>, (Option<usize>, Diagnostics)> {
        let events = self.events(inputs).map_err(|why| (None, why.into()))?;
        for output in self.graph.outputs() {
            if !S::holds(self.graph.info(output.tensor).range) {
                let message = format!("output {} does not fit {} bits", quoted(&output.name), S::BITS);
                let error = Diagnostic::error("sample-type", message).help("run it on wider integers");
                return Err((None, error.into()));
            }
        }
        self.batch.run_ports(inputs).map_err(|why| match self.out_of_range(inputs, events) {
            Some((event, k, message)) => {
                let error = of_event(first + event, Diagnostic::error("model-input", message));
                (Some(k), error.into())
            }
            None => (None, why),
        })
    }

    /// The first integer of so many events that is out of its element's range: event, input, and what is wrong.
    fn out_of_range<S: Lane>(&self, inputs: &[&[S]], events: usize) -> Option<(usize, usize, String)> {
        let ranges: Vec<Vec<(i64, i64)>> = self.graph.inputs().iter().map(Input::ranges).collect();
        let of_input = |event: usize, k: usize| {
            let (input, ranges) = (&self.graph.inputs()[k], &ranges[k]);
            let values = inputs[k][event * ranges.len()..].iter().map(|v| v.to_i128());
            let outside =
                |((_, v), (lo, hi)): &((usize, i128), &(i64, i64))| !(i128::from(*lo)..=i128::from(*hi)).contains(v);
            let ((i, value), (lo, hi)) = values.enumerate().zip(ranges).find(outside)?;
            let (place, name) = (place(&input.shape, i), quoted(&input.name));
            Some((event, k, format!("element {place:?} of input {name} is {value}, its range is {lo}…{hi}")))
        };
        (0..events).find_map(|event| (0..inputs.len()).find_map(|k| of_input(event, k)))
    }

    /// How many events `inputs` are.
    fn events<S>(&self, inputs: &[&[S]]) -> std::result::Result<usize, Diagnostic> {
        let error = |message: String| Err(Diagnostic::error("model-input", message));
        let columns = self.inputs();
        if columns.len() != inputs.len() {
            return error(format!("{} inputs are given, {} wanted", inputs.len(), columns.len()));
        }
        let mut events = None;
        for (column, values) in columns.iter().zip(inputs) {
            let (name, count) = (quoted(&column.name), column.count());
            if !values.len().is_multiple_of(count.max(1)) {
                return error(format!(
                    "input {name} has {count} elements, {} values are no whole number of events",
                    values.len()
                ));
            }
            let found = values.len() / count.max(1);
            match *events.get_or_insert(found) {
                first if first == found => {}
                first => return error(format!("input {name} has {found} events, that before it has {first}")),
            }
        }
        Ok(events.unwrap_or(0))
    }

    /// The integers of input `k` for the framework's numbers, event after event.
    ///
    /// # Errors
    /// No whole events, a number that is not finite, a fraction where the input takes integers.
    pub fn encode_block(&self, k: usize, values: &[f32]) -> std::result::Result<Vec<i64>, Diagnostic> {
        self.encode_from(0, k, values)
    }

    /// As [`Engine::encode_block`] of events that are counted from `first`.
    pub(super) fn encode_from(
        &self,
        first: usize,
        k: usize,
        values: &[f32],
    ) -> std::result::Result<Vec<i64>, Diagnostic> {
        let (encoder, count) = (self.graph.encoder(k), self.inputs()[k].count().max(1));
        let event = |(number, values): (usize, &[f32])| encoder.event(values).map_err(|d| of_event(first + number, d));
        let task = |(number, events): (usize, &[f32])| {
            let mut encoded = Vec::with_capacity(events.len());
            for (k, values) in events.chunks(count).enumerate() {
                encoded.extend(event((number * TASK + k, values))?);
            }
            Ok(encoded)
        };
        let tasks: Vec<Vec<i64>> =
            values.par_chunks(count * TASK).enumerate().map(task).collect::<std::result::Result<_, Diagnostic>>()?;
        Ok(tasks.concat())
    }

    /// The framework's numbers for the integers of output `k`, event after event.
    pub fn decode_block(&self, k: usize, values: &[i64]) -> Vec<f32> {
        let width = self.outputs()[k].count().max(1);
        values.par_chunks(width).flat_map_iter(|event| self.graph.decode(k, event)).collect()
    }
}

/// What is wrong, of that event of a block.
fn of_event(number: usize, why: Diagnostic) -> Diagnostic {
    Diagnostic { message: format!("event {number}: {}", why.message), ..why }
}

/// The network in `path`: that of an output folder's model, or of a file that `hwgen build` reads, whose missing weights
/// and formats are `weights` and `formats`.
///
/// # Errors
/// What cannot be read or is no network; weights or formats for a folder, which has its own.
pub fn network(path: &Path, weights: Option<&Path>, formats: &[InputFormat]) -> Result<Imported> {
    if !path.is_dir() {
        return read(path, weights, formats);
    }
    let at = |d: Diagnostic| Failure::user(d.at(path.display().to_string(), "in this folder"));
    if weights.is_some() || !formats.is_empty() {
        let error = Diagnostic::error("model", "an output folder has its weights and the formats of its inputs");
        return Err(at(error.help("leave --weights-file and --input-format away")));
    }
    folder::model(path)?.graph().map(Imported::exact).map_err(at)
}
