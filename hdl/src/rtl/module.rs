//! What a register-transfer design is made of.

use std::collections::BTreeMap;

use num_bigint::BigUint;

use crate::dfg::{Reset, ScopeId};

/// A net, by its position in the module's arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Net(pub u32);

impl Net {
    /// Position in the arena.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A module of a [`Design`], by position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModuleId(pub u32);

impl ModuleId {
    /// Position in the design.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A run in a module's pool of operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct List {
    pub(super) start: u32,
    pub(super) len: u32,
}

/// What drives a net. `w` is the width of the net itself, `|a|` that of an operand.
///
/// | cell | value | widths |
/// |---|---|---|
/// | `Input(p)` | input port `p` | as the port |
/// | `Const(k)` | entry `k` of the constant pool | below `2^w` |
/// | `Slice(a, s)` | bits `s` to `s + w - 1` of `a` | `s + w <= \|a\|` |
/// | `ZeroExtend(a)`, `SignExtend(a)` | `a` with zeros, copies of its top bit on top | `\|a\| < w` |
/// | `Concat(l)` | the operands side by side, most significant first | add up to `w` |
/// | `Not(a)` | every bit inverted | `\|a\| = w` |
/// | `ReduceAnd(a)`, `ReduceOr(a)` | whether all bits, any bit of `a` is 1 | `w = 1` |
/// | `And`, `Or`, `Xor` | bitwise | `\|a\| = \|b\| = w` |
/// | `Add`, `Sub`, `Mul` | modulo `2^w` | `\|a\| = \|b\| = w` |
/// | `Eq`, `LtUnsigned`, `LtSigned` | comparison | `\|a\| = \|b\|`, `w = 1` |
/// | `Mux(s, a, b)` | `a` if `s` is 1, else `b` | `\|s\| = 1`, `\|a\| = \|b\| = w` |
/// | `Table(a, t)` | word `a` of table `t`, 0 past its end | as the table |
/// | `Read(a, m)` | word `a` of register file `m`, 0 past its end | as the register file |
/// | `Register(r)` | content of register `r` | as what it loads |
/// | `Output(i, p)` | output port `p` of instance `i` | as the port |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the table above says what each is
pub enum Cell {
    Input(u32),
    Const(u32),
    Slice(Net, u32),
    ZeroExtend(Net),
    SignExtend(Net),
    Concat(List),
    Not(Net),
    ReduceAnd(Net),
    ReduceOr(Net),
    And(Net, Net),
    Or(Net, Net),
    Xor(Net, Net),
    Add(Net, Net),
    Sub(Net, Net),
    Mul(Net, Net),
    Eq(Net, Net),
    LtUnsigned(Net, Net),
    LtSigned(Net, Net),
    Mux(Net, Net, Net),
    Table(Net, u32),
    Read(Net, u32),
    Register(u32),
    Output(u32, u32),
}

impl Cell {
    /// The cell's name in the text form and in generated identifiers.
    pub fn mnemonic(self) -> &'static str {
        match self {
            Cell::Input(_) => "input",
            Cell::Const(_) => "const",
            Cell::Slice(..) => "slice",
            Cell::ZeroExtend(_) => "zext",
            Cell::SignExtend(_) => "sext",
            Cell::Concat(_) => "concat",
            Cell::Not(_) => "not",
            Cell::ReduceAnd(_) => "all",
            Cell::ReduceOr(_) => "any",
            Cell::And(..) => "and",
            Cell::Or(..) => "or",
            Cell::Xor(..) => "xor",
            Cell::Add(..) => "add",
            Cell::Sub(..) => "sub",
            Cell::Mul(..) => "mul",
            Cell::Eq(..) => "eq",
            Cell::LtUnsigned(..) => "ltu",
            Cell::LtSigned(..) => "lts",
            Cell::Mux(..) => "mux",
            Cell::Table(..) => "table",
            Cell::Read(..) => "read",
            Cell::Register(_) => "reg",
            Cell::Output(..) => "out",
        }
    }

    /// The same cell on other operands, but for those in a list.
    pub(super) fn map(self, f: impl Fn(Net) -> Net) -> Self {
        match self {
            Cell::Input(_) | Cell::Const(_) | Cell::Register(_) | Cell::Output(..) | Cell::Concat(_) => self,
            Cell::Slice(a, low) => Cell::Slice(f(a), low),
            Cell::ZeroExtend(a) => Cell::ZeroExtend(f(a)),
            Cell::SignExtend(a) => Cell::SignExtend(f(a)),
            Cell::Not(a) => Cell::Not(f(a)),
            Cell::ReduceAnd(a) => Cell::ReduceAnd(f(a)),
            Cell::ReduceOr(a) => Cell::ReduceOr(f(a)),
            Cell::Table(a, t) => Cell::Table(f(a), t),
            Cell::Read(a, m) => Cell::Read(f(a), m),
            Cell::And(a, b) => Cell::And(f(a), f(b)),
            Cell::Or(a, b) => Cell::Or(f(a), f(b)),
            Cell::Xor(a, b) => Cell::Xor(f(a), f(b)),
            Cell::Add(a, b) => Cell::Add(f(a), f(b)),
            Cell::Sub(a, b) => Cell::Sub(f(a), f(b)),
            Cell::Mul(a, b) => Cell::Mul(f(a), f(b)),
            Cell::Eq(a, b) => Cell::Eq(f(a), f(b)),
            Cell::LtUnsigned(a, b) => Cell::LtUnsigned(f(a), f(b)),
            Cell::LtSigned(a, b) => Cell::LtSigned(f(a), f(b)),
            Cell::Mux(s, a, b) => Cell::Mux(f(s), f(a), f(b)),
        }
    }

    /// The fixed operands and the list of further ones.
    fn parts(self) -> ([Net; 3], usize, List) {
        let none = List { start: 0, len: 0 };
        let zero = Net(0);
        match self {
            Cell::Input(_) | Cell::Const(_) | Cell::Register(_) | Cell::Output(..) => ([zero; 3], 0, none),
            Cell::Concat(list) => ([zero; 3], 0, list),
            Cell::Slice(a, _)
            | Cell::ZeroExtend(a)
            | Cell::SignExtend(a)
            | Cell::Not(a)
            | Cell::ReduceAnd(a)
            | Cell::ReduceOr(a)
            | Cell::Table(a, _)
            | Cell::Read(a, _) => ([a, zero, zero], 1, none),
            Cell::And(a, b)
            | Cell::Or(a, b)
            | Cell::Xor(a, b)
            | Cell::Add(a, b)
            | Cell::Sub(a, b)
            | Cell::Mul(a, b)
            | Cell::Eq(a, b)
            | Cell::LtUnsigned(a, b)
            | Cell::LtSigned(a, b) => ([a, b, zero], 2, none),
            Cell::Mux(s, a, b) => ([s, a, b], 3, none),
        }
    }
}

/// An input port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Port {
    /// Name in Verilog.
    pub name: String,
    /// Bits, at least one.
    pub width: u32,
}

/// An output port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Output {
    /// Name in Verilog.
    pub name: String,
    /// Bits, at least one.
    pub width: u32,
    /// What drives it; `None` in a black box.
    pub net: Option<Net>,
}

/// A register: takes `initial` under reset, else loads `next` unless `enable` is 0.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Register {
    /// Loaded at each rising clock edge. It may come later in the arena than the register.
    pub next: Net,
    /// Loads only while this one bit is 1.
    pub enable: Option<Net>,
    /// How it starts.
    pub reset: Reset,
    /// The value under reset.
    pub initial: BigUint,
    /// Whether it is one of several that load the same, which synthesis tools must neither merge nor remove. It has no
    /// enable, and its value under reset is 0.
    pub kept: bool,
}

/// The write port of a register file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MemoryWrite {
    /// One bit: 1 to write.
    pub enable: Net,
    /// Which word; a write past the end does nothing.
    pub address: Net,
    /// New content.
    pub data: Net,
}

/// A register file: one synchronous write port, any number of combinational [`Cell::Read`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Memory {
    /// Name in Verilog.
    pub name: String,
    /// Words, at least two. An address has just the bits that the last word's number needs.
    pub depth: u32,
    /// Bits of a word.
    pub width: u32,
    /// The write port.
    pub write: MemoryWrite,
}

/// Bits of the number of the last of `depth` words, at least one.
pub fn address_width(depth: u32) -> u32 {
    u32::BITS - (depth.max(2) - 1).leading_zeros()
}

/// A module inside a module. Clock and reset are connected to the parent's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Instance {
    /// Name in Verilog.
    pub name: String,
    /// What it is a copy of; stands before the parent in the design.
    pub module: ModuleId,
    /// One net an input port.
    pub inputs: Vec<Net>,
    /// The scope it belongs to.
    pub scope: ScopeId,
}

/// What is known of a module whose body is elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct BlackBox {
    /// Parameter overrides.
    pub parameters: Vec<(String, i128)>,
}

/// A module.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Module {
    /// Name in Verilog.
    pub name: String,
    /// Name of the clock port, if there is one. All registers load at its rising edge.
    pub clock: Option<String>,
    /// Name of the reset port, if there is one; active when 1.
    pub reset: Option<String>,
    /// Input ports besides clock and reset.
    pub inputs: Vec<Port>,
    /// Output ports.
    pub outputs: Vec<Output>,
    /// Registers, one [`Cell::Register`] each.
    pub registers: Vec<Register>,
    /// Register files.
    pub memories: Vec<Memory>,
    /// Modules inside.
    pub instances: Vec<Instance>,
    /// Set if there is no body.
    pub black_box: Option<BlackBox>,
    pub(super) cells: Vec<Cell>,
    pub(super) widths: Vec<u32>,
    pub(super) net_scopes: Vec<ScopeId>,
    pub(super) operands: Vec<Net>,
    pub(super) constants: Vec<BigUint>,
    pub(super) tables: Vec<Vec<BigUint>>,
    pub(super) names: BTreeMap<Net, String>,
    pub(super) scopes: Vec<String>,
}

impl Module {
    /// Number of nets.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether there is no net.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// All nets; operands stand before their readers.
    pub fn nets(&self) -> impl DoubleEndedIterator<Item = Net> + use<> {
        (0..self.cells.len() as u32).map(Net)
    }

    /// What drives `net`.
    pub fn cell(&self, net: Net) -> Cell {
        self.cells[net.index()]
    }

    /// Bits of `net`.
    pub fn width(&self, net: Net) -> u32 {
        self.widths[net.index()]
    }

    /// The scope that `net` belongs to.
    pub fn scope(&self, net: Net) -> ScopeId {
        self.net_scopes[net.index()]
    }

    /// Dotted path of a scope; empty for the module itself.
    pub fn scope_path(&self, scope: ScopeId) -> &str {
        self.scopes.get(scope.0 as usize).map_or("", String::as_str)
    }

    /// The name that `net` was given.
    pub fn name(&self, net: Net) -> Option<&str> {
        self.names.get(&net).map(String::as_str)
    }

    /// The constant that drives `net`, if one does.
    pub fn as_constant(&self, net: Net) -> Option<&BigUint> {
        match self.cell(net) {
            Cell::Const(k) => self.constants.get(k as usize),
            _ => None,
        }
    }

    /// Entry `k` of the constant pool.
    pub fn constant(&self, k: u32) -> &BigUint {
        &self.constants[k as usize]
    }

    /// Words of table `t`.
    pub fn table(&self, t: u32) -> &[BigUint] {
        &self.tables[t as usize]
    }

    /// Number of tables.
    pub fn table_count(&self) -> usize {
        self.tables.len()
    }

    /// The nets in an operand list.
    pub fn list(&self, list: List) -> &[Net] {
        &self.operands[list.start as usize..][..list.len as usize]
    }

    /// The operands of a cell, in order.
    pub fn operands(&self, cell: Cell) -> impl Iterator<Item = Net> + '_ {
        let (fixed, count, list) = cell.parts();
        fixed.into_iter().take(count).chain(self.list(list).iter().copied())
    }

    /// Nets that something besides cells reads: outputs, registers, write ports, instances.
    pub fn roots(&self) -> impl Iterator<Item = Net> + '_ {
        let registers = self.registers.iter().flat_map(|r| std::iter::once(r.next).chain(r.enable));
        let writes = self.memories.iter().flat_map(|m| [m.write.enable, m.write.address, m.write.data]);
        self.outputs
            .iter()
            .filter_map(|o| o.net)
            .chain(registers)
            .chain(writes)
            .chain(self.instances.iter().flat_map(|i| i.inputs.iter().copied()))
    }
}

/// Modules, children before parents; the last is the top.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Design {
    /// The modules.
    pub modules: Vec<Module>,
}

impl Design {
    /// The module `id`.
    pub fn module(&self, id: ModuleId) -> &Module {
        &self.modules[id.index()]
    }

    /// The module that nothing instantiates.
    ///
    /// # Panics
    /// If the design is empty; [`validate`](super::validate) reports that.
    pub fn top(&self) -> &Module {
        self.modules.last().expect("a design has a module")
    }
}
