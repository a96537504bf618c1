//! The product of a hard multiplier, as rows of full adders.

use crate::cell::Function;
use crate::netlist::{CONSTANTS, Instance};

/// Whether these pins of an instance, the least significant first, are constants that make up `number`.
pub(super) fn is_constant(instance: &Instance, pins: impl Iterator<Item = String>, number: u64) -> bool {
    pins.zip(0..).all(|(pin, i)| {
        let mut connected = instance.pins.iter();
        let expected = CONSTANTS[(number >> i & 1) as usize];
        connected.any(|(name, net)| *name == pin && net == expected)
    })
}

/// `A & B`, and `!A & B`.
const BOTH: u64 = 0b1000;
const ONLY_SECOND: u64 = 0b0100;

/// The low `bits` bits of the product of two's complement factors, least significant first; `to` names them. All else has
/// names in parentheses.
pub(super) fn signed(a: &[String], b: &[String], bits: usize, to: impl Fn(usize) -> String) -> Vec<(String, Function)> {
    let mut outputs = Vec::new();
    // each row is added to what the rows before left of its place and all above
    let mut above: Vec<Option<String>> = vec![None; bits];
    for (j, factor) in b.iter().enumerate() {
        // the sign counts negative: the row's complement and a carry
        let is_sign = j + 1 == b.len();
        let mut carry = is_sign.then(|| factor.clone());
        for (k, sum) in above.iter_mut().enumerate().skip(j) {
            let bit = &a[(k - j).min(a.len() - 1)];
            let [row, added, carried] = ["row", "sum", "carry"].map(|part| format!("({part} {j} {k})"));
            let gate = if is_sign { ONLY_SECOND } else { BOTH };
            outputs.push((row.clone(), Function::new(&[bit, factor], gate)));
            let terms: Vec<&str> =
                [Some(&row), sum.as_ref(), carry.as_ref()].into_iter().flatten().map(String::as_str).collect();
            let table = |holds: fn(u32) -> bool| {
                let all = 0..1u64 << terms.len();
                all.filter(|at| holds(at.count_ones())).map(|at| 1 << at).sum()
            };
            let name = if is_sign || k == j { to(k) } else { added };
            outputs.push((name.clone(), Function::new(&terms, table(|n| n % 2 == 1))));
            outputs.push((carried.clone(), Function::new(&terms, table(|n| n > 1))));
            *sum = Some(name);
            carry = Some(carried);
        }
    }
    outputs
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// The product of `a` and `b` in 10 bits, by way of the functions; one of them may be wrong.
    fn product(a: i64, b: i64, wrong: Option<usize>) -> i64 {
        let pins = |name: &str, bits| (0..bits).map(|i| format!("{name}{i}")).collect();
        let (left, right): (Vec<String>, Vec<String>) = (pins("A", 5), pins("B", 4));
        let bits = |pins: &[String], value: i64| {
            let each = pins.iter().cloned().zip(0..);
            each.map(move |(pin, i)| (pin, value >> i & 1)).collect::<Vec<_>>()
        };
        let mut levels: HashMap<String, i64> = bits(&left, a).into_iter().chain(bits(&right, b)).collect();
        let outputs = signed(&left, &right, 10, |i| format!("P{i}"));
        for (k, (name, function)) in outputs.into_iter().enumerate() {
            let at: i64 = (0..).zip(&function.pins).map(|(i, pin)| levels[pin] << i).sum();
            let level = (function.table >> at & 1) as i64 ^ i64::from(wrong == Some(k));
            levels.insert(name, level);
        }
        let sum: i64 = (0..10).map(|i| levels[&format!("P{i}")] << i).sum();
        sum << 54 >> 54
    }

    #[test]
    fn all_products_are_exact() {
        for a in -16..16 {
            for b in -8..8 {
                assert_eq!(product(a, b, None), a * b);
            }
        }
    }

    #[test]
    fn a_wrong_function_makes_a_wrong_product() {
        assert_ne!(product(5, 3, Some(0)), 15);
    }
}
