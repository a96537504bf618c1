//! Functions that frameworks have as activations, beside the commonest ones, and how functions grow.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a computed function grows with its argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// Never falls.
    Rising,
    /// Never rises.
    Falling,
    /// Neither.
    Mixed,
}

impl Growth {
    /// Growth of one function after another.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        match (self, next) {
            (Self::Mixed, _) | (_, Self::Mixed) => Self::Mixed,
            (a, b) if a == b => Self::Rising,
            _ => Self::Falling,
        }
    }

    pub(super) fn of_factor(factor: f32) -> Self {
        if factor >= 0.0 { Self::Rising } else { Self::Falling }
    }
}

/// A function of one number, correct to the last bit of a 32-bit float or nearly so; frameworks approximate most.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Function {
    /// `x` where `x ≥ 0`, else `alpha · (e^x - 1)`.
    Elu {
        /// Its limit on the negative side, negated.
        alpha: f32,
    },
    /// `max(x, 0) + min(alpha · (e^(x / alpha) - 1), 0)`.
    Celu {
        /// Its limit on the negative side, negated.
        alpha: f32,
    },
    /// `gamma · x` where `x > 0`, else `gamma · alpha · (e^x - 1)`.
    Selu {
        /// 1.6732… of the paper.
        alpha: f32,
        /// 1.0507… of the paper.
        gamma: f32,
    },
    /// `log(1 + e^x)`.
    Softplus,
    /// `x / (1 + |x|)`.
    Softsign,
    /// `x / (1 + e^(-beta · x))`; with beta = 1 SiLU.
    Swish {
        /// Factor of the exponent.
        beta: f32,
    },
    /// `x · Φ(x)` with the normal distribution.
    Gelu,
    /// `x / 2 · (1 + tanh(√(2/π) · (x + 0.044715 · x³)))`.
    GeluTanh,
    /// `x · tanh(log(1 + e^x))`.
    Mish,
    /// The error function.
    Erf,
    /// The natural logarithm.
    Log,
    /// The square root.
    Sqrt,
    /// `x · min(max(x / 6 + 1/2, 0), 1)` with 1/6 as a 32-bit float, each operation rounded to one.
    HardSwish,
    /// `x · (min(max(x + 3, 0), 6) / 6)`, each operation rounded to a 32-bit float.
    HardSilu,
    /// `x + bias` below `-lambda`, `x - bias` above `lambda`, else 0, each rounded to a 32-bit float.
    Shrink {
        /// What is taken off the magnitude.
        bias: f32,
        /// Half the width of the part that becomes 0.
        lambda: f32,
    },
}

impl Function {
    /// The scaled exponential linear unit of the paper.
    pub const SELU: Self = Self::Selu { alpha: 1.673_263_2, gamma: 1.050_701 };

    /// The result for `x`.
    pub fn apply(self, x: f32) -> f32 {
        let wide = f64::from(x);
        let result = match self {
            Self::Elu { .. } | Self::Celu { .. } if x >= 0.0 => wide,
            Self::Elu { alpha } => f64::from(alpha) * wide.exp_m1(),
            Self::Celu { alpha } => f64::from(alpha) * (wide / f64::from(alpha)).exp_m1(),
            Self::Selu { gamma, .. } if x > 0.0 => f64::from(gamma) * wide,
            Self::Selu { alpha, gamma } => f64::from(gamma) * f64::from(alpha) * wide.exp_m1(),
            Self::Softplus => softplus(wide),
            Self::Softsign => wide / (1.0 + wide.abs()),
            Self::Swish { beta } => wide / (1.0 + (-f64::from(beta) * wide).exp()),
            Self::Gelu => 0.5 * wide * complementary_error(-wide * std::f64::consts::FRAC_1_SQRT_2),
            Self::GeluTanh => {
                let inner = (2.0 / std::f64::consts::PI).sqrt() * (wide + 0.044715 * wide.powi(3));
                0.5 * wide * (1.0 + inner.tanh())
            }
            Self::Mish => wide * softplus(wide).tanh(),
            Self::Erf => 1.0 - complementary_error(wide),
            Self::Log => wide.ln(),
            Self::Sqrt => return x.sqrt(),
            Self::HardSwish => return x * (x * (1.0 / 6.0) + 0.5).clamp(0.0, 1.0),
            Self::HardSilu => return x * ((x + 3.0).clamp(0.0, 6.0) / 6.0),
            Self::Shrink { bias, lambda } => {
                return match x {
                    x if x < -lambda => x + bias,
                    x if x > lambda => x - bias,
                    _ => 0.0,
                };
            }
        };
        result as f32
    }

    /// Whether frameworks compute it only approximately.
    pub fn is_approximate(self) -> bool {
        !matches!(self, Self::Sqrt | Self::HardSwish | Self::HardSilu | Self::Shrink { .. })
    }

    /// How the result grows with `x`. Functions that are not defined everywhere count as mixed.
    pub fn growth(self) -> Growth {
        match self {
            Self::Elu { alpha } | Self::Celu { alpha } if alpha >= 0.0 => Growth::Rising,
            Self::Selu { alpha, gamma } if alpha >= 0.0 && gamma >= 0.0 => Growth::Rising,
            Self::Softplus | Self::Softsign | Self::Erf => Growth::Rising,
            _ => Growth::Mixed,
        }
    }

    /// The most by which a change of `x` is multiplied; none if there is no such number.
    pub fn steepness(self) -> Option<f64> {
        match self {
            Self::Elu { alpha } => Some(f64::from(alpha.abs()).max(1.0)),
            Self::Celu { .. } | Self::Softplus | Self::Softsign => Some(1.0),
            Self::Selu { alpha, gamma } => Some(f64::from(gamma.abs()) * f64::from(alpha.abs()).max(1.0)),
            Self::Swish { .. } => Some(1.1),
            Self::Gelu | Self::GeluTanh => Some(1.13),
            Self::Mish => Some(1.09),
            Self::Erf => Some(std::f64::consts::FRAC_2_SQRT_PI),
            Self::HardSwish | Self::HardSilu => Some(1.5),
            Self::Log | Self::Sqrt | Self::Shrink { .. } => None,
        }
    }
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// `erfc x = 2 / √π · ∫_x^∞ e^-t² dt`, relatively exact to about 1e-14: the series of Abramowitz and Stegun 7.1.6 near
/// zero, the continued fraction 7.1.14 elsewhere.
fn complementary_error(x: f64) -> f64 {
    if x < 0.0 {
        return 2.0 - complementary_error(-x);
    }
    let gauss = (-x * x).exp() / std::f64::consts::PI.sqrt();
    if x < 2.0 {
        let (mut term, mut sum) = (2.0 * x, 2.0 * x);
        for n in 1..100 {
            term *= 2.0 * x * x / f64::from(2 * n + 1);
            sum += term;
        }
        return 1.0 - gauss * sum;
    }
    let fraction = (1..=120).rev().fold(x, |tail, n| x + f64::from(n) / 2.0 / tail);
    gauss / fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_at_known_places() {
        for (function, x, y) in [
            (Function::Gelu, 1.0, 0.841_344_7),
            (Function::Gelu, -3.0, -0.004_049_694),
            (Function::Gelu, -6.0, -5.919_526e-9),
            (Function::GeluTanh, 1.0, 0.841_192),
            (Function::Swish { beta: 1.0 }, 2.0, 1.761_594_2),
            (Function::Mish, 1.0, 0.865_098_4),
            (Function::Softplus, 0.0, std::f32::consts::LN_2),
            (Function::Elu { alpha: 1.0 }, -1.0, -0.632_120_56),
            (Function::Celu { alpha: 2.0 }, -1.0, -0.786_938_7),
            (Function::SELU, -1.0, -1.111_330_7),
            (Function::Erf, 0.5, 0.520_499_9),
            (Function::Log, 2.0, std::f32::consts::LN_2),
            (Function::HardSwish, 1.0, 2.0 / 3.0),
            (Function::HardSilu, -0.875, -0.309_895_84),
            (Function::Shrink { bias: 0.5, lambda: 1.0 }, -2.0, -1.5),
            (Function::Softsign, -1.0, -0.5),
        ] {
            let got = function.apply(x);
            assert!((got - y).abs() <= 2e-7 * y.abs(), "{function:?}({x}) = {got}, expected {y}");
        }
    }
}
