//! From floating-point operations to integer layers.
//!
//! A framework computes in 32-bit floats; hardware computes in integers. Every float tensor is therefore kept as an
//! integer tensor, the value of one step, and the chain of element-wise float operations that has been applied since
//! ([`Real`]). Linear layers work on the integers. A chain is not computed in hardware: where a quantiser ends it, the
//! whole chain is one step function of the integer ([`quantise`]), and at an output it stays as the decoding.
//!
//! Where the framework's float sums are not exact, the position of a step can depend on their order. Such places are
//! counted and reported as [`Doubt`]s.

mod array;
mod constant;
mod formats;
mod linear;
mod movement;
mod noise;
mod pair;
mod quantise;
mod scaled_sum;
mod settle;
mod tabulate;
mod transposed;

use std::collections::HashMap;
use std::str::FromStr as _;

use hdl::diag::Diagnostic;
use hdl::names::quoted;
use hdl::num::{Format, Interval};

pub(crate) use array::last_place;
pub use constant::{Constant, Grid};
pub use linear::Shaped;
pub use noise::Noise;
pub use quantise::Meaning;
pub(crate) use scaled_sum::ScaledSum;
pub(crate) use tabulate::{About, Functions};

use crate::model::{Array, Decode, Encode, Graph, Input, Layer, Op, Output, Step, TensorId};

/// Relative distance of neighbouring 32-bit floats, halved: the error of one rounding.
const HALF_ULP: f64 = 1.0 / 16_777_216.0;

/// Seed of the random moves of doubtful sums.
const SEED: u64 = 1;

/// A float tensor: `softmax(steps(unit · n))` for the integers `n` of `tensor`.
#[derive(Debug, Clone)]
pub struct Real {
    /// The integers.
    pub tensor: TensorId,
    /// Value of one step, positive; stretches to the tensor's shape.
    pub unit: Array<f64>,
    /// Applied in order in 32-bit floats.
    pub steps: Vec<Step>,
    /// The axis of a softmax behind the steps, if there is one.
    pub softmax: Option<usize>,
    /// How far the framework's float may lie from `unit · n`.
    pub noise: Noise,
    /// The input whose format is not known yet, if these are its elements.
    pub raw: Option<usize>,
}

impl Real {
    /// Integers times `unit`.
    fn plain(tensor: TensorId, unit: Array<f64>, noise: Noise) -> Self {
        Self { tensor, unit, steps: Vec::new(), softmax: None, noise, raw: None }
    }
}

/// A tensor whose steps may lie one integer off, because the framework's own float sums are not exact there.
#[derive(Debug, Clone, PartialEq)]
pub struct Doubt {
    /// The layer.
    pub layer: String,
    /// Steps whose position depends on the order of float additions.
    pub steps: usize,
    /// Steps altogether.
    pub of: usize,
    /// By how many integers the framework's sum may be off, for each element; stretches.
    pub offsets: Array<i64>,
}

/// A network that was read.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The integers.
    pub graph: Graph,
    /// Where the framework itself is not exact.
    pub doubts: Vec<Doubt>,
    /// For each output how far the framework's floats may lie from the decoded integers.
    pub noise: Vec<Noise>,
    /// Adders that the file itself has, if it is a list of such.
    pub traced_adders: Option<u64>,
}

impl Imported {
    /// A network whose file says integers.
    pub(crate) fn exact(graph: Graph) -> Self {
        Self { noise: vec![Noise::NONE; graph.outputs().len()], doubts: Vec::new(), traced_adders: None, graph }
    }

    /// An error unless every quantised tensor is the framework's on every input, whatever the order of its float sums.
    pub fn require_exact(&self) -> Result<(), Diagnostic> {
        let Some(first) = self.doubts.first() else {
            return Ok(());
        };
        let steps: usize = self.doubts.iter().map(|d| d.steps).sum();
        let message =
            format!("the framework's own float sums are not exact: {steps} quantiser steps may lie one integer off");
        let part = format!("{} of {} steps", first.steps, first.of);
        Err(Diagnostic::error("float-order", message)
            .at(format!("layer {}", quoted(&first.layer)), part)
            .help("train with scales that are powers of two, or accept steps at the exact sums"))
    }
}

impl Imported {
    fn offsets(&self) -> Vec<(&str, &Array<i64>)> {
        self.doubts.iter().map(|d| (d.layer.as_str(), &d.offsets)).collect()
    }

    /// For each output the greatest distance that was seen over `events` with all doubtful sums moved at random.
    ///
    /// # Errors
    /// Events that do not fit the inputs.
    pub fn seen(&self, events: &[Vec<Vec<i64>>]) -> Result<Vec<f64>, Diagnostic> {
        self.graph.seen_deviation(&self.offsets(), events, SEED)
    }

    /// For each output the greatest distance of the framework's number from what hardware gives, over all inputs and all
    /// orders of the framework's additions; none where a function at the end has no greatest steepness.
    pub fn bounds(&self) -> Vec<Option<f64>> {
        let deviation = self.graph.deviation(&self.offsets());
        let outputs = deviation.iter().zip(&self.noise).enumerate();
        outputs.map(|(k, (bounds, noise))| self.graph.decoded_deviation(k, bounds, noise.worst)).collect()
    }
}

/// The format that the user gives to an input: integers in `range` times `2^-frac`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFormat {
    /// Name of the input; `None` is every input.
    pub name: Option<String>,
    /// Its numbers.
    pub format: Format,
}

impl InputFormat {
    /// Reads `[name=]u8.4` or `[name=]s8.4`: sign, bits, fraction bits.
    ///
    /// # Errors
    /// Any other text, no bits or more than 32, more than 64 fraction bits.
    pub fn parse(text: &str) -> Result<Self, Diagnostic> {
        let (name, written) = match text.rsplit_once('=') {
            Some((name, format)) => (Some(name.to_owned()), format),
            None => (None, text),
        };
        let format = Format::from_str(written).ok();
        format
            .filter(|format| (1..=32).contains(&format.range.width()) && format.frac.abs() <= 64)
            .map(|format| Self { name, format })
            .ok_or_else(|| {
                Diagnostic::error("input-format", format!("{} is no number format", quoted(text)))
                    .help("write the sign, the bits and the fraction bits, such as u8.0, s12.4 or name=s12.4")
            })
    }
}

/// A network under construction.
#[derive(Debug)]
pub struct Lift {
    graph: Graph,
    doubts: Vec<Doubt>,
    noise: Vec<Noise>,
    /// For each input how it was first quantised.
    encodings: Vec<Option<(Encode, Real)>>,
    /// The ports' names, and the last number that was put behind each.
    ports: HashMap<String, usize>,
}

impl Lift {
    /// Starts with named inputs of given shapes. Inputs without a format get one from their first quantiser.
    ///
    /// # Errors
    /// A shape with too many elements, a format for an input that is not there.
    pub fn new(
        name: &str,
        inputs: Vec<(String, Vec<usize>)>,
        formats: &[InputFormat],
    ) -> Result<(Self, Vec<Real>), Diagnostic> {
        if let Some(unknown) =
            formats.iter().filter_map(|f| f.name.as_ref()).find(|name| inputs.iter().all(|(input, _)| input != *name))
        {
            let names: Vec<&str> = inputs.iter().map(|(name, _)| &**name).collect();
            return Err(Diagnostic::error("input-format", format!("there is no input {}", quoted(unknown)))
                .help(format!("the inputs are {}", names.join(", "))));
        }
        let mut reals = Vec::new();
        let mut declared = Vec::new();
        for (k, (name, shape)) in inputs.into_iter().enumerate() {
            let given = |f: &&InputFormat| f.name.as_ref() == Some(&name);
            let format = formats.iter().find(given).or(formats.iter().find(|f| f.name.is_none()));
            let (range, encode) = match format {
                Some(f) => (f.format.range, Some(fixed_point(f.format))),
                None => (Interval::BIT, None),
            };
            reals.push(Real {
                tensor: TensorId(k as u32),
                unit: Array::scalar(format.map_or(1.0, |f| 2f64.powi(-f.format.frac))),
                steps: Vec::new(),
                softmax: None,
                noise: Noise::NONE,
                raw: format.is_none().then_some(k),
            });
            declared.push(Input { name, shape, range: (range.lo() as i64, range.hi() as i64), encode });
        }
        let encodings = vec![None; declared.len()];
        let graph = Graph::new(name, declared)?;
        let ports = graph.inputs().iter().map(|input| (input.name.clone(), 0)).collect();
        Ok((Self { graph, doubts: Vec::new(), noise: Vec::new(), encodings, ports }, reals))
    }

    /// Shape of a tensor.
    pub fn shape(&self, real: &Real) -> &[usize] {
        &self.graph.info(real.tensor).shape
    }

    fn range(&self, tensor: TensorId) -> Interval {
        self.graph.info(tensor).range
    }

    fn push(&mut self, name: &str, op: Op, inputs: Vec<TensorId>, unit: &Array<f64>) -> Result<TensorId, Diagnostic> {
        self.graph.push(Layer { name: name.to_owned(), op, inputs, scale: unit.as_scalar().copied() })
    }

    /// Appends an element-wise step. Its parameter must stretch to the tensor's shape.
    ///
    /// # Errors
    /// A parameter that does not stretch or is not finite, or a division by zero.
    pub fn step(&self, name: &str, mut real: Real, step: Step) -> Result<Real, Diagnostic> {
        self.no_softmax(name, &real)?;
        for p in step.parameters() {
            let shape = self.shape(&real);
            if array::rank_aligned(p, shape).is_none() {
                return Err(at(name, format!("its constant of shape {:?} does not stretch to {shape:?}", p.shape)));
            }
            if p.values.iter().any(|v| !v.is_finite()) {
                return Err(at(name, "its constant is not finite"));
            }
            if matches!(step, Step::Div(_)) && p.values.contains(&0.0) {
                return Err(at(name, "it divides by zero"));
            }
        }
        real.steps.push(step);
        Ok(real)
    }

    /// Names an output, with a number behind where an input or another output has that name.
    ///
    /// # Errors
    /// An input that no quantiser gave a format.
    pub fn output(&mut self, base: &str, real: &Real) -> Result<(), Diagnostic> {
        self.known(base, real)?;
        let mut name = base.to_owned();
        while self.ports.contains_key(&name) {
            let number = self.ports.entry(base.to_owned()).or_default();
            *number += 1;
            name = format!("{base}_{number}");
        }
        self.ports.insert(name.clone(), 0);
        let decode = Decode { unit: real.unit.clone(), steps: real.steps.clone(), softmax: real.softmax };
        self.noise.push(real.noise);
        let plain = decode.steps.is_empty() && decode.softmax.is_none() && decode.unit == Array::scalar(1.0);
        self.graph.output(Output { name, tensor: real.tensor, decode: (!plain).then_some(decode) })
    }

    /// The finished network, without layers that no output needs.
    ///
    /// # Errors
    /// No outputs, or two ports of one name.
    pub fn finish(self) -> Result<Imported, Diagnostic> {
        self.graph.check()?;
        Ok(Imported { graph: self.graph.fused()?, doubts: self.doubts, noise: self.noise, traced_adders: None })
    }

    fn known(&self, name: &str, real: &Real) -> Result<(), Diagnostic> {
        match real.raw {
            Some(k) => {
                let input = &self.graph.inputs()[k].name;
                Err(at(name, format!("it computes with input {}, which is not quantised", quoted(input)))
                    .help(format!("give the input's format, such as --input-format {input}=s8.4, or quantise it first in the model")))
            }
            None => Ok(()),
        }
    }

    fn no_softmax(&self, name: &str, real: &Real) -> Result<(), Diagnostic> {
        match real.softmax {
            Some(_) => Err(at(name, "nothing but an ArgMax or the end of the network may follow a softmax")
                .help("end the network with the softmax, or in front of it")),
            None => Ok(()),
        }
    }

    /// The greatest magnitude of `unit · n`.
    pub fn magnitude(&self, real: &Real) -> f64 {
        let range = self.range(real.tensor);
        let unit = real.unit.values.iter().copied().fold(0.0, f64::max);
        unit * range.hi().unsigned_abs().max(range.lo().unsigned_abs()) as f64
    }
}

/// How a real number becomes an integer of a format that the user gave.
fn fixed_point(format: Format) -> Encode {
    let number = |v: f64| Array::scalar(v as f32);
    Encode {
        steps: Vec::new(),
        quantiser: crate::model::Quantiser::Integer {
            scale: number(2f64.powi(-format.frac)),
            zero: number(0.0),
            low: number(format.range.lo() as f64),
            high: number(format.range.hi() as f64),
            rounding: hdl::num::Rounding::HalfEven,
        },
    }
}

/// An error at a layer of the imported network.
pub(crate) fn at(name: &str, message: impl Into<String>) -> Diagnostic {
    Diagnostic::error("import", format!("{}: {}", quoted(name), message.into()))
}
