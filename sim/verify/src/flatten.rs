//! A register-transfer design as one graph of bits, its hierarchy dissolved and its pipeline registers counted.

use std::collections::HashMap;

use hdl::dfg::Reset;
use hdl::rtl::{Cell, Design, Module, ModuleId, Net};

use crate::carries::recognised;
use crate::cut::Cutting;
use crate::graph::{Graph, Lit};
use crate::lanes::Lanes;

/// When a bit is there: cycles after the inputs that it is computed of. None is at any time.
pub type Time = Option<u32>;

/// A literal and its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bit {
    /// The value.
    pub lit: Lit,
    /// When.
    pub time: Time,
}

const FALSE: Bit = Bit { lit: Lit::FALSE, time: None };

/// A port of the top module, least significant bit first.
#[derive(Debug, Clone)]
pub struct Port {
    /// Its name in Verilog.
    pub name: String,
    /// Its bits.
    pub bits: Vec<Bit>,
}

/// A design as a graph.
#[derive(Debug)]
pub struct Flat {
    /// Gates and words.
    pub graph: Graph,
    /// Input ports but clock and reset.
    pub inputs: Vec<Port>,
    /// Output ports.
    pub outputs: Vec<Port>,
    /// Registers that are no plain pipeline register, or that feed back, by module.
    pub states: Vec<String>,
    /// Where values of different cycles meet.
    pub mixed: Vec<String>,
    /// Register bits of the pipeline.
    pub register_bits: usize,
}

/// The top module of a valid `design`.
///
/// # Errors
/// A module without body, or register files.
pub fn flatten(design: &Design) -> Result<Flat, String> {
    let mut flattener = Flattener::new(design, None);
    flattener.top()?;
    Ok(flattener.flat.with_carries())
}

impl Flat {
    /// The same with full adders for what carry-propagate adders of gates carry.
    fn with_carries(mut self) -> Self {
        let (graph, map) = recognised(&self.graph);
        for bit in self.inputs.iter_mut().chain(&mut self.outputs).flat_map(|port| &mut port.bits) {
            bit.lit = map[bit.lit.node()].xor(bit.lit.is_complement());
        }
        self.graph = graph;
        self
    }
}

/// What a module is, if it is something that the graph has.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// Carry and parity of its three bits; which output is the carry.
    FullAdder { carry: usize },
    /// The sum of its inputs, each subtracted if it says so.
    Sum(Vec<bool>),
    /// Gates.
    Other,
}

pub(crate) struct Flattener<'d> {
    design: &'d Design,
    pub(crate) flat: Flat,
    kinds: HashMap<ModuleId, Kind>,
    /// Set if the graph is cut at all registers.
    pub(crate) cutting: Option<Cutting>,
}

impl<'d> Flattener<'d> {
    pub(crate) fn new(design: &'d Design, cutting: Option<Cutting>) -> Self {
        let flat = Flat {
            graph: Graph::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            states: Vec::new(),
            mixed: Vec::new(),
            register_bits: 0,
        };
        Self { design, flat, kinds: HashMap::new(), cutting }
    }

    /// The top module with leaves for its inputs.
    pub(crate) fn top(&mut self) -> Result<(), String> {
        let top = self.design.top();
        let mut inputs = Vec::new();
        for port in &top.inputs {
            let bits: Vec<Bit> = (0..port.width).map(|_| Bit { lit: self.flat.graph.leaf(), time: Some(0) }).collect();
            inputs.push(bits.clone());
            self.flat.inputs.push(Port { name: port.name.clone(), bits });
        }
        let id = ModuleId(self.design.modules.len() as u32 - 1);
        let outputs = self.module(id, inputs)?;
        let ports = top.outputs.iter().zip(outputs);
        self.flat.outputs = ports.map(|(port, bits)| Port { name: port.name.clone(), bits }).collect();
        Ok(())
    }

    fn module(&mut self, id: ModuleId, inputs: Vec<Vec<Bit>>) -> Result<Vec<Vec<Bit>>, String> {
        let module = self.design.module(id);
        if module.black_box.is_some() {
            return Err(format!("module `{}` has no body", module.name));
        }
        if !module.memories.is_empty() && self.cutting.is_none() {
            return Err(format!("module `{}` has register files", module.name));
        }
        let kind = match self.kinds.get(&id) {
            Some(kind) => kind.clone(),
            None => {
                let kind = self.kind(id)?;
                self.kinds.insert(id, kind.clone());
                kind
            }
        };
        match kind {
            Kind::FullAdder { carry } => Ok(self.full_adder(carry, &inputs, module)),
            Kind::Sum(minus) => Ok(vec![self.sum(module, inputs.iter().map(Vec::as_slice).zip(minus).collect())]),
            Kind::Other => self.body(module, inputs),
        }
    }

    /// Recognises full adders, and sums of several operands, by what they compute.
    fn kind(&mut self, id: ModuleId) -> Result<Kind, String> {
        let module = self.design.module(id);
        let widths: Vec<u32> = module.inputs.iter().map(|p| p.width).collect();
        if widths == [1, 1, 1] && module.outputs.len() == 2 && module.registers.is_empty() {
            return self.adder_kind(id);
        }
        let is_sum = |net: Net| matches!(module.cell(net), Cell::Input(_) | Cell::Add(..) | Cell::Sub(..));
        let [output] = &module.outputs[..] else { return Ok(Kind::Other) };
        if !module.nets().all(is_sum) || !module.instances.is_empty() {
            return Ok(Kind::Other);
        }
        let mut minus = vec![None; widths.len()];
        let mut open = vec![(output.net, false)];
        while let Some((net, sign)) = open.pop() {
            let Some(net) = net else { return Ok(Kind::Other) };
            match module.cell(net) {
                Cell::Input(k) if minus[k as usize].is_none() => minus[k as usize] = Some(sign),
                Cell::Add(a, b) => open.extend([(Some(a), sign), (Some(b), sign)]),
                Cell::Sub(a, b) => open.extend([(Some(a), sign), (Some(b), !sign)]),
                _ => return Ok(Kind::Other),
            }
        }
        Ok(minus.into_iter().collect::<Option<Vec<bool>>>().map_or(Kind::Other, Kind::Sum))
    }

    /// Whether a module of three bits is a full adder: all eight situations are tried.
    fn adder_kind(&mut self, id: ModuleId) -> Result<Kind, String> {
        let top = self.design.module(id);
        let mut scratch = Flattener::new(self.design, None);
        let inputs: Vec<Vec<Bit>> = (0..3).map(|_| vec![Bit { lit: scratch.flat.graph.leaf(), time: None }]).collect();
        let outputs = scratch.body(top, inputs.clone())?;
        let mut lanes = Lanes::new(scratch.flat.graph.len(), 1);
        for (bits, row) in inputs.iter().zip([0xf0u64, 0xcc, 0xaa]) {
            lanes.set(bits[0].lit.node(), &[row]);
        }
        lanes.evaluate_all(&scratch.flat.graph, |_| false);
        let rows: Vec<u64> = outputs.iter().map(|bits| lanes.word(bits[0].lit, 0) & 0xff).collect();
        Ok(match rows[..] {
            [0xe8, 0x96] => Kind::FullAdder { carry: 0 },
            [0x96, 0xe8] => Kind::FullAdder { carry: 1 },
            _ => Kind::Other,
        })
    }

    fn full_adder(&mut self, carry: usize, inputs: &[Vec<Bit>], module: &Module) -> Vec<Vec<Bit>> {
        let time = self.time(inputs.iter().flatten(), module, "a full adder");
        let [parity, over] = self.flat.graph.adder([0, 1, 2].map(|k| inputs[k][0].lit));
        let mut outputs = vec![vec![Bit { lit: parity, time }]; 2];
        outputs[carry][0].lit = over;
        outputs
    }

    /// The time of what is computed of `bits`; bits of different times are noted.
    fn time<'b>(&mut self, bits: impl IntoIterator<Item = &'b Bit>, module: &Module, what: &str) -> Time {
        let mut times = bits.into_iter().filter_map(|bit| bit.time);
        let first = times.next()?;
        match times.find(|time| *time != first) {
            Some(other) => {
                let message = format!("{what} in `{}` joins values of cycles {first} and {other}", module.name);
                self.flat.mixed.push(message);
                Some(first.max(other))
            }
            None => Some(first),
        }
    }

    fn sum(&mut self, module: &Module, terms: Vec<(&[Bit], bool)>) -> Vec<Bit> {
        let time = self.time(terms.iter().flat_map(|(bits, _)| *bits), module, "a sum");
        let lits = |bits: &[Bit]| bits.iter().map(|b| b.lit).collect();
        let terms = terms.into_iter().map(|(bits, minus)| (lits(bits), minus)).collect();
        let timed = |lit: Lit| Bit { lit, time: if lit.is_constant() { None } else { time } };
        self.flat.graph.sum(terms).into_iter().map(timed).collect()
    }

    fn body(&mut self, module: &Module, inputs: Vec<Vec<Bit>>) -> Result<Vec<Vec<Bit>>, String> {
        let mut nets: Vec<Vec<Bit>> = vec![Vec::new(); module.len()];
        let mut answers: Vec<Option<Vec<Vec<Bit>>>> = vec![None; module.instances.len()];
        let order = match self.cutting {
            Some(_) => module.nets().map(|net| (net, true)).collect(),
            None => order(module),
        };
        let words = self.memory_words(module);
        for (net, is_state) in order {
            let bits = match module.cell(net) {
                Cell::Input(p) => inputs[p as usize].clone(),
                Cell::Output(i, p) => {
                    if answers[i as usize].is_none() {
                        let instance = &module.instances[i as usize];
                        let inputs = instance.inputs.iter().map(|net| nets[net.index()].clone()).collect();
                        self.cutting.iter_mut().for_each(|cutting| cutting.enter(&instance.name));
                        answers[i as usize] = Some(self.module(instance.module, inputs)?);
                        self.cutting.iter_mut().for_each(Cutting::leave);
                    }
                    let outputs = answers[i as usize].as_mut().expect("just made");
                    std::mem::take(&mut outputs[p as usize])
                }
                Cell::Register(_) if is_state => {
                    let width = module.width(net);
                    self.flat.states.push(format!("a register of {width} bits in `{}`", module.name));
                    (0..width).map(|_| Bit { lit: self.flat.graph.leaf(), time: None }).collect()
                }
                Cell::Register(r) => {
                    let next = &nets[module.registers[r as usize].next.index()];
                    self.flat.register_bits += next.len();
                    next.iter().map(|bit| Bit { time: bit.time.map(|t| t + 1), ..*bit }).collect()
                }
                Cell::Read(address, m) => self.read_word(&nets[address.index()], &words[m as usize]),
                cell => self.cell(module, cell, module.width(net) as usize, &nets),
            };
            nets[net.index()] = bits;
        }
        self.load(module, &nets, &words);
        Ok(module.outputs.iter().map(|o| o.net.map_or_else(Vec::new, |net| nets[net.index()].clone())).collect())
    }

    fn cell(&mut self, module: &Module, cell: Cell, width: usize, nets: &[Vec<Bit>]) -> Vec<Bit> {
        let of = |net: Net| &nets[net.index()][..];
        match cell {
            Cell::Const(k) => {
                let value = module.constant(k);
                (0..width).map(|i| Bit { lit: Lit::of(0, value.bit(i as u64)), time: None }).collect()
            }
            Cell::Slice(a, low) => of(a)[low as usize..][..width].to_vec(),
            Cell::ZeroExtend(a) => of(a).iter().copied().chain(std::iter::repeat(FALSE)).take(width).collect(),
            Cell::SignExtend(a) => {
                let top = *of(a).last().expect("a net has bits");
                of(a).iter().copied().chain(std::iter::repeat(top)).take(width).collect()
            }
            Cell::Concat(list) => module.list(list).iter().rev().flat_map(|&part| of(part).iter().copied()).collect(),
            Cell::Not(a) => of(a).iter().map(|bit| Bit { lit: !bit.lit, ..*bit }).collect(),
            Cell::Add(a, b) => self.sum(module, vec![(of(a), false), (of(b), false)]),
            Cell::Sub(a, b) => self.sum(module, vec![(of(a), false), (of(b), true)]),
            cell => self.logic(module, cell, width, nets),
        }
    }

    fn logic(&mut self, module: &Module, cell: Cell, width: usize, nets: &[Vec<Bit>]) -> Vec<Bit> {
        let operands: Vec<&[Bit]> = module.operands(cell).map(|net| &nets[net.index()][..]).collect();
        let each = |f: fn(&mut Graph, Lit, Lit) -> Lit, this: &mut Self| {
            let pairs = operands[0].iter().zip(operands[1]);
            let gate = |(a, b): (&Bit, &Bit)| {
                let time = this.time([a, b], module, "a gate");
                let lit = f(&mut this.flat.graph, a.lit, b.lit);
                Bit { lit, time: if lit.is_constant() { None } else { time } }
            };
            pairs.map(gate).collect()
        };
        match cell {
            Cell::And(..) => return each(Graph::and, self),
            Cell::Or(..) => return each(Graph::or, self),
            Cell::Xor(..) => return each(Graph::xor, self),
            _ => {}
        }
        let time = self.time(operands.iter().flat_map(|bits| *bits), module, cell.mnemonic());
        let lits: Vec<Vec<Lit>> = operands.iter().map(|bits| bits.iter().map(|b| b.lit).collect()).collect();
        let graph = &mut self.flat.graph;
        let result = match cell {
            Cell::ReduceAnd(_) => vec![lits[0].iter().fold(Lit::TRUE, |all, l| graph.and(all, *l))],
            Cell::ReduceOr(_) => vec![lits[0].iter().fold(Lit::FALSE, |any, l| graph.or(any, *l))],
            Cell::Eq(..) => {
                let pairs = lits[0].iter().zip(&lits[1]);
                vec![pairs.fold(Lit::TRUE, |all, (a, b)| {
                    let differ = graph.xor(*a, *b);
                    graph.and(all, !differ)
                })]
            }
            Cell::LtUnsigned(..) | Cell::LtSigned(..) => {
                let signed = matches!(cell, Cell::LtSigned(..));
                vec![less(graph, &lits[0], &lits[1], signed)]
            }
            Cell::Mux(..) => lits[1].iter().zip(&lits[2]).map(|(a, b)| graph.mux(lits[0][0], *a, *b)).collect(),
            Cell::Mul(..) => graph.product(lits[0].clone(), lits[1].clone()),
            Cell::Table(_, t) => {
                let words = module.table(t);
                let bit = |bit: u64| move |k: usize| words.get(k).is_some_and(|w| w.bit(bit));
                (0..width as u64).map(|k| table(graph, &lits[0], &bit(k), 0)).collect()
            }
            _ => unreachable!("register files are refused"),
        };
        let timed = |lit: Lit| Bit { lit, time: if lit.is_constant() { None } else { time } };
        result.into_iter().map(timed).collect()
    }
}

/// All nets, behind what they are computed of, and for each whether it is a register whose content is not what it loaded
/// one cycle before, or that what it loads depends on.
fn order(module: &Module) -> Vec<(Net, bool)> {
    let needs = |net: Net| -> Vec<Net> {
        match module.cell(net) {
            Cell::Register(r) => {
                let register = &module.registers[r as usize];
                let plain = register.reset == Reset::None && register.enable.is_none();
                if plain { vec![register.next] } else { Vec::new() }
            }
            Cell::Output(i, _) => module.instances[i as usize].inputs.clone(),
            cell => module.operands(cell).collect(),
        }
    };
    let is_plain = |net: Net| !matches!(module.cell(net), Cell::Register(_)) || !needs(net).is_empty();
    let mut missing: Vec<usize> = module.nets().map(|net| needs(net).len()).collect();
    let mut readers: Vec<Vec<Net>> = vec![Vec::new(); module.len()];
    module.nets().for_each(|net| needs(net).iter().for_each(|of| readers[of.index()].push(net)));
    let mut done = vec![false; module.len()];
    let mut order = Vec::with_capacity(module.len());
    let mut ready: Vec<(Net, bool)> =
        module.nets().filter(|net| missing[net.index()] == 0).map(|net| (net, !is_plain(net))).collect();
    ready.reverse();
    let mut waiting = module.nets().filter(|net| matches!(module.cell(*net), Cell::Register(_)));
    loop {
        // where nothing is ready a register feeds back
        let next = ready.pop().or_else(|| waiting.find(|net| !done[net.index()]).map(|net| (net, true)));
        let Some((net, is_state)) = next else { return order };
        if std::mem::replace(&mut done[net.index()], true) {
            continue;
        }
        order.push((net, is_state));
        for &reader in readers[net.index()].iter().rev() {
            missing[reader.index()] -= 1;
            if missing[reader.index()] == 0 {
                ready.push((reader, false));
            }
        }
    }
}

/// `a < b`, from the least significant bit up.
fn less(graph: &mut Graph, a: &[Lit], b: &[Lit], signed: bool) -> Lit {
    let top = a.len() - 1;
    a.iter().zip(b).enumerate().fold(Lit::FALSE, |below, (k, (&a, &b))| {
        let (a, b) = if signed && k == top { (b, a) } else { (a, b) };
        let differ = graph.xor(a, b);
        graph.mux(differ, b, below)
    })
}

/// The bit of a table that `word` says for each index; `base` is the part of the index that is decided.
fn table(graph: &mut Graph, index: &[Lit], word: &dyn Fn(usize) -> bool, base: usize) -> Lit {
    let Some((&top, rest)) = index.split_last() else {
        return Lit::of(0, word(base));
    };
    let (zero, one) = (table(graph, rest, word, base), table(graph, rest, word, base | 1 << rest.len()));
    graph.mux(top, one, zero)
}
