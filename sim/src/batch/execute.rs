//! What each step does to a block of lanes.
//!
//! Everything is inlined into one function that is compiled for the widest vectors that the machine has. A chunk is computed
//! in registers and then stored, so that the target may be an operand.

// two or three slots of one slice are walked at once, which no iterator does
#![allow(clippy::needless_range_loop)]

use super::arena::{Arena, CHUNK, Chunk};
use super::instruction::Code;
use super::lane::{Cell, Kind};
use super::rows::Rows;
use super::sums::{float_sum, sum};
use super::tape::{Part, Parts};
use super::typing::{Act, Step};
use super::{Content, Lane};

/// What a block reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Program<'a> {
    pub steps: &'a [Step],
    pub constants: &'a [i128],
    pub parts: &'a Parts,
    pub content: &'a Content,
    /// Chunks of a block.
    pub chunks: usize,
}

/// Runs the steps in order on the widest vectors that the machine has.
pub(super) fn run(program: &Program<'_>, arena: &mut Arena, rows: &mut dyn Rows) {
    pulp::Arch::new().dispatch(Run { program, arena, rows });
}

/// A run, which is compiled anew for each kind of vectors: a closure would be a function of its own, without them.
struct Run<'a, 'p> {
    program: &'a Program<'p>,
    arena: &'a mut Arena,
    rows: &'a mut dyn Rows,
}

impl pulp::WithSimd for Run<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        execute(self.program, self.arena, self.rows);
    }
}

#[inline(always)]
fn execute(program: &Program<'_>, arena: &mut Arena, rows: &mut dyn Rows) {
    let (parts, chunks) = (program.parts, program.chunks);
    for i in program.steps {
        match i.act {
            Act::Do(Code::Input) => rows.load(i.x as usize, arena.lanes(i.kind, i.d, chunks)),
            Act::Do(Code::Store) => rows.store(i.y as usize, arena.lanes(i.kind, i.x, chunks)),
            Act::Convert(from) => convert(i, from, arena, chunks),
            Act::Do(code) => match i.kind {
                Kind::I8 => step(program, code, i, &parts.i8, &mut arena.i8),
                Kind::I16 => step(program, code, i, &parts.i16, &mut arena.i16),
                Kind::I32 => step(program, code, i, &parts.i32, &mut arena.i32),
                Kind::I64 => step(program, code, i, &parts.i64, &mut arena.i64),
                Kind::I128 => step(program, code, i, &parts.i128, &mut arena.i128),
                Kind::F32 => float_step(program, code, i, &mut arena.f32),
            },
        }
    }
}

/// One step in integers of one type.
#[inline(always)]
fn step<T: Lane>(program: &Program<'_>, code: Code, i: &Step, part: &Part<T>, slots: &mut [Chunk<T>]) {
    let zero = T::default();
    let one = T::truncated(1);
    let bit = |condition: bool| if condition { one } else { zero };
    let constant = |place: u32| T::truncated(program.constants[place as usize]);
    let (s, k) = (u32::from(i.s).min(T::BITS - 1), constant(i.k));
    let n = program.chunks;
    match code {
        Code::Input | Code::Store => unreachable!("done for all types at once"),
        Code::Constant => fill(slots, i, n, k),
        Code::State => fill(slots, i, n, T::truncated(program.content.states[i.x as usize])),
        Code::Add => binary(slots, i, n, |x, y| x.plus(y)),
        Code::AddThree => ternary(slots, i, n, |x, y, z| x.plus(y).plus(z)),
        Code::AddShifted => binary(slots, i, n, |x, y| x.plus(y.left(s))),
        Code::AddImmediate => unary(slots, i, n, |x| x.plus(k)),
        Code::Subtract => binary(slots, i, n, |x, y| x.minus(y)),
        Code::SubtractShifted => binary(slots, i, n, |x, y| x.minus(y.left(s))),
        Code::ShiftedSubtract => binary(slots, i, n, |x, y| x.left(s).minus(y)),
        Code::ImmediateSubtract => unary(slots, i, n, |x| k.minus(x)),
        Code::Multiply => binary(slots, i, n, |x, y| x.times(y)),
        Code::MultiplyImmediate => unary(slots, i, n, |x| x.times(k)),
        Code::ShiftLeft => unary(slots, i, n, |x| x.left(s)),
        Code::ShiftRight => unary(slots, i, n, |x| x.right(s)),
        Code::AddShiftRight => unary(slots, i, n, |x| x.plus(k).right(s)),
        Code::And => binary(slots, i, n, |x, y| x & y),
        Code::AndImmediate => unary(slots, i, n, |x| x & k),
        Code::Or => binary(slots, i, n, |x, y| x | y),
        Code::OrImmediate => unary(slots, i, n, |x| x | k),
        Code::Xor => binary(slots, i, n, |x, y| x ^ y),
        Code::XorImmediate => unary(slots, i, n, |x| x ^ k),
        Code::Less => binary(slots, i, n, |x, y| bit(x < y)),
        Code::LessImmediate => unary(slots, i, n, |x| bit(x < k)),
        Code::GreaterImmediate => unary(slots, i, n, |x| bit(x > k)),
        Code::Equal => binary(slots, i, n, |x, y| bit(x == y)),
        Code::EqualImmediate => unary(slots, i, n, |x| bit(x == k)),
        Code::Select => ternary(slots, i, n, |x, y, z| if x != zero { y } else { z }),
        Code::SelectImmediate => {
            let l = constant(i.l);
            unary(slots, i, n, |x| if x != zero { k } else { l });
        }
        Code::Min => binary(slots, i, n, |x, y| if x < y { x } else { y }),
        Code::MinImmediate => unary(slots, i, n, |x| if x < k { x } else { k }),
        Code::Max => binary(slots, i, n, |x, y| if x > y { x } else { y }),
        Code::MaxImmediate => unary(slots, i, n, |x| if x > k { x } else { k }),
        Code::Clamp => {
            let l = constant(i.l);
            unary(slots, i, n, |x| {
                let raised = if x > k { x } else { k };
                if raised < l { raised } else { l }
            });
        }
        Code::SignExtend => {
            let unused = T::BITS.saturating_sub(u32::from(i.s)).min(T::BITS - 1);
            unary(slots, i, n, |x| x.left(unused).right(unused));
        }
        Code::Concat => binary(slots, i, n, |x, y| x.left(s).plus(y & k)),
        Code::Table => {
            let entries = &part.tables[i.y as usize];
            unary(slots, i, n, |x| entries[x.index()]);
        }
        Code::Read => {
            let words = &program.content.memories[i.y as usize];
            unary(slots, i, n, |x| T::truncated(words[x.index()]));
        }
        Code::Sum => sum(slots, i, n, &part.sums[i.y as usize], k),
    }
}

/// One step in floats.
#[inline(always)]
fn float_step(program: &Program<'_>, code: Code, i: &Step, slots: &mut [Chunk<f32>]) {
    let k = f32::truncated(program.constants[i.k as usize]);
    match code {
        Code::Constant => fill(slots, i, program.chunks, k),
        Code::Sum => float_sum(slots, i, program.chunks, &program.parts.f32[i.y as usize], k),
        _ => unreachable!("floats are only added up"),
    }
}

#[inline(always)]
fn fill<T: Cell>(slots: &mut [Chunk<T>], i: &Step, n: usize, value: T) {
    slots[i.d as usize * n..][..n].fill([value; CHUNK]);
}

#[inline(always)]
fn unary<T: Lane>(slots: &mut [Chunk<T>], i: &Step, n: usize, f: impl Fn(T) -> T) {
    let (d, x) = (i.d as usize * n, i.x as usize * n);
    for c in 0..n {
        let x = slots[x + c];
        let mut made = [T::default(); CHUNK];
        for lane in 0..CHUNK {
            made[lane] = f(x[lane]);
        }
        slots[d + c] = made;
    }
}

#[inline(always)]
fn binary<T: Lane>(slots: &mut [Chunk<T>], i: &Step, n: usize, f: impl Fn(T, T) -> T) {
    let (d, x, y) = (i.d as usize * n, i.x as usize * n, i.y as usize * n);
    for c in 0..n {
        let (x, y) = (slots[x + c], slots[y + c]);
        let mut made = [T::default(); CHUNK];
        for lane in 0..CHUNK {
            made[lane] = f(x[lane], y[lane]);
        }
        slots[d + c] = made;
    }
}

#[inline(always)]
fn ternary<T: Lane>(slots: &mut [Chunk<T>], i: &Step, n: usize, f: impl Fn(T, T, T) -> T) {
    let (d, x, y, z) = (i.d as usize * n, i.x as usize * n, i.y as usize * n, i.z as usize * n);
    for c in 0..n {
        let (x, y, z) = (slots[x + c], slots[y + c], slots[z + c]);
        let mut made = [T::default(); CHUNK];
        for lane in 0..CHUNK {
            made[lane] = f(x[lane], y[lane], z[lane]);
        }
        slots[d + c] = made;
    }
}

/// `x`, of type `from`, in the step's type.
#[inline(always)]
fn convert(i: &Step, from: Kind, arena: &mut Arena, n: usize) {
    macro_rules! pairs {
        ($($from:ident $a:ident => $($to:ident $b:ident)*;)*) => {
            match (from, i.kind) {
                $($((Kind::$from, Kind::$to) => converted(i, n, &arena.$a, &mut arena.$b),)*)*
                _ => unreachable!("a value has one slot in its own type"),
            }
        };
    }
    pairs! {
        I8 i8 => I16 i16 I32 i32 I64 i64 I128 i128 F32 f32;
        I16 i16 => I8 i8 I32 i32 I64 i64 I128 i128 F32 f32;
        I32 i32 => I8 i8 I16 i16 I64 i64 I128 i128 F32 f32;
        I64 i64 => I8 i8 I16 i16 I32 i32 I128 i128 F32 f32;
        I128 i128 => I8 i8 I16 i16 I32 i32 I64 i64 F32 f32;
        F32 f32 => I8 i8 I16 i16 I32 i32 I64 i64 I128 i128;
    }
}

#[inline(always)]
fn converted<A: Cell, B: Cell>(i: &Step, n: usize, from: &[Chunk<A>], to: &mut [Chunk<B>]) {
    let from = &from[i.x as usize * n..][..n];
    for (from, to) in from.iter().zip(&mut to[i.d as usize * n..][..n]) {
        for lane in 0..CHUNK {
            to[lane] = B::truncated(from[lane].to_i128());
        }
    }
}
