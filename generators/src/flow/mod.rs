//! From a model to an output folder, and from a folder back to whether it is what its model says.

pub mod batch;
pub mod folder;
pub mod vectors;
pub mod verilog;

pub use self::batch::{Outcome, run_batch};
pub use self::folder::{Folder, Subject};
