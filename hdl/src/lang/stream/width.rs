//! Width converters: several words side by side as one, and one as several.

use super::Stream;
use super::buffer::advance;
use crate::dfg::Value;
use crate::lang::Bundle;

impl<'m, B: Bundle<'m>> Stream<'m, B> {
    /// `count` words in a row as one, the first of them first. The last one passes in the cycle in which it comes.
    #[track_caller]
    pub fn gathered(self, name: &str, count: usize) -> Stream<'m, Vec<B>> {
        let m = self.valid.builder();
        let last = count.max(1) as i128 - 1;
        let place = m.reg(&format!("{name}_place"), 0..=last);
        let mut words: Vec<B> = Vec::new();
        for k in 0..last {
            let enable = self.valid & place.equals(k);
            words.push(m.held(&format!("{name}_word{k}"), enable, &self.data));
        }
        words.push(self.data.clone());
        let complete = place.equals(last);
        let wide = m.stream(name, words, self.valid & complete);
        let taken = !complete | wide.ready;
        advance(place, last, self.valid & taken);
        self.accept(taken);
        wide
    }
}

impl<'m> Stream<'m, Vec<Value<'m>>> {
    /// The values of each word one after the other. A word is taken with its last value.
    ///
    /// # Panics
    /// If a word holds no values.
    #[track_caller]
    pub fn scattered(self, name: &str) -> Stream<'m> {
        let m = self.valid.builder();
        let last = self.data.len() as i128 - 1;
        let place = m.reg(&format!("{name}_place"), 0..=last);
        let narrow = m.stream(name, place.select(&self.data), self.valid);
        advance(place, last, narrow.fires());
        self.accept(narrow.ready & place.equals(last));
        narrow
    }
}
