//! What designs are written in, above the graph: literals, registers, conditions, state machines and streams.
//!
//! All of it lowers to the operators of [`dfg`](crate::dfg): an assignment under a condition is a multiplexer, a state a
//! register, a stream three values.

mod bundle;
pub(crate) mod control;
mod machine;
mod operand;
mod operators;
mod register;
mod shape;
mod stream;

pub use bundle::Bundle;
pub use control::{Branch, Pattern, Switch};
pub(crate) use machine::Drawn;
pub use machine::{Encoding, Machine, States};
pub use operand::Operand;
pub use register::Signal;
pub use shape::{Shape, s, u};
pub use stream::Stream;
