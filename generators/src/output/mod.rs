//! What a command leaves behind.

pub mod cells;
pub mod emit;
pub mod estimate;
pub mod file;
pub mod hardening;
pub mod manifest;
pub mod matrix;
pub mod report;
mod rtl;
pub mod staging;
pub mod synthesis;
pub mod table;
pub mod triplication;
pub mod trust;
