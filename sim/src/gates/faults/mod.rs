//! Faults in a circuit: nets that are inverted for a cycle or stuck, and what comes of it at the outputs.
//!
//! A word holds the same net in many faulty circuits, each with a fault of its own ([`LANES`]). Only what differs from
//! the circuit without faults ([`Golden`]) is evaluated, gate by gate in topological order, and a batch of faults ends as
//! soon as no register differs any more ([`Injector`]).
//!
//! An upset of a flip-flop is an inversion of the net of its state for one cycle: what it loads at the next edge is
//! right again unless it holds what it had, as a weight's register does.

mod golden;
mod injector;

pub use golden::Golden;
pub use injector::Injector;

/// Words of a row of lanes: twice as many as vectors have, since finding the next gate takes as long as two of them.
const WORDS: usize = 8;
/// Faults that are simulated side by side.
pub const LANES: usize = 64 * WORDS;

/// One bit for each lane.
pub(super) type Lanes = [u64; WORDS];
/// No lane.
pub(super) const NO_LANES: Lanes = [0; WORDS];

/// What happens to a net.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It is inverted for one cycle.
    Flip,
    /// It has this level from then on.
    Stuck(bool),
}

/// Something that happens to a net in one of the circuits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strike {
    /// In which of the circuits, below [`LANES`].
    pub lane: u16,
    /// In which cycle of the stimulus.
    pub cycle: u32,
    /// The net.
    pub net: u32,
    /// What happens.
    pub effect: Effect,
}

/// What came of a lane's fault.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Cycles in which an expected output was wrong.
    pub wrong: u32,
    /// Whether a port that reports faults was not as without.
    pub detected: bool,
    /// Whether a register still differed when the simulation ended.
    pub latent: bool,
    /// Sum over wrong output elements of how far they were off, in units of their last place; at most `u64::MAX`.
    pub error: u64,
}

/// A level in all lanes.
#[inline]
fn broadcast(level: bool) -> Lanes {
    [if level { u64::MAX } else { 0 }; WORDS]
}
