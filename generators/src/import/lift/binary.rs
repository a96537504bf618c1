//! Arithmetic of two operands, of which one may be known.

use hdl::diag::Diagnostic;

use super::{Constant, Lift, Real, at};
use crate::model::{Array, Op, Step};

/// Arithmetic, element by element; the operands stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    /// The sum.
    Add,
    /// The difference.
    Sub,
    /// The product.
    Mul,
    /// The quotient.
    Div,
    /// The lesser.
    Min,
    /// The greater.
    Max,
}

impl Lift {
    /// Both operands are computed.
    ///
    /// # Errors
    /// A quotient, operands that have no common step or do not stretch to one shape.
    pub fn binary(&mut self, name: &str, binary: Binary, x: Real, y: Real) -> Result<Real, Diagnostic> {
        match binary {
            Binary::Add => self.combine(name, Op::Add, x, y),
            Binary::Sub => self.combine(name, Op::Sub, x, y),
            Binary::Min => self.combine(name, Op::Min, x, y),
            Binary::Max => self.combine(name, Op::Max, x, y),
            Binary::Mul => self.mul(name, x, y),
            Binary::Div => Err(divided(name)),
        }
    }

    /// The second operand is known, or the first if `swapped`. It must stretch to the other one's shape.
    ///
    /// # Errors
    /// A number divided by a tensor, constants that are not finite or do not stretch.
    pub fn binary_with(
        &mut self,
        name: &str,
        binary: Binary,
        x: Real,
        constant: Array<f32>,
        swapped: bool,
    ) -> Result<Real, Diagnostic> {
        let step = match (binary, constant.as_scalar()) {
            (Binary::Add, _) => Step::Add(constant),
            (Binary::Sub, _) if swapped => Step::SubtractFrom(constant),
            (Binary::Sub, _) => Step::Add(constant.map(|v| -v)),
            (Binary::Mul, _) => Step::Mul(constant),
            (Binary::Div, _) if swapped => return Err(divided(name)),
            (Binary::Div, _) => Step::Div(constant),
            (Binary::Min | Binary::Max, Some(v)) if v.is_nan() => return Err(at(name, "its constant is no number")),
            (Binary::Min, Some(&high)) => Step::Clip { low: f32::MIN, high },
            (Binary::Max, Some(&low)) => Step::Clip { low, high: f32::MAX },
            (Binary::Min | Binary::Max, None) => {
                let constant = self.constant(name, &Constant::float(constant.shape, constant.values))?;
                return self.binary(name, binary, x, constant);
            }
        };
        self.step(name, x, step)
    }
}

fn divided(name: &str) -> Diagnostic {
    at(name, "division by a computed tensor is not supported").help("divide by a constant")
}
