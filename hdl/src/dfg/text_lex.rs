//! Words of the text form.

use crate::diag::Diagnostics;

/// A place in the text, both numbers from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct At {
    pub line: u32,
    pub column: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token<'t> {
    Word(&'t str),
    Number(i128),
    Text(String),
    Punctuation(char),
    End,
}

pub(super) struct Lexer<'t> {
    rest: &'t str,
    at: At,
    peeked: Option<(Token<'t>, At)>,
}

type Lexed<'t> = Result<(Token<'t>, At), Diagnostics>;

impl<'t> Lexer<'t> {
    pub fn new(text: &'t str) -> Self {
        Self { rest: text, at: At { line: 1, column: 1 }, peeked: None }
    }

    pub fn peek(&mut self) -> Result<(Token<'t>, At), Diagnostics> {
        if self.peeked.is_none() {
            self.peeked = Some(self.read()?);
        }
        Ok(self.peeked.clone().expect("just read"))
    }

    pub fn next(&mut self) -> Lexed<'t> {
        match self.peeked.take() {
            Some(token) => Ok(token),
            None => self.read(),
        }
    }

    pub fn word(&mut self) -> Result<(&'t str, At), Diagnostics> {
        match self.next()? {
            (Token::Word(word), at) => Ok((word, at)),
            (_, at) => Err(at.error("a word is wanted")),
        }
    }

    pub fn keyword(&mut self, keyword: &str) -> Result<(), Diagnostics> {
        match self.next()? {
            (Token::Word(word), _) if word == keyword => Ok(()),
            (_, at) => Err(at.error(format!("`{keyword}` is wanted"))),
        }
    }

    /// Whether `keyword` comes next, which is then read.
    pub fn optional(&mut self, keyword: &str) -> Result<bool, Diagnostics> {
        let found = self.peek()?.0 == Token::Word(keyword);
        if found {
            self.next()?;
        }
        Ok(found)
    }

    pub fn punctuation(&mut self, mark: char) -> Result<(), Diagnostics> {
        match self.next()? {
            (Token::Punctuation(c), _) if c == mark => Ok(()),
            (_, at) => Err(at.error(format!("`{mark}` is wanted"))),
        }
    }

    pub fn number(&mut self) -> Result<(i128, At), Diagnostics> {
        match self.next()? {
            (Token::Number(value), at) => Ok((value, at)),
            (_, at) => Err(at.error("a number is wanted")),
        }
    }

    pub fn index(&mut self) -> Result<(u32, At), Diagnostics> {
        let (value, at) = self.number()?;
        match u32::try_from(value) {
            Ok(value) => Ok((value, at)),
            Err(_) => Err(at.error(format!("a number from 0 to {} is wanted", u32::MAX))),
        }
    }

    /// A word of `letter` and a number.
    pub fn numbered(&mut self, letter: char) -> Result<(u32, At), Diagnostics> {
        let (word, at) = self.word()?;
        let number = word.strip_prefix(letter).and_then(|n| n.parse().ok());
        match number {
            Some(number) => Ok((number, at)),
            None => Err(at.error(format!("`{letter}` and a number are wanted"))),
        }
    }

    pub fn string(&mut self) -> Result<(String, At), Diagnostics> {
        match self.next()? {
            (Token::Text(text), at) => Ok((text, at)),
            (_, at) => Err(at.error("a name in quotes is wanted")),
        }
    }

    fn read(&mut self) -> Lexed<'t> {
        let blanks = self.rest.find(|c: char| !c.is_whitespace());
        self.take(blanks.unwrap_or(self.rest.len()));
        let at = self.at;
        let Some(first) = self.rest.chars().next() else {
            return Ok((Token::End, at));
        };
        let token = match first {
            '"' => Token::Text(self.quoted(at)?),
            '-' | '0'..='9' => {
                let sign = usize::from(first == '-');
                let text = self.take_while(sign, |c| c.is_ascii_digit());
                let value = text.parse().map_err(|_| at.error("this is no number"))?;
                Token::Number(value)
            }
            c if c.is_ascii_alphabetic() => Token::Word(self.take_while(0, |c| c.is_ascii_alphanumeric())),
            c if "{}[]%@=:,.".contains(c) => {
                self.take(1);
                Token::Punctuation(c)
            }
            c => return Err(at.error(format!("{c:?} has no place here"))),
        };
        Ok((token, at))
    }

    fn quoted(&mut self, at: At) -> Result<String, Diagnostics> {
        let unended = || at.error("the quote does not end");
        self.take(1);
        let mut text = String::new();
        loop {
            let plain = self.rest.find(['"', '\\', '\n']).ok_or_else(unended)?;
            text.push_str(self.take(plain));
            match self.take(1) {
                "\"" => return Ok(text),
                "\\" => text.push(self.escaped()?),
                _ => return Err(unended()),
            }
        }
    }

    /// What follows a backslash: a quote, a backslash, or `u{HEX}`.
    fn escaped(&mut self) -> Result<char, Diagnostics> {
        let at = self.at;
        let first = self.rest.chars().next();
        match first {
            Some(c @ ('"' | '\\')) => {
                self.take(1);
                Ok(c)
            }
            Some('u') => {
                let end = self.rest.bytes().take(12).position(|b| b == b'}');
                let text = end.map(|end| self.take(end + 1));
                let code = text.and_then(|t| t.strip_prefix("u{")?.strip_suffix('}'));
                let code = code.and_then(|hex| u32::from_str_radix(hex, 16).ok());
                let c = code.and_then(char::from_u32);
                c.ok_or_else(|| at.error("this is no character"))
            }
            _ => Err(at.error("`\\\\`, `\\\"` or `\\u{…}` is wanted")),
        }
    }

    fn take_while(&mut self, skip: usize, belongs: impl Fn(char) -> bool) -> &'t str {
        let tail = &self.rest[skip..];
        let len = tail.find(|c| !belongs(c)).unwrap_or(tail.len());
        self.take(skip + len)
    }

    /// Goes on by `bytes`.
    fn take(&mut self, bytes: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at(bytes);
        match taken.rfind('\n') {
            Some(last) => {
                self.at.line += taken.matches('\n').count() as u32;
                self.at.column = 1 + taken[last + 1..].chars().count() as u32;
            }
            None => self.at.column += taken.chars().count() as u32,
        }
        self.rest = rest;
        taken
    }
}
