//! Sums of inputs of few bits as look-up tables.

pub(in crate::arith) mod few_bits;
mod small_sums;
