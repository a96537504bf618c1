//! Operations on two tensors: in integers where both have a common step, else as one function where both are functions of
//! the same integers.

use hdl::diag::Diagnostic;

use super::{Lift, Real, at};
use crate::model::{Op, Pairing, Step};

/// Most steps of one chain: what a chain is paired with doubles it.
const MAX_CHAIN: usize = 256;

impl Lift {
    /// `x` and `y`, element by element.
    ///
    /// # Errors
    /// Operands that have no common step and are no functions of one tensor; quotients of other operands.
    pub fn pair(&mut self, name: &str, operation: Pairing, x: Real, y: Real) -> Result<Real, Diagnostic> {
        let same = x.tensor == y.tensor && x.unit == y.unit && x.raw == y.raw;
        let in_integers =
            operation != Pairing::Div && x.raw.is_none() && self.plan(&x).is_ok() && self.plan(&y).is_ok();
        if same && !in_integers {
            return self.of_one(name, operation, x, y);
        }
        let integers = self.in_integers(name, operation, x.clone(), y.clone());
        if integers.is_err() && same { self.of_one(name, operation, x, y) } else { integers }
    }

    fn in_integers(&mut self, name: &str, operation: Pairing, x: Real, y: Real) -> Result<Real, Diagnostic> {
        match operation {
            Pairing::Add => self.combine(name, Op::Add, x, y),
            Pairing::Sub => self.combine(name, Op::Sub, x, y),
            Pairing::Min => self.combine(name, Op::Min, x, y),
            Pairing::Max => self.combine(name, Op::Max, x, y),
            Pairing::Mul => self.mul(name, x, y),
            Pairing::Div => Err(at(name, "the quotient of two computed tensors is not supported")
                .help("divide by a constant, or by a function of the same tensor in front of a quantiser")),
        }
    }

    /// One function of the integers that both are functions of.
    fn of_one(&self, name: &str, operation: Pairing, x: Real, y: Real) -> Result<Real, Diagnostic> {
        self.no_softmax(name, &x)?;
        self.no_softmax(name, &y)?;
        let noise = x.noise.max(y.noise);
        let pair = Step::Pair { operation, left: x.steps.clone(), right: y.steps };
        if length(std::slice::from_ref(&pair)) > MAX_CHAIN {
            return Err(at(
                name,
                format!("more than {MAX_CHAIN} element-wise operations stand between two quantisers"),
            ));
        }
        Ok(Real { steps: vec![pair], noise, ..x })
    }
}

/// Steps of a chain and of all chains in it.
fn length(steps: &[Step]) -> usize {
    let of = |step: &Step| match step {
        Step::Pair { left, right, .. } => 1 + length(left) + length(right),
        _ => 1,
    };
    steps.iter().map(of).sum()
}
