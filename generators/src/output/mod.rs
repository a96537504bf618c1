//! What a command leaves behind.

pub mod cells;
pub mod emit;
pub mod estimate;
pub mod file;
pub mod folder;
pub mod hardening;
pub mod manifest;
pub mod matrix;
pub mod report;
mod rtl;
pub mod synthesis;
pub mod table;
