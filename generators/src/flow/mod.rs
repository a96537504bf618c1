//! From a model to an output folder, and from a folder back to whether it is what its model says.

pub mod batch;
pub mod check;
pub mod encoder;
pub mod exactness;
pub mod faults;
pub mod folder;
pub mod generate;
pub mod interaction;
pub mod matrix;
pub mod network;
pub mod options;
pub mod outputs;
pub mod reference;
pub mod run;
pub mod trained;
pub mod trust;
pub mod vectors;
pub mod verify;
pub mod verilog;

pub use self::batch::{Outcome, run_batch};
pub use self::check::check;
pub use self::folder::{Folder, Subject};
pub use self::generate::{Built, Generated, Project, generate};
pub use self::options::Options;
