//! Words of hexadecimal digits, one a line, as `$readmemh` reads them: groups of elements side by side.
//!
//! A group is a port, packed as [`hdl::pack`] says; the first group stands at the least significant end.

use std::fmt::Write;

use hdl::num::Format;
use hdl::pack;
use num_bigint::BigUint;

/// The formats of the groups of a word, and where each group begins.
#[derive(Debug, Clone, Default)]
pub struct Words {
    groups: Vec<Vec<Format>>,
    starts: Vec<u32>,
    width: u32,
}

impl Words {
    /// Words of these groups.
    pub fn new(groups: impl IntoIterator<Item = Vec<Format>>) -> Self {
        let mut words = Self::default();
        for group in groups {
            words.starts.push(words.width);
            words.width += pack::width(group.iter().copied());
            words.groups.push(group);
        }
        words
    }

    /// Bits of a word.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Least bit of group `g`, and its width.
    pub fn group(&self, g: usize) -> (u32, u32) {
        (self.starts[g], pack::width(self.groups[g].iter().copied()))
    }

    /// Least bit and width of each element of group `g`, within the group.
    pub fn elements(&self, g: usize) -> impl Iterator<Item = (u32, u32)> {
        pack::layout(self.groups[g].iter().copied())
    }

    /// Appends the line of one word, given the values of each group.
    pub fn write<'a>(&self, text: &mut String, values: impl Iterator<Item = &'a [i128]>) {
        let mut word = BigUint::ZERO;
        for ((group, start), values) in self.groups.iter().zip(&self.starts).zip(values) {
            word |= pack::pack(group.iter().copied(), values) << *start;
        }
        let digits = self.width.div_ceil(4).max(1) as usize;
        writeln!(text, "{word:0>digits$x}").expect("a string takes all text");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn element_0_of_group_0_is_least_significant() {
        let s = |width| Format::signed(width, 0).unwrap();
        let words = Words::new([vec![s(3), s(5)], vec![Format::BIT]]);
        let mut text = String::new();
        words.write(&mut text, [[-1, 2].as_slice(), &[1]].into_iter());
        words.write(&mut text, [[0, 0].as_slice(), &[0]].into_iter());
        assert_eq!(text, "117\n000\n");
        assert_eq!((words.width(), words.group(1)), (9, (8, 1)));
        assert_eq!(words.elements(0).collect::<Vec<_>>(), [(0, 3), (3, 5)]);
    }
}
