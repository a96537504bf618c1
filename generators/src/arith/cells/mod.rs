//! Sums as trees of a library's full adders.

pub mod compress;
mod costs;
pub mod front;
pub mod lower;
pub mod prefix;
pub mod sums;
pub mod total;

pub use costs::{CellCosts, Gate};
