//! A netlist in Yosys's JSON, where a wire is a number and pins name the wires on them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use hdl::diag::{Diagnostic, Diagnostics};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Name of the file.
pub const FILE: &str = "netlist.json";

/// A netlist with its modules, those of the library among them.
#[derive(Debug, Serialize, Deserialize)]
pub struct Netlist {
    #[serde(default)]
    creator: String,
    /// Modules by name.
    pub modules: BTreeMap<String, Module>,
}

/// A module.
#[derive(Debug, Serialize, Deserialize)]
pub struct Module {
    attributes: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parameter_default_values: Option<Box<RawValue>>,
    /// Ports by name.
    #[serde(default)]
    pub ports: BTreeMap<String, Port>,
    /// Cells by name.
    #[serde(default)]
    pub cells: BTreeMap<String, Cell>,
    /// Named nets.
    #[serde(default)]
    pub netnames: BTreeMap<String, Net>,
}

/// Which way a pin or a port goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Read by the module.
    Input,
    /// Driven by the module.
    Output,
    /// Either.
    Inout,
}

/// How a port or a net is declared, besides its width.
#[derive(Debug, Serialize, Deserialize)]
struct Declared {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    offset: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    upto: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signed: Option<u8>,
}

/// A port.
#[derive(Debug, Serialize, Deserialize)]
pub struct Port {
    /// Which way it goes.
    pub direction: Direction,
    /// Its bits, the lowest first.
    pub bits: Vec<Bit>,
    #[serde(flatten)]
    declared: Declared,
}

/// A cell, or an instance of a module.
#[derive(Debug, Serialize, Deserialize)]
pub struct Cell {
    #[serde(default)]
    hide_name: u8,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parameters: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attributes: Option<Box<RawValue>>,
    /// Which way its pins go.
    #[serde(default)]
    pub port_directions: BTreeMap<String, Direction>,
    /// What is on its pins.
    pub connections: BTreeMap<String, Vec<Bit>>,
}

/// A net with a name.
#[derive(Debug, Serialize, Deserialize)]
pub struct Net {
    /// Whether Yosys made the name up: 1, else 0.
    pub hide_name: u8,
    /// Its bits, the lowest first.
    pub bits: Vec<Bit>,
    #[serde(flatten)]
    declared: Declared,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attributes: Option<Box<RawValue>>,
}

/// A bit on a pin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Bit {
    /// A wire.
    Wire(u32),
    /// `0`, `1`, `x` or `z`.
    Constant(String),
}

impl Bit {
    /// The wire, if it is one.
    pub fn wire(&self) -> Option<u32> {
        match self {
            Self::Wire(wire) => Some(*wire),
            Self::Constant(_) => None,
        }
    }
}

impl Netlist {
    /// Reads it.
    ///
    /// # Errors
    /// `tool-output` if this is no netlist.
    pub fn parse(text: &str) -> Result<Self, Diagnostics> {
        serde_json::from_str(text).map_err(|e| {
            let error = Diagnostic::error("tool-output", format!("not a netlist of Yosys: {e}"));
            error.at(FILE, "this file").into()
        })
    }

    /// Writes it.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut out = BufWriter::new(File::create(path)?);
        serde_json::to_writer(&mut out, self)?;
        out.flush()
    }
}

impl Module {
    /// A number that is greater than those of all wires.
    pub fn first_free_wire(&self) -> u32 {
        let pins = self.cells.values().flat_map(|c| c.connections.values());
        let ports = self.ports.values().map(|port| &port.bits);
        let nets = self.netnames.values().map(|net| &net.bits);
        let wires = pins.chain(ports).chain(nets).flatten();
        wires.filter_map(Bit::wire).max().map_or(2, |wire| wire + 1)
    }
}

impl Cell {
    /// A cell that Yosys may call as it likes.
    pub fn new(kind: &str, pins: [(&str, Direction, u32); 2]) -> Self {
        let named = |(pin, direction, _): (&str, Direction, u32)| (pin.to_owned(), direction);
        let on = |(pin, _, wire): (&str, Direction, u32)| (pin.to_owned(), vec![Bit::Wire(wire)]);
        Self {
            hide_name: 1,
            kind: kind.to_owned(),
            parameters: None,
            attributes: None,
            port_directions: pins.into_iter().map(named).collect(),
            connections: pins.into_iter().map(on).collect(),
        }
    }

    /// The wires at its pins of that direction.
    pub fn wires(&self, direction: Direction) -> impl Iterator<Item = u32> {
        let pins = self.connections.iter();
        let pins = pins.filter(move |(pin, _)| self.port_directions.get(*pin) == Some(&direction));
        pins.flat_map(|(_, bits)| bits).filter_map(Bit::wire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_again() {
        let text = r#"{"creator":"Yosys","modules":{"top":{"attributes":{"top":"1"},"ports":{"x":{"direction":"input","bits":[2,3],"upto":1}},"cells":{"$1":{"hide_name":1,"type":"INV","parameters":{"W":"0"},"attributes":{"src":"a.v:1"},"port_directions":{"A":"input","Y":"output"},"connections":{"A":["0"],"Y":[4]}}},"netnames":{"x":{"hide_name":0,"bits":[2,3],"upto":1,"attributes":{}}}}}}"#;
        let netlist = Netlist::parse(text).unwrap();
        assert_eq!(serde_json::to_string(&netlist).unwrap(), text);
    }

    #[test]
    fn what_is_no_netlist_is_an_error() {
        for text in ["", "[]", "{\"modules\":{\"a\":", &"[".repeat(100_000)] {
            assert_eq!(Netlist::parse(text).unwrap_err().0[0].code, "tool-output");
        }
    }
}
