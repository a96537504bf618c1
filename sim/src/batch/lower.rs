//! From nodes to instructions: delays vanish, constants move into the instruction, shifts into the addition.

use hdl::dfg::{Module, NodeId, Op};

/// What an instruction does with `x`, `y`, `z` (values), `s` (a shift), `k` and `l` (constants).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// Input element `x`.
    Input,
    /// The constant `k`.
    Constant,
    /// Register `x`.
    State,
    /// Output element `y` is `x`.
    Store,
    Add,
    /// `x + y + z`.
    AddThree,
    /// `x + (y << s)`.
    AddShifted,
    AddImmediate,
    Subtract,
    /// `x - (y << s)`.
    SubtractShifted,
    /// `(x << s) - y`.
    ShiftedSubtract,
    /// `k - x`.
    ImmediateSubtract,
    Multiply,
    MultiplyImmediate,
    ShiftLeft,
    ShiftRight,
    /// `(x + k) >> s`.
    AddShiftRight,
    And,
    AndImmediate,
    Or,
    OrImmediate,
    Xor,
    XorImmediate,
    Less,
    LessImmediate,
    GreaterImmediate,
    Equal,
    EqualImmediate,
    /// `y` if `x` is not 0, else `z`.
    Select,
    /// `k` if `x` is not 0, else `l`.
    SelectImmediate,
    Min,
    MinImmediate,
    Max,
    MaxImmediate,
    /// `min(max(x, k), l)`.
    Clamp,
    /// The low `s` bits of `x` as two's complement.
    SignExtend,
    /// `(x << s) + (y & k)`.
    Concat,
    /// Entry `x` of table `y`.
    Table,
    /// Word `x` of register file `y`.
    Read,
}

/// One step for all lanes: slot (or, before allocation, node) `d` becomes a function of the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instruction<K> {
    pub code: Code,
    pub s: u8,
    pub d: u32,
    pub x: u32,
    pub y: u32,
    pub z: u32,
    pub k: K,
    pub l: K,
}

impl<K> Instruction<K> {
    /// The operands that are values, not numbers of inputs, registers, tables or outputs.
    pub fn operands(&mut self) -> impl Iterator<Item = &mut u32> {
        let count = match self.code {
            Code::Input | Code::Constant | Code::State => 0,
            Code::Add
            | Code::AddShifted
            | Code::Subtract
            | Code::SubtractShifted
            | Code::ShiftedSubtract
            | Code::Multiply
            | Code::And
            | Code::Or
            | Code::Xor
            | Code::Less
            | Code::Equal
            | Code::Min
            | Code::Max
            | Code::Concat => 2,
            Code::AddThree | Code::Select => 3,
            _ => 1,
        };
        [&mut self.x, &mut self.y, &mut self.z].into_iter().take(count)
    }
}

/// A module as instructions on nodes, in an order in which operands come first.
#[derive(Debug)]
pub(super) struct Program {
    /// The instructions, only those that an output needs.
    pub instructions: Vec<Instruction<i128>>,
    /// Signed bits that hold every value.
    pub bits: u32,
}

/// The instructions that compute the outputs of a flat module.
pub(super) fn lower(module: &Module) -> Program {
    let lowering = Lowering::new(module);
    let needed = lowering.needed();
    let bits = lowering.bits();
    Program { instructions: lowering.ordered(&needed), bits }
}

struct Lowering<'a> {
    module: &'a Module,
    /// The node whose value each node repeats in a later cycle, or the node itself.
    undelayed: Vec<NodeId>,
    /// The instruction of each node that is no delay.
    made: Vec<Option<Instruction<i128>>>,
}

impl<'a> Lowering<'a> {
    fn new(module: &'a Module) -> Self {
        let graph = &module.graph;
        let mut lowering =
            Self { module, undelayed: Vec::with_capacity(graph.len()), made: Vec::with_capacity(graph.len()) };
        for n in graph.nodes() {
            let (undelayed, made) = match graph.op(n) {
                Op::Delay(a, _) => (lowering.undelayed(a), None),
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

    /// The instruction of `n`, which is no delay.
    fn instruction(&self, n: NodeId) -> Instruction<i128> {
        use Code::*;
        let mut made = Instruction { code: Constant, s: 0, d: n.0, x: 0, y: 0, z: 0, k: 0, l: 0 };
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

    fn symmetric(
        &self,
        made: Instruction<i128>,
        code: Code,
        immediate: Code,
        a: NodeId,
        b: NodeId,
    ) -> Instruction<i128> {
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
    fn clamped(&self, made: Instruction<i128>) -> Instruction<i128> {
        match (made.code, self.made[made.x as usize]) {
            (Code::MinImmediate, Some(Instruction { code: Code::MaxImmediate, x, k, .. })) if k <= made.k => {
                Instruction { code: Code::Clamp, x, k, l: made.k, ..made }
            }
            _ => made,
        }
    }

    /// `(x + k) >> s` in one step.
    fn rounded(&self, made: Instruction<i128>) -> Instruction<i128> {
        match self.made[made.x as usize] {
            Some(Instruction { code: Code::AddImmediate, x, k, .. }) => {
                Instruction { code: Code::AddShiftRight, x, k, ..made }
            }
            _ => made,
        }
    }

    /// Which instructions an output needs.
    fn needed(&self) -> Vec<bool> {
        let mut needed = vec![false; self.made.len()];
        for element in self.module.output_elements() {
            needed[self.undelayed(element.node).index()] = true;
        }
        for i in (0..needed.len()).rev() {
            if let Some(mut made) = self.made[i].filter(|_| needed[i]) {
                made.operands().for_each(|a| needed[*a as usize] = true);
            }
        }
        needed
    }

    /// Signed bits that hold every node below an output, also those that went into another's instruction, and
    /// the negative of each constant.
    fn bits(&self) -> u32 {
        let graph = &self.module.graph;
        let mut below = vec![false; graph.len()];
        self.module.output_elements().for_each(|e| below[e.node.index()] = true);
        let mut bits = 1;
        for n in graph.nodes().rev() {
            if below[n.index()] {
                graph.op(n).operands().for_each(|a| below[a.index()] = true);
                bits = bits.max(graph.range(n).width() + 1);
            }
        }
        bits
    }

    /// The needed instructions in the arena's order, but each source just before its first reader and each output
    /// stored as soon as it is there, so that few values are alive at once.
    fn ordered(&self, needed: &[bool]) -> Vec<Instruction<i128>> {
        let mut stores: Vec<Vec<u32>> = vec![Vec::new(); self.made.len()];
        for (k, element) in (0..).zip(self.module.output_elements()) {
            stores[self.undelayed(element.node).index()].push(k);
        }
        let mut order = Order { list: Vec::new(), placed: vec![false; self.made.len()], stores };
        for made in self.made.iter().flatten().filter(|made| needed[made.d as usize]) {
            let mut inner = *made;
            if inner.operands().next().is_none() {
                continue;
            }
            inner.operands().for_each(|a| order.place(self.made[*a as usize]));
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
    list: Vec<Instruction<i128>>,
    placed: Vec<bool>,
    stores: Vec<Vec<u32>>,
}

impl Order {
    /// Appends an instruction, unless it is there, and the stores of its value.
    fn place(&mut self, instruction: Option<Instruction<i128>>) {
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
