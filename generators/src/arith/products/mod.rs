//! Products with constants and of computed values: what they are made of, and the hardware of each.

pub mod arithmetic;
pub mod cache;
pub mod fabric;
pub mod operators;
