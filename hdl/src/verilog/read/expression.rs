//! Expressions, by the precedence of their operators.

use super::ast::Expr;
use super::parse::{Parsed, Parser};

/// Deepest nesting of expressions.
const DEPTH: u32 = 64;

/// Binary operators, loosest first.
const LEVELS: [&[&str]; 7] = [&["|"], &["^"], &["&"], &["=="], &["<"], &["+", "-"], &["*"]];

pub(super) trait Expressions<'a> {
    /// A whole expression.
    fn expression(&mut self) -> Parsed<Expr<'a>>;
}

impl<'a> Expressions<'a> for Parser<'_, 'a> {
    fn expression(&mut self) -> Parsed<Expr<'a>> {
        if self.depth == DEPTH {
            return self.fail("this expression is nested too deep");
        }
        self.depth += 1;
        let condition = self.binary(0)?;
        let value = match self.take("?") {
            true => {
                let then = self.expression()?;
                self.expect(":")?;
                Expr::Choice(Box::new([condition, then, self.expression()?]))
            }
            false => condition,
        };
        self.depth -= 1;
        Ok(value)
    }
}

impl<'a> Parser<'_, 'a> {
    fn binary(&mut self, level: usize) -> Parsed<Expr<'a>> {
        let Some(operators) = LEVELS.get(level) else {
            return self.unary();
        };
        let mut left = self.binary(level + 1)?;
        while operators.contains(&self.peek()) {
            let operator = self.next()?;
            left = Expr::Binary(operator, Box::new([left, self.binary(level + 1)?]));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed<Expr<'a>> {
        if ["~", "&", "|", "-"].contains(&self.peek()) {
            let operator = self.next()?;
            if ["~", "&", "|", "-"].contains(&self.peek()) && operator != "~" {
                return self.fail("two operators stand together");
            }
            return Ok(Expr::Unary(operator, Box::new(self.unary_operand()?)));
        }
        self.primary()
    }

    /// What `~` inverts may be inverted itself.
    fn unary_operand(&mut self) -> Parsed<Expr<'a>> {
        self.depth += 1;
        if self.depth > DEPTH {
            return self.fail("this expression is nested too deep");
        }
        let value = self.unary();
        self.depth -= 1;
        value
    }

    fn primary(&mut self) -> Parsed<Expr<'a>> {
        if self.take("(") {
            let inner = self.expression()?;
            self.expect(")")?;
            return Ok(inner);
        }
        if self.take("{") {
            return self.braces();
        }
        if self.peek().contains('\'') {
            let text = self.next()?;
            return self.sized(text);
        }
        if self.peek().starts_with(|c: char| c.is_ascii_digit()) {
            return self.plain().map(Expr::Plain);
        }
        if self.take("$signed") {
            self.expect("(")?;
            let inner = self.expression()?;
            self.expect(")")?;
            return Ok(Expr::Signed(Box::new(inner)));
        }
        let name = self.name()?;
        if self.take("(") {
            let index = self.expression()?;
            self.expect(")")?;
            return Ok(Expr::Call(name, Box::new(index)));
        }
        if !self.take("[") {
            return Ok(Expr::Name(name));
        }
        let high = self.expression()?;
        let low = if self.take(":") { Some(self.expression()?) } else { None };
        self.expect("]")?;
        Ok(match low {
            Some(low) => Expr::Part(name, Box::new(high), Box::new(low)),
            None => Expr::Element(name, Box::new(high)),
        })
    }

    /// A concatenation or repetition behind its brace.
    fn braces(&mut self) -> Parsed<Expr<'a>> {
        let first = self.expression()?;
        if self.take("{") {
            let repeated = self.expression()?;
            self.expect("}")?;
            self.expect("}")?;
            return Ok(Expr::Repeat(Box::new(first), Box::new(repeated)));
        }
        let mut parts = vec![first];
        while self.take(",") {
            parts.push(self.expression()?);
        }
        self.expect("}")?;
        Ok(Expr::Concat(parts))
    }
}
