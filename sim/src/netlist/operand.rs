//! The bits of what stands in an assignment or at a pin.

use std::collections::HashMap;

use super::{CONSTANTS, UNKNOWN};

/// More bits than any port has.
const MOST_BITS: i64 = 1 << 20;

/// Highest and lowest bit of each bus.
pub(super) type Buses = HashMap<String, [i64; 2]>;

/// The bits of a bus, the most significant first; none if it is wider than any port.
pub(super) fn bits(name: &str, [high, low]: [i64; 2]) -> Option<Vec<String>> {
    let width = high.checked_sub(low)?;
    let bits = (low..=high).rev();
    (0..MOST_BITS).contains(&width).then(|| bits.map(|bit| format!("{name}[{bit}]")).collect())
}

/// The bits of both sides of an assignment, in pairs.
pub(super) fn aliases(left: &str, right: &str, buses: &Buses) -> Option<Vec<(String, String)>> {
    let (driven, drivers) = (list(left, buses)?, list(right, buses)?);
    (driven.len() == drivers.len()).then(|| driven.into_iter().zip(drivers).collect())
}

/// The bits of operands in braces, or of one; none of an empty text.
pub(super) fn list(text: &str, buses: &Buses) -> Option<Vec<String>> {
    match text.strip_prefix('{').and_then(|t| t.strip_suffix('}')) {
        Some(parts) => {
            let mut nets = Vec::new();
            for part in parts.split(", ") {
                nets.extend(repeated(part.trim(), buses)?);
            }
            Some(nets)
        }
        None if text.is_empty() => Some(Vec::new()),
        None => operand(text, buses),
    }
}

/// An operand, or `{3{operand}}`.
fn repeated(text: &str, buses: &Buses) -> Option<Vec<String>> {
    let inner = text.strip_prefix('{').and_then(|t| t.strip_suffix("}}"));
    let Some((count, body)) = inner.and_then(|t| t.split_once('{')) else {
        return operand(text, buses);
    };
    let bits = operand(body.trim(), buses)?;
    let count = count.trim().parse::<usize>().ok()?;
    (count <= MOST_BITS as usize).then(|| vec![bits; count].concat())
}

/// The bits of a net, a bus, a part of it, or a constant.
fn operand(text: &str, buses: &Buses) -> Option<Vec<String>> {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return constant(text);
    }
    let text = plain(text);
    if let Some(range) = buses.get(&text) {
        return bits(&text, *range);
    }
    if let Some((name, range)) = text.strip_suffix(']').and_then(|t| t.rsplit_once('['))
        && let Some((high, low)) = range.split_once(':')
    {
        return bits(name, [high.parse().ok()?, low.parse().ok()?]);
    }
    Some(vec![text])
}

/// The value of a constant of at most 64 known bits.
pub fn number(text: &str) -> Option<u64> {
    let bits = constant(text).filter(|bits| bits.len() <= 64)?;
    bits.iter().try_fold(0, |value, bit| {
        let bit = CONSTANTS.iter().position(|constant| constant == bit)?;
        Some(value << 1 | bit as u64)
    })
}

/// The bits of `9'h01f`, `5'd31`, `32'sd1`, `2'b10` or `3'hx`, the most significant first.
fn constant(text: &str) -> Option<Vec<String>> {
    let (width, value) = text.split_once('\'')?;
    let width: usize = width.parse().ok().filter(|width| *width <= MOST_BITS as usize)?;
    let value = value.strip_prefix('s').unwrap_or(value);
    let (base, digits) = value.split_at_checked(1)?;
    let mut bits = Vec::new();
    match base {
        "h" => digits.chars().try_for_each(|digit| digit_bits(digit, 4, &mut bits))?,
        "b" => digits.chars().try_for_each(|digit| digit_bits(digit, 1, &mut bits))?,
        "d" => {
            let value: u128 = digits.parse().ok()?;
            bits.extend((0..u128::BITS).rev().map(|i| CONSTANTS[(value >> i & 1) as usize]));
        }
        _ => return None,
    }
    let missing = width.saturating_sub(bits.len());
    let zeros = std::iter::repeat_n(CONSTANTS[0], missing);
    let kept = bits.len().min(width);
    let kept = bits[bits.len() - kept..].iter().copied();
    Some(zeros.chain(kept).map(str::to_owned).collect())
}

/// Adds the bits of a digit.
fn digit_bits(digit: char, bits: u32, to: &mut Vec<&'static str>) -> Option<()> {
    match digit {
        'x' | 'z' => to.extend((0..bits).map(|_| UNKNOWN)),
        _ => {
            let value = digit.to_digit(1 << bits)?;
            to.extend((0..bits).rev().map(|i| CONSTANTS[(value >> i & 1) as usize]));
        }
    }
    Some(())
}

/// A name without the marks of an escaped identifier.
pub(super) fn plain(name: &str) -> String {
    name.trim().strip_prefix('\\').unwrap_or(name).replace(' ', "")
}
