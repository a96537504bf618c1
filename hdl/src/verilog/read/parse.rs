//! Tokens to trees, by recursive descent. What hwgen does not write is an error.

use num_bigint::BigUint;

use super::Place;
use super::ast::{Always, Expr, Function, InstanceText, Item, ModuleText, Port, Range, Statement};
use super::expression::Expressions;
use super::lex::Token;
use crate::diag::Diagnostic;
use crate::names::{check_identifier, quoted};
use crate::verilog::kept::{KEPT_CONTENT, KEPT_MODULE};

pub(super) type Parsed<T> = Result<T, (Place, Diagnostic)>;

/// The modules in the tokens of a file.
pub(super) fn modules<'a>(tokens: &[Token<'a>]) -> Parsed<Vec<ModuleText<'a>>> {
    let mut parser = Parser::new(tokens);
    let mut modules = Vec::new();
    while !parser.at_end() {
        modules.push(parser.module()?);
    }
    Ok(modules)
}

/// A place in the tokens.
pub(super) struct Parser<'t, 'a> {
    rest: &'t [Token<'a>],
    pub(super) place: Place,
    /// How deep the expression that is being read is.
    pub(super) depth: u32,
}

impl<'t, 'a> Parser<'t, 'a> {
    fn new(rest: &'t [Token<'a>]) -> Self {
        Self { rest, place: rest.first().map_or(Place::default(), |t| t.place), depth: 0 }
    }

    fn at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub fn peek(&self) -> &'a str {
        self.rest.first().map_or("", |t| t.text)
    }

    pub fn fail<T>(&self, message: impl Into<String>) -> Parsed<T> {
        Err((self.place, Diagnostic::error("verilog", message)))
    }

    pub fn next(&mut self) -> Parsed<&'a str> {
        let Some((token, rest)) = self.rest.split_first() else {
            return self.fail("the file ends within a module");
        };
        (self.rest, self.place) = (rest, token.place);
        Ok(token.text)
    }

    pub fn take(&mut self, text: &str) -> bool {
        let found = self.peek() == text && !self.at_end();
        if found {
            self.place = self.rest[0].place;
            self.rest = &self.rest[1..];
        }
        found
    }

    pub fn expect(&mut self, text: &str) -> Parsed<()> {
        match self.next()? {
            found if found == text => Ok(()),
            found => self.fail(format!("`{text}` is expected, not {}", quoted(found))),
        }
    }

    pub fn name(&mut self) -> Parsed<&'a str> {
        let name = self.next()?;
        match check_identifier(name) {
            Ok(()) => Ok(name),
            Err(reason) => self.fail(format!("a name is expected, not {}: {reason}", quoted(name))),
        }
    }

    /// A number without width.
    pub fn plain(&mut self) -> Parsed<i64> {
        let text = self.next()?;
        text.parse().or_else(|_| self.fail(format!("a number is expected, not {}", quoted(text))))
    }

    fn list<T>(&mut self, end: &str, mut one: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut all = Vec::new();
        if self.take(end) {
            return Ok(all);
        }
        loop {
            all.push(one(self)?);
            if !self.take(",") {
                self.expect(end)?;
                return Ok(all);
            }
        }
    }

    fn module(&mut self) -> Parsed<ModuleText<'a>> {
        let kept = self.take(KEPT_MODULE);
        self.expect("module")?;
        let (name, place) = (self.name()?, self.place);
        let mut parameters = Vec::new();
        if self.take("#") {
            self.expect("(")?;
            parameters = self.list(")", |p| {
                p.expect("parameter")?;
                let name = p.name()?;
                p.expect("=")?;
                Ok((name, p.plain()?))
            })?;
        }
        let ports = match self.take("(") {
            true => self.list(")", Self::port)?,
            false => Vec::new(),
        };
        self.expect(";")?;
        let mut items = Vec::new();
        while !self.take("endmodule") {
            // an item is where it begins, also where a long one goes on over lines
            let place = self.rest.first().map_or(self.place, |t| t.place);
            items.push((place, self.item()?));
        }
        Ok(ModuleText { name, kept, place, parameters, ports, items })
    }

    fn port(&mut self) -> Parsed<Port<'a>> {
        let is_input = match self.next()? {
            "input" => true,
            "output" => false,
            other => return self.fail(format!("a port is `input` or `output`, not {}", quoted(other))),
        };
        self.expect("wire")?;
        let range = self.range()?;
        Ok(Port { is_input, range, name: self.name()?, place: self.place })
    }

    fn range(&mut self) -> Parsed<Range<'a>> {
        if !self.take("[") {
            return Ok(None);
        }
        let high = self.expression()?;
        self.expect(":")?;
        let low = self.expression()?;
        self.expect("]")?;
        Ok(Some((high, low)))
    }

    fn item(&mut self) -> Parsed<Item<'a>> {
        match self.next()? {
            KEPT_CONTENT if self.peek() == "reg" => self.item(),
            "wire" => {
                let (range, name) = (self.range()?, self.name()?);
                let value = if self.take("=") { Some(self.expression()?) } else { None };
                self.expect(";")?;
                Ok(Item::Wire { name, range, value })
            }
            "reg" => {
                let (range, name, words) = (self.range()?, self.name()?, self.range()?);
                self.expect(";")?;
                Ok(Item::Reg { name, range, words })
            }
            "assign" => {
                let name = self.name()?;
                self.expect("=")?;
                let value = self.expression()?;
                self.expect(";")?;
                Ok(Item::Assign { name, value })
            }
            "function" => self.function().map(Item::Function),
            "always" => self.always().map(Item::Always),
            word if check_identifier(word).is_ok() => self.instance(word).map(Item::Instance),
            other => self.fail(format!("{} begins nothing that hwgen writes", quoted(other))),
        }
    }

    fn function(&mut self) -> Parsed<Function<'a>> {
        let (range, name) = (self.range()?, self.name()?);
        self.expect(";")?;
        self.expect("input")?;
        let index = self.range()?;
        for text in ["index", ";", "case", "(", "index", ")"] {
            self.expect(text)?;
        }
        let (mut cases, mut default) = (Vec::new(), None);
        while !self.take("endcase") {
            let word = |p: &mut Self| {
                for text in [":", name, "="] {
                    p.expect(text)?;
                }
                let word = p.expression()?;
                p.expect(";")?;
                Ok(word)
            };
            if self.take("default") {
                default = Some(word(self)?);
                self.expect("endcase")?;
                break;
            }
            let Expr::Sized(_, at) = self.expression()? else {
                return self.fail("a case is a number with its width");
            };
            cases.push((at, word(self)?));
        }
        self.expect("endfunction")?;
        Ok(Function { name, range, index, cases, default })
    }

    fn instance(&mut self, module: &'a str) -> Parsed<InstanceText<'a>> {
        let connection = |p: &mut Self| {
            p.expect(".")?;
            let port = p.name()?;
            p.expect("(")?;
            Ok(port)
        };
        let mut parameters = Vec::new();
        if self.take("#") {
            self.expect("(")?;
            parameters = self.list(")", |p| {
                let name = connection(p)?;
                let value = p.plain()?;
                p.expect(")")?;
                Ok((name, value))
            })?;
        }
        let name = self.name()?;
        self.expect("(")?;
        let connections = self.list(")", |p| {
            let port = connection(p)?;
            let value = p.expression()?;
            p.expect(")")?;
            Ok((port, value))
        })?;
        self.expect(";")?;
        Ok(InstanceText { module, name, parameters, connections })
    }

    fn always(&mut self) -> Parsed<Always<'a>> {
        for text in ["@", "(", "posedge"] {
            self.expect(text)?;
        }
        let clock = self.name()?;
        let mut reset = None;
        if self.take("or") {
            self.expect("posedge")?;
            reset = Some(self.name()?);
        }
        self.expect(")")?;
        Ok(Always { clock, reset, body: self.block(0)? })
    }

    /// `begin … end`, or one statement.
    fn block(&mut self, depth: u32) -> Parsed<Vec<Statement<'a>>> {
        if depth > 4 {
            return self.fail("`if` is nested deeper than hwgen does");
        }
        if !self.take("begin") {
            return Ok(vec![self.statement(depth)?]);
        }
        let mut body = Vec::new();
        while !self.take("end") {
            body.push(self.statement(depth)?);
        }
        Ok(body)
    }

    fn statement(&mut self, depth: u32) -> Parsed<Statement<'a>> {
        if self.take("if") {
            self.expect("(")?;
            let condition = self.expression()?;
            self.expect(")")?;
            let then = self.block(depth + 1)?;
            let other = if self.take("else") { self.block(depth + 1)? } else { Vec::new() };
            return Ok(Statement::If { condition, then, other });
        }
        let name = self.name()?;
        let address = match self.take("[") {
            true => {
                let address = self.expression()?;
                self.expect("]")?;
                Some(address)
            }
            false => None,
        };
        self.expect("<=")?;
        let value = self.expression()?;
        self.expect(";")?;
        Ok(match address {
            Some(address) => Statement::Store { name, address, value },
            None => Statement::Load { name, value },
        })
    }

    /// `8'd200`, `40'h8000000000`.
    pub fn sized(&self, text: &str) -> Parsed<Expr<'a>> {
        let number = || {
            let (width, digits) = text.split_once('\'')?;
            let radix = match digits.as_bytes().first()? {
                b'd' => 10,
                b'h' => 16,
                b'b' => 2,
                _ => return None,
            };
            let width: u32 = width.parse().ok().filter(|w| (1..=super::MAX_WIDTH).contains(w))?;
            let value = BigUint::parse_bytes(&digits.as_bytes()[1..], radix)?;
            (value.bits() <= u64::from(width)).then_some(Expr::Sized(width, value))
        };
        number().map_or_else(|| self.fail(format!("{} is no number that hwgen writes", quoted(text))), Ok)
    }
}
