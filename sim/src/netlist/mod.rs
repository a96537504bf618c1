//! A netlist as Yosys writes it with `-noattr`: one declaration, parameter, pin or assignment a line, no expressions.

mod flatten;
pub mod json;
mod operand;
#[cfg(test)]
mod tests;

use std::io::{BufRead, Error, ErrorKind, Result};

use self::flatten::Module;
pub use self::operand::number;
use self::operand::{aliases, bits, list, plain};

/// Constant nets.
pub const CONSTANTS: [&str; 2] = ["1'h0", "1'h1"];
/// The net of a level that is left open; nothing drives it.
pub const UNKNOWN: &str = "1'hx";

/// A cell of the netlist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Instance {
    /// Its type.
    pub cell: String,
    /// Its name.
    pub name: String,
    /// Parameters and their values as they are written, such as `8'h96`.
    pub parameters: Vec<(String, String)>,
    /// Pins and the nets on them, as a waveform names them: `net` or `bus[3]`, or one of [`CONSTANTS`], or
    /// [`UNKNOWN`]. A pin of several
    /// bits is as many pins, `PIN[3]` to `PIN[0]`.
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

/// The modules of a text with their names, in its order, each by itself.
///
/// # Errors
/// Those of [`Netlist::read`].
pub fn modules(text: &str) -> Result<Vec<(String, Netlist)>> {
    const START: &str = "module ";
    const END: &str = "endmodule\n";
    let mut modules = Vec::new();
    for part in text.split_inclusive(END) {
        let start = match part.starts_with(START) {
            true => 0,
            false => match part.find(&format!("\n{START}")) {
                Some(before) => before + 1,
                None => continue,
            },
        };
        let head = &part[start + START.len()..];
        let name = head.split(['(', ';']).next().unwrap_or_default();
        modules.push((plain(name), Netlist::read(&part.as_bytes()[start..])?));
    }
    Ok(modules)
}

impl Netlist {
    /// Reads a netlist. If it has several modules, then it is that of the one that no other instantiates, with those that
    /// it instantiates dissolved: their cells and nets are called `instance.name`.
    ///
    /// # Errors
    /// Those of reading, `UnexpectedEof` if the text is cut off, and `InvalidData` with the line for an assignment or a
    /// pin that is not understood, or if the modules have not one top.
    pub fn read(text: impl BufRead) -> Result<Self> {
        let mut modules = Vec::new();
        let mut module = Module::default();
        let mut state = State::Between;
        for line in text.lines() {
            let line = line?;
            let line = line.trim();
            if line == "endmodule" {
                modules.push(std::mem::take(&mut module));
                state = State::Between;
            } else {
                state = state.read(line, &mut module).ok_or_else(|| unclear(line))?;
            }
        }
        if !module.name.is_empty() {
            let message = format!("the netlist ends inside module {}", module.name);
            return Err(Error::new(ErrorKind::UnexpectedEof, message));
        }
        if module != Module::default() {
            modules.push(module);
        }
        flatten::flatten(modules).map_err(|message| Error::new(ErrorKind::InvalidData, message))
    }
}

fn unclear(line: &str) -> Error {
    let message = format!("not understood in a netlist: {line}");
    Error::new(ErrorKind::InvalidData, message)
}

/// Where the reader stands.
enum State {
    Between,
    /// In the parameters of an instance, which has no name yet.
    Parameters(Instance),
    /// In the pins of an instance.
    Pins(Instance),
}

impl State {
    /// Takes one line; `None` if it makes no sense.
    fn read(self, line: &str, module: &mut Module) -> Option<Self> {
        Some(match self {
            Self::Between => {
                if let Some(cell) = line.strip_suffix(" #(") {
                    Self::Parameters(instance(cell, ""))
                } else if let Some((cell, name)) = opened(line) {
                    Self::Pins(instance(cell, name))
                } else {
                    statement(line, module)?;
                    Self::Between
                }
            }
            Self::Parameters(mut instance) => match connection(line) {
                Some((name, value)) => {
                    let parameter = (name.to_owned(), value.to_owned());
                    instance.parameters.push(parameter);
                    Self::Parameters(instance)
                }
                None => {
                    let name = line.strip_prefix(')')?.strip_suffix(" (")?;
                    instance.name = plain(name);
                    Self::Pins(instance)
                }
            },
            Self::Pins(mut instance) => match connection(line) {
                Some((pin, nets)) => {
                    let nets = list(nets, &module.buses)?;
                    match <[String; 1]>::try_from(nets) {
                        Ok([net]) => instance.pins.push((pin.to_owned(), net)),
                        Err(nets) => {
                            let bits = (0..nets.len()).rev().map(|bit| format!("{pin}[{bit}]"));
                            instance.pins.extend(bits.zip(nets));
                        }
                    }
                    Self::Pins(instance)
                }
                None => {
                    module.netlist.instances.push(instance);
                    Self::Between
                }
            },
        })
    }
}

/// `CELL name (`, where either may be escaped.
fn opened(line: &str) -> Option<(&str, &str)> {
    let (cell, name) = line.strip_suffix(" (")?.split_once(' ')?;
    (cell != "module").then_some((cell, name))
}

fn instance(cell: &str, name: &str) -> Instance {
    Instance { cell: plain(cell), name: plain(name), ..Instance::default() }
}

/// `.PIN(nets),`
fn connection(line: &str) -> Option<(&str, &str)> {
    let (pin, rest) = line.strip_prefix('.')?.split_once('(')?;
    Some((pin, rest.trim_end_matches(',').strip_suffix(')')?))
}

/// A declaration or an assignment; whatever else stands in a netlist says nothing.
fn statement(line: &str, module: &mut Module) -> Option<()> {
    if let Some((left, right)) = assignment(line) {
        let aliases = aliases(left, right, &module.buses)?;
        module.netlist.aliases.extend(aliases);
    } else if let Some((kind, name, range)) = declaration(line) {
        let nets = match range {
            Some(range) => bits(&name, range)?,
            None => vec![name.clone()],
        };
        module.buses.extend(range.map(|range| (name, range)));
        match kind {
            "input" => module.netlist.inputs.extend(nets),
            "output" => module.netlist.outputs.extend(nets),
            _ => {}
        }
    } else if let Some(head) = line.strip_prefix("module ") {
        module.name = plain(head.split_once('(').map_or(head, |(name, _)| name));
    }
    Some(())
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
