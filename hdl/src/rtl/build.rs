//! Building a module net by net. Wiring and constants are folded on the way, so that a slice is always a slice of a net
//! with a driver of its own.

use num_bigint::BigUint;
use rustc_hash::FxHashMap;

use super::module::{Cell, List, Module, Net, Output, Port};
use crate::dfg::ScopeId;

/// A module under construction.
#[derive(Debug, Default)]
pub struct Builder {
    /// The module so far.
    pub module: Module,
    /// The scope that new nets belong to.
    pub scope: ScopeId,
    constants: FxHashMap<(BigUint, u32), Net>,
    tables: FxHashMap<Vec<BigUint>, u32>,
}

/// `2^width - 1`.
pub(crate) fn ones(width: u32) -> BigUint {
    (BigUint::from(1u8) << width) - 1u8
}

/// `value` modulo `2^width`, two's complement.
pub(crate) fn pattern(value: i128, width: u32) -> BigUint {
    let low = BigUint::from(value as u128) & ones(width.min(128));
    if value < 0 && width > 128 { low + (ones(width - 128) << 128) } else { low }
}

impl Builder {
    /// An empty module; `scopes` are the paths that scope ids stand for, the first of them empty.
    pub fn new(name: &str, scopes: Vec<String>) -> Self {
        let module = Module { name: name.to_owned(), scopes, ..Module::default() };
        Self { module, ..Self::default() }
    }

    /// An input port's net.
    pub fn input(&mut self, name: &str, width: u32) -> Net {
        let port = self.module.inputs.len() as u32;
        self.module.inputs.push(Port { name: name.to_owned(), width });
        self.add(Cell::Input(port), width)
    }

    /// An output port.
    pub fn output(&mut self, name: &str, net: Net) {
        self.module.outputs.push(Output { name: name.to_owned(), width: self.module.width(net), net: Some(net) });
    }

    /// Gives `net` a name unless it has one.
    pub fn name(&mut self, net: Net, name: String) {
        self.module.names.entry(net).or_insert(name);
    }

    /// A net driven by `cell`, as it is.
    pub fn add(&mut self, cell: Cell, width: u32) -> Net {
        let net = Net(self.module.cells.len() as u32);
        self.module.cells.push(cell);
        self.module.widths.push(width);
        self.module.net_scopes.push(self.scope);
        net
    }

    /// A constant net of `width` bits; equal ones are one net.
    pub fn constant(&mut self, value: BigUint, width: u32) -> Net {
        if let Some(&net) = self.constants.get(&(value.clone(), width)) {
            return net;
        }
        let k = self.module.constants.len() as u32;
        self.module.constants.push(value.clone());
        let net = self.add(Cell::Const(k), width);
        self.constants.insert((value, width), net);
        net
    }

    /// A constant net of the low `width` bits of `value` in two's complement.
    pub fn integer(&mut self, value: i128, width: u32) -> Net {
        self.constant(pattern(value, width), width)
    }

    /// Registers a table of `width`-bit words; equal tables are one.
    pub fn table(&mut self, words: Vec<BigUint>) -> u32 {
        if let Some(&t) = self.tables.get(&words) {
            return t;
        }
        let t = self.module.tables.len() as u32;
        self.module.tables.push(words.clone());
        self.tables.insert(words, t);
        t
    }

    /// Bits `low` to `low + width - 1` of `a`.
    pub fn slice(&mut self, a: Net, low: u32, width: u32) -> Net {
        let whole = self.module.width(a);
        if low == 0 && width == whole {
            return a;
        }
        match self.module.cell(a) {
            Cell::Const(k) => {
                let value = (self.module.constant(k) >> low) & ones(width);
                self.constant(value, width)
            }
            Cell::Slice(b, s) => self.slice(b, s + low, width),
            Cell::ZeroExtend(b) | Cell::SignExtend(b) if low + width <= self.module.width(b) => {
                self.slice(b, low, width)
            }
            Cell::ZeroExtend(b) if low >= self.module.width(b) => self.integer(0, width),
            Cell::ZeroExtend(b) => {
                let kept = self.slice(b, low, self.module.width(b) - low);
                self.zero_extend(kept, width)
            }
            Cell::SignExtend(b) => {
                let from = low.min(self.module.width(b) - 1);
                let kept = self.slice(b, from, self.module.width(b) - from);
                self.sign_extend(kept, width)
            }
            Cell::Concat(list) => self.slice_of_concat(list, low, width),
            _ => self.add(Cell::Slice(a, low), width),
        }
    }

    fn slice_of_concat(&mut self, list: List, low: u32, width: u32) -> Net {
        let mut parts = Vec::new();
        let mut at = 0;
        for part in self.module.list(list).to_vec().into_iter().rev() {
            let end = at + self.module.width(part);
            let (from, to) = (low.max(at), (low + width).min(end));
            if from < to {
                parts.push(self.slice(part, from - at, to - from));
            }
            at = end;
        }
        parts.reverse();
        self.concat(&parts)
    }

    /// `a` with zeros on top, `width` bits in all.
    pub fn zero_extend(&mut self, a: Net, width: u32) -> Net {
        if width == self.module.width(a) {
            return a;
        }
        match self.module.cell(a) {
            Cell::Const(k) => self.constant(self.module.constant(k).clone(), width),
            Cell::ZeroExtend(b) => self.zero_extend(b, width),
            _ => self.add(Cell::ZeroExtend(a), width),
        }
    }

    /// `a` with copies of its top bit on top, `width` bits in all.
    pub fn sign_extend(&mut self, a: Net, width: u32) -> Net {
        let from = self.module.width(a);
        if width == from {
            return a;
        }
        match self.module.cell(a) {
            Cell::Const(k) => {
                let value = self.module.constant(k).clone();
                let negative = value.bit(u64::from(from) - 1);
                let top = if negative { ones(width - from) << from } else { BigUint::ZERO };
                self.constant(value | top, width)
            }
            Cell::SignExtend(b) => self.sign_extend(b, width),
            Cell::ZeroExtend(b) => self.zero_extend(b, width),
            _ => self.add(Cell::SignExtend(a), width),
        }
    }

    /// `parts` side by side, most significant first; there is at least one.
    pub fn concat(&mut self, parts: &[Net]) -> Net {
        let mut flat: Vec<Net> = Vec::with_capacity(parts.len());
        for &part in parts {
            match self.module.cell(part) {
                Cell::Concat(list) => flat.extend_from_slice(self.module.list(list)),
                _ => flat.push(part),
            }
        }
        let mut joined: Vec<Net> = Vec::with_capacity(flat.len());
        for part in flat {
            match joined.last().and_then(|&high| self.joined(high, part)) {
                Some(both) => *joined.last_mut().expect("just seen") = both,
                None => joined.push(part),
            }
        }
        if let [only] = joined[..] {
            return only;
        }
        let width = joined.iter().map(|&n| self.module.width(n)).sum();
        let start = self.module.operands.len() as u32;
        let len = joined.len() as u32;
        self.module.operands.extend(joined);
        self.add(Cell::Concat(List { start, len }), width)
    }

    /// Two neighbours as one net, if they are adjacent slices or constants.
    fn joined(&mut self, high: Net, low: Net) -> Option<Net> {
        let (high_width, low_width) = (self.module.width(high), self.module.width(low));
        match (self.module.cell(high), self.module.cell(low)) {
            (Cell::Const(h), Cell::Const(l)) => {
                let value = (self.module.constant(h) << low_width) | self.module.constant(l);
                Some(self.constant(value, high_width + low_width))
            }
            (Cell::Slice(a, s), Cell::Slice(b, t)) if a == b && s == t + low_width => {
                Some(self.slice(a, t, high_width + low_width))
            }
            _ => None,
        }
    }

    /// Every bit of `a` inverted.
    pub fn not(&mut self, a: Net) -> Net {
        let width = self.module.width(a);
        match self.module.cell(a) {
            Cell::Const(k) => self.constant(self.module.constant(k) ^ ones(width), width),
            Cell::Not(b) => b,
            _ => self.add(Cell::Not(a), width),
        }
    }

    /// Whether any bit of `a` is 1.
    pub fn any(&mut self, a: Net) -> Net {
        match self.module.cell(a) {
            _ if self.module.width(a) == 1 => a,
            Cell::Not(b) => {
                let all = self.all(b);
                self.not(all)
            }
            _ => self.add(Cell::ReduceOr(a), 1),
        }
    }

    /// Whether all bits of `a` are 1.
    pub fn all(&mut self, a: Net) -> Net {
        match self.module.cell(a) {
            _ if self.module.width(a) == 1 => a,
            Cell::Not(b) => {
                let any = self.any(b);
                self.not(any)
            }
            _ => self.add(Cell::ReduceAnd(a), 1),
        }
    }

    /// Whether `net` is the constant zero, or the constant of ones.
    fn known(&self, net: Net) -> (bool, bool) {
        let value = self.module.as_constant(net);
        let width = self.module.width(net);
        (value.is_some_and(|v| *v == BigUint::ZERO), value.is_some_and(|v| *v == ones(width)))
    }

    /// Bitwise and.
    pub fn and(&mut self, a: Net, b: Net) -> Net {
        match (self.known(a), self.known(b)) {
            ((true, _), _) | (_, (_, true)) => a,
            (_, (true, _)) | ((_, true), _) => b,
            _ => self.binary(Cell::And, a, b),
        }
    }

    /// Bitwise or.
    pub fn or(&mut self, a: Net, b: Net) -> Net {
        match (self.known(a), self.known(b)) {
            ((true, _), _) | (_, (_, true)) => b,
            (_, (true, _)) | ((_, true), _) => a,
            _ => self.binary(Cell::Or, a, b),
        }
    }

    /// Bitwise exclusive or.
    pub fn xor(&mut self, a: Net, b: Net) -> Net {
        match (self.known(a), self.known(b)) {
            ((true, _), _) => b,
            (_, (true, _)) => a,
            ((_, true), _) => self.not(b),
            (_, (_, true)) => self.not(a),
            _ => self.binary(Cell::Xor, a, b),
        }
    }

    /// `a` if `s` is 1, else `b`; a constant arm of zeros or ones becomes a mask.
    pub fn mux(&mut self, s: Net, a: Net, b: Net) -> Net {
        let width = self.module.width(a);
        if a == b {
            return a;
        }
        if let Cell::Not(t) = self.module.cell(s) {
            return self.mux(t, b, a);
        }
        let (a_zero, a_ones) = self.known(a);
        let (b_zero, b_ones) = self.known(b);
        if !(a_zero || a_ones || b_zero || b_ones) {
            return self.add(Cell::Mux(s, a, b), width);
        }
        let mask = if a_zero || b_ones { self.not(s) } else { s };
        let mask = self.sign_extend(mask, width);
        match (a_zero, a_ones, b_zero) {
            (true, ..) => self.and(b, mask),
            (_, true, _) => self.or(b, mask),
            (_, _, true) => self.and(a, mask),
            _ => self.or(a, mask),
        }
    }

    /// A cell of two operands as wide as its result.
    pub fn binary(&mut self, cell: fn(Net, Net) -> Cell, a: Net, b: Net) -> Net {
        let width = self.module.width(a);
        self.add(cell(a, b), width)
    }

    /// A comparison.
    pub fn compare(&mut self, cell: fn(Net, Net) -> Cell, a: Net, b: Net) -> Net {
        self.add(cell(a, b), 1)
    }
}
