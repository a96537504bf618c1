//! A netlist as Yosys writes it with `-noattr -noexpr -simple-lhs`: one module, one declaration, pin or assignment a line.

use std::collections::HashMap;
use std::io::{BufRead, Error, ErrorKind, Result};

/// Constant nets.
pub const CONSTANTS: [&str; 2] = ["1'h0", "1'h1"];

/// More bits than any port has.
const MOST_BITS: i64 = 1 << 20;

/// A cell of the netlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Its type.
    pub cell: String,
    /// Its name.
    pub name: String,
    /// Pins and the nets on them, as a waveform names them: `net` or `bus[3]`, or one of [`CONSTANTS`].
    pub pins: Vec<(String, String)>,
}

/// A flat netlist of single-bit nets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Netlist {
    /// Bits of the input ports, the most significant first, in the file's order.
    pub inputs: Vec<String>,
    /// Bits of the output ports.
    pub outputs: Vec<String>,
    /// Cells in the file's order.
    pub instances: Vec<Instance>,
    /// Nets that are driven by another: driven, driver.
    pub aliases: Vec<(String, String)>,
}

impl Netlist {
    /// Reads a netlist.
    ///
    /// # Errors
    /// Those of reading, and `InvalidData` with the line for an assignment that is not understood.
    pub fn read(text: impl BufRead) -> Result<Self> {
        let mut netlist = Self::default();
        let mut buses: HashMap<String, [i64; 2]> = HashMap::new();
        let mut current: Option<Instance> = None;
        for line in text.lines() {
            let line = line?;
            let line = line.trim();
            if let Some(mut instance) = current.take() {
                match pin(line) {
                    Some(pin) => {
                        instance.pins.push(pin);
                        current = Some(instance);
                    }
                    None => netlist.instances.push(instance),
                }
            } else if let Some(head) = line.strip_suffix(" (") {
                current = instance(head);
            } else if let Some((left, right)) = assignment(line) {
                let aliases = aliases(left, right, &buses);
                netlist
                    .aliases
                    .extend(aliases.ok_or_else(|| unclear(line))?);
            } else if let Some((kind, name, range)) = declaration(line) {
                let nets = match range {
                    Some(range) => bits(&name, range).ok_or_else(|| unclear(line))?,
                    None => vec![name.clone()],
                };
                buses.extend(range.map(|range| (name, range)));
                match kind {
                    "input" => netlist.inputs.extend(nets),
                    "output" => netlist.outputs.extend(nets),
                    _ => {}
                }
            }
        }
        Ok(netlist)
    }
}

fn unclear(line: &str) -> Error {
    let message = format!("not understood in a netlist: {line}");
    Error::new(ErrorKind::InvalidData, message)
}

/// `CELL name`, where either may be escaped.
fn instance(head: &str) -> Option<Instance> {
    let (cell, name) = head.split_once(' ')?;
    (cell != "module").then(|| Instance {
        cell: plain(cell),
        name: plain(name),
        pins: Vec::new(),
    })
}

/// `.PIN(net),`
fn pin(line: &str) -> Option<(String, String)> {
    let (pin, rest) = line.strip_prefix('.')?.split_once('(')?;
    let net = rest.trim_end_matches(',').strip_suffix(')')?;
    Some((pin.to_owned(), plain(net)))
}

/// `assign left = right;`
fn assignment(line: &str) -> Option<(&str, &str)> {
    let body = line.strip_prefix("assign ")?.strip_suffix(';')?;
    body.split_once(" = ")
}

/// `input [8:0] name;`, also of outputs and wires.
fn declaration(line: &str) -> Option<(&str, String, Option<[i64; 2]>)> {
    let (kind, rest) = line.strip_suffix(';')?.split_once(' ')?;
    if !["input", "output", "wire"].contains(&kind) {
        return None;
    }
    match rest.strip_prefix('[') {
        Some(ranged) => {
            let (range, name) = ranged.split_once("] ")?;
            let (high, low) = range.split_once(':')?;
            let range = [high.parse().ok()?, low.parse().ok()?];
            Some((kind, plain(name), Some(range)))
        }
        None => Some((kind, plain(rest), None)),
    }
}

/// The bits of a bus, the most significant first; none if it is wider than any port.
fn bits(name: &str, [high, low]: [i64; 2]) -> Option<Vec<String>> {
    let width = high.checked_sub(low)?;
    let bits = (low..=high).rev();
    (0..MOST_BITS)
        .contains(&width)
        .then(|| bits.map(|bit| format!("{name}[{bit}]")).collect())
}

/// The bits of both sides of an assignment, in pairs.
fn aliases(
    left: &str,
    right: &str,
    buses: &HashMap<String, [i64; 2]>,
) -> Option<Vec<(String, String)>> {
    let driven = operand(left, buses)?;
    let drivers = match right.strip_prefix('{').and_then(|r| r.strip_suffix('}')) {
        Some(parts) => {
            let mut drivers = Vec::new();
            for part in parts.split(", ") {
                drivers.extend(repeated(part.trim(), buses)?);
            }
            drivers
        }
        None => operand(right, buses)?,
    };
    (driven.len() == drivers.len()).then(|| driven.into_iter().zip(drivers).collect())
}

/// An operand, or `{3{operand}}`.
fn repeated(text: &str, buses: &HashMap<String, [i64; 2]>) -> Option<Vec<String>> {
    let inner = text.strip_prefix('{').and_then(|t| t.strip_suffix("}}"));
    let Some((count, body)) = inner.and_then(|t| t.split_once('{')) else {
        return operand(text, buses);
    };
    let bits = operand(body.trim(), buses)?;
    let count = count.trim().parse::<usize>().ok()?;
    (count <= MOST_BITS as usize).then(|| vec![bits; count].concat())
}

/// The bits of a net, a bus, a part of it, or a constant.
fn operand(text: &str, buses: &HashMap<String, [i64; 2]>) -> Option<Vec<String>> {
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

/// `9'h01f` or `2'b10`; unknown bits are none.
fn constant(text: &str) -> Option<Vec<String>> {
    let (width, value) = text.split_once('\'')?;
    let width: u32 = width.parse().ok()?;
    let value = match value.split_at_checked(1)? {
        ("h", digits) => u128::from_str_radix(digits, 16).ok()?,
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
fn plain(name: &str) -> String {
    name.trim()
        .strip_prefix('\\')
        .unwrap_or(name)
        .replace(' ', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "module top(clk, y);\n  input clk;\n  output [3:0] y;\n  wire _1_;\n  FAX1 _1_ (\n    .A(x),\n    \
        .YS(y[3])\n  );\n  \\$_INV_  \\u.v  (\n    .Y(\\a.b [2])\n  );\n  assign y[2:0] = { _1_, 2'h2 };\nendmodule\n";

    #[test]
    fn instances_have_their_nets() {
        let found = Netlist::read(TEXT.as_bytes()).unwrap().instances;
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].cell.as_str(), found[0].name.as_str()),
            ("FAX1", "_1_")
        );
        assert_eq!(found[0].pins[1], ("YS".into(), "y[3]".into()));
        assert_eq!(
            (found[1].cell.as_str(), found[1].name.as_str()),
            ("$_INV_", "u.v")
        );
        assert_eq!(found[1].pins[0].1, "a.b[2]");
    }

    #[test]
    fn ports_and_assignments_are_split_into_bits() {
        let found = Netlist::read(TEXT.as_bytes()).unwrap();
        assert_eq!(found.inputs, ["clk"]);
        assert_eq!(found.outputs, ["y[3]", "y[2]", "y[1]", "y[0]"]);
        let aliases: Vec<(&str, &str)> = found
            .aliases
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        assert_eq!(
            aliases,
            [("y[2]", "_1_"), ("y[1]", "1'h1"), ("y[0]", "1'h0")]
        );
        let repeated = "output [2:0] y;\nassign y = { z, {2{z}} };\n";
        assert_eq!(
            Netlist::read(repeated.as_bytes()).unwrap().aliases[2].1,
            "z"
        );
    }

    #[test]
    fn sides_of_different_width_and_unknown_constants_are_errors() {
        for line in [
            "assign y[1:0] = z;",
            "assign y[0] = 1'hx;",
            "assign y[0] = 1'o7;",
            "wire [999999999:0] y;",
        ] {
            let error = Netlist::read(line.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(line), "{error}");
        }
    }
}
