//! Which elements of a tensor come together, and in which order.

/// A tensor as words one after another, each with as many lanes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// Elements of a word.
    pub lanes: usize,
    /// Row-major numbers of the elements, word after word.
    elements: Vec<u32>,
}

impl Layout {
    /// All elements in one word, in order.
    pub fn whole(count: usize) -> Self {
        Self { lanes: count, elements: (0..count as u32).collect() }
    }

    /// For `[n, channel, spatial…]` a word for each pixel of each image, a lane for each channel.
    pub fn pixels(shape: &[usize]) -> Self {
        let (channels, pixels) = (shape[1], shape[2..].iter().product::<usize>());
        let word = |k: usize| (0..channels).map(move |c| ((k / pixels * channels + c) * pixels + k % pixels) as u32);
        Self { lanes: channels, elements: (0..shape[0] * pixels).flat_map(word).collect() }
    }

    /// For `[…, lane]` a word for each vector along the last axis.
    pub fn vectors(shape: &[usize]) -> Self {
        let count = shape.iter().product::<usize>();
        Self { lanes: *shape.last().unwrap_or(&1), ..Self::whole(count) }
    }

    /// How many words there are.
    pub fn words(&self) -> usize {
        self.elements.len() / self.lanes
    }

    /// Numbers of the elements of a word.
    pub fn word(&self, number: usize) -> &[u32] {
        &self.elements[number * self.lanes..(number + 1) * self.lanes]
    }

    /// The layout of a result whose elements stand elsewhere in the operand; none unless it has all of them, once.
    pub fn moved(&self, sources: &[Option<u32>]) -> Option<Self> {
        let mut places = vec![None; self.elements.len()];
        for (place, source) in (0u32..).zip(sources) {
            let found = places.get_mut((*source)? as usize)?.replace(place);
            found.is_none().then_some(())?;
        }
        let elements = self.elements.iter().map(|&e| places[e as usize]).collect::<Option<Vec<u32>>>()?;
        Some(Self { lanes: self.lanes, elements })
    }

    /// The layout of the operand whose result, of such sources, has this layout.
    pub fn before(&self, sources: &[Option<u32>]) -> Option<Self> {
        let elements = self.elements.iter().map(|&e| sources[e as usize]).collect::<Option<Vec<u32>>>()?;
        Some(Self { lanes: self.lanes, elements })
    }

    /// What each lane has, if it is the same in every word: entries of `all`, one an element.
    pub fn lanes_of<V: Clone + PartialEq>(&self, all: &[V]) -> Option<Vec<V>> {
        let of_word = |k: usize| self.word(k).iter().map(|&e| &all[e as usize]);
        let same = (1..self.words()).all(|k| of_word(k).eq(of_word(0)));
        same.then(|| of_word(0).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_last_and_first_are_one() {
        let pixels = Layout::pixels(&[1, 3, 2, 2]);
        assert_eq!((pixels.words(), pixels.word(1)), (4, &[1, 5, 9][..]));
        // element (c, p) of the result is element (p, c) of the operand
        let sources: Vec<Option<u32>> = (0..12).map(|e| Some(e % 4 * 3 + e / 4)).collect();
        let before = pixels.before(&sources).unwrap();
        assert_eq!(before, Layout::vectors(&[2, 2, 3]));
        assert_eq!(before.moved(&sources), Some(pixels));
        assert_eq!(before.moved(&[Some(0); 12]), None);
        assert_eq!(before.lanes_of(&[1, 2, 3].repeat(4)), Some(vec![1, 2, 3]));
        assert_eq!(before.lanes_of(&(0..12).collect::<Vec<u32>>()), None);
    }
}
