//! Reading networks from the files of the tools that trained them.

pub mod keras;
pub mod matrix;
