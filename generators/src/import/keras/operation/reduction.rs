//! Sums, extremes and products along axes.

use hdl::diag::Diagnostic;
use hdl::names::quoted;

use super::Arguments;
use super::arguments::Operand;
use super::movement::without;
use crate::import::keras::class::Results;
use crate::import::keras::einsum::Equation;
use crate::import::lift::{Constant, Lift, Real};
use crate::model::{Array, Op, Step};

/// How elements along axes become one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reduction {
    Sum,
    Mean,
    Max,
    Min,
}

/// A reduction along the axes of parameter 1; with parameter 2 they stay with extent 1.
pub(super) fn reduce(lift: &mut Lift, a: &mut Arguments, reduction: Reduction) -> Results {
    let x = a.tensor(0)?;
    let axes = a.axes(1, lift.shape(&x).len())?;
    let keeps = a.flag(2, false)?;
    let name = a.layer.name.clone();
    let count: usize = axes.iter().map(|axis| lift.shape(&x)[*axis]).product();
    let negative = |lift: &mut Lift, x: Real| lift.step(&name, x, Step::Mul(Array::scalar(-1.0)));
    let y = match reduction {
        Reduction::Sum => lift.reduce(&name, x, axes.clone(), Some(1.0))?,
        Reduction::Mean => lift.reduce(&name, x, axes.clone(), Some(1.0 / count as f64))?,
        Reduction::Max => lift.reduce(&name, x, axes.clone(), None)?,
        Reduction::Min => {
            let x = negative(lift, x)?;
            let y = lift.reduce(&name, x, axes.clone(), None)?;
            negative(lift, y)?
        }
    };
    Ok(vec![if keeps { y } else { without(lift, a, y, &axes)? }])
}

/// The place of the greatest element along an axis; there is a parameter 2 if it may keep the axis.
pub(super) fn arg_max(lift: &mut Lift, a: &mut Arguments, keepdims: bool) -> Results {
    let x = a.tensor(0)?;
    let axis = a.axis(1, lift.shape(&x).len())?;
    let keeps = keepdims && a.flag(2, false)?;
    let y = lift.arg_max(&a.layer.name, x, axis)?;
    Ok(vec![if keeps { y } else { without(lift, a, y, &[axis])? }])
}

/// The matrix product of the last two axes, one or both `turned` first if parameters 2 and 3 say so.
pub(super) fn mat_mul(lift: &mut Lift, a: &mut Arguments, turns: bool) -> Results {
    let x = a.tensor(0)?;
    let y = a.operand(1)?;
    let [turn_x, turn_y] = if turns { [a.flag(2, false)?, a.flag(3, false)?] } else { [false; 2] };
    let x = if turn_x { turned(lift, a, x)? } else { x };
    let name = a.layer.name.clone();
    let y = match y {
        Operand::Tensor(y) => y,
        Operand::Constant(c) if c.shape.len() == 2 => {
            let weights = Constant::float(c.shape, c.values);
            let axes = if turn_y { vec![1, 0] } else { vec![0, 1] };
            let weights = weights.moved(&Op::Transpose { axes }).map_err(|why| a.error(why))?;
            return Ok(vec![lift.dense(&name, x, &weights)?]);
        }
        Operand::Constant(_) => return Err(a.wrong(1, "a matrix")),
    };
    let y = if turn_y { turned(lift, a, y)? } else { y };
    let (one, other) = (lift.shape(&x).to_vec(), lift.shape(&y).to_vec());
    let rank = one.len();
    if rank < 3 || other.len() != rank || one[..rank - 2] != other[..rank - 2] || one[rank - 1] != other[rank - 2] {
        return Err(a
            .error(format!("the product of tensors of shapes {one:?} and {other:?} is not supported"))
            .help("both operands have an axis of samples and then matrices that fit"));
    }
    Ok(vec![lift.mat_mul(&name, x, y)?])
}

/// The last two axes change places; that of the samples is none of them.
fn turned(lift: &mut Lift, a: &Arguments, x: Real) -> Result<Real, Diagnostic> {
    let rank = lift.shape(&x).len();
    if rank < 3 {
        return Err(a.error("it transposes the axis of the samples"));
    }
    let axes = (0..rank - 2).chain([rank - 1, rank - 2]).collect();
    lift.moved(&a.layer.name, x, Op::Transpose { axes })
}

/// Two operands by an equation, parameter 2.
pub(super) fn einsum(lift: &mut Lift, a: &mut Arguments) -> Results {
    let (x, y) = (a.tensor(0)?, a.tensor(1)?);
    let text = a.value(2)?.as_str().unwrap_or_default().to_owned();
    let equation = Equation::parse(&text, lift.shape(&x).len());
    let equation = equation.ok_or_else(|| a.error(format!("the equation {} is not supported", quoted(&text))))?;
    Ok(vec![lift.product(a.layer, [x, y], &equation)?])
}
