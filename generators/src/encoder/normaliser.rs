//! The normaliser: charges relative to the power of two below their sum, and that sum as a short float.

use hdl::dfg::{ModuleBuilder, Value};

use super::geometry::CELLS;

/// Bits of a calibrated charge.
pub const CALQ_BITS: u32 = 22;
/// Bits of the module sum's 5E+4M code.
pub const CODE_BITS: u32 = 9;
const MANTISSA_BITS: u32 = 4;
/// Bits of the sum of all charges, and so one more than its greatest logarithm.
const SUM_BITS: u32 = 28;

/// The module-sum code and the 48 normalised values for 48 charges.
///
/// `S = Σ CALQ`, `m = floor(log2 S)` (0 when S is 0), `q_i = floor(CALQ_i · 2^(bits - 1 - m))`, a `u{bits}.{bits-1}`.
pub fn evaluate(calq: &[i64], bits: u32) -> (i64, Vec<i64>) {
    let sum: i64 = calq.iter().sum();
    let exponent = sum.max(1).ilog2();
    (code(sum), calq.iter().map(|c| (c << (bits - 1)) >> exponent).collect())
}

/// The 5E+4M float of `sum`: itself below 16, else its bit length less four and the four bits below the leading one.
fn code(sum: i64) -> i64 {
    let length = i64::from(64 - sum.leading_zeros());
    if sum < 1 << MANTISSA_BITS { sum } else { ((length - 4) << MANTISSA_BITS) | ((sum >> (length - 5)) & 15) }
}

/// The normaliser's results as values of a module under construction.
#[derive(Debug)]
pub struct Normalised<'m> {
    /// 48 values `u{bits}.{bits-1}`.
    pub cells: Vec<Value<'m>>,
    /// The module sum's code, 9 bits.
    pub code: Value<'m>,
}

/// Builds the normaliser on 48 charges.
pub fn build<'m>(m: &'m ModuleBuilder, calq: &[Value<'m>], bits: u32) -> Normalised<'m> {
    let sum = m.scope("sum", || Value::sum(calq).expect("there are cells").named("module_sum"));
    let exponent = m.scope("exponent", || exponent_bits(m, sum));
    let cells = (0..CELLS)
        .map(|i| {
            m.scope(&format!("cell{i}"), || shift_down(calq[i], bits - 1, &exponent, bits).with_frac(bits as i32 - 1))
        })
        .collect();
    let code = m.scope("code", || build_code(m, sum, &exponent));
    Normalised { cells, code }
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
