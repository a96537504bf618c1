//! Interaction networks and set networks: particle jets, tracks from hits, and sets without edges.
//!
//! [`mlp`] says how a layer computes, [`network`] holds the integers of a whole network, [`reference`] evaluates it in
//! plain integers, [`hardware`] builds the same thing as a data path out of the blocks of [`assembly`]. [`events`] are
//! events with known truth, by which [`accuracy`] compares a network with itself in floating point, [`float`].

pub mod accuracy;
pub mod aggregate;
pub mod assembly;
pub mod budget;
pub mod design;
pub mod events;
pub mod float;
pub mod gather;
pub mod graph;
pub mod hardware;
pub mod jedinet;
pub mod mlp;
pub mod network;
pub mod random;
pub mod roc;
pub mod sigmoid;
pub mod sorted;
pub mod stream;
pub mod tracker;
