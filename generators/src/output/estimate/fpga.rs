//! What a module takes of an FPGA: carry chains by their formulas, and tables for the gates beside them.

use constraints::Target;
use constraints::targets::{FpgaModel, Operation};
use hdl::rtl::{Cell, Module, Net};
use rustc_hash::FxHashMap;

use super::Size;
use super::cover::{self, Tables};
use super::gates::{Bit, Gates, truth};
use super::sums::{self, Operand, Reader};

/// Look-up tables and flip-flops of `module` without what it instantiates; `None` if something has no formula.
pub fn size(module: &Module, model: &FpgaModel, target: &Target) -> Option<Size> {
    let mut mapper = Mapper {
        module,
        model,
        target,
        gates: Gates::default(),
        bits: Vec::new(),
        starts: Vec::with_capacity(module.len()),
        needed: Vec::new(),
        sums: Vec::new(),
        chains: 0.0,
        readers: sums::readers(module),
        inner: FxHashMap::default(),
        flip_flops: 0,
    };
    for net in module.nets() {
        let start = mapper.bits.len();
        mapper.starts.push(start);
        mapper.net(net)?;
        debug_assert_eq!(mapper.bits.len() - start, module.width(net) as usize);
    }
    for net in module.roots() {
        mapper.need(net);
    }
    let made = |node: usize| mapper.sums.binary_search(&node).is_ok();
    let tables = match model.carry_cell {
        Some(_) => Tables::amd(),
        None => Tables::alike(model.lut_inputs),
    };
    let cover = cover::cover(&mapper.gates, &mapper.needed, tables, made);
    let read = |node: &&usize| mapper.single() && cover.readers[**node] > 0;
    let singles = mapper.sums.iter().filter(read).count() as u64;
    Some(Size {
        look_up_tables: mapper.chains + (singles + cover.tables) as f64,
        flip_flops: mapper.flip_flops.into(),
        area_um2: 0.0,
    })
}

/// Takes a module apart into bits.
pub struct Mapper<'a> {
    pub module: &'a Module,
    pub model: &'a FpgaModel,
    pub target: &'a Target,
    pub gates: Gates,
    /// The bits of all nets, each least significant first.
    pub bits: Vec<Bit>,
    /// Where each net's begin.
    starts: Vec<usize>,
    /// Bits that must be there as signals.
    pub needed: Vec<Bit>,
    /// Bits of sums that tables with a carry make, which may as well make them inverted; ascending nodes.
    pub sums: Vec<usize>,
    /// Look-up tables by formulas: of chains that are taken whole, and of comparisons.
    pub chains: f64,
    /// What reads each net.
    pub readers: Vec<Reader>,
    /// Operands of sums that are parts of others.
    pub inner: FxHashMap<Net, Vec<Operand>>,
    flip_flops: u32,
}

impl Mapper<'_> {
    /// The bits of `net`, least significant first.
    pub fn of(&self, net: Net) -> &[Bit] {
        &self.bits[self.starts[net.index()]..][..self.module.width(net) as usize]
    }

    fn bit(&self, net: Net, k: usize) -> Bit {
        self.bits[self.starts[net.index()] + k]
    }

    fn need(&mut self, net: Net) {
        let start = self.starts[net.index()];
        let end = start + self.module.width(net) as usize;
        self.needed.extend_from_slice(&self.bits[start..end]);
    }

    /// Appends the bits of `net`.
    fn net(&mut self, net: Net) -> Option<()> {
        let module = self.module;
        let width = module.width(net) as usize;
        match module.cell(net) {
            _ if self.readers[net.index()] == Reader::None => self.sources(width),
            Cell::Input(_) | Cell::Output(..) => self.sources(width),
            Cell::Register(_) => {
                self.flip_flops += width as u32;
                self.sources(width);
            }
            Cell::Const(k) => {
                let value = module.constant(k);
                let bit = |k: usize| Bit::constant(value.bit(k as u64));
                self.bits.extend((0..width).map(bit));
            }
            Cell::Slice(a, from) => self.wires(a, |k| k + from as usize, width),
            Cell::ZeroExtend(a) => {
                let inner = module.width(a) as usize;
                self.wires(a, |k| k, inner);
                self.bits.extend((inner..width).map(|_| Bit::ZERO));
            }
            Cell::SignExtend(a) => {
                let top = module.width(a) as usize - 1;
                self.wires(a, |k| k.min(top), width);
            }
            Cell::Concat(parts) => {
                for part in module.list(parts).iter().rev() {
                    self.wires(*part, |k| k, module.width(*part) as usize);
                }
            }
            Cell::Not(a) => self.gates(width, 0b01, [a]),
            Cell::And(a, b) => self.gates(width, truth::AND, [a, b]),
            Cell::Or(a, b) => self.gates(width, truth::OR, [a, b]),
            Cell::Xor(a, b) => self.gates(width, truth::XOR, [a, b]),
            Cell::ReduceAnd(a) => self.reduce(truth::AND, a),
            Cell::ReduceOr(a) => self.reduce(truth::OR, a),
            Cell::Eq(a, b) => self.equal(a, b),
            Cell::LtUnsigned(a, b) => self.less(a, b, false),
            Cell::LtSigned(a, b) => self.less(a, b, true),
            Cell::Mux(select, a, b) => {
                let s = self.bit(select, 0);
                for k in 0..width {
                    let choice = [self.bit(a, k), self.bit(b, k), s];
                    let bit = self.gates.gate(truth::CHOICE, &choice);
                    self.bits.push(bit);
                }
            }
            Cell::Table(index, table) => self.table(index, table, width),
            Cell::Add(a, b) => self.sum(net, [a, b], false),
            Cell::Sub(a, b) => self.sum(net, [a, b], true),
            Cell::Mul(..) | Cell::Read(..) => return None,
        }
        Some(())
    }

    /// Appends bits that no gate makes.
    pub fn sources(&mut self, width: usize) {
        for _ in 0..width {
            let bit = self.gates.source();
            self.bits.push(bit);
        }
    }

    /// Bits of `a`, the `k`-th of the result being `place(k)`.
    fn wires(&mut self, a: Net, place: impl Fn(usize) -> usize, width: usize) {
        for k in 0..width {
            self.bits.push(self.bit(a, place(k)));
        }
    }

    fn gates<const N: usize>(&mut self, width: usize, truth: u64, operands: [Net; N]) {
        for k in 0..width {
            let inputs = operands.map(|net| self.bit(net, k));
            let bit = self.gates.gate(truth, &inputs);
            self.bits.push(bit);
        }
    }

    fn reduce(&mut self, truth: u64, a: Net) {
        let bits = self.of(a).to_vec();
        let bit = self.gates.chain(truth, bits);
        self.bits.push(bit);
    }

    fn equal(&mut self, a: Net, b: Net) {
        let mut same = Vec::new();
        for k in 0..self.module.width(a) as usize {
            let inputs = [self.bit(a, k), self.bit(b, k)];
            same.push(self.gates.gate(!truth::XOR, &inputs));
        }
        let bit = self.gates.chain(truth::AND, same);
        self.bits.push(bit);
    }

    /// A comparison with a constant, or of so few bits that a table takes them all, is the gates of its carries; any other
    /// a chain.
    fn less(&mut self, a: Net, b: Net, signed: bool) {
        let width = self.module.width(a);
        let constant = [a, b].iter().any(|n| self.module.as_constant(*n).is_some());
        if !constant && 2 * width > self.model.lut_inputs {
            self.need(a);
            self.need(b);
            self.chains += self.target.cost(Operation::Compare(width)).luts;
            return self.sources(1);
        }
        let mut less = Bit::ZERO;
        for k in 0..width as usize {
            let sign = signed && k + 1 == width as usize;
            let (x, y) = (self.bit(a, k), self.bit(b, k));
            let (x, y) = (x.inverted_if(!sign), y.inverted_if(sign));
            less = self.gates.gate(truth::MAJORITY, &[x, y, less]);
        }
        self.bits.push(less);
    }

    /// Look-up tables on the low bits of the index, and selections among them by the others.
    fn table(&mut self, index: Net, table: u32, width: usize) {
        let index = self.of(index).to_vec();
        let (low, high) = index.split_at(index.len().min(self.model.lut_inputs as usize));
        let size = 1usize << low.len();
        let words = self.module.table(table);
        for k in 0..width as u64 {
            let mut parts: Vec<Bit> = Vec::with_capacity(words.len().div_ceil(size));
            for words in words.chunks(size) {
                let column = (0..).zip(words).map(|(i, w)| u64::from(w.bit(k)) << i);
                parts.push(self.gates.gate(column.sum(), low));
            }
            for select in high {
                // words past the end are 0
                let choice = |pair: &[Bit]| [*pair.get(1).unwrap_or(&Bit::ZERO), pair[0], *select];
                let inputs: Vec<_> = parts.chunks(2).map(choice).collect();
                let chosen = inputs.iter().map(|i| self.gates.gate(truth::CHOICE, i));
                parts = chosen.collect();
            }
            self.bits.push(parts[0]);
        }
    }
}
