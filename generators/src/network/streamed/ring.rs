//! Tensors in memory: words of the events, one after another, around and around.

use hdl::dfg::{MemoryHandle, ModuleBuilder, Value};
use hdl::diag::Diagnostic;
use hdl::num::{Format, Interval};

use crate::network::registers::{moved, reset};

/// Most bits of a word of a memory: what block RAM gives in one cycle.
const WORD: u32 = 64;

/// A tensor in memories of some lanes each, all with the same address.
pub(super) struct Ring<'m> {
    banks: Vec<Bank<'m>>,
    /// Bits of an address; the number of words is a power of two.
    pub bits: u32,
    /// Words of an event.
    pub words: usize,
}

/// What is kept of some lanes.
enum Bank<'m> {
    /// They are constant.
    Constant(Value<'m>),
    /// They stand side by side, the first at the least significant end.
    Memory(MemoryHandle<'m>, Vec<Interval>),
}

/// An unsigned number of so many bits.
pub(super) fn unsigned(bits: u32) -> Result<Format, Diagnostic> {
    Format::unsigned(bits, 0).map_err(|e| Diagnostic::error("folding", e.to_string()))
}

impl<'m> Ring<'m> {
    /// The words that `values` are one after another, each written in a cycle in which `enable` is 1.
    pub fn new(
        m: &'m ModuleBuilder,
        name: &str,
        values: &[Value<'m>],
        enable: Value<'m>,
        (words, depth): (usize, u32),
    ) -> Result<Self, Diagnostic> {
        let bits = depth.trailing_zeros();
        let address = m.state(&format!("{name}_address"), unsigned(bits)?, reset());
        address.set_next_when(enable, (address.value() + m.constant(1, 0)).wrap(bits, false));
        let mut banks = Vec::new();
        let mut left = values;
        while let Some(first) = left.first() {
            if first.range().as_point().is_some() {
                banks.push(Bank::Constant(*first));
                left = &left[1..];
                continue;
            }
            let mut width = 0;
            let fits = |value: &&Value<'m>| {
                width += value.range().width();
                value.range().as_point().is_none() && (width <= WORD || width == value.range().width())
            };
            let (together, others) = left.split_at(left.iter().take_while(fits).count());
            let format = unsigned(together.iter().map(|value| value.range().width()).sum())?;
            let memory = m.memory(&format!("{name}_bank{}", banks.len()), depth, format);
            memory.write(enable, address.value(), side_by_side(together));
            banks.push(Bank::Memory(memory, together.iter().map(Value::range).collect()));
            left = others;
        }
        Ok(Self { banks, bits, words })
    }

    /// The lanes of the word at `address`, one cycle later.
    pub fn read(&self, m: &'m ModuleBuilder, name: &str, address: Value<'m>) -> Vec<Value<'m>> {
        let bank = |(k, bank): (usize, &Bank<'m>)| match bank {
            Bank::Constant(value) => vec![*value],
            Bank::Memory(memory, ranges) => {
                let word = moved(m, &format!("{name}_word{k}"), memory.read(address));
                apart(word, ranges)
            }
        };
        self.banks.iter().enumerate().flat_map(bank).collect()
    }

    /// The address of the first word of an event, which moves on to the next event at the end of cycles in which `done` is 1.
    pub fn base(&self, m: &'m ModuleBuilder, name: &str, done: Value<'m>) -> Result<Value<'m>, Diagnostic> {
        let base = m.state(name, unsigned(self.bits)?, reset());
        let next = base.value() + m.constant(self.words as i128, 0);
        base.set_next_when(done, next.wrap(self.bits, false));
        Ok(base.value())
    }
}

/// The patterns of values, the first at the least significant end, as an unsigned number.
fn side_by_side<'m>(values: &[Value<'m>]) -> Value<'m> {
    let pattern = |value: &Value<'m>| value.with_frac(0).wrap(value.range().width(), false);
    let (first, others) = values.split_first().expect("some values");
    let mut width = first.range().width();
    others.iter().fold(pattern(first), |low, value| {
        let joined = pattern(value).concat(low, width);
        width += value.range().width();
        joined
    })
}

/// The values of which [`side_by_side`] made a number, each of the width of its range.
pub(super) fn apart<'m>(word: Value<'m>, ranges: &[Interval]) -> Vec<Value<'m>> {
    let mut low = 0;
    let one = |range: &Interval| {
        let bits = word.slice(low + range.width() - 1, low);
        low += range.width();
        bits.wrap(range.width(), range.signed())
    };
    ranges.iter().map(one).collect()
}
