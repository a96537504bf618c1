//! What the integration tests have in common.

pub mod emitted;
pub mod framework;
pub mod mutate;
pub mod numpy;

use std::path::PathBuf;

/// A folder of reference material that is not part of the project, or `None` with a message why the test is skipped.
///
/// It is looked for in the environment variable `HWGEN_SHARED`, then beside the workspace in `../shared`.
pub fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("HWGEN_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    let found = root.join(path);
    if found.exists() {
        return Some(found);
    }
    println!("skipped: {} is not there", found.display());
    None
}

/// JSON from a file of the reference material.
///
/// # Panics
/// If it is not JSON.
pub fn shared_json(path: &str) -> Option<serde_json::Value> {
    let text = std::fs::read_to_string(shared(path)?).expect("a readable file");
    Some(serde_json::from_str(&text).expect("JSON"))
}

/// The code of the README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
