//! A folder's Verilog proved equal to its model for every input.

mod blocks;
mod fresh;
mod spec;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::path::PathBuf;
use std::time::Instant;

use hdl::dfg::Module;
use hdl::diag::{Diagnostic, Diagnostics};
use hdl::rtl::eval::Stepper;
use hdl::{pack, rtl, verilog};
use num_bigint::BigUint;
use rayon::prelude::*;
use serde::Serialize;
use verify::deadline::Deadline;
use verify::flatten::flatten;
use verify::prove::prove;
use verify::search::search;
use verify::spec::Spec;

pub use self::fresh::prove_new;
use self::spec::Model;
use super::folder::{Folder, texts};
use crate::arith::design::MatrixDesign;
use crate::design::Design;
use crate::failure::{Failure, Result};
use crate::model::{Array, Graph, Input, Layer, Op, Output, TensorId};

/// The macro under which synthesis tools read another body of a module than simulators do.
pub(super) const SYNTHESIS: &str = "SYNTHESIS";
/// Rounds of some hundred inputs in which a difference is looked for.
const ROUNDS: u64 = 64;

/// What was found of one reading of the Verilog.
#[derive(Debug, Clone, Serialize)]
pub struct Verification {
    /// Who reads it so: simulators, or synthesis tools.
    pub read_by: &'static str,
    /// Whether it computes what the model says, for every input.
    pub verdict: Verdict,
    /// What was proved, by layer.
    pub proved: Vec<ProvedLayer>,
    /// What was not.
    pub not_proved: Vec<String>,
    /// Cycles from input to output; there is a new input in every cycle.
    pub latency: u32,
    /// Inputs that show a difference.
    pub counterexample: Option<Counterexample>,
    /// How long it took.
    pub seconds: f64,
    /// Whether the time for it was over before it was done.
    #[serde(skip)]
    pub is_cut_short: bool,
}

/// Whether a design is its model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// For every input.
    Proved,
    /// Not, as an input shows.
    Refuted,
    /// Neither is known.
    NotProved,
}

/// A layer of which every number was proved.
#[derive(Debug, Clone, Serialize)]
pub struct ProvedLayer {
    /// Its name.
    pub layer: String,
    /// How many numbers.
    pub numbers: usize,
    /// How.
    pub method: &'static str,
}

/// An input for which the Verilog gives something else than the model.
#[derive(Debug, Clone, Serialize)]
pub struct Counterexample {
    /// The output port that is wrong.
    pub port: String,
    /// The element of the port.
    pub element: usize,
    /// The bit of the element.
    pub bit: usize,
    /// What the Verilog gives there.
    pub got: u8,
    /// The first layer that could not be proved, with the element of its result.
    pub layer: Option<String>,
    /// Vectors with the input and what must come out, as `hwgen sim --vectors` takes them.
    pub vectors: BTreeMap<String, Vec<Vec<i64>>>,
}

/// Why a design cannot be proved; none if there is a proof, whether it comes to an end or not.
pub fn unprovable(top: &Module, design: &Design) -> Option<String> {
    let claim = Claim { top, design };
    claim.integers().and_then(|model| model.spec(top)).err()
}

impl Folder {
    /// Proves the Verilog that is in the folder now, as simulators and as synthesis tools read it.
    ///
    /// # Errors
    /// Verilog that hwgen would not write. What cannot be proved is no error here, but said.
    pub fn verify(&self) -> Result<Vec<Verification>> {
        Claim { top: &self.top, design: &self.design }.verify(&self.sources()?, Deadline::NONE)
    }
}

/// What is to be proved: that Verilog with the ports of `top` computes what `design` says.
#[derive(Debug, Clone, Copy)]
struct Claim<'a> {
    top: &'a Module,
    design: &'a Design,
}

impl Claim<'_> {
    /// Proves what stands in these files, as far as it comes until `deadline`; the test bench among them is not read.
    fn verify(self, sources: &[PathBuf], deadline: Deadline) -> Result<Vec<Verification>> {
        let files = texts(&self.top.name, sources)?;
        let both = files.iter().any(|(_, text)| text.contains(SYNTHESIS));
        let readings: &[(&'static str, &[&str])] = match both {
            true => &[("simulators", &[]), ("synthesis tools", &[SYNTHESIS])],
            false => &[("every tool", &[])],
        };
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let reading =
            |(read_by, defines): &(&'static str, &[&str])| self.verify_reading(&files, read_by, defines, deadline);
        readings.par_iter().map(reading).collect()
    }

    fn verify_reading(
        self,
        files: &[(&str, &str)],
        read_by: &'static str,
        defines: &[&str],
        deadline: Deadline,
    ) -> Result<Verification> {
        let started = Instant::now();
        let design = verilog::read(files, defines, &self.top.name).map_err(Failure::Check)?;
        rtl::validate(&design).map_err(Failure::Check)?;
        let latency = self.top.latency();
        let open = |reason: String| Verification {
            read_by,
            verdict: Verdict::NotProved,
            proved: Vec::new(),
            not_proved: vec![reason],
            latency,
            counterexample: None,
            seconds: started.elapsed().as_secs_f64(),
            is_cut_short: deadline.is_over(),
        };
        let taken_apart = || {
            let model = self.integers()?;
            let spec = model.spec(self.top)?;
            deadline.check()?;
            Ok((spec, model, flatten(&design)?))
        };
        let (spec, model, flat) = match taken_apart() {
            Ok(all) => all,
            Err(reason) => return Ok(open(reason)),
        };
        let findings = prove(&flat, &spec, deadline);
        let mut not_proved: Vec<String> = findings
            .unproved
            .iter()
            .map(|unproved| match &unproved.place {
                Some((layer, element)) => format!("element {element} of layer `{layer}`: {}", unproved.reason),
                None => unproved.reason.clone(),
            })
            .collect();
        let first = findings.unproved.iter().find_map(|u| u.place.as_ref());
        let first = first.map(|(layer, element)| format!("element {element} of `{layer}`"));
        // what a design with feedback gives is not a function of its inputs in one cycle
        let found = match not_proved.is_empty() || !flat.states.is_empty() || !flat.mixed.is_empty() {
            true => None,
            false => search(&flat, &spec, ROUNDS, deadline),
        };
        let found = match found {
            Some(found) if !self.shows(&model, &design, &found)? => {
                not_proved.push("a difference was found that evaluation does not show: please report it".into());
                None
            }
            found => found,
        };
        let counterexample = found.map(|found| self.counterexample(&spec, found, first));
        let verdict = match (&counterexample, not_proved.is_empty()) {
            (Some(_), _) => Verdict::Refuted,
            (None, true) => Verdict::Proved,
            (None, false) => Verdict::NotProved,
        };
        let layer = |p: verify::prove::Proved| ProvedLayer { layer: p.layer, numbers: p.numbers, method: p.method };
        Ok(Verification {
            read_by,
            verdict,
            proved: findings.proved.into_iter().map(layer).collect(),
            not_proved,
            latency,
            counterexample,
            seconds: started.elapsed().as_secs_f64(),
            is_cut_short: findings.is_cut_short,
        })
    }

    fn counterexample(
        self,
        spec: &Spec,
        found: verify::search::Counterexample,
        layer: Option<String>,
    ) -> Counterexample {
        let model = self.design.model();
        let (inputs, outputs) = (model.inputs(), model.outputs());
        let key = |columns: &[crate::design::Column], port: &str| {
            columns.iter().find(|c| c.port == port).map_or_else(|| port.to_owned(), |c| c.key.clone())
        };
        let given = spec.inputs.iter().zip(found.inputs).map(|(p, row)| (key(&inputs, &p.name), vec![row]));
        let wanted = spec.outputs.iter().zip(found.expected).map(|(p, row)| (key(&outputs, &p.name), vec![row]));
        Counterexample {
            port: found.port,
            element: found.element,
            bit: found.bit,
            got: u8::from(found.got),
            layer,
            vectors: given.chain(wanted).collect(),
        }
    }

    /// Whether the model's evaluation and that of the Verilog differ where the search says: neither knows of the graphs
    /// that the search runs on.
    fn shows(self, model: &Model<'_>, design: &rtl::Design, found: &verify::search::Counterexample) -> Result<bool> {
        let evaluation = model.graph.evaluate(&model.given(&found.inputs)).map_err(Failure::check)?;
        let results = model.graph.outputs().iter().map(|output| evaluation.tensor(output.tensor));
        if !results.eq(found.expected.iter().map(Vec::as_slice)) {
            return Ok(false);
        }
        let top = design.top();
        let input = |port: &rtl::Port| {
            let values = model.inputs.iter().position(|name| *name == port.name).map(|k| &found.inputs[k]);
            let format = self.top.inputs.iter().find(|p| p.name == port.name);
            values.zip(format).map_or(BigUint::ZERO, |(values, format)| {
                let values: Vec<i128> = values.iter().map(|&v| v.into()).collect();
                pack::pack(format.elements.iter().copied(), &values)
            })
        };
        let inputs: Vec<BigUint> = top.inputs.iter().map(input).collect();
        let mut stepper = Stepper::new(design, &HashMap::default()).map_err(Failure::Check)?;
        for _ in 0..self.top.latency() {
            stepper.step(&inputs, false);
        }
        let outputs = stepper.step(&inputs, false);
        let place = top.outputs.iter().position(|port| port.name == found.port);
        let port = self.top.outputs.iter().find(|port| port.name == found.port);
        let bit = place.zip(port).and_then(|(place, port)| {
            let (low, _) = pack::layout(port.elements.iter().map(|e| e.format)).nth(found.element)?;
            Some(outputs[place].bit(u64::from(low) + found.bit as u64))
        });
        Ok(bit == Some(found.got))
    }

    /// What the design is to compute.
    fn integers(&self) -> std::result::Result<Model<'_>, String> {
        let model = match self.design {
            Design::Encoder(design) => {
                if design.has_registers() {
                    return Err("designs with registers that are written at run time are not proved yet".into());
                }
                let graph = design.network().map_err(|d| d.message)?.graph;
                let outputs = graph.outputs().iter().map(|o| o.name.clone()).collect();
                Model {
                    graph: Cow::Owned(graph),
                    inputs: vec![design.input_port().to_owned()],
                    outputs,
                    rounded: false,
                }
            }
            Design::Network(design) => {
                if design.reuse.is_some() {
                    return Err("folded networks are not proved yet".into());
                }
                let ports = design.ports();
                Model {
                    graph: Cow::Borrowed(&design.network),
                    inputs: ports.inputs,
                    outputs: ports.outputs,
                    rounded: true,
                }
            }
            Design::Matrix(design) => {
                let graph = matrix(design).map_err(|d| d.message)?;
                Model { graph: Cow::Owned(graph), inputs: vec!["x".into()], outputs: vec!["y".into()], rounded: false }
            }
            Design::Interaction(_) => return Err("interaction networks are not proved yet".into()),
        };
        Ok(model)
    }
}

/// A matrix as a network of one layer; each of its inputs has a range of its own.
fn matrix(design: &MatrixDesign) -> std::result::Result<Graph, Diagnostic> {
    let input =
        |(k, range): (usize, &(i64, i64))| Input { name: format!("x{k}"), shape: vec![1], range: *range, encode: None };
    let inputs: Vec<Input> = design.ranges.iter().enumerate().map(input).collect();
    let count = inputs.len();
    let mut graph = Graph::new("matrix", inputs)?;
    let layer = |name: &str, op: Op, inputs: Vec<TensorId>| Layer { name: name.into(), op, inputs, scale: None };
    let x = graph.push(layer("x", Op::Concat { axis: 0 }, (0..count as u32).map(TensorId).collect()))?;
    let columns = design.rows.first().map_or(0, Vec::len);
    let values = (0..columns).flat_map(|j| design.rows.iter().map(move |row| row[j])).collect();
    let weights = Array { shape: vec![columns, count], values };
    let y = graph.push(layer("y", Op::dense(weights, vec![0; columns]), vec![x]))?;
    graph.output(Output { name: "y".into(), tensor: y, decode: None })?;
    Ok(graph)
}

/// What is wrong with Verilog that an input shows to be wrong.
fn refuted(failed: &Verification, shown: &Counterexample) -> Diagnostic {
    let mut message = format!(
        "the Verilog, as {} read it, is not its model: bit {} of element {} of `{}` is {} for an input",
        failed.read_by, shown.bit, shown.element, shown.port, shown.got
    );
    if let Some(layer) = &shown.layer {
        let _ = write!(message, "; the first that could not be proved is {layer}");
    }
    Diagnostic::error("refuted", message)
}

/// The check as a failure, unless everything is proved.
///
/// # Errors
/// A design that is refuted, or not proved.
pub fn require_proof(all: &[Verification]) -> Result<()> {
    let Some(failed) =
        all.iter().find(|v| v.verdict == Verdict::Refuted).or(all.iter().find(|v| v.verdict != Verdict::Proved))
    else {
        return Ok(());
    };
    if let Some(shown) = &failed.counterexample {
        return Err(Failure::check(refuted(failed, shown)));
    }
    let message = format!("it is not known whether the Verilog, as {} read it, is its model", failed.read_by);
    let error = failed
        .not_proved
        .iter()
        .take(super::batch::SHOWN)
        .fold(Diagnostic::error("not-proved", message), |d, reason| d.label(None, format!("not proved: {reason}")));
    Err(Failure::Check(Diagnostics::from(error.help("`hwgen sim --engine icarus` runs its vectors"))))
}
