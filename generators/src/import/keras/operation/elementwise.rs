//! Arithmetic and activations.

use super::Arguments;
use super::arguments::Operand;
use crate::import::keras::class::Results;
use crate::import::keras::function;
use crate::import::keras::quantiser::Dialect;
use crate::import::lift::{Constant, Lift};
use crate::model::{Array, Function, Pairing, Step};

/// Arithmetic of the first two parameters.
pub(super) fn pair(lift: &mut Lift, a: &mut Arguments, operation: Pairing) -> Results {
    let name = a.layer.name.clone();
    let known = |numbers: Array<f32>| Constant::float(numbers.shape, numbers.values);
    let y = match (a.operand(0)?, a.operand(1)?) {
        (Operand::Tensor(x), Operand::Tensor(y)) => {
            let ranks = [lift.shape(&x).len(), lift.shape(&y).len()];
            if ranks[0] != ranks[1] {
                return Err(a.error(format!(
                    "its operands have {} and {} axes, so that samples of one meet other axes of the other",
                    ranks[0], ranks[1]
                )));
            }
            lift.pair(&name, operation, x, y)?
        }
        (Operand::Tensor(x), Operand::Constant(c)) => {
            if operation == Pairing::Add && is_ambiguous(lift.shape(&x), &c.shape) {
                return Err(a
                    .error(format!("numbers of shape {:?} fit several axes of {:?}", c.shape, lift.shape(&x)))
                    .help("Keras 3 adds them along another axis on TensorFlow than elsewhere; put the numbers first"));
            }
            lift.pair_with(&name, operation, x, &known(c), false)?
        }
        (Operand::Constant(c), Operand::Tensor(x)) => lift.pair_with(&name, operation, x, &known(c), true)?,
        (Operand::Constant(_), Operand::Constant(_)) => return Err(a.error("none of its operands is a tensor")),
    };
    Ok(vec![y])
}

/// Whether Keras 3 on TensorFlow takes numbers for a bias of another axis than they stretch along: of the last one, or of
/// the first one behind the samples, if it has as many elements.
fn is_ambiguous(tensor: &[usize], numbers: &[usize]) -> bool {
    let long: Vec<usize> = (0..numbers.len()).filter(|axis| numbers[*axis] > 1).collect();
    let &[axis] = long.as_slice() else { return false };
    let (extent, from_end) = (numbers[axis], numbers.len() - axis);
    match tensor {
        [_, .., last] if *last == extent => from_end != 1,
        [_, first, ..] if *first == extent => from_end + 1 != tensor.len(),
        _ => false,
    }
}

/// The first parameter through `step`.
pub(super) fn through(lift: &mut Lift, a: &mut Arguments, step: Step) -> Results {
    let x = a.tensor(0)?;
    Ok(vec![lift.step(&a.layer.name, x, step)?])
}

/// The first parameter through the function that Keras 3 calls so.
pub(super) fn activation(lift: &mut Lift, a: &mut Arguments, name: &str) -> Results {
    let steps = function::steps(name, Dialect::Keras3).ok_or_else(|| a.error("it is not known"))?;
    let x = a.tensor(0)?;
    let y = steps.into_iter().try_fold(x, |x, step| lift.step(&a.layer.name, x, step))?;
    Ok(vec![y])
}

/// `gelu` with parameter `approximate`, `default` if it is not given.
pub(super) fn gelu(lift: &mut Lift, a: &mut Arguments, default: bool) -> Results {
    let function = if a.flag(1, default)? { Function::GeluTanh } else { Function::Gelu };
    through(lift, a, Step::Function(function))
}

/// `elu` with parameter `alpha`.
pub(super) fn elu(lift: &mut Lift, a: &mut Arguments) -> Results {
    let alpha = a.number(1, 1.0)?;
    through(lift, a, Step::Function(Function::Elu { alpha }))
}

/// `x` where it is positive, else a fraction of it.
pub(super) fn leaky_relu(lift: &mut Lift, a: &mut Arguments) -> Results {
    let slope = a.number(1, 0.2)?;
    through(lift, a, Step::LeakyRelu(Array::scalar(slope)))
}

/// Not below the second parameter, not above the third.
pub(super) fn clip(lift: &mut Lift, a: &mut Arguments) -> Results {
    let [low, high] = [a.number(1, f32::NAN)?, a.number(2, f32::NAN)?];
    if low.is_nan() || high.is_nan() || low > high {
        return Err(a.error("its limits are not two numbers, the lesser first"));
    }
    through(lift, a, Step::Clip { low, high })
}

/// The product of the parameter with itself.
pub(super) fn square(lift: &mut Lift, a: &mut Arguments) -> Results {
    let x = a.tensor(0)?;
    Ok(vec![lift.pair(&a.layer.name, Pairing::Mul, x.clone(), x)?])
}

/// The softmax along an axis, the last one if none is given.
pub(super) fn softmax(lift: &mut Lift, a: &mut Arguments) -> Results {
    let x = a.tensor(0)?;
    let axis = a.axis_or_last(1, lift, &x)?;
    Ok(vec![lift.softmax(&a.layer.name, x, axis)?])
}

/// The parameter itself, if it stays a tensor of 32-bit floats.
pub(super) fn cast(_: &mut Lift, a: &mut Arguments) -> Results {
    match a.value(1)?.as_str() {
        Some("float32") => Ok(vec![a.tensor(0)?]),
        _ => Err(a.wrong(1, "float32")),
    }
}

#[cfg(test)]
mod tests {
    use super::is_ambiguous;

    #[test]
    fn numbers_along_one_of_two_equal_axes() {
        assert!(is_ambiguous(&[1, 4, 4], &[4, 1]) && is_ambiguous(&[1, 3, 3, 2], &[3, 1]));
        for (tensor, numbers) in
            [(&[1, 4, 4][..], &[4][..]), (&[1, 4, 6], &[4, 1]), (&[1, 4, 4], &[4, 4]), (&[1, 4], &[])]
        {
            assert!(!is_ambiguous(tensor, numbers), "{tensor:?} {numbers:?}");
        }
    }
}
