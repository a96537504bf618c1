//! Proves that a design in Verilog computes what an integer model says, for every input.
//!
//! The Verilog, read by [`hdl::verilog::read`], becomes one [graph](graph::Graph) of bits with its pipeline registers
//! counted ([`flatten`](flatten::flatten)). The model is a [`Spec`](spec::Spec): numbers, each a sum of products of earlier
//! ones, a function of one, an extreme of some. From the inputs on, for each number:
//!
//! 1. Its bits are looked for in the graph by what they are in some hundred situations. That is a guess.
//! 2. The guess is proved: sums by [rewriting](linear) to an identity of integers, functions of one number by
//!    [trying](cone) all its values, numbers scaled by a sum for every place of its leading one ([`scaled`]).
//! 3. What has been proved is a word of its own for all that follows: nothing looks behind it again.
//!
//! Whatever is not proved so is reported as not proved. Then [inputs](search) are looked for that show a difference.

#![warn(missing_docs)]

pub mod carries;
pub mod cone;
pub mod cut;
pub mod deadline;
pub mod exact;
pub mod flatten;
pub mod frame;
pub mod graph;
pub mod joint;
pub mod lanes;
pub mod linear;
pub mod matching;
pub mod prove;
pub mod rare;
pub mod scaled;
pub mod search;
pub mod signs;
pub mod spec;
