//! Beats on their way through the phases.

use hdl::dfg::{ModuleBuilder, RegisterStyle, Reset, Value};

use super::lanes::{Lanes, unsigned};

/// Beat, and number of the event among those under way.
#[derive(Clone, Copy)]
pub(super) struct Token<'m> {
    /// Whether there is a beat.
    pub(super) running: Value<'m>,
    pub(super) beat: Value<'m>,
    pub(super) event: Value<'m>,
}

impl<'m> Token<'m> {
    pub(super) fn after(self, cycles: u32) -> Self {
        let running = (0..cycles).fold(self.running, |v, _| v.registered(cleared()));
        Self { running, beat: self.beat.delay(cycles), event: self.event.delay(cycles) }
    }

    /// 1 in the cycle behind the last beat.
    pub(super) fn done(self, m: &'m ModuleBuilder, lanes: Lanes) -> Value<'m> {
        let last = self.beat.equals(m.constant(lanes.beats as i128 - 1, 0));
        (self.running & last).registered(cleared())
    }
}

/// A register that a reset clears.
pub(super) fn cleared() -> RegisterStyle {
    RegisterStyle { reset: Reset::Synchronous, ..RegisterStyle::default() }
}

/// Counts the beats of each event from the cycle in which `start` is 1.
pub(super) fn phase<'m>(
    m: &'m ModuleBuilder,
    name: &str,
    start: Value<'m>,
    lanes: Lanes,
    event_bits: u32,
) -> Token<'m> {
    let bits = lanes.beat_bits();
    let state = |what: &str, bits| m.state(&format!("{name}_{what}"), unsigned(bits), cleared());
    let (going, count, events) = (state("going", 1), state("beat", bits), state("event", event_bits));
    let one = m.constant(1, 0);
    let token = Token {
        running: start | going.value(),
        beat: start.mux(m.constant(0, 0), count.value()),
        event: (events.value() + start).wrap(event_bits, false),
    };
    let last = token.beat.equals(m.constant(lanes.beats as i128 - 1, 0));
    going.set_next(token.running & last.equals(m.constant(0, 0)));
    count.set_next((token.beat + one).wrap(bits, false));
    events.set_next(token.event);
    token
}
