//! The syntax of Liberty files: groups, simple attributes and complex attributes as a flat stream of events.
//!
//! Nothing is nested in memory and nothing recurses, so that a hostile file costs at most time linear in its size.

use hdl::diag::{Diagnostic, Diagnostics};

/// Deeper nesting than any real library has.
const MAX_DEPTH: usize = 64;

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event<'t> {
    /// `name (args) {`
    Open(&'t str, Vec<&'t str>),
    /// `name : value;`
    Simple(&'t str, &'t str),
    /// `name (args);`
    Complex(&'t str, Vec<&'t str>),
    /// `}`
    Close,
}

/// Reads `text` statement by statement.
pub(super) struct Reader<'t> {
    text: &'t str,
    at: usize,
    line: usize,
    depth: usize,
}

impl<'t> Reader<'t> {
    pub fn new(text: &'t str) -> Self {
        Self { text, at: 0, line: 1, depth: 0 }
    }

    /// An error at the present line.
    pub fn error(&self, message: &str) -> Diagnostics {
        Diagnostic::error("liberty-syntax", format!("line {}: {message}", self.line))
            .help("the Liberty file is damaged, truncated or of another format")
            .into()
    }

    /// The next statement, or `None` at the end of a complete file.
    pub fn next(&mut self) -> Result<Option<Event<'t>>, Diagnostics> {
        self.skip(b";,")?;
        match self.peek() {
            None if self.depth == 0 => Ok(None),
            None => Err(self.error("the file ends inside a group")),
            Some(b'}') if self.depth == 0 => Err(self.error("unexpected `}`")),
            Some(b'}') => {
                self.at += 1;
                self.depth -= 1;
                Ok(Some(Event::Close))
            }
            Some(_) => self.statement().map(Some),
        }
    }

    fn statement(&mut self) -> Result<Event<'t>, Diagnostics> {
        let name = self.word()?;
        self.skip(&[])?;
        match self.peek() {
            Some(b':') => {
                self.at += 1;
                Ok(Event::Simple(name, self.value()?))
            }
            Some(b'(') => {
                self.at += 1;
                let arguments = self.arguments()?;
                self.skip(&[])?;
                if self.peek() != Some(b'{') {
                    return Ok(Event::Complex(name, arguments));
                }
                self.at += 1;
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return Err(self.error("groups are nested too deeply"));
                }
                Ok(Event::Open(name, arguments))
            }
            _ => Err(self.error("expected `:` or `(` after a name")),
        }
    }

    /// Up to the closing parenthesis, which is consumed.
    fn arguments(&mut self) -> Result<Vec<&'t str>, Diagnostics> {
        let mut arguments = Vec::new();
        loop {
            self.skip(b",")?;
            match self.peek() {
                None => return Err(self.error("the file ends inside parentheses")),
                Some(b')') => {
                    self.at += 1;
                    return Ok(arguments);
                }
                Some(_) => arguments.push(self.word()?),
            }
        }
    }

    /// A quoted string without its quotes, or a run of plain characters.
    fn word(&mut self) -> Result<&'t str, Diagnostics> {
        if self.peek() == Some(b'"') {
            return self.string();
        }
        let start = self.at;
        while let Some(c) = self.peek() {
            if c.is_ascii_whitespace() || b"(){}:;,\"".contains(&c) {
                break;
            }
            self.at += 1;
        }
        if self.at == start {
            return Err(self.error("expected a name"));
        }
        Ok(&self.text[start..self.at])
    }

    fn string(&mut self) -> Result<&'t str, Diagnostics> {
        self.at += 1;
        let start = self.at;
        while let Some(c) = self.peek() {
            match c {
                b'"' => {
                    self.at += 1;
                    return Ok(&self.text[start..self.at - 1]);
                }
                // The character after a backslash cannot end the string; it may begin a longer character.
                b'\\' => self.at += 1,
                b'\n' => self.line += 1,
                _ => {}
            }
            self.at += 1;
        }
        Err(self.error("the file ends inside a string"))
    }

    /// A simple attribute's value: a string, or everything up to `;`, `}` or the end of the line.
    fn value(&mut self) -> Result<&'t str, Diagnostics> {
        self.skip(&[])?;
        if self.peek() == Some(b'"') {
            return self.string();
        }
        let start = self.at;
        while self.peek().is_some_and(|c| !b";}\n".contains(&c)) {
            self.at += 1;
        }
        Ok(self.text[start..self.at].trim())
    }

    /// Skips white space, comments, continued lines and `also`.
    fn skip(&mut self, also: &[u8]) -> Result<(), Diagnostics> {
        while let Some(c) = self.peek() {
            let rest = &self.text.as_bytes()[self.at..];
            if rest.starts_with(b"/*") {
                let end =
                    self.text[self.at..].find("*/").ok_or_else(|| self.error("the file ends inside a comment"))?;
                self.line += self.text[self.at..self.at + end].matches('\n').count();
                self.at += end + 2;
            } else if rest.starts_with(b"//") {
                self.at += self.text[self.at..].find('\n').unwrap_or(rest.len());
            } else if c.is_ascii_whitespace() || c == b'\\' || also.contains(&c) {
                self.line += usize::from(c == b'\n');
                self.at += 1;
            } else {
                break;
            }
        }
        Ok(())
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(text: &str) -> Result<Vec<Event<'_>>, Diagnostics> {
        let mut reader = Reader::new(text);
        let mut events = Vec::new();
        while let Some(event) = reader.next()? {
            events.push(event);
        }
        Ok(events)
    }

    #[test]
    fn every_kind_of_statement() {
        let text = "/* c */ library (l) {\n a : 1.5 ;\n b : \"x;y\"; f(1,ff);\n v (\"1, 2\", \\\n \"3\"); g() { } }";
        let expected = [
            Event::Open("library", vec!["l"]),
            Event::Simple("a", "1.5"),
            Event::Simple("b", "x;y"),
            Event::Complex("f", vec!["1", "ff"]),
            Event::Complex("v", vec!["1, 2", "3"]),
            Event::Open("g", vec![]),
            Event::Close,
            Event::Close,
        ];
        assert_eq!(all(text).unwrap(), expected);
    }

    #[test]
    fn truncated_and_hostile_texts_are_errors_with_a_line() {
        let deep = "g () {".repeat(100_000);
        for (text, reason) in [
            ("library (l) {\n", "line 2: the file ends inside a group"),
            ("a : \"x", "inside a string"),
            ("/* x", "inside a comment"),
            ("a (1", "inside parentheses"),
            ("}", "unexpected `}`"),
            ("\n\nhello world", "line 3: expected `:` or `(`"),
            ("a \"\\", "expected `:` or `(`"),
            (deep.as_str(), "too deeply"),
        ] {
            let error = all(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[a-z(){}:;,\"\\\\/* \né]{0,60}") {
            let _ = all(&text);
        }
    }
}
