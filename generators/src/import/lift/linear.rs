//! Layers that add and multiply: they work on integers, so the chains of their operands are settled first.

use hdl::diag::Diagnostic;

use super::array::{is_power_of_two, odd_part, rank_aligned};
use super::constant::MAX_APART;
use super::settle::Move;
use super::{Constant, HALF_ULP, Lift, Noise, Real, at};
use crate::model::{Array, Growth, Op, PoolKind, Step, Window};

/// Scores that are this far apart are different numbers behind a softmax in 32-bit floats.
const LEAST_GAP: f64 = 1.0 / 1_048_576.0;

/// A window and the groups of a convolution.
#[derive(Debug, Clone)]
pub struct Shaped {
    /// How the kernel slides.
    pub window: Window,
    /// Groups of channels that do not see each other.
    pub groups: usize,
}

/// Greatest `Σ |weight · x|` of any row, and greatest single product, in steps of the result.
fn sums(weights: &[i64], rows: usize, x: f64) -> (f64, f64) {
    let len = weights.len().checked_div(rows).unwrap_or(0).max(1);
    let magnitude = |row: &[i64]| row.iter().map(|w| w.unsigned_abs() as f64).sum::<f64>() * x;
    let greatest = weights.iter().map(|w| w.unsigned_abs()).max().unwrap_or(0) as f64 * x;
    (weights.chunks(len).map(magnitude).fold(0.0, f64::max), greatest)
}

fn max(array: &Array<f64>) -> f64 {
    array.values.iter().copied().fold(0.0, f64::max)
}

fn min(array: &Array<f64>) -> f64 {
    array.values.iter().copied().fold(f64::INFINITY, f64::min)
}

fn odd(array: &Array<f64>) -> f64 {
    array.values.iter().map(|u| odd_part(*u)).max().unwrap_or(1) as f64
}

impl Lift {
    /// `x · w` for a constant matrix `w` of shape `[inputs, outputs]`.
    ///
    /// # Errors
    /// Weights that are not quantised, shapes or scales that do not fit.
    pub fn dense(&mut self, name: &str, x: Real, weights: &Constant) -> Result<Real, Diagnostic> {
        let &[inputs, outputs] = weights.shape() else {
            return Err(at(name, format!("a matrix of weights is wanted, found shape {:?}", weights.shape())));
        };
        let grid = weights.on_grid(1).map_err(|why| at(name, why))?;
        let x = self.common_scale(name, x, |axis, rank| axis + 1 == rank)?;
        let rows: Vec<i64> =
            (0..outputs).flat_map(|o| grid.integers.iter().skip(o).step_by(outputs.max(1)).copied()).collect();
        let op = Op::dense(Array { shape: vec![outputs, inputs], values: rows.clone() }, vec![0; outputs]);
        self.products(name, x, op, &rows, outputs, (grid.unit, weights.off_grid()))
    }

    /// A convolution of `[n, channel, spatial…]` with constant filters `[filter, channel / groups, kernel…]`.
    ///
    /// # Errors
    /// As [`Lift::dense`].
    pub fn convolution(&mut self, name: &str, x: Real, weights: &Constant, shaped: Shaped) -> Result<Real, Diagnostic> {
        let rank = weights.shape().len();
        if rank < 3 {
            return Err(at(name, format!("filters of shape {:?} make no convolution", weights.shape())));
        }
        let grid = weights.on_grid(0).map_err(|why| at(name, why))?;
        let x = self.common_scale(name, x, |axis, _| axis > 0)?;
        let filters = weights.shape()[0];
        let matrix = Array { shape: weights.shape().to_vec(), values: grid.integers.clone() };
        let op = Op::convolution(matrix, vec![0; filters], shaped.window, shaped.groups);
        let unit = match grid.unit.as_scalar() {
            Some(unit) => Array::scalar(*unit),
            None => Array { shape: [vec![1, filters], vec![1; rank - 2]].concat(), values: grid.unit.values },
        };
        self.products(name, x, op, &grid.integers, filters, (unit, weights.off_grid()))
    }

    fn products(
        &mut self,
        name: &str,
        x: Real,
        op: Op,
        weights: &[i64],
        rows: usize,
        (unit, off_grid): (Array<f64>, f64),
    ) -> Result<Real, Diagnostic> {
        let out = x.unit.zip(&unit, |a, b| a * b).ok_or_else(|| at(name, "scales do not fit"))?.compact();
        let x_steps = self.magnitude(&x) / max(&x.unit);
        let (sum, product) = sums(weights, rows, x_steps);
        let weight = weights.iter().map(|w| w.unsigned_abs()).max().unwrap_or(0) as f64;
        let terms = weights.len() as f64 / rows.max(1) as f64;
        let total = if x_steps > 0.0 { sum / x_steps } else { 0.0 };
        let inherited = x.noise.summed(terms, weight, total) * max(&unit);
        let inherited = inherited + Noise::of(self.magnitude(&x)).summed(terms, off_grid, off_grid * terms);
        let exact = sum * odd(&x.unit) * odd(&unit) <= 1.0 / HALF_ULP;
        let noise = if exact { Noise::NONE } else { Noise::sum(weights.len() / rows.max(1), product, sum) * max(&out) };
        let tensor = self.push(name, op, vec![x.tensor], &out)?;
        Ok(Real::plain(tensor, out, noise + inherited))
    }

    /// The error of a sum that is rounded after each of `blocks` parts.
    pub fn block_noise(&self, real: &Real, blocks: usize) -> Noise {
        Noise::sum(blocks, self.magnitude(real), self.magnitude(real))
    }

    /// Constants as a tensor of their own.
    ///
    /// # Errors
    /// Constants that are no integers times a common step.
    pub fn constant(&mut self, name: &str, constant: &Constant) -> Result<Real, Diagnostic> {
        let grid = constant.on_grid(0).map_err(|why| at(name, why))?;
        let array = Array { shape: constant.shape().to_vec(), values: grid.integers };
        let tensor = self.push(name, Op::Constant(array), Vec::new(), &grid.unit)?;
        Ok(Real::plain(tensor, grid.unit, Noise::NONE))
    }

    /// Settled, with one scale along every axis that `summed` names; scales that differ by powers of two are merged.
    fn common_scale(&mut self, name: &str, x: Real, summed: impl Fn(usize, usize) -> bool) -> Result<Real, Diagnostic> {
        let x = self.settle(name, x)?;
        let shape = self.shape(&x).to_vec();
        let unit =
            rank_aligned(&x.unit, &shape).ok_or_else(|| at(name, "the scale of its operand does not fit its shape"))?;
        let differs = (0..shape.len()).any(|axis| summed(axis, shape.len()) && unit.shape[axis] != 1);
        if !differs {
            return Ok(x);
        }
        let least = min(&unit);
        let factors = unit.map(|u| u / least);
        if !factors.values.iter().all(|f| is_power_of_two(*f) && *f <= MAX_APART) {
            return Err(at(
                name,
                "it sums over elements whose scales differ by factors that are no powers of two, or beyond 2^40",
            )
            .help("put a quantiser with one scale in front of this layer"));
        }
        let unit = Array::scalar(least);
        let tensor = self.perform(name, x.tensor, &[Move::Mul(factors.map(|f| *f as i64))], &unit)?;
        Ok(Real { tensor, unit, ..x })
    }

    /// The matrix product of two computed tensors.
    ///
    /// # Errors
    /// As [`Lift::dense`].
    pub fn mat_mul(&mut self, name: &str, x: Real, y: Real) -> Result<Real, Diagnostic> {
        let single = |_: usize, _: usize| true;
        let (x, y) = (self.common_scale(name, x, single)?, self.common_scale(name, y, single)?);
        let depth = self.shape(&x).last().copied().unwrap_or(1);
        let terms = depth as f64;
        let (a, b) = (self.magnitude(&x), self.magnitude(&y));
        let unit = x.unit.zip(&y.unit, |u, v| u * v).expect("both are numbers");
        let exact = a * b * terms / max(&unit) * odd(&x.unit) * odd(&y.unit) <= 1.0 / HALF_ULP;
        let noise = if exact { Noise::NONE } else { Noise::sum(depth, a * b, a * b * terms) };
        let inherited = x.noise.summed(terms, b, b * terms) + y.noise.summed(terms, a, a * terms);
        let tensor = self.push(name, Op::MatMul, vec![x.tensor, y.tensor], &unit)?;
        Ok(Real::plain(tensor, unit, noise + inherited))
    }

    /// The element-wise product of two computed tensors.
    ///
    /// # Errors
    /// Operands that cannot be computed in integers or do not stretch to one shape.
    pub fn mul(&mut self, name: &str, x: Real, y: Real) -> Result<Real, Diagnostic> {
        let (x, y) = (self.settle(name, x)?, self.settle(name, y)?);
        let unit = x.unit.zip(&y.unit, |u, v| u * v).ok_or_else(|| at(name, "scales do not fit"))?;
        let (a, b) = (self.magnitude(&x), self.magnitude(&y));
        let noise = x.noise * b + y.noise * a + self.rounding_of(&unit, a * b);
        let tensor = self.push(name, Op::Mul, vec![x.tensor, y.tensor], &unit)?;
        Ok(Real::plain(tensor, unit, noise))
    }

    /// `x + y`, `x - y`, the greater or the lesser of two computed tensors.
    ///
    /// # Errors
    /// Operands whose scales have no common step.
    pub fn combine(&mut self, name: &str, op: Op, x: Real, y: Real) -> Result<Real, Diagnostic> {
        let x = self.settle(name, x)?;
        let y = self.settle(name, y)?;
        let (x, y, unit) = self.same_step(name, x, y)?;
        let bound = self.magnitude(&x) + self.magnitude(&y);
        let noise = x.noise + y.noise + self.rounding_of(&unit, bound);
        let tensor = self.push(name, op, vec![x.tensor, y.tensor], &unit)?;
        Ok(Real::plain(tensor, unit, noise))
    }

    /// The error of one float rounding of numbers up to `bound` in steps of `unit`; 0 if floats hold them exactly.
    fn rounding_of(&self, unit: &Array<f64>, bound: f64) -> Noise {
        let finest = min(unit);
        if bound / finest * odd(unit) <= 1.0 / HALF_ULP { Noise::NONE } else { Noise::of(2.0 * bound * HALF_ULP) }
    }

    /// Both in steps of the finer unit, which is the other one divided by a power of two.
    fn same_step(&mut self, name: &str, x: Real, y: Real) -> Result<(Real, Real, Array<f64>), Diagnostic> {
        let misfit = || {
            at(name, "its operands have no common step: their scales differ by a factor that is no power of two")
                .help("quantise both operands with the same scale")
        };
        let ratios = x.unit.zip(&y.unit, |u, v| u / v).ok_or_else(misfit)?;
        let fits = |r: &f64| is_power_of_two(*r) && (1.0 / MAX_APART..=MAX_APART).contains(r);
        if !ratios.values.iter().all(fits) {
            return Err(misfit());
        }
        let mut finer = |real: Real, other: &Array<f64>| -> Result<Real, Diagnostic> {
            let factors = real.unit.zip(other, |u, v| (u / v).max(1.0) as i64).ok_or_else(misfit)?.compact();
            if factors.values.iter().all(|f| *f == 1) {
                return Ok(real);
            }
            let unit = real.unit.zip(other, |u, v| u.min(*v)).ok_or_else(misfit)?.compact();
            let tensor = self.perform(name, real.tensor, &[Move::Mul(factors)], &unit)?;
            Ok(Real { tensor, unit, ..real })
        };
        let unit = x.unit.zip(&y.unit, |u, v| u.min(*v)).ok_or_else(misfit)?.compact();
        let (u, v) = (x.unit.clone(), y.unit.clone());
        Ok((finer(x, &v)?, finer(y, &u)?, unit))
    }

    /// Sums or maxima over a window. A maximum keeps the chain; a sum settles it and multiplies by `factors`,
    /// one number or one for each position.
    ///
    /// # Errors
    /// A chain that does not keep the order of its operands, or differs between elements of a window.
    pub fn pool(
        &mut self,
        name: &str,
        x: Real,
        window: Window,
        average: Option<Array<f64>>,
    ) -> Result<Real, Diagnostic> {
        let taps = window.kernel.iter().product();
        match average {
            None => self.greatest(name, x, &|axis| axis > 1, Op::Pool { kind: PoolKind::Max, window }),
            Some(factors) => {
                self.average(name, x, &|axis| axis > 1, taps, Op::Pool { kind: PoolKind::Sum, window }, factors)
            }
        }
    }

    /// Sums (times `factor`) or maxima along axes that keep extent 1.
    ///
    /// # Errors
    /// As [`Lift::pool`].
    pub fn reduce(&mut self, name: &str, x: Real, axes: Vec<usize>, factor: Option<f64>) -> Result<Real, Diagnostic> {
        let along = axes.clone();
        let varies = |axis: usize| along.contains(&axis);
        let shape = self.shape(&x);
        let terms = axes.iter().filter_map(|&a| shape.get(a)).product();
        match factor {
            None => self.greatest(name, x, &varies, Op::Reduce { kind: PoolKind::Max, axes }),
            Some(f) => {
                self.average(name, x, &varies, terms, Op::Reduce { kind: PoolKind::Sum, axes }, Array::scalar(f))
            }
        }
    }

    fn average(
        &mut self,
        name: &str,
        x: Real,
        summed: &dyn Fn(usize) -> bool,
        terms: usize,
        op: Op,
        factors: Array<f64>,
    ) -> Result<Real, Diagnostic> {
        let x = self.common_scale(name, x, |axis, _| summed(axis))?;
        let bound = self.magnitude(&x);
        let sum = bound * terms as f64;
        let mut noise = x.noise.summed(terms as f64, 1.0, terms as f64);
        let exact = self.rounding_of(&x.unit, sum).is_none();
        if !exact || !Self::is_dyadic(&factors) {
            noise += Noise::sum(terms, bound, sum) + Noise::of(sum * HALF_ULP);
        }
        let tensor = self.push(name, op, vec![x.tensor], &x.unit)?;
        let unit = x.unit.zip(&factors, |u, f| u * f).ok_or_else(|| at(name, "scales do not fit"))?.compact();
        let noise = noise * max(&factors);
        Ok(Real::plain(tensor, unit, noise))
    }

    fn greatest(&mut self, name: &str, x: Real, along: &dyn Fn(usize) -> bool, op: Op) -> Result<Real, Diagnostic> {
        self.known(name, &x)?;
        self.no_softmax(name, &x)?;
        let x = self.rising(name, x, along)?;
        let tensor = self.push(name, op, vec![x.tensor], &x.unit)?;
        Ok(Real { tensor, ..x })
    }

    /// The softmax along `axis`, which stays at the end of the network. Scores of different steps get a common one where
    /// that takes few more bits.
    ///
    /// # Errors
    /// An input without a format, a softmax behind a softmax.
    pub fn softmax(&mut self, name: &str, x: Real, axis: usize) -> Result<Real, Diagnostic> {
        const FINER: f64 = 256.0;
        self.known(name, &x)?;
        self.no_softmax(name, &x)?;
        let settled = self.common_scale(name, x.clone(), |a, _| a == axis);
        let x = settled.ok().filter(|s| min(&s.unit) * FINER >= min(&x.unit)).unwrap_or(x);
        Ok(Real { softmax: Some(axis), ..x })
    }

    /// Position of the greatest element along `axis`, as plain integers. A softmax in front of it, which keeps the order,
    /// is dropped.
    ///
    /// # Errors
    /// A chain that differs along the axis or makes different integers equal; scores so close that a softmax in 32-bit
    /// floats makes them equal.
    pub fn arg_max(&mut self, name: &str, mut x: Real, axis: usize) -> Result<Real, Diagnostic> {
        self.known(name, &x)?;
        let behind_softmax = x.softmax.take();
        if behind_softmax.is_some_and(|softmax| softmax != axis) {
            return Err(at(name, "the softmax in front of it runs along another axis"));
        }
        let mut x = self.rising(name, x, &|a| a == axis)?;
        if !self.keeps_apart(&x) {
            x = self.settle(name, x)?;
        }
        if behind_softmax.is_some() && !(x.steps.is_empty() && min(&x.unit) >= LEAST_GAP) {
            x = self.settle(name, x)?;
            if min(&x.unit) < LEAST_GAP {
                return Err(at(name, "the softmax in front of it makes close scores equal")
                    .help("let the ArgMax follow the scores themselves"));
            }
        }
        let unit = Array::scalar(1.0);
        let tensor = self.push(name, Op::ArgMax { axis }, vec![x.tensor], &unit)?;
        Ok(Real::plain(tensor, unit, Noise::NONE))
    }

    /// Whether the chain, which rises, gives neighbouring integers different floats.
    fn keeps_apart(&self, x: &Real) -> bool {
        const MOST: i128 = 1 << 20;
        let range = self.range(x.tensor);
        if range.hi() - range.lo() > MOST || !x.noise.is_none() {
            return x.steps.is_empty();
        }
        let single = x.steps.iter().flat_map(Step::parameters).all(|p| p.values.len() == 1);
        let (Some(&unit), true) = (x.unit.as_scalar(), single) else {
            return x.steps.is_empty();
        };
        let steps: Vec<Step<f32>> = x.steps.iter().map(|s| s.with(|p| p.values[0])).collect();
        let value = |n: i128| steps.iter().fold((n as f64 * unit) as f32, |v, s| s.apply(v));
        (range.lo()..range.hi()).all(|n| value(n) < value(n + 1))
    }

    /// The same tensor with a chain that never falls; elements whose chain falls are negated first.
    ///
    /// # Errors
    /// A chain that neither rises nor falls, or whose parameters differ along axes that `along` names.
    fn rising(&mut self, name: &str, x: Real, along: &dyn Fn(usize) -> bool) -> Result<Real, Diagnostic> {
        let shape = self.shape(&x).to_vec();
        let unit =
            rank_aligned(&x.unit, &shape).ok_or_else(|| at(name, "the scale of its operand does not fit its shape"))?;
        let varies = |shape: &[usize]| shape.iter().enumerate().any(|(axis, e)| *e != 1 && along(axis));
        let mut growth = unit.map(|_| Growth::Rising);
        let mut differs = varies(&unit.shape);
        for step in &x.steps {
            let each = match step.parameters().as_slice() {
                [] => Array::scalar(step.with(|_| 0.0).growth()),
                [p] => {
                    let p = rank_aligned(p, &shape).expect("checked to stretch");
                    differs |= varies(&p.shape);
                    p.map(|v| step.with(|_| *v).growth())
                }
                _ => Array::scalar(Growth::Mixed),
            };
            growth = growth.zip(&each, |a, b| a.then(*b)).expect("both stretch to the tensor");
        }
        if growth.values.contains(&Growth::Mixed) || differs {
            return self.common_scale(name, x, |axis, _| along(axis));
        }
        let growth = growth.compact();
        if !growth.values.contains(&Growth::Falling) {
            return Ok(x);
        }
        let sign = growth.map(|g| if *g == Growth::Falling { -1 } else { 1 });
        let unit = x.unit.clone();
        let tensor = self.perform(name, x.tensor, &[Move::Mul(sign.clone())], &unit)?;
        let mut steps = vec![Step::Mul(sign.map(|s| *s as f32))];
        steps.extend(x.steps);
        Ok(Real { tensor, steps, ..x })
    }
}
