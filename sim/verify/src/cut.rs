//! A register-transfer design as one graph of bits that is cut at its registers: what they hold goes in, what they load
//! comes out.

use hdl::dfg::Reset;
use hdl::rtl::{Cell, Design, Module, Names};
use num_bigint::BigUint;

use crate::flatten::{Bit, Flattener};
use crate::graph::{Graph, Lit};

/// A bit of a register or of a word of a register file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterBit {
    /// Instances, register and bit, as a flat netlist calls it: `u0.sum[3]`; of a register file `u0.store[5][3]`.
    pub name: String,
    /// What it holds, a leaf.
    pub state: Lit,
    /// What it loads, reset and enable included.
    pub next: Lit,
    /// What it holds at first.
    pub initial: bool,
}

/// A port's name and bits, the lowest first.
pub type Bits = (String, Vec<Lit>);

/// The graph.
#[derive(Debug)]
pub struct Cut {
    /// Gates and words.
    pub graph: Graph,
    /// Input ports; the reset is one of them, the clock is none.
    pub inputs: Vec<Bits>,
    /// Output ports.
    pub outputs: Vec<Bits>,
    /// All registers that something can be seen of.
    pub registers: Vec<RegisterBit>,
}

/// What is known while a design is cut.
#[derive(Debug)]
pub(crate) struct Cutting {
    reset: Lit,
    /// The instances that the present module is inside of.
    path: Vec<String>,
    registers: Vec<RegisterBit>,
}

/// Words of a module's register files, by file and word.
pub(crate) type Words = Vec<Vec<Vec<Bit>>>;

impl Cutting {
    pub fn enter(&mut self, instance: &str) {
        self.path.push(instance.to_owned());
    }

    pub fn leave(&mut self) {
        self.path.pop();
    }

    fn name(&self, register: &str) -> String {
        let path = self.path.iter().map(String::as_str).chain([register]);
        path.collect::<Vec<_>>().join(".")
    }

    /// A register's bits; `next` is without the reset.
    fn add(&mut self, graph: &mut Graph, name: &str, [state, next]: [&[Bit]; 2], initial: &BigUint, reset: Reset) {
        let name = self.name(name);
        for (bit, (state, next)) in state.iter().zip(next).enumerate() {
            let initial = initial.bit(bit as u64);
            let next = match reset {
                Reset::None => next.lit,
                // a reset that does not wait for the clock is the same as soon as the clock has come
                Reset::Synchronous | Reset::Asynchronous => graph.mux(self.reset, Lit::of(0, initial), next.lit),
            };
            self.registers.push(RegisterBit { name: format!("{name}[{bit}]"), state: state.lit, next, initial });
        }
    }
}

/// Cuts a valid `design`.
///
/// # Errors
/// A module without body.
pub fn cut(design: &Design) -> Result<Cut, String> {
    let mut flattener = Flattener::new(design, None);
    let reset = flattener.flat.graph.leaf();
    flattener.cutting = Some(Cutting { reset, path: Vec::new(), registers: Vec::new() });
    flattener.top()?;
    let Flattener { flat, cutting, .. } = flattener;
    let lits = |ports: Vec<crate::flatten::Port>| -> Vec<Bits> {
        let bits = |port: crate::flatten::Port| (port.name, port.bits.into_iter().map(|bit| bit.lit).collect());
        ports.into_iter().map(bits).collect()
    };
    let mut inputs = lits(flat.inputs);
    inputs.extend(design.top().reset.clone().map(|name| (name, vec![reset])));
    let registers = cutting.map_or_else(Vec::new, |cutting| cutting.registers);
    Ok(Cut { graph: flat.graph, inputs, outputs: lits(flat.outputs), registers })
}

impl Flattener<'_> {
    /// Leaves for the words of a module's register files.
    pub fn memory_words(&mut self, module: &Module) -> Words {
        let graph = &mut self.flat.graph;
        let mut word = |width: u32| (0..width).map(|_| Bit { lit: graph.leaf(), time: None }).collect();
        module.memories.iter().map(|m| (0..m.depth).map(|_| word(m.width)).collect()).collect()
    }

    /// The word at an address, 0 past the end.
    pub fn read_word(&mut self, address: &[Bit], words: &[Vec<Bit>]) -> Vec<Bit> {
        let graph = &mut self.flat.graph;
        let width = words[0].len();
        let mut read = vec![Lit::FALSE; width];
        for (number, word) in words.iter().enumerate() {
            let here = at(graph, address, number);
            for (sum, bit) in read.iter_mut().zip(word) {
                let selected = graph.and(here, bit.lit);
                *sum = graph.or(*sum, selected);
            }
        }
        read.into_iter().map(|lit| Bit { lit, time: None }).collect()
    }

    /// What the registers and register files of a module load, all nets of which are known; nothing if no cut is made.
    pub fn load(&mut self, module: &Module, nets: &[Vec<Bit>], words: &Words) {
        let Some(cutting) = &mut self.cutting else { return };
        let graph = &mut self.flat.graph;
        let names = Names::new(module);
        for net in module.nets() {
            let Cell::Register(r) = module.cell(net) else { continue };
            let register = &module.registers[r as usize];
            let state = &nets[net.index()];
            let loaded = &nets[register.next.index()];
            let next: Vec<Bit> = match register.enable {
                None => loaded.clone(),
                Some(enable) => chosen(graph, nets[enable.index()][0].lit, loaded, state),
            };
            cutting.add(graph, &names.net(net), [state, &next], &register.initial, register.reset);
        }
        for (memory, words) in module.memories.iter().zip(words) {
            let net = |net: hdl::rtl::Net| &nets[net.index()];
            for (number, word) in words.iter().enumerate() {
                let here = at(graph, net(memory.write.address), number);
                let writes = graph.and(here, net(memory.write.enable)[0].lit);
                let next = chosen(graph, writes, net(memory.write.data), word);
                let name = format!("{}[{number}]", memory.name);
                cutting.add(graph, &name, [word, &next], &BigUint::ZERO, Reset::None);
            }
        }
    }
}

/// Whether an address is `number`.
fn at(graph: &mut Graph, address: &[Bit], number: usize) -> Lit {
    address.iter().enumerate().fold(Lit::TRUE, |all, (k, bit)| {
        let is_one = k < usize::BITS as usize && number >> k & 1 == 1;
        graph.and(all, bit.lit.xor(!is_one))
    })
}

/// `one` where `selector`, else `zero`.
fn chosen(graph: &mut Graph, selector: Lit, one: &[Bit], zero: &[Bit]) -> Vec<Bit> {
    let pairs = one.iter().zip(zero);
    pairs.map(|(a, b)| Bit { lit: graph.mux(selector, a.lit, b.lit), time: None }).collect()
}
