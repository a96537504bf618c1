//! From nodes to instructions: delays vanish, constants move into the instruction, shifts into the addition.

use hdl::dfg::{Module, NodeId, Op};

use super::instruction::{Code, Instruction, Program, operands, signed_bits};
use super::linked::Linked;

/// The instructions that compute the outputs of a flat module.
pub(super) fn lower(linked: &Linked) -> Program {
    let lowering = Lowering::new(linked);
    let needed = lowering.needed();
    let graph = &linked.module.graph;
    let bits = graph.nodes().map(|n| signed_bits(graph.range(n))).collect();
    Program { instructions: lowering.ordered(&needed), bits, sums: lowering.sums }
}

struct Lowering<'a> {
    linked: &'a Linked,
    module: &'a Module,
    /// The node of each output element.
    elements: Vec<NodeId>,
    /// The node whose value each node repeats in a later cycle, or the node itself.
    undelayed: Vec<NodeId>,
    /// The instruction of each node that is no delay.
    made: Vec<Option<Instruction>>,
    /// What the sums add up.
    sums: Vec<Vec<(u32, i64)>>,
}

impl<'a> Lowering<'a> {
    fn new(linked: &'a Linked) -> Self {
        let module = &*linked.module;
        let graph = &module.graph;
        let mut lowering = Self {
            linked,
            module,
            elements: module.output_elements().map(|e| e.node).collect(),
            undelayed: Vec::with_capacity(graph.len()),
            made: Vec::with_capacity(graph.len()),
            sums: Vec::new(),
        };
        for n in graph.nodes() {
            let (undelayed, made) = match graph.op(n) {
                Op::Delay(a, _) => (lowering.undelayed(a), None),
                Op::Input(k) if k as usize >= linked.inputs => (n, Some(lowering.sum(n, k as usize - linked.inputs))),
                _ => (n, Some(lowering.instruction(n))),
            };
            lowering.undelayed.push(undelayed);
            lowering.made.push(made);
        }
        lowering
    }

    fn undelayed(&self, n: NodeId) -> NodeId {
        self.undelayed[n.index()]
    }

    fn constant(&self, n: NodeId) -> Option<i128> {
        self.module.graph.as_constant(self.undelayed(n))
    }

    /// Sum `k`, whose operands stand before it.
    fn sum(&mut self, n: NodeId, k: usize) -> Instruction {
        let sum = &self.linked.sums[k];
        let term = |&(element, weight): &(u32, i64)| (self.undelayed(self.elements[element as usize]).0, weight);
        let terms = sum.terms.iter().map(term).collect();
        self.sums.push(terms);
        let (y, k) = (self.sums.len() as u32 - 1, sum.bias.into());
        Instruction { code: Code::Sum, s: sum.cut, d: n.0, x: 0, y, z: 0, k, l: 0, inner: 0 }
    }

    /// The instruction of `n`, which is no delay.
    fn instruction(&self, n: NodeId) -> Instruction {
        use Code::*;
        let mut made = Instruction { code: Constant, s: 0, d: n.0, x: 0, y: 0, z: 0, k: 0, l: 0, inner: 0 };
        let mut set = |code, operands: &[NodeId]| {
            made.code = code;
            for (place, a) in [&mut made.x, &mut made.y, &mut made.z].into_iter().zip(operands) {
                *place = self.undelayed(*a).0;
            }
        };
        match self.module.graph.op(n) {
            Op::Const(k) => made.k = self.module.graph.constant_value(k),
            Op::Input(k) => (made.code, made.x) = (Input, k),
            Op::State(k) => (made.code, made.x) = (State, k),
            Op::Table(a, t) => {
                set(Table, &[a]);
                made.y = t;
            }
            Op::Read(a, m) => {
                set(Read, &[a]);
                made.y = m;
            }
            Op::Add(a, b) => {
                if let Some((x, k)) = self.with_constant(a, b) {
                    set(AddImmediate, &[x]);
                    made.k = k;
                } else if let Some((b, s)) = self.shifted(b) {
                    set(AddShifted, &[a, b]);
                    made.s = s;
                } else if let Some((a, s)) = self.shifted(a) {
                    set(AddShifted, &[b, a]);
                    made.s = s;
                } else {
                    set(Add, &[a, b]);
                }
            }
            Op::Sub(a, b) => {
                if let Some(k) = self.constant(a) {
                    set(ImmediateSubtract, &[b]);
                    made.k = k;
                } else if let Some(k) = self.constant(b) {
                    set(AddImmediate, &[a]);
                    made.k = -k;
                } else if let Some((b, s)) = self.shifted(b) {
                    set(SubtractShifted, &[a, b]);
                    made.s = s;
                } else if let Some((a, s)) = self.shifted(a) {
                    set(ShiftedSubtract, &[a, b]);
                    made.s = s;
                } else {
                    set(Subtract, &[a, b]);
                }
            }
            Op::FullAdder(a, b, c) => set(AddThree, &[a, b, c]),
            Op::Mul(a, b) => made = self.symmetric(made, Multiply, MultiplyImmediate, a, b),
            Op::And(a, b) => made = self.symmetric(made, And, AndImmediate, a, b),
            Op::Or(a, b) => made = self.symmetric(made, Or, OrImmediate, a, b),
            Op::Xor(a, b) => made = self.symmetric(made, Xor, XorImmediate, a, b),
            Op::Eq(a, b) => made = self.symmetric(made, Equal, EqualImmediate, a, b),
            Op::Max(a, b) => made = self.symmetric(made, Max, MaxImmediate, a, b),
            Op::Min(a, b) => made = self.clamped(self.symmetric(made, Min, MinImmediate, a, b)),
            Op::Lt(a, b) => match (self.constant(a), self.constant(b)) {
                (Some(k), _) => {
                    set(GreaterImmediate, &[b]);
                    made.k = k;
                }
                (_, Some(k)) => {
                    set(LessImmediate, &[a]);
                    made.k = k;
                }
                _ => set(Less, &[a, b]),
            },
            Op::Mux(c, a, b) => match (self.constant(a), self.constant(b)) {
                (Some(k), Some(l)) => {
                    set(SelectImmediate, &[c]);
                    (made.k, made.l) = (k, l);
                }
                _ => set(Select, &[c, a, b]),
            },
            Op::Narrow(a, lo, hi) => {
                set(Clamp, &[a]);
                made.k = self.constant(lo).expect("the ends of a range are constants");
                made.l = self.constant(hi).expect("the ends of a range are constants");
            }
            Op::Shl(a, s) => {
                set(ShiftLeft, &[a]);
                made.s = s.min(127) as u8;
            }
            Op::Shr(a, s) => {
                set(ShiftRight, &[a]);
                made.s = s.min(127) as u8;
                made = self.rounded(made);
            }
            Op::Wrap(a, w, true) => {
                set(SignExtend, &[a]);
                made.s = w;
            }
            Op::Wrap(a, w, false) => {
                set(AndImmediate, &[a]);
                made.k = mask(w);
            }
            Op::Concat(a, b, w) => {
                set(Concat, &[a, b]);
                (made.s, made.k) = (w, mask(w));
            }
            Op::Delay(..) | Op::Output(..) | Op::Same(..) | Op::Wire(_) => {
                unreachable!("delays are looked through; a finished flat module has no other")
            }
        }
        made
    }

    fn symmetric(&self, made: Instruction, code: Code, immediate: Code, a: NodeId, b: NodeId) -> Instruction {
        match self.with_constant(a, b) {
            Some((x, k)) => Instruction { code: immediate, x: self.undelayed(x).0, k, ..made },
            None => Instruction { code, x: self.undelayed(a).0, y: self.undelayed(b).0, ..made },
        }
    }

    /// The operand that is no constant, and the one that is.
    fn with_constant(&self, a: NodeId, b: NodeId) -> Option<(NodeId, i128)> {
        self.constant(b).map(|k| (a, k)).or_else(|| self.constant(a).map(|k| (b, k)))
    }

    /// What `n` is a constant left shift of.
    fn shifted(&self, n: NodeId) -> Option<(NodeId, u8)> {
        match self.module.graph.op(self.undelayed(n)) {
            Op::Shl(a, s) => Some((a, s.min(127) as u8)),
            _ => None,
        }
    }

    /// `min(max(x, k), l)` in one step.
    fn clamped(&self, made: Instruction) -> Instruction {
        match (made.code, self.made[made.x as usize]) {
            (Code::MinImmediate, Some(Instruction { code: Code::MaxImmediate, x, k, .. })) if k <= made.k => {
                Instruction { code: Code::Clamp, x, k, l: made.k, ..made }
            }
            _ => made,
        }
    }

    /// `(x + k) >> s` in one step.
    fn rounded(&self, made: Instruction) -> Instruction {
        match self.made[made.x as usize] {
            Some(Instruction { code: Code::AddImmediate, x, k, d, .. }) => {
                let inner = signed_bits(self.module.graph.range(NodeId(d)));
                Instruction { code: Code::AddShiftRight, x, k, inner, ..made }
            }
            _ => made,
        }
    }

    /// Which instructions an output needs.
    fn needed(&self) -> Vec<bool> {
        let mut needed = vec![false; self.made.len()];
        for element in &self.elements[self.linked.outputs.clone()] {
            needed[self.undelayed(*element).index()] = true;
        }
        for i in (0..needed.len()).rev() {
            if let Some(made) = self.made[i].filter(|_| needed[i]) {
                operands(&self.sums, &made).for_each(|a| needed[a as usize] = true);
            }
        }
        needed
    }

    /// The needed instructions in the arena's order, but each source just before its first reader and each output
    /// stored as soon as it is there, so that few values are alive at once.
    fn ordered(&self, needed: &[bool]) -> Vec<Instruction> {
        let mut stores: Vec<Vec<u32>> = vec![Vec::new(); self.made.len()];
        for (k, element) in (0..).zip(&self.elements[self.linked.outputs.clone()]) {
            stores[self.undelayed(*element).index()].push(k);
        }
        let mut order = Order { list: Vec::new(), placed: vec![false; self.made.len()], stores };
        for made in self.made.iter().flatten().filter(|made| needed[made.d as usize]) {
            if operands(&self.sums, made).next().is_none() {
                continue;
            }
            operands(&self.sums, made).for_each(|a| order.place(self.made[a as usize]));
            order.place(Some(*made));
        }
        // what is left are sources that are outputs themselves
        for (made, _) in self.made.iter().zip(needed).filter(|(_, needed)| **needed) {
            order.place(*made);
        }
        order.list
    }
}

/// Instructions in execution order.
struct Order {
    list: Vec<Instruction>,
    placed: Vec<bool>,
    stores: Vec<Vec<u32>>,
}

impl Order {
    /// Appends an instruction, unless it is there, and the stores of its value.
    fn place(&mut self, instruction: Option<Instruction>) {
        let Some(instruction) = instruction else {
            return;
        };
        let d = instruction.d as usize;
        if std::mem::replace(&mut self.placed[d], true) {
            return;
        }
        self.list.push(instruction);
        let store = Instruction { code: Code::Store, x: instruction.d, ..instruction };
        self.list.extend(self.stores[d].iter().map(|&y| Instruction { y, ..store }));
    }
}

/// The `w` low bits.
fn mask(w: u8) -> i128 {
    (1i128 << w.min(126)) - 1
}
