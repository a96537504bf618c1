//! The HGCAL trigger encoder (ECON-T auto-encoder block), from 48 calibrated cell charges to 16 latent values.
//!
//! [`arithmetic`] says how a layer computes under a contract, [`model`] holds its integers, [`network`] makes an integer
//! graph of both, which is the reference and from which the data path is built; its normaliser and front end are
//! [hand-made blocks](crate::model::block), [`store`] and [`registers`] the run-time weights.

pub mod arithmetic;
pub mod design;
pub mod geometry;
pub mod keras;
pub mod model;
pub mod network;
pub mod registers;
pub mod store;
pub mod weights;
