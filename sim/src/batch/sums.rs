//! Sums of constant products: all lanes of one output of a matrix.

// accumulators are walked lane by lane beside their operands
#![allow(clippy::needless_range_loop)]

use super::Lane;
use super::arena::{CHUNK, Chunk};
use super::lane::Cell;
use super::typing::Step;

/// A slot, and what it is multiplied by.
pub(super) type Term<T> = (u32, T);

/// `bias + Σ ⌊weight · slot / 2^s⌋`.
#[inline(always)]
pub(super) fn sum<T: Lane>(slots: &mut [Chunk<T>], i: &Step, n: usize, terms: &[Term<T>], bias: T) {
    let cut = u32::from(i.s).min(T::BITS - 1);
    match cut {
        0 => added(slots, i, n, terms, bias, |sum, x, weight| sum.plus(x.times(weight))),
        _ => added(slots, i, n, terms, bias, |sum, x, weight| sum.plus(x.times(weight).right(cut))),
    }
}

/// `bias + Σ weight · slot`, which no order of additions rounds.
#[inline(always)]
pub(super) fn float_sum(slots: &mut [Chunk<f32>], i: &Step, n: usize, terms: &[Term<f32>], bias: f32) {
    added(slots, i, n, terms, bias, |sum, x, weight| x.mul_add(weight, sum));
}

/// Two chunks at a time where there are two, so that enough additions are under way at once.
#[inline(always)]
fn added<T: Cell>(
    slots: &mut [Chunk<T>],
    i: &Step,
    n: usize,
    terms: &[Term<T>],
    bias: T,
    add: impl Fn(T, T, T) -> T + Copy,
) {
    let d = i.d as usize * n;
    let mut c = 0;
    while c + 2 <= n {
        let made = group::<T, 2>(slots, n, c, terms, bias, add);
        slots[d + c..][..2].copy_from_slice(&made);
        c += 2;
    }
    if c < n {
        slots[d + c] = group::<T, 1>(slots, n, c, terms, bias, add)[0];
    }
}

#[inline(always)]
fn group<T: Cell, const CHUNKS: usize>(
    slots: &[Chunk<T>],
    n: usize,
    c: usize,
    terms: &[Term<T>],
    bias: T,
    add: impl Fn(T, T, T) -> T + Copy,
) -> [Chunk<T>; CHUNKS] {
    let mut sums = [[bias; CHUNK]; CHUNKS];
    for &(slot, weight) in terms {
        let x = &slots[slot as usize * n + c..][..CHUNKS];
        for k in 0..CHUNKS {
            for lane in 0..CHUNK {
                sums[k][lane] = add(sums[k][lane], x[k][lane], weight);
            }
        }
    }
    sums
}
