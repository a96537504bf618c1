//! Switching activity from the waveforms of a gate-level simulation.

use std::collections::HashMap;
use std::io::{self, BufRead};

use vcd::{Command, Parser, ScopeItem, Value};

/// How often each net changed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Activity {
    /// Changes between zero and one by net, `net` or `bus[3]`.
    pub transitions: HashMap<String, u64>,
    /// From where on it was counted to the end, in units of the dump's time scale.
    pub span: u64,
}

/// A dumped variable: its bits are `first..first + bits.len()` of the counters, the most significant first.
#[derive(Debug, Clone, Default)]
struct Bits {
    first: usize,
    last: Vec<Option<bool>>,
}

/// Counts the transitions of every net in the scope `path`, from time `from` on.
///
/// A net that moves and comes back at the same time counts twice: with models without delay that is an evaluation order
/// and not a glitch, so only its last value at each time is taken.
///
/// # Errors
/// A dump that cannot be read or that lacks the scope.
pub fn count(dump: impl BufRead, path: &[&str], from: u64) -> io::Result<Activity> {
    let mut parser = Parser::new(dump);
    let header = parser.parse_header()?;
    let scope = header.find_scope(path).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("no scope {}", path.join(".")),
        )
    })?;
    let mut names = Vec::new();
    let mut variables: HashMap<vcd::IdCode, Bits> = HashMap::new();
    for item in &scope.items {
        let ScopeItem::Var(var) = item else { continue };
        let bits = Bits {
            first: names.len(),
            last: vec![None; var.size as usize],
        };
        names.extend((0..var.size).rev().map(|bit| match var.size {
            1 => var.reference.clone(),
            _ => format!("{}[{bit}]", var.reference),
        }));
        variables.entry(var.code).or_insert(bits);
    }
    let counts = transitions(parser, &mut variables, names.len(), from)?;
    Ok(Activity {
        transitions: names.into_iter().zip(counts.0).collect(),
        span: counts.1.saturating_sub(from),
    })
}

/// Changes of each bit, and the last time.
fn transitions<R: BufRead>(
    parser: Parser<R>,
    variables: &mut HashMap<vcd::IdCode, Bits>,
    bits: usize,
    from: u64,
) -> io::Result<(Vec<u64>, u64)> {
    let mut counts = vec![0; bits];
    let mut now = 0;
    let mut pending: HashMap<vcd::IdCode, Vec<Option<bool>>> = HashMap::new();
    let mut settle = |pending: &mut HashMap<vcd::IdCode, Vec<Option<bool>>>, counted: bool| {
        for (code, values) in pending.drain() {
            let Some(variable) = variables.get_mut(&code) else {
                continue;
            };
            for (i, value) in values.iter().enumerate().take(variable.last.len()) {
                let last = std::mem::replace(&mut variable.last[i], *value);
                let moved = matches!((last, *value), (Some(a), Some(b)) if a != b);
                counts[variable.first + i] += u64::from(moved && counted);
            }
        }
    };
    for command in parser {
        match command? {
            Command::Timestamp(time) => {
                settle(&mut pending, now >= from);
                now = time;
            }
            Command::ChangeScalar(code, value) => {
                pending.insert(code, vec![bit(value)]);
            }
            Command::ChangeVector(code, values) => {
                pending.insert(code, values.iter().map(bit).collect());
            }
            _ => {}
        }
    }
    settle(&mut pending, now >= from);
    Ok((counts, now))
}

fn bit(value: Value) -> Option<bool> {
    match value {
        Value::V0 => Some(false),
        Value::V1 => Some(true),
        Value::X | Value::Z => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = "$timescale 1ps $end\n$scope module tb $end\n$scope module dut $end\n\
        $var wire 1 ! a $end\n$var wire 2 \" b [1:0] $end\n$upscope $end\n$upscope $end\n$enddefinitions $end\n\
        #0\nx!\nb00 \"\n#10\n1!\n0!\n#20\n1!\nb11 \"\n#30\n0!\nb01 \"\n#40\n";

    #[test]
    fn transitions_are_counted_bit_by_bit_in_the_span() {
        let activity = count(DUMP.as_bytes(), &["tb", "dut"], 0).unwrap();
        // at time 10 `a` ends as zero, which is no transition from unknown
        assert_eq!(activity.transitions["a"], 2);
        assert_eq!(
            (activity.transitions["b[1]"], activity.transitions["b[0]"]),
            (2, 1)
        );
        assert_eq!(activity.span, 40);
        let late = count(DUMP.as_bytes(), &["tb", "dut"], 30).unwrap();
        assert_eq!((late.transitions["a"], late.span), (1, 10));
        assert!(count(DUMP.as_bytes(), &["tb", "other"], 0).is_err());
    }
}
