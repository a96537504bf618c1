//! Good hardware for sums, comparisons and selections of exact integers.

use super::bits::Bits;
use crate::rtl::{Builder, Cell, Net};

/// The low `width` bits of `x + y`.
///
/// Where one operand ends in `s` constant zeros, the other's low `s` bits pass and only the rest is added.
pub(super) fn sum(b: &mut Builder, x: Bits, y: Bits, width: u32) -> Net {
    let (x_zeros, y_zeros) = (trailing_zeros(b, x), trailing_zeros(b, y));
    let (x, y, zeros) = if x_zeros > y_zeros { (y, x, x_zeros) } else { (x, y, y_zeros) };
    overlap(b, x, y, zeros, width, |b, high, other| {
        negated_constant(b, other, |b, k| b.binary(Cell::Sub, high, k))
            .unwrap_or_else(|| b.binary(Cell::Add, high, other))
    })
}

/// The low `width` bits of `x - y`.
pub(super) fn difference(b: &mut Builder, x: Bits, y: Bits, width: u32) -> Net {
    let zeros = trailing_zeros(b, y);
    overlap(b, x, y, zeros, width, |b, high, other| {
        negated_constant(b, other, |b, k| b.binary(Cell::Add, high, k))
            .unwrap_or_else(|| b.binary(Cell::Sub, high, other))
    })
}

/// `x` combined with `y`, which ends in `zeros` zeros: the low bits of `x` pass below.
fn overlap(
    b: &mut Builder,
    x: Bits,
    y: Bits,
    zeros: u32,
    width: u32,
    combine: impl FnOnce(&mut Builder, Net, Net) -> Net,
) -> Net {
    if zeros >= width {
        return x.low(b, width);
    }
    let rest = width - zeros;
    let (x_high, y_high) = (x.shr(b, zeros), y.shr(b, zeros));
    let is_zero =
        |b: &Builder, bits: Bits| bits.net.is_none_or(|net| b.module.as_constant(net).is_some_and(|v| v.bits() == 0));
    let other = y_high.low(b, rest);
    let high = if is_zero(b, y_high) {
        x_high.low(b, rest)
    } else {
        let high = x_high.low(b, rest);
        combine(b, high, other)
    };
    if zeros == 0 {
        return high;
    }
    let low = x.low(b, zeros);
    b.concat(&[high, low])
}

/// The result of `combine` on the negative of `k`, if `k` is a constant that reads better so: one with its top bit set
/// and a positive negative that is narrower.
fn negated_constant(b: &mut Builder, k: Net, combine: impl FnOnce(&mut Builder, Net) -> Net) -> Option<Net> {
    let width = b.module.width(k);
    let value = b.module.as_constant(k)?;
    let negative = value.bit(u64::from(width) - 1) && width > 1;
    if !negative {
        return None;
    }
    let magnitude = (crate::rtl::ones(width) ^ value) + 1u8;
    let magnitude = b.constant(magnitude, width);
    Some(combine(b, magnitude))
}

/// Known zeros at the least significant end; more than any width for zero itself.
fn trailing_zeros(b: &Builder, x: Bits) -> u32 {
    let constant = |net: Net| b.module.as_constant(net).map(|v| v.trailing_zeros().map_or(u32::MAX, |z| z as u32));
    let Some(net) = x.net else { return u32::MAX };
    match b.module.cell(net) {
        Cell::Const(_) => constant(net).unwrap_or(0),
        Cell::Concat(list) => {
            let last = *b.module.list(list).last().expect("a concatenation has parts");
            constant(last).unwrap_or(0).min(b.module.width(last))
        }
        _ => 0,
    }
}

/// The low `width` bits of `x · y`.
pub(super) fn product(b: &mut Builder, x: Bits, y: Bits, width: u32) -> Net {
    let (x, y) = (x.low(b, width), y.low(b, width));
    b.binary(Cell::Mul, x, y)
}

/// `x < y`.
pub(super) fn less(b: &mut Builder, x: Bits, y: Bits) -> Net {
    let (a, c, signed) = common(b, x, y);
    let cell = if signed { Cell::LtSigned } else { Cell::LtUnsigned };
    b.compare(cell, a, c)
}

/// `x < k`.
///
/// A power of two has zeros below, which both sides can do without: `x < d · 2^s` if `floor(x / 2^s) < d`. What is left
/// are comparisons with -1, 0 and 1 on the top bits, or a narrower comparison.
pub(super) fn less_than_constant(b: &mut Builder, x: Bits, k: i128) -> Net {
    let shift = if k == 0 { 0 } else { k.trailing_zeros() };
    let (top, bound) = (x.shr(b, shift), k >> shift);
    match bound {
        0 => x.sign(b),
        1 => {
            let (sign, any) = (top.sign(b), top.any(b));
            let zero = b.not(any);
            b.or(sign, zero)
        }
        -1 if top.signed => {
            let sign = top.sign(b);
            let all = top.net.map_or(sign, |net| b.all(net));
            let all = b.not(all);
            b.and(sign, all)
        }
        _ => {
            let width = 128 - if bound < 0 { !bound } else { bound }.leading_zeros();
            let bound = Bits { net: Some(b.integer(bound, width + u32::from(bound < 0))), signed: bound < 0 };
            less(b, top, bound)
        }
    }
}

/// `x = y`.
pub(super) fn equal(b: &mut Builder, x: Bits, y: Bits) -> Net {
    let (mut a, mut c, _) = common(b, x, y);
    if b.module.as_constant(a).is_some() {
        (a, c) = (c, a);
    }
    let value = b.module.as_constant(c).cloned();
    match value {
        Some(k) if k.bits() == 0 => {
            let any = b.any(a);
            b.not(any)
        }
        Some(k) if k == crate::rtl::ones(b.module.width(a)) => b.all(a),
        _ => b.compare(Cell::Eq, a, c),
    }
}

/// Both as nets of one width that holds either, and whether two's complement.
fn common(b: &mut Builder, x: Bits, y: Bits) -> (Net, Net, bool) {
    let signed = x.signed || y.signed;
    let needs = |b: &Builder, v: Bits| v.width(b) + u32::from(signed && !v.signed);
    let width = needs(b, x).max(needs(b, y)).max(1);
    (x.low(b, width), y.low(b, width), signed)
}

/// The low `width` bits of `max(x, 0)`, masked by the sign.
pub(super) fn rectified(b: &mut Builder, x: Bits, width: u32) -> Net {
    let value = x.low(b, width);
    let sign = x.sign(b);
    let positive = b.not(sign);
    let mask = b.sign_extend(positive, width);
    b.and(value, mask)
}

/// The low `width` bits of `min(x, 2^bits - 1)` for an `x` that is never negative: any bit above sets all below.
pub(super) fn saturated(b: &mut Builder, x: Bits, bits: u32, width: u32) -> Net {
    let value = x.low(b, width);
    let over = x.shr(b, bits).any(b);
    let mask = b.sign_extend(over, width);
    b.or(value, mask)
}
