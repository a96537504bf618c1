//! The HGCAL trigger encoder (ECON-T auto-encoder block), from 48 calibrated cell charges to 16 latent values.
//!
//! [`arithmetic`] says how a layer computes under a contract, [`model`] holds the integers and is the reference,
//! [`hardware`] builds the same thing as a data path, [`store`] and [`registers`] are the run-time weights.

pub mod arithmetic;
pub mod design;
mod floored;
pub mod front_end;
pub mod geometry;
pub mod hardware;
pub mod keras;
pub mod model;
pub mod normaliser;
pub mod registers;
pub mod store;
pub mod weights;
