//! The source framework's arithmetic on real numbers, in 32-bit floating point and in its order of operations.
//!
//! It stands at both ends of a graph and decides where the steps of thresholds lie, so it has to agree with the
//! framework in the last bit.

use hdl::num::Rounding;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::array::Array;
use super::function::{Function, Growth};
use super::pair::Pairing;

/// How far frameworks' approximations of transcendental functions are off, about.
const APPROXIMATION: f32 = 3e-7;

/// One element-wise operation; `P` is an [`Array`] of parameters, or a number once an element is chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Step<P = Array<f32>> {
    /// `x + p`.
    Add(P),
    /// `p - x`.
    SubtractFrom(P),
    /// `x · p`.
    Mul(P),
    /// `x / p`.
    Div(P),
    /// `max(x, 0)`.
    Relu,
    /// `x` where `x ≥ 0`, else `p · x`.
    LeakyRelu(P),
    /// `min(max(x, low), high)`.
    Clip {
        /// Least value.
        low: f32,
        /// Greatest value.
        high: f32,
    },
    /// `x` where `x > p`, else 0.
    Above(P),
    /// `|x|`.
    Abs,
    /// `1 / (1 + e^-x)`, correct to the last bit; frameworks approximate it.
    Sigmoid,
    /// `tanh x`, correct to the last bit; frameworks approximate it.
    Tanh,
    /// `e^x`, correct to the last bit; frameworks approximate it.
    Exp,
    /// `p / x`.
    DivideInto(P),
    /// `x · min(max(x + shift, 0), top) / top`.
    HardSwish {
        /// What is added.
        shift: f32,
        /// Greatest factor before the division.
        top: f32,
    },
    /// Another function; frameworks approximate most.
    Function(Function),
    /// Two chains of the same number, and one operation on their results: `x · sigmoid x` and such.
    Pair {
        /// The operation.
        operation: Pairing,
        /// The chain of the first operand.
        left: Vec<Step<P>>,
        /// The chain of the second operand.
        right: Vec<Step<P>>,
    },
}

impl<P> Step<P> {
    /// All parameters.
    pub fn parameters(&self) -> Vec<&P> {
        match self {
            Self::Add(p) | Self::SubtractFrom(p) | Self::Mul(p) | Self::Div(p) | Self::DivideInto(p) => vec![p],
            Self::LeakyRelu(p) | Self::Above(p) => vec![p],
            Self::Pair { left, right, .. } => left.iter().chain(right).flat_map(Self::parameters).collect(),
            _ => Vec::new(),
        }
    }

    /// The same step with other parameters.
    pub fn with<Q>(&self, mut f: impl FnMut(&P) -> Q) -> Step<Q> {
        self.with_each(&mut f)
    }

    fn with_each<Q>(&self, f: &mut dyn FnMut(&P) -> Q) -> Step<Q> {
        match self {
            Self::Add(p) => Step::Add(f(p)),
            Self::SubtractFrom(p) => Step::SubtractFrom(f(p)),
            Self::Mul(p) => Step::Mul(f(p)),
            Self::Div(p) => Step::Div(f(p)),
            Self::LeakyRelu(p) => Step::LeakyRelu(f(p)),
            Self::Above(p) => Step::Above(f(p)),
            Self::Relu => Step::Relu,
            Self::Clip { low, high } => Step::Clip { low: *low, high: *high },
            Self::Abs => Step::Abs,
            Self::Sigmoid => Step::Sigmoid,
            Self::Tanh => Step::Tanh,
            Self::Exp => Step::Exp,
            Self::DivideInto(p) => Step::DivideInto(f(p)),
            Self::HardSwish { shift, top } => Step::HardSwish { shift: *shift, top: *top },
            Self::Function(function) => Step::Function(*function),
            Self::Pair { operation, left, right } => Step::Pair {
                operation: *operation,
                left: left.iter().map(|s| s.with_each(f)).collect(),
                right: right.iter().map(|s| s.with_each(f)).collect(),
            },
        }
    }

    /// Whether frameworks compute it only approximately.
    pub fn is_approximate(&self) -> bool {
        match self {
            Self::Sigmoid | Self::Tanh | Self::Exp => true,
            Self::Function(function) => function.is_approximate(),
            Self::Pair { left, right, .. } => left.iter().chain(right).any(Self::is_approximate),
            _ => false,
        }
    }
}

impl Step<f32> {
    /// The result for `x`.
    pub fn apply(&self, x: f32) -> f32 {
        match *self {
            Self::Add(p) => x + p,
            Self::SubtractFrom(p) => p - x,
            Self::Mul(p) => x * p,
            Self::Div(p) => x / p,
            Self::Relu => x.max(0.0),
            Self::LeakyRelu(p) if x < 0.0 => x * p,
            Self::LeakyRelu(_) => x,
            Self::Clip { low, high } => x.max(low).min(high),
            Self::Above(p) if x > p => x,
            Self::Above(_) => 0.0,
            Self::Abs => x.abs(),
            Self::Sigmoid => (1.0 / (1.0 + (-f64::from(x)).exp())) as f32,
            Self::Tanh => f64::from(x).tanh() as f32,
            Self::Exp => f64::from(x).exp() as f32,
            Self::DivideInto(p) => p / x,
            Self::HardSwish { shift, top } => x * (x + shift).max(0.0).min(top) / top,
            Self::Function(function) => function.apply(x),
            Self::Pair { operation, ref left, ref right } => operation.apply(through(left, x), through(right, x)),
        }
    }

    /// The result for `x` if the framework's functions are off by as much as they may be, downward for a `direction` of
    /// -1 and upward for 1.
    pub(crate) fn moved(&self, x: f32, direction: f32) -> f32 {
        if let Self::Pair { operation, left, right } = self {
            let ends = |chain: &[Self]| [-1.0, 1.0].map(|d| chain.iter().fold(x, |x, step| step.moved(x, d)));
            return operation.furthest(ends(left), ends(right), direction);
        }
        let y = self.apply(x);
        // an exponential beyond all floats is infinite, and not a float more or less
        let slack = if self.is_approximate() && y.is_finite() { APPROXIMATION * y.abs().max(1.0) } else { 0.0 };
        y + slack * direction
    }

    /// The most by which a change of `x` is multiplied; none if there is no such number.
    pub fn steepness(&self) -> Option<f64> {
        match *self {
            Self::Mul(p) => Some(f64::from(p.abs())),
            Self::Div(p) => Some(1.0 / f64::from(p.abs())),
            Self::LeakyRelu(p) => Some(f64::from(p.abs().max(1.0))),
            Self::Sigmoid => Some(0.25),
            Self::Exp | Self::DivideInto(_) | Self::Above(_) | Self::Pair { .. } => None,
            // the slope at the end of its parabola, `(2 · top - shift) / top`
            Self::HardSwish { shift, top } => Some((2.0 + f64::from(shift) / f64::from(top)).max(1.0)),
            Self::Function(function) => function.steepness(),
            _ => Some(1.0),
        }
    }

    /// How the result grows with `x`. Rounding keeps the order, so this holds for the floating-point function too.
    pub fn growth(&self) -> Growth {
        match *self {
            Self::SubtractFrom(_) => Growth::Falling,
            Self::Mul(p) | Self::Div(p) => Growth::of_factor(p),
            Self::LeakyRelu(p) if p < 0.0 => Growth::Mixed,
            Self::Abs | Self::DivideInto(_) | Self::HardSwish { .. } => Growth::Mixed,
            Self::Above(p) if p < 0.0 => Growth::Mixed,
            Self::Function(function) => function.growth(),
            Self::Pair { operation, ref left, ref right } => operation.growth(of_chain(left), of_chain(right)),
            _ => Growth::Rising,
        }
    }
}

/// A number through a chain.
fn through(chain: &[Step<f32>], x: f32) -> f32 {
    chain.iter().fold(x, |x, step| step.apply(x))
}

/// How a chain grows.
pub(crate) fn of_chain(chain: &[Step<f32>]) -> Growth {
    chain.iter().fold(Growth::Rising, |growth, step| growth.then(step.growth()))
}

/// A 32-bit float rounded to an integer, by the frameworks' formulas: `floor(x + 1/2)` adds the half in 32 bits, as they do.
pub fn round_float(x: f32, rounding: Rounding) -> f32 {
    let away = |magnitude: f32| if x < 0.0 { -magnitude } else { magnitude };
    match rounding {
        Rounding::HalfEven => x.round_ties_even(),
        Rounding::Ceil => x.ceil(),
        Rounding::Floor => x.floor(),
        Rounding::AwayFromZero => away(x.abs().ceil()),
        Rounding::TowardZero => x.trunc(),
        Rounding::HalfAwayFromZero => away((x.abs() + 0.5).floor()),
        Rounding::HalfTowardZero => away((x.abs() - 0.5).ceil()),
        Rounding::HalfUp => (x + 0.5).floor(),
        Rounding::HalfDown => -(-x + 0.5).floor(),
    }
}

/// From a real number to an integer code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Quantiser<P = Array<f32>> {
    /// `round(clamp(x / scale + zero, low, high)) - zero`.
    Integer {
        /// Value of one step.
        scale: P,
        /// Zero point, an integer.
        zero: P,
        /// Least code before the zero point is taken off.
        low: P,
        /// Greatest code before the zero point is taken off.
        high: P,
        /// How the code is rounded; `rounding` in old files, in which `half_up` and `half_down` had QONNX' meanings.
        #[serde(rename = "rounding_mode")]
        rounding: Rounding,
    },
    /// `clamp(round_half_even(x / scale) + zero, low, high) - zero`.
    Linear {
        /// Value of one step.
        scale: P,
        /// Zero point, an integer.
        zero: P,
        /// Least code before the zero point is taken off.
        low: P,
        /// Greatest code before the zero point is taken off.
        high: P,
    },
    /// The number of `low…high` that `round(x / scale)` is congruent to modulo `high - low + 1`.
    Wrapping {
        /// Value of one step.
        scale: P,
        /// Least code.
        low: P,
        /// Greatest code.
        high: P,
        /// How the code is rounded; `rounding` in old files, in which `half_up` and `half_down` had QONNX' meanings.
        #[serde(rename = "rounding_mode")]
        rounding: Rounding,
    },
    /// 1 if `x / scale + zero ≥ 0`, else -1.
    Sign {
        /// Value of one step.
        scale: P,
        /// Zero point.
        zero: P,
    },
    /// `round(clamp(round_half_even(x / scale + zero) / divisor, low, high)) - zero / divisor`.
    Truncate {
        /// Value of one step of the operand.
        scale: P,
        /// Zero point of the operand.
        zero: P,
        /// A power of two.
        divisor: P,
        /// Least code.
        low: P,
        /// Greatest code.
        high: P,
        /// How the code is rounded; `rounding` in old files, in which `half_up` and `half_down` had QONNX' meanings.
        #[serde(rename = "rounding_mode")]
        rounding: Rounding,
    },
    /// `first + step · #{k : x ≥ thresholds[k]}`.
    Count {
        /// One array for each threshold.
        thresholds: Vec<P>,
        /// The code below all thresholds.
        first: i64,
        /// What each threshold adds.
        step: i64,
    },
    /// `codes[#{k : x ≥ thresholds[k]}]`, with codes that rise.
    Levels {
        /// One array for each threshold.
        thresholds: Vec<P>,
        /// The codes from below all thresholds to above them.
        codes: Vec<i64>,
        /// By which part of themselves the framework's thresholds may lie elsewhere.
        uncertainty: f32,
    },
}

impl<P> Quantiser<P> {
    /// All parameters.
    pub fn parameters(&self) -> Vec<&P> {
        match self {
            Self::Integer { scale, zero, low, high, .. } | Self::Linear { scale, zero, low, high } => {
                vec![scale, zero, low, high]
            }
            Self::Wrapping { scale, low, high, .. } => vec![scale, low, high],
            Self::Sign { scale, zero } => vec![scale, zero],
            Self::Truncate { scale, zero, divisor, low, high, .. } => {
                vec![scale, zero, divisor, low, high]
            }
            Self::Count { thresholds, .. } | Self::Levels { thresholds, .. } => thresholds.iter().collect(),
        }
    }

    /// Whether there is one code more than thresholds, and codes never fall; of other quantisers this is true.
    pub fn has_a_code_a_level(&self) -> bool {
        match self {
            Self::Levels { thresholds, codes, .. } => codes.len() == thresholds.len() + 1 && codes.is_sorted(),
            _ => true,
        }
    }

    /// The same quantiser with other parameters.
    pub fn with<Q>(&self, mut f: impl FnMut(&P) -> Q) -> Quantiser<Q> {
        match self {
            Self::Integer { scale, zero, low, high, rounding } => {
                Quantiser::Integer { scale: f(scale), zero: f(zero), low: f(low), high: f(high), rounding: *rounding }
            }
            Self::Linear { scale, zero, low, high } => {
                Quantiser::Linear { scale: f(scale), zero: f(zero), low: f(low), high: f(high) }
            }
            Self::Wrapping { scale, low, high, rounding } => {
                Quantiser::Wrapping { scale: f(scale), low: f(low), high: f(high), rounding: *rounding }
            }
            Self::Sign { scale, zero } => Quantiser::Sign { scale: f(scale), zero: f(zero) },
            Self::Truncate { scale, zero, divisor, low, high, rounding } => Quantiser::Truncate {
                scale: f(scale),
                zero: f(zero),
                divisor: f(divisor),
                low: f(low),
                high: f(high),
                rounding: *rounding,
            },
            Self::Count { thresholds, first, step } => {
                Quantiser::Count { thresholds: thresholds.iter().map(f).collect(), first: *first, step: *step }
            }
            Self::Levels { thresholds, codes, uncertainty } => Quantiser::Levels {
                thresholds: thresholds.iter().map(f).collect(),
                codes: codes.clone(),
                uncertainty: *uncertainty,
            },
        }
    }
}

impl Quantiser<f32> {
    /// The code of `x`; a value beyond 64 bits is the nearest one that is not.
    pub fn code(&self, x: f32) -> i64 {
        let limited = |y: f32, low: f32, high: f32| {
            let y = if y > high { high } else { y };
            if y < low { low } else { y }
        };
        match self {
            Self::Integer { scale, zero, low, high, rounding } => {
                let y = limited(x / scale + zero, *low, *high);
                (round_float(y, *rounding) - zero) as i64
            }
            Self::Linear { scale, zero, low, high } => {
                let y = limited((x / scale).round_ties_even() + zero, *low, *high);
                (y - zero) as i64
            }
            Self::Wrapping { scale, low, high, rounding } => {
                let y = round_float(x / scale, *rounding) as i64;
                let (low, high) = (*low as i64, *high as i64);
                let count = high.saturating_sub(low).saturating_add(1).max(1);
                low.saturating_add(y.saturating_sub(low).rem_euclid(count))
            }
            Self::Sign { scale, zero } => {
                if x / scale + zero >= 0.0 {
                    1
                } else {
                    -1
                }
            }
            Self::Truncate { scale, zero, divisor, low, high, rounding } => {
                let y = (x / scale + zero).round_ties_even() / divisor;
                (round_float(limited(y, *low, *high), *rounding) - zero / divisor) as i64
            }
            Self::Count { thresholds, first, step } => {
                let count = thresholds.iter().filter(|t| x >= **t).count() as i64;
                first + step * count
            }
            Self::Levels { thresholds, codes, .. } => codes[thresholds.iter().filter(|t| x >= **t).count()],
        }
    }

    /// By which part of `x` the framework's steps may lie elsewhere.
    pub fn uncertainty(&self) -> f32 {
        if let Self::Levels { uncertainty, .. } = self { *uncertainty } else { 0.0 }
    }

    /// Least and greatest code.
    pub fn codes(&self) -> (i64, i64) {
        if let Self::Wrapping { low, high, .. } = self {
            return (*low as i64, *high as i64);
        }
        if let Self::Levels { codes, .. } = self {
            return (codes.iter().copied().min().unwrap_or(0), codes.iter().copied().max().unwrap_or(0));
        }
        let (a, b) = (self.code(f32::NEG_INFINITY), self.code(f32::INFINITY));
        (a.min(b), a.max(b))
    }
}

/// The steps for one element, applied in order to the real number that `n` stands for.
pub(crate) fn chain(steps: &[Step<f32>], unit: f64, n: i64) -> f32 {
    through(steps, (n as f64 * unit) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_modes_are_numpys() {
        let table = [
            (Rounding::HalfEven, [-2.0, -2.0, 0.0, 0.0, 2.0]),
            (Rounding::Ceil, [-2.0, -1.0, 0.0, 1.0, 2.0]),
            (Rounding::Floor, [-3.0, -2.0, -1.0, 0.0, 1.0]),
            (Rounding::AwayFromZero, [-3.0, -2.0, -1.0, 1.0, 2.0]),
            (Rounding::TowardZero, [-2.0, -1.0, 0.0, 0.0, 1.0]),
            (Rounding::HalfAwayFromZero, [-3.0, -2.0, -1.0, 1.0, 2.0]),
            (Rounding::HalfTowardZero, [-2.0, -1.0, 0.0, 0.0, 1.0]),
            (Rounding::HalfUp, [-2.0, -1.0, 0.0, 1.0, 2.0]),
            (Rounding::HalfDown, [-3.0, -2.0, -1.0, 0.0, 1.0]),
        ];
        for (mode, expected) in table {
            let got = [-2.5, -1.5, -0.5, 0.5, 1.5].map(|x| round_float(x, mode));
            assert_eq!(got, expected, "{mode:?}");
        }
    }

    #[test]
    fn quantisers_follow_their_formulas() {
        let quantiser =
            Quantiser::Integer { scale: 0.5f32, zero: 1.0, low: -4.0, high: 3.0, rounding: Rounding::HalfEven };
        let codes = [-100.0, -0.25, 0.0, 0.25, 0.75, 100.0].map(|x| quantiser.code(x));
        assert_eq!(codes, [-5, -1, 0, 1, 1, 2]);
        assert_eq!(quantiser.codes(), (-5, 2));
        let wrapping = Quantiser::Wrapping { scale: 0.5f32, low: -4.0, high: 3.0, rounding: Rounding::HalfUp };
        let codes = [-2.25, -2.5, -0.25, 0.25, 1.75, 2.0].map(|x| wrapping.code(x));
        assert_eq!(codes, [-4, 3, 0, 1, -4, -4]);
        assert_eq!(wrapping.codes(), (-4, 3));
        let count = Quantiser::Count { thresholds: vec![0.0f32, 1.0], first: -1, step: 2 };
        assert_eq!([-0.1, 0.0, 1.0].map(|x| count.code(x)), [-1, 1, 3]);
    }
}
