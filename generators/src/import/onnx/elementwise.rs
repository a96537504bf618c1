//! Element-wise operators: with constants they join the chain of a tensor, with tensors they become layers.

use hdl::diag::Diagnostic;

use super::fold;
use super::movement::reshaped;
use super::node::{Node, Tensor, Value};
use super::operators::{Domain, Results};
use super::tensor::Kind;
use crate::import::lift::{Constant, Lift, Real};
use crate::model::{Array, Function, Pairing, Step};

/// An operator of two operands.
pub(super) fn binary(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    if node.operands() != 2 {
        return Err(node.error(format!("{} operands instead of 2", node.operands())));
    }
    let a = node.operand(0)?.clone();
    let b = stretched(lift, node, &a, node.operand(1)?.clone())?;
    Ok(vec![pair(lift, node, node.operator.name, a, b)?])
}

/// An operator of any number of operands, one after the other.
pub(super) fn variadic(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let operator = match node.operator.name {
        "Sum" | "Mean" => "Add",
        other => other,
    };
    let mut result = node.operand(0)?.clone();
    for k in 1..node.operands() {
        let next = node.operand(k)?.clone();
        if node.version < 8 && shape(lift, &next) != shape(lift, &result) {
            return Err(node.error("before version 8 of the operator set all operands have one shape"));
        }
        result = pair(lift, node, operator, result, next)?;
    }
    if node.operator.name == "Mean" && node.operands() > 1 {
        // onnxruntime multiplies by the inverse
        let part = Constant::float(Vec::new(), vec![1.0 / node.operands() as f32]);
        result = pair(lift, node, "Mul", result, Tensor::constant(part, Kind::Float))?;
    }
    Ok(vec![result])
}

/// Extent of each axis.
pub(super) fn shape(lift: &Lift, tensor: &Tensor) -> Vec<usize> {
    match &tensor.value {
        Value::Constant(constant) => constant.shape().to_vec(),
        Value::Real(real) => lift.shape(real).to_vec(),
    }
}

/// The second operand as it stretches: before version 7 only if `broadcast` says so, and from `axis` on.
fn stretched(lift: &mut Lift, node: &Node<'_>, a: &Tensor, b: Tensor) -> Result<Tensor, Diagnostic> {
    if node.version >= 7 {
        return Ok(b);
    }
    let (broadcast, axis) = (node.flag("broadcast", false)?, node.int("axis", -1)?);
    let (shape_a, shape_b) = (shape(lift, a), shape(lift, &b));
    if !broadcast {
        return match shape_a == shape_b && !node.has("axis") {
            true => Ok(b),
            false => Err(node.error("before version 7 of the operator set operands stretch only with broadcast = 1")),
        };
    }
    if !node.has("axis") {
        return Ok(b);
    }
    let axis = node.axis(axis, shape_a.len())?;
    let missing = shape_a.len().checked_sub(axis + shape_b.len());
    let missing =
        missing.ok_or_else(|| node.error(format!("{shape_b:?} does not fit {shape_a:?} from axis {axis} on")))?;
    reshaped(lift, node, &b, [shape_b, vec![1; missing]].concat())
}

fn pair(lift: &mut Lift, node: &Node<'_>, operator: &str, a: Tensor, b: Tensor) -> Result<Tensor, Diagnostic> {
    if a.kind != b.kind {
        return Err(node.error(format!("its operands have data types {} and {}", a.kind.name(), b.kind.name())));
    }
    let kind = a.kind;
    let ordering = matches!(operator, "Min" | "Max");
    let supported = |value: &Value| matches!(value, Value::Constant(_)) || kind == Kind::Float || ordering;
    if !(supported(&a.value) && supported(&b.value)) {
        return Err(node
            .error(format!("computed tensors of data type {} are not supported here", kind.name()))
            .help("cast or dequantise them to float first"));
    }
    let value = match (a.value, b.value) {
        (Value::Constant(a), Value::Constant(b)) => Value::Constant(fold::arithmetic(node, operator, &a, &b, kind)?),
        (Value::Real(x), Value::Real(y)) => Value::Real(lift.pair(&node.name, pairing(node, operator)?, x, y)?),
        (Value::Real(x), Value::Constant(c)) if operator == "Pow" => Value::Real(power(lift, node, x, &c.as_float())?),
        (Value::Real(x), Value::Constant(c)) => Value::Real(with_constant(lift, node, operator, x, &c, false)?),
        (Value::Constant(c), Value::Real(x)) => Value::Real(with_constant(lift, node, operator, x, &c, true)?),
    };
    Ok(Tensor { value, kind })
}

/// A tensor and a constant, which may stretch the tensor.
fn with_constant(
    lift: &mut Lift,
    node: &Node<'_>,
    operator: &str,
    x: Real,
    c: &Constant,
    swapped: bool,
) -> Result<Real, Diagnostic> {
    let x = super::movement::expanded(lift, node, x, c.shape())?;
    lift.pair_with(&node.name, pairing(node, operator)?, x, c, swapped)
}

fn pairing(node: &Node<'_>, operator: &str) -> Result<Pairing, Diagnostic> {
    Ok(match operator {
        "Add" => Pairing::Add,
        "Sub" => Pairing::Sub,
        "Min" => Pairing::Min,
        "Max" => Pairing::Max,
        "Mul" => Pairing::Mul,
        "Div" => Pairing::Div,
        _ => return Err(node.error("it is supported for constant exponents only")),
    })
}

/// Squares, cubes and roots: what is multiplied in one order only, or rounded once.
fn power(lift: &mut Lift, node: &Node<'_>, x: Real, exponent: &Array<f32>) -> Result<Real, Diagnostic> {
    let exponent = exponent.as_scalar().copied().filter(|e| [1.0, 2.0, 3.0, 0.5].contains(e));
    let exponent = exponent.ok_or_else(|| node.error("exponents of computed tensors are 0.5, 1, 2 and 3"))?;
    if exponent == 0.5 {
        return lift.step(&node.name, x, Step::Function(Function::Sqrt));
    }
    let product = |lift: &mut Lift, a: Real| lift.pair(&node.name, Pairing::Mul, a, x.clone());
    (1..exponent as usize).try_fold(x.clone(), |power, _| product(lift, power))
}

/// The operand itself.
pub(super) fn identity(_: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    Ok(vec![node.operand(0)?.clone()])
}

/// The operand itself, unless the model is trained.
pub(super) fn dropout(_: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let training = match node.version {
        ..7 => !node.flag("is_test", false)?,
        _ => node.optional_integers(2)?.is_some_and(|mode| mode != [0]),
    };
    // how much would be dropped
    node.optional(1)?;
    if training {
        return Err(node.error("it is in training mode").help("export the model for inference"));
    }
    Ok(vec![node.operand(0)?.clone()])
}

/// Computed tensors become floats; constants whatever holds them.
pub(super) fn cast(_: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let to = node.int("to", 0)?;
    let kind = i32::try_from(to).map_err(|_| node.unsupported("to", "a data type"))?;
    let kind = Kind::of(kind).map_err(|why| node.error(why))?;
    let operand = node.operand(0)?;
    let value = match &operand.value {
        Value::Constant(constant) => Value::Constant(fold::cast(node, constant, operand.kind, kind)?),
        real if kind == operand.kind => real.clone(),
        real if kind == Kind::Float && operand.kind.limits().is_some() => real.clone(),
        Value::Real(_) => {
            let (from, to) = (operand.kind.name(), kind.name());
            return Err(node
                .error(format!("a computed tensor of data type {from} is not cast to {to}, only integers to float"))
                .help("use a quantiser to round"));
        }
    };
    Ok(vec![Tensor { value, kind }])
}

/// `Clip`, its limits attributes before version 11.
pub(super) fn clip(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let operand = node.operand(0)?;
    let limit = |k: usize, name: &str, default: f32| -> Result<f32, Diagnostic> {
        match node.optional(k)? {
            None if node.version < 11 => node.float(name, default),
            None => Ok(default),
            Some(tensor) if tensor.kind != operand.kind => {
                Err(node.error(format!("its limits have data type {}", tensor.kind.name())))
            }
            Some(_) => Ok(node.optional_number(k)?.unwrap_or(default)),
        }
    };
    let (low, high) = (limit(1, "min", f32::MIN)?, limit(2, "max", f32::MAX)?);
    if low > high || low.is_nan() || high.is_nan() {
        return Err(node.error(format!("there is nothing between {low} and {high}")));
    }
    let value = match &operand.value {
        Value::Real(x) => Value::Real(lift.step(&node.name, x.clone(), Step::Clip { low, high })?),
        Value::Constant(c) => Value::Constant(match c {
            Constant::Integer(a) => Constant::Integer(a.map(|v| (*v).max(low as i64).min(high as i64))),
            Constant::Float { array, .. } => {
                Constant::float(array.shape.clone(), array.values.iter().map(|v| v.max(low).min(high)).collect())
            }
        }),
    };
    Ok(vec![Tensor { value, kind: operand.kind }])
}

/// `x · s + t` in two roundings, with `s` and `t` computed in 32-bit floats as onnxruntime does.
pub(super) fn batch_normalization(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let x = node.real(0)?;
    if node.version >= 14 && node.flag("training_mode", false)? {
        return Err(node.error("it is in training mode").help("export the model for inference"));
    }
    if node.version < 9 && !node.flag("spatial", true)? {
        return Err(node.unsupported("spatial", "1, one parameter for each channel"));
    }
    let rank = lift.shape(&x).len();
    if rank < 2 {
        return Err(node.error("its operand has no channel axis"));
    }
    let axis = if node.operator.domain == Domain::ChannelsLast { rank - 1 } else { 1 };
    let epsilon = node.float("epsilon", 1e-5)?;
    let [gamma, beta, mean, variance] = [node.floats(1)?, node.floats(2)?, node.floats(3)?, node.floats(4)?];
    let channels = lift.shape(&x)[axis];
    if [&gamma, &beta, &mean, &variance].iter().any(|p| p.shape != [channels]) {
        return Err(node.error(format!("its parameters are no lists of {channels} numbers")));
    }
    if variance.values.iter().any(|v| v + epsilon <= 0.0) {
        return Err(node.error("a variance is negative"));
    }
    let misfit = || node.error("its parameters differ in shape");
    let inverse = variance.map(|v| 1.0 / (v + epsilon).sqrt());
    let scale = gamma.zip(&inverse, |g, i| g * i).ok_or_else(misfit)?;
    let shift = mean.zip(&scale, |m, s| m * s).and_then(|ms| beta.zip(&ms, |b, ms| b - ms)).ok_or_else(misfit)?;
    let along =
        |array: Array<f32>| Array { shape: [array.shape, vec![1; rank - 1 - axis]].concat(), values: array.values };
    let x = lift.step(&node.name, x, Step::Mul(along(scale)))?;
    Ok(vec![Tensor::float(lift.step(&node.name, x, Step::Add(along(shift)))?)])
}
