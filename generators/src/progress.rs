//! What a long command is doing, one line a step on standard error, with the time since it began.
//!
//! On a terminal the lines come once a command has taken a few seconds; in pipes only if they were asked for.

use std::fmt::Display;
use std::io::{IsTerminal, Write, stderr};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use hdl::diag::Diagnostic;
use sim::tools::is_stopped;

/// How long a command on a terminal says nothing.
const QUIET: Duration = Duration::from_secs(2);

/// When the command began, and how long it says nothing.
static BEGUN: OnceLock<(Instant, Duration)> = OnceLock::new();

/// Begins to say what is done, if that was `asked` for or a person watches.
pub fn begin(asked: bool) {
    let quiet = match asked {
        true => Duration::ZERO,
        false if stderr().is_terminal() => QUIET,
        false => return,
    };
    let _ = BEGUN.set((Instant::now(), quiet));
}

/// Says what begins now; before [`begin`] it says nothing.
///
/// # Errors
/// The work is to end, see [`sim::tools::stop`].
pub fn at(what: impl Display) -> Result<(), Diagnostic> {
    if is_stopped() {
        return Err(Diagnostic::error("interrupted", format!("the work was interrupted before {what}")));
    }
    let Some((begun, quiet)) = BEGUN.get() else {
        return Ok(());
    };
    let elapsed = begun.elapsed();
    if elapsed >= *quiet {
        // that nobody reads it is no failure of the command
        let _ = writeln!(stderr(), "[{:7.1} s] {what}", elapsed.as_secs_f64());
    }
    Ok(())
}
