//! Nets and cells as Verilog expressions.

use num_bigint::BigUint;

use super::usage::{Usage, top_bit};
use crate::names::sanitised;
use crate::rtl::{Cell, Module, Names, Net, SCOPE_LENGTH};

/// Widest constant that is written in decimal.
const DECIMAL: u32 = 32;

/// The names and the usage of a module's nets: all that an expression needs.
pub(super) struct Expressions<'a> {
    pub module: &'a Module,
    pub names: Names<'a>,
    pub usage: Usage,
}

/// A sized constant.
pub(super) fn constant(value: &BigUint, width: u32) -> String {
    if width <= DECIMAL { format!("{width}'d{value}") } else { format!("{width}'h{value:x}") }
}

/// The range in a declaration; empty for one bit.
pub(super) fn vector(width: u32) -> String {
    match width {
        1 => String::new(),
        _ => format!("[{}:0] ", width - 1),
    }
}

impl<'a> Expressions<'a> {
    pub fn new(module: &'a Module) -> Self {
        Self { module, names: Names::new(module), usage: Usage::new(module) }
    }

    /// `net` where it is read: its name, or the wiring behind it. Binds tighter than any binary operator.
    pub fn read(&self, net: Net) -> String {
        if self.usage.is_declared(net) { self.names.net(net) } else { self.cell(net) }
    }

    /// Bits of a declared net.
    pub fn select(&self, net: Net, low: u32, width: u32) -> String {
        let name = self.names.net(net);
        match (self.module.width(net), width) {
            (whole, _) if whole == width => name,
            (_, 1) => format!("{name}[{low}]"),
            _ => format!("{name}[{}:{low}]", low + width - 1),
        }
    }

    /// The expression that drives `net`; only for combinational cells on nets.
    pub fn cell(&self, net: Net) -> String {
        let width = self.module.width(net);
        let two = |a: Net, operator: &str, b: Net| format!("{} {operator} {}", self.read(a), self.read(b));
        match self.module.cell(net) {
            Cell::Const(k) => constant(self.module.constant(k), width),
            Cell::Slice(a, low) => self.select(a, low, width),
            Cell::ZeroExtend(_) | Cell::SignExtend(_) | Cell::Concat(_) => {
                let mut parts = Vec::new();
                self.parts(net, &mut parts);
                match &mut parts[..] {
                    [only] => std::mem::take(only),
                    _ => format!("{{{}}}", parts.join(", ")),
                }
            }
            Cell::Not(a) => self.prefixed('~', a),
            Cell::ReduceAnd(a) => self.prefixed('&', a),
            Cell::ReduceOr(a) => self.prefixed('|', a),
            Cell::And(a, b) => two(a, "&", b),
            Cell::Or(a, b) => two(a, "|", b),
            Cell::Xor(a, b) => two(a, "^", b),
            Cell::Add(a, b) => two(a, "+", b),
            Cell::Sub(a, b) if self.is_zero(a) => self.prefixed('-', b),
            Cell::Sub(a, b) => two(a, "-", b),
            Cell::Mul(a, b) => self.product(a, b),
            Cell::Eq(a, b) => two(a, "==", b),
            Cell::LtUnsigned(a, b) => two(a, "<", b),
            Cell::LtSigned(a, b) => {
                format!("$signed({}) < $signed({})", self.read(a), self.read(b))
            }
            Cell::Mux(s, a, b) => {
                format!("{} ? {} : {}", self.read(s), self.read(a), self.read(b))
            }
            Cell::Table(a, t) => format!("{}({})", self.table(t), self.read(a)),
            Cell::Read(a, m) => {
                let memory = &self.module.memories[m as usize].name;
                format!("{memory}[{}]", self.read(a))
            }
            Cell::Input(_) | Cell::Register(_) | Cell::Output(..) => self.names.net(net),
        }
    }

    /// The name of a table's function. It holds the module's, since linters see functions of the modules above.
    pub fn table(&self, t: u32) -> String {
        let module = sanitised(&self.module.name, SCOPE_LENGTH);
        self.names.free(format!("{module}_rom{t}"))
    }

    fn is_zero(&self, net: Net) -> bool {
        self.module.as_constant(net).is_some_and(|v| v.bits() == 0)
    }

    /// The parts of a concatenation or extension side by side, those of the wiring inside it among them.
    fn parts(&self, net: Net, parts: &mut Vec<String>) {
        let width = self.module.width(net);
        let inside = |a: Net, parts: &mut Vec<String>| match self.module.cell(a) {
            Cell::ZeroExtend(_) | Cell::SignExtend(_) | Cell::Concat(_) if !self.usage.is_declared(a) => {
                self.parts(a, parts);
            }
            _ => parts.push(self.read(a)),
        };
        match self.module.cell(net) {
            Cell::ZeroExtend(a) => {
                parts.push(format!("{}'d0", width - self.module.width(a)));
                inside(a, parts);
            }
            Cell::SignExtend(a) if self.module.width(a) == 1 => {
                parts.push(format!("{{{width}{{{}}}}}", self.read(a)));
            }
            Cell::SignExtend(a) => {
                let (of, bit) = top_bit(self.module, a);
                let top = self.select(of, bit, 1);
                parts.push(match width - self.module.width(a) {
                    1 => top,
                    copies => format!("{{{copies}{{{top}}}}}"),
                });
                inside(a, parts);
            }
            Cell::Concat(list) => {
                let operands = self.module.list(list).iter();
                operands.for_each(|&a| inside(a, parts));
            }
            _ => inside(net, parts),
        }
    }

    /// A unary operator. Without the parentheses `|~x` would be another operator, and `-~x` none.
    fn prefixed(&self, operator: char, a: Net) -> String {
        let value = self.read(a);
        if value.starts_with('~') { format!("{operator}({value})") } else { format!("{operator}{value}") }
    }

    /// Extended operands are multiplied as signed, so that synthesis sees how narrow they are.
    fn product(&self, a: Net, b: Net) -> String {
        let signed = |net: Net| match self.module.cell(net) {
            Cell::SignExtend(_) => true,
            Cell::Const(k) => {
                let top = u64::from(self.module.width(net)) - 1;
                self.module.constant(k).bit(top)
            }
            _ => false,
        };
        let (x, y) = (self.read(a), self.read(b));
        if signed(a) || signed(b) { format!("$signed({x}) * $signed({y})") } else { format!("{x} * {y}") }
    }
}
