//! A constant matrix-vector product as a project.

use std::collections::BTreeMap;
use std::sync::Arc;

use constraints::{Target, delay};
use hdl::dfg::{Module, ModuleBuilder, Stamp, Value};
use hdl::diag::Diagnostic;
use hdl::num::{Format, Interval};
use hdl::passes::pipeline::{self, Goal, pipeline};
use sim::vectors::Vectors;

use super::generate::{Built, Project};
use super::options::{Options, Timing};
use crate::arith::cells;
use crate::arith::design::MatrixDesign;
use crate::arith::products::operators;
use crate::arith::{AdderGraph, Arithmetic, CellSums, Kinds, Problem, cost};
use crate::design::Design;
use crate::failure::Result;
use crate::output::report::{Check, Report};

/// A matrix whose sums have been found.
#[derive(Debug, Clone)]
pub struct MatrixProject {
    /// The matrix and its inputs.
    pub design: MatrixDesign,
    /// The product without stages.
    pub logic: Arc<Module>,
    /// What was found, for the report.
    pub parameters: BTreeMap<String, String>,
    /// Seed of the test bench's samples.
    pub seed: u64,
}

/// Samples in the vectors of a matrix.
const SAMPLES: usize = 256;

/// The graph as a module `cmvm` from `x` to `y`, combinational.
///
/// # Errors
/// Inputs of an impossible range.
pub fn of_adders(problem: &Problem, graph: &AdderGraph, target: &Target) -> Result<Arc<Module>> {
    let cover = target.carry_cell().map(|_| cost::cover(graph));
    module(&problem.inputs, |m, x| operators::build(m, x, graph, cover.as_ref()))
}

/// The same of cells.
///
/// # Errors
/// Inputs of an impossible range.
pub fn of_cells(problem: &Problem, sums: &CellSums) -> Result<Arc<Module>> {
    module(&problem.inputs, |m, x| cells::lower::build(m, x, sums))
}

fn module<F>(inputs: &[Interval], sums: F) -> Result<Arc<Module>>
where
    F: for<'m> FnOnce(&'m ModuleBuilder, &[Value<'m>]) -> Vec<Value<'m>>,
{
    let m = ModuleBuilder::new("cmvm");
    let x = m.input_port("x", inputs.iter().map(|range| Format::integer(*range)).collect(), Stamp::at(0));
    m.output_array("y", &sums(&m, &x));
    Ok(m.finish()?)
}

/// What the product is cut to: combinational unless latency or clock ask for stages.
fn stages(timing: &Timing) -> Result<pipeline::Options> {
    match (timing.latency, timing.clock_ns) {
        (None, None) => Ok(pipeline::Options { register_outputs: false, ..timing.cut(|_| Goal::Latency(0))? }),
        _ => timing.stages(),
    }
}

impl Project for MatrixProject {
    fn generator(&self) -> &'static str {
        "cmvm"
    }

    fn parameters(&self, _: &Options) -> BTreeMap<String, String> {
        self.parameters.clone()
    }

    /// None that are left to be decided: the sums have been found.
    fn products(&self) -> Kinds {
        Kinds::default()
    }

    fn build(&self, options: &Options, _: Arithmetic) -> Result<Built> {
        let cut = pipeline(&self.logic, &delay::of(&options.target), &stages(&options.timing)?);
        let (top, pipeline) = cut.map_err(|d| options.timing.explain(d))?;
        let design = Design::Matrix(self.design.clone());
        Ok(Built { latency: top.latency(), interval: 1, top: Arc::new(top), pipeline, design })
    }

    fn vectors(&self, _: &Design) -> std::result::Result<Vectors, Diagnostic> {
        Ok(self.design.vectors(SAMPLES, self.seed))
    }

    fn checks(&self, _: &Report) -> Vec<Check> {
        let result = "every adder an identity, their sum is W".into();
        vec![Check { what: "linear certificate".into(), result }]
    }
}
