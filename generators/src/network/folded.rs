//! Folded networks: each matrix has one multiplier for several weights, which are read from tables beat by beat.
//!
//! A matrix of `I` inputs at reuse factor `N` takes in `l = ⌈I / N⌉` inputs a beat, `⌈I / l⌉` beats in all, for all
//! outputs at once: `l` multipliers and one accumulator an output. What lies between two matrices is unrolled. Each
//! matrix works on another event, so that a new one may begin every [`Schedule::interval`] cycles.
//!
//! | cycle after its start | a matrix of `b` beats |
//! |---|---|
//! | 0 | takes its inputs into a buffer |
//! | 1 … b | beat: buffer moves up, weights are read |
//! | 2 … b + 1 | products and their sum |
//! | 3 … b + 2 | accumulation |
//! | b + 3 | sums are there, for this one cycle; the next matrix starts |

use std::sync::Arc;

use hdl::dfg::{Module, ModuleBuilder, RegisterStyle, Reset, Value};
use hdl::diag::{Diagnostic, Diagnostics};
use hdl::names::quoted;
use hdl::num::{Format, Interval};

use super::linear::Products;
use super::ports::{Ports, START, VALID};
use super::{check_size, fraction_bits, identifier, input_format, layer_values};
use crate::arith::{Effort, Objective};
use crate::model::{Array, Graph, Layer, Op};

/// Largest reuse factor.
pub const MAX_REUSE: u32 = 1 << 16;
/// Most multipliers.
const MAX_MULTIPLIERS: usize = 1 << 16;
/// Cycles from the last beat to the start of the next matrix.
const TAIL: u32 = 3;

/// When a folded network takes events in and gives results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Cycles from one event to the next.
    pub interval: u32,
    /// Cycles from an event to its result.
    pub latency: u32,
    /// Multipliers.
    pub multipliers: usize,
    /// Beats of each matrix.
    beats: Vec<u32>,
}

fn refused(layer: &Layer, why: &str) -> Diagnostic {
    let message = format!("layer {} ({}): {why}", quoted(&layer.name), layer.op.name());
    Diagnostic::error("folding", message).help("leave --reuse away to unroll the network")
}

impl Schedule {
    /// The schedule of `graph` at this reuse factor.
    ///
    /// # Errors
    /// A network that is no chain of matrices on single vectors, or needs too many multipliers.
    pub fn of(graph: &Graph, reuse: u32) -> Result<Self, Diagnostic> {
        let mut beats = Vec::new();
        let mut multipliers = 0;
        // how many matrices lie in front of a tensor; none is known for constants
        let mut behind: Vec<Option<usize>> = vec![Some(0); graph.inputs().len()];
        for layer in graph.layers() {
            let mut operands = layer.inputs.iter().filter_map(|t| behind[t.index()]);
            let first = operands.next();
            if operands.any(|o| Some(o) != first) {
                return Err(refused(layer, "a branch around a matrix cannot be folded"));
            }
            let mut passed = first;
            match &layer.op {
                Op::Dense { weights, .. } => {
                    let inputs = weights.shape[1];
                    let elements: usize = graph.info(layer.inputs[0]).shape.iter().product();
                    if elements != inputs {
                        return Err(refused(
                            layer,
                            "a matrix over several vectors cannot be folded",
                        ));
                    }
                    if first != Some(beats.len()) {
                        return Err(refused(
                            layer,
                            "two matrices on one vector cannot be folded",
                        ));
                    }
                    let lanes = inputs.div_ceil(reuse as usize);
                    multipliers += lanes * weights.shape[0];
                    beats.push(inputs.div_ceil(lanes) as u32);
                    passed = Some(beats.len());
                }
                Op::Convolution { .. } | Op::MatMul => {
                    return Err(refused(layer, "only dense layers can be folded"));
                }
                _ => {}
            }
            behind.push(passed);
        }
        let late =
            |output: &&crate::model::Output| behind[output.tensor.index()] != Some(beats.len());
        if let Some(output) = graph.outputs().iter().find(late) {
            let name = quoted(&output.name);
            let message = format!("output {name} does not lie behind the last matrix");
            return Err(Diagnostic::error("folding", message)
                .help("leave --reuse away to unroll the network"));
        }
        if beats.is_empty() || multipliers > MAX_MULTIPLIERS {
            let message = match beats.is_empty() {
                true => "there is no dense layer to fold".to_owned(),
                false => format!("{multipliers} multipliers are more than {MAX_MULTIPLIERS}"),
            };
            return Err(Diagnostic::error("folding", message).help("choose another --reuse"));
        }
        Ok(Self {
            interval: beats.iter().copied().max().unwrap_or(1),
            latency: beats.iter().map(|b| b + TAIL).sum::<u32>() + 1,
            multipliers,
            beats,
        })
    }
}

/// The folded network: `start` is 1 in cycles in which an event is there, at least [`Schedule::interval`] apart; in the
/// cycle in which its result appears `valid` is 1, and the result stays until the next one.
///
/// # Errors
/// As [`build`](super::build).
pub fn build(graph: &Graph, name: &str, schedule: &Schedule) -> Result<Arc<Module>, Diagnostics> {
    graph.check()?;
    check_size(graph)?;
    let m = ModuleBuilder::new(name);
    let products = Products::new(&m, Some(Effort::Fast), Objective::default());
    let ports = Ports::of(graph, name);
    let mut start = m.input(START, Format::BIT);
    let mut tensors: Vec<Vec<Value<'_>>> = Vec::new();
    for (input, port) in graph.inputs().iter().zip(&ports.inputs) {
        let count = input.shape.iter().product();
        tensors.push(m.input_array(port, count, input_format(input)));
    }
    let mut beats = schedule.beats.iter();
    for (k, layer) in graph.layers().iter().enumerate() {
        let values = match (&layer.op, beats.len()) {
            (Op::Dense { weights, bias }, 1..) => {
                let folded = Folded {
                    m: &m,
                    name: format!("matrix{}", schedule.beats.len() - beats.len()),
                    weights,
                    bias,
                    beats: *beats.next().expect("as many as matrices"),
                };
                let x = &tensors[layer.inputs[0].index()];
                let (sums, done) = m.scope(&identifier(&layer.name), || folded.build(x, start))?;
                start = done;
                sums
            }
            _ => layer_values(&m, &products, graph, k, &tensors)?,
        };
        tensors.push(values);
    }
    for (output, port) in graph.outputs().iter().zip(&ports.outputs) {
        let frac = output.decode.as_ref().map_or(0, fraction_bits);
        let held: Vec<Value<'_>> = tensors[output.tensor.index()]
            .iter()
            .enumerate()
            .map(|(i, v)| {
                let format = Format::integer(v.range().union(Interval::BIT));
                let held = m.state(&format!("{port}_{i}"), format, reset());
                held.set_next_when(start, *v);
                held.value().with_frac(frac)
            })
            .collect();
        m.output_array(port, &held);
    }
    m.output(VALID, register(&m, "done", start));
    m.finish()
}

/// Starts at 0.
fn reset() -> RegisterStyle {
    RegisterStyle {
        reset: Reset::Synchronous,
        ..RegisterStyle::default()
    }
}

/// `value` one cycle later; 0 after a reset.
fn register<'m>(m: &'m ModuleBuilder, name: &str, value: Value<'m>) -> Value<'m> {
    let state = m.state(name, Format::BIT, reset());
    state.set_next(value);
    state.value()
}

/// `value` one cycle later, unknown at first.
fn moved<'m>(m: &'m ModuleBuilder, name: &str, value: Value<'m>) -> Value<'m> {
    let range = value.range().union(Interval::BIT);
    let state = m.state(name, Format::integer(range), RegisterStyle::default());
    state.set_next(value);
    state.value()
}

/// One matrix under construction.
struct Folded<'a, 'm> {
    m: &'m ModuleBuilder,
    name: String,
    weights: &'a Array<i64>,
    bias: &'a [i64],
    beats: u32,
}

/// The control signals of a matrix.
struct Control<'m> {
    /// Number of the beat.
    beat: Value<'m>,
    /// The accumulators begin anew in this cycle.
    first: Value<'m>,
    /// They add in this cycle.
    adding: Value<'m>,
    /// The sums are there.
    done: Value<'m>,
}

impl<'m> Folded<'_, 'm> {
    /// The sums for `x`, which is there while `start` is 1, and when they are there.
    fn build(
        &self,
        x: &[Value<'m>],
        start: Value<'m>,
    ) -> Result<(Vec<Value<'m>>, Value<'m>), Diagnostic> {
        let control = self.control(start)?;
        let lanes = self.lanes();
        let heads = self.buffer(x, start);
        let heads: Vec<Value<'m>> = heads[..lanes]
            .iter()
            .enumerate()
            .map(|(j, head)| moved(self.m, &self.named(&format!("operand{j}")), *head))
            .collect();
        let sums = (0..self.bias.len())
            .map(|o| self.accumulated(o, x, &heads, &control))
            .collect::<Result<_, _>>()?;
        Ok((sums, control.done))
    }

    fn named(&self, what: &str) -> String {
        format!("{}_{what}", self.name)
    }

    fn inputs(&self) -> usize {
        self.weights.shape[1]
    }

    /// Inputs that are taken in each beat.
    fn lanes(&self) -> usize {
        self.inputs().div_ceil(self.beats as usize)
    }

    /// Bits of the number of a beat.
    fn beat_bits(&self) -> u32 {
        (u32::BITS - (self.beats - 1).leading_zeros()).max(1)
    }

    fn control(&self, start: Value<'m>) -> Result<Control<'m>, Diagnostic> {
        let m = self.m;
        let (zero, one) = (m.constant(0, 0), m.constant(1, 0));
        let bits = self.beat_bits();
        let format = Format::unsigned(bits, 0).map_err(|e| too_wide(&self.name, &e))?;
        let beat = m.state(&self.named("beat"), format, reset());
        let running = m.state(&self.named("running"), Format::BIT, reset());
        let at_end = beat
            .value()
            .equals(m.constant(i128::from(self.beats) - 1, 0));
        let ending = running.value() & at_end;
        let goes_on = at_end.mux(zero, running.value());
        let next = (beat.value() + one).wrap(bits, false);
        let next = start.mux(zero, goes_on.mux(next, zero));
        beat.set_next(next.wrap(bits, false));
        running.set_next((start | goes_on).wrap(1, false));
        let later = |what: &str, value: Value<'m>, cycles: u32| {
            (0..cycles).fold(value.wrap(1, false), |value, k| {
                register(m, &self.named(&format!("{what}{k}")), value)
            })
        };
        let first = running.value() & beat.value().equals(zero);
        Ok(Control {
            beat: beat.value(),
            first: later("first", first, 2),
            adding: later("adding", running.value(), 2),
            done: later("done", ending, TAIL),
        })
    }

    /// A buffer that takes `x` at `start` and moves up by as many elements as a beat takes in.
    fn buffer(&self, x: &[Value<'m>], start: Value<'m>) -> Vec<Value<'m>> {
        let m = self.m;
        let range = x
            .iter()
            .fold(Interval::BIT, |range, v| range.union(v.range()));
        let state = |i: usize| {
            let name = self.named(&format!("buffer{i}"));
            m.state(&name, Format::integer(range), RegisterStyle::default())
        };
        let elements: Vec<_> = (0..x.len()).map(state).collect();
        for (i, element) in elements.iter().enumerate() {
            let behind = elements.get(i + self.lanes());
            let behind = behind.map_or_else(|| m.constant(0, 0), |e| e.value());
            element.set_next(start.mux(x[i].with_frac(0), behind));
        }
        elements.iter().map(|e| e.value()).collect()
    }

    /// Output `o`.
    fn accumulated(
        &self,
        o: usize,
        x: &[Value<'m>],
        heads: &[Value<'m>],
        control: &Control<'m>,
    ) -> Result<Value<'m>, Diagnostic> {
        let m = self.m;
        let row = &self.weights.values[o * self.inputs()..(o + 1) * self.inputs()];
        let bias = m.constant(self.bias[o].into(), 0);
        let products: Vec<Value<'m>> = heads
            .iter()
            .enumerate()
            .filter_map(|(j, head)| {
                let column: Vec<i128> = row
                    .iter()
                    .skip(j)
                    .step_by(heads.len())
                    .map(|w| i128::from(*w))
                    .collect();
                if column.iter().all(|w| *w == 0) {
                    return None;
                }
                let mut table = column;
                table.resize(1 << self.beat_bits(), 0);
                let weight = control.beat.lookup(&table, 0);
                Some(*head * moved(m, &self.named(&format!("weight{o}_{j}")), weight))
            })
            .collect();
        let Some(sum) = Value::sum(&products) else {
            return Ok(bias);
        };
        let addend = moved(m, &self.named(&format!("products{o}")), sum);
        let range = self
            .reach(o, row, x)
            .map_err(|e| too_wide(&self.name, &e))?;
        let (width, signed) = (range.width().max(1), range.signed());
        let format = Interval::of_width(width, signed).map_err(|e| too_wide(&self.name, &e))?;
        let name = self.named(&format!("sum{o}"));
        let state = m.state(&name, Format::integer(format), RegisterStyle::default());
        let next = control.first.mux(bias, state.value()) + addend;
        state.set_next_when(control.adding, next.wrap(width, signed));
        Ok(state.value())
    }

    /// Which integers the sum of output `o` can be after any beat.
    fn reach(
        &self,
        o: usize,
        row: &[i64],
        x: &[Value<'m>],
    ) -> Result<Interval, hdl::num::OutOfRange> {
        let mut sum = Interval::point(self.bias[o].into())?;
        let mut reach = sum;
        for (weights, x) in row.chunks(self.lanes()).zip(x.chunks(self.lanes())) {
            for (weight, x) in weights.iter().zip(x) {
                sum = sum.add(x.range().mul(Interval::point((*weight).into())?)?)?;
            }
            reach = reach.union(sum);
        }
        Ok(reach)
    }
}

fn too_wide(name: &str, error: &hdl::num::OutOfRange) -> Diagnostic {
    Diagnostic::error("folding", format!("{name}: {error}"))
}

#[cfg(test)]
mod tests {
    use hdl::dfg::eval::Stepper;

    use super::*;
    use crate::network::dense::{DenseLayer, DenseNetwork, Requantiser};
    use crate::network::design::NetworkDesign;
    use sim::stream::stream;
    use sim::vectors::Held;

    fn network(sizes: &[usize]) -> Graph {
        let mut random = fastrand::Rng::with_seed(3);
        let layers = sizes
            .windows(2)
            .map(|p| DenseLayer::random(&mut random, (p[0], p[1]), 5, 4, 0.3))
            .collect();
        let network = DenseNetwork {
            input: (-8, 7),
            layers,
            shifts: Vec::new(),
            activation_bits: 4,
            requantiser: Requantiser::RoundSaturate,
        };
        network.calibrated(1).unwrap().graph("folded").unwrap()
    }

    /// Every reuse factor from unrolled to one input a beat, events as close as they may come.
    #[test]
    fn folded_is_unrolled() {
        for reuse in [1, 2, 3, 5, 7, 11] {
            let network = network(&[7, 9, 4]);
            let schedule = Schedule::of(&network, reuse).unwrap();
            assert!(schedule.interval <= reuse.min(9));
            let design = NetworkDesign {
                top: "folded".into(),
                reuse: Some(reuse),
                network,
            };
            let module = build(&design.network, "folded", &schedule).unwrap();
            let vectors = design.vectors(&design.random_events(40, 1)).unwrap();
            let mut stepper = Stepper::new(&module).unwrap();
            let wrong = stream(&module, &mut stepper, &vectors, &Held::new(), |_| {}).unwrap();
            assert_eq!(wrong, [], "reuse {reuse}");
        }
    }

    #[test]
    fn what_is_no_chain_of_matrices_is_refused() {
        let mut network = network(&[3, 4, 3]);
        assert!(Schedule::of(&network, 2).is_ok());
        let last = network.result(network.layers().len() - 1);
        let around = Layer {
            name: "around".into(),
            op: Op::Add,
            inputs: vec![last, crate::model::T(0)],
            scale: None,
        };
        network.push(around).unwrap();
        let refused = Schedule::of(&network, 2).unwrap_err();
        assert!(refused.message.contains("branch"), "{refused}");
    }
}
