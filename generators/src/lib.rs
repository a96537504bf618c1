//! Unrolled, pipelined hardware for small quantised neural networks, bit-exact and without high-level synthesis.
//!
//! A model is exact integers ([`model::Graph`]): read from a trained network's file ([`import`]), or made here. It goes
//! one road: a [`Project`] says what is generated, [`generate`] builds it, checks it on its vectors and writes a folder,
//! [`Folder`] reads one back, [`check`] runs it in the batch simulator, Icarus or Verilator, and
//! [`synthesise`](synthesis::synthesise) maps it. The program `hwgen` is these functions with arguments in front.
//!
//! ```
//! use hwgen::network::dense::{DenseNetwork, Requantiser, random_layers};
//! use hwgen::{CheckOptions, Folder, NetworkProject, Options, Runner, Staging, VectorSource, check, generate};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let place = tempfile::tempdir()?;
//! # let out = place.path().join("rtl");
//! let dense = DenseNetwork {
//!     input: (-128, 127),
//!     layers: random_layers(&[4, 6, 2], 6, 8, 0.5, 1), // sizes, bits of weights and activations, zeros, seed
//!     shifts: Vec::new(),
//!     activation_bits: 8,
//!     requantiser: Requantiser::RoundSaturate,
//! };
//! let graph = dense.calibrated(1)?.graph("study")?;
//! let staging = Staging::begin(&out, Default::default())?; // written aside, put in place at the end
//! let generated = generate(&NetworkProject::new("study", "network", graph), &Options::on("xcup")?, &staging)?;
//! staging.finish()?;
//! assert!(out.join("network.v").is_file() && generated.built.latency > 0);
//!
//! let options = CheckOptions::new(&[Runner::Batch], &VectorSource::Own);
//! let outcomes = check(&Folder::open(&out)?, &options, &mut |remark| eprintln!("{remark}"))?;
//! assert!(outcomes.iter().all(|outcome| outcome.pass));
//! # Ok(())
//! # }
//! ```

pub mod arith;
pub mod cli;
pub mod design;
pub mod encoder;
pub mod export;
pub mod failure;
pub mod flow;
pub mod import;
pub mod interaction;
pub mod model;
pub mod network;
pub mod output;
pub mod progress;
mod size;
pub mod synthesis;

pub use self::design::Design;
pub use self::failure::Failure;
pub use self::flow::check::{Options as CheckOptions, Runner};
pub use self::flow::encoder::EncoderProject;
pub use self::flow::interaction::InteractionProject;
pub use self::flow::matrix::MatrixProject;
pub use self::flow::network::NetworkProject;
pub use self::flow::vectors::Source as VectorSource;
pub use self::flow::{Folder, Generated, Options, Outcome, Project, check, generate};
pub use self::output::staging::Staging;
