//! Lines of sane length, counted.

use std::io::{self, Write};

use super::LineMap;
use crate::dfg::ScopeId;
use crate::rtl::ModuleId;

/// A line is broken at the last space before this column.
const COLUMNS: usize = 110;

/// Where the lines go, and which scope each belongs to.
pub(super) struct Lines<'w, W> {
    out: &'w mut W,
    module: ModuleId,
    next: u32,
    map: Vec<LineMap>,
}

impl<'w, W: Write> Lines<'w, W> {
    pub fn new(out: &'w mut W, module: ModuleId, next: u32) -> Self {
        Self { out, module, next, map: Vec::new() }
    }

    /// Writes a statement, broken into lines at spaces; lines after the first are indented further.
    pub fn put(&mut self, scope: ScopeId, text: &str) -> io::Result<()> {
        let first = self.next;
        let indent = text.len() - text.trim_start().len();
        let mut rest = text;
        let mut spaces = indent;
        while rest.len() > COLUMNS {
            let within = rest[..COLUMNS].rfind(' ').filter(|&at| at > spaces);
            let beyond = || rest[COLUMNS..].find(' ').map(|at| at + COLUMNS);
            let Some(at) = within.or_else(beyond) else {
                break;
            };
            self.line(&rest[..at])?;
            write!(self.out, "{:1$}", "", indent + 4)?;
            rest = &rest[at + 1..];
            spaces = 0;
        }
        self.line(rest)?;
        self.record(scope, first);
        Ok(())
    }

    fn line(&mut self, text: &str) -> io::Result<()> {
        self.next += 1;
        writeln!(self.out, "{text}")
    }

    fn record(&mut self, scope: ScopeId, first_line: u32) {
        let last_line = self.next - 1;
        match self.map.last_mut() {
            Some(last) if last.scope == scope && last.last_line + 1 == first_line => {
                last.last_line = last_line;
            }
            _ => self.map.push(LineMap { first_line, last_line, module: self.module, scope }),
        }
    }

    /// The map, and the number of the next line.
    pub fn finish(self) -> (Vec<LineMap>, u32) {
        (self.map, self.next)
    }
}
