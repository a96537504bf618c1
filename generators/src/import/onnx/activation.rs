//! Functions of one tensor: they join its chain, which a quantiser behind them turns into a table of integers.

use hdl::diag::Diagnostic;
use hdl::num::Rounding;

use super::fold;
use super::node::{Node, Tensor, Value};
use super::operators::Results;
use super::tensor::Kind;
use crate::import::lift::{Lift, Meaning};
use crate::model::{Array, Function, Quantiser, Step};

/// A function of one operand.
pub(super) fn unary(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let operator = node.operator.name;
    let operand = node.operand(0)?;
    let kind = operand.kind;
    let slope = if operator == "LeakyRelu" { node.float("alpha", 0.01)? } else { 0.0 };
    let real = match &operand.value {
        Value::Constant(c) => return Ok(vec![Tensor::constant(fold::function(node, c, kind)?, kind)]),
        Value::Real(real) => real.clone(),
    };
    if kind != Kind::Float && operator != "Relu" {
        return Err(node.error(format!("computed tensors of data type {} are not supported here", kind.name())));
    }
    let step = match operator {
        "Relu" => Step::Relu,
        "LeakyRelu" => Step::LeakyRelu(Array::scalar(slope)),
        "Neg" => Step::Mul(Array::scalar(-1.0)),
        "Abs" => Step::Abs,
        "Sigmoid" => Step::Sigmoid,
        "Tanh" => Step::Tanh,
        "Exp" => Step::Exp,
        "Reciprocal" => Step::DivideInto(Array::scalar(1.0)),
        _ => Step::Function(function(node)?),
    };
    let value = Value::Real(lift.step(&node.name, real, step)?);
    Ok(vec![Tensor { value, kind }])
}

/// The function of that operator and its attributes.
fn function(node: &Node<'_>) -> Result<Function, Diagnostic> {
    let positive = |name: &str, default: f32| match node.float(name, default)? {
        v if v > 0.0 && v.is_finite() => Ok(v),
        _ => Err(node.unsupported(name, "numbers above 0")),
    };
    Ok(match node.operator.name {
        "Elu" => Function::Elu { alpha: positive("alpha", 1.0)? },
        "Celu" => Function::Celu { alpha: positive("alpha", 1.0)? },
        "Selu" => Function::Selu { alpha: positive("alpha", 1.673_263_2)?, gamma: positive("gamma", 1.050_701)? },
        "Softplus" => Function::Softplus,
        "Softsign" => Function::Softsign,
        "HardSwish" => Function::HardSwish,
        "Swish" => Function::Swish { beta: positive("alpha", 1.0)? },
        "Mish" => Function::Mish,
        "Erf" => Function::Erf,
        "Log" => Function::Log,
        "Sqrt" => Function::Sqrt,
        "Shrink" => Function::Shrink { bias: node.float("bias", 0.0)?, lambda: node.float("lambd", 0.5)? },
        "Gelu" => match node.text("approximate", "none")?.as_str() {
            "none" => Function::Gelu,
            "tanh" => Function::GeluTanh,
            _ => return Err(node.unsupported("approximate", "none and tanh")),
        },
        _ => return Err(node.error("it is supported for constants only")),
    })
}

/// `x` above `alpha`, else 0.
pub(super) fn thresholded_relu(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let step = Step::Above(Array::scalar(node.float("alpha", 1.0)?));
    Ok(vec![Tensor::float(lift.step(&node.name, node.real(0)?, step)?)])
}

/// Whole numbers: the rounding is the quantiser, for operands that are not beyond what floats hold.
pub(super) fn rounded(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    const MOST: f32 = (1u32 << 23) as f32;
    let kind = node.operand(0)?.kind;
    let x = match &node.operand(0)?.value {
        Value::Constant(c) => return Ok(vec![Tensor::constant(fold::function(node, c, kind)?, kind)]),
        Value::Real(x) => x.clone(),
    };
    if x.raw.is_some() {
        return Err(node
            .error("it rounds an input whose format is not known")
            .help("give the input's format, such as --input-format s8.4"));
    }
    let number = Array::scalar;
    let quantiser = match node.operator.name {
        "Sign" => Quantiser::Count { thresholds: vec![number(0.0), number(f32::from_bits(1))], first: -1, step: 1 },
        name => Quantiser::Integer {
            scale: number(1.0),
            zero: number(0.0),
            low: number(-MOST),
            high: number(MOST),
            rounding: match name {
                "Floor" => Rounding::Floor,
                "Ceil" => Rounding::Ceil,
                _ => Rounding::HalfEven,
            },
        },
    };
    let meaning = Meaning { unit: Array::scalar(1.0), steps: Vec::new() };
    let y = lift.quantise(&node.name, x, quantiser, meaning)?;
    if lift.magnitude(&y) >= f64::from(MOST) {
        return Err(node.error(format!("its operand reaches {MOST}")).help("put a Clip in front of it"));
    }
    Ok(vec![Tensor { value: Value::Real(y), kind }])
}

/// `PRelu`; before version 7 the slopes are those of the channels, axis 1.
pub(super) fn prelu(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let x = node.real(0)?;
    let mut slope = node.floats(1)?;
    let rank = lift.shape(&x).len();
    if node.version < 7 && slope.values.len() > 1 {
        slope.shape = [vec![slope.values.len()], vec![1; rank.saturating_sub(2)]].concat();
    }
    Ok(vec![Tensor::float(lift.step(&node.name, x, Step::LeakyRelu(slope))?)])
}

/// `max(0, min(1, alpha · x + beta))`.
pub(super) fn hard_sigmoid(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let x = node.real(0)?;
    let x = lift.step(&node.name, x, Step::Mul(Array::scalar(node.float("alpha", 0.2)?)))?;
    let x = lift.step(&node.name, x, Step::Add(Array::scalar(node.float("beta", 0.5)?)))?;
    Ok(vec![Tensor::float(lift.step(&node.name, x, Step::Clip { low: 0.0, high: 1.0 })?)])
}
