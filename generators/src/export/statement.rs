//! Statements over a few operators, which is all that a printer must know: steps of the batch simulator's program taken apart.
//!
//! Arithmetic is modulo the size of a statement's type, as in [`sim::batch::Lane`].

use sim::batch::{Act, Code, Kind, Step, Typed};

/// A function of two operands in one type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operator {
    /// `a + b`.
    Add,
    /// `a - b`.
    Subtract,
    /// `a · b`.
    Multiply,
    /// Bits of both.
    And,
    /// Bits of either.
    Or,
    /// Bits of one of them.
    Xor,
    /// 1 if `a < b`, else 0.
    Less,
    /// 1 if `a = b`, else 0.
    Equal,
    /// The lesser.
    Min,
    /// The greater.
    Max,
    /// `a · 2^b`, `b` a constant.
    Left,
    /// `⌊a / 2^b⌋`, `b` a constant.
    Right,
}

/// A number of the statement's type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    /// A value that was made before.
    Value(u32),
    /// A number that the type holds.
    Constant(i128),
    /// A function of two.
    Binary(Operator, Box<[Expression; 2]>),
    /// The second if the first is not 0, else the third.
    Choose(Box<[Expression; 3]>),
    /// The entry of this table at a place.
    Entry(u32, Box<Expression>),
    /// The low bits of a value of this type.
    Converted(Kind, u32),
}

/// A statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// A new value.
    Let(u32, Expression),
    /// Something is added to a value.
    Add(u32, Expression),
}

/// Makes statements of the steps of a program.
#[derive(Debug)]
pub struct Statements<'p> {
    /// The program.
    pub program: &'p Typed,
    /// The values that are constants.
    pub known: &'p [Option<i128>],
}

impl Statements<'_> {
    /// Value `v`.
    pub fn value(&self, v: u32) -> Expression {
        self.known[v as usize].map_or(Expression::Value(v), Expression::Constant)
    }

    /// The statements of a step that makes a value.
    pub fn of(&self, step: &Step) -> Vec<Statement> {
        match step.act {
            Act::Convert(from) => vec![Statement::Let(step.d, Expression::Converted(from, step.x))],
            Act::Do(Code::Sum) => self.sum(step),
            Act::Do(code) => vec![Statement::Let(step.d, self.expression(step, code))],
        }
    }

    /// A sum is one statement a term, so that no expression is deep.
    fn sum(&self, step: &Step) -> Vec<Statement> {
        let kind = step.kind;
        let mut made = vec![Statement::Let(step.d, constant(kind, self.program.constants[step.k as usize]))];
        for &(value, weight) in &self.program.sums[step.y as usize] {
            let product = match weight {
                1 => self.value(value),
                _ => binary(Operator::Multiply, self.value(value), constant(kind, weight.into())),
            };
            let cut = shift(kind, step.s);
            made.push(Statement::Add(step.d, if cut == 0 { product } else { shifted(Operator::Right, product, cut) }));
        }
        made
    }

    fn expression(&self, step: &Step, code: Code) -> Expression {
        use Operator::*;
        let kind = step.kind;
        let x = || self.value(step.x);
        let y = || self.value(step.y);
        let z = || self.value(step.z);
        let k = || constant(kind, self.program.constants[step.k as usize]);
        let l = || constant(kind, self.program.constants[step.l as usize]);
        let s = shift(kind, step.s);
        match code {
            Code::Add => binary(Add, x(), y()),
            Code::AddThree => binary(Add, binary(Add, x(), y()), z()),
            Code::AddShifted => binary(Add, x(), shifted(Left, y(), s)),
            Code::AddImmediate => binary(Add, x(), k()),
            Code::Subtract => binary(Subtract, x(), y()),
            Code::SubtractShifted => binary(Subtract, x(), shifted(Left, y(), s)),
            Code::ShiftedSubtract => binary(Subtract, shifted(Left, x(), s), y()),
            Code::ImmediateSubtract => binary(Subtract, k(), x()),
            Code::Multiply => binary(Multiply, x(), y()),
            Code::MultiplyImmediate => binary(Multiply, x(), k()),
            Code::ShiftLeft => shifted(Left, x(), s),
            Code::ShiftRight => shifted(Right, x(), s),
            Code::AddShiftRight => shifted(Right, binary(Add, x(), k()), s),
            Code::And => binary(And, x(), y()),
            Code::AndImmediate => binary(And, x(), k()),
            Code::Or => binary(Or, x(), y()),
            Code::OrImmediate => binary(Or, x(), k()),
            Code::Xor => binary(Xor, x(), y()),
            Code::XorImmediate => binary(Xor, x(), k()),
            Code::Less => binary(Less, x(), y()),
            Code::LessImmediate => binary(Less, x(), k()),
            Code::GreaterImmediate => binary(Less, k(), x()),
            Code::Equal => binary(Equal, x(), y()),
            Code::EqualImmediate => binary(Equal, x(), k()),
            Code::Select => Expression::Choose(Box::new([x(), y(), z()])),
            Code::SelectImmediate => Expression::Choose(Box::new([x(), k(), l()])),
            Code::Min => binary(Min, x(), y()),
            Code::MinImmediate => binary(Min, x(), k()),
            Code::Max => binary(Max, x(), y()),
            Code::MaxImmediate => binary(Max, x(), k()),
            Code::Clamp => binary(Min, binary(Max, x(), k()), l()),
            Code::SignExtend => {
                let unused = kind.bits().saturating_sub(u32::from(step.s)).min(kind.bits() - 1);
                shifted(Right, shifted(Left, x(), unused), unused)
            }
            Code::Concat => binary(Add, shifted(Left, x(), s), binary(And, y(), k())),
            Code::Table => Expression::Entry(step.y, Box::new(x())),
            Code::Input | Code::Store | Code::Constant | Code::Sum => unreachable!("these are no expressions"),
            Code::State | Code::Read => unreachable!("a network for the simulator has constants in their place"),
        }
    }
}

fn binary(operator: Operator, a: Expression, b: Expression) -> Expression {
    Expression::Binary(operator, Box::new([a, b]))
}

fn shifted(operator: Operator, a: Expression, by: u32) -> Expression {
    if by == 0 { a } else { binary(operator, a, Expression::Constant(by.into())) }
}

/// A shift beyond the type's width gives what one by all bits but one gives: right shifts only go so far.
fn shift(kind: Kind, by: u8) -> u32 {
    u32::from(by).min(kind.bits() - 1)
}

/// The low bits of a number as one of the type.
pub fn truncated(kind: Kind, value: i128) -> i128 {
    let unused = 128 - kind.bits();
    value << unused >> unused
}

fn constant(kind: Kind, value: i128) -> Expression {
    Expression::Constant(truncated(kind, value))
}

impl Statement {
    /// Appends the values that it reads.
    pub fn values(&self, values: &mut Vec<u32>) {
        let (Self::Let(_, expression) | Self::Add(_, expression)) = self;
        expression.values(values);
    }
}

impl Expression {
    fn values(&self, values: &mut Vec<u32>) {
        match self {
            Self::Value(v) | Self::Converted(_, v) => values.push(*v),
            Self::Constant(_) => {}
            Self::Binary(_, operands) => operands.iter().for_each(|e| e.values(values)),
            Self::Choose(operands) => operands.iter().for_each(|e| e.values(values)),
            Self::Entry(_, place) => place.values(values),
        }
    }
}
