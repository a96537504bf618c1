//! The emitted subset of Verilog as a tree; names and numbers as they are written.

use num_bigint::BigUint;

use super::Place;

/// A module before its parameters are known.
#[derive(Debug)]
pub(super) struct ModuleText<'a> {
    pub name: &'a str,
    /// Whether its border is kept in synthesis.
    pub kept: bool,
    pub place: Place,
    /// With their defaults.
    pub parameters: Vec<(&'a str, i64)>,
    pub ports: Vec<Port<'a>>,
    pub items: Vec<(Place, Item<'a>)>,
}

#[derive(Debug)]
pub(super) struct Port<'a> {
    pub name: &'a str,
    pub is_input: bool,
    pub range: Range<'a>,
    pub place: Place,
}

/// `[high:low]` of a declaration; none is one bit.
pub(super) type Range<'a> = Option<(Expr<'a>, Expr<'a>)>;

#[derive(Debug)]
pub(super) enum Item<'a> {
    /// `wire [range] name = value;`, without a value for the outputs of instances.
    Wire {
        name: &'a str,
        range: Range<'a>,
        value: Option<Expr<'a>>,
    },
    /// `reg [range] name;`, or a register file with as many words as `words` says.
    Reg {
        name: &'a str,
        range: Range<'a>,
        words: Range<'a>,
    },
    /// A table as a function of its index.
    Function(Function<'a>),
    Instance(InstanceText<'a>),
    /// `assign name = value;`
    Assign {
        name: &'a str,
        value: Expr<'a>,
    },
    Always(Always<'a>),
}

#[derive(Debug)]
pub(super) struct Function<'a> {
    pub name: &'a str,
    pub range: Range<'a>,
    pub index: Range<'a>,
    /// Index and word of each case, in the order of the text.
    pub cases: Vec<(BigUint, Expr<'a>)>,
    pub default: Option<Expr<'a>>,
}

#[derive(Debug)]
pub(super) struct InstanceText<'a> {
    pub module: &'a str,
    pub name: &'a str,
    pub parameters: Vec<(&'a str, i64)>,
    pub connections: Vec<(&'a str, Expr<'a>)>,
}

/// `always @(posedge clock [or posedge reset]) begin … end`
#[derive(Debug)]
pub(super) struct Always<'a> {
    pub clock: &'a str,
    pub reset: Option<&'a str>,
    pub body: Vec<Statement<'a>>,
}

#[derive(Debug)]
pub(super) enum Statement<'a> {
    /// `name <= value;`
    Load { name: &'a str, value: Expr<'a> },
    /// `name[address] <= value;`
    Store { name: &'a str, address: Expr<'a>, value: Expr<'a> },
    /// `if (condition) … else …`
    If { condition: Expr<'a>, then: Vec<Statement<'a>>, other: Vec<Statement<'a>> },
}

#[derive(Debug, Clone)]
pub(super) enum Expr<'a> {
    Name(&'a str),
    /// A number with its width.
    Sized(u32, BigUint),
    /// A number without width: in ranges and conditions on parameters only.
    Plain(i64),
    /// `name[index]`: a bit, or a word of a register file.
    Element(&'a str, Box<Expr<'a>>),
    /// `name[high:low]`
    Part(&'a str, Box<Expr<'a>>, Box<Expr<'a>>),
    Concat(Vec<Expr<'a>>),
    Repeat(Box<Expr<'a>>, Box<Expr<'a>>),
    Unary(&'a str, Box<Expr<'a>>),
    Binary(&'a str, Box<[Expr<'a>; 2]>),
    Choice(Box<[Expr<'a>; 3]>),
    /// `$signed(x)`
    Signed(Box<Expr<'a>>),
    /// A table's word.
    Call(&'a str, Box<Expr<'a>>),
}
