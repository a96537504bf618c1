//! The values of a net in many cycles at once: two bits a cycle, one plane of words for each.

/// Words of a plane.
pub const WORDS: usize = 4;
/// Cycles of a block.
pub const CYCLES: usize = 64 * WORDS;

/// One bit for each cycle of a block, the first cycle at the least significant end of the first word.
pub type Plane = [u64; WORDS];

/// What a net can be in each cycle of a block. Where both planes have a one, the level is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Levels {
    /// Where it can be zero.
    pub zero: Plane,
    /// Where it can be one.
    pub one: Plane,
}

impl Levels {
    /// Not known in any cycle.
    pub const UNKNOWN: Self = Self { zero: [u64::MAX; WORDS], one: [u64::MAX; WORDS] };

    /// The same level in all cycles.
    pub const fn constant(value: bool) -> Self {
        let (all, none) = ([u64::MAX; WORDS], [0; WORDS]);
        match value {
            false => Self { zero: all, one: none },
            true => Self { zero: none, one: all },
        }
    }

    /// Levels that are all known.
    pub fn known(one: Plane) -> Self {
        Self { zero: one.map(|word| !word), one }
    }

    /// `one` where the selector is one, `zero` where it is zero, and what both can be where it is not known.
    #[inline(always)]
    pub fn choose(selector: &Self, zero: &Self, one: &Self) -> Self {
        let mut chosen = Self::UNKNOWN;
        for w in 0..WORDS {
            let (s0, s1) = (selector.zero[w], selector.one[w]);
            chosen.zero[w] = (s1 & one.zero[w]) | (s0 & zero.zero[w]);
            chosen.one[w] = (s1 & one.one[w]) | (s0 & zero.one[w]);
        }
        chosen
    }

    /// Each level one cycle later; the first is that of `before`.
    pub fn delayed(&self, before: State) -> Self {
        Self { zero: shifted(&self.zero, before.can_be_zero()), one: shifted(&self.one, before.can_be_one()) }
    }

    /// Those of `levels` in the cycles that `cycles` marks, else the present ones.
    #[inline]
    pub fn replaced(&self, levels: &Self, cycles: &Plane) -> Self {
        let mix = |old: &Plane, new: &Plane| std::array::from_fn(|w| (old[w] & !cycles[w]) | (new[w] & cycles[w]));
        Self { zero: mix(&self.zero, &levels.zero), one: mix(&self.one, &levels.one) }
    }

    /// The cycles in which the levels are not the same.
    #[inline]
    pub fn differences(&self, other: &Self) -> Plane {
        std::array::from_fn(|w| (self.zero[w] ^ other.zero[w]) | (self.one[w] ^ other.one[w]))
    }

    /// The level in the last cycle.
    pub fn last(&self) -> State {
        State::of(self.zero[WORDS - 1] >> 63 == 1, self.one[WORDS - 1] >> 63 == 1)
    }

    /// The level in one cycle of the block.
    pub fn at(&self, cycle: usize) -> State {
        let bit = |plane: &Plane| plane[cycle / 64] >> (cycle % 64) & 1 == 1;
        State::of(bit(&self.zero), bit(&self.one))
    }

    /// In how many cycles that `counted` marks the levels go from zero to one or back, between `self` and `to`.
    #[inline]
    pub fn transitions(&self, to: &Self, counted: &Plane) -> u32 {
        let words = counted.iter().enumerate().map(|(w, counted)| {
            let rises = (self.zero[w] & !self.one[w]) & (to.one[w] & !to.zero[w]);
            let falls = (self.one[w] & !self.zero[w]) & (to.zero[w] & !to.one[w]);
            ((rises | falls) & counted).count_ones()
        });
        words.sum()
    }
}

/// All bits one place up, `first` into the lowest.
fn shifted(plane: &Plane, first: bool) -> Plane {
    let mut carry = u64::from(first);
    plane.map(|word| {
        let moved = word << 1 | carry;
        carry = word >> 63;
        moved
    })
}

/// The cycles `from..to` of a block that begins with cycle `start`.
pub fn span(start: usize, from: usize, to: usize) -> Plane {
    std::array::from_fn(|w| {
        let below = |end: usize| match end.saturating_sub(start + 64 * w) {
            n @ 0..64 => (1 << n) - 1,
            _ => u64::MAX,
        };
        below(to) & !below(from)
    })
}

/// The level of a net in one cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Zero.
    Zero,
    /// One.
    One,
    /// Either.
    Unknown,
}

impl State {
    fn of(can_be_zero: bool, can_be_one: bool) -> Self {
        match (can_be_zero, can_be_one) {
            (true, false) => Self::Zero,
            (false, true) => Self::One,
            _ => Self::Unknown,
        }
    }

    fn can_be_zero(self) -> bool {
        self != Self::One
    }

    fn can_be_one(self) -> bool {
        self != Self::Zero
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_that_is_not_known_leaves_what_both_agree_on() {
        let [zero, one] = [false, true].map(Levels::constant);
        let unknown = Levels::UNKNOWN;
        assert_eq!(Levels::choose(&one, &zero, &one), one);
        assert_eq!(Levels::choose(&unknown, &one, &one), one);
        assert_eq!(Levels::choose(&unknown, &zero, &one), unknown);
        assert_eq!(Levels::choose(&zero, &unknown, &one), unknown);
    }

    #[test]
    fn a_delay_carries_over_words_and_blocks() {
        let pulse = Levels::known([1 << 63, 0, 0, 1 << 63]);
        let late = pulse.delayed(State::One);
        assert_eq!(late, Levels::known([1, 1, 0, 0]));
        assert_eq!(pulse.last(), State::One);
        assert_eq!((late.at(0), late.at(1)), (State::One, State::Zero));
        assert_eq!(late.at(64), State::One);
        assert_eq!(pulse.delayed(State::Unknown).at(0), State::Unknown);
    }

    #[test]
    fn only_known_changes_in_the_span_are_counted() {
        let before = Levels::known([0b0011, 0, 0, 0]);
        let after = Levels::known([0b0101, 0, 0, 0]);
        let all = span(0, 0, CYCLES);
        assert_eq!(before.transitions(&after, &all), 2);
        assert_eq!(before.transitions(&after, &span(0, 2, 9)), 1);
        assert_eq!(before.transitions(&Levels::UNKNOWN, &all), 0);
        assert_eq!(span(64, 70, 129)[..2], [!0 << 6, 1]);
    }
}
