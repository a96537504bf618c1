//! QONNX' quantiser to small floats: its levels as integers times the least step.

use hdl::diag::Diagnostic;
use hdl::num::Rounding;

use super::node::{Node, Tensor, Value};
use super::operators::Results;
use super::quantisers::wide;
use super::tensor::Kind;
use crate::import::lift::{Constant, Grid, Lift, Meaning};
use crate::model::{Quantiser, round_float};

/// Levels on each side of 0.
const MAX_LEVELS: f32 = 2048.0;

/// Most least steps of the greatest number.
const MAX_CODE: f32 = (1u32 << 24) as f32;

/// Small floats with subnormal numbers, which saturate.
struct Minifloat {
    mantissa: f32,
    /// Exponent of the least step.
    least: f32,
    greatest: f32,
    rounding: Rounding,
}

/// `FloatQuant`.
pub(super) fn float_quant(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let scale = node.floats(1)?;
    if scale.values.iter().any(|s| !s.is_finite() || *s <= 0.0) {
        return Err(node.error("the scale of a quantiser is positive"));
    }
    let format = Minifloat::of(node)?;
    let step = format.least.exp2();
    let unit = wide(&scale).map(|s| s * f64::from(step));
    let value = match &node.operand(0)?.value {
        Value::Real(x) => {
            let levels = format.levels();
            let threshold = |level: &i64| scale.map(|s| format.threshold(*level, *s));
            let thresholds = levels[1..].iter().map(threshold).collect();
            let quantiser = Quantiser::Levels { thresholds, codes: levels, uncertainty: 0.0 };
            let meaning = Meaning { unit, steps: Vec::new() };
            Value::Real(lift.quantise(&node.name, x.clone(), quantiser, meaning)?)
        }
        Value::Constant(constant) => {
            let x = constant.as_float();
            let codes = x.zip(&scale, |x, s| format.code(x / s)).filter(|codes| codes.shape == x.shape);
            let codes = codes.ok_or_else(|| node.error("its scale does not stretch to its operand"))?;
            let numbers = codes.zip(&scale, |n, s| *n as f32 * step * s).expect("of the same shape");
            let grid = Grid { integers: codes.values, unit };
            Value::Constant(Constant::Float { array: numbers, grid: Some(grid) })
        }
    };
    Ok(vec![Tensor { value, kind: Kind::Float }])
}

impl Minifloat {
    fn of(node: &Node<'_>) -> Result<Self, Diagnostic> {
        let number = |k: usize| node.optional_number(k)?.ok_or_else(|| node.error(format!("operand {k} is missing")));
        let (exponent, mantissa, bias, most) = (number(2)?, number(3)?, number(4)?, number(5)?);
        let whole = |v: f32, low: f32, high: f32| v.fract() == 0.0 && (low..=high).contains(&v);
        if !whole(exponent, 1.0, 8.0) || !whole(mantissa, 0.0, 10.0) || !whole(bias, -64.0, 64.0) {
            return Err(node.error(format!(
                "{exponent} exponent bits, {mantissa} mantissa bits and bias {bias} are not supported"
            )));
        }
        if !node.flag("saturation", true)? {
            return Err(node.unsupported("saturation", "1: what is beyond the greatest number becomes that number"));
        }
        let rounding = node.rounding("ROUND")?;
        // just below a power of two the framework's logarithm may be rounded up, and with it the step
        if matches!(rounding, Rounding::Floor | Rounding::Ceil | Rounding::TowardZero) {
            return Err(node.unsupported("rounding_mode", "ROUND, HALF_EVEN, HALF_UP, HALF_DOWN and UP"));
        }
        let greatest = (2.0 - (-mantissa).exp2()) * (exponent.exp2() - 1.0 - bias).exp2();
        let format = Self { mantissa, least: 1.0 - bias - mantissa, greatest: greatest.min(most), rounding };
        let code = format.greatest / format.least.exp2();
        let levels = (exponent + mantissa).exp2();
        if !(0.0..MAX_CODE).contains(&code) || code.fract() != 0.0 || levels > MAX_LEVELS {
            return Err(node.error(format!(
                "its numbers up to {} need {code} steps, of which less than 2^24 and a whole number are supported",
                format.greatest
            )));
        }
        Ok(format)
    }

    /// The number of least steps of `x`, which is divided by the scale.
    fn code(&self, x: f32) -> i64 {
        let magnitude = f64::from(x.abs() + f32::MIN_POSITIVE);
        let exponent = (magnitude.log2().floor() as f32 - self.mantissa).max(self.least);
        let step = exponent.exp2();
        let rounded = step * round_float(x / step, self.rounding);
        (rounded.clamp(-self.greatest, self.greatest) / self.least.exp2()) as i64
    }

    /// All codes, rising.
    fn levels(&self) -> Vec<i64> {
        let most = self.code(f32::MAX);
        let mut codes = vec![0];
        while let Some(last) = codes.last().copied().filter(|last| *last < most) {
            let bits = (last as u64).checked_ilog2().unwrap_or(0);
            let step = 1i64 << (bits.saturating_sub(self.mantissa as u32));
            codes.push((last + step).min(most));
        }
        codes.iter().rev().map(|c| -c).chain(codes[1..].iter().copied()).collect()
    }

    /// The least `x` whose code is at least `level`.
    fn threshold(&self, level: i64, scale: f32) -> f32 {
        // floats in their order as integers
        let key = |x: f32| {
            let bits = x.to_bits() as i32;
            if bits < 0 { i64::from(i32::MIN) - i64::from(bits) } else { i64::from(bits) }
        };
        let float = |key: i64| if key < 0 { -f32::from_bits((-key) as u32) } else { f32::from_bits(key as u32) };
        let (mut below, mut above) = (key(-f32::MAX), key(f32::MAX));
        while above - below > 1 {
            let middle = below + (above - below) / 2;
            if self.code(float(middle) / scale) >= level { above = middle } else { below = middle }
        }
        float(above)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_of_the_format() {
        // three exponent bits, one mantissa bit, bias 3: 0, 1/8, 1/4, 3/8, 1/2, 3/4, … 24
        let format = Minifloat { mantissa: 1.0, least: -3.0, greatest: 24.0, rounding: Rounding::HalfEven };
        assert_eq!(format.levels()[14..], [-1, 0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192]);
        for level in format.levels() {
            let x = format.threshold(level, 0.3);
            assert!(format.code(x / 0.3) >= level && (level == -192 || format.code(x.next_down() / 0.3) < level));
        }
        assert_eq!([0.0625, 0.07, 100.0, -0.8].map(|x| format.code(x)), [0, 1, 192, -6]);
    }
}
