//! Interaction networks and set networks: particle jets, tracks from hits, and sets without edges.
//!
//! [`network`] holds the integers of a whole network, [`graph`] makes an integer graph of it, which says what it computes;
//! what edge lists need are [hand-made blocks](crate::model::block). [`hardware`] builds it as a
//! data path, stage by stage, out of the modules of [`assembly`]; [`stream`] takes an event in beats. [`events`] are events
//! with known truth, by which [`accuracy`] compares a network with itself in floating point, [`float`].

pub mod accuracy;
pub mod assembly;
pub mod budget;
pub mod design;
pub mod events;
pub mod file;
pub mod float;
pub mod graph;
pub mod hardware;
pub mod jedinet;
pub mod mlp;
pub mod network;
pub mod random;
pub mod roc;
pub mod sigmoid;
mod size;
pub mod stream;
pub mod tracker;
