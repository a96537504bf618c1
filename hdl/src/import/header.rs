//! The header of a module: parameters and ports.

use std::collections::{HashMap, HashSet};

use super::constant::{Constants, expression};
use super::error;
use super::token::Token;
use crate::diag::Diagnostics;
use crate::names::quoted;

/// Which way a port goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Input,
    Output,
}

/// A declared port.
#[derive(Debug, Clone, Copy)]
pub(super) struct Port<'a> {
    pub name: &'a str,
    pub direction: Direction,
    pub signed: bool,
    pub width: u32,
    pub line: u32,
}

/// Ports in the order of the header.
#[derive(Debug)]
pub(super) struct Header<'a> {
    pub ports: Vec<Port<'a>>,
    pub line: u32,
}

/// A place in the tokens.
pub(super) struct Cursor<'t, 'a> {
    rest: &'t [Token<'a>],
    line: u32,
}

impl<'a> Cursor<'_, 'a> {
    /// The next token's text; empty at the end.
    pub fn peek(&self) -> &'a str {
        self.rest.first().map_or("", |t| t.text)
    }

    /// The line of the token taken last.
    pub fn line(&self) -> u32 {
        self.line
    }

    pub fn next(&mut self) -> Result<Token<'a>, Diagnostics> {
        let (&token, rest) =
            self.rest.split_first().ok_or_else(|| error(self.line, "the source ends within the module"))?;
        self.rest = rest;
        self.line = token.line;
        Ok(token)
    }

    /// Takes the next token if it is `text`.
    pub fn take(&mut self, text: &str) -> bool {
        let found = self.peek() == text;
        if found {
            self.line = self.rest[0].line;
            self.rest = &self.rest[1..];
        }
        found
    }

    pub fn expect(&mut self, text: &str) -> Result<(), Diagnostics> {
        let token = self.next()?;
        if token.text == text {
            return Ok(());
        }
        let message = format!("`{text}` is expected, not {}", quoted(token.text));
        Err(error(token.line, &message))
    }

    fn name(&mut self) -> Result<&'a str, Diagnostics> {
        let token = self.next()?;
        let first = token.text.chars().next();
        if first.is_some_and(|c| c.is_alphabetic() || c == '_') {
            return Ok(token.text);
        }
        let message = format!("a name is expected, not {}", quoted(token.text));
        Err(error(token.line, &message))
    }

    /// Passes over tokens up to and with `end`.
    fn skip(&mut self, end: &str) -> Result<(), Diagnostics> {
        while self.next()?.text != end {}
        Ok(())
    }
}

/// What a declaration says before the names.
#[derive(Clone, Copy)]
struct Kind {
    direction: Direction,
    signed: bool,
    width: u32,
}

struct Reader<'t, 'a> {
    at: Cursor<'t, 'a>,
    constants: Constants<'a>,
    overrides: HashMap<&'t str, i128>,
    ports: Vec<Port<'a>>,
    seen: HashSet<&'a str>,
}

/// The header of module `name`.
pub(super) fn read<'a>(
    tokens: &[Token<'a>],
    name: &str,
    overrides: &[(String, i128)],
) -> Result<Header<'a>, Diagnostics> {
    let start = tokens
        .windows(2)
        .position(|pair| matches!(pair[0].text, "module" | "macromodule") && pair[1].text == name)
        .ok_or_else(|| error(0, &format!("there is no module {}", quoted(name))))?;
    let line = tokens[start].line;
    let mut reader = Reader {
        at: Cursor { rest: &tokens[start + 2..], line },
        constants: HashMap::new(),
        overrides: overrides.iter().map(|(n, v)| (n.as_str(), *v)).collect(),
        ports: Vec::new(),
        seen: HashSet::new(),
    };
    let ports = reader.module()?;
    match reader.overrides.keys().min() {
        None => Ok(Header { ports, line }),
        Some(unknown) => Err(error(line, &format!("there is no parameter {}", quoted(unknown)))),
    }
}

impl<'a> Reader<'_, 'a> {
    fn module(&mut self) -> Result<Vec<Port<'a>>, Diagnostics> {
        if self.at.take("#") {
            self.at.expect("(")?;
            while !self.at.take(")") {
                let fixed = self.at.peek() == "localparam";
                let _ = self.at.take("parameter") || self.at.take("localparam");
                self.parameter(fixed)?;
                self.at.take(",");
            }
        }
        let mut order = Vec::new();
        if self.at.take("(") {
            while !self.at.take(")") {
                match self.direction()? {
                    Some(direction) => self.declaration(direction)?,
                    None => {
                        let name = self.at.name()?;
                        if !matches!(self.at.peek(), "," | ")") {
                            let message = format!("{} is not understood here", quoted(name));
                            return Err(error(self.at.line(), &message));
                        }
                        order.push((name, self.at.line()));
                        self.at.take(",");
                    }
                }
            }
        }
        self.at.expect(";")?;
        self.body()?;
        self.in_order(&order)
    }

    /// Declarations in the body; statements and what is in functions and tasks is passed over.
    fn body(&mut self) -> Result<(), Diagnostics> {
        loop {
            if let Some(direction) = self.direction()? {
                self.declaration(direction)?;
                self.at.expect(";")?;
                continue;
            }
            match self.at.next()?.text {
                "endmodule" => return Ok(()),
                "function" => self.at.skip("endfunction")?,
                "task" => self.at.skip("endtask")?,
                word @ ("parameter" | "localparam") => {
                    self.parameter(word == "localparam")?;
                    while self.at.take(",") {
                        self.parameter(word == "localparam")?;
                    }
                    self.at.expect(";")?;
                }
                _ => {}
            }
        }
    }

    /// The ports in the order of a header that only names them.
    fn in_order(&self, order: &[(&'a str, u32)]) -> Result<Vec<Port<'a>>, Diagnostics> {
        if order.is_empty() {
            return Ok(self.ports.clone());
        }
        let declared: HashMap<&str, Port<'a>> = self.ports.iter().map(|p| (p.name, *p)).collect();
        let port = |&(name, line): &(&str, u32)| {
            let message = format!("port {} has no direction", quoted(name));
            declared.get(name).copied().ok_or_else(|| error(line, &message))
        };
        order.iter().map(port).collect()
    }

    fn direction(&mut self) -> Result<Option<Direction>, Diagnostics> {
        let direction = match self.at.peek() {
            "input" => Direction::Input,
            "output" => Direction::Output,
            "inout" => {
                self.at.next()?;
                let message = "bidirectional ports cannot be connected to a data path";
                return Err(error(self.at.line(), message));
            }
            _ => return Ok(None),
        };
        self.at.next()?;
        Ok(Some(direction))
    }

    /// `name = value`, after whatever type stands before; a given value wins unless the parameter is local.
    fn parameter(&mut self, local: bool) -> Result<(), Diagnostics> {
        while ["integer", "int", "signed", "unsigned"].iter().any(|word| self.at.take(word)) {}
        self.range()?;
        let name = self.at.name()?;
        self.at.expect("=")?;
        let default = self.value()?;
        let given = self.overrides.get(name).copied().filter(|_| !local);
        if given.is_some() {
            self.overrides.remove(name);
        }
        if let Some(value) = given.or(default) {
            self.constants.insert(name, value);
        }
        Ok(())
    }

    /// The integer up to the next comma or end; `None` for a string, a real number and the like, which no width needs.
    fn value(&mut self) -> Result<Option<i128>, Diagnostics> {
        let ends = |text: &str| matches!(text, "," | ";" | ")");
        let mut ahead = Cursor { rest: self.at.rest, line: self.at.line };
        if let Ok(value) = expression(&mut ahead, &self.constants)
            && ends(ahead.peek())
        {
            self.at = ahead;
            return Ok(Some(value));
        }
        let mut open = 0u32;
        while open > 0 || !ends(self.at.peek()) {
            match self.at.next()?.text {
                "(" | "{" | "[" => open += 1,
                ")" | "}" | "]" => open = open.saturating_sub(1),
                _ => {}
            }
        }
        Ok(None)
    }

    /// Width of `[msb:lsb]`, 1 if there is no range.
    fn range(&mut self) -> Result<u32, Diagnostics> {
        if !self.at.take("[") {
            return Ok(1);
        }
        let high = expression(&mut self.at, &self.constants)?;
        self.at.expect(":")?;
        let low = expression(&mut self.at, &self.constants)?;
        self.at.expect("]")?;
        let width = high.abs_diff(low).saturating_add(1);
        Ok(u32::try_from(width).unwrap_or(u32::MAX))
    }

    /// The names behind a direction, up to the next declaration.
    fn declaration(&mut self, direction: Direction) -> Result<(), Diagnostics> {
        while ["wire", "reg", "logic", "tri", "var"].iter().any(|word| self.at.take(word)) {}
        let signed = self.at.take("signed");
        let width = self.range()?;
        let kind = Kind { direction, signed, width };
        loop {
            self.port(kind)?;
            if !self.at.take(",") || matches!(self.at.peek(), "input" | "output" | "inout") {
                return Ok(());
            }
        }
    }

    fn port(&mut self, kind: Kind) -> Result<(), Diagnostics> {
        let name = self.at.name()?;
        let line = self.at.line();
        if self.at.peek() == "[" {
            let message = format!("port {} is an array", quoted(name));
            return Err(error(line, &message));
        }
        if !self.seen.insert(name) {
            let message = format!("port {} is declared twice", quoted(name));
            return Err(error(line, &message));
        }
        self.ports.push(Port { name, direction: kind.direction, signed: kind.signed, width: kind.width, line });
        Ok(())
    }
}
