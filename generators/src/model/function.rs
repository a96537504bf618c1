//! Transcendental functions that frameworks have as activations, beside the commonest ones.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::real::Growth;

/// A function of one number, correct to the last bit of a 32-bit float or nearly so; frameworks approximate it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Function {
    /// `x` where `x ≥ 0`, else `e^x - 1`.
    Elu,
    /// `1.0507… · x` where `x ≥ 0`, else `1.0507… · 1.6732… · (e^x - 1)`.
    Selu,
    /// `log(1 + e^x)`.
    Softplus,
    /// `x / (1 + |x|)`.
    Softsign,
    /// `x / (1 + e^-x)`.
    Silu,
    /// `x · Φ(x)` with the normal distribution.
    Gelu,
    /// `x · tanh(log(1 + e^x))`.
    Mish,
}

impl Function {
    /// The result for `x`.
    pub fn apply(self, x: f64) -> f64 {
        const SCALE: f64 = 1.050_700_987_355_480_5;
        const ALPHA: f64 = 1.673_263_242_354_377_2;
        match self {
            Self::Elu if x < 0.0 => x.exp_m1(),
            Self::Elu => x,
            Self::Selu if x < 0.0 => SCALE * ALPHA * x.exp_m1(),
            Self::Selu => SCALE * x,
            Self::Softplus => softplus(x),
            Self::Softsign => x / (1.0 + x.abs()),
            Self::Silu => x / (1.0 + (-x).exp()),
            Self::Gelu => 0.5 * x * complementary_error(-x * std::f64::consts::FRAC_1_SQRT_2),
            Self::Mish => x * softplus(x).tanh(),
        }
    }

    /// How the result grows with `x`.
    pub fn growth(self) -> Growth {
        match self {
            Self::Elu | Self::Selu | Self::Softplus | Self::Softsign => Growth::Rising,
            Self::Silu | Self::Gelu | Self::Mish => Growth::Mixed,
        }
    }

    /// The most by which a change of `x` is multiplied.
    pub fn steepness(self) -> f64 {
        match self {
            Self::Elu | Self::Softplus | Self::Softsign => 1.0,
            Self::Selu => 1.7581,
            Self::Silu => 1.1,
            Self::Gelu => 1.13,
            Self::Mish => 1.09,
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
            (Function::Gelu, 1.0, 0.841_344_746_068_542_9),
            (Function::Gelu, -3.0, -0.004_049_694_095_889_1),
            (Function::Gelu, -6.0, -5.919_525_871_6e-9),
            (Function::Silu, 2.0, 1.761_594_155_955_764_9),
            (Function::Mish, 1.0, 0.865_098_388_267_201),
            (Function::Softplus, 0.0, std::f64::consts::LN_2),
            (Function::Elu, -1.0, -0.632_120_558_828_557_7),
            (Function::Selu, -1.0, -1.111_330_737_812_562_8),
            (Function::Softsign, -1.0, -0.5),
        ] {
            let got = function.apply(x);
            assert!((got - y).abs() <= 1e-9 * y.abs().max(1e-3), "{function:?}({x}) = {got}, expected {y}");
        }
    }
}
