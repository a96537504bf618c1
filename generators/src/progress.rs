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

/// How often a count is said on a terminal, where it takes the place of the last one, and elsewhere.
const COUNTED: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(10)];

/// How far a command is with something that it counts: a bar, the rate, and the time left.
#[derive(Debug)]
pub struct Counter {
    what: &'static str,
    first: usize,
    total: usize,
    begun: Instant,
    said: Option<Instant>,
}

impl Counter {
    /// Begins to count at `first` of `total`.
    pub fn new(what: &'static str, first: usize, total: usize) -> Self {
        Self { what, first, total, begun: Instant::now(), said: None }
    }

    /// Says that `count` are done, if it is time to.
    pub fn at(&mut self, count: usize) {
        let Some((begun, quiet)) = BEGUN.get() else {
            return;
        };
        let terminal = stderr().is_terminal();
        let pause = COUNTED[usize::from(!terminal)];
        if begun.elapsed() < *quiet || self.said.is_some_and(|said| said.elapsed() < pause) {
            return;
        }
        self.said = Some(Instant::now());
        let ends = if terminal { ["\r", "\x1b[K"] } else { ["", "\n"] };
        let line = self.line(count, self.begun.elapsed());
        let _ = write!(stderr(), "{}[{:7.1} s] {line}{}", ends[0], begun.elapsed().as_secs_f64(), ends[1]);
    }

    /// Ends the line, if anything was said.
    pub fn done(&mut self) {
        if self.said.is_some() && stderr().is_terminal() {
            let _ = writeln!(stderr());
        }
    }

    fn line(&self, count: usize, elapsed: Duration) -> String {
        const BAR: usize = 20;
        let Self { what, first, total, .. } = *self;
        let full = (count * BAR).checked_div(total).unwrap_or(BAR).min(BAR);
        let rate = (count - first) as f64 / elapsed.as_secs_f64().max(1e-9);
        let left = (total - count) as f64 / rate.max(1e-9);
        let bar = "#".repeat(full) + &".".repeat(BAR - full);
        format!("{bar} {count} of {total} {what}, {rate:.0}/s, {left:.0} s left")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_says_rate_and_time_left() {
        let counter = Counter::new("events", 100, 1000);
        let said = counter.line(600, Duration::from_secs(5));
        assert_eq!(said, "############........ 600 of 1000 events, 100/s, 4 s left");
        assert_eq!(Counter::new("events", 0, 0).line(0, Duration::ZERO).matches('#').count(), 20);
    }
}
