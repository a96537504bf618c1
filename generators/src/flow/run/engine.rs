//! The engine: a network made ready to run many events.

use std::path::Path;

use hdl::diag::Diagnostic;
use hdl::names::quoted;
use rayon::prelude::*;
use sim::batch::Lane;

use crate::failure::{Failure, Result};
use crate::flow::folder;
use crate::import::file::read;
use crate::import::lift::{Imported, InputFormat};
use crate::model::{Graph, Input, Output};

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
    /// A network without outputs.
    pub fn of(graph: Graph) -> std::result::Result<Self, Diagnostic> {
        graph.check()?;
        Ok(Self { graph })
    }

    /// The engine of the model in `path`: an output folder of any generator, or a file that `hwgen build` reads.
    ///
    /// # Errors
    /// Those of [`network`], and of [`Engine::of`]; a framework whose own sums are not exact.
    pub fn open(path: &Path) -> Result<Self> {
        let imported = network(path, None, &[])?;
        let at = |d: Diagnostic| Failure::user(d.at(path.display().to_string(), "in this file"));
        imported.require_exact().map_err(at)?;
        Self::of(imported.graph).map_err(at)
    }

    /// The network, traced tensors among its outputs.
    pub fn graph(&self) -> &Graph {
        &self.graph
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
    pub fn run_block<S: Lane>(&self, inputs: &[&[S]]) -> std::result::Result<Vec<Vec<S>>, Diagnostic> {
        let events = self.events(inputs)?;
        let widths: Vec<usize> = self.inputs().iter().map(Column::count).collect();
        for output in self.graph.outputs() {
            if !S::holds(self.graph.info(output.tensor).range) {
                let message = format!("output {} does not fit {} bits", quoted(&output.name), S::BITS);
                return Err(Diagnostic::error("sample-type", message).help("run it on wider integers"));
            }
        }
        let one = |event: usize| {
            let row = |(values, width): (&&[S], &usize)| {
                values[event * width..][..*width].iter().map(|v| v.to_i128() as i64).collect()
            };
            let row: Vec<Vec<i64>> = inputs.iter().zip(&widths).map(row).collect();
            let evaluation = self.graph.evaluate(&row).map_err(|d| of_event(event, d))?;
            Ok(evaluation.outputs().into_iter().map(<[i64]>::to_vec).collect::<Vec<_>>())
        };
        let rows: Vec<Vec<Vec<i64>>> =
            (0..events).into_par_iter().map(one).collect::<std::result::Result<_, Diagnostic>>()?;
        let column = |k: usize| rows.iter().flat_map(|row| &row[k]).map(|v| S::truncated(i128::from(*v))).collect();
        Ok((0..self.graph.outputs().len()).map(column).collect())
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
        let (encoder, count) = (self.graph.encoder(k), self.inputs()[k].count());
        let event = |(number, values): (usize, &[f32])| encoder.event(values).map_err(|d| of_event(number, d));
        let events: Vec<Vec<i64>> =
            values.par_chunks(count.max(1)).enumerate().map(event).collect::<std::result::Result<_, Diagnostic>>()?;
        Ok(events.concat())
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
