//! The normaliser: charges relative to the power of two below their sum, and that sum as a short float.

use hdl::dfg::{ModuleBuilder, Value};
use hdl::num::Interval;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{HandMade, Site};
use crate::model::TensorInfo;

/// Trigger cells of a module.
pub const CELLS: usize = 48;
/// Bits of a calibrated charge.
pub const CALQ_BITS: u32 = 22;
/// Bits of the module sum's 5E+4M code.
pub const CODE_BITS: u32 = 9;
const MANTISSA_BITS: u32 = 4;
/// Bits of the sum of all charges, and so one more than its greatest logarithm.
const SUM_BITS: u32 = 28;

/// The charges relative to the power of two below their sum.
///
/// `S = Σ CALQ`, `m = floor(log2 S)` (0 when S is 0), `q_i = floor(CALQ_i · 2^(bits - 1 - m))`, a `u{bits}.{bits-1}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Normaliser {
    /// Bits of a normalised value, one of them before the point.
    pub bits: u32,
}

/// The sum of all charges as a 5E+4M float: itself below 16, else its bit length less four and the four bits below the
/// leading one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModuleSum {}

/// Most bits of a normalised value; an interval of its hardware holds them beside a charge.
const MAX_BITS: u32 = 32;

/// An error unless `x` are the charges of a module.
fn check_charges(x: &TensorInfo) -> Result<(), String> {
    let charges = Interval::of_width(CALQ_BITS, false).expect("a few bits");
    match x.shape == [CELLS] && charges.covers(x.range) {
        true => Ok(()),
        false => Err(format!("{CELLS} charges of {CALQ_BITS} bits are wanted, found {:?} in {}", x.shape, x.range)),
    }
}

impl HandMade for Normaliser {
    fn name(&self) -> &'static str {
        "normaliser"
    }

    fn result(&self, x: &[&TensorInfo]) -> Result<TensorInfo, String> {
        check_charges(x[0])?;
        if !(1..=MAX_BITS).contains(&self.bits) {
            return Err(format!("a normalised value has 1 to {MAX_BITS} bits, not {}", self.bits));
        }
        let range = Interval::of_width(self.bits, false).map_err(|e| e.to_string())?;
        Ok(TensorInfo { shape: vec![CELLS], range })
    }

    fn evaluate(&self, x: &[&[i64]]) -> Vec<i64> {
        let calq = x[0];
        let exponent = calq.iter().sum::<i64>().max(1).ilog2();
        calq.iter().map(|c| (c << (self.bits - 1)) >> exponent).collect()
    }

    fn build<'m>(&self, at: Site<'_, 'm>) -> Vec<Value<'m>> {
        let Site { m, operands: x, .. } = at;
        let calq = x[0];
        let (_, exponent) = sum_and_exponent(m, calq);
        let cell = |(i, charge): (usize, &Value<'m>)| {
            m.scope(&format!("cell{i}"), || shift_down(*charge, self.bits - 1, &exponent, self.bits))
        };
        calq.iter().enumerate().map(cell).collect()
    }
}

impl HandMade for ModuleSum {
    fn name(&self) -> &'static str {
        "module_sum"
    }

    fn result(&self, x: &[&TensorInfo]) -> Result<TensorInfo, String> {
        check_charges(x[0])?;
        let range = Interval::of_width(CODE_BITS, false).map_err(|e| e.to_string())?;
        Ok(TensorInfo { shape: vec![1], range })
    }

    fn evaluate(&self, x: &[&[i64]]) -> Vec<i64> {
        vec![code(x[0].iter().sum())]
    }

    /// Sum and exponent are the normaliser's, as the same operators on the same values are one.
    fn build<'m>(&self, at: Site<'_, 'm>) -> Vec<Value<'m>> {
        let Site { m, operands: x, .. } = at;
        let (sum, exponent) = sum_and_exponent(m, x[0]);
        vec![m.scope("code", || build_code(m, sum, &exponent))]
    }
}

/// The 5E+4M float of `sum`.
fn code(sum: i64) -> i64 {
    let length = i64::from(64 - sum.leading_zeros());
    if sum < 1 << MANTISSA_BITS { sum } else { ((length - 4) << MANTISSA_BITS) | ((sum >> (length - 5)) & 15) }
}

fn sum_and_exponent<'m>(m: &'m ModuleBuilder, calq: &[Value<'m>]) -> (Value<'m>, Vec<(u32, Value<'m>)>) {
    let sum = m.scope("sum", || Value::sum(calq).expect("there are cells").named("module_sum"));
    (sum, m.scope("exponent", || exponent_bits(m, sum)))
}

/// The bits of `floor(log2 sum)`, most significant first, by binary search: is there a one in the upper half?
fn exponent_bits<'m>(m: &'m ModuleBuilder, sum: Value<'m>) -> Vec<(u32, Value<'m>)> {
    let mut rest = sum;
    let mut found = Vec::new();
    for power in (0..SUM_BITS.next_power_of_two().ilog2()).rev() {
        let half = 1 << power;
        let upper = rest.ge(m.constant(1 << half, 0));
        rest = upper.mux(rest.slice(2 * half - 1, half), rest.slice(half - 1, 0));
        found.push((power, upper));
    }
    found
}

/// The low `width` bits of `floor(value · 2^up / 2^e)` where `e` is given by its bits; the bits above are zero.
///
/// A shifter of as many stages as the exponent has bits. After the stage of weight `2^k` the shifts that remain are
/// less than `2^k`, so that `width + 2^k - 1` bits are all that can still matter.
fn shift_down<'m>(value: Value<'m>, up: u32, exponent: &[(u32, Value<'m>)], width: u32) -> Value<'m> {
    let mut shifted = (value << up).extended(0);
    for &(power, bit) in exponent {
        let moved = shifted.slice(shifted.range().width().max(1) - 1, 1 << power);
        shifted = bit.mux(moved, shifted).wrap(width + (1 << power) - 1, false);
    }
    shifted
}

fn build_code<'m>(m: &'m ModuleBuilder, sum: Value<'m>, exponent: &[(u32, Value<'m>)]) -> Value<'m> {
    let mantissa = shift_down(sum, MANTISSA_BITS, exponent, MANTISSA_BITS + 1).wrap(MANTISSA_BITS, false);
    let logarithm = exponent[1..].iter().fold(exponent[0].1, |high, &(_, bit)| high.concat(bit, 1));
    let field = (logarithm - m.constant(3, 0)).wrap(CODE_BITS - MANTISSA_BITS, false);
    let float = field.concat(mantissa, MANTISSA_BITS);
    sum.lt(m.constant(1 << MANTISSA_BITS, 0)).mux(sum.wrap(MANTISSA_BITS, false), float).wrap(CODE_BITS, false)
}
