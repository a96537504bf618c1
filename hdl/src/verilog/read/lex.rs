//! Verilog text as tokens: comments left out, `` `ifdef `` decided.

use super::Place;
use crate::diag::Diagnostic;
use crate::names::quoted;

/// A word, number or sign, and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub text: &'a str,
    pub place: Place,
}

/// Signs of two characters.
const PAIRS: [&str; 2] = ["==", "<="];

/// The tokens of file number `file`, of the branches that hold under these macros.
pub(super) fn tokens<'a>(source: &'a str, file: u32, defines: &[&str]) -> Result<Vec<Token<'a>>, (Place, Diagnostic)> {
    let mut lexer = Lexer { file, line: 1, defines, branches: Vec::new() };
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let len = match c {
            '`' => {
                let end = rest.find('\n').unwrap_or(rest.len());
                lexer.directive(&rest[..end])?;
                end
            }
            _ if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            _ if rest.starts_with("/*") => match rest.find("*/") {
                Some(end) => end + 2,
                None => return Err(lexer.error("this comment never ends")),
            },
            c if c.is_whitespace() => c.len_utf8(),
            c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            _ if PAIRS.iter().any(|pair| rest.starts_with(pair)) => 2,
            c => c.len_utf8(),
        };
        let (text, behind) = rest.split_at(len);
        let is_token = !c.is_whitespace() && c != '`' && !text.starts_with("//") && !text.starts_with("/*");
        if is_token && lexer.holds() {
            found.push(Token { text, place: lexer.place() });
        }
        lexer.line += text.bytes().filter(|&byte| byte == b'\n').count() as u32;
        rest = behind;
    }
    match lexer.branches.is_empty() {
        true => Ok(found),
        false => Err(lexer.error("an `ifdef has no `endif")),
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '\'')
}

struct Lexer<'d> {
    file: u32,
    line: u32,
    defines: &'d [&'d str],
    /// Of each open `` `ifdef ``: whether the branch that is being read holds.
    branches: Vec<bool>,
}

impl Lexer<'_> {
    fn place(&self) -> Place {
        Place { file: self.file, line: self.line }
    }

    fn error(&self, message: &str) -> (Place, Diagnostic) {
        (self.place(), Diagnostic::error("verilog", message))
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
