//! Exact numbers: intervals of integers, binary points, and every rounding and overflow rule.

mod format;
mod interval;
mod quantise;
mod text;

pub use format::Format;
pub use interval::{Interval, MAX_BITS, OutOfRange};
pub(crate) use quantise::wrap;
pub use quantise::{Overflow, Quantiser, Rounding};
pub use text::NoFormat;
