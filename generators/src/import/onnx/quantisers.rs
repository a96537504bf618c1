//! The quantisers of QONNX and of plain ONNX. On constants they leave the grid behind that their weights lie on.

use hdl::diag::Diagnostic;

use super::node::{Node, Value};
use super::tensor::data_type;
use crate::import::lift::{Constant, Grid, Lift, Meaning, Real};
use crate::model::{Array, FloatRounding, Quantiser, Step, broadcast};

fn wide(array: &Array<f32>) -> Array<f64> {
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

impl Node<'_> {
    fn rounding(&self, default: &str) -> Result<FloatRounding, Diagnostic> {
        let name = self.text("rounding_mode").unwrap_or_else(|| default.into());
        FloatRounding::parse(&name).ok_or_else(|| {
            self.error(format!("there is no rounding mode {}", hdl::names::quoted(&name)))
                .help("ROUND, HALF_EVEN, CEIL, FLOOR, UP, DOWN, HALF_UP or HALF_DOWN")
        })
    }

    /// Bit widths, whole numbers from 1 to 32.
    fn bit_width(&self, k: usize) -> Result<Array<f32>, Diagnostic> {
        let bits = self.floats(k)?;
        let fits = |b: &f32| (1.0..=32.0).contains(b) && b.fract() == 0.0;
        if bits.values.is_empty() || !bits.values.iter().all(fits) {
            return Err(self.error("a bit width is a whole number from 1 to 32"));
        }
        Ok(bits)
    }
}

impl Lift {
    pub(super) fn quant(&mut self, node: &Node<'_>) -> Result<Value, Diagnostic> {
        let (scale, zero, bits) = (node.floats(1)?, node.floats(2)?, node.bit_width(3)?);
        let (signed, narrow) = (node.int("signed", 1) != 0, node.int("narrow", 1) != 0);
        let meaning = Meaning { unit: wide(&scale), steps: Vec::new() };
        if signed && bits.values.contains(&1.0) {
            if bits.values.len() > 1 {
                return Err(node.error("bit widths of 1 and more in one quantiser are not supported"));
            }
            // the framework takes the zero point off a sign too, which leads off the grid unless it is 0
            if zero.values.iter().any(|z| *z != 0.0) {
                return Err(node.error("a sign with a zero point is not supported").help("use zero point 0"));
            }
            return self.quantised(node, Quantiser::Sign { scale, zero }, meaning);
        }
        let (low, high) = limits(&bits, signed, narrow);
        let rounding = node.rounding("ROUND")?;
        self.quantised(node, Quantiser::Integer { scale, zero, low, high, rounding }, meaning)
    }

    pub(super) fn bipolar_quant(&mut self, node: &Node<'_>) -> Result<Value, Diagnostic> {
        let scale = node.floats(1)?;
        let meaning = Meaning { unit: wide(&scale), steps: Vec::new() };
        let one = || Array::scalar(1.0);
        let quantiser = Quantiser::Sign { scale: one(), zero: Array::scalar(0.0) };
        if scale.values.iter().any(|s| *s <= 0.0) {
            return Err(node.error("the scale of a quantiser is positive"));
        }
        self.quantised(node, quantiser, meaning)
    }

    /// Version 1 has five operands and keeps the scale; version 2 has six and names the scale of its result.
    pub(super) fn trunc(&mut self, node: &Node<'_>) -> Result<Value, Diagnostic> {
        let (scale, zero, bits) = (node.floats(1)?, node.floats(2)?, node.bit_width(3)?);
        let rounding = node.rounding("FLOOR")?;
        let shapes = || node.error("its parameters do not fit each other");
        if node.operands() < 6 {
            let divisor = bits.zip(&node.bit_width(4)?, |a, b| (a - b).exp2()).ok_or_else(shapes)?;
            if zero.values.iter().any(|z| *z != 0.0) && divisor.values.iter().any(|d| *d != 1.0) {
                return Err(node
                    .error(
                        "a zero point is not supported here: version 1 of the operator takes it off after the division",
                    )
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
            return self.quantised(node, quantiser, Meaning { unit: wide(&scale), steps: Vec::new() });
        }
        let (out_scale, out_bits) = (node.floats(4)?, node.bit_width(5)?);
        let divisor = out_scale.zip(&scale, |o, s| (o / s).log2().round_ties_even().exp2()).ok_or_else(shapes)?;
        let (signed, narrow) = (node.int("signed", 1) != 0, node.int("narrow", 0) != 0);
        let (low, high) = limits(&out_bits, signed, narrow);
        let quantiser = Quantiser::Truncate { scale, zero, divisor, low, high, rounding };
        self.quantised(node, quantiser, Meaning { unit: wide(&out_scale), steps: Vec::new() })
    }

    fn quantised(&mut self, node: &Node<'_>, quantiser: Quantiser, meaning: Meaning) -> Result<Value, Diagnostic> {
        match node.operand(0)? {
            Value::Real(real) => self.quantise(&node.name, real.clone(), quantiser, meaning).map(Value::Real),
            Value::Constant(constant) => {
                quantised_constant(node, &constant.as_float(), &quantiser, meaning).map(Value::Constant)
            }
        }
    }

    pub(super) fn multi_threshold(&mut self, node: &Node<'_>) -> Result<Real, Diagnostic> {
        let x = node.real(0)?;
        let rank = self.shape(&x).len();
        let thresholds = node.floats(1)?;
        let &[rows, count] = thresholds.shape.as_slice() else {
            return Err(
                node.error(format!("thresholds have two axes, channels and steps, found {:?}", thresholds.shape))
            );
        };
        let layout = node.text("data_layout").filter(|l| !l.is_empty());
        let axis = match (&layout, rank) {
            (Some(layout), _) => layout.find('C').unwrap_or(1),
            (None, 3) => 2,
            (None, _) => 1,
        };
        if axis >= rank {
            return Err(node.error(format!("there is no channel axis in shape {:?}", self.shape(&x))));
        }
        let column = |k: usize| {
            let values = thresholds.values.iter().skip(k).step_by(count.max(1)).copied().collect();
            let mut shape = vec![1; rank];
            shape[axis] = rows;
            Array { shape, values }
        };
        let (scale, bias) = (node.float("out_scale", 1.0), node.float("out_bias", 0.0));
        let (first, step, meaning) =
            count_meaning(scale, bias).ok_or_else(|| node.error("out_scale is a positive number"))?;
        let quantiser = Quantiser::Count { thresholds: (0..count).map(column).collect(), first, step };
        self.quantise(&node.name, x, quantiser, meaning)
    }

    /// The result stands for unsigned or signed integers, the zero point taken off and put back as a step.
    pub(super) fn quantize_linear(&mut self, node: &Node<'_>) -> Result<Real, Diagnostic> {
        let x = node.real(0)?;
        let scale = self.along_axis(node, node.floats(1)?, &x)?;
        let zero = match node.optional_constant(2)? {
            Some(zero) => self.along_axis(node, zero.as_float(), &x)?,
            None => Array::scalar(0.0),
        };
        let (low, high) = match node.int("output_dtype", i64::from(node.data_type(2))) as i32 {
            data_type::INT8 => (-128.0, 127.0),
            data_type::UINT8 => (0.0, 255.0),
            data_type::INT16 => (-32_768.0, 32_767.0),
            data_type::UINT16 => (0.0, 65_535.0),
            _ => return Err(node.error("only 8- and 16-bit integers are supported")),
        };
        let meaning = Meaning { unit: Array::scalar(1.0), steps: vec![Step::Add(zero.clone())] };
        let quantiser = Quantiser::Linear { scale, zero, low: Array::scalar(low), high: Array::scalar(high) };
        self.quantise(&node.name, x, quantiser, meaning)
    }

    pub(super) fn dequantize_linear(&mut self, node: &Node<'_>) -> Result<Value, Diagnostic> {
        let shape = match node.operand(0)? {
            Value::Constant(constant) => constant.shape().to_vec(),
            Value::Real(x) => self.shape(x).to_vec(),
        };
        let scale = axis_array(node, node.floats(1)?, &shape)?;
        let zero = match node.optional_constant(2)? {
            Some(zero) => axis_array(node, zero.as_float(), &shape)?,
            None => Array::scalar(0.0),
        };
        match node.operand(0)? {
            Value::Constant(constant) => {
                let off = constant
                    .as_float()
                    .zip(&zero, |q, z| q - z)
                    .ok_or_else(|| node.error("its zero point does not fit"))?;
                let array = off.zip(&scale, |n, s| n * s).ok_or_else(|| node.error("its scale does not fit"))?;
                let grid = Grid { integers: off.values.iter().map(|n| *n as i64).collect(), unit: wide(&scale) };
                Ok(Value::Constant(Constant::Float { array, grid: Some(grid) }))
            }
            Value::Real(x) => {
                let mut x = x.clone();
                if x.steps.last() == Some(&Step::Add(zero.clone())) && x.raw.is_none() {
                    x.steps.pop();
                } else {
                    x = self.step(&node.name, x, Step::Add(zero.map(|z| -z)))?;
                }
                if x.steps.is_empty() && x.unit == Array::scalar(1.0) {
                    x.unit = wide(&scale);
                    return Ok(Value::Real(x));
                }
                self.step(&node.name, x, Step::Mul(scale)).map(Value::Real)
            }
        }
    }

    fn along_axis(&self, node: &Node<'_>, parameter: Array<f32>, x: &Real) -> Result<Array<f32>, Diagnostic> {
        axis_array(node, parameter, self.shape(x))
    }
}

/// A per-axis parameter of QuantizeLinear, stretched over the other axes.
fn axis_array(node: &Node<'_>, parameter: Array<f32>, shape: &[usize]) -> Result<Array<f32>, Diagnostic> {
    if parameter.values.len() == 1 {
        return Ok(Array::scalar(parameter.values[0]));
    }
    let axis = node.axis(node.int("axis", 1), shape.len())?;
    if parameter.shape != [shape[axis]] {
        return Err(node.error("blocked quantisation is not supported: one scale for all or one for each channel"));
    }
    let mut along = vec![1; shape.len()];
    along[axis] = shape[axis];
    Ok(Array { shape: along, values: parameter.values })
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
