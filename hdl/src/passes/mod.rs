//! Passes: functions from a module to a better one of the same meaning.
//!
//! Most rewriting happens where a node is made ([`crate::dfg::Graph`] folds as it is built); a pass is what needs the whole
//! module: [`flatten`] for the simulators, [`pipeline`](mod@pipeline) for the clock, [`clean`] for what nothing reads,
//! [`harden`] for radiation.

mod clean;
pub mod delay;
mod flatten;
mod harden;
mod max_flow;
pub mod pipeline;
#[cfg(test)]
pub(crate) mod tests;

pub use clean::clean;
pub use flatten::flatten;
pub use harden::harden;
