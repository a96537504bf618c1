//! Computing a chain of float steps in integers, where that is exact: in front of layers that need plain numbers.

use hdl::diag::Diagnostic;

use super::array::{is_power_of_two, odd_part, rank_aligned};
use super::{HALF_ULP, Lift, Noise, Real, at};
use crate::model::{Array, Op, Step, TensorId};

/// Most bits that an operand grows by so that a constant lands on its grid.
const MAX_REFINEMENT: i32 = 24;

/// Numbers beyond this are no limits.
const UNLIMITED: f64 = (1u64 << 60) as f64;

/// An integer operation.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Move {
    Add(Array<i64>),
    Mul(Array<i64>),
    Relu,
    Leaky { positive: i64, negative: i64 },
    Clamp { lo: i64, hi: i64 },
}

/// Integer operations that are a chain of float steps.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub moves: Vec<Move>,
    /// Value of one step of the result.
    pub unit: Array<f64>,
    /// Greatest magnitude of the result.
    pub bound: f64,
    /// As [`Real::noise`].
    pub noise: Noise,
}

impl Plan {
    /// Notes a rounding of the framework if floats do not hold the result exactly.
    fn round(&mut self) {
        let finest = self.unit.values.iter().copied().fold(f64::INFINITY, f64::min);
        let odd = self.unit.values.iter().map(|u| odd_part(*u)).max().unwrap_or(1);
        if self.bound / finest * odd as f64 > 1.0 / HALF_ULP {
            self.noise += Noise::of(self.bound * HALF_ULP);
        }
    }

    fn add(&mut self, constant: &Array<f64>) -> Result<(), String> {
        let parts = constant.zip(&self.unit, |c, u| c / u).ok_or("its constant does not fit")?;
        let finer = (0..=MAX_REFINEMENT).find(|s| {
            let integral = |k: &f64| (k * 2f64.powi(*s)).fract() == 0.0 && k.abs() < UNLIMITED;
            parts.values.iter().all(integral)
        });
        let finer = finer.ok_or("its constant is no multiple of the operand's step")?;
        if finer > 0 {
            self.moves.push(Move::Mul(Array::scalar(1 << finer)));
            self.unit = self.unit.map(|u| u / 2f64.powi(finer));
        }
        let integers = parts.map(|k| (k * 2f64.powi(finer)) as i64).compact();
        let back = integers.zip(&self.unit, |n, u| *n as f64 * u).and_then(|b| b.zip(constant, |b, c| b == c));
        if !back.is_some_and(|equal| equal.values.iter().all(|e| *e)) {
            return Err("its constant is no multiple of the operand's step".into());
        }
        if integers.values.iter().any(|k| *k != 0) {
            self.moves.push(Move::Add(integers));
        }
        self.bound += constant.values.iter().fold(0.0, |m: f64, c| m.max(c.abs()));
        self.round();
        Ok(())
    }

    fn scale(&mut self, factor: &Array<f64>) -> Result<(), String> {
        if factor.values.iter().any(|f| *f <= 0.0) {
            self.moves.push(Move::Mul(
                factor
                    .map(|f| {
                        if *f > 0.0 {
                            1
                        } else if *f < 0.0 {
                            -1
                        } else {
                            0
                        }
                    })
                    .compact(),
            ));
        }
        let magnitude = factor.map(|f| if *f == 0.0 { 1.0 } else { f.abs() });
        self.unit = self.unit.zip(&magnitude, |u, f| u * f).ok_or("its constant does not fit")?.compact();
        let greatest = magnitude.values.iter().copied().fold(0.0, f64::max);
        self.bound *= greatest;
        self.noise = self.noise * greatest;
        self.round();
        Ok(())
    }

    fn leaky(&mut self, slope: &Array<f64>) -> Result<(), String> {
        let slope = *slope.as_scalar().ok_or("slopes that differ between channels need a quantiser behind them")?;
        let places = (0..=30).find(|k| (slope * 2f64.powi(*k)).fract() == 0.0);
        let places = places.ok_or("its slope needs too many bits")?;
        let negative = (slope * 2f64.powi(places)) as i64;
        self.moves.push(Move::Leaky { positive: 1 << places, negative });
        self.unit = self.unit.map(|u| u / 2f64.powi(places));
        self.bound *= slope.abs().max(1.0);
        self.round();
        Ok(())
    }

    fn clip(&mut self, low: f64, high: f64) -> Result<(), String> {
        let unit =
            *self.unit.as_scalar().ok_or("limits on channels of different scale need a quantiser behind them")?;
        let limit = |v: f64| {
            let n = (v / unit).clamp(-UNLIMITED, UNLIMITED);
            (n.fract() == 0.0 && (n.abs() == UNLIMITED || n * unit == v)).then_some(n as i64)
        };
        let off = "its limits are no multiples of the operand's step";
        let (lo, hi) = (limit(low).ok_or(off)?, limit(high).ok_or(off)?);
        self.moves.push(Move::Clamp { lo, hi });
        self.bound = self.bound.min(low.abs().max(high.abs()));
        Ok(())
    }
}

impl Lift {
    /// The integer operations that are `real`'s steps, or why there are none.
    pub(super) fn plan(&self, real: &Real) -> Result<Plan, String> {
        let shape = self.shape(real);
        let mut plan = Plan {
            moves: Vec::new(),
            unit: rank_aligned(&real.unit, shape).ok_or("its scale does not fit")?,
            bound: self.magnitude(real),
            noise: real.noise,
        };
        plan.round();
        for step in &real.steps {
            let wide = |p: &Array<f32>| p.map(|v| f64::from(*v));
            match step {
                Step::Add(p) => plan.add(&wide(p))?,
                Step::SubtractFrom(p) => {
                    plan.scale(&Array::scalar(-1.0))?;
                    plan.add(&wide(p))?;
                }
                Step::Mul(p) => plan.scale(&wide(p))?,
                Step::Div(p) => plan.scale(&p.map(|v| 1.0 / f64::from(*v)))?,
                Step::Relu => plan.moves.push(Move::Relu),
                Step::LeakyRelu(p) => plan.leaky(&wide(p))?,
                Step::Clip { low, high } => plan.clip((*low).into(), (*high).into())?,
                Step::Above(_)
                | Step::Abs
                | Step::Sigmoid
                | Step::Tanh
                | Step::Exp
                | Step::DivideInto(_)
                | Step::HardSwish { .. }
                | Step::Function(_)
                | Step::Pair { .. } => {
                    return Err("it is no multiple of a common step; put a quantiser behind it".into());
                }
            }
        }
        Ok(plan)
    }

    /// `real` with its steps computed in integers.
    ///
    /// # Errors
    /// Steps that lead off every common grid, an input without a format.
    pub(super) fn settle(&mut self, name: &str, real: Real) -> Result<Real, Diagnostic> {
        let plan = self.planned(name, &real)?;
        if real.steps.is_empty() {
            return Ok(real);
        }
        let tensor = self.perform(name, real.tensor, &plan.moves, &plan.unit)?;
        Ok(Real::plain(tensor, plan.unit.compact(), plan.noise))
    }

    /// How the steps of `real` are computed in integers.
    ///
    /// # Errors
    /// As [`settle`](Self::settle).
    pub(super) fn planned(&self, name: &str, real: &Real) -> Result<Plan, Diagnostic> {
        self.known(name, real)?;
        self.no_softmax(name, real)?;
        self.plan(real).map_err(|why| {
            at(name, format!("its operand cannot be computed in integers: {why}"))
                .help("put a quantiser in front of this layer")
        })
    }

    /// Appends the layers of `moves`.
    pub(super) fn perform(
        &mut self,
        name: &str,
        mut tensor: TensorId,
        moves: &[Move],
        unit: &Array<f64>,
    ) -> Result<TensorId, Diagnostic> {
        for step in moves {
            let (op, constant) = match step {
                Move::Add(c) => (Op::Add, Some(c)),
                Move::Mul(c) => (Op::Mul, Some(c)),
                Move::Relu => (Op::Relu, None),
                Move::Leaky { positive, negative } => {
                    (Op::LeakyRelu { positive: *positive, negative: *negative }, None)
                }
                Move::Clamp { lo, hi } => (Op::Clamp { lo: *lo, hi: *hi }, None),
            };
            let mut operands = vec![tensor];
            if let Some(constant) = constant {
                operands.push(self.push(name, Op::Constant(constant.clone()), Vec::new(), unit)?);
            }
            tensor = self.push(name, op, operands, unit)?;
        }
        Ok(tensor)
    }

    /// Whether all units are powers of two, so that floats hold moderate integers times them exactly.
    pub(super) fn is_dyadic(unit: &Array<f64>) -> bool {
        unit.values.iter().all(|u| is_power_of_two(*u))
    }
}
