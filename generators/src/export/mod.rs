//! A network's arithmetic as source text of other languages: what `hwgen export` writes.
//!
//! [`Form`] is the network as straight-line statements, from the same typed program that the batch simulator runs;
//! a [`Language`] is one way to write them down.

mod c;
mod form;
mod header;
mod names;
mod statement;

use clap::ValueEnum;

pub use form::{Form, Port};

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// C99: a source file and a header
    C,
}

/// A file of source text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Name of the file.
    pub name: String,
    /// Its text.
    pub text: String,
}

impl Language {
    /// The files of a network.
    pub fn sources(self, form: &Form) -> Vec<Source> {
        match self {
            Self::C => c::sources(form),
        }
    }
}

#[cfg(test)]
mod tests;
