//! Verilog text in pieces, for all that read it: words, signs, and what stands between them.

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name, keyword or number; an escaped name with its backslash.
    Word,
    /// A sign of one or two characters.
    Sign,
    /// A text in quotes.
    Text,
    /// A comment.
    Comment,
    /// `(* … *)`.
    Attribute,
    /// A directive with the rest of its line.
    Directive,
    /// Blanks and ends of lines.
    Blank,
}

/// A piece and the line in which it begins, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    pub kind: Kind,
    pub text: &'a str,
    pub line: u32,
}

/// Signs of two characters.
const PAIRS: [&str; 5] = ["==", "<=", "<<", ">>", "**"];

/// The pieces of `source`, one after the other; together they are the source.
///
/// # Errors
/// The line of a comment, attribute or text that never ends, and what it is.
pub(crate) fn pieces(source: &str) -> impl Iterator<Item = Result<Piece<'_>, (u32, &'static str)>> {
    let (mut rest, mut line) = (source, 1);
    std::iter::from_fn(move || {
        let (kind, length) = first(rest)?;
        let Some(length) = length else {
            rest = "";
            let what = match kind {
                Kind::Comment => "comment",
                Kind::Attribute => "attribute",
                _ => "string",
            };
            return Some(Err((line, what)));
        };
        let (text, behind) = rest.split_at(length);
        let piece = Piece { kind, text, line };
        line += text.bytes().filter(|&b| b == b'\n').count() as u32;
        rest = behind;
        Some(Ok(piece))
    })
}

/// The kind and the length of the piece that `text` begins with; no length if it never ends.
fn first(text: &str) -> Option<(Kind, Option<usize>)> {
    let c = text.chars().next()?;
    Some(match c {
        '\\' => (Kind::Word, Some(length(text, |c| !c.is_whitespace()))),
        '"' => (Kind::Text, quoted(text)),
        '`' => (Kind::Directive, Some(length(text, |c| c != '\n'))),
        _ if text.starts_with("//") => (Kind::Comment, Some(length(text, |c| c != '\n'))),
        _ if text.starts_with("/*") => (Kind::Comment, until(text, "*/")),
        // `@(*)` is no attribute
        _ if text.starts_with("(*") && !text.starts_with("(*)") => (Kind::Attribute, until(text, "*)")),
        c if c.is_whitespace() => (Kind::Blank, Some(length(text, char::is_whitespace))),
        c if is_word(c) => (Kind::Word, Some(length(text, is_word))),
        _ if PAIRS.iter().any(|pair| text.starts_with(pair)) => (Kind::Sign, Some(2)),
        c => (Kind::Sign, Some(c.len_utf8())),
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$' | '\'')
}

fn length(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

fn until(text: &str, end: &str) -> Option<usize> {
    text[2..].find(end).map(|at| at + 2 + end.len())
}

fn quoted(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return Some(at + 1),
            '\n' => return None,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_the_source() {
        let source = "/*/ x */ \\a.b  c<=8'hff;(* keep *)\n`ifdef A // b\n\"q\\\"\" @(*) é//";
        let all: Vec<Piece<'_>> = pieces(source).map(Result::unwrap).collect();
        assert_eq!(all.iter().map(|p| p.text).collect::<String>(), source);
        let of = |kind| all.iter().filter(|p| p.kind == kind).map(|p| (p.text, p.line)).collect::<Vec<_>>();
        assert_eq!(of(Kind::Comment), [("/*/ x */", 1), ("//", 3)], "a comment's sign does not end it");
        assert_eq!(of(Kind::Word), [("\\a.b", 1), ("c", 1), ("8'hff", 1), ("é", 3)]);
        assert_eq!(of(Kind::Attribute), [("(* keep *)", 1)]);
        assert_eq!(of(Kind::Directive), [("`ifdef A // b", 2)]);
        assert_eq!(of(Kind::Text), [("\"q\\\"\"", 3)]);
    }

    #[test]
    fn what_never_ends_is_an_error() {
        for (source, what) in [("a\n/*/", "comment"), ("a\n(* x", "attribute"), ("a\n\"x\n\"", "string")] {
            assert_eq!(pieces(source).last(), Some(Err((2, what))), "{source}");
        }
    }
}
