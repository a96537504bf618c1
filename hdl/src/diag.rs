//! One type for everything that hwgen tells its user about a design or a file.

use std::fmt;
use std::panic::Location;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The result stands; the user may have meant something else.
    Warning,
    /// There is no result.
    Error,
    /// hwgen is wrong, not the user.
    Bug,
}

/// Why, where a caller may do something about it. Everything else of a finding is for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A program that is called is not installed.
    ProgramMissing,
    /// A program did not end in time.
    TimedOut,
    /// What was asked for does not exist for targets of this kind.
    UnsuitableTarget,
    /// No pipeline meets the clock or the latency that was asked for.
    ImpossibleTiming,
    /// A netlist holds a cell whose function is not known.
    UnknownCell,
}

/// A place and what is to be said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// `file:line:column` of the user's source, or a file, if known.
    pub place: Option<String>,
    /// What happens there.
    pub text: String,
}

/// A finding with its places and a way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub level: Level,
    /// Stable name of the check, such as `cycle-mismatch`.
    pub code: &'static str,
    /// What is wrong, in one sentence.
    pub message: String,
    /// Both sides of the conflict, in reading order.
    pub labels: Vec<Label>,
    /// What to do about it.
    pub help: Option<String>,
    /// What a caller may act on.
    pub cause: Option<Cause>,
}

impl Diagnostic {
    /// An error without labels.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self { level: Level::Error, code, message: message.into(), labels: Vec::new(), help: None, cause: None }
    }

    /// A warning without labels.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { level: Level::Warning, ..Self::error(code, message) }
    }

    /// An internal error without labels.
    pub fn bug(code: &'static str, message: impl Into<String>) -> Self {
        Self { level: Level::Bug, ..Self::error(code, message) }
    }

    /// Adds a label.
    #[must_use]
    pub fn label(mut self, place: Option<&Location<'_>>, text: impl Into<String>) -> Self {
        self.labels.push(Label { place: place.map(Location::to_string), text: text.into() });
        self
    }

    /// Adds a label at a place outside the program's source, such as a file.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>, text: impl Into<String>) -> Self {
        self.labels.push(Label { place: Some(place.into()), text: text.into() });
        self
    }

    /// Says what a caller may act on.
    #[must_use]
    pub fn because(mut self, cause: Cause) -> Self {
        self.cause = Some(cause);
        self
    }

    /// Adds the way out.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Warning => "warning",
            Level::Error => "error",
            Level::Bug => "bug in hwgen, please report it",
        };
        write!(f, "{level}[{}]: {}", self.code, self.message)?;
        for label in &self.labels {
            match &label.place {
                Some(place) => write!(f, "\n  --> {place}: {}", label.text)?,
                None => write!(f, "\n  --> {}", label.text)?,
            }
        }
        if let Some(help) = &self.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

/// All findings of one step; at least one of them is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    /// Whether one of them has this cause.
    pub fn has(&self, cause: Cause) -> bool {
        self.0.iter().any(|d| d.cause == Some(cause))
    }

    /// The messages alone, for a finding that has them as its reason.
    pub fn messages(&self) -> String {
        let messages: Vec<&str> = self.0.iter().map(|d| d.message.as_str()).collect();
        messages.join("; ")
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, diagnostic) in self.0.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostic {}

impl std::error::Error for Diagnostics {}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}
