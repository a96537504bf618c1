//! What can be read off a module: paths, counts, fan-out.

mod statistics;
mod timing;

pub use statistics::{Statistics, fan_out, pipeline_register_bits, scope_statistics};
pub use timing::Timing;
