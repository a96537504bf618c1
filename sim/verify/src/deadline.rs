//! When a proof ends, whatever it has come to.

use std::time::{Duration, Instant};

/// The time at which a proof stops. Everything that takes longer than one pass over the design looks at it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// The proof takes as long as it takes.
    pub const NONE: Self = Self(None);

    /// It stops that much time from now.
    pub fn within(time: Duration) -> Self {
        Self(Instant::now().checked_add(time))
    }

    /// Whether it is over.
    pub fn is_over(self) -> bool {
        self.0.is_some_and(|end| Instant::now() >= end)
    }

    /// Whether it goes on.
    ///
    /// # Errors
    /// The time is over.
    pub fn check(self) -> Result<(), String> {
        if self.is_over() { Err("the time is over".into()) } else { Ok(()) }
    }
}
