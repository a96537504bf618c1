//! Verilog text as tokens: comments left out, `` `ifdef `` decided.

use super::Place;
use crate::diag::Diagnostic;
use crate::names::quoted;
use crate::verilog::scan::{Kind, Piece, pieces};

/// A word, number or sign, and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub text: &'a str,
    pub place: Place,
}

/// The tokens of file number `file`, of the branches that hold under these macros.
pub(super) fn tokens<'a>(source: &'a str, file: u32, defines: &[&str]) -> Result<Vec<Token<'a>>, (Place, Diagnostic)> {
    let mut lexer = Lexer { place: Place { file, line: 1 }, defines, branches: Vec::new() };
    let mut found = Vec::new();
    for piece in pieces(source) {
        let Piece { kind, text, line } = piece.map_err(|(line, what)| {
            lexer.place.line = line;
            lexer.error(&format!("this {what} never ends"))
        })?;
        lexer.place.line = line;
        match kind {
            Kind::Comment | Kind::Blank => {}
            Kind::Directive => lexer.directive(text)?,
            // a text or an attribute is a token of its own, which nothing takes
            _ if lexer.holds() => found.push(Token { text, place: lexer.place }),
            _ => {}
        }
    }
    match lexer.branches.is_empty() {
        true => Ok(found),
        false => Err(lexer.error("an `ifdef has no `endif")),
    }
}

struct Lexer<'d> {
    place: Place,
    defines: &'d [&'d str],
    /// Of each open `` `ifdef ``: whether the branch that is being read holds.
    branches: Vec<bool>,
}

impl Lexer<'_> {
    fn error(&self, message: &str) -> (Place, Diagnostic) {
        (self.place, Diagnostic::error("verilog", message))
    }

    fn holds(&self) -> bool {
        self.branches.iter().all(|holds| *holds)
    }

    fn directive(&mut self, line: &str) -> Result<(), (Place, Diagnostic)> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["`ifdef", name] => self.branches.push(self.defines.contains(&name)),
            ["`ifndef", name] => self.branches.push(!self.defines.contains(&name)),
            ["`else"] => match self.branches.last_mut() {
                Some(holds) => *holds = !*holds,
                None => return Err(self.error("an `else without `ifdef")),
            },
            ["`endif"] if self.branches.pop().is_some() => {}
            ["`endif"] => return Err(self.error("an `endif without `ifdef")),
            _ => return Err(self.error(&format!("the directive {} is not one that hwgen writes", quoted(line)))),
        }
        Ok(())
    }
}
