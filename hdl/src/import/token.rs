//! Verilog text as tokens: comments, attributes and the directives that do not change a header left out.

use super::error;
use crate::diag::Diagnostics;
use crate::names::quoted;

/// Directives that may stand anywhere and are skipped with their line.
const SKIPPED: [&str; 6] = ["timescale", "default_nettype", "resetall", "celldefine", "endcelldefine", "line"];

/// A word, number or sign with its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub text: &'a str,
    pub line: u32,
}

/// The tokens of `source`.
pub(super) fn tokens(source: &str) -> Result<Vec<Token<'_>>, Diagnostics> {
    let mut found = Vec::new();
    let (mut rest, mut line) = (source, 1);
    while let Some(c) = rest.chars().next() {
        let (len, kept) = match c {
            '\\' => (length(rest, |c| !c.is_whitespace()), true),
            '"' => (string(rest, line)?, true),
            '`' => (directive(rest, line)?, false),
            _ if rest.starts_with("//") => (length(rest, |c| c != '\n'), false),
            _ if rest.starts_with("/*") => (until(rest, "*/", line, "comment")?, false),
            _ if rest.starts_with("(*") && !rest.starts_with("(*)") => (until(rest, "*)", line, "attribute")?, false),
            c if c.is_whitespace() => (c.len_utf8(), false),
            c if c.is_alphanumeric() || matches!(c, '_' | '$' | '\'') => {
                let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '\'');
                (length(rest, word), true)
            }
            _ if ["<<", ">>", "**"].iter().any(|s| rest.starts_with(s)) => (2, true),
            c => (c.len_utf8(), true),
        };
        let (text, behind) = rest.split_at(len);
        if kept {
            let text = text.strip_prefix('\\').unwrap_or(text);
            found.push(Token { text, line });
        }
        line += text.bytes().filter(|&b| b == b'\n').count() as u32;
        rest = behind;
    }
    Ok(found)
}

fn length(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

fn until(text: &str, end: &str, line: u32, what: &str) -> Result<usize, Diagnostics> {
    let found = text[2..].find(end);
    let length = found.map(|at| at + 2 + end.len());
    length.ok_or_else(|| error(line, &format!("this {what} never ends")))
}

fn string(text: &str, line: u32) -> Result<usize, Diagnostics> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return Ok(at + 1),
            '\n' => break,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    Err(error(line, "this string never ends"))
}

fn directive(text: &str, line: u32) -> Result<usize, Diagnostics> {
    let word = &text[1..1 + length(&text[1..], |c| c.is_alphanumeric() || c == '_')];
    if SKIPPED.contains(&word) {
        return Ok(length(text, |c| c != '\n'));
    }
    let message = format!("{} is for a preprocessor: import its result", quoted(&format!("`{word}")));
    Err(error(line, &message))
}
