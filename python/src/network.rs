//! A trained network: evaluated on NumPy's memory, inspected, and built.

use std::sync::OnceLock;

use clap::Parser;
use hdl::diag::{Diagnostic, Diagnostics};
use hwgen::cli::build::Reference;
use hwgen::cli::model_file::{ModelFile, ModelPart};
use hwgen::cli::network::Hardware;
use hwgen::failure::Result;
use hwgen::flow::run::{Column, Engine};
use hwgen::flow::trained::{Trained, inspection};
use hwgen::model::{Graph, Output};
use hwgen::{Failure, generate};
use numpy::{Element, IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;
use sim::tools::is_stopped;

use crate::call::{call, exception, json, parsed};

/// The arguments of `hwgen build` that say which network.
#[derive(Parser)]
#[command(name = "load", no_binary_name = true, disable_help_flag = true)]
struct Load {
    #[command(flatten)]
    file: ModelFile,
    #[command(flatten)]
    part: ModelPart,
}

/// Those that say what becomes of it.
#[derive(Parser)]
#[command(name = "build", no_binary_name = true, disable_help_flag = true)]
struct Build {
    #[command(flatten)]
    reference: Reference,
    #[command(flatten)]
    hardware: Hardware,
}

/// Name and shape of a tensor.
type Tensor = (String, Vec<usize>);
/// An array for each output.
type Arrays<'py, T> = Vec<Bound<'py, PyArray1<T>>>;

/// The elements of each input, one event after the other.
#[derive(FromPyObject)]
enum Events<'py> {
    /// The framework's numbers.
    Floats(Vec<PyReadonlyArray1<'py, f32>>),
    /// The network's integers.
    Integers(Vec<PyReadonlyArray1<'py, i64>>),
}

/// The same in memory that needs no interpreter.
enum Elements<'a> {
    Floats(Vec<&'a [f32]>),
    Integers(Vec<&'a [i64]>),
}

/// Elements of all inputs that are run at once: between blocks a call can be interrupted.
const BLOCK: usize = 1 << 20;

/// A trained network in exact integers.
#[pyclass(frozen, module = "hwgen._hwgen")]
pub struct Network {
    trained: Trained,
    /// Made when events are first run.
    engine: OnceLock<Engine>,
}

#[pymethods]
impl Network {
    /// Reads the network that `arguments` of `hwgen build` name.
    #[new]
    fn new(py: Python<'_>, arguments: Vec<String>) -> PyResult<Self> {
        let Load { file, part } = parsed(arguments)?;
        let trained = call(py, || file.file().part(&part.part()))?;
        Ok(Self { trained, engine: OnceLock::new() })
    }

    /// What must be known of its numbers, in lines.
    #[getter]
    fn remarks(&self) -> &str {
        &self.trained.remarks
    }

    /// Names and shapes of the inputs.
    #[getter]
    fn inputs(&self) -> Vec<Tensor> {
        self.graph().inputs().iter().map(|input| (input.name.clone(), input.shape.clone())).collect()
    }

    /// Names and shapes of the outputs.
    #[getter]
    fn outputs(&self) -> Vec<Tensor> {
        let graph = self.graph();
        graph.outputs().iter().map(|output| (output.name.clone(), graph.info(output.tensor).shape.clone())).collect()
    }

    /// Names and shapes of the layers.
    #[getter]
    fn layers(&self) -> Vec<Tensor> {
        let graph = self.graph();
        let shape = |k: usize| graph.info(graph.result(k)).shape.clone();
        graph.layers().iter().enumerate().map(|(k, layer)| (layer.name.clone(), shape(k))).collect()
    }

    /// The integers of each output.
    fn integers<'py>(&self, py: Python<'py>, events: Events<'py>) -> PyResult<Arrays<'py, i64>> {
        let elements = events.elements()?;
        let values = call(py, || run(self.engine()?, &elements, |_, integers| integers))?;
        Ok(values.into_iter().map(|values| values.into_pyarray(py)).collect())
    }

    /// The framework's numbers of each output.
    fn floats<'py>(&self, py: Python<'py>, events: Events<'py>) -> PyResult<Arrays<'py, f32>> {
        let elements = events.elements()?;
        let values = call(py, || {
            let engine = self.engine()?;
            run(engine, &elements, |k, integers| engine.decode_block(k, &integers))
        })?;
        Ok(values.into_iter().map(|values| values.into_pyarray(py)).collect())
    }

    /// The integers of the layers of these indices.
    fn trace<'py>(&self, py: Python<'py>, events: Events<'py>, layers: Vec<usize>) -> PyResult<Arrays<'py, i64>> {
        let elements = events.elements()?;
        let values = call(py, || run(&self.traced(&layers)?, &elements, |_, integers| integers))?;
        Ok(values.into_iter().skip(self.graph().outputs().len()).map(|values| values.into_pyarray(py)).collect())
    }

    /// What `hwgen inspect --json` prints.
    fn inspect(&self, py: Python<'_>) -> PyResult<String> {
        call(py, || Ok(json(&inspection(&self.trained.network))))
    }

    /// Builds an output folder: its report as JSON.
    fn build(&self, py: Python<'_>, arguments: Vec<String>) -> PyResult<String> {
        let Build { reference, hardware } = parsed(arguments)?;
        let (generated, staging) = call(py, || {
            let staging = hardware.folder()?;
            let project = self.trained.clone().project(&reference.inputs, &reference.expected)?;
            Ok((generate(&hardware.formed(project)?, &hardware.options()?, &staging)?, staging))
        })?;
        staging.finish().map_err(exception)?;
        Ok(json(&generated.report))
    }
}

impl Network {
    fn graph(&self) -> &Graph {
        &self.trained.network.graph
    }

    /// The engine that runs it.
    fn engine(&self) -> Result<&Engine> {
        if let Some(engine) = self.engine.get() {
            return Ok(engine);
        }
        let engine = Engine::of(self.graph().clone()).map_err(user)?;
        Ok(self.engine.get_or_init(|| engine))
    }

    /// The engine that gives the results of these layers too, behind the outputs.
    fn traced(&self, layers: &[usize]) -> Result<Engine> {
        let mut graph = self.graph().clone();
        for k in layers {
            let tensor = graph.result(*k);
            graph.output(Output { name: format!("layer {k}"), tensor, decode: None }).map_err(user)?;
        }
        Engine::of(graph).map_err(user)
    }
}

impl<'py> Events<'py> {
    /// The memory of the arrays.
    fn elements(&self) -> PyResult<Elements<'_>> {
        fn slices<'a, T: Element>(arrays: &'a [PyReadonlyArray1<'_, T>]) -> PyResult<Vec<&'a [T]>> {
            arrays.iter().map(|array| Ok(array.as_slice()?)).collect()
        }
        Ok(match self {
            Self::Floats(arrays) => Elements::Floats(slices(arrays)?),
            Self::Integers(arrays) => Elements::Integers(slices(arrays)?),
        })
    }
}

/// A mistake in what was given to the engine.
fn user(error: impl Into<Diagnostics>) -> Failure {
    Failure::User(error.into())
}

/// The same of a block that begins with event `first`, from which its errors count.
fn user_of(first: usize, error: impl Into<Diagnostics>) -> Failure {
    let Diagnostics(all) = error.into();
    let counted = |d: Diagnostic| match first {
        0 => d,
        _ => d.label(None, format!("counted from event {first}")),
    };
    Failure::User(Diagnostics(all.into_iter().map(counted).collect()))
}

/// What `finish` makes of the integers of each output, block after block.
fn run<T>(engine: &Engine, elements: &Elements<'_>, finish: impl Fn(usize, Vec<i64>) -> Vec<T>) -> Result<Vec<Vec<T>>> {
    let sizes: Vec<usize> = engine.inputs().iter().map(Column::count).collect();
    let lengths: Vec<usize> = match elements {
        Elements::Floats(arrays) => arrays.iter().map(|array| array.len()).collect(),
        Elements::Integers(arrays) => arrays.iter().map(|array| array.len()).collect(),
    };
    let count = lengths.iter().zip(&sizes).map(|(length, size)| length / size.max(&1)).min().unwrap_or(0);
    let step = (BLOCK / sizes.iter().sum::<usize>().max(1)).max(1);
    let mut results: Vec<Vec<T>> =
        engine.outputs().iter().map(|output| Vec::with_capacity(count * output.count())).collect();
    for first in (0..count).step_by(step) {
        if is_stopped() {
            let error = Diagnostic::error("interrupted", format!("the work was interrupted before event {first}"));
            return Err(Failure::check(error));
        }
        let part = |k: usize| first * sizes[k]..count.min(first + step) * sizes[k];
        let integers = match elements {
            Elements::Floats(arrays) => {
                let encoded: std::result::Result<Vec<Vec<i64>>, _> =
                    arrays.iter().enumerate().map(|(k, array)| engine.encode_block(k, &array[part(k)])).collect();
                let encoded = encoded.map_err(|d| user_of(first, d))?;
                engine.run_block(&encoded.iter().map(Vec::as_slice).collect::<Vec<_>>())
            }
            Elements::Integers(arrays) => {
                engine.run_block(&arrays.iter().enumerate().map(|(k, array)| &array[part(k)]).collect::<Vec<_>>())
            }
        };
        for (k, block) in integers.map_err(|d| user_of(first, d))?.into_iter().enumerate() {
            results[k].append(&mut finish(k, block));
        }
    }
    Ok(results)
}
