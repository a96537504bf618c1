//! Register files that hold events under way, and sums that edges are added to.

use hdl::dfg::{MemoryHandle, ModuleBuilder, Value};
use hdl::num::{Format, Interval};

use super::Stream;
use super::lanes::Lanes;
use super::token::Token;
use crate::model::block::aggregate::{Aggregate, Aggregation, kept};

/// One register file a column, for `rows` of an event, several events side by side.
pub(super) struct Files<'m> {
    columns: Vec<MemoryHandle<'m>>,
    beat_bits: u32,
}

impl<'m> Files<'m> {
    pub(super) fn new(m: &'m ModuleBuilder, name: &str, formats: &[Format], depth_bits: [u32; 2]) -> Self {
        let [event_bits, beat_bits] = depth_bits;
        let file =
            |(k, format): (usize, &Format)| m.memory(&format!("{name}_{k}"), 1 << (event_bits + beat_bits), *format);
        Self { columns: (0..).zip(formats).map(file).collect(), beat_bits }
    }

    pub(super) fn address(&self, event: Value<'m>, row: Value<'m>) -> Value<'m> {
        event.concat(row, self.beat_bits)
    }

    pub(super) fn write(&self, token: Token<'m>, values: &[Value<'m>]) {
        let address = self.address(token.event, token.beat);
        for (file, value) in self.columns.iter().zip(values) {
            file.write(token.running, address, *value);
        }
    }

    pub(super) fn read(&self, token: Token<'m>, row: Value<'m>) -> Vec<Value<'m>> {
        let address = self.address(token.event, row);
        self.columns.iter().map(|file| file.read(address)).collect()
    }
}

/// The formats in which the columns of an aggregate over a lane's edges are kept.
pub(super) fn sum_formats(aggregate: Aggregate, message: &[Format], lanes: Lanes) -> Vec<Format> {
    let edges = Interval::new(0, lanes.beats as i128).expect("a small count");
    let sum = |format: Format| match aggregate.how {
        Aggregation::Max => format,
        Aggregation::Sum | Aggregation::Mean => {
            let then = aggregate.requantise(format.frac);
            kept(aggregate.how, then, Format { range: format.range.mul(edges).expect("validated"), ..format })
        }
    };
    let columns = aggregate.how.column_formats(message);
    columns.into_iter().map(sum).collect()
}

/// What is added to the sums of a bank, and when.
pub(super) struct Adding<'m> {
    pub(super) at: Token<'m>,
    pub(super) clear: Token<'m>,
    pub(super) here: Value<'m>,
    pub(super) row: Value<'m>,
    pub(super) message: Value<'m>,
}

/// The sums of one lane, bank and column, for events of even and of odd number.
pub(super) struct Sums<'m> {
    sets: [MemoryHandle<'m>; 2],
}

impl<'m> Sums<'m> {
    pub(super) fn new(stream: &Stream<'_, 'm>, name: &str, adding: &Adding<'m>, format: Format) -> Self {
        let Adding { at, clear, here, row, message } = *adding;
        let aggregate = stream.network.aggregate.how;
        let (width, signed) = (format.range.width(), format.range.signed());
        let sets = [0, 1].map(|set| {
            let depth = 1 << stream.lanes.beat_bits();
            let file = stream.m.memory(&format!("{name}_{set}"), depth, format);
            let of_set = |token: Token<'m>| {
                let parity = stream.m.constant(set, 0);
                token.running & token.event.bit(0).equals(parity)
            };
            let clearing = of_set(clear);
            let sum = aggregate.combine(file.read(row), message).wrap(width, signed);
            file.write(
                clearing | (of_set(at) & here),
                clearing.mux(clear.beat, row),
                clearing.mux(stream.m.constant(aggregate.neutral(format), format.frac), sum),
            );
            file
        });
        Self { sets }
    }

    pub(super) fn read(&self, token: Token<'m>) -> Value<'m> {
        let [even, odd] = self.sets.map(|set| set.read(token.beat));
        token.event.bit(0).mux(odd, even)
    }
}
