//! Why a command stops, and with which exit code.

use std::fmt;
use std::path::Path;

use hdl::diag::{Cause, Diagnostic, Diagnostics, Level};

/// Shorthand for everything that can fail for the user to see.
pub type Result<T> = std::result::Result<T, Failure>;

/// A command that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The user asked for something that cannot be: exit code 2.
    User(Diagnostics),
    /// A check said no, or a tool that it needs is missing: exit code 1.
    Check(Diagnostics),
}

impl Failure {
    /// A mistake of the user.
    pub fn user(diagnostic: Diagnostic) -> Self {
        Self::User(diagnostic.into())
    }

    /// A check that failed.
    pub fn check(diagnostic: Diagnostic) -> Self {
        Self::Check(diagnostic.into())
    }

    /// A file or folder that cannot be read or written.
    pub fn io(action: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::user(
            Diagnostic::error("file", format!("cannot {action}: {error}")).at(path.display().to_string(), "this one"),
        )
    }

    /// What cannot be fetched for any target of its kind is asked for by mistake; else a source or a program failed.
    pub fn of_fetching(error: Diagnostics) -> Self {
        if error.has(Cause::UnsuitableTarget) { Self::User(error) } else { Self::Check(error) }
    }

    /// The process's exit code. That hwgen is wrong is no mistake of the user.
    pub fn exit_code(&self) -> u8 {
        let (Self::User(diagnostics) | Self::Check(diagnostics)) = self;
        let is_bug = diagnostics.0.iter().any(|d| d.level == Level::Bug);
        match self {
            Self::User(_) if !is_bug => 2,
            _ => 1,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(diagnostics) | Self::Check(diagnostics) => diagnostics.fmt(f),
        }
    }
}

impl std::error::Error for Failure {}

/// A finding of a check or a step, as that of a command.
impl From<Failure> for Diagnostics {
    fn from(failure: Failure) -> Self {
        let (Failure::User(diagnostics) | Failure::Check(diagnostics)) = failure;
        diagnostics
    }
}

/// Errors in a design that a generator builds are errors in what the user asked it to build.
impl From<Diagnostics> for Failure {
    fn from(diagnostics: Diagnostics) -> Self {
        Self::User(diagnostics)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_decides_whose_fault_it_is() {
        let bug = || Diagnostic::bug("range", "a value left its range");
        let mistake = || Diagnostic::error("file", "there is no such file");
        assert_eq!(Failure::user(mistake()).exit_code(), 2);
        assert_eq!(Failure::check(mistake()).exit_code(), 1);
        let failures = [Failure::user(bug()), Failure::from(Diagnostics(vec![mistake(), bug()]))];
        for failure in failures {
            assert_eq!(failure.exit_code(), 1);
            assert!(failure.to_string().contains("please report it"), "{failure}");
        }
    }
}
