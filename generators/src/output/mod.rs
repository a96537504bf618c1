//! What a command leaves behind.

pub mod file;
pub mod folder;
