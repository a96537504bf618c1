//! One folded matrix: which products it computes in which beat, and the hardware for it.

use hdl::dfg::{ModuleBuilder, RegisterStyle, Value};
use hdl::diag::{Diagnostic, Diagnostics};
use hdl::names::quoted;
use hdl::num::{Format, Interval, OutOfRange};

use super::control::{Beat, Control};
use crate::model::{Layer, Op, Tap};
use crate::network::registers::{later, moved, plain};
use crate::network::stages::Construction;

/// A dense or convolution layer as sums of products at several positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Matrix {
    /// For each position and group of filters the operand's elements; none is padding, which is 0.
    sources: Vec<Vec<Vec<Option<u32>>>>,
    /// For each filter its weights, as many as a position has elements.
    rows: Vec<Vec<i64>>,
    /// Position and filter of each element of the result.
    results: Vec<(usize, usize)>,
    /// Units that work at the same time, each on positions of its own.
    units: usize,
    /// Elements that are taken in each beat.
    lanes: usize,
}

impl Matrix {
    /// The matrix of `layer`, whose operand has this shape.
    ///
    /// # Errors
    /// A layer that adds less than whole products of fixed weights.
    pub fn of(layer: &Layer, shape: &[usize], reuse: u32) -> Result<Self, Diagnostic> {
        if !layer.op.multiplication().unwrap_or_default().is_plain() {
            let message = format!("layer {} cuts its products or has its weights in registers", quoted(&layer.name));
            return Err(Diagnostic::error("folding", message).help("unroll the network: leave out --reuse"));
        }
        let (sources, results) = match &layer.op {
            Op::Convolution { weights, window, groups, .. } => {
                let wrong = |why: String| {
                    let message = format!("layer {}: {why}", quoted(&layer.name));
                    Diagnostic::bug("folding", message)
                };
                let positions = window.positions(&shape[2..]).map_err(wrong)?;
                let sources = images(shape)
                    .flat_map(|image| {
                        let seen = |taps: &Vec<Tap>| windows(taps, image, shape, &weights.shape, *groups);
                        positions.iter().map(seen).collect::<Vec<_>>()
                    })
                    .collect();
                // filters stand in front of positions in the result
                let (filters, count) = (weights.shape[0], positions.len());
                let place = move |n: usize, f: usize| (0..count).map(move |p| (n * count + p, f));
                let images = 0..shape[0];
                let results = images.flat_map(|n| (0..filters).flat_map(move |f| place(n, f))).collect();
                (sources, results)
            }
            Op::Dense { weights, .. } => {
                let (outputs, inputs) = (weights.shape[0], weights.shape[1]);
                let vectors = shape.iter().product::<usize>() / inputs;
                let vector = |v: usize| {
                    let elements = v * inputs..(v + 1) * inputs;
                    vec![elements.map(|i| Some(i as u32)).collect()]
                };
                let outputs = 0..outputs;
                let of_vector = |v: usize| outputs.clone().map(move |o| (v, o));
                let results = (0..vectors).flat_map(of_vector).collect();
                ((0..vectors).map(vector).collect(), results)
            }
            _ => {
                let message = format!("layer {} is no matrix", quoted(&layer.name));
                return Err(Diagnostic::bug("folding", message));
            }
        };
        let (Op::Convolution { weights, .. } | Op::Dense { weights, .. }) = &layer.op else {
            unreachable!("told apart above")
        };
        let terms = weights.shape[1..].iter().product::<usize>().max(1);
        let rows = weights.values.chunks(terms).map(<[i64]>::to_vec).collect();
        Ok(Self::folded(sources, rows, results, reuse as usize))
    }

    fn folded(
        sources: Vec<Vec<Vec<Option<u32>>>>,
        rows: Vec<Vec<i64>>,
        results: Vec<(usize, usize)>,
        reuse: usize,
    ) -> Self {
        let (positions, terms) = (sources.len().max(1), rows.first().map_or(1, Vec::len));
        let (units, parts) = match reuse / positions {
            0 => (positions.div_ceil(reuse), 1),
            parts => (1, parts.min(terms)),
        };
        Self { sources, rows, results, units, lanes: terms.div_ceil(parts) }
    }

    fn terms(&self) -> usize {
        self.rows.first().map_or(1, Vec::len)
    }

    /// Beats that a position takes.
    pub fn parts(&self) -> u32 {
        self.terms().div_ceil(self.lanes) as u32
    }

    /// Positions that a unit works through.
    pub fn positions_of_unit(&self) -> u32 {
        self.sources.len().div_ceil(self.units).max(1) as u32
    }

    /// Beats altogether.
    pub fn beats(&self) -> u32 {
        self.parts() * self.positions_of_unit()
    }

    /// Elements that operands are chosen from.
    pub fn choices(&self) -> u64 {
        self.sources.iter().flatten().map(|elements| elements.len() as u64).sum()
    }

    /// Multipliers.
    pub fn multipliers(&self) -> usize {
        self.units * self.lanes * self.rows.len()
    }

    /// The signals of its beats when products are added up, so many cycles later: only those that it needs.
    fn adding<'m>(&self, m: &'m ModuleBuilder, name: &str, beat: &Beat<'m>, cycles: u32) -> Adding<'m> {
        let then = |what: &str, value: Value<'m>| later(m, &format!("{name}_{what}"), value, cycles);
        let several = self.positions_of_unit() > 1;
        let accumulates = !several || self.parts() > 1;
        let place = |value, k: u32| moved(m, &format!("{name}_place{k}"), value);
        Adding {
            sum: accumulates.then(|| {
                let (adding, first) = ("adding", "first");
                (then(adding, beat.running), then(first, beat.first))
            }),
            place: several.then(|| {
                let position = (0..cycles).fold(beat.position, place);
                (then("last", beat.last), position)
            }),
        }
    }

    /// The sums for `x`, which is there while the step starts.
    pub fn build<'m>(
        &self,
        m: &'m ModuleBuilder,
        step: usize,
        layer: &Layer,
        x: &[Value<'m>],
        control: &Control<'m>,
        construction: Construction<'_>,
    ) -> Result<Vec<Value<'m>>, Diagnostics> {
        let (Op::Dense { bias, .. } | Op::Convolution { bias, .. }) = &layer.op else {
            unreachable!("made of such a layer")
        };
        let beat = control.beat.as_ref().expect("a matrix has beats");
        let buffer = x.iter().enumerate().map(|(i, v)| {
            let state = plain(m, &format!("matrix{step}_buffer{i}"), *v);
            state.set_next_when(control.start, v.with_frac(0));
            state.value()
        });
        let buffer: Vec<Value<'m>> = buffer.collect();
        let name = format!("matrix{step}");
        let hardware = Hardware {
            m,
            matrix: self,
            // operands and weights take a cycle
            adding: self.adding(m, &name, beat, 1 + control.stages),
            construction,
            step: (step, control.stages),
            name,
            beat,
            buffer: &buffer,
            bias,
        };
        let wide = |e: OutOfRange| {
            let message = format!("layer {}: {e}", quoted(&layer.name));
            Diagnostics::from(Diagnostic::error("folding", message))
        };
        let units = (0..self.units).map(|unit| hardware.unit(unit, &wide));
        let sums = units.collect::<Result<Vec<_>, Diagnostics>>()?;
        let each = self.positions_of_unit() as usize;
        let place = |&(p, f): &(usize, usize)| sums[p / each][f][p % each];
        Ok(self.results.iter().map(place).collect())
    }
}

/// First element of each image of a batch.
fn images(shape: &[usize]) -> impl Iterator<Item = u32> + use<> {
    let size: usize = shape[1..].iter().product();
    (0..shape[0]).map(move |n| (n * size) as u32)
}

/// For each group the elements under a window at one position, in the order of the weights.
fn windows(taps: &[Tap], image: u32, shape: &[usize], weights: &[usize], groups: usize) -> Vec<Vec<Option<u32>>> {
    let pixels = shape[2..].iter().product::<usize>() as u32;
    let kernel: usize = weights[2..].iter().product();
    let channels = weights[1];
    (0..groups)
        .map(|group| {
            let mut seen = vec![None; channels * kernel];
            for c in 0..channels {
                let plane = image + (group * channels + c) as u32 * pixels;
                for &(tap, pixel) in taps {
                    seen[c * kernel + tap as usize] = Some(plane + pixel);
                }
            }
            seen
        })
        .collect()
}

/// The signals of the cycle in which accumulators add.
struct Adding<'m> {
    /// They add, and begin anew.
    sum: Option<(Value<'m>, Value<'m>)>,
    /// They add the last part of a position, and which.
    place: Option<(Value<'m>, Value<'m>)>,
}

/// A matrix under construction.
struct Hardware<'a, 'm> {
    m: &'m ModuleBuilder,
    matrix: &'a Matrix,
    name: String,
    beat: &'a Beat<'m>,
    adding: Adding<'m>,
    construction: Construction<'a>,
    /// Number, and stages of products and their sum.
    step: (usize, u32),
    buffer: &'a [Value<'m>],
    bias: &'a [i64],
}

impl<'m> Hardware<'_, 'm> {
    /// For each filter its sums at the positions of a unit.
    fn unit(&self, unit: usize, wide: &dyn Fn(OutOfRange) -> Diagnostics) -> Result<Vec<Vec<Value<'m>>>, Diagnostics> {
        let groups = self.matrix.sources.first().map_or(1, Vec::len);
        let filters = self.matrix.rows.len() / groups.max(1);
        let mut sums = Vec::with_capacity(self.matrix.rows.len());
        for group in 0..groups {
            let operands: Vec<Value<'m>> = (0..self.matrix.lanes).map(|lane| self.operand(unit, group, lane)).collect();
            for filter in group * filters..(group + 1) * filters {
                let range = self.reach(unit, group, filter).map_err(wide)?;
                sums.push(self.sums(unit, filter, &operands, range)?);
            }
        }
        Ok(sums)
    }

    /// The elements of a unit at its positions, `None` behind the last position.
    fn element(&self, unit: usize, position: usize, group: usize, term: usize) -> Option<Value<'m>> {
        let position = unit * self.matrix.positions_of_unit() as usize + position;
        let source = *self.matrix.sources.get(position)?[group].get(term)?;
        source.map(|i| self.buffer[i as usize])
    }

    /// What a lane multiplies in each beat, one cycle later.
    fn operand(&self, unit: usize, group: usize, lane: usize) -> Value<'m> {
        let zero = self.m.constant(0, 0);
        let parts = self.matrix.parts() as usize;
        let at_position = |p: usize| {
            let elements: Vec<Value<'m>> = (0..parts)
                .map(|part| {
                    let term = part * self.matrix.lanes + lane;
                    self.element(unit, p, group, term).unwrap_or(zero)
                })
                .collect();
            self.beat.part.select(&elements)
        };
        let positions: Vec<Value<'m>> = (0..self.matrix.positions_of_unit() as usize).map(at_position).collect();
        let chosen = self.beat.position.select(&positions);
        let name = format!("{}_operand{unit}_{group}_{lane}", self.name);
        moved(self.m, &name, chosen)
    }

    /// The sums of one filter, in that range, at the positions of a unit.
    fn sums(
        &self,
        unit: usize,
        filter: usize,
        operands: &[Value<'m>],
        range: Interval,
    ) -> Result<Vec<Value<'m>>, Diagnostics> {
        let m = self.m;
        let positions = self.matrix.positions_of_unit() as usize;
        let bias = m.constant(self.bias[filter].into(), 0);
        let lanes = operands.iter().enumerate();
        let factors = lanes.filter_map(|(lane, operand)| Some([*operand, self.weight(unit, filter, lane)?]));
        let factors = factors.collect::<Vec<_>>().concat();
        if factors.is_empty() {
            return Ok(vec![bias; positions]);
        }
        let named = |what: &str| format!("{}_{what}{unit}_{filter}", self.name);
        let Construction { arithmetic, cut } = self.construction;
        let addend = cut.staged(m, self.step, &named("products"), &factors, &|m, factors| {
            let pairs = factors.chunks(2).map(|pair| (pair[0], pair[1]));
            Ok(vec![arithmetic.variables.sum(m, &Vec::from_iter(pairs), &[], None)])
        })?[0];
        let (width, signed) = (range.width().max(1), range.signed());
        let format = Interval::of_width(width, signed).map(Format::integer);
        let format = format.map_err(|e| Diagnostic::error("folding", e.to_string()))?;
        let register = |name: &str| m.state(name, format, RegisterStyle::default());
        let next = |before: Value<'m>| (before + addend).wrap(width, signed);
        let (sum, state) = match self.adding.sum {
            None => (next(bias), None),
            Some((adding, first)) => {
                let state = register(&named("sum"));
                let sum = next(first.mux(bias, state.value()));
                state.set_next_when(adding, sum);
                (sum, Some(state.value()))
            }
        };
        let Some((last, place)) = self.adding.place else {
            return Ok(state.into_iter().collect());
        };
        let caught = (0..positions).map(|p| {
            let state = register(&named(&format!("position{p}_of")));
            let here = last & place.equals(m.constant(p as i128, 0));
            state.set_next_when(here, sum);
            state.value()
        });
        Ok(caught.collect())
    }

    /// What a lane multiplies by for a filter; none if its weights are 0 in every beat.
    fn weight(&self, unit: usize, filter: usize, lane: usize) -> Option<Value<'m>> {
        let row = &self.matrix.rows[filter];
        let weights = row.iter().skip(lane).step_by(self.matrix.lanes);
        let mut table: Vec<i128> = weights.map(|w| i128::from(*w)).collect();
        if table.iter().all(|w| *w == 0) {
            return None;
        }
        if let [weight] = *table.as_slice()
            && self.matrix.parts() == 1
        {
            return Some(self.m.constant(weight, 0));
        }
        table.resize((self.matrix.parts() as usize).next_power_of_two().max(2), 0);
        let weight = self.beat.part.lookup(&table, 0);
        let name = format!("{}_weight{unit}_{filter}_{lane}", self.name);
        Some(moved(self.m, &name, weight))
    }

    /// Which integers the sum of a filter can be after any beat.
    fn reach(&self, unit: usize, group: usize, filter: usize) -> Result<Interval, OutOfRange> {
        let zero = Interval::point(0)?;
        let mut sum = Interval::point(self.bias[filter].into())?;
        let mut reach = sum;
        for (k, weight) in self.matrix.rows[filter].iter().enumerate() {
            let seen = (0..self.matrix.positions_of_unit() as usize)
                .map(|p| self.element(unit, p, group, k).map_or(zero, |x| x.range()));
            let operand = seen.reduce(Interval::union).unwrap_or(zero);
            sum = sum.add(operand.mul(Interval::point((*weight).into())?)?)?;
            reach = reach.union(sum);
        }
        Ok(reach)
    }
}
