//! What each instruction does to a block of lanes.
//!
//! Everything is inlined into one function that is compiled for the widest vectors that the machine has. A slot is
//! cut into chunks of a few vectors: a chunk is computed in registers and then stored, so that the target may be an
//! operand.

// two or three slots of one slice are walked at once, which no iterator does
#![allow(clippy::needless_range_loop)]

use super::Lane;
use super::lower::{Code, Instruction};
use super::tape::Held;

/// Samples a block.
pub(super) const LANES: usize = CHUNK * CHUNKS;
const CHUNK: usize = 16;
const CHUNKS: usize = 8;

type Chunk<T> = [T; CHUNK];

/// One value for every lane.
pub(super) type Slot<T> = [Chunk<T>; CHUNKS];

/// The rows of a block, at most [`LANES`] of them and at least one.
pub(super) struct Rows<'a, S> {
    pub inputs: &'a [S],
    pub outputs: &'a mut [S],
    pub input_count: usize,
    pub output_count: usize,
}

/// Runs the instructions in order.
#[inline(always)]
pub(super) fn execute<T: Lane, S: Lane>(
    instructions: &[Instruction<T>],
    slots: &mut [Slot<T>],
    tables: &[Vec<T>],
    held: &Held<T>,
    rows: &mut Rows<'_, S>,
) {
    let zero = T::default();
    let one = T::truncated(1);
    let bit = |condition: bool| if condition { one } else { zero };
    for i in instructions {
        let (s, k, l) = (u32::from(i.s).min(T::BITS - 1), i.k, i.l);
        match i.code {
            Code::Input => load(slots, i, rows),
            Code::Store => store(slots, i, rows),
            Code::Constant => slots[i.d as usize] = [[k; CHUNK]; CHUNKS],
            Code::State => slots[i.d as usize] = [[held.states[i.x as usize]; CHUNK]; CHUNKS],
            Code::Add => binary(slots, i, |x, y| x + y),
            Code::AddThree => ternary(slots, i, |x, y, z| x + y + z),
            Code::AddShifted => binary(slots, i, |x, y| x + (y << s)),
            Code::AddImmediate => unary(slots, i, |x| x + k),
            Code::Subtract => binary(slots, i, |x, y| x - y),
            Code::SubtractShifted => binary(slots, i, |x, y| x - (y << s)),
            Code::ShiftedSubtract => binary(slots, i, |x, y| (x << s) - y),
            Code::ImmediateSubtract => unary(slots, i, |x| k - x),
            Code::Multiply => binary(slots, i, |x, y| x * y),
            Code::MultiplyImmediate => unary(slots, i, |x| x * k),
            Code::ShiftLeft => unary(slots, i, |x| x << s),
            Code::ShiftRight => unary(slots, i, |x| x >> s),
            Code::AddShiftRight => unary(slots, i, |x| (x + k) >> s),
            Code::And => binary(slots, i, |x, y| x & y),
            Code::AndImmediate => unary(slots, i, |x| x & k),
            Code::Or => binary(slots, i, |x, y| x | y),
            Code::OrImmediate => unary(slots, i, |x| x | k),
            Code::Xor => binary(slots, i, |x, y| x ^ y),
            Code::XorImmediate => unary(slots, i, |x| x ^ k),
            Code::Less => binary(slots, i, |x, y| bit(x < y)),
            Code::LessImmediate => unary(slots, i, |x| bit(x < k)),
            Code::GreaterImmediate => unary(slots, i, |x| bit(x > k)),
            Code::Equal => binary(slots, i, |x, y| bit(x == y)),
            Code::EqualImmediate => unary(slots, i, |x| bit(x == k)),
            Code::Select => ternary(slots, i, |x, y, z| if x != zero { y } else { z }),
            Code::SelectImmediate => unary(slots, i, |x| if x != zero { k } else { l }),
            Code::Min => binary(slots, i, |x, y| if x < y { x } else { y }),
            Code::MinImmediate => unary(slots, i, |x| if x < k { x } else { k }),
            Code::Max => binary(slots, i, |x, y| if x > y { x } else { y }),
            Code::MaxImmediate => unary(slots, i, |x| if x > k { x } else { k }),
            Code::Clamp => unary(slots, i, |x| {
                let raised = if x > k { x } else { k };
                if raised < l { raised } else { l }
            }),
            Code::SignExtend => {
                let unused = T::BITS.saturating_sub(u32::from(i.s)).min(T::BITS - 1);
                unary(slots, i, |x| (x << unused) >> unused);
            }
            Code::Concat => binary(slots, i, |x, y| (x << s) + (y & k)),
            Code::Table => lookup(slots, i, &tables[i.y as usize]),
            Code::Read => lookup(slots, i, &held.memories[i.y as usize]),
        }
    }
}

#[inline(always)]
fn unary<T: Lane>(slots: &mut [Slot<T>], i: &Instruction<T>, f: impl Fn(T) -> T) {
    let (d, x) = (i.d as usize, i.x as usize);
    for c in 0..CHUNKS {
        let x = slots[x][c];
        let mut made = [T::default(); CHUNK];
        for lane in 0..CHUNK {
            made[lane] = f(x[lane]);
        }
        slots[d][c] = made;
    }
}

#[inline(always)]
fn binary<T: Lane>(slots: &mut [Slot<T>], i: &Instruction<T>, f: impl Fn(T, T) -> T) {
    let (d, x, y) = (i.d as usize, i.x as usize, i.y as usize);
    for c in 0..CHUNKS {
        let (x, y) = (slots[x][c], slots[y][c]);
        let mut made = [T::default(); CHUNK];
        for lane in 0..CHUNK {
            made[lane] = f(x[lane], y[lane]);
        }
        slots[d][c] = made;
    }
}

#[inline(always)]
fn ternary<T: Lane>(slots: &mut [Slot<T>], i: &Instruction<T>, f: impl Fn(T, T, T) -> T) {
    let (d, x, y, z) = (i.d as usize, i.x as usize, i.y as usize, i.z as usize);
    for c in 0..CHUNKS {
        let (x, y, z) = (slots[x][c], slots[y][c], slots[z][c]);
        let mut made = [T::default(); CHUNK];
        for lane in 0..CHUNK {
            made[lane] = f(x[lane], y[lane], z[lane]);
        }
        slots[d][c] = made;
    }
}

/// Reads entries; the graph's ranges keep every index inside.
#[inline(always)]
fn lookup<T: Lane>(slots: &mut [Slot<T>], i: &Instruction<T>, entries: &[T]) {
    unary(slots, i, |x| entries[x.index()]);
}

/// Spreads one column of the rows over the lanes; lanes past the last row repeat it, so that they stay in range.
#[inline(always)]
fn load<T: Lane, S: Lane>(slots: &mut [Slot<T>], i: &Instruction<T>, rows: &Rows<'_, S>) {
    let column = rows.inputs.iter().skip(i.x as usize).step_by(rows.input_count);
    let lanes = slots[i.d as usize].as_flattened_mut();
    let mut last = T::default();
    let mut filled = 0;
    for (lane, value) in lanes.iter_mut().zip(column) {
        last = T::truncated(value.to_i128());
        *lane = last;
        filled += 1;
    }
    lanes[filled..].fill(last);
}

/// Gathers one column of the rows from the lanes.
#[inline(always)]
fn store<T: Lane, S: Lane>(slots: &[Slot<T>], i: &Instruction<T>, rows: &mut Rows<'_, S>) {
    let column = rows.outputs.iter_mut().skip(i.y as usize).step_by(rows.output_count);
    for (value, lane) in column.zip(slots[i.x as usize].as_flattened()) {
        *value = S::truncated(lane.to_i128());
    }
}
