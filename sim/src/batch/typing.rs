//! Which type each value has, and where one becomes another.
//!
//! A value is computed in the narrowest type that it fits. Sums, products and bit operations are exact modulo the type's
//! size, so their operands may be cut to it; comparisons, shifts to the right and table look-ups need theirs whole. A value
//! that is read in another type than its own is converted once for all its readers.

use super::instruction::{Code, Instruction, Program, signed_bits};
use super::lane::{FLOAT_BITS, Kind};
use super::linked::Linked;
use super::lower::lower;

use hdl::num::Interval;

/// One step for all lanes: value `d` of type `kind` becomes a function of the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// What is done.
    pub act: Act,
    /// The type in which it is done.
    pub kind: Kind,
    /// Bits of a shift.
    pub s: u8,
    /// The value that is made.
    pub d: u32,
    /// First operand, as [`Code`] says what it is.
    pub x: u32,
    /// Second operand.
    pub y: u32,
    /// Third operand.
    pub z: u32,
    /// Places of the instruction's `k` and `l` among the constants.
    pub k: u32,
    /// See `k`.
    pub l: u32,
}

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// As the instruction, all in the step's type.
    Do(Code),
    /// `x`, of this type, in the step's type.
    Convert(Kind),
}

/// A program in which every value has a type.
#[derive(Debug)]
pub struct Typed {
    /// In an order in which operands come first.
    pub steps: Vec<Step>,
    /// The type of each value.
    pub kinds: Vec<Kind>,
    /// Constants of the steps.
    pub constants: Vec<i128>,
    /// What each sum adds up: (value, weight).
    pub sums: Vec<Vec<(u32, i64)>>,
}

impl Typed {
    /// The program of a module with sums; `floats` if sums that fit their integers may be taken in floats.
    pub fn of(linked: &Linked, floats: bool) -> Self {
        typed(&lower(linked), floats)
    }

    /// The values that a step reads.
    pub fn operands(&self, step: &Step) -> impl Iterator<Item = u32> {
        let (count, terms) = match step.act {
            Act::Do(Code::Sum) => (0, self.sums[step.y as usize].as_slice()),
            Act::Do(code) => (code.operands(), [].as_slice()),
            Act::Convert(_) => (1, [].as_slice()),
        };
        [step.x, step.y, step.z].into_iter().take(count).chain(terms.iter().map(|(value, _)| *value))
    }
}

/// Gives every value of `program` its type; `floats` if sums may be taken in floats.
pub(super) fn typed(program: &Program, floats: bool) -> Typed {
    let nodes = program.bits.len();
    let typed = Typed { steps: Vec::new(), kinds: Vec::new(), constants: Vec::new(), sums: Vec::new() };
    let mut typing = Typing {
        program,
        floats,
        homes: vec![None; nodes],
        known: vec![None; nodes],
        copies: vec![[None; Kind::COUNT]; nodes],
        typed,
    };
    program.instructions.iter().for_each(|i| typing.place(i));
    typing.typed
}

struct Typing<'p> {
    program: &'p Program,
    floats: bool,
    /// The type that each node was computed in.
    homes: Vec<Option<Kind>>,
    /// The nodes that are constants.
    known: Vec<Option<i128>>,
    /// The value of each node in each type.
    copies: Vec<[Option<u32>; Kind::COUNT]>,
    typed: Typed,
}

impl Typing<'_> {
    fn place(&mut self, i: &Instruction) {
        match i.code {
            Code::Constant => self.known[i.d as usize] = Some(i.k),
            Code::Store => {
                let kind = self.homes[i.x as usize].unwrap_or(Kind::of_bits(self.bits(i.x)));
                let x = self.read(i.x, kind);
                let step = self.step(i, kind);
                self.push(Step { x, ..step });
            }
            Code::Sum => self.sum(i),
            _ => {
                let kind = self.kind(i);
                let mut step = self.step(i, kind);
                let places = [&mut step.x, &mut step.y, &mut step.z].into_iter().take(i.code.operands());
                for place in places {
                    *place = self.read(*place, kind);
                }
                step.d = self.value(i.d, kind);
                self.push(step);
            }
        }
    }

    fn sum(&mut self, i: &Instruction) {
        let kind = self.kind_of_sum(i);
        let terms = &self.program.sums[i.y as usize];
        let terms = terms.iter().map(|&(node, weight)| (self.read(node, kind), weight)).collect();
        self.typed.sums.push(terms);
        let y = self.typed.sums.len() as u32 - 1;
        let d = self.value(i.d, kind);
        let step = Step { y, d, ..self.step(i, kind) };
        self.push(step);
    }

    /// An instruction as a step, with its constants.
    fn step(&mut self, i: &Instruction, kind: Kind) -> Step {
        let (k, l) = (self.constant(i.k), self.constant(i.l));
        Step { act: Act::Do(i.code), kind, s: i.s, d: 0, x: i.x, y: i.y, z: i.z, k, l }
    }

    fn push(&mut self, step: Step) {
        self.typed.steps.push(step);
    }

    /// The place of a constant; zeros, which most instructions have, share the first.
    fn constant(&mut self, value: i128) -> u32 {
        let constants = &mut self.typed.constants;
        if constants.is_empty() {
            constants.push(0);
        }
        if value == 0 {
            return 0;
        }
        if constants.last() != Some(&value) {
            constants.push(value);
        }
        constants.len() as u32 - 1
    }

    fn bits(&self, node: u32) -> u32 {
        self.program.bits[node as usize]
    }

    /// A new value of `node`, in the type that is its home if it has none yet.
    fn value(&mut self, node: u32, kind: Kind) -> u32 {
        let value = self.typed.kinds.len() as u32;
        self.typed.kinds.push(kind);
        self.copies[node as usize][kind as usize] = Some(value);
        self.homes[node as usize].get_or_insert(kind);
        value
    }

    /// The value of `node` in `kind`.
    fn read(&mut self, node: u32, kind: Kind) -> u32 {
        if let Some(value) = self.copies[node as usize][kind as usize] {
            return value;
        }
        let (act, x, k) = match (self.known[node as usize], self.homes[node as usize]) {
            (Some(value), _) => (Act::Do(Code::Constant), 0, self.constant(value)),
            (None, Some(home)) => {
                let own = self.copies[node as usize][home as usize].expect("a node has a value in its home");
                (Act::Convert(home), own, 0)
            }
            (None, None) => unreachable!("operands come first"),
        };
        let d = self.value(node, kind);
        self.push(Step { act, kind, s: 0, d, x, y: 0, z: 0, k, l: 0 });
        d
    }

    /// The type in which an instruction is computed.
    fn kind(&self, i: &Instruction) -> Kind {
        let own = Kind::of_bits(self.bits(i.d).max(shifted_bits(i))).max(narrowest(i.code));
        let operands = || self.program.operands(i);
        if is_modular(i.code) {
            // where all operands are in one wider type already, staying there saves their conversions
            let mut homes = operands().filter_map(|node| self.homes[node as usize]);
            return match homes.next() {
                Some(first) if first > own && first != Kind::F32 && homes.all(|home| home == first) => first,
                _ => own,
            };
        }
        let constants = [i.k, i.l].map(|k| Interval::point(k).map_or(128, signed_bits));
        let bits = operands().map(|node| self.bits(node)).chain(constants).chain([i.inner]);
        bits.map(Kind::of_bits).fold(own, Kind::max)
    }

    /// The type in which a sum is computed: as integers of 16 bits, else as floats, else as wider integers.
    fn kind_of_sum(&self, i: &Instruction) -> Kind {
        let terms = &self.program.sums[i.y as usize];
        let magnitude = |node: u32| 1u128 << (self.bits(node) - 1).min(63);
        let product = |&(node, weight): &(u32, i64)| magnitude(node).saturating_mul(weight.unsigned_abs().into());
        let greatest = terms.iter().map(product).max().unwrap_or(0);
        let total = terms.iter().map(product).fold(i.k.unsigned_abs(), u128::saturating_add);
        // products that are cut must be whole before
        let whole = if i.s > 0 { u128::BITS - greatest.leading_zeros() + 1 } else { 0 };
        let kind = Kind::of_bits(self.bits(i.d).max(whole)).max(Kind::I16);
        match kind {
            Kind::I32 if self.floats && i.s == 0 && total <= 1 << FLOAT_BITS => Kind::F32,
            _ => kind,
        }
    }
}

/// Whether the result's low bits depend on the operands' low bits alone.
fn is_modular(code: Code) -> bool {
    use Code::*;
    matches!(
        code,
        Add | AddThree
            | AddShifted
            | AddImmediate
            | Subtract
            | SubtractShifted
            | ShiftedSubtract
            | ImmediateSubtract
            | Multiply
            | MultiplyImmediate
            | ShiftLeft
            | And
            | AndImmediate
            | Or
            | OrImmediate
            | Xor
            | XorImmediate
            | SignExtend
            | Concat
    )
}

/// The bits that a type needs so that it can be shifted to the left as far as the instruction asks for.
fn shifted_bits(i: &Instruction) -> u32 {
    use Code::*;
    match i.code {
        AddShifted | SubtractShifted | ShiftedSubtract | ShiftLeft | Concat => u32::from(i.s) + 1,
        _ => 1,
    }
}

/// The narrowest type in which machines do it with many lanes at once: none shifts or multiplies bytes.
fn narrowest(code: Code) -> Kind {
    use Code::*;
    match code {
        AddShifted | SubtractShifted | ShiftedSubtract | Multiply | MultiplyImmediate | ShiftLeft | ShiftRight
        | AddShiftRight | SignExtend | Concat => Kind::I16,
        _ => Kind::I8,
    }
}
