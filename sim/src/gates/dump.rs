//! Switching activity from the waveforms that Icarus dumps, to hold the simulation against.

use std::collections::HashMap;
use std::io::{self, BufRead};

use vcd::{Command, Parser, ScopeItem, Value};

/// Length of a cycle of the test bench, in units of its dump.
const PERIOD: u64 = 10_000;

/// A dumped variable: its bits are `first..first + bits.len()` of the counters, the most significant first.
#[derive(Debug, Clone, Default)]
struct Bits {
    first: usize,
    settled: Vec<Option<bool>>,
    now: Vec<Option<bool>>,
}

/// Counts, for every net in the scope `path`, changes from the level in which one cycle ends to that in which the next one
/// does, from cycle `from` on. Inputs change when the clock falls, registers half a cycle before: both belong together.
pub fn count(dump: impl BufRead, path: &[&str], from: u64) -> io::Result<HashMap<String, u64>> {
    let mut parser = Parser::new(dump);
    let header = parser.parse_header()?;
    let scope = header.find_scope(path).expect("the scope is dumped");
    let mut names = Vec::new();
    let mut variables: HashMap<vcd::IdCode, Bits> = HashMap::new();
    for item in &scope.items {
        let ScopeItem::Var(var) = item else { continue };
        let bits =
            Bits { first: names.len(), settled: vec![None; var.size as usize], now: vec![None; var.size as usize] };
        names.extend((0..var.size).rev().map(|bit| match var.size {
            1 => var.reference.clone(),
            _ => format!("{}[{bit}]", var.reference),
        }));
        variables.entry(var.code).or_insert(bits);
    }
    let mut counts = vec![0; names.len()];
    let mut settle = |variables: &mut HashMap<vcd::IdCode, Bits>, counted: bool| {
        for variable in variables.values_mut() {
            for (i, (settled, now)) in variable.settled.iter_mut().zip(&variable.now).enumerate() {
                let last = std::mem::replace(settled, *now);
                let moved = matches!((last, *now), (Some(a), Some(b)) if a != b);
                counts[variable.first + i] += u64::from(moved && counted);
            }
        }
    };
    let mut cycle = 0;
    for command in parser {
        match command? {
            Command::Timestamp(time) => {
                let next = (time + PERIOD / 2) / PERIOD;
                if next != cycle {
                    settle(&mut variables, cycle >= from);
                }
                cycle = next;
            }
            Command::ChangeScalar(code, value) => {
                if let Some(variable) = variables.get_mut(&code) {
                    variable.now = vec![bit(value)];
                }
            }
            Command::ChangeVector(code, values) => {
                if let Some(variable) = variables.get_mut(&code) {
                    variable.now = extended(values.iter().map(bit).collect(), variable.settled.len());
                }
            }
            _ => {}
        }
    }
    // what happens after the last rise of the clock belongs to no cycle
    Ok(names.into_iter().zip(counts).collect())
}

/// A dump leaves out leading zeros, and leading unknown bits behind the first.
fn extended(bits: Vec<Option<bool>>, width: usize) -> Vec<Option<bool>> {
    let missing = width.saturating_sub(bits.len());
    let fill = bits.first().copied().flatten().map(|_| false);
    [vec![fill; missing], bits].concat()
}

fn bit(value: Value) -> Option<bool> {
    match value {
        Value::V0 => Some(false),
        Value::V1 => Some(true),
        Value::X | Value::Z => None,
    }
}
