//! Verilog text as tokens: comments, attributes and the directives that do not change a header left out.

use super::error;
use crate::diag::Diagnostics;
use crate::names::quoted;
use crate::verilog::scan::{Kind, Piece, pieces};

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
    for piece in pieces(source) {
        let Piece { kind, text, line } =
            piece.map_err(|(line, what)| error(line, &format!("this {what} never ends")))?;
        match kind {
            Kind::Word | Kind::Sign | Kind::Text => {
                found.push(Token { text: text.strip_prefix('\\').unwrap_or(text), line });
            }
            Kind::Directive => check_directive(text, line)?,
            Kind::Comment | Kind::Attribute | Kind::Blank => {}
        }
    }
    Ok(found)
}

fn check_directive(text: &str, line: u32) -> Result<(), Diagnostics> {
    let word = text[1..].split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
    if SKIPPED.contains(&word) {
        return Ok(());
    }
    let message = format!("{} is for a preprocessor: import its result", quoted(&format!("`{word}")));
    Err(error(line, &message))
}
