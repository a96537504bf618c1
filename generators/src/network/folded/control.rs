//! The signals that start, step through and end the steps of a folded network. They depend on no data.

use hdl::dfg::{ModuleBuilder, Value};
use hdl::diag::Diagnostic;
use hdl::num::Format;

use super::timeline::{Step, tail};
use crate::network::registers::{later, moved, plain, reset};

/// The control signals of a step.
pub(super) struct Control<'m> {
    /// Its operands are there, in this one cycle.
    pub start: Value<'m>,
    /// Register stages of what it computes.
    pub stages: u32,
    /// Those of a matrix.
    pub beat: Option<Beat<'m>>,
}

/// The control signals of a matrix.
pub(super) struct Beat<'m> {
    /// Number of the part of a position.
    pub part: Value<'m>,
    /// Number of the position.
    pub position: Value<'m>,
    /// There is a beat in this cycle.
    pub running: Value<'m>,
    /// It is the first part of a position.
    pub first: Value<'m>,
    /// It is the last part of a position.
    pub last: Value<'m>,
    /// The last beat.
    ending: Value<'m>,
    /// Beats altogether.
    beats: u32,
}

/// The signals of all steps, each of which starts the next, and the start of what follows them.
pub(super) fn controls<'m>(
    m: &'m ModuleBuilder,
    steps: &[Step],
    stages: &[u32],
    start: Value<'m>,
) -> Result<Vec<Control<'m>>, Diagnostic> {
    let mut controls = Vec::with_capacity(steps.len() + 1);
    let mut start = start;
    for (k, (step, &stages)) in steps.iter().zip(stages).enumerate() {
        let (beat, done) = match step {
            Step::Stage => (None, later(m, &format!("start{k}_"), start, stages)),
            Step::Matrix(matrix) => {
                let (parts, positions) = (matrix.parts(), matrix.positions_of_unit());
                let (beat, ending) = Beat::new(m, k, parts, positions, start)?;
                let done = later(m, &format!("matrix{k}_done"), ending, tail(stages));
                (Some(beat), done)
            }
        };
        controls.push(Control { start, stages, beat });
        start = done;
    }
    controls.push(Control { start, stages: 1, beat: None });
    Ok(controls)
}

impl<'m> Beat<'m> {
    /// Counters of `parts` for each of `positions`, and the last beat.
    fn new(
        m: &'m ModuleBuilder,
        step: usize,
        parts: u32,
        positions: u32,
        start: Value<'m>,
    ) -> Result<(Self, Value<'m>), Diagnostic> {
        let named = |what: &str| format!("matrix{step}_{what}");
        let (zero, one) = (m.constant(0, 0), m.constant(1, 0));
        let counter = |what: &str, count: u32| {
            let bits = (u32::BITS - (count - 1).leading_zeros()).max(1);
            let format = Format::unsigned(bits, 0);
            let format = format.map_err(|e| Diagnostic::error("folding", e.to_string()))?;
            Ok::<_, Diagnostic>((m.state(&named(what), format, reset()), bits))
        };
        let (part, part_bits) = counter("part", parts)?;
        let (position, position_bits) = counter("position", positions)?;
        let running = m.state(&named("running"), Format::BIT, reset());
        let at_last_part = part.value().equals(m.constant(i128::from(parts) - 1, 0));
        let at_last_position = position.value().equals(m.constant(i128::from(positions) - 1, 0));
        let ending = running.value() & at_last_part & at_last_position;
        let goes_on = ending.mux(zero, running.value());
        let next_part = at_last_part.mux(zero, part.value() + one);
        let next_position = position.value() + at_last_part;
        let while_going = |next: Value<'m>| start.mux(zero, goes_on.mux(next, zero));
        part.set_next(while_going(next_part).wrap(part_bits, false));
        position.set_next(while_going(next_position).wrap(position_bits, false));
        running.set_next((start | goes_on).wrap(1, false));
        let beat = Self {
            part: part.value(),
            position: position.value(),
            running: running.value(),
            first: running.value() & part.value().equals(zero),
            last: running.value() & at_last_part,
            ending,
            beats: parts * positions,
        };
        Ok((beat, ending))
    }
}

impl<'m> Control<'m> {
    /// Values that are there when this step starts, when the next one starts.
    ///
    /// A matrix may start anew when its last beat ends, so from then on they are kept in another register. That one is
    /// overwritten at the next last beat, which for few beats comes before the end: then the cycles pass in more registers.
    pub fn carried(&self, m: &'m ModuleBuilder, name: &str, values: &[Value<'m>]) -> Vec<Value<'m>> {
        let caught = |when: Value<'m>, name: String, value: Value<'m>| {
            let state = plain(m, &name, value);
            state.set_next_when(when, value.with_frac(0));
            state.value()
        };
        let one = |(i, value): (usize, &Value<'m>)| {
            let waiting = |value: Value<'m>, cycles: std::ops::Range<u32>| {
                cycles.fold(value, |v, k| moved(m, &format!("{name}_{i}_{k}"), v))
            };
            let Some(beat) = &self.beat else {
                return waiting(*value, 0..self.stages);
            };
            let early = caught(self.start, format!("{name}_{i}_early"), *value);
            let late = caught(beat.ending, format!("{name}_{i}_late"), early);
            let tail = tail(self.stages);
            match beat.beats >= tail {
                true => late,
                false => waiting(late, 1..tail),
            }
        };
        values.iter().enumerate().map(one).collect()
    }
}
