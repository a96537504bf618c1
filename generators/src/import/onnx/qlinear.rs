//! onnxruntime's operators on codes of 8 bits whose operands have a scale each: sums, products, averages, functions.

use hdl::diag::Diagnostic;
use hdl::num::Rounding;

use super::integer::{centred, centred_weights, whole};
use super::node::{Node, Tensor, Value};
use super::operators::Results;
use super::pool::pooled;
use super::tensor::Kind;
use crate::import::lift::{Lift, Meaning, Real, ScaledSum};
use crate::model::{Array, Quantiser, Step};

/// What a tensor's codes mean: `scale · (code - zero)`.
pub(super) struct Coded {
    pub scale: f32,
    pub zero: f32,
    /// The data type of the codes.
    pub kind: Kind,
}

impl Coded {
    /// From operands `scale` and `zero`; without a zero point it is 0 in the data type of operand 0.
    pub fn of(node: &Node<'_>, scale: usize, zero: usize) -> Result<Self, Diagnostic> {
        let number = node.optional_number(scale)?.ok_or_else(|| node.error(format!("operand {scale} is missing")))?;
        if !(number.is_finite() && number > 0.0) {
            return Err(node.error("the scale of a quantiser is positive"));
        }
        let kind = match node.optional(zero)? {
            Some(zero) => zero.kind,
            None => node.operand(0)?.kind,
        };
        Ok(Self { scale: number, zero: node.optional_number(zero)?.unwrap_or(0.0), kind })
    }

    fn limits(&self, node: &Node<'_>) -> Result<(i64, i64), Diagnostic> {
        self.kind.limits().ok_or_else(|| node.error("a zero point is an integer"))
    }

    /// What codes less their zero point mean.
    fn meaning(&self) -> Meaning {
        let steps = if self.zero == 0.0 { Vec::new() } else { vec![Step::Add(Array::scalar(self.zero))] };
        Meaning { unit: Array::scalar(1.0), steps }
    }

    fn quantised(
        &self,
        lift: &mut Lift,
        node: &Node<'_>,
        y: Real,
        quantiser: Quantiser<f32>,
    ) -> Result<Real, Diagnostic> {
        let quantiser = quantiser.with(|p| Array::scalar(*p));
        lift.quantise(&node.name, y, quantiser, self.meaning())
    }

    /// `y`, which has this meaning, as the result of a node.
    pub fn result(&self, y: Real) -> Results {
        vec![Tensor { value: Value::Real(y), kind: self.kind }]
    }

    /// `clamp(round(y / scale) + zero)`.
    pub fn linear(&self, lift: &mut Lift, node: &Node<'_>, y: Real, scale: f32) -> Result<Real, Diagnostic> {
        let (low, high) = self.limits(node)?;
        self.quantised(lift, node, y, Quantiser::Linear { scale, zero: self.zero, low: low as f32, high: high as f32 })
    }

    /// `round(clamp(y / scale + zero))`: kernels that round behind the zero point round halves to another side.
    fn rounded_last(&self, lift: &mut Lift, node: &Node<'_>, y: Real, scale: f32) -> Result<Real, Diagnostic> {
        let (low, high) = self.limits(node)?;
        let rounding = Rounding::HalfEven;
        let (zero, low, high) = (self.zero, low as f32, high as f32);
        self.quantised(lift, node, y, Quantiser::Integer { scale, zero, low, high, rounding })
    }
}

/// Operand `k` less its zero point, as integers.
fn integers(lift: &mut Lift, node: &Node<'_>, k: usize) -> Result<Real, Diagnostic> {
    match &node.operand(k)?.value {
        Value::Real(_) => centred(lift, node, (k, k + 2)),
        Value::Constant(_) => lift.constant(&node.name, &centred_weights(node, (k, k + 2), 0)?),
    }
}

/// Operand `k` as the floats that its codes mean.
fn dequantised(lift: &mut Lift, node: &Node<'_>, k: usize) -> Result<Real, Diagnostic> {
    let coded = Coded::of(node, k + 1, k + 2)?;
    let x = integers(lift, node, k)?;
    lift.step(&node.name, x, Step::Mul(Array::scalar(coded.scale)))
}

/// An error unless operands and result have one data type, which all kernels want.
fn alike(node: &Node<'_>, operands: &[usize], result: &Coded) -> Result<(), Diagnostic> {
    for &k in operands {
        let kind = node.operand(k)?.kind;
        if kind != result.kind {
            return Err(node.error(format!(
                "operand {k} has data type {}, its result {}",
                kind.name(),
                result.kind.name()
            )));
        }
    }
    Ok(())
}

/// `A + B` in another scale. Kernels for different processors add in different orders.
pub(super) fn qlinear_add(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let (a, b, c) = (Coded::of(node, 1, 2)?, Coded::of(node, 4, 5)?, Coded::of(node, 6, 7)?);
    alike(node, &[0, 3], &c)?;
    let (x, y) = (integers(lift, node, 0)?, integers(lift, node, 3)?);
    let factors = [a.scale / c.scale, b.scale / c.scale];
    let floats = |x, y| sums_in_floats([&a, &b, &c], x, y);
    let sum = ScaledSum { factors, zero: c.zero as i64, limits: c.limits(node)?, floats: &floats };
    Ok(c.result(lift.scaled_sum(&node.name, (x, y), &sum, c.meaning())?))
}

/// `x · a + y · b` in the scale of `c`, its zero point added, for codes less their zero points: in the orders of kernels for
/// different processors, some of which join products and sums in one rounding.
fn sums_in_floats([a, b, c]: [&Coded; 3], x: f32, y: f32) -> Vec<f32> {
    let (p, q) = (a.scale / c.scale, b.scale / c.scale);
    let fixed = [p * a.zero + q * b.zero, p.mul_add(a.zero, q * b.zero), q.mul_add(b.zero, p * a.zero)];
    let (u, v) = (x + a.zero, y + b.zero);
    let on_top = |fixed: f32| {
        [fixed + u * p + v * q, fixed + v * q + u * p, u.mul_add(p, v.mul_add(q, fixed)), u.mul_add(p, fixed + v * q)]
    };
    let plain = [a.scale * x + b.scale * y, a.scale.mul_add(x, b.scale * y)];
    let in_steps = fixed.into_iter().flat_map(|fixed| on_top(c.zero - fixed));
    in_steps.chain(plain.map(|sum| sum / c.scale + c.zero)).collect()
}

/// `A · B` in another scale, the zero point added before the rounding.
pub(super) fn qlinear_mul(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let (a, b, c) = (Coded::of(node, 1, 2)?, Coded::of(node, 4, 5)?, Coded::of(node, 6, 7)?);
    alike(node, &[0, 3], &c)?;
    let (x, y) = (integers(lift, node, 0)?, integers(lift, node, 3)?);
    let product = lift.mul(&node.name, x, y)?;
    let product = whole(lift, node, product)?;
    let y = lift.step(&node.name, product, Step::Mul(Array::scalar(a.scale * b.scale / c.scale)))?;
    Ok(c.result(c.rounded_last(lift, node, y, 1.0)?))
}

/// All operands one after the other in one scale; those that have it already stay as they are.
pub(super) fn qlinear_concat(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    if !node.has("axis") {
        return Err(node.error("its axis is missing"));
    }
    let axis = node.int("axis", 0)?;
    if node.operands() < 5 || node.operands() % 3 != 2 {
        return Err(node.error("each operand is three: the codes, their scale and their zero point"));
    }
    let out = Coded::of(node, 0, 1)?;
    let mut parts = Vec::new();
    for k in (2..node.operands()).step_by(3) {
        alike(node, &[k], &out)?;
        let coded = Coded::of(node, k + 1, k + 2)?;
        parts.push(if coded.scale == out.scale && coded.zero == out.zero {
            let x = integers(lift, node, k)?;
            match out.zero {
                0.0 => x,
                zero => lift.step(&node.name, x, Step::Add(Array::scalar(zero)))?,
            }
        } else {
            let x = dequantised(lift, node, k)?;
            out.linear(lift, node, x, out.scale)?
        });
    }
    let axis = node.axis(axis, lift.shape(&parts[0]).len())?;
    Ok(out.result(lift.concat(&node.name, parts, axis)?))
}

/// A function of each code: dequantised, the function in floats, quantised.
pub(super) fn qlinear_function(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let out = Coded::of(node, 3, 4)?;
    alike(node, &[0], &out)?;
    let x = dequantised(lift, node, 0)?;
    let step = match node.operator.name {
        "QLinearLeakyRelu" => Step::LeakyRelu(Array::scalar(node.float("alpha", 0.01)?)),
        _ => Step::Sigmoid,
    };
    let y = lift.step(&node.name, x, step)?;
    Ok(out.result(out.linear(lift, node, y, out.scale)?))
}

/// The mean of all spatial elements: exact sums of codes, one multiplication.
pub(super) fn qlinear_global_average_pool(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let (coded, out) = (Coded::of(node, 1, 2)?, Coded::of(node, 3, 4)?);
    alike(node, &[0], &out)?;
    let last = node.flag("channels_last", false)?;
    let x = integers(lift, node, 0)?;
    let shape = lift.shape(&x).to_vec();
    if shape.len() < 3 {
        return Err(node.error("its operand has no spatial axes"));
    }
    let spatial: Vec<usize> = if last { (1..shape.len() - 1).collect() } else { (2..shape.len()).collect() };
    let count: usize = spatial.iter().map(|a| shape[*a]).product();
    let sum = lift.reduce(&node.name, x, spatial, Some(1.0))?;
    let sum = whole(lift, node, sum)?;
    let factor = coded.scale / (out.scale * count as f32);
    let y = lift.step(&node.name, sum, Step::Mul(Array::scalar(factor)))?;
    Ok(out.result(out.linear(lift, node, y, 1.0)?))
}

/// The mean of each window in floats, the zero point added before the rounding.
pub(super) fn qlinear_average_pool(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let out = Coded::of(node, 3, 4)?;
    alike(node, &[0], &out)?;
    let last = node.flag("channels_last", false)?;
    let x = dequantised(lift, node, 0)?;
    let y = pooled(lift, node, x, last)?;
    Ok(out.result(out.rounded_last(lift, node, y, out.scale)?))
}
