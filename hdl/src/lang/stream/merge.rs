//! Arbiters: many streams into one.

use super::Stream;
use super::buffer::either;
use crate::dfg::{ModuleBuilder, Value};
use crate::lang::Bundle;

impl ModuleBuilder {
    /// The words of all `streams`; of those that have one, the first in the list goes first.
    ///
    /// A later one may never get its turn. A word that waits may give way to one of an earlier stream; put a
    /// [`skid`](Stream::skid) or [`fifo`](Stream::fifo) behind it where that must not happen.
    ///
    /// # Panics
    /// If there are no streams.
    #[track_caller]
    pub fn prioritised<'m, B: Bundle<'m>>(&'m self, name: &str, streams: Vec<Stream<'m, B>>) -> Stream<'m, B> {
        let valid: Vec<Value<'m>> = streams.iter().map(|s| s.valid).collect();
        let grants = first_of(&valid);
        self.merged(name, streams, &grants)
    }

    /// The words of all `streams` in turn: after a word of one, all others that have one come before it again.
    ///
    /// # Panics
    /// If there are no streams.
    #[track_caller]
    pub fn round_robin<'m, B: Bundle<'m>>(&'m self, name: &str, streams: Vec<Stream<'m, B>>) -> Stream<'m, B> {
        let last = self.reg(&format!("{name}_last"), 0..streams.len() as i128);
        let valid: Vec<Value<'m>> = streams.iter().map(|s| s.valid).collect();
        let behind: Vec<Value<'m>> = (0..).zip(&valid).map(|(k, valid)| *valid & last.lt(k)).collect();
        let any_behind = any(&behind);
        let grants: Vec<Value<'m>> = first_of(&behind)
            .into_iter()
            .zip(first_of(&valid))
            .map(|(behind, first)| any_behind.mux(behind, first))
            .collect();
        let merged = self.merged(name, streams, &grants);
        for (k, grant) in (0..).zip(&grants) {
            self.when(*grant & merged.ready, || last.set(k));
        }
        merged
    }

    /// The word of the stream whose grant, one of which is 1 if any stream is valid, is 1.
    fn merged<'m, B: Bundle<'m>>(
        &'m self,
        name: &str,
        streams: Vec<Stream<'m, B>>,
        grants: &[Value<'m>],
    ) -> Stream<'m, B> {
        let choices = streams.iter().zip(grants).rev();
        let data = choices.map(|(s, grant)| (s.data.clone(), *grant));
        let data = data.reduce(|(other, _), (own, grant)| (either(grant, &own, &other), grant));
        let valid: Vec<Value<'m>> = streams.iter().map(|s| s.valid).collect();
        let merged = self.stream(name, data.expect("an arbiter has streams").0, any(&valid));
        for (stream, grant) in streams.iter().zip(grants) {
            stream.accept(*grant & merged.ready);
        }
        merged
    }
}

fn any<'m>(bits: &[Value<'m>]) -> Value<'m> {
    Value::tree(bits, |a, b| a | b).expect("an arbiter has streams")
}

/// The first of `bits` that is 1, and none of the others.
fn first_of<'m>(bits: &[Value<'m>]) -> Vec<Value<'m>> {
    let mut earlier: Option<Value<'m>> = None;
    let first = bits.iter().map(|bit| {
        let first = earlier.map_or(*bit, |earlier| *bit & !earlier);
        earlier = Some(earlier.map_or(*bit, |earlier| earlier | *bit));
        first
    });
    first.collect()
}
