//! Streams of data with a handshake.
//!
//! A word moves at a clock edge at which `valid` (from the producer) and `ready` (from the consumer) are both 1. `valid`
//! never waits for `ready` in any part of this library, so parts can be connected in any order without a loop.

mod buffer;
mod merge;
mod width;

use super::{Bundle, Operand, Shape};
use crate::dfg::{ModuleBuilder, Value};
use crate::num::Format;

/// A producer's end of a stream: data and `valid`, and the `ready` that its one consumer answers.
///
/// ```
/// use hdl::{ModuleBuilder, u};
///
/// let m = ModuleBuilder::new("buffered");
/// let words = m.sink("words", u(8));
/// let doubled = words.map(|word| word * 2);
/// m.source("doubled", doubled.fifo("queue", 4).skid("slice"));
/// let module = m.finish().unwrap();
/// let inputs: Vec<&str> = module.inputs.iter().map(|port| port.name.as_str()).collect();
/// assert_eq!(inputs, ["words_data", "words_valid", "doubled_ready"]);
/// ```
#[derive(Debug, Clone)]
pub struct Stream<'m, B = Value<'m>> {
    /// What comes.
    pub data: B,
    /// 1 while `data` is there.
    pub valid: Value<'m>,
    /// What the consumer answers.
    ready: Value<'m>,
}

impl ModuleBuilder {
    /// A stream that comes in: ports `name_data`, `name_valid` and, as an output, `name_ready`.
    #[track_caller]
    pub fn sink(&self, name: &str, shape: impl Shape) -> Stream<'_> {
        let data = self.input(&format!("{name}_data"), shape);
        let valid = self.input(&format!("{name}_valid"), Format::BIT);
        let stream = self.stream(name, data, valid);
        self.output(&format!("{name}_ready"), stream.ready);
        stream
    }

    /// A stream that goes out: ports `name_data` (one for each value of a bundle), `name_valid` and, as an input,
    /// `name_ready`.
    #[track_caller]
    pub fn source<'m, B: Bundle<'m>>(&'m self, name: &str, stream: Stream<'m, B>) {
        self.output_bundle(&format!("{name}_data"), &stream.data);
        self.output(&format!("{name}_valid"), stream.valid);
        stream.accept(self.input(&format!("{name}_ready"), Format::BIT));
    }

    /// A stream of `data` that is there while `valid` is 1. Its consumer drives [`Stream::ready`].
    #[track_caller]
    pub fn stream<'m, B: Bundle<'m>>(&'m self, name: &str, data: B, valid: impl Operand<'m>) -> Stream<'m, B> {
        let ready = self.wire(&format!("{name}_ready"), Format::BIT);
        Stream { data, valid: valid.on(self), ready }
    }
}

impl<'m, B: Bundle<'m>> Stream<'m, B> {
    /// Takes the data whenever `ready` is 1. A stream has one consumer; see [`Stream::broadcast`] for more.
    #[track_caller]
    pub fn accept(&self, ready: impl Operand<'m>) {
        let m = self.valid.builder();
        m.drive(self.ready, ready.on(m));
    }

    /// What the consumer answers, to be read before it is known.
    pub fn ready(&self) -> Value<'m> {
        self.ready
    }

    /// 1 in the cycles in which a word moves.
    #[track_caller]
    pub fn fires(&self) -> Value<'m> {
        self.valid & self.ready
    }

    /// The same words, each as `f` makes it.
    pub fn map<C: Bundle<'m>>(self, f: impl FnOnce(B) -> C) -> Stream<'m, C> {
        Stream { data: f(self.data), valid: self.valid, ready: self.ready }
    }

    /// Pairs of words, one of each stream.
    #[track_caller]
    pub fn join<C: Bundle<'m>>(self, name: &str, other: Stream<'m, C>) -> Stream<'m, (B, C)> {
        let m = self.valid.builder();
        let both = m.stream(name, (self.data.clone(), other.data.clone()), self.valid & other.valid);
        self.accept(both.ready & other.valid);
        other.accept(both.ready & self.valid);
        both
    }

    /// `count` streams of the same words. A word is taken from this one when all have it; the fast do not wait.
    #[track_caller]
    pub fn broadcast(self, name: &str, count: usize) -> Vec<Self> {
        let m = self.valid.builder();
        let served: Vec<_> = (0..count).map(|k| m.reg(&format!("{name}_served{k}"), Format::BIT)).collect();
        let copy = |(k, served): (usize, &crate::dfg::StateHandle<'m>)| {
            m.stream(&format!("{name}{k}"), self.data.clone(), self.valid & !*served)
        };
        let copies: Vec<Self> = served.iter().enumerate().map(copy).collect();
        let has_it: Vec<Value<'m>> = served.iter().zip(&copies).map(|(served, copy)| *served | copy.ready).collect();
        let all = Value::tree(&has_it, |a, b| a & b).unwrap_or_else(|| m.constant(1, 0));
        for (served, has_it) in served.iter().zip(has_it) {
            served.set(self.valid & has_it & !all);
        }
        self.accept(all);
        copies
    }
}
