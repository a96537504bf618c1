//! The slots of a block, one arena a type.

use super::lane::{Cell, Kind};

/// Lanes that a step takes at once: a few vectors of any type.
pub(super) const CHUNK: usize = 32;

/// One value for so many samples.
pub(super) type Chunk<T> = [T; CHUNK];

/// Slots of one type: slot `k` of a block of `n` chunks begins at chunk `k · n`.
pub(super) type Slots<T> = Vec<Chunk<T>>;

/// All slots of a block.
#[derive(Debug, Default)]
pub(super) struct Arena {
    pub i8: Slots<i8>,
    pub i16: Slots<i16>,
    pub i32: Slots<i32>,
    pub i64: Slots<i64>,
    pub i128: Slots<i128>,
    pub f32: Slots<f32>,
}

fn zeros<T: Cell>(count: usize) -> Slots<T> {
    vec![[T::default(); CHUNK]; count]
}

impl Arena {
    /// So many slots of each type in blocks of so many chunks.
    pub fn new(slots: &[usize; Kind::COUNT], chunks: usize) -> Self {
        let count = |kind: Kind| slots[kind as usize] * chunks;
        Self {
            i8: zeros(count(Kind::I8)),
            i16: zeros(count(Kind::I16)),
            i32: zeros(count(Kind::I32)),
            i64: zeros(count(Kind::I64)),
            i128: zeros(count(Kind::I128)),
            f32: zeros(count(Kind::F32)),
        }
    }

    /// The lanes of a slot of `kind`, whole blocks of `chunks`.
    pub fn lanes(&mut self, kind: Kind, slot: u32, chunks: usize) -> Lanes<'_> {
        let place = slot as usize * chunks..(slot as usize + 1) * chunks;
        match kind {
            Kind::I8 => Lanes::I8(self.i8[place].as_flattened_mut()),
            Kind::I16 => Lanes::I16(self.i16[place].as_flattened_mut()),
            Kind::I32 => Lanes::I32(self.i32[place].as_flattened_mut()),
            Kind::I64 => Lanes::I64(self.i64[place].as_flattened_mut()),
            Kind::I128 => Lanes::I128(self.i128[place].as_flattened_mut()),
            Kind::F32 => Lanes::F32(self.f32[place].as_flattened_mut()),
        }
    }
}

/// The lanes of one slot.
#[derive(Debug)]
pub(super) enum Lanes<'a> {
    I8(&'a mut [i8]),
    I16(&'a mut [i16]),
    I32(&'a mut [i32]),
    I64(&'a mut [i64]),
    I128(&'a mut [i128]),
    F32(&'a mut [f32]),
}
