//! To be documented.
