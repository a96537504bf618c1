//! A trained network: evaluated on NumPy's memory, inspected, and built.

use std::ops::Range;

use clap::Parser;
use hdl::diag::Diagnostic;
use hwgen::cli::build::Reference;
use hwgen::cli::model_file::{ModelFile, ModelPart};
use hwgen::cli::network::Hardware;
use hwgen::flow::trained::{Trained, inspection};
use hwgen::model::{Graph, TensorId};
use hwgen::{Failure, generate};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;
use rayon::prelude::*;
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

/// A trained network in exact integers.
#[pyclass(frozen, module = "hwgen._hwgen")]
pub struct Network {
    trained: Trained,
}

#[pymethods]
impl Network {
    /// Reads the network that `arguments` of `hwgen build` name.
    #[new]
    fn new(py: Python<'_>, arguments: Vec<String>) -> PyResult<Self> {
        let Load { file, part } = parsed(arguments)?;
        Ok(Self { trained: call(py, || file.file().part(&part.part()))? })
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

    /// The integers of each output for so many events.
    fn integers<'py>(
        &self,
        py: Python<'py>,
        events: Events<'py>,
        count: usize,
    ) -> PyResult<Vec<Bound<'py, PyArray1<i64>>>> {
        let tensors: Vec<TensorId> = self.graph().outputs().iter().map(|output| output.tensor).collect();
        let values = self.evaluate(py, &events, count, &tensors)?;
        Ok(values.into_iter().map(|values| values.into_pyarray(py)).collect())
    }

    /// The framework's numbers of each output for so many events.
    fn floats<'py>(
        &self,
        py: Python<'py>,
        events: Events<'py>,
        count: usize,
    ) -> PyResult<Vec<Bound<'py, PyArray1<f32>>>> {
        let tensors: Vec<TensorId> = self.graph().outputs().iter().map(|output| output.tensor).collect();
        let integers = self.evaluate(py, &events, count, &tensors)?;
        let decoded = call(py, || Ok(integers.iter().enumerate().map(|(k, v)| self.decoded(k, v)).collect()))?;
        Ok(Vec::into_iter(decoded).map(|values| values.into_pyarray(py)).collect())
    }

    /// The integers of the layers of these indices for so many events.
    fn trace<'py>(
        &self,
        py: Python<'py>,
        events: Events<'py>,
        count: usize,
        layers: Vec<usize>,
    ) -> PyResult<Vec<Bound<'py, PyArray1<i64>>>> {
        let tensors: Vec<TensorId> = layers.into_iter().map(|k| self.graph().result(k)).collect();
        let values = self.evaluate(py, &events, count, &tensors)?;
        Ok(values.into_iter().map(|values| values.into_pyarray(py)).collect())
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

    /// The integers of tensors, one event after the other.
    fn evaluate(
        &self,
        py: Python<'_>,
        events: &Events<'_>,
        count: usize,
        tensors: &[TensorId],
    ) -> PyResult<Vec<Vec<i64>>> {
        let elements = match events {
            Events::Floats(arrays) => {
                Elements::Floats(arrays.iter().map(|a| Ok(a.as_slice()?)).collect::<PyResult<_>>()?)
            }
            Events::Integers(arrays) => {
                Elements::Integers(arrays.iter().map(|a| Ok(a.as_slice()?)).collect::<PyResult<_>>()?)
            }
        };
        call(py, || run(self.graph(), &elements, count, tensors))
    }

    /// The framework's numbers for the integers of output `k`.
    fn decoded(&self, k: usize, integers: &[i64]) -> Vec<f32> {
        let graph = self.graph();
        let size: usize = graph.info(graph.outputs()[k].tensor).shape.iter().product();
        integers.par_chunks(size.max(1)).flat_map_iter(|event| graph.decode(k, event)).collect()
    }
}

/// The integers of `tensors` for `count` events, on all cores.
fn run(
    graph: &Graph,
    elements: &Elements<'_>,
    count: usize,
    tensors: &[TensorId],
) -> hwgen::failure::Result<Vec<Vec<i64>>> {
    let sizes: Vec<usize> = graph.inputs().iter().map(|input| input.shape.iter().product()).collect();
    let event = |k: usize| {
        if is_stopped() {
            return Err(Diagnostic::error("interrupted", format!("the work was interrupted at event {k}")));
        }
        let at = |size: usize| -> Range<usize> { k * size..(k + 1) * size };
        let inputs = match elements {
            Elements::Floats(arrays) => {
                let event: Vec<Vec<f32>> = arrays.iter().zip(&sizes).map(|(a, &n)| a[at(n)].to_vec()).collect();
                graph.encode(&event)?
            }
            Elements::Integers(arrays) => arrays.iter().zip(&sizes).map(|(a, &n)| a[at(n)].to_vec()).collect(),
        };
        let evaluation = graph.evaluate(&inputs)?;
        Ok(tensors.iter().map(|t| evaluation.tensor(*t).to_vec()).collect::<Vec<_>>())
    };
    let named = |k: usize| event(k).map_err(|d| Failure::user(d.label(None, format!("event {k}"))));
    let events: Vec<Vec<Vec<i64>>> = (0..count).into_par_iter().map(named).collect::<Result<_, _>>()?;
    Ok((0..tensors.len()).map(|t| events.iter().flat_map(|event| &event[t]).copied().collect()).collect())
}
