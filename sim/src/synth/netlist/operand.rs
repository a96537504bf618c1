//! The bits of what stands in an assignment or at a pin.

use std::collections::HashMap;

use super::CONSTANTS;

/// More bits than any port has.
const MOST_BITS: i64 = 1 << 20;

/// Highest and lowest bit of each bus.
pub(super) type Buses = HashMap<String, [i64; 2]>;

/// The bits of a bus, the most significant first; none if it is wider than any port.
pub(super) fn bits(name: &str, [high, low]: [i64; 2]) -> Option<Vec<String>> {
    let width = high.checked_sub(low)?;
    let bits = (low..=high).rev();
    (0..MOST_BITS)
        .contains(&width)
        .then(|| bits.map(|bit| format!("{name}[{bit}]")).collect())
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
pub(crate) fn number(text: &str) -> Option<u64> {
    let bits = constant(text).filter(|bits| bits.len() <= 64)?;
    let ones = bits.iter().map(|bit| u64::from(bit == CONSTANTS[1]));
    Some(ones.fold(0, |value, bit| value << 1 | bit))
}

/// `9'h01f`, `5'd31` or `2'b10`; unknown bits are none.
fn constant(text: &str) -> Option<Vec<String>> {
    let (width, value) = text.split_once('\'')?;
    let width: u32 = width.parse().ok()?;
    let value = match value.split_at_checked(1)? {
        ("h", digits) => u128::from_str_radix(digits, 16).ok()?,
        ("d", digits) => digits.parse().ok()?,
        ("b", digits) => u128::from_str_radix(digits, 2).ok()?,
        _ => return None,
    };
    let bit = |bit: u32| value.checked_shr(bit).unwrap_or(0) & 1 == 1;
    Some(
        (0..width)
            .rev()
            .map(|i| CONSTANTS[usize::from(bit(i))].to_owned())
            .collect(),
    )
}

/// A name without the marks of an escaped identifier.
pub(super) fn plain(name: &str) -> String {
    name.trim()
        .strip_prefix('\\')
        .unwrap_or(name)
        .replace(' ', "")
}
