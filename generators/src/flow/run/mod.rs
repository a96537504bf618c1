//! A model's results for any number of events: what `hwgen run` does, and what other programs call.

mod engine;

pub use engine::{Column, Engine};
