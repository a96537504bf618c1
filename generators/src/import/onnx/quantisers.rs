//! The quantisers of QONNX and of plain ONNX. On constants they leave the grid behind that their weights lie on.

use hdl::diag::Diagnostic;
use hdl::num::Rounding;

use super::elementwise::shape;
use super::node::{Node, Tensor, Value};
use super::operators::{Domain, Kinds, Results};
use super::tensor::Kind;
use crate::import::lift::{Constant, Grid, Lift, Meaning};
use crate::model::{Array, Op, Quantiser, Step, broadcast};

pub(super) fn wide(array: &Array<f32>) -> Array<f64> {
    array.map(|v| f64::from(*v))
}

/// `2^(b-1)` and such as numpy computes them in 32-bit floats.
fn limits(bits: &Array<f32>, signed: bool, narrow: bool) -> (Array<f32>, Array<f32>) {
    let low = bits.map(|b| if signed { -(b - 1.0).exp2() + f32::from(u8::from(narrow)) } else { 0.0 });
    let high = bits.map(|b| match (signed, narrow) {
        (true, _) => (b - 1.0).exp2() - 1.0,
        (false, narrow) => b.exp2() - 1.0 - f32::from(u8::from(narrow)),
    });
    (low, high)
}

/// The mode of that QONNX name, in any case.
fn qonnx_rounding(name: &str) -> Option<Rounding> {
    Some(match name.to_ascii_uppercase().as_str() {
        "ROUND" | "HALF_EVEN" => Rounding::HalfEven,
        "CEIL" => Rounding::Ceil,
        "FLOOR" => Rounding::Floor,
        "UP" => Rounding::AwayFromZero,
        "DOWN" => Rounding::TowardZero,
        "HALF_UP" => Rounding::HalfAwayFromZero,
        "HALF_DOWN" => Rounding::HalfTowardZero,
        _ => return None,
    })
}

impl Node<'_> {
    pub(super) fn rounding(&self, default: &str) -> Result<Rounding, Diagnostic> {
        let name = self.text("rounding_mode", default)?;
        qonnx_rounding(&name).ok_or_else(|| {
            self.unsupported("rounding_mode", "ROUND, HALF_EVEN, CEIL, FLOOR, UP, DOWN, HALF_UP and HALF_DOWN")
        })
    }

    /// Zero points. The framework adds integers to floats in double precision, which makes a difference unless they are 0.
    fn zero_point(&self, k: usize) -> Result<Array<f32>, Diagnostic> {
        let zero = self.floats(k)?;
        if self.operand(k)?.kind != Kind::Float && zero.values.iter().any(|z| *z != 0.0) {
            return Err(self.error("a zero point other than 0 is a float"));
        }
        Ok(zero)
    }

    /// Bit widths, whole numbers from 1 to 32. The framework computes limits in their data type, which must hold them.
    fn bit_width(&self, k: usize) -> Result<Array<f32>, Diagnostic> {
        let bits = self.floats(k)?;
        let fits = |b: &f32| (1.0..=32.0).contains(b) && b.fract() == 0.0;
        if bits.values.is_empty() || !bits.values.iter().all(fits) {
            return Err(self.error("a bit width is a whole number from 1 to 32"));
        }
        let kind = self.operand(k)?.kind;
        let wraps =
            |(low, high): (i64, i64)| low == 0 || bits.values.iter().any(|b| f64::from(*b).exp2() > high as f64);
        if kind.limits().is_some_and(wraps) {
            return Err(self
                .error(format!("limits of these bit widths wrap in data type {}", kind.name()))
                .help("give the bit width as a float"));
        }
        Ok(bits)
    }
}

/// `Quant` and `IntQuant`.
pub(super) fn quant(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let (scale, zero, bits) = (node.floats(1)?, node.zero_point(2)?, node.bit_width(3)?);
    let (signed, narrow) = (node.required_flag("signed")?, node.required_flag("narrow")?);
    let rounding = node.rounding("ROUND")?;
    let meaning = Meaning { unit: wide(&scale), steps: Vec::new() };
    if signed && bits.values.contains(&1.0) {
        if bits.values.len() > 1 {
            return Err(node.error("bit widths of 1 and more in one quantiser are not supported"));
        }
        // the framework takes the zero point off a sign too, which leads off the grid unless it is 0
        if zero.values.iter().any(|z| *z != 0.0) {
            return Err(node.error("a sign with a zero point is not supported").help("use zero point 0"));
        }
        return quantised(lift, node, Quantiser::Sign { scale, zero }, meaning);
    }
    let (low, high) = limits(&bits, signed, narrow);
    quantised(lift, node, Quantiser::Integer { scale, zero, low, high, rounding }, meaning)
}

/// The sign.
pub(super) fn bipolar_quant(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let scale = node.floats(1)?;
    let meaning = Meaning { unit: wide(&scale), steps: Vec::new() };
    let one = || Array::scalar(1.0);
    let quantiser = Quantiser::Sign { scale: one(), zero: Array::scalar(0.0) };
    if scale.values.iter().any(|s| *s <= 0.0) {
        return Err(node.error("the scale of a quantiser is positive"));
    }
    quantised(lift, node, quantiser, meaning)
}

/// Version 1 has five operands and keeps the scale; version 2 has six and names the scale of its result.
pub(super) fn trunc(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let (scale, zero, bits) = (node.floats(1)?, node.zero_point(2)?, node.bit_width(3)?);
    let rounding = node.rounding("FLOOR")?;
    let shapes = || node.error("its parameters do not fit each other");
    if node.version < 2 {
        let divisor = bits.zip(&node.bit_width(4)?, |a, b| (a - b).exp2()).ok_or_else(shapes)?;
        if zero.values.iter().any(|z| *z != 0.0) && divisor.values.iter().any(|d| *d != 1.0) {
            return Err(node
                .error("a zero point is not supported here: version 1 of the operator takes it off after the division")
                .help("use version 2 of Trunc, or zero point 0"));
        }
        let quantiser = Quantiser::Truncate {
            scale: scale.clone(),
            zero,
            divisor,
            low: Array::scalar(f32::MIN),
            high: Array::scalar(f32::MAX),
            rounding,
        };
        return quantised(lift, node, quantiser, Meaning { unit: wide(&scale), steps: Vec::new() });
    }
    let (out_scale, out_bits) = (node.floats(4)?, node.bit_width(5)?);
    let divisor = out_scale.zip(&scale, |o, s| (o / s).log2().round_ties_even().exp2()).ok_or_else(shapes)?;
    let (signed, narrow) = (node.flag("signed", true)?, node.flag("narrow", false)?);
    let (low, high) = limits(&out_bits, signed, narrow);
    let quantiser = Quantiser::Truncate { scale, zero, divisor, low, high, rounding };
    quantised(lift, node, quantiser, Meaning { unit: wide(&out_scale), steps: Vec::new() })
}

fn quantised(lift: &mut Lift, node: &Node<'_>, quantiser: Quantiser, meaning: Meaning) -> Result<Results, Diagnostic> {
    let value = match &node.operand(0)?.value {
        Value::Real(real) => Value::Real(lift.quantise(&node.name, real.clone(), quantiser, meaning)?),
        Value::Constant(constant) => {
            Value::Constant(quantised_constant(node, &constant.as_float(), &quantiser, meaning)?)
        }
    };
    Ok(vec![Tensor { value, kind: Kind::Float }])
}

/// The number of thresholds that are not above.
pub(super) fn multi_threshold(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let x = node.real(0)?;
    let rank = lift.shape(&x).len();
    let thresholds = node.floats(1)?;
    let &[rows, count] = thresholds.shape.as_slice() else {
        return Err(node.error(format!("thresholds have two axes, channels and steps, found {:?}", thresholds.shape)));
    };
    let layout = node.text("data_layout", "")?;
    let axis = match (layout.as_str(), rank) {
        ("", 3) => 2,
        ("", _) => 1,
        (layout, _) => layout.find('C').unwrap_or(1),
    };
    if axis >= rank {
        return Err(node.error(format!("there is no channel axis in shape {:?}", lift.shape(&x))));
    }
    let column = |k: usize| {
        let values = thresholds.values.iter().skip(k).step_by(count.max(1)).copied().collect();
        let mut shape = vec![1; rank];
        shape[axis] = rows;
        Array { shape, values }
    };
    let (scale, bias) = (node.float("out_scale", 1.0)?, node.float("out_bias", 0.0)?);
    let (first, step, meaning) =
        count_meaning(scale, bias).ok_or_else(|| node.unsupported("out_scale", "positive numbers"))?;
    let quantiser = Quantiser::Count { thresholds: (0..count).map(column).collect(), first, step };
    Ok(vec![Tensor::float(lift.quantise(&node.name, x, quantiser, meaning)?)])
}

/// The integer type of QuantizeLinear's result: the attribute, the zero point's, or bytes.
fn code_kind(node: &Node<'_>, zero: Option<Kind>) -> Result<Kind, Diagnostic> {
    let wanted = if node.has("output_dtype") { node.int("output_dtype", 0)? } else { 0 };
    let named = match wanted {
        0 => None,
        number => {
            let number = i32::try_from(number).unwrap_or(-1);
            Some(Kind::of(number).map_err(|_| node.unsupported("output_dtype", &Kinds::CODE.to_string()))?)
        }
    };
    match (named, zero) {
        (Some(named), Some(zero)) if named != zero => {
            Err(node.error(format!("output_dtype is {}, the zero point's data type {}", named.name(), zero.name())))
        }
        (named, zero) => Ok(named.or(zero).unwrap_or(Kind::Uint8)),
    }
}

/// The result stands for unsigned or signed integers, the zero point taken off and put back as a step.
pub(super) fn quantize_linear(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let operand = node.operand(0)?;
    let extents = shape(lift, operand);
    let (scale, zero) = linear_parameters(node, &extents)?;
    let kind = code_kind(node, node.optional(2)?.map(|t| t.kind))?;
    if node.has("precision") && !matches!(node.int("precision", 0)?, 0 | 1) {
        return Err(node.unsupported("precision", "0 and 1, float"));
    }
    if !Kinds::CODE.contain(kind) {
        return Err(node.unsupported("output_dtype", &Kinds::CODE.to_string()));
    }
    let (low, high) = kind.limits().expect("an integer type");
    let (low, high) = (Array::scalar(low as f32), Array::scalar(high as f32));
    let quantiser = Quantiser::Linear { scale, zero: zero.clone(), low, high };
    let value = match &operand.value {
        Value::Real(x) => {
            let steps = if zero.values.iter().all(|z| *z == 0.0) { Vec::new() } else { vec![Step::Add(zero)] };
            let meaning = Meaning { unit: Array::scalar(1.0), steps };
            Value::Real(lift.quantise(&node.name, x.clone(), quantiser, meaning)?)
        }
        Value::Constant(constant) => {
            let meaning = Meaning { unit: Array::scalar(1.0), steps: Vec::new() };
            let codes = quantised_constant(node, &constant.as_float(), &quantiser, meaning)?.as_float();
            let codes = codes.zip(&zero, |c, z| (c + z) as i64);
            let codes = codes.ok_or_else(|| node.error("its zero point does not fit"))?;
            Value::Constant(Constant::Integer(codes))
        }
    };
    Ok(vec![Tensor { value, kind }])
}

/// `(x - zero) · scale`.
pub(super) fn dequantize_linear(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let operand = node.operand(0)?;
    let extents = shape(lift, operand);
    let (scale, zero) = linear_parameters(node, &extents)?;
    if node.has("output_dtype") && !matches!(node.int("output_dtype", 0)?, 0 | 1) {
        return Err(node.unsupported("output_dtype", "0 and 1, float"));
    }
    if node.optional(2)?.is_some_and(|t| t.kind != operand.kind) {
        return Err(node.error("the zero point has another data type than the operand"));
    }
    if scale.values.iter().any(|s| !s.is_finite() || *s <= 0.0) {
        return Err(node.error("the scale of a quantiser is positive"));
    }
    let value = match &operand.value {
        Value::Constant(constant) => {
            let off = constant
                .as_float()
                .zip(&zero, |q, z| q - z)
                .filter(|off| off.shape == extents)
                .ok_or_else(|| node.error("its zero point does not fit"))?;
            let array = off.zip(&scale, |n, s| n * s).ok_or_else(|| node.error("its scale does not fit"))?;
            let grid = Grid { integers: off.values.iter().map(|n| *n as i64).collect(), unit: wide(&scale) };
            Value::Constant(Constant::Float { array, grid: Some(grid) })
        }
        Value::Real(x) => {
            let mut x = x.clone();
            if x.steps.last() == Some(&Step::Add(zero.clone())) && x.raw.is_none() {
                x.steps.pop();
            } else if zero.values.iter().any(|z| *z != 0.0) {
                x = lift.step(&node.name, x, Step::Add(zero.map(|z| -z)))?;
            }
            if x.steps.is_empty() && x.unit == Array::scalar(1.0) {
                x.unit = wide(&scale);
                Value::Real(x)
            } else {
                Value::Real(lift.step(&node.name, x, Step::Mul(scale))?)
            }
        }
    };
    Ok(vec![Tensor { value, kind: Kind::Float }])
}

/// Scale and zero point, stretched to the operand.
fn linear_parameters(node: &Node<'_>, extents: &[usize]) -> Result<(Array<f32>, Array<f32>), Diagnostic> {
    let axis = if node.has("axis") { node.int("axis", 1)? } else { 1 };
    let block = if node.has("block_size") { node.int("block_size", 0)? } else { 0 };
    let scale = node.floats(1)?;
    let zero = match node.optional_constant(2)? {
        Some(zero) => zero.as_float(),
        None => Array { shape: scale.shape.clone(), values: vec![0.0; scale.values.len()] },
    };
    if zero.values.len() != scale.values.len() {
        return Err(node.error("scale and zero point differ in shape"));
    }
    let along = |parameter| axis_array(node, parameter, extents, axis, block);
    Ok((along(scale)?, along(zero)?))
}

/// A parameter of QuantizeLinear, one number, one for each index along an axis or for each block of indices.
fn axis_array(
    node: &Node<'_>,
    parameter: Array<f32>,
    shape: &[usize],
    axis: i64,
    block: i64,
) -> Result<Array<f32>, Diagnostic> {
    if parameter.values.len() == 1 && block == 0 {
        return Ok(Array::scalar(parameter.values[0]));
    }
    if node.version < 13 && node.operator.domain == Domain::Onnx {
        return Err(node.error("before version 13 of the operator set its scale is one number"));
    }
    let axis = node.axis(axis, shape.len())?;
    if block == 0 {
        if parameter.shape != [shape[axis]] {
            return Err(node.error(format!(
                "a scale of shape {:?} is neither one number nor one for each of {} indices of axis {axis}",
                parameter.shape, shape[axis]
            )));
        }
        let mut along = vec![1; shape.len()];
        along[axis] = shape[axis];
        return Ok(Array { shape: along, values: parameter.values });
    }
    let size = usize::try_from(block).map_err(|_| node.unsupported("block_size", "0, and sizes of blocks"))?;
    let mut blocks = shape.to_vec();
    blocks[axis] = shape[axis].div_ceil(size);
    if parameter.shape != blocks {
        return Err(node.error(format!("a scale of shape {:?} does not fit blocks of {size}", parameter.shape)));
    }
    let indices = (0..shape[axis]).map(|i| i / size).collect();
    let stretched = Constant::float(parameter.shape, parameter.values).moved(&Op::Gather { axis, indices });
    Ok(stretched.map_err(|why| node.error(why))?.as_float())
}

/// Count of passed thresholds as integers: (integer at none, integers a step, meaning) with `scale · count + bias`.
fn count_meaning(scale: f32, bias: f32) -> Option<(i64, i64, Meaning)> {
    const MOST: f64 = 65_536.0;
    if !(scale.is_finite() && bias.is_finite() && scale > 0.0) {
        return None;
    }
    let (s, b) = (f64::from(scale), f64::from(bias));
    let unit = (-16..=16).map(|f| 2f64.powi(-f)).find(|u| {
        let whole = |v: f64| (v / u).fract() == 0.0 && (v / u).abs() < MOST;
        whole(s) && whole(b)
    });
    Some(match unit {
        Some(unit) => {
            let meaning = Meaning { unit: Array::scalar(unit), steps: Vec::new() };
            ((b / unit) as i64, (s / unit) as i64, meaning)
        }
        None => {
            let steps = if bias == 0.0 { Vec::new() } else { vec![Step::Add(Array::scalar(bias))] };
            (0, 1, Meaning { unit: Array::scalar(s), steps })
        }
    })
}

fn quantised_constant(
    node: &Node<'_>,
    x: &Array<f32>,
    quantiser: &Quantiser,
    meaning: Meaning,
) -> Result<Constant, Diagnostic> {
    let misfit = || node.error("its parameters do not stretch to its operand");
    for p in quantiser.parameters() {
        if broadcast(&p.shape, &x.shape).as_ref() != Some(&x.shape) {
            return Err(misfit());
        }
    }
    let parameters = quantiser.with(|p| p.stretched(&x.shape).expect("checked above"));
    let units = meaning.unit.stretched(&x.shape).ok_or_else(misfit)?;
    if units.iter().any(|u| !u.is_finite() || *u <= 0.0) {
        return Err(node.error("the scale of a quantiser is positive"));
    }
    if x.values.iter().any(|v| !v.is_finite()) {
        return Err(node.error("a weight is not finite"));
    }
    let integers: Vec<i64> = x.values.iter().enumerate().map(|(i, v)| parameters.with(|p| p[i]).code(*v)).collect();
    let values = integers.iter().zip(&units).map(|(n, u)| *n as f32 * *u as f32).collect();
    Ok(Constant::Float {
        array: Array { shape: x.shape.clone(), values },
        grid: Some(Grid { integers, unit: meaning.unit }),
    })
}
