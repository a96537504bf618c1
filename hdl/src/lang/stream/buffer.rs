//! Parts that hold words: a register slice and a queue.

use super::Stream;
use crate::dfg::{StateHandle, Value};
use crate::lang::Bundle;
use crate::num::Format;

impl<'m, B: Bundle<'m>> Stream<'m, B> {
    /// The same words at least a cycle later, all of whose signals come from registers: it cuts the path of `ready` as
    /// well as that of `valid`, and still lets a word pass in every cycle.
    ///
    /// A second register takes the word that was on its way when the consumer stopped.
    #[track_caller]
    pub fn skid(self, name: &str) -> Self {
        let m = self.valid.builder();
        let valid = m.reg(&format!("{name}_valid"), Format::BIT);
        let spare_valid = m.reg(&format!("{name}_spare_valid"), Format::BIT);
        let next = m.wire(&format!("{name}_next"), Format::BIT);
        let spare = m.held(&format!("{name}_spare"), self.valid & !spare_valid & !next, &self.data);
        let chosen = either(spare_valid.value(), &spare, &self.data);
        let data = m.held(&format!("{name}_data"), next, &chosen);
        let slice = m.stream(name, data, valid);
        m.drive(next, slice.ready | !valid);
        m.when(next, || {
            valid.set(spare_valid | self.valid);
            spare_valid.set(0);
        })
        .elif(self.valid, || spare_valid.set(1));
        self.accept(!spare_valid);
        slice
    }

    /// A queue of `depth` words. A word that comes in can go out in the next cycle.
    #[track_caller]
    pub fn fifo(self, name: &str, depth: u32) -> Self {
        let m = self.valid.builder();
        let last = i128::from(depth.max(1)) - 1;
        let [head, tail] = ["head", "tail"].map(|end| m.reg(&format!("{name}_{end}"), 0..=last));
        let count = m.reg(&format!("{name}_count"), 0..=last + 1);
        let (room, some) = (count.le(last), count.gt(0));
        let push = self.valid & room;
        let data = self.data.each(&format!("{name}_words"), &mut |name, value| {
            let words = m.memory(name, depth, value.format());
            words.write(push, tail, value);
            words.read(head)
        });
        let queue = m.stream(name, data, some);
        let pop = some & queue.ready;
        advance(tail, last, push);
        advance(head, last, pop);
        m.when(push & !pop, || count.set(count + 1)).elif(pop & !push, || count.set(count - 1));
        self.accept(room);
        queue
    }
}

/// `first` while `choose` is 1, else `second`.
pub(super) fn either<'m, B: Bundle<'m>>(choose: Value<'m>, first: &B, second: &B) -> B {
    let mut values = Vec::new();
    first.each("", &mut |_, value| {
        values.push(value);
        value
    });
    let mut first = values.into_iter();
    second.each("", &mut |_, value| choose.mux(first.next().expect("both have the same values"), value))
}

/// `pointer` goes to the next place, round the end, while `enable` is 1.
#[track_caller]
pub(super) fn advance<'m>(pointer: StateHandle<'m>, last: i128, enable: Value<'m>) {
    let m = pointer.builder();
    m.when(enable & pointer.equals(last), || pointer.set(0)).elif(enable & pointer.differs(last), || {
        pointer.set(pointer + 1);
    });
}
