//! The mapped netlist as Yosys writes it: one pin a line.

use std::io::BufRead;

/// A cell of the netlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Its type.
    pub cell: String,
    /// Its name.
    pub name: String,
    /// Pins and the nets on them, as a waveform names them: `net` or `bus[3]`.
    pub pins: Vec<(String, String)>,
}

/// The instances of a netlist, in its order; lines that are no instance are passed over.
///
/// # Errors
/// Those of reading.
pub fn instances(netlist: impl BufRead) -> std::io::Result<Vec<Instance>> {
    let mut instances = Vec::new();
    let mut current: Option<Instance> = None;
    for line in netlist.lines() {
        let line = line?;
        let line = line.trim();
        if let Some(mut instance) = current.take() {
            match pin(line) {
                Some(pin) => {
                    instance.pins.push(pin);
                    current = Some(instance);
                }
                None => instances.push(instance),
            }
        } else if let Some(head) = line.strip_suffix(" (") {
            current = match head.split_once(' ') {
                Some((cell, name)) if cell != "module" => Some(Instance {
                    cell: cell.to_owned(),
                    name: plain(name),
                    pins: Vec::new(),
                }),
                _ => None,
            };
        }
    }
    Ok(instances)
}

/// `.PIN(net),`
fn pin(line: &str) -> Option<(String, String)> {
    let (pin, rest) = line.strip_prefix('.')?.split_once('(')?;
    let net = rest.trim_end_matches(',').strip_suffix(')')?;
    Some((pin.to_owned(), plain(net)))
}

/// A name without the marks of an escaped identifier.
fn plain(name: &str) -> String {
    match name.strip_prefix('\\') {
        Some(escaped) => escaped.replace(' ', ""),
        None => name.replace(' ', ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_have_their_nets() {
        let text = "module top(clk, y);\n  input clk;\n  FAX1 _1_ (\n    .A(x),\n    .YS(y[3])\n  );\n  \
                    INV \\u.v  (\n    .Y(\\a.b [2])\n  );\nendmodule\n";
        let found = instances(text.as_bytes()).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].cell.as_str(), found[0].name.as_str()),
            ("FAX1", "_1_")
        );
        assert_eq!(found[0].pins[1], ("YS".into(), "y[3]".into()));
        assert_eq!(found[1].name, "u.v");
        assert_eq!(found[1].pins[0].1, "a.b[2]");
    }
}
