//! One module, node by node.

use std::sync::Arc;

use super::bits::Bits;
use super::demand::net_widths;
use super::fan_out::Drivers;
use super::instance::{Child, black_box};
use super::three::{Adders, Shapes, Three, choose};
use crate::dfg::{self, NodeId, Op, RegisterStyle, Voted};
use crate::diag::{Diagnostic, Diagnostics};
use crate::pack;
use crate::rtl::{self, Builder, Cell, Memory, MemoryWrite, Net, Register, pattern};

/// The module on its own; `id` says which register-transfer module stands for a child.
pub(super) fn lower(
    source: &dfg::Module,
    id: impl Fn(&Arc<dfg::Module>) -> rtl::ModuleId,
    adders: Adders,
    shapes: &mut Shapes,
) -> Result<rtl::Module, Diagnostics> {
    if let Some(known) = &source.black_box {
        return Ok(black_box(source, known));
    }
    let mut lowering = Lowering::new(source, adders, shapes);
    lowering.children = source.instances.iter().map(|i| Child::new(id(&i.module), &i.module)).collect();
    lowering.inputs();
    lowering.words();
    for n in source.graph.nodes() {
        lowering.node(n)?;
    }
    lowering.b.scope = dfg::ScopeId::default();
    for i in 0..source.instances.len() as u32 {
        lowering.instance(i)?;
    }
    lowering.registers()?;
    lowering.memories()?;
    lowering.outputs();
    lowering.name_all();
    let module = lowering.b.module;
    Ok(if source.voted == Voted::None { module } else { rtl::triplicate(&module, &source.voted) })
}

pub(super) struct Lowering<'a> {
    pub source: &'a dfg::Module,
    pub b: Builder,
    /// Bits of each node's net.
    widths: Vec<u32>,
    /// What each node is in a three-operand adder; empty if there are none.
    three: Vec<Option<Three>>,
    pub shapes: &'a mut Shapes,
    /// Inverters between nodes and the full adders that read them.
    pub drivers: Drivers,
    /// The net of each node.
    pub nets: Vec<Option<Net>>,
    /// Port net and least bit of each input element.
    input_places: Vec<(Net, u32)>,
    pub children: Vec<Child>,
    /// The registers made so far, with their nets. What they load is known only at the end.
    pub pending: Vec<(Pending, Net)>,
    /// What stands for each register file.
    stored: Vec<Stored>,
}

/// A register whose operand may not be lowered yet.
#[derive(Clone, Copy)]
pub(super) enum Pending {
    Delay(NodeId),
    State(u32),
    Word(u32),
}

/// What became of a register file.
#[derive(Clone, Copy)]
enum Stored {
    /// It has no bits.
    Nothing,
    /// It has one word: a register.
    Word(Net),
    /// Its number in the lowered module.
    File(u32),
}

impl<'a> Lowering<'a> {
    fn new(source: &'a dfg::Module, adders: Adders, shapes: &'a mut Shapes) -> Self {
        let mut b = Builder::new(&source.name, source.scope_paths().to_vec());
        b.module.clock = source.is_sequential().then(|| "clk".to_owned());
        b.module.reset = source.has_reset().then(|| "rst".to_owned());
        let widths = net_widths(source);
        let three = match adders {
            Adders::TwoOperand => Vec::new(),
            Adders::ThreeOperand => choose(source, &widths),
        };
        Self {
            source,
            b,
            widths,
            three,
            shapes,
            drivers: Drivers::of(source),
            nets: vec![None; source.graph.len()],
            input_places: Vec::new(),
            children: Vec::new(),
            pending: Vec::new(),
            stored: Vec::new(),
        }
    }

    fn inputs(&mut self) {
        for port in &self.source.inputs {
            let formats = || port.elements.iter().copied();
            let net = self.b.input(&port.name, pack::width(formats()));
            self.input_places.extend(pack::layout(formats()).map(|(low, _)| (net, low)));
        }
    }

    /// Decides what each register file becomes.
    fn words(&mut self) {
        let mut files = 0;
        for (m, memory) in (0..).zip(&self.source.memories) {
            let width = memory.range.width();
            let stored = match (width, memory.depth) {
                (0, _) => Stored::Nothing,
                (_, 0 | 1) => Stored::Word(self.register(Pending::Word(m), width)),
                _ => {
                    files += 1;
                    Stored::File(files - 1)
                }
            };
            self.stored.push(stored);
        }
    }

    /// What stands for `n`.
    pub fn bits(&self, n: NodeId) -> Bits {
        Bits { net: self.nets[n.index()], signed: self.source.graph.range(n).signed() }
    }

    /// The low `width` bits of `n`.
    pub fn low(&mut self, n: NodeId, width: u32) -> Net {
        self.bits(n).low(&mut self.b, width)
    }

    /// One bit: whether `n` is not zero.
    pub fn truth(&mut self, n: NodeId) -> Net {
        self.bits(n).any(&mut self.b)
    }

    fn register(&mut self, what: Pending, width: u32) -> Net {
        let r = self.pending.len() as u32;
        let net = self.b.add(Cell::Register(r), width);
        self.pending.push((what, net));
        net
    }

    fn node(&mut self, n: NodeId) -> Result<(), Diagnostics> {
        let width = self.widths[n.index()];
        if width == 0 {
            return Ok(());
        }
        self.b.scope = self.source.scope_of(n);
        let graph = &self.source.graph;
        let three = self.three.get(n.index()).copied().flatten();
        let net = match graph.op(n) {
            _ if matches!(three, Some(Three::Inside)) => return Ok(()),
            Op::Const(k) => self.b.integer(graph.constant_value(k), width),
            Op::Input(k) => {
                let (port, low) = self.input_places[k as usize];
                self.b.slice(port, low, width)
            }
            Op::Delay(..) => self.register(Pending::Delay(n), width),
            Op::State(k) => {
                let whole = self.source.states[k as usize].range.width();
                let net = self.register(Pending::State(k), whole);
                self.b.slice(net, 0, width)
            }
            Op::Read(a, m) => self.read(a, m, width),
            Op::Output(i, k) => self.instance_output(i, k, width)?,
            Op::Wire(_) | Op::Same(..) => {
                let message = format!("node {} is a `{}` of a module under construction", n.0, graph.op(n).mnemonic());
                return Err(Diagnostic::bug("node-order", message).into());
            }
            op => match three {
                Some(Three::Sum(terms)) => self.sum_of_three(terms, width),
                Some(Three::Apart) => self.sum_apart(op, width),
                _ => self.operator(op, width),
            },
        };
        self.nets[n.index()] = Some(net);
        Ok(())
    }

    fn read(&mut self, address: NodeId, m: u32, width: u32) -> Net {
        let memory = &self.source.memories[m as usize];
        let net = match self.stored[m as usize] {
            Stored::Nothing => return self.b.integer(0, width),
            Stored::Word(net) => net,
            Stored::File(file) => {
                let address = self.low(address, rtl::address_width(memory.depth));
                self.b.add(Cell::Read(address, file), memory.range.width())
            }
        };
        self.b.slice(net, 0, width)
    }

    fn registers(&mut self) -> Result<(), Diagnostics> {
        for i in 0..self.pending.len() {
            let (what, net) = self.pending[i];
            self.b.scope = self.b.module.scope(net);
            let width = self.b.module.width(net);
            let register = match what {
                Pending::Delay(n) => {
                    let Op::Delay(a, style) = self.source.graph.op(n) else {
                        unreachable!("only a delay waits as one")
                    };
                    let start = self.source.start_value(n, style);
                    let style = self.source.styles[style as usize];
                    self.loaded(a, width, style, start)
                }
                Pending::State(k) => {
                    let state = &self.source.states[k as usize];
                    let next = state.next.ok_or_else(|| undriven(&state.name))?;
                    self.loaded(next, width, state.style, state.style.initial)
                }
                Pending::Word(m) => {
                    let memory = &self.source.memories[m as usize];
                    let write = memory.write.ok_or_else(|| undriven(&memory.name))?;
                    let style = RegisterStyle { enable: Some(write.enable), ..RegisterStyle::default() };
                    self.loaded(write.data, width, style, 0)
                }
            };
            self.b.module.registers.push(register);
        }
        Ok(())
    }

    fn loaded(&mut self, next: NodeId, width: u32, style: RegisterStyle, start: i128) -> Register {
        Register {
            next: self.low(next, width),
            enable: style.enable.map(|n| self.truth(n)),
            reset: style.reset,
            initial: pattern(start, width),
            kept: false,
        }
    }

    fn memories(&mut self) -> Result<(), Diagnostics> {
        for (m, memory) in self.source.memories.iter().enumerate() {
            if !matches!(self.stored[m], Stored::File(_)) {
                continue;
            }
            let write = memory.write.ok_or_else(|| undriven(&memory.name))?;
            let width = memory.range.width();
            let write = MemoryWrite {
                enable: self.truth(write.enable),
                address: self.low(write.address, rtl::address_width(memory.depth)),
                data: self.low(write.data, width),
            };
            self.b.module.memories.push(Memory { name: memory.name.clone(), depth: memory.depth, width, write });
        }
        Ok(())
    }

    fn outputs(&mut self) {
        for port in &self.source.outputs {
            let net = self.packed(port.elements.iter().map(|e| (e.node, e.format)));
            self.b.output(&port.name, net);
        }
    }
}

fn undriven(name: &str) -> Diagnostics {
    Diagnostic::bug("undriven", format!("`{name}` is never driven")).into()
}
