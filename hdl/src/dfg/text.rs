//! Text form, being written.
