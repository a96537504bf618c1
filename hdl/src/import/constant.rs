//! Constant expressions: what stands between the brackets of a range, and behind a parameter.

use std::collections::HashMap;

use super::error;
use super::header::Cursor;
use crate::diag::Diagnostics;
use crate::names::quoted;

/// Deepest nesting of parentheses and signs.
const MAX_DEPTH: u32 = 64;

/// The values of parameters.
pub(super) type Constants<'a> = HashMap<&'a str, i128>;

/// Binary operators with how tightly they bind.
const OPERATORS: [(&str, u32); 8] = [("<<", 1), (">>", 1), ("+", 2), ("-", 2), ("*", 3), ("/", 3), ("%", 3), ("**", 4)];

/// The value of the expression at the cursor.
pub(super) fn expression(at: &mut Cursor<'_, '_>, constants: &Constants<'_>) -> Result<i128, Diagnostics> {
    binary(at, constants, 1, MAX_DEPTH)
}

/// Operators that bind at least as tightly as `least`, left to right.
fn binary(at: &mut Cursor<'_, '_>, constants: &Constants<'_>, least: u32, depth: u32) -> Result<i128, Diagnostics> {
    let mut value = operand(at, constants, depth)?;
    while let Some(&(operator, tight)) = OPERATORS.iter().find(|(text, tight)| at.peek() == *text && *tight >= least) {
        at.next()?;
        let line = at.line();
        let right = binary(at, constants, tight + 1, depth)?;
        value = apply(operator, value, right).ok_or_else(|| error(line, "the constant cannot be computed"))?;
    }
    Ok(value)
}

fn apply(operator: &str, a: i128, b: i128) -> Option<i128> {
    let small = u32::try_from(b).ok().filter(|&b| b < 127);
    match operator {
        "<<" => a.checked_mul(1 << small?),
        ">>" => Some(a >> small?),
        "+" => a.checked_add(b),
        "-" => a.checked_sub(b),
        "*" => a.checked_mul(b),
        "/" => a.checked_div(b),
        "%" => a.checked_rem(b),
        _ => a.checked_pow(small?),
    }
}

fn operand(at: &mut Cursor<'_, '_>, constants: &Constants<'_>, depth: u32) -> Result<i128, Diagnostics> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(error(at.line(), "this constant is nested too deeply"));
    };
    let token = at.next()?;
    let fail = |message: &str| error(token.line, message);
    match token.text {
        "(" => {
            let value = binary(at, constants, 1, depth)?;
            at.expect(")")?;
            Ok(value)
        }
        "-" => operand(at, constants, depth)?.checked_neg().ok_or_else(|| fail("the constant cannot be computed")),
        "+" => operand(at, constants, depth),
        "$clog2" => {
            at.expect("(")?;
            let value = binary(at, constants, 1, depth)?;
            at.expect(")")?;
            let last = u128::try_from(value.saturating_sub(1).max(0)).unwrap_or(0);
            Ok(i128::from(u128::BITS - last.leading_zeros()))
        }
        text if text.starts_with(|c: char| c.is_ascii_digit() || c == '\'') => {
            number(text).ok_or_else(|| fail(&format!("{} is no number", quoted(text))))
        }
        text => constants.get(text).copied().ok_or_else(|| fail(&format!("{} is no constant", quoted(text)))),
    }
}

/// A literal such as `12`, `8'hff` or `'b01`.
fn number(text: &str) -> Option<i128> {
    let digits: String = text.chars().filter(|c| *c != '_').collect();
    let Some((_, based)) = digits.split_once('\'') else {
        return digits.parse().ok();
    };
    let based = based.strip_prefix(['s', 'S']).unwrap_or(based);
    let base = based.chars().next()?.to_ascii_lowercase();
    let radix = match base {
        'b' => 2,
        'o' => 8,
        'd' => 10,
        'h' => 16,
        _ => return None,
    };
    i128::from_str_radix(&based[1..], radix).ok()
}
