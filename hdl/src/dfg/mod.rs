//! The data-flow graph: exact integers, one node an operator, a cycle stamp on every node.
//!
//! A [`Module`] is built with a [`ModuleBuilder`], changed by the passes, given meaning by [`eval`], and
//! lowered to the register-transfer form.

mod behaviour;
mod builder;
mod check;
pub mod eval;
mod fold;
mod graph;
mod module;
mod op;
mod quantise;
mod rewrite;
mod sequential;
mod side;
pub mod text;
mod text_lex;
mod text_parse;
mod text_print;
mod value;
mod wires;

pub use behaviour::{behaviour, simulated_by};
pub use builder::{Balance, ModuleBuilder};
pub(crate) use builder::{Inner, multiply_driven, range_overflow};
pub use check::check;
pub use graph::{Graph, GraphError, Stamp};
pub use module::{
    BlackBox, Instance, Memory, MemoryWrite, Module, OutputElement, OutputPort, Port, RegisterStyle, Reset, ScopeId,
    State, Voted,
};
pub use op::{NodeId, Op};
pub(crate) use rewrite::Live;
pub use rewrite::Rewriter;
pub use sequential::{MemoryHandle, StateHandle};
pub use value::Value;
