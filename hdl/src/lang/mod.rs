//! What designs are written in, above the graph: literals, registers, conditions, state machines and streams.
//!
//! All of it lowers to the operators of [`dfg`](crate::dfg): an assignment under a condition is a multiplexer, a state a
//! register, a stream three values.

pub(crate) mod control;
mod operand;
mod operators;
mod register;
mod shape;

pub use control::{Branch, Pattern, Switch};
pub use operand::Operand;
pub use register::Signal;
pub use shape::{Shape, s, u};
