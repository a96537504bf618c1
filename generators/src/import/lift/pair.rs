//! Operations on two tensors: in integers where both have a common step, else as one function where both are functions of
//! the same integers.

use hdl::diag::Diagnostic;

use super::{Constant, Lift, Real, at};
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

    /// `x` and a constant, element by element, or the constant and `x` if `swapped`. The constant stretches to `x`'s shape;
    /// for minimum and maximum both stretch.
    ///
    /// # Errors
    /// Limits that are no numbers, constants that are not finite or do not stretch.
    pub fn pair_with(
        &mut self,
        name: &str,
        operation: Pairing,
        x: Real,
        constant: &Constant,
        swapped: bool,
    ) -> Result<Real, Diagnostic> {
        let numbers = constant.as_float();
        let step = match (operation, numbers.as_scalar().copied()) {
            (Pairing::Add, _) => Step::Add(numbers),
            (Pairing::Sub, _) if swapped => Step::SubtractFrom(numbers),
            (Pairing::Sub, _) => Step::Add(numbers.map(|v| -v)),
            (Pairing::Mul, _) => Step::Mul(numbers),
            (Pairing::Div, _) if swapped => Step::DivideInto(numbers),
            (Pairing::Div, _) => Step::Div(numbers),
            (Pairing::Min | Pairing::Max, Some(v)) if v.is_nan() => return Err(at(name, "its constant is no number")),
            (Pairing::Min, Some(high)) => Step::Clip { low: f32::MIN, high },
            (Pairing::Max, Some(low)) => Step::Clip { low, high: f32::MAX },
            (Pairing::Min | Pairing::Max, None) => {
                let constant = self.constant(name, constant)?;
                return self.pair(name, operation, x, constant);
            }
        };
        self.step(name, x, step)
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
