//! The register-transfer form just above Verilog: nets of fixed width, one cell a net.
//!
//! Operators carry the sign, nets do not. Nothing is extended or cut silently: the operands of an arithmetic operator are
//! as wide as its result, without carries in or out, and widths change only in slices, extensions and concatenations.
//! A [`Design`] is made by [`lower`](crate::lower::lower) or a [`Builder`], checked by [`validate`], given meaning by
//! [`eval`], and printed by [`verilog`](crate::verilog).

mod build;
pub mod eval;
mod module;
mod names;
mod parse;
mod text;
mod triplicate;
mod validate;

pub use build::Builder;
pub(crate) use build::{ones, pattern};
pub use module::{
    BlackBox, Cell, Design, Instance, List, Memory, MemoryWrite, Module, ModuleId, Net, Output, Port, Register,
    address_width,
};
pub use names::Names;
pub(crate) use names::SCOPE_LENGTH;
pub use parse::parse;
pub use text::print;
pub use triplicate::{COPIES, triplicate};
pub use validate::validate;
