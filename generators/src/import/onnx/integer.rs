//! Operators on quantised integers: sums of products are exact, and a result is rounded once, from a 32-bit float.

use hdl::diag::Diagnostic;

use super::node::{Node, Tensor, Value};
use super::operators::Results;
use super::qlinear::Coded;
use super::tensor::Kind;
use crate::import::lift::{Constant, Lift, Noise, Real, Shaped};
use crate::model::{Array, Op, Step};

/// Beyond this sums of 32 bits wrap.
const MAX_SUM: f64 = (1u64 << 31) as f64;

/// `A · B` of integers, as 32-bit integers.
pub(super) fn mat_mul_integer(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let y = product(lift, node, (0, 2), (1, 3))?;
    Ok(vec![Tensor { value: Value::Real(y), kind: Kind::Int32 }])
}

/// A convolution of integers, as 32-bit integers.
pub(super) fn conv_integer(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let y = correlation(lift, node, (0, 2), (1, 3))?;
    Ok(vec![Tensor { value: Value::Real(y), kind: Kind::Int32 }])
}

/// `A · B` in another scale.
pub(super) fn qlinear_mat_mul(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let y = product(lift, node, (0, 2), (3, 5))?;
    requantised(lift, node, y, ([1, 4, 6], 1.0), 7, |scales| scales)
}

/// A convolution with a bias of 32-bit integers in another scale.
pub(super) fn qlinear_conv(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let mut y = correlation(lift, node, (0, 2), (3, 5))?;
    let rank = lift.shape(&y).len();
    let along = |shape: Vec<usize>| if shape.is_empty() { shape } else { [shape, vec![1; rank - 2]].concat() };
    if let Some(bias) = node.optional_constant(8)? {
        let channels = lift.shape(&y)[1];
        if bias.shape() != [channels] {
            return Err(node.error(format!("its bias {:?} is no list of {channels} numbers", bias.shape())));
        }
        let bias = bias.moved(&Op::Reshape { shape: along(vec![channels]) }).map_err(|why| node.error(why))?;
        let bias = lift.constant(&node.name, &bias)?;
        y = lift.combine(&node.name, Op::Add, y, bias)?;
        y = whole(lift, node, y)?;
    }
    let channels = |scales: Array<f32>| Array { shape: along(scales.shape), values: scales.values };
    requantised(lift, node, y, ([1, 4, 6], 1.0), 7, channels)
}

/// `alpha · A · B` with a sum of 32-bit integers added, in another scale or as floats.
pub(super) fn qgemm(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let mut x = centred(lift, node, (0, 2))?;
    if lift.shape(&x).len() != 2 || node.constant(3)?.shape().len() != 2 {
        return Err(node.error("matrices are wanted"));
    }
    let turned = Op::Transpose { axes: vec![1, 0] };
    if node.flag("transA", false)? {
        x = lift.moved(&node.name, x, turned.clone())?;
    }
    let turns = node.flag("transB", false)?;
    let mut weights = centred_weights(node, (3, 5), usize::from(!turns))?;
    if turns {
        weights = weights.moved(&turned).map_err(|why| node.error(why))?;
    }
    let y = lift.dense(&node.name, x, &weights)?;
    let mut y = whole(lift, node, y)?;
    if let Some(c) = node.optional_constant(6)? {
        if crate::model::broadcast(c.shape(), lift.shape(&y)).as_deref() != Some(lift.shape(&y)) {
            return Err(node.error(format!("C of shape {:?} does not stretch to {:?}", c.shape(), lift.shape(&y))));
        }
        let c = lift.constant(&node.name, c)?;
        y = lift.combine(&node.name, Op::Add, y, c)?;
        y = whole(lift, node, y)?;
    }
    let alpha = node.float("alpha", 1.0)?;
    if node.optional(7)?.is_some() {
        return requantised(lift, node, y, ([1, 4, 7], alpha), 8, |scales| scales);
    }
    let a = node.optional_number(1)?.ok_or_else(|| node.error("operand 1 is missing"))?;
    let scales = node.floats(4)?.map(|b| alpha * a * b);
    let scales = if scales.values.len() == 1 { Array::scalar(scales.values[0]) } else { scales };
    Ok(vec![Tensor::float(lift.step(&node.name, y, Step::Mul(scales))?)])
}

/// The integers of operand `k` less those of its zero point.
pub(super) fn centred(lift: &mut Lift, node: &Node<'_>, (k, zero): (usize, usize)) -> Result<Real, Diagnostic> {
    let mut x = node.real(k)?;
    let kind = node.operand(k)?.kind;
    if let Some(point) = node.optional(zero)? {
        if point.kind != kind {
            return Err(node.error("a zero point has another data type than its operand"));
        }
        let point = node.optional_number(zero)?.unwrap_or(0.0);
        if x.steps.last() == Some(&Step::Add(Array::scalar(point))) && x.raw.is_none() {
            x.steps.pop();
        } else if point != 0.0 {
            x = lift.step(&node.name, x, Step::Add(Array::scalar(-point)))?;
        }
    }
    Ok(x)
}

/// Constant integers less their zero points, one number or one for each index along `axis`.
pub(super) fn centred_weights(node: &Node<'_>, (k, zero): (usize, usize), axis: usize) -> Result<Constant, Diagnostic> {
    let (Constant::Integer(weights), kind) = (node.constant(k)?, node.operand(k)?.kind) else {
        return Err(node.error("weights are integers"));
    };
    let Some(Constant::Integer(point)) = node.optional_constant(zero)? else {
        return Ok(Constant::Integer(weights.clone()));
    };
    if node.operand(zero)?.kind != kind {
        return Err(node.error("a zero point has another data type than its operand"));
    }
    let mut along = vec![1; weights.shape.len()];
    if point.values.len() != 1 {
        if point.shape != [weights.shape.get(axis).copied().unwrap_or(0)] {
            return Err(node.error(format!("zero points of shape {:?} are not supported", point.shape)));
        }
        along[axis] = point.values.len();
    }
    let point = Array { shape: along, values: point.values.clone() };
    let centred = weights.zip(&point, |w, z| w - z);
    centred.map(Constant::Integer).ok_or_else(|| node.error("its zero point does not fit"))
}

fn product(lift: &mut Lift, node: &Node<'_>, a: (usize, usize), b: (usize, usize)) -> Result<Real, Diagnostic> {
    let x = centred(lift, node, a)?;
    let columns = node.constant(b.0)?.shape().len().saturating_sub(1);
    let weights = centred_weights(node, b, columns)?;
    let y = super::linear::times(lift, node, x, &weights)?;
    whole(lift, node, y)
}

fn correlation(lift: &mut Lift, node: &Node<'_>, x: (usize, usize), w: (usize, usize)) -> Result<Real, Diagnostic> {
    let x = centred(lift, node, x)?;
    let weights = centred_weights(node, w, 0)?;
    let rank = lift.shape(&x).len();
    if rank < 3 || weights.shape().len() != rank {
        let shape = lift.shape(&x);
        return Err(node.error(format!("filters {:?} do not fit operands {shape:?}", weights.shape())));
    }
    let kernel = weights.shape()[2..].to_vec();
    node.check_kernel(&kernel)?;
    let window = node.window(&kernel, &lift.shape(&x)[2..], true)?;
    let groups = usize::try_from(node.int("group", 1)?).map_err(|_| node.unsupported("group", "numbers from 1"))?;
    let y = lift.convolution(&node.name, x, &weights, Shaped { window, groups })?;
    whole(lift, node, y)
}

/// Sums of integers are exact, unlike those of floats, as long as 32 bits hold them.
pub(super) fn whole(lift: &Lift, node: &Node<'_>, y: Real) -> Result<Real, Diagnostic> {
    if y.unit.values.iter().any(|u| *u != 1.0) || !y.steps.is_empty() {
        return Err(node.error("its operands are not integers that a quantiser gave"));
    }
    if lift.magnitude(&y) >= MAX_SUM {
        return Err(node.error("its sums need more than 32 bits"));
    }
    Ok(Real { noise: Noise::NONE, ..y })
}

/// `round(y · alpha · a_scale · b_scale / y_scale) + zero` in the data type of the zero point.
fn requantised(
    lift: &mut Lift,
    node: &Node<'_>,
    y: Real,
    ([a, b, out], alpha): ([usize; 3], f32),
    zero: usize,
    along: impl Fn(Array<f32>) -> Array<f32>,
) -> Result<Results, Diagnostic> {
    let number = |k: usize| node.optional_number(k)?.ok_or_else(|| node.error(format!("operand {k} is missing")));
    let (a, out_scale) = (number(a)?, number(out)?);
    let scales = node.floats(b)?;
    let scales = if scales.values.len() == 1 { Array::scalar(scales.values[0]) } else { scales };
    let multiplier = along(scales.map(|b| alpha * a * b / out_scale));
    if multiplier.values.iter().any(|m| !m.is_finite() || *m <= 0.0) {
        return Err(node.error("the scale of a quantiser is positive"));
    }
    let kind = node.operand(zero)?.kind;
    let operand = node.operand(0)?.kind;
    if kind != operand {
        // onnxruntime has no such kernel, and the reference of the `onnx` package rounds halves behind the zero point
        return Err(node
            .error(format!("it takes {} and gives {}, which no runtime rounds alike", operand.name(), kind.name()))
            .help("quantise operand and result to one data type"));
    }
    if operand == Kind::Int8 && node.operand(3)?.kind != operand {
        // the same for want of a kernel
        return Err(node
            .error("it takes int8 and weights of uint8, which no runtime rounds alike")
            .help("quantise the weights to int8"));
    }
    let y = lift.step(&node.name, y, Step::Mul(multiplier))?;
    let coded = Coded::of(node, out, zero)?;
    Ok(coded.result(coded.linear(lift, node, y, 1.0)?))
}
