//! Counters of the beats of a pass. They depend on no data.

use hdl::dfg::{ModuleBuilder, Value};
use hdl::diag::Diagnostic;

use super::ring::unsigned;
use crate::network::registers::reset;

/// The beats of a pass: parts of each position one after another.
pub(super) struct Beats<'m> {
    m: &'m ModuleBuilder,
    /// There is a beat in this cycle.
    pub running: Value<'m>,
    /// Number of the part.
    pub part: Value<'m>,
    /// Number of the position along each axis.
    pub positions: Vec<Value<'m>>,
    /// It is the first part of a position.
    pub first: Value<'m>,
    /// It is the last part of a position.
    pub last: Value<'m>,
    /// It is the last beat.
    pub ending: Value<'m>,
    extents: Vec<usize>,
    parts: usize,
}

impl<'m> Beats<'m> {
    /// Beats from the cycle behind `start` on, or with `at_once` from that cycle on.
    pub fn new(
        m: &'m ModuleBuilder,
        name: &str,
        parts: usize,
        extents: Vec<usize>,
        start: Value<'m>,
        at_once: bool,
    ) -> Result<Self, Diagnostic> {
        let (zero, one) = (m.constant(0, 0), m.constant(1, 0));
        let active = m.state(&format!("{name}_running"), unsigned(1)?, reset());
        let running = match at_once {
            true => (start | active.value()).wrap(1, false),
            false => active.value(),
        };
        // each counter moves on when those inside it are at their ends
        let mut moves = running;
        let mut counter = |what: &str, count: usize| {
            if count == 1 {
                return Ok::<_, Diagnostic>((zero, moves));
            }
            let bits = usize::BITS - (count - 1).leading_zeros();
            let state = m.state(&format!("{name}_{what}"), unsigned(bits)?, reset());
            let at_end = state.value().equals(m.constant(count as i128 - 1, 0));
            state.set_next_when(moves, at_end.mux(zero, state.value() + one).wrap(bits, false));
            moves = moves & at_end;
            Ok((state.value(), moves))
        };
        let (part, last) = counter("part", parts)?;
        let mut ending = last;
        let mut positions = Vec::with_capacity(extents.len());
        for (axis, extent) in extents.iter().enumerate().rev() {
            let (position, end) = counter(&format!("position{axis}"), *extent)?;
            positions.push(position);
            ending = end;
        }
        positions.reverse();
        let goes_on = ending.mux(zero, running);
        active.set_next(match at_once {
            true => goes_on.wrap(1, false),
            false => (start | goes_on).wrap(1, false),
        });
        let first = running & part.equals(zero);
        Ok(Self { m, running, part, positions, first, last, ending, extents, parts })
    }

    /// Whether it is this beat.
    pub fn is(&self, beat: usize) -> Value<'m> {
        let constant = |value: usize| self.m.constant(value as i128, 0);
        let mut left = beat / self.parts;
        let here = self.running & self.part.equals(constant(beat % self.parts));
        self.positions.iter().zip(&self.extents).rev().fold(here, |here, (position, extent)| {
            let digit = left % extent;
            left /= extent;
            here & position.equals(constant(digit))
        })
    }

    /// Number of the position.
    pub fn position(&self) -> Value<'m> {
        let mut inner = 1;
        self.positions.iter().zip(&self.extents).rev().fold(self.m.constant(0, 0), |sum, (position, extent)| {
            let scaled = *position * self.m.constant(inner as i128, 0);
            inner *= extent;
            sum + scaled
        })
    }
}
