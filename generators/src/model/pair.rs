//! Operations on two functions of one number.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::function::Growth;

/// An operation on two numbers, rounded to a 32-bit float.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pairing {
    /// `a + b`.
    Add,
    /// `a - b`.
    Sub,
    /// `a · b`.
    Mul,
    /// `a / b`.
    Div,
    /// The lesser.
    Min,
    /// The greater.
    Max,
}

impl Pairing {
    /// The result.
    pub fn apply(self, a: f32, b: f32) -> f32 {
        match self {
            Self::Add => a + b,
            Self::Sub => a - b,
            Self::Mul => a * b,
            Self::Div => a / b,
            Self::Min => a.min(b),
            Self::Max => a.max(b),
        }
    }

    /// The least result of operands between these ends for a `direction` of -1, the greatest for 1.
    pub(super) fn furthest(self, a: [f32; 2], b: [f32; 2], direction: f32) -> f32 {
        let all = [(a[0], b[0]), (a[0], b[1]), (a[1], b[0]), (a[1], b[1])].map(|(a, b)| self.apply(a, b));
        all.into_iter().reduce(|x, y| if (y - x) * direction > 0.0 { y } else { x }).expect("four numbers")
    }

    /// How the result grows, from how the operands do.
    pub(super) fn growth(self, a: Growth, b: Growth) -> Growth {
        match (self, a, b) {
            (Self::Add | Self::Min | Self::Max, a, b) if a == b => a,
            (Self::Sub, Growth::Rising, Growth::Falling) => Growth::Rising,
            (Self::Sub, Growth::Falling, Growth::Rising) => Growth::Falling,
            _ => Growth::Mixed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Step;

    #[test]
    fn a_chain_is_multiplied_by_another() {
        let silu = Step::Pair { operation: Pairing::Mul, left: Vec::new(), right: vec![Step::Sigmoid] };
        assert!((silu.apply(2.0f32) - 1.761_594_2).abs() < 1e-6);
        assert!(silu.is_approximate() && silu.growth() == Growth::Mixed);
        assert!(silu.moved(2.0, -1.0) < silu.apply(2.0) && silu.moved(2.0, 1.0) > silu.apply(2.0));
        let sum = Step::Pair { operation: Pairing::Add, left: vec![Step::Mul(2.0f32)], right: vec![Step::Relu] };
        assert_eq!((sum.apply(3.0), sum.growth(), sum.parameters()), (9.0, Growth::Rising, vec![&2.0]));
    }
}
